"""What an Evolis printer makes of the bytes it is sent (printers.md 3.2, 3.8, 3.12). Pure: bytes in, commands out.

    command = *NUL [ESC] name *( ';' parameter ) [ ';' data ] *NUL CR

Db, Dbp: the number of data bytes follows from panel and levels; Dbc, Dbpc: it is the last parameter; Dbmp: the BMP header
says it. A panel that is one byte short therefore swallows the next command, as the real printer does.
The place of the byte count in Dbpc is not public (E).
"""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.devices.evolis_panels import LEVELS, Geometry

NUL, ESC, CR, SEPARATOR = 0x00, 0x1B, 0x0D, 0x3B
MAX_TEXT_BYTES = 256  # the longest real command text is far shorter; the rest up to CR is dropped
MAX_COMPRESSED_BYTES = 2 * 648 * 1016  # colour at its worst: a value and a count for every dot
MAX_BMP_BYTES = 2_500_000  # a 24-bit BMP of a whole card has 2 MB; it is taken in whole, and refused for not being 1-bit
_DATA_PARAMETERS = {"Db": 2, "Dbc": 3, "Dbp": 4, "Dbpc": 5, "Dbmp": 4}  # text parameters before the binary part
_BMP_LENGTH_AT = 6  # "BM" and a 4-byte little-endian file size


@dataclass(frozen=True, slots=True)
class Command:
    """One command; `data` is None unless it is a download whose header made sense."""

    name: str
    parameters: tuple[str, ...] = ()
    data: bytes | None = None

    @property
    def text(self) -> str:
        """Name and parameters, as sent: `Pr;ymcko`."""
        return ";".join((self.name, *self.parameters))


class EvolisParser:
    """Feed bytes in any pieces; complete commands come out in order. Holds at most one panel."""

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self.reset()

    def reset(self) -> None:
        """Forget the unfinished command."""
        self._text = bytearray()
        self._header: Command | None = None  # a download whose data is coming
        self._data = bytearray()
        self._need = 0  # data bytes of the download in all
        self._closing = False  # the data is complete, the CR is due

    @property
    def idle(self) -> bool:
        """Whether the next byte starts a new command."""
        return not self._text and self._header is None

    @property
    def download(self) -> Command | None:
        """The header of the download whose data is coming; one object for each download."""
        return self._header

    def feed(self, chunk: bytes) -> list[Command]:
        """Take some bytes; returns the commands they complete."""
        done: list[Command] = []
        view, at = memoryview(chunk), 0
        while at < len(view):
            if self._closing:
                at = self._close(view, at, done)
            elif self._header is not None:
                at = self._take_data(view, at)
            else:
                at = self._take_text(view[at], at, done)
        return done

    def _take_text(self, byte: int, at: int, done: list[Command]) -> int:
        if byte == CR:
            if self._text:
                done.append(_command(self._text))
            self._text.clear()
        elif byte == NUL or (byte == ESC and not self._text):
            pass  # filler, and the optional start character
        elif len(self._text) < MAX_TEXT_BYTES:
            self._text.append(byte)
            if byte == SEPARATOR:
                self._maybe_download()
        return at + 1

    def _maybe_download(self) -> None:
        """Switch to data when the text so far is the whole header of a download."""
        header = _command(self._text[:-1])
        if _DATA_PARAMETERS.get(header.name) != len(header.parameters):
            return
        need = _data_bytes(header, self._geometry)
        if need is None:
            return  # the header makes no sense: its data will be read as commands
        self._header, self._need = header, need
        self._text.clear()
        self._closing = need == 0

    def _take_data(self, view: memoryview, at: int) -> int:
        taken = view[at : at + self._need - len(self._data)]
        self._data += taken
        if len(self._data) == self._need:
            self._data_complete()
        return at + len(taken)

    def _data_complete(self) -> None:
        if self._header is not None and self._header.name == "Dbmp" and self._need == _BMP_LENGTH_AT:
            size = int.from_bytes(self._data[2:6], "little")
            if self._data[:2] == b"BM" and _BMP_LENGTH_AT < size <= MAX_BMP_BYTES:
                self._need = size
                return
        self._closing = True

    def _close(self, view: memoryview, at: int, done: list[Command]) -> int:
        """Stray NULs are skipped before the CR; anything else begins the next command."""
        if view[at] == NUL:
            return at + 1
        assert self._header is not None
        done.append(Command(self._header.name, self._header.parameters, bytes(self._data)))
        self._header, self._closing = None, False
        self._data = bytearray()
        return at + 1 if view[at] == CR else at


def _command(text: bytes | bytearray) -> Command:
    name, *parameters = text.decode("latin-1").split(";")
    return Command(name, tuple(parameters))


def _data_bytes(header: Command, geometry: Geometry) -> int | None:
    """How many data bytes follow this download header; None when it makes no sense."""
    if header.name == "Dbmp":
        return _BMP_LENGTH_AT if header.parameters[0] in ("k", "o") else None
    panel, levels_text = header.parameters[:2]
    numbers = [int(p) if p.isdecimal() and len(p) <= 8 else -1 for p in (levels_text, *header.parameters[2:])]
    if numbers[0] not in LEVELS.get(panel, ()) or min(numbers) < 0:
        return None
    if header.name == "Db":
        return geometry.panel_bytes(numbers[0])
    if header.name in ("Dbp", "Dbpc") and numbers[1] + numbers[2] > geometry.height_lines:
        return None  # lines beyond the panel
    if header.name == "Dbp":
        return numbers[2] * geometry.line_bytes(numbers[0])
    return numbers[-1] if numbers[-1] <= MAX_COMPRESSED_BYTES else None
