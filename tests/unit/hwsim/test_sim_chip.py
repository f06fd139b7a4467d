"""The simulated e-KTP chip in plain ISO 7816 (chip.md 1.2, 2.2, 2.3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwsim.devices.chip_apdu import ChipDied, StatusWord, parse_apdu
from hwsim.devices.chip_eeprom import ChipTroubles
from hwsim.devices.chip_ektp import EktpChip
from hwsim.devices.chip_keys import load_masters
from hwsim.profiles import load_chip
from hwsim.world import Blank, World

PROFILE = replace(load_chip("ektp"), channel="none")
SELECT_DF, SELECT_BIODATA, SELECT_CONTROL = "00A40000027F0A", "00A40000026FF1", "00A40000026FF0"


def new_blank() -> Blank:
    world = World(seed=1)
    return world.blank(world.make(1, PROFILE)[0])


def present(blank: Blank, troubles: ChipTroubles | None = None) -> EktpChip:
    return EktpChip(blank, PROFILE, troubles or ChipTroubles(), 1, load_masters())


def sent(chip: EktpChip, *apdus: str) -> str:
    """The last response as hex."""
    responses = [chip.transmit(bytes.fromhex(apdu)) for apdu in apdus]
    return "" if responses[-1] is None else responses[-1].hex().upper()


def test_the_uid_is_that_of_the_blank() -> None:
    blank = new_blank()
    assert sent(present(blank), "FFCA000000") == blank.uid.hex().upper() + "9000"
    assert blank.uid[0] == 0x04


def test_every_file_of_a_blank_is_empty_but_the_card_control() -> None:
    blank = new_blank()
    assert {fid: blank.chip.length(fid) for fid in blank.chip.files} == {0x6FF0: 51, **dict.fromkeys(range(0x6FF1, 0x6FF7), 0)}


def test_what_is_written_is_read_back_and_stays_without_the_field() -> None:
    blank = new_blank()
    sent(present(blank), SELECT_DF, SELECT_BIODATA, "00D6000203414243", "00D60000020003")
    assert sent(present(blank), SELECT_DF, SELECT_BIODATA, "00B0000005") == "00034142439000"
    assert blank.chip.content(0x6FF1) == b"ABC"


@pytest.mark.parametrize(
    ("apdus", "status"),
    [
        ([SELECT_BIODATA], "6A82"),
        ([SELECT_DF, "00A40000026FFF"], "6A82"),
        ([SELECT_DF, "00A4040002 7F0A"], "6A86"),
        ([SELECT_DF, "00A4000001 7F"], "6700"),
        ([SELECT_DF, "00B0000005"], "6986"),
        ([SELECT_DF, SELECT_BIODATA, SELECT_DF, "00B0000005"], "6986"),
        ([SELECT_DF, SELECT_BIODATA, "00B0040205"], "6B00"),
        ([SELECT_DF, SELECT_BIODATA, "00B00000"], "6700"),
        ([SELECT_DF, SELECT_BIODATA, "00B0810005"], "6A82"),
        ([SELECT_DF, SELECT_BIODATA, "00D60000"], "6700"),
        ([SELECT_DF, SELECT_BIODATA, "00D6050001 00"], "6B00"),
        ([SELECT_DF, SELECT_BIODATA, "00D6040103 000000"], "6A84"),
        ([SELECT_DF, SELECT_CONTROL, "00D6000001 00"], "6982"),
        (["0084000005"], "6700"),
        (["0020000000"], "6D00"),
        (["80A40000027F0A"], "6E00"),
        (["00A4"], "6700"),
        (["00A40000037F0A"], "6700"),
        (["FFCA020000"], "6A86"),
    ],
)
def test_what_is_wrong_gets_its_status_word(apdus: list[str], status: str) -> None:
    assert sent(present(new_blank()), *apdus) == status


def test_reading_past_the_end_says_so_unless_all_was_asked_for() -> None:
    chip = present(new_blank())
    assert sent(chip, SELECT_DF, SELECT_BIODATA, "00B003FE10") == "00000000" + "6282"
    assert sent(chip, "00B003FE00") == "00000000" + "9000"


def test_a_challenge_differs_each_time() -> None:
    chip = present(new_blank())
    assert sent(chip, "0084000008") != sent(chip, "0084000008")


def test_a_reset_forgets_what_was_selected() -> None:
    chip = present(new_blank())
    sent(chip, SELECT_DF, SELECT_BIODATA)
    chip.reset()
    assert sent(chip, "00B0000005") == "6986"


def test_a_torn_write_leaves_its_first_bytes_and_no_answer() -> None:
    blank, troubles = new_blank(), ChipTroubles(cut_in_bytes=5)
    chip = present(blank, troubles)
    sent(chip, SELECT_DF, SELECT_BIODATA, "00D6000203414243")
    with pytest.raises(ChipDied):
        sent(chip, "00D6000503444546")
    assert bytes(blank.chip.files[0x6FF1][:8]) == b"\0\0ABCDE\0"
    assert (blank.chip.written_bytes, blank.chip.dead, troubles.cut_in_bytes) == ({0x6FF1: 7}, False, None)


def test_a_flipped_bit_is_kept_once_and_nothing_is_said_of_it() -> None:
    blank, troubles = new_blank(), ChipTroubles(flip_next_write=True)
    assert sent(present(blank, troubles), SELECT_DF, SELECT_BIODATA, "00D6000203414243") == "9000"
    assert (bytes(blank.chip.files[0x6FF1][2:5]), troubles.flip_next_write) == (b"ABB", False)


def test_a_torn_write_may_kill_the_chip() -> None:
    blank = new_blank()
    with pytest.raises(ChipDied):
        sent(present(blank, ChipTroubles(cut_in_bytes=0, cut_kills=True)), SELECT_DF, SELECT_BIODATA, "00D6000203414243")
    assert blank.chip.dead


def test_a_hung_chip_answers_nothing_until_it_is_reset() -> None:
    chip = present(new_blank(), ChipTroubles(hang_in_apdus=2))
    assert [chip.transmit(bytes.fromhex(SELECT_DF)) for _ in range(3)] == [b"\x90\x00", None, None]
    chip.reset()
    assert sent(chip, SELECT_DF) == "9000"


@pytest.mark.parametrize(
    ("raw", "data", "le"),
    [
        ("00840000", b"", None),
        ("0084000000", b"", 256),
        ("00B000000005", b"", None),
        ("00B00000000005", b"", 5),
        ("00D60000000003414243", b"ABC", None),
    ],
)
def test_short_and_extended_apdus(raw: str, data: bytes, le: int | None) -> None:
    if raw == "00B000000005":  # an extended marker with one byte behind it
        with pytest.raises(StatusWord, match="6700"):
            parse_apdu(bytes.fromhex(raw))
        return
    apdu = parse_apdu(bytes.fromhex(raw))
    assert (apdu.data, apdu.le) == (data, le)
