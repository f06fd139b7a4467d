"""A SAM card that is locked, refuses, is pulled, or answers nonsense: each said clearly, nothing certain that is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from controller.chips.apdu import Command, Response
from controller.chips.channel import Channel
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.chip.pcsc_sam import PcscSam
from controller.hal.chip.refused_pin import RefusedPin
from controller.hal.chip.token_pin import PinSource
from hwsim.devices.chip_icao import open_token, seal_token
from hwsim.devices.chip_keys import bac_keys, load_masters
from hwsim.devices.sam import SamCard, SamMemory

UID = bytes.fromhex("04A1B2C3D4E5F6")
CONTROL = bytes(range(51))
CHALLENGE = bytes(8)
READ = Command(0x00, 0xB0, 0, 0, le=16)
BLOB = bytes(range(32))
MASTERS = load_masters()


class Slot:
    """A slot with hw-sim's SAM, whose answers can be changed. `sent` is what it was asked."""

    def __init__(self, blob: bytes | None = None) -> None:
        self.memory = SamMemory(bytes(8), blob)
        self.card: SamCard | None = SamCard(MASTERS, self.memory, seed=1)
        self.answers: dict[int, bytes] = {}  # by INS
        self.sent: list[bytes] = []
        self.held = False
        self.mute = False  # it does not tell how many tries are left

    def connect(self) -> bool:
        if self.card is None:
            raise DeviceAbsent("sam_absent", "no SAM is in the slot")
        fresh, self.held = not self.held, True
        return fresh

    def send(self, command: bytes) -> bytes:
        self.sent.append(command)
        if self.card is None or not self.held:
            self.held = False
            raise DeviceAbsent("sam_absent", "the SAM was lost")
        if self.mute and command == bytes.fromhex("00F0000000"):
            return b"\x67\x00"
        return self.answers.get(command[1]) or self.card.transmit(command)

    def drop(self) -> None:
        self.held = False

    def close(self) -> None:
        self.held = False

    def pull_and_put_back(self) -> None:
        assert self.card is not None
        self.card.reset()
        self.held = False

    @property
    def asked(self) -> list[int]:
        return [command[1] for command in self.sent]


@pytest.fixture
def slot() -> Slot:
    return Slot()


@pytest.fixture
def sam(slot: Slot) -> PcscSam:
    return PcscSam(slot)


def open_session(sam: PcscSam) -> Channel:
    keys = bac_keys(MASTERS.ektp, CONTROL, UID)
    clear = open_token(keys, sam.begin(CONTROL, UID, CHALLENGE))
    assert clear is not None
    return sam.finish(seal_token(keys, CHALLENGE + clear[:8] + bytes(16)))


def refusal(act: Callable[[], object], kind: type[DeviceError] = DeviceRefused) -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        act()
    assert type(caught.value) is kind
    return caught.value


def begin(sam: PcscSam) -> Callable[[], object]:
    return lambda: sam.begin(CONTROL, UID, CHALLENGE)


def with_blob(folder: Path, slot: Slot, text: str = BLOB.hex(), refused: RefusedPin | None = None) -> PcscSam:
    path = folder / "blob"
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o400)
    return PcscSam(slot, PinSource(path), refused)


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


def test_a_sam_that_wants_to_be_opened_is_opened_once(slot: Slot, tmp_path: Path) -> None:
    slot.memory.blob = BLOB
    sam = with_blob(tmp_path, slot)
    open_session(sam)
    open_session(sam)
    assert slot.asked.count(0xF0) == 2  # how many tries? the blob
    slot.pull_and_put_back()
    open_session(sam)
    assert slot.memory.openings == 2


def test_a_sam_that_wants_to_be_opened_is_locked_without_a_blob(slot: Slot, sam: PcscSam) -> None:
    slot.memory.blob = BLOB
    assert refusal(begin(sam)).condition == "sam_locked"


def test_a_wrong_blob_costs_one_try(slot: Slot, tmp_path: Path) -> None:
    slot.memory.blob = BLOB
    sam = with_blob(tmp_path, slot, bytes(32).hex())
    assert "refuses" in refusal(sam.check).detail
    for _ in range(3):
        assert "has refused this blob already" in refusal(sam.check).detail
    assert slot.memory.tries == 2
    with_blob(tmp_path, slot)  # the file is corrected
    sam.check()


def test_the_last_try_is_kept_for_a_person(slot: Slot, tmp_path: Path) -> None:
    slot.memory.blob, slot.memory.tries = BLOB, 1
    error = refusal(with_blob(tmp_path, slot).check)
    assert (error.condition, "the last try is kept for a person" in error.detail) == ("sam_locked", True)
    assert slot.memory.tries == 1


