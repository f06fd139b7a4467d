"""The operator display: a 20x2 vacuum fluorescent display with the ESC/POS-like command set most of them understand.

Only ASCII is sent, because code pages differ between makes: accents are dropped, every other character becomes "?". A text can
therefore never contain a command. A missing display is no fault of a lane; `up` says whether it works.
"""

from __future__ import annotations

import asyncio
import contextlib
import unicodedata
from collections.abc import Callable
from typing import NoReturn

from controller.errors import DeviceError
from controller.hal.serial_link import SerialLink

COLUMNS = 20
INIT = b"\x1b@"  # ESC @: forget modes and text
CLEAR = b"\x0c"  # FF
MOVE = b"\x1f$"  # US $ column row, both from 1
CHECK_S = 2.0  # how soon a display that is gone and has nothing new to show is noticed


def encode(first: str, second: str) -> bytes:
    """The bytes that put both lines on the display over whatever it shows."""
    return b"".join(MOVE + bytes((1, row)) + _cells(text) for row, text in enumerate((first, second), start=1))


class VfdDisplay:
    """`ports.OperatorDisplay` over a serial link of its own."""

    def __init__(self, link: SerialLink) -> None:
        """The caller runs `run`."""
        self._link = link
        self._text = ("", "")
        self._shown: tuple[str, str] | None = None
        self._changed = asyncio.Event()
        self._up = False
        self._on_change: Callable[[], None] = lambda: None

    @property
    def up(self) -> bool:
        """Whether the display took the last text."""
        return self._up

    def on_change(self, handler: Callable[[], None]) -> None:
        """Call `handler` whenever `up` changes: what is on the display decides what a button means."""
        self._on_change = handler

    def show(self, first: str, second: str) -> None:
        """Show these lines, now and again after the display comes back. Longer text is cut."""
        self._text = (first, second)
        if self._text != self._shown:
            self._changed.set()

    async def run(self) -> NoReturn:
        """Keep the display showing the newest text until cancelled; then let go of the port."""
        try:
            while True:
                await self._link.connect()
                with contextlib.suppress(DeviceError):  # the link has logged it and closed itself
                    await self._serve()
                self._shown = None
                self._is_up(False)
        finally:
            self._up = False
            await self._link.close()

    async def _serve(self) -> NoReturn:
        await self._link.write(INIT + CLEAR)
        while True:
            if self._text != self._shown:
                text = self._text
                await self._link.write(encode(*text))
                self._shown = text
                self._is_up(True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._changed.wait()
            self._changed.clear()
            await self._link.check()

    def _is_up(self, up: bool) -> None:
        if up is not self._up:
            self._up = up
            self._on_change()


def _cells(text: str) -> bytes:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(c if " " <= c <= "~" else "?" for c in plain)[:COLUMNS].ljust(COLUMNS).encode("ascii")
