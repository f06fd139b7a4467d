"""What can happen at one APDU, as a table: name, effect, and at which commands it makes a difference.

Four families: the exchange is lost (before the chip acts, after it acted, in the middle of a write), it never ends, the chip's
answer is not what it should be (on its way, or as the chip itself means it, behind its secure channel), or another chip answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

from controller.errors import DeviceAbsent, DeviceRefused
from controller.hal.chip.scard_binding import scard
from hwsim.devices.chip_apdu import OK, StatusWord
from hwsim.devices.chip_eeprom import TORN
from tests.fakes.apdu_chip import SIZES, STRANGERS, Effect, Field, Run, SamEffect, SamSlot
from tests.fakes.pcscd import Hung, PcscError

WORDS = (0x6581, 0x6A80, 0x6982, 0x6300, 0x6985, 0x6F00, 0x6282)
SAM_WORDS = (0x6985, 0x6982, 0x6988, 0x6300, 0x6F00, 0x6983)
_PLENTY = 1_000_000  # bytes
BEFORE_PROOF = ("encode", "read", "lock")  # what a chip forgets after it was read for the last time nobody can know
CUTS = ("first", "second", "middle", "last but one", "last")  # bytes of a write that reach the EEPROM
LOST = {
    "died": None,  # pcscd says that all went well, and there is no answer
    "removed": scard.SCARD_W_REMOVED_CARD,
    "unpowered": scard.SCARD_W_UNPOWERED_CARD,
    "transaction": scard.SCARD_E_NOT_TRANSACTED,
    "wire": scard.SCARD_F_COMM_ERROR,
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One row."""

    name: str
    effect: Effect
    at: Callable[[str], bool] = lambda _label: True  # by the command's label
    phases: tuple[str, ...] = ()  # of the card's way; none: every one
    loses: bool = True  # a device or an answer is lost, so it matters whether the daemon dies as well
    honest: bool = True  # the chip keeps what it was given, and says nothing was done when nothing was
    of: str = ""  # its family; none: it is one of its own

    @property
    def family(self) -> str:
        """Kinds that differ in a word or a byte only."""
        return self.of or self.name


def writes(label: str) -> bool:
    """Whether the chip's memory changes at this command."""
    return label[:2] in ("D6", "E2", "44", "D8", "F0", "50")


def within(label: str) -> bool:
    """Whether what the chip means with its answer can differ from what goes over the air: not before there is a channel."""
    return label[:2] not in ("CA", "50", "82", "84")


def gives_data(label: str) -> bool:
    """Whether its answer has data."""
    return label[:2] in ("CA", "B0", "84", "82", "50", "F2", "D8") or label == "A4 0004"


# The exchange is lost


def _lost() -> Iterator[Kind]:
    for name, word in LOST.items():
        yield Kind(f"{name} before", partial(_gone, word, acts=False), of="lost before")
        yield Kind(f"{name} after", partial(_gone, word, acts=True), of="lost after")
    yield Kind("dead before", lambda field, _raw: field.lose(for_good=True))
    yield Kind("dead after", _dead_after)
    yield Kind("reset by another", _reset_by_another)
    yield Kind("forgets", _forgets, loses=False)
    yield Kind("nothing", lambda field, raw: field.act(raw))
    for acts in (False, True):
        when = "after" if acts else "before"
        yield Kind(f"pcscd killed {when}", partial(_pcscd, acts=acts), of=f"service {when}")
        yield Kind(f"reader pulled {when}", partial(_reader, acts=acts), of=f"service {when}")
    yield Kind("late", _late)


def _gone(word: int | None, field: Field, raw: bytes, *, acts: bool) -> bytes:
    if acts:
        field.act(raw)
    field.lose()
    if word is not None:
        raise PcscError(word)
    return b""


def _dead_after(field: Field, raw: bytes) -> bytes:
    field.act(raw)
    return field.lose(for_good=True)


def _reset_by_another(field: Field, _raw: bytes) -> bytes:
    field.reset()
    raise PcscError(scard.SCARD_W_RESET_CARD)


def _forgets(field: Field, raw: bytes) -> bytes:
    """The field flickers and nobody notices."""
    field.reset()
    return field.act(raw)


def _pcscd(field: Field, raw: bytes, *, acts: bool) -> bytes:
    if acts:
        field.act(raw)
    field.pcscd.kill()
    raise PcscError(scard.SCARD_E_NO_SERVICE)


