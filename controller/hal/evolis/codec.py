"""The Evolis ESC protocol as bytes: commands out, replies in, words into meaning. Pure. Facts: printers.md 3.2-3.8.

A command is ESC, name, parameters after semicolons, CR; a panel carries its dots before the CR. A reply is ASCII text
ended by NUL, one per command, in the order of the commands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from controller.conditions import UNDESCRIBED
from controller.errors import DeviceUnknown
from controller.hal.profiles.parts import DONE
from controller.model import CardPosition, Panel

BOX_FULL = "CARD"  # the answer to queries.reject_box (printers.md 3.5)
MAX_REPLY_BYTES = 256  # the longest known reply is a model text of some 30 characters
MAX_COUNT_DIGITS = 10  # life counters are 32 bits wide at most

_ESC, _CR, _NUL = b"\x1b", b"\r", b"\0"
_PRINTABLE = range(0x20, 0x7F)
_VOLTS = re.compile(r"(\d{1,3}),(\d{1,4}) Volts")


def encode(command: str) -> bytes:
    """The bytes of a command such as ``Pem;2``. A character the protocol reserves is a bug of the profile: ValueError."""
    raw = command.encode("ascii")
    if not raw or any(byte not in _PRINTABLE for byte in raw):
        raise ValueError(f"not a command: {command!r}")
    return _ESC + raw + _CR


def encode_panel(panel: Panel) -> bytes:
    """The ``Db`` command that downloads one panel."""
    return b"".join((_ESC, f"Db;{panel.name};{panel.levels};".encode("ascii"), panel.data, _CR))


class ReplyReader:
    """Turns packets into replies, however they were cut or glued together."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, packet: bytes) -> list[str]:
        """The replies that this packet completes. Raises DeviceUnknown when it cannot be the protocol's text.

        Stray NULs are filler and make no reply. After an error the reader must be reset.
        """
        *complete, self._rest = (self._rest + packet).split(_NUL)
        for raw in (*complete, self._rest):
            _check_reply(raw)
        replies = (raw.decode("ascii").strip() for raw in complete)
        return [reply for reply in replies if reply]

    @property
    def unfinished(self) -> bool:
        """Whether a reply has begun and not ended."""
        return bool(self._rest)

    def reset(self) -> None:
        """Forget the beginning of a reply."""
        self._rest = b""


def _check_reply(raw: bytes) -> None:
    if len(raw) > MAX_REPLY_BYTES:
        raise DeviceUnknown("printer_garbled", f"a reply of more than {MAX_REPLY_BYTES} bytes: {raw[:32]!r}...")
    if any(byte not in _PRINTABLE and byte not in b"\r\n\t" for byte in raw):
        raise DeviceUnknown("printer_garbled", f"not a reply: {raw[:32]!r}")


def fault_of(reply: str, words: Mapping[str, str]) -> str | None:
    """The condition an error word stands for; None when the reply is no error word.

    ``ERR`` and ``ERROR`` are the same. A word that begins so but is not in the table is UNDESCRIBED.
    """
    head, gap, tail = reply.partition(" ")
    plain = f"ERROR{gap}{tail}" if head == "ERR" else reply
    if plain in words:
        return words[plain]
    return UNDESCRIBED if plain.split(" ")[0] == "ERROR" else None


def refusal_of(reply: str, words: Mapping[str, str]) -> str | None:
    """The condition of the reply to a command that acts; None only for a plain OK."""
    if reply == DONE:
        return None
    return fault_of(reply, words) or UNDESCRIBED


def count(reply: str) -> int | None:
    """A counter's value; None when the reply is not a number."""
    if reply.isascii() and reply.isdigit() and len(reply) <= MAX_COUNT_DIGITS:
        return int(reply)
    return None


def left(reply: str) -> int | None:
    """What is left of a number that may have been overdrawn, such as cards until cleaning; None when it is no number."""
    number = count(reply.removeprefix("-"))
    return -number if number is not None and reply.startswith("-") else number


def volts(reply: str) -> float | None:
    """A sensor's voltage, e.g. ``3,92 Volts``; None for anything else."""
    match = _VOLTS.fullmatch(reply)
    return None if match is None else float(f"{match[1]}.{match[2]}")


def position(reply: str, words: Mapping[str, CardPosition]) -> CardPosition | None:
    """Where the card is; None when the profile does not know the word."""
    return words.get(reply)