def test_a_blocked_sam_is_locked(slot: Slot, tmp_path: Path) -> None:
    slot.memory.blob, slot.memory.tries = BLOB, 0
    assert "6983, authentication is blocked" in refusal(with_blob(tmp_path, slot).check).detail


@pytest.mark.parametrize(("text", "word"), [("00" * 31, "must have 32 bytes"), ("zz" * 32, "must be hex digits")])
def test_what_is_no_blob_is_never_sent(slot: Slot, tmp_path: Path, text: str, word: str) -> None:
    slot.memory.blob = BLOB
    error = refusal(with_blob(tmp_path, slot, text).check)
    assert (error.condition, word in error.detail, slot.memory.tries) == ("sam_locked", True, 3)


def test_a_sam_that_shut_itself_is_opened_again_by_the_next_card(slot: Slot, tmp_path: Path) -> None:
    slot.memory.blob = BLOB
    sam = with_blob(tmp_path, slot)
    open_session(sam)
    assert slot.card is not None
    slot.card.reset()  # nobody tells the reader
    assert refusal(begin(sam)).condition == "sam_locked"
    open_session(sam)


def test_a_wrong_sam_that_is_exchanged_for_the_right_one_is_opened(slot: Slot, tmp_path: Path) -> None:
    slot.memory.blob = bytes(32)
    sam = with_blob(tmp_path, slot)
    assert "refuses" in refusal(sam.check).detail
    assert "has refused this blob already" in refusal(sam.check).detail
    slot.memory = SamMemory(bytes(8), BLOB)
    slot.card = SamCard(MASTERS, slot.memory, seed=1)
    sam.check()


def test_a_blob_that_was_taken_is_refused_no_more(slot: Slot, tmp_path: Path) -> None:
    refused = RefusedPin(tmp_path / "refused")
    refused.keep(BLOB)
    slot.memory.blob = BLOB
    sam = with_blob(tmp_path, slot, refused=refused)
    assert "or run 'print-station keys check --once-more'" in refusal(sam.check).detail
    refused.clear()  # as that does
    sam.check()
    refused.keep(bytes(32))
    slot.pull_and_put_back()
    sam.check()
    assert not refused.holds(bytes(32))


def test_a_sam_that_was_lost_while_it_was_opened_is_opened_when_it_is_back(slot: Slot, tmp_path: Path) -> None:
    slot.memory.blob = BLOB
    sam = with_blob(tmp_path, slot)
    lose_at(slot, 3)  # FF, F0 without data, then the blob: the SAM never hears it
    refusal(sam.check, DeviceAbsent)
    sam.check()
    assert slot.memory.openings == 1


def lose_at(slot: Slot, number: int) -> None:
    """The SAM is pulled before it hears this command, counted from 1, and put back."""
    send = slot.send

    def losing(command: bytes) -> bytes:
        if len(slot.sent) + 1 == number:
            slot.pull_and_put_back()
        return send(command)

    slot.send = losing  # type: ignore[method-assign]  # a wire that breaks


def test_a_blob_is_tried_once_by_a_sam_that_does_not_tell_of_tries(slot: Slot, tmp_path: Path) -> None:
    slot.memory.blob, slot.mute = BLOB, True
    sam = with_blob(tmp_path, slot, bytes(32).hex())
    assert "refuses" in refusal(sam.check).detail
    for _ in range(3):
        assert "has refused this blob already" in refusal(sam.check).detail
    assert slot.memory.tries == 2


def test_a_blob_is_tried_once_over_restarts(slot: Slot, tmp_path: Path) -> None:
    slot.memory.blob, slot.mute = BLOB, True
    for _ in range(5):
        sam = with_blob(tmp_path, slot, bytes(32).hex(), RefusedPin(tmp_path / "refused"))
        refusal(sam.check)
    assert slot.memory.tries == 2
    with_blob(tmp_path, slot, BLOB.hex(), RefusedPin(tmp_path / "refused")).check()  # the file is corrected


def test_no_text_holds_the_blob(slot: Slot, tmp_path: Path) -> None:
    slot.memory.blob = BLOB
    sam = with_blob(tmp_path, slot, "5A" * 32)
    error: BaseException | None = refusal(sam.check)
    while error is not None:
        assert "5a5a" not in f"{error!r} {error}".lower()
        error = error.__cause__ or error.__context__
