"""A PIN that was refused is known again, also after a restart; its text is nowhere."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from controller.hal.chip.refused_pin import RefusedPin

PIN, OTHER = b"482913", b"482914"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "refused"


@pytest.mark.parametrize("kept_on", ["disk", "memory"])
def test_it_is_known_again_and_another_is_not(file: Path, kept_on: str) -> None:
    refused = RefusedPin(file if kept_on == "disk" else None)
    assert not refused.holds(PIN)
    refused.keep(PIN)
    assert (refused.holds(PIN), refused.holds(OTHER)) == (True, False)
    refused.keep(OTHER)
    assert (refused.holds(PIN), refused.holds(OTHER)) == (False, True)
    refused.clear()
    refused.clear()
    assert not refused.holds(OTHER)


def test_a_restart_does_not_forget_it(file: Path) -> None:
    RefusedPin(file).keep(PIN)
    assert RefusedPin(file).holds(PIN)


def test_what_another_process_clears_is_cleared(file: Path) -> None:
    refused = RefusedPin(file)
    refused.keep(PIN)
    RefusedPin(file).clear()
    assert not refused.holds(PIN)


def test_the_file_is_for_its_owner_alone_and_does_not_hold_the_pin(file: Path) -> None:
    RefusedPin(file).keep(PIN)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PIN not in file.read_bytes()
    first = file.read_bytes()
    RefusedPin(file).keep(PIN)
    assert file.read_bytes() != first  # salted
    assert [path.name for path in file.parent.iterdir()] == ["refused"]


def test_without_a_place_to_write_it_is_remembered_in_memory(tmp_path: Path) -> None:
    refused = RefusedPin(tmp_path / "missing" / "refused")
    refused.keep(PIN)
    assert (refused.holds(PIN), refused.holds(OTHER)) == (True, False)
    refused.clear()
    assert not refused.holds(PIN)


@pytest.mark.parametrize("content", [b"", b"short", bytes(48), bytes(1000)])
def test_a_damaged_file_holds_nothing(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert not RefusedPin(file).holds(PIN)


def test_what_a_power_cut_left_behind_is_no_hindrance(file: Path) -> None:
    file.with_name(".refused.tmp").write_bytes(b"half")
    RefusedPin(file).keep(PIN)
    assert RefusedPin(file).holds(PIN)
