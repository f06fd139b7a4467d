"""APDUs as lines for a technician. Masked, a line has what was asked, how much of it, and the status word; never data.

Unmasked lines hold a resident's data as it was on the wire: only for cards that belong to nobody, and only when asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.chips.apdu import ApduError, Command, Response
from controller.chips.status_words import meaning_of

INSTRUCTIONS = {
    0xCA: "GET DATA", 0xA4: "SELECT", 0xB0: "READ BINARY", 0xD6: "UPDATE BINARY", 0x84: "GET CHALLENGE", 0xE2: "STORE DATA",
    0x82: "EXTERNAL AUTHENTICATE", 0x50: "INITIALIZE UPDATE", 0xD8: "PUT KEY", 0xF0: "SET STATUS", 0xF2: "GET STATUS",
    0x44: "ACTIVATE FILE", 0xC0: "GET RESPONSE", 0xDD: "UID OF TYPE B",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tracer:
    """How much is shown."""

    masked: bool = True

    def lines(self, number: int, command: bytes, answer: bytes, elapsed_ms: float) -> str:
        """One exchange as two lines: `>` to the chip, `<` from it."""
        return f"{number:4} > {self._command(command)}\n     < {self._answer(answer)}  {elapsed_ms:.1f} ms"

    def _command(self, raw: bytes) -> str:
        if not self.masked:
            return raw.hex().upper()
        try:
            command = Command.decode(raw)
        except ApduError:
            return f"{len(raw)} bytes that are no command"
        wanted = "" if command.le is None else f" Le {command.le}"
        name = INSTRUCTIONS.get(command.ins, "")
        return f"{command.header.hex().upper()} [{len(command.data)}]{wanted}  {name}".rstrip()

    def _answer(self, raw: bytes) -> str:
        try:
            response = Response.decode(raw)
        except ApduError:
            return f"{len(raw)} bytes without status word"
        data = f"[{len(response.data)}]" if self.masked else response.data.hex().upper()
        return f"{data} {response.sw:04X} {meaning_of(response.sw).meaning}".lstrip()
