"""A SAM that wants its blob first: given once, never to one that refused it, and in no text."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import DeviceAbsent
from controller.hal.chip.pcsc_sam import OPEN_BYTES, PcscSam
from controller.hal.chip.refused_pin import RefusedPin
from controller.hal.chip.token_pin import PinSource
from hwsim.devices.sam import SamCard, SamMemory
from tests.fakes.sam_slot import BLOB, MASTERS, Slot, begin, open_session, refusal


@pytest.fixture
def slot() -> Slot:
    return Slot()


@pytest.fixture
def sam(slot: Slot) -> PcscSam:
    return PcscSam(slot)


def with_blob(folder: Path, slot: Slot, text: str = BLOB.hex(), refused: RefusedPin | None = None, *,
              once_more: bool = False) -> PcscSam:  # fmt: skip
    path = folder / "blob"
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o400)
    return PcscSam(slot, PinSource(path), refused, once_more=once_more)


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
    refused.trying(BLOB)
    slot.memory.blob = BLOB
    sam = with_blob(tmp_path, slot, refused=refused)
    assert "or run 'print-station keys check --once-more'" in refusal(sam.check).detail
    with_blob(tmp_path, slot, refused=refused, once_more=True).check()
    assert not refused.holds(BLOB)
    refused.trying(bytes(32))
    slot.pull_and_put_back()
    sam.check()
    assert not refused.holds(bytes(32))


class PowerCutError(BaseException):
    """The process ends here."""


def cut_at_the_blob(slot: Slot) -> None:
    """The power goes after the SAM has heard a blob, before anybody hears its answer."""
    heard = slot.send

    def send(command: bytes) -> bytes:
        answer = heard(command)
        if command[1] == 0xF0 and len(command) > OPEN_BYTES:
            raise PowerCutError
        return answer

    slot.send = send  # type: ignore[method-assign]  # once


@pytest.mark.parametrize("mute", [True, False])
def test_a_wrong_blob_is_known_after_a_power_cut_before_its_answer(slot: Slot, tmp_path: Path, mute: bool) -> None:
    slot.memory.blob, slot.mute = BLOB, mute
    record, wrong = tmp_path / "refused", bytes(32).hex()
    cut_at_the_blob(slot)
    for start in range(4):
        sam = with_blob(tmp_path, slot, wrong, RefusedPin(record))
        if start == 0:
            with pytest.raises(PowerCutError):
                sam.check()
        else:
            assert "has refused this blob already, or its answer was lost" in refusal(sam.check).detail
        slot.pull_and_put_back()
    assert slot.memory.tries == 2


def test_a_blob_that_cannot_be_noted_is_given_only_to_a_sam_that_counts(slot: Slot, tmp_path: Path) -> None:
    slot.memory.blob, slot.mute = BLOB, True
    for _ in range(3):  # each start of a program
        sam = with_blob(tmp_path, slot, bytes(32).hex(), RefusedPin(tmp_path / "blob" / "refused"))
        error = refusal(sam.check)
        assert (error.condition, "cannot be noted" in error.detail) == ("sam_locked", True)
    assert slot.memory.tries == 3
    slot.mute = False
    with_blob(tmp_path, slot, refused=RefusedPin(tmp_path / "blob" / "refused")).check()


def test_once_more_is_one_try_of_this_sam(slot: Slot, tmp_path: Path) -> None:
    slot.memory.blob, slot.mute = BLOB, True
    record, wrong = tmp_path / "refused", bytes(32).hex()
    refusal(with_blob(tmp_path, slot, wrong, RefusedPin(record)).check)
    before = record.read_bytes()[48:]
    sam = with_blob(tmp_path, slot, wrong, RefusedPin(record), once_more=True)
    assert "refuses" in refusal(sam.check).detail
    assert "has refused this blob already" in refusal(sam.check).detail
    assert (slot.memory.tries, record.read_bytes()[48:]) == (1, before)


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
