"""`print-station store`: who vouches for a state is a person."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from controller.commands import store


@pytest.mark.parametrize("who", ["station", "Station ", "front panel", "DESK READER"])
@pytest.mark.parametrize("words", [["trust", "STATE"], ["restore", "SNAPSHOT", "STATE"]])
def test_nobody_restores_or_vouches_in_the_name_of_the_station(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], who: str
) -> None:
    parser = argparse.ArgumentParser()
    store.configure(parser)
    arguments = parser.parse_args([words[0], *(str(tmp_path / word) for word in words[1:]), "--who", who])
    assert store.run(arguments) == 1
    assert "give the name of a person" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