def _reader(field: Field, raw: bytes, *, acts: bool) -> bytes:
    if acts:
        field.act(raw)
    field.lose()
    field.pcscd.readers[field.reader].plugged = False
    raise PcscError(scard.SCARD_E_READER_UNAVAILABLE)


def _late(field: Field, raw: bytes) -> bytes:
    """The answer comes when every deadline is over."""
    answer = field.act(raw)
    field.pcscd.leapt_s += 1000
    return answer


def _torn() -> Iterator[Kind]:
    for page in TORN:
        for cut in CUTS:
            yield Kind(f"torn {page}, {cut}", partial(_tear, page, cut, kills=False), writes, of="torn")
        yield Kind(f"torn {page} for good", partial(_tear, page, "middle", kills=True), writes, of="torn")


def _tear(page: str, cut: str, field: Field, raw: bytes, *, kills: bool) -> bytes:
    size = _written_by(field, raw)
    if size == 0:  # the chip refuses it
        return field.act(raw)
    troubles = field.troubles
    troubles.cut_in_bytes = {"first": 0, "second": 1, "middle": size // 2, "last but one": size - 1, "last": size}[cut]
    troubles.cut_page, troubles.cut_kills = page, kills
    return field.act(raw)


def _written_by(field: Field, raw: bytes) -> int:
    """How many bytes the chip writes when it gets this command."""
    chip = deepcopy(field.chip)
    assert chip is not None
    chip.eeprom._troubles.cut_in_bytes = _PLENTY
    chip.transmit(raw)
    return _PLENTY - chip.eeprom._troubles.cut_in_bytes


def _never() -> Iterator[Kind]:
    yield Kind("hung", partial(_hang, acts=False, late=False))
    yield Kind("hung, done late", partial(_hang, acts=False, late=True))
    yield Kind("hung after", partial(_hang, acts=True, late=False))


def _hang(field: Field, raw: bytes, *, acts: bool, late: bool) -> bytes:
    if acts:
        field.act(raw)
    if late:
        field.late = partial(field.act, raw)
    raise Hung


# The answer is wrong


def _answers() -> Iterator[Kind]:
    """On their way."""
    for word in WORDS:
        for acts in (False, True):
            done = ", did it" if acts else ""
            yield Kind(f"says {word:04X}{done}", partial(_say, word, acts=acts), loses=False, of=f"says{done}")
    yield Kind("says 9000", partial(_say, 0x9000, acts=False), loses=False)
    yield Kind("says 9000, did it", partial(_say, 0x9000, acts=True), loses=False)
    yield Kind("answer lacks a byte", lambda field, raw: _cut(field.act(raw), 1), loses=False, of="answer")
    yield Kind("answer has one byte", lambda field, raw: field.act(raw)[:1], loses=False, of="answer")
    yield Kind("answer has a byte more", lambda field, raw: b"\0" + field.act(raw), loses=False, of="answer")
    yield Kind("answer has a wrong bit", lambda field, raw: _flip(field.act(raw)), loses=False, of="answer")


def _bent() -> Iterator[Kind]:
    """As the chip means them: its secure channel vouches for them."""
    for word in WORDS:
        yield Kind(f"means {word:04X}", partial(_bend, partial(_refuse, word)), within, loses=False, of="means")
        yield Kind(f"means {word:04X}, did it", partial(_bend, partial(_do_and_refuse, word)), within, loses=False,
                   of="means, did it")  # fmt: skip
    yield Kind("lies: 9000", partial(_bend, lambda _run: OK), within, loses=False, honest=False)
    yield Kind(
        "means a byte less", partial(_bend, lambda run: _cut(run(), 1)), _both(within, gives_data), loses=False, of="means data"
    )
    yield Kind("means nothing", partial(_bend, lambda run: run()[-2:]), _both(within, gives_data), loses=False, of="means data")
    yield Kind(
        "means a wrong bit", partial(_bend, lambda run: _flip(run())), _both(within, gives_data), loses=False, of="means data"
    )


def _say(word: int, field: Field, raw: bytes, *, acts: bool) -> bytes:
    if acts:
        field.act(raw)
    return word.to_bytes(2, "big")


def _bend(how: Callable[[Run], bytes], field: Field, raw: bytes) -> bytes:
    assert field.chip is not None
    field.chip.bend = how
    return field.act(raw)


def _refuse(word: int, _run: Run) -> bytes:
    raise StatusWord(word)


def _do_and_refuse(word: int, run: Run) -> bytes:
    run()
    raise StatusWord(word)


def _cut(answer: bytes, count: int) -> bytes:
    return answer[: max(0, len(answer) - 2 - count)] + answer[-2:]


def _flip(answer: bytes) -> bytes:
    """One bit in the middle of the data."""
    middle = (len(answer) - 2) // 2
    return answer if len(answer) <= 2 else answer[:middle] + bytes([answer[middle] ^ 1]) + answer[middle + 1 :]


def _both(*conditions: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda label: all(condition(label) for condition in conditions)


# The memory is wrong, or another's


def _wrong_memory() -> Iterator[Kind]:
    yield Kind("keeps a wrong bit", _keep_wrong, lambda label: label[:2] in ("D6", "E2"), loses=False, honest=False)
    yield Kind("loses a bit", partial(_wear, 2 + 17), phases=BEFORE_PROOF, loses=False, honest=False)
    yield Kind("loses a bit of a length", partial(_wear, 1), phases=BEFORE_PROOF, loses=False, honest=False)


def _keep_wrong(field: Field, raw: bytes) -> bytes:
    field.troubles.flip_next_write = True
    answer = field.act(raw)
    field.troubles.flip_next_write = False
    return answer


def _wear(offset: int, field: Field, raw: bytes) -> bytes:
    """In a file that is whole by now, or in what there is of one."""
    answer = field.act(raw)
    assert field.chip is not None
    memory, fid = field.chip.memory, next(iter(SIZES))
    if memory.written_bytes.get(fid, 0) > offset:
        memory.write(fid, offset, bytes([memory.files[fid][offset] ^ 0x10]))
    return answer


def _strangers() -> Iterator[Kind]:
    """Not from the first command on: then it is the stranger that is identified."""
    for whose in STRANGERS:
        yield Kind(f"{whose} answers", partial(_exchange, whose, stays=False), loses=False, of="another chip")
        yield Kind(f"{whose} answers for good", partial(_exchange, whose, stays=True), loses=False, of="another chip")


def _exchange(whose: str, field: Field, raw: bytes, *, stays: bool) -> bytes:
    field.exchange(field.make_stranger(whose), stays=stays)
    return field.act(raw)


# The key holder


def _sam_kinds() -> Mapping[str, SamEffect]:
    """At a command to the SAM card."""
    rows: dict[str, SamEffect] = {
        "SAM pulled before": partial(_pull, acts=False),
        "SAM pulled after": partial(_pull, acts=True),
        "SAM forgets": _sam_forgets,
        "SAM hangs": _sam_hangs,
        "SAM says nothing": lambda slot, raw: (slot.card.transmit(raw), b"")[1],
        "SAM says 9000": lambda _slot, _raw: OK,
        "SAM lacks a byte": lambda slot, raw: _cut(slot.card.transmit(raw), 1),
        "SAM has a wrong bit": lambda slot, raw: _flip(slot.card.transmit(raw)),
    }
    for word in SAM_WORDS:
        rows[f"SAM says {word:04X}"] = partial(_sam_says, word)
    return rows


def _pull(slot: SamSlot, raw: bytes, *, acts: bool) -> bytes:
    if acts:
        slot.card.transmit(raw)
    slot.pull()
    raise PcscError(scard.SCARD_W_REMOVED_CARD)


def _sam_forgets(slot: SamSlot, raw: bytes) -> bytes:
    slot.card.reset()
    return slot.card.transmit(raw)


def _sam_hangs(slot: SamSlot, _raw: bytes) -> bytes:
    raise Hung


def _sam_says(word: int, _slot: SamSlot, _raw: bytes) -> bytes:
    return word.to_bytes(2, "big")


def _static_sam_kinds() -> Mapping[str, Callable[[], None]]:
    """At a call of a key holder that is no card."""
    return {
        "keys absent": partial(_raise, DeviceAbsent("sam_absent", "taken out")),
        "keys locked": partial(_raise, DeviceRefused("sam_locked", "wants a person")),
        "keys refused": partial(_raise, DeviceRefused("sam_refused", "says no")),
    }


def _raise(error: Exception) -> None:
    raise error


KINDS: Mapping[str, Kind] = {
    row.name: row for row in (*_lost(), *_torn(), *_never(), *_answers(), *_bent(), *_wrong_memory(), *_strangers())
}
SAM_KINDS = _sam_kinds()
STATIC_SAM_KINDS = _static_sam_kinds()
