"""A SAM card that is locked, refuses, is pulled, or answers nonsense: each said clearly, nothing certain that is not."""

from __future__ import annotations

import pytest

from controller.chips.apdu import Command, Response
from controller.errors import DeviceAbsent, DeviceUnknown
from controller.hal.chip.pcsc_sam import PcscSam
from tests.fakes.sam_slot import CHALLENGE, CONTROL, UID, Slot, begin, open_session, refusal

READ = Command(0x00, 0xB0, 0, 0, le=16)


@pytest.fixture
def slot() -> Slot:
    return Slot()


@pytest.fixture
def sam(slot: Slot) -> PcscSam:
    return PcscSam(slot)


def test_the_commands_are_those_of_the_public_set(slot: Slot, sam: PcscSam) -> None:
    sam.begin(CONTROL, UID, CHALLENGE)
    assert [command.hex().upper() for command in slot.sent] == [
        "00FF000000", f"00F1000143{CONTROL.hex()}80{UID.hex()}{CHALLENGE.hex()}".upper()
    ]  # fmt: skip


def test_the_short_card_control_is_said_in_p2(slot: Slot, sam: PcscSam) -> None:
    sam.begin(CONTROL[:29], UID, CHALLENGE)
    assert slot.sent[-1][:5].hex() == "00f100002d"


def test_a_uid_of_type_b_goes_as_it_is(slot: Slot, sam: PcscSam) -> None:
    sam.begin(CONTROL[:29], bytes.fromhex("1122334455667788"), CHALLENGE)
    assert slot.sent[-1][5 + 29 :].hex() == "1122334455667788" + CHALLENGE.hex()


@pytest.mark.parametrize("size", [0, 28, 52])
def test_another_card_control_is_not_sent(slot: Slot, sam: PcscSam, size: int) -> None:
    error = refusal(lambda: sam.begin(bytes(size), UID, CHALLENGE))
    assert (error.condition, "29 or 51" in error.detail, slot.sent) == ("chip_refused", True, [])


def test_a_slot_without_a_sam_is_absent(slot: Slot, sam: PcscSam) -> None:
    slot.card = None
    assert refusal(sam.check, DeviceAbsent).condition == "sam_absent"
    assert refusal(begin(sam), DeviceAbsent).condition == "sam_absent"


def test_a_sam_that_was_pulled_between_two_cards_is_connected_again(slot: Slot, sam: PcscSam) -> None:
    open_session(sam)
    slot.pull_and_put_back()
    sam.check()
    open_session(sam)


def test_a_sam_that_is_pulled_during_a_session_leaves_the_chip_unknown(slot: Slot, sam: PcscSam) -> None:
    channel = open_session(sam)
    slot.pull_and_put_back()
    error = refusal(lambda: channel.wrap(READ), DeviceUnknown)
    assert (error.condition, "protect a command" in error.detail) == ("sam_absent", True)
    assert "secure channel broken" in refusal(lambda: channel.wrap(READ)).detail


def test_a_new_session_ends_the_one_before(sam: PcscSam) -> None:
    first = open_session(sam)
    open_session(sam)
    assert "the session was ended" in refusal(lambda: first.wrap(READ)).detail


@pytest.mark.parametrize(("answer", "word"), [
    ("9000", "the SAM answers 0 bytes, not 40"), ("00" * 39 + "9000", "the SAM answers 39 bytes, not 40"),
    ("6A88", "refuses to make the host's token: 6A88, reference data not found"), ("6D00", "6D00, instruction not supported"),
])  # fmt: skip
def test_a_wrong_answer_instead_of_a_token_is_told(slot: Slot, sam: PcscSam, answer: str, word: str) -> None:
    slot.answers[0xF1] = bytes.fromhex(answer)
    error = refusal(begin(sam))
    assert (error.condition, word in error.detail) == ("sam_refused", True)


def test_an_answer_without_a_status_word_is_no_sam(slot: Slot, sam: PcscSam) -> None:
    slot.answers[0xFF] = b"\x90"
    assert "makes no sense" in refusal(sam.check, DeviceAbsent).detail
    assert not slot.held


