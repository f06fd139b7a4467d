"""A card is either written wholly or told apart from one that was, wherever its power goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.chips.profile import LENGTH_PREFIX_BYTES
from controller.chips.script import drive, identify, read_files, write_files
from controller.errors import DeviceRefused
from controller.model import ChipFile
from tests.fakes.chip import FakeCard, Faults, PowerLostError, ektp

PROFILE = ektp()
ROWS = PROFILE.personalised


@st.composite
def file_sets(draw: st.DrawFn, least: int = 0, most: int = 4096) -> list[ChipFile]:
    """Content of any size for some of the files, in any order. Its bytes are never 0, so a missing one shows."""
    rows = draw(st.lists(st.sampled_from(ROWS), min_size=1, unique=True))
    sizes = [draw(st.integers(least, min(most, row.max_bytes))) for row in rows]
    return [
        ChipFile(row.fid, bytes(1 + (at * 7 + size) % 255 for at in range(size))) for row, size in zip(rows, sizes, strict=True)
    ]


def written(files: list[ChipFile]) -> FakeCard:
    card = FakeCard(PROFILE)
    drive(write_files(PROFILE, files), card.apdu)
    return card


def torn(files: list[ChipFile], faults: Faults) -> FakeCard:
    """A card that was being written when the fault struck, powered again."""
    card = FakeCard(PROFILE, faults=faults)
    with pytest.raises(PowerLostError):
        drive(write_files(PROFILE, files), card.apdu)
    card.repair()
    return card


def reads_as(card: FakeCard, files: list[ChipFile]) -> bool:
    try:
        return drive(read_files(PROFILE, [file.fid for file in files]), card.apdu) == files
    except DeviceRefused:
        return False


def assert_good_only_if_whole(card: FakeCard, files: list[ChipFile]) -> None:
    assert reads_as(card, files) == (card.image() == written(files).image())
    for file in files:
        incomplete = card.image()[file.fid][LENGTH_PREFIX_BYTES : LENGTH_PREFIX_BYTES + len(file.content)] != file.content
        assert not incomplete or card.image()[file.fid][:LENGTH_PREFIX_BYTES] == b"\0\0"


@given(file_sets())
def test_what_is_written_is_read_back(files: list[ChipFile]) -> None:
    assert reads_as(written(files), files)


@given(file_sets(least=1))
def test_a_written_chip_is_not_fresh(files: list[ChipFile]) -> None:
    assert not drive(identify(PROFILE), written(files).apdu).fresh


@given(file_sets(least=1, most=600), st.data())
def test_power_lost_at_any_command_never_looks_good(files: list[ChipFile], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(written(files).log) - 1))
    fault = data.draw(st.sampled_from([Faults(dies_at_apdu=number), Faults(mute_at_apdu=number)]))
    assert_good_only_if_whole(torn(files, fault), files)


@given(file_sets(least=1, most=600), st.data())
def test_power_lost_at_any_byte_never_looks_good(files: list[ChipFile], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, written(files).written_bytes - 1))
    assert_good_only_if_whole(torn(files, Faults(tears_after_bytes=cut)), files)
