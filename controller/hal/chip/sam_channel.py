"""Secure messaging that a SAM card does: F3 protects a command, F4 opens an answer (chip.md 1.2). `pcsc_sam` makes the channel.

What the chip sent is blamed on the chip ("chip_refused"), what the SAM made of it on the SAM ("sam_refused"). Either ends the
channel for good.
"""

from __future__ import annotations

from collections.abc import Callable

from controller.chips.apdu import ApduError, Command, Response
from controller.chips.channel import broken
from controller.chips.status_words import meaning_of
from controller.errors import DeviceError, DeviceRefused

PROTECT, UNPROTECT = 0xF3, 0xF4
MOST_BYTES = 255  # of a command or an answer that the SAM is given: it takes short commands

_SECURED = 0x0C  # in CLA: secure messaging, header authenticated

Translate = Callable[[int, bytes, str], bytes]  # INS, data, what for; the SAM's answer


class SamChannel:
    """The host's side of one session. See `Channel`."""

    def __init__(self, translate: Translate) -> None:
        """`translate` asks the SAM; its DeviceErrors come through."""
        self._translate = translate
        self._dead = ""

    def wrap(self, command: Command) -> Command:
        """See `Channel`."""
        raw = self._translated(PROTECT, command.encode(), "protect a command", "the command")
        try:
            wrapped = Command.decode(raw)
        except ApduError as error:
            raise self._distrust(f"the SAM's protected command makes no sense: {error}") from error
        if wrapped.cla & _SECURED != _SECURED or wrapped.header[1:] != command.header[1:]:
            raise self._distrust("the SAM's protected command is not the one it was given")
        if wrapped.extended and not command.extended:
            raise self._distrust("the SAM's protected command has become too long for a short one")
        return wrapped

    def unwrap(self, command: Command, response: Response) -> Response:  # noqa: ARG002 - the protocol's signature
        """See `Channel`. An error word without protection is the chip's way to end the session: it is passed on."""
        if self._dead:
            raise broken(self._dead)
        if not response.data and not meaning_of(response.sw).success:
            self.die(f"the chip ended the session with {response.sw:04X}")
            return response
        raw = self._translated(UNPROTECT, response.data, "open an answer", "the chip's answer")
        try:
            return Response.decode(raw)
        except ApduError as error:
            raise self._distrust("the SAM opens an answer to less than a status word") from error

    def die(self, why: str) -> None:
        """Be of no use from now on."""
        self._dead = self._dead or why

    def _translated(self, ins: int, data: bytes, step: str, what: str) -> bytes:
        if self._dead:
            raise broken(self._dead)
        if not 1 <= len(data) <= MOST_BYTES:
            self.die(f"{what} has {len(data)} bytes; the SAM takes 1 to {MOST_BYTES}")
            raise broken(self._dead)
        try:
            return self._translate(ins, data, step)
        except DeviceError as error:
            self.die(error.detail)
            raise

    def _distrust(self, why: str) -> DeviceRefused:
        self.die(why)
        return DeviceRefused("sam_refused", why)