def test_an_answer_that_never_ends_is_given_up(slot: Slot, sam: PcscSam) -> None:
    slot.answers = {0xFF: b"\x61\x10", 0xC0: b"\0\x61\x10"}
    assert "no end after 4 rounds" in refusal(sam.check, DeviceAbsent).detail


def test_an_answer_in_parts_is_fetched_whole(slot: Slot, sam: PcscSam) -> None:
    slot.answers = {0xF1: b"\x61\x28", 0xC0: bytes(40) + b"\x90\x00"}
    assert sam.begin(CONTROL, UID, CHALLENGE) == bytes(40)
    assert slot.sent[-1].hex() == "00c0000028"


@pytest.mark.parametrize(("answer", "word"), [
    ("00B0000010" + "9000", "is not the one it was given"),  # not protected
    ("0CB10000" + "9000", "is not the one it was given"),  # another command
    ("0CB0" + "9000", "makes no sense"),
    ("6985", "refuses to protect a command: 6985"),
])  # fmt: skip
def test_a_command_that_is_not_rightly_protected_is_not_sent_to_the_chip(
    slot: Slot, sam: PcscSam, answer: str, word: str
) -> None:
    channel = open_session(sam)
    slot.answers[0xF3] = bytes.fromhex(answer)
    error = refusal(lambda: channel.wrap(READ))
    assert (error.condition, word in error.detail) == ("sam_refused", True)  # no fault of the chip's
    assert "secure channel broken" in refusal(lambda: channel.wrap(READ)).detail


@pytest.mark.parametrize("sw", ["6988", "6A80", "6300", "6F00"])
def test_a_command_that_the_sam_does_not_protect_is_no_fault_of_the_chips(slot: Slot, sam: PcscSam, sw: str) -> None:
    channel = open_session(sam)
    slot.answers[0xF3] = bytes.fromhex(sw)
    assert refusal(lambda: channel.wrap(READ)).condition == "sam_refused"


@pytest.mark.parametrize(("answer", "condition"), [
    ("6988", "chip_refused"), ("6987", "chip_refused"), ("6300", "chip_refused"), ("6985", "sam_refused"),
    ("6F00", "sam_refused"), ("6982", "sam_locked"), ("6983", "sam_locked"),
])  # fmt: skip
def test_an_answer_that_is_not_opened_is_blamed_on_who_made_it(slot: Slot, sam: PcscSam, answer: str, condition: str) -> None:
    channel = open_session(sam)
    slot.answers[0xF4] = bytes.fromhex(answer)
    assert refusal(lambda: channel.unwrap(READ, Response(b"answer", 0x9000))).condition == condition
    assert "secure channel broken" in refusal(lambda: channel.unwrap(READ, Response(b"answer", 0x9000))).detail


@pytest.mark.parametrize("sw", [0x6110, 0x6100, 0x9000])
def test_a_bare_success_is_not_believed(sam: PcscSam, sw: int) -> None:
    channel = open_session(sam)
    channel.wrap(READ)
    assert refusal(lambda: channel.unwrap(READ, Response(b"", sw))).condition == "chip_refused"
    assert "secure channel broken" in refusal(lambda: channel.wrap(READ)).detail


def test_a_command_too_long_for_the_sam_is_refused(sam: PcscSam) -> None:
    channel = open_session(sam)
    long = Command(0, 0xD6, 0, 0, bytes(251))
    assert "has 256 bytes" in refusal(lambda: channel.wrap(long)).detail


def test_a_short_command_stays_short(sam: PcscSam) -> None:
    channel = open_session(sam)
    assert not channel.wrap(Command(0, 0xD6, 0, 0, bytes(239))).extended
    assert "too long for a short one" in refusal(lambda: channel.wrap(Command(0, 0xD6, 0, 0, bytes(240)))).detail


def test_an_opened_answer_without_a_status_word_breaks_the_channel(slot: Slot, sam: PcscSam) -> None:
    channel = open_session(sam)
    slot.answers[0xF4] = b"\x00\x90\x00"
    error = refusal(lambda: channel.unwrap(READ, Response(b"x", 0x9000)))
    assert (error.condition, "less than a status word" in error.detail) == ("sam_refused", True)
