"""A PIN that is tried is known again until it was taken, also after a restart; its text is nowhere; unnoted it is not tried."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.errors import DeviceRefused
from controller.hal.chip.refused_pin import RefusedPin

PIN, OTHER = b"482913", b"482914"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "refused"


@pytest.mark.parametrize("kept_on", ["disk", "memory"])
def test_it_is_known_again_and_another_is_not(file: Path, kept_on: str) -> None:
    refused = RefusedPin(file if kept_on == "disk" else None)
    assert not refused.holds(PIN)
    refused.trying(PIN)
    assert (refused.holds(PIN), refused.holds(OTHER)) == (True, False)
    refused.trying(OTHER)
    assert (refused.holds(PIN), refused.holds(OTHER)) == (False, True)
    refused.clear()
    refused.clear()
    assert not refused.holds(OTHER)


def test_a_restart_does_not_forget_it(file: Path) -> None:
    RefusedPin(file).trying(PIN)
    assert RefusedPin(file).holds(PIN)


def test_what_another_process_clears_is_cleared(file: Path) -> None:
    refused = RefusedPin(file)
    refused.trying(PIN)
    RefusedPin(file).clear()
    assert not refused.holds(PIN)


def test_the_file_is_for_its_owner_alone_and_does_not_hold_the_pin(file: Path) -> None:
    RefusedPin(file).trying(PIN)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PIN not in file.read_bytes()
    first = file.read_bytes()
    RefusedPin(file).trying(PIN)
    assert file.read_bytes() != first  # salted
    assert [path.name for path in file.parent.iterdir()] == ["refused"]


def _in_no_folder(folder: Path) -> RefusedPin:
    (folder / "state").touch()
    return RefusedPin(folder / "state" / "refused")


def _of_another_user(folder: Path) -> RefusedPin:
    file = folder / "refused"
    file.mkdir()  # root, who may run the tests, can read every file; a folder nobody can
    return RefusedPin(file)


@pytest.mark.parametrize("place", [_in_no_folder, _of_another_user])
def test_what_cannot_be_noted_is_not_to_be_tried(tmp_path: Path, place: Callable[[Path], RefusedPin]) -> None:
    refused = place(tmp_path)
    assert not refused.holds(PIN)
    with pytest.raises(
        DeviceRefused, match=r"the PIN is not tried, since that cannot be noted in .*(Not a|Is a) directory"
    ) as told:
        refused.trying(PIN)
    assert (told.value.condition, PIN.decode() in str(told.value)) == ("sam_locked", False)


@pytest.mark.parametrize("place", [_in_no_folder, _of_another_user])
def test_a_holder_that_counts_itself_or_a_person_who_asks_is_enough(tmp_path: Path, place: Callable[[Path], RefusedPin]) -> None:
    refused = place(tmp_path)
    refused.trying(PIN, 3)
    assert (refused.holds(PIN), refused.holds(PIN, 2), refused.holds(PIN, 3), refused.holds(OTHER)) == (True, True, False, False)
    refused.trying(OTHER, once_more=True)
    assert (refused.holds(PIN), refused.holds(OTHER)) == (False, True)
    refused.clear()
    assert not refused.holds(OTHER)


def test_before_the_station_ever_ran_its_folder_is_made(tmp_path: Path) -> None:
    file = tmp_path / "state" / "refused"
    RefusedPin(file).trying(PIN)
    assert (RefusedPin(file).holds(PIN), stat.S_IMODE(file.parent.stat().st_mode)) == (True, 0o700)


def test_as_many_tries_as_before_show_over_restarts_that_none_was_made(file: Path) -> None:
    RefusedPin(file).trying(PIN, 3)
    assert [RefusedPin(file).holds(PIN, left) for left in (0, 2, 3)] == [True, True, False]
    RefusedPin(file).trying(PIN)
    assert RefusedPin(file).holds(PIN, 3)  # nobody knows how many there were


def test_a_record_of_an_earlier_version_is_understood(file: Path) -> None:
    RefusedPin(file).trying(PIN)
    file.write_bytes(file.read_bytes()[:48])
    assert RefusedPin(file).holds(PIN)


@pytest.mark.parametrize("content", [b"", b"short", bytes(48), bytes(1000)])
def test_a_damaged_file_holds_nothing(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert not RefusedPin(file).holds(PIN)


def test_what_a_power_cut_left_behind_is_no_hindrance(file: Path) -> None:
    file.with_name(".refused.tmp").write_bytes(b"half")
    RefusedPin(file).trying(PIN)
    assert RefusedPin(file).holds(PIN)
