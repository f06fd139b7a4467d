"""Scripts against a card in this process: what is sent, and what every bad answer leads to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from controller.chips.apdu import Command
from controller.chips.profile import ChipProfile
from controller.chips.script import ask, drive, for_chip, identify, read_files, write_files
from controller.errors import DeviceRefused, DeviceUnknown
from controller.model import ChipFile, ChipSight
from tests.fakes.chip import OTHER_UID, UID, FakeCard, Faults, PowerLostError, contents, ektp


@pytest.fixture
def profile() -> ChipProfile:
    return ektp()


@pytest.fixture
def card(profile: ChipProfile) -> FakeCard:
    return FakeCard(profile)


def answers(*texts: str) -> Callable[[bytes], bytes]:
    """A transport that gives these answers one after the other, whatever is sent."""
    waiting = [bytes.fromhex(text) for text in texts]
    return lambda _command: waiting.pop(0)


def sent(card: FakeCard) -> list[str]:
    return [command.encode().hex().upper() for command in card.log]


def test_a_fresh_chip_is_told_by_its_uid_and_empty_files(profile: ChipProfile, card: FakeCard) -> None:
    assert drive(identify(profile), card.apdu) == ChipSight(UID, fresh=True)
    assert sent(card)[:4] == ["FFCA000000", "00A40000027F0A", "00A40000026FF1", "00B0000002"]
    assert len(card.log) == 2 + 2 * 6


@pytest.mark.parametrize("fid", [0x6FF1, 0x6FF6])
def test_a_chip_with_any_file_written_is_not_fresh(profile: ChipProfile, card: FakeCard, fid: int) -> None:
    card.memory[fid][1] = 1
    assert drive(identify(profile), card.apdu) == ChipSight(UID, fresh=False)


def test_the_card_control_file_of_a_blank_does_not_make_it_used(profile: ChipProfile, card: FakeCard) -> None:
    card.memory[0x6FF0][1] = 51
    assert drive(identify(profile), card.apdu).fresh


def test_content_goes_in_blocks_and_the_length_goes_last(profile: ChipProfile, card: FakeCard) -> None:
    drive(write_files(profile, [ChipFile(0x6FF1, bytes(241))]), card.apdu)
    header = ["00A40000027F0A", "00A40000026FF1"]
    assert sent(card) == [*header, "00D60002F0" + "00" * 240, "00D600F20100", "00D600000200F1"]


def test_what_was_written_is_read_back_in_blocks(profile: ChipProfile, card: FakeCard) -> None:
    files = [ChipFile(0x6FF2, bytes(range(250)))]
    drive(write_files(profile, files), card.apdu)
    card.log.clear()
    assert drive(read_files(profile, [0x6FF2]), card.apdu) == files
    assert sent(card) == ["00A40000027F0A", "00A40000026FF2", "00B0000002", "00B00002F8", "00B000FA02"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([ChipFile(0x6FF6, bytes(78)), ChipFile(0x6FF1, bytes(1025))], "nothing written: 6FF1 gets 1025 bytes and holds 1024"),
        ([ChipFile(0x6FF0, b"")], "nothing written: 6FF0 is not a file to be written"),
        ([ChipFile(0x6FF9, b"")], "nothing written: 6FF9 is not a file to be written"),
        ([ChipFile(0x6FF1, b"1"), ChipFile(0x6FF1, b"2")], "nothing written: 6FF1 is given more than once"),
    ],
)
def test_nothing_is_sent_when_anything_does_not_fit(
    profile: ChipProfile, card: FakeCard, files: list[ChipFile], message: str
) -> None:
    with pytest.raises(DeviceRefused, match=message):
        drive(write_files(profile, files), card.apdu)
    assert card.log == []


def test_a_refused_write_names_step_and_status_word_but_no_data(profile: ChipProfile, card: FakeCard) -> None:
    card.faults = Faults(answers={2: "6581"})
    with pytest.raises(DeviceRefused) as refusal:
        drive(write_files(profile, [ChipFile(0x6FF1, b"SUTEJO")]), card.apdu)
    assert refusal.value.condition == "chip_refused"
    assert refusal.value.detail == "write 6 bytes to 6FF1 at 2: 6581, memory failure"


@pytest.mark.parametrize(
    ("number", "answer", "message"),
    [
        (0, "6A82", "select DF: 6A82, file not found"),
        (1, "6A82", "select 6FF1: 6A82, file not found"),
        (2, "0401 9000", "6FF1 claims 1025 bytes and holds 1024"),
        (2, "04 9000", "read 2 bytes of 6FF1 at 0: 1 came"),
        (3, "0102 9000", "read 3 bytes of 6FF1 at 2: 2 came"),
        (3, "01020304 9000", "read 3 bytes of 6FF1 at 2: 4 came"),
        (3, "0102 6282", "read 3 bytes of 6FF1 at 2: 6282, the file ends before the bytes asked for"),
        (3, "6982", "read 3 bytes of 6FF1 at 2: 6982, security status not satisfied"),
    ],
)
def test_a_chip_that_answers_wrongly_is_refused(
    profile: ChipProfile, card: FakeCard, number: int, answer: str, message: str
) -> None:
    card.memory[0x6FF1][:5] = b"\x00\x03abc"
    card.faults = Faults(answers={number: answer})
    with pytest.raises(DeviceRefused, match=f"^chip_refused: {message}$"):
        drive(read_files(profile, [0x6FF1]), card.apdu)


def test_a_file_the_chip_has_not_is_refused(profile: ChipProfile, card: FakeCard) -> None:
    with pytest.raises(DeviceRefused, match="6FF9 is not a file of this chip"):
        drive(read_files(profile, [0x6FF9]), card.apdu)


@pytest.mark.parametrize("uid", ["04A1B2C3", ""])
def test_a_uid_that_may_be_random_is_refused(profile: ChipProfile, uid: str) -> None:
    with pytest.raises(DeviceRefused, match=f"read UID: {len(uid) // 2} bytes; a type A chip has 7, type B has 8"):
        drive(identify(profile), FakeCard(profile, uid).apdu)


def test_nothing_is_written_to_another_chip(profile: ChipProfile) -> None:
    other = FakeCard(profile, OTHER_UID)
    with pytest.raises(DeviceRefused, match="chip_swapped: another chip answered"):
        drive(for_chip(profile, UID, write_files(profile, contents(profile))), other.apdu)
    assert other.written_bytes == 0


def test_the_chip_asked_for_gets_the_script(profile: ChipProfile, card: FakeCard) -> None:
    files = contents(profile)
    drive(for_chip(profile, UID, write_files(profile, files)), card.apdu)
    assert drive(read_files(profile, [file.fid for file in files]), card.apdu) == files


def test_an_answer_without_status_word_is_no_answer(profile: ChipProfile) -> None:
    with pytest.raises(DeviceUnknown, match="chip_silent: an answer of 1 bytes has no status word"):
        drive(identify(profile), answers("90"))


def test_a_card_that_dies_ends_the_script(profile: ChipProfile, card: FakeCard) -> None:
    card.faults = Faults(dies_at_apdu=3)
    with pytest.raises(PowerLostError):
        drive(write_files(profile, contents(profile)), card.apdu)
    assert len(card.log) == 4


def test_waiting_data_is_fetched_and_joined() -> None:
    script = ask(Command(0, 0xB0, 0, 0, le=4), "read")
    assert drive(script, answers("01 6103", "020304 9000")) == b"\x01\x02\x03\x04"


def test_a_wrong_le_is_corrected_once_more() -> None:
    assert drive(ask(Command(0, 0xB0, 0, 0, le=4), "read"), answers("6C02", "0102 9000")) == b"\x01\x02"


def test_endless_waiting_data_is_refused() -> None:
    with pytest.raises(DeviceRefused, match="read: 6101 after 4 rounds, no end in sight"):
        drive(ask(Command(0, 0xB0, 0, 0, le=4), "read"), answers("01 6101", "02 6101", "03 6101", "04 6101"))
