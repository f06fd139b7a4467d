"""Status words of ISO 7816-4 as rows: meaning, condition, retryable (chip.md 2.3).

`meaning` is for the technician. `condition` is a key of `controller.conditions`, whose texts tell staff in both languages what to
do; None means the command succeeded. `retryable`: the chip did nothing and says what to change (the Le of 6Cxx), so that
`apdu.follow_up` sends the command once more. Nothing else is tried again: it may have been a write, and after a memory failure
the chip is bad.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StatusWord:
    """What one status word, or a family of them, says."""

    meaning: str  # for the technician
    condition: str | None
    retryable: bool = False

    @property
    def success(self) -> bool:
        """Whether the command was carried out as asked."""
        return self.condition is None


def _refused(meaning: str, *, retryable: bool = False) -> StatusWord:
    return StatusWord(meaning, "chip_refused", retryable)


STATUS_WORDS: dict[int, StatusWord] = {
    0x9000: StatusWord("done", None),
    0x6281: _refused("the data may be corrupted"),
    0x6282: _refused("the file ends before the bytes asked for"),
    0x6283: _refused("the file is deactivated"),
    0x6300: _refused("authentication failed"),
    0x6400: _refused("execution failed, memory unchanged"),
    0x6581: _refused("memory failure"),
    0x6700: _refused("wrong length"),
    0x6881: _refused("logical channel not supported"),
    0x6882: _refused("secure messaging not supported"),
    0x6883: _refused("the last command of the chain was expected"),
    0x6884: _refused("command chaining not supported"),
    0x6982: _refused("security status not satisfied"),
    0x6983: _refused("authentication is blocked"),
    0x6984: _refused("reference data not usable"),
    0x6985: _refused("conditions of use not satisfied"),
    0x6986: _refused("no file is selected"),
    0x6987: _refused("a secure messaging object is missing"),
    0x6988: _refused("a secure messaging object is wrong"),
    0x6A80: _refused("wrong data"),
    0x6A81: _refused("function not supported"),
    0x6A82: _refused("file not found"),
    0x6A84: _refused("not enough memory in the file"),
    0x6A86: _refused("wrong P1 P2"),
    0x6A87: _refused("Lc does not fit P1 P2"),
    0x6A88: _refused("reference data not found"),
    0x6A89: _refused("the file exists already"),
    0x6A8A: _refused("the DF name exists already"),
    0x6B00: _refused("offset outside the file"),
    0x6D00: _refused("instruction not supported"),
    0x6E00: _refused("class not supported"),
    0x6F00: _refused("no precise diagnosis"),
}

FAMILIES: dict[int, StatusWord] = {  # by SW1, for what has no row of its own
    0x61: StatusWord("done, more data waits", None),
    0x62: _refused("warning, memory unchanged"),
    0x63: _refused("warning, memory changed"),
    0x64: _refused("execution failed, memory unchanged"),
    0x65: _refused("memory failure"),
    0x66: _refused("security failure"),
    0x68: _refused("function of the class byte not supported"),
    0x69: _refused("command not allowed"),
    0x6A: _refused("wrong parameters"),
    0x6C: _refused("wrong Le", retryable=True),
}

_COUNTER = 0x63C0  # 63Cx: x tries are left
_UNKNOWN = _refused("unknown status word")


def meaning_of(sw: int) -> StatusWord:
    """The row of `sw`, its family's row, or "unknown status word": never fails."""
    if sw & 0xFFF0 == _COUNTER:
        return _refused(f"authentication failed, {sw & 0x0F} tries left")
    return STATUS_WORDS.get(sw) or FAMILIES.get(sw >> 8, _UNKNOWN)
