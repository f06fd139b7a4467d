"""A card is either written wholly or told apart from one that was, wherever its power goes; through every channel."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.chips.profile import ChipProfile
from controller.chips.profile_tables import LENGTH_PREFIX_BYTES
from controller.chips.script import drive
from controller.errors import DeviceRefused
from controller.model import ChipFile
from tests.fakes.chip import FakeCard, Faults, PowerLostError, at_s16, ektp, known, personaliser, shipped

PROFILES = [ektp(), shipped("ektp"), shipped("gp-scp03"), at_s16(shipped("gp-scp03"))]
EVERY = pytest.mark.parametrize("profile", PROFILES, ids=["plain", "ektp", "scp03", "scp03 s16"])
ROWS = ektp().personalised


@st.composite
def file_sets(draw: st.DrawFn, least: int = 0, most: int = 4096) -> list[ChipFile]:
    """Content of any size for some of the files, in any order. Its bytes are never 0, so a missing one shows."""
    rows = draw(st.lists(st.sampled_from(ROWS), min_size=1, unique=True))
    sizes = [draw(st.integers(least, min(most, row.max_bytes))) for row in rows]
    return [
        ChipFile(row.fid, bytes(1 + (at * 7 + size) % 255 for at in range(size))) for row, size in zip(rows, sizes, strict=True)
    ]


def written(profile: ChipProfile, files: list[ChipFile]) -> FakeCard:
    card = FakeCard(profile)
    drive(known(card).write(files), card.apdu)
    return card


def torn(profile: ChipProfile, files: list[ChipFile], faults: Faults) -> FakeCard:
    """A card that was being written when the fault struck, powered again."""
    card = FakeCard(profile)
    talk = known(card)
    card.faults = faults
    with pytest.raises(PowerLostError):
        drive(talk.write(files), card.apdu)
    card.repair()
    return card


def reads_as(card: FakeCard, files: list[ChipFile]) -> bool:
    try:
        return drive(known(card).read([file.fid for file in files]), card.apdu) == files
    except DeviceRefused:
        return False


def assert_good_only_if_whole(card: FakeCard, files: list[ChipFile]) -> None:
    assert reads_as(card, files) == (card.image() == written(card.profile, files).image())
    for file in files:
        incomplete = card.image()[file.fid][LENGTH_PREFIX_BYTES : LENGTH_PREFIX_BYTES + len(file.content)] != file.content
        assert not incomplete or card.image()[file.fid][:LENGTH_PREFIX_BYTES] == b"\0\0"


@EVERY
@given(files=file_sets())
def test_what_is_written_is_read_back(profile: ChipProfile, files: list[ChipFile]) -> None:
    assert reads_as(written(profile, files), files)


@EVERY
@given(files=file_sets(least=1))
def test_a_written_chip_is_not_fresh(profile: ChipProfile, files: list[ChipFile]) -> None:
    card = written(profile, files)
    assert not drive(personaliser(profile).identify(), card.apdu).fresh


@EVERY
@given(files=file_sets(least=1, most=600), data=st.data())
def test_power_lost_at_any_command_never_looks_good(profile: ChipProfile, files: list[ChipFile], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(written(profile, files).log) - 1))
    fault = data.draw(st.sampled_from([Faults(dies_at_apdu=number), Faults(mute_at_apdu=number)]))
    assert_good_only_if_whole(torn(profile, files, fault), files)


@EVERY
@given(files=file_sets(least=1, most=600), data=st.data())
def test_power_lost_at_any_byte_never_looks_good(profile: ChipProfile, files: list[ChipFile], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, written(profile, files).written_bytes - 1))
    assert_good_only_if_whole(torn(profile, files, Faults(tears_after_bytes=cut)), files)


@EVERY
@given(data=st.data())
def test_power_lost_while_it_is_closed_is_made_good_by_closing_it_again(profile: ChipProfile, data: st.DataObject) -> None:
    """Keys, then the lock: whatever was done before the power went, doing it again ends at the same chip."""
    files = [ChipFile(0x6FF1, b"content")]
    card = written(profile, files)
    talk = known(card)
    number = data.draw(st.integers(0, 3))
    card.faults = data.draw(st.sampled_from([Faults(dies_at_apdu=number), Faults(mute_at_apdu=number)]))
    with suppress(PowerLostError):
        drive(talk.lock(), card.apdu)
    card.repair()
    again = known(card)
    drive(again.lock(), card.apdu)
    card.reset()
    assert drive(again.verify([0x6FF1]), card.apdu) == files
    assert card.locked
