"""The command line as a whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

from controller.cli import main


def test_an_unknown_command_lists_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prind"]) == 2
    said = capsys.readouterr().err
    assert "there is no command 'prind'" in said
    assert "preview" in said


def test_a_reader_that_goes_away_is_no_crash() -> None:
    command = f"{sys.executable} -m controller profile show evolis-zenius | head -1"
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert (result.stdout.count("\n"), result.stderr) == (1, "")
