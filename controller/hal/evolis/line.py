"""Runs conversations over a USB pipe, on the link's thread, and keeps commands and replies in step.

The protocol has no numbers: an OK says nothing of the command it belongs to, so a reply that comes late would be taken for
the answer to a later command. Replies come in the order of the commands, and only one query has an answer that nothing else
has: the serial number. So it is the mark of a line that is in step:

- an act begins with it: what fails before the mark came back is DeviceAbsent, for nothing of the act had been sent;
- everything ends with it: an extra reply on the way shifts the mark, and then nothing that was heard counts (DeviceUnknown);
- whenever in doubt, the line is out of step until `greet` has dropped every reply in front of a new mark;
- evidence about a card is asked for only behind a new mark, and twice (`examine`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from controller.clock import Deadline, monotonic_s
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.evolis import codec
from controller.hal.evolis.session import Ask, Talk, introduce, question
from controller.hal.profiles.parts import DONE
from controller.hal.profiles.printer import EvolisProfile
from controller.hal.usb.byte_pipe import BytePipe, drain, hear, is_ready
from controller.hal.usb.port_status import shown, why_silent
from controller.model import PrinterIdentity

MAX_STALE = 64  # replies dropped while looking for the mark: far more than commands ever were open

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class EvolisLine:
    """One conversation with one printer. Blocks; used on the link's thread only."""

    def __init__(self, pipe: BytePipe, profile: EvolisProfile, serial: str) -> None:
        self._pipe = pipe
        self._profile = profile
        self._serial = serial
        self._reader = codec.ReplyReader()
        self._in_step = False
        self._identity: PrinterIdentity | None = None

    def greet(self) -> PrinterIdentity:
        """Open the pipe, bring the line in step, ask who is there, set the mode. Cheap when all that is so already.

        Raises DeviceAbsent (not there, or another serial number), DeviceRefused (no ribbon, cover open), DeviceUnknown.
        """
        if self._identity is not None and self._still_there():
            return self._identity
        self._identity = None
        self._pipe.open()
        self._synchronise()
        try:
            self._identity = self.ask(introduce(self._profile, self._serial), Deadline.after(self._profile.timeouts_s.reset))
        except DeviceRefused as error:
            self._in_step = error.condition != "firmware_unknown"  # nothing is moved in a printer that may not know our commands
            raise
        return self._identity

    def examine(self, talk: Callable[[], Talk[_T]]) -> _T:
        """Ask the same twice, after dropping whatever was on its way; the serial number comes back before, between and after.

        Raises DeviceUnknown when the two answers differ, and whatever `ask` raises.
        """
        self._require_step()
        self._synchronise()
        limit_s = self._profile.timeouts_s.reset
        first = self.ask(talk(), Deadline.after(limit_s))
        second = self.ask(talk(), Deadline.after(limit_s))
        if first != second:
            raise DeviceUnknown("printer_moving", f"{first} became {second}")
        return second

    def act(self, talk: Talk[_T], deadline: Deadline) -> _T:
        """Run a conversation that moves something."""
        self._require_step()
        try:
            self._prove()
        except DeviceUnknown as error:
            raise DeviceAbsent(error.condition, f"before anything was sent: {error.detail}") from error
        if deadline.passed:
            raise DeviceAbsent("printer_late", "the deadline was over before anything was sent")
        return self.ask(talk, deadline)

    def ask(self, talk: Talk[_T], deadline: Deadline) -> _T:
        """Run a conversation that only reads."""
        self._require_step()
        self._in_step = False  # until the mark has come back
        try:
            result = self._converse(talk, deadline)
        except DeviceRefused:
            self._prove()  # else the word may have belonged to something else
            raise
        self._prove()
        return result

    def _still_there(self) -> bool:
        if not self._in_step or not self._pipe.is_open:
            return False
        with suppress(DeviceError):
            self._prove()
        return self._in_step

    def _require_step(self) -> None:
        if not self._in_step:
            raise DeviceAbsent("printer_lost", "the printer has to be opened first")

    def _prove(self) -> None:
        """Ask for the mark. DeviceUnknown when something else comes back."""
        self._in_step = False
        limit_s = self._profile.timeouts_s.query
        reply = self._exchange(question(self._profile, self._profile.queries.serial), Deadline.after(limit_s))
        if reply != self._serial:
            raise DeviceUnknown("printer_garbled", f"{reply!r} came where the serial number was due")
        self._in_step = True

    def _converse(self, talk: Talk[_T], deadline: Deadline) -> _T:
        try:
            ask = next(talk)
            while True:
                reply = self._exchange(ask, deadline)
                if reply == self._serial:
                    raise DeviceUnknown("printer_garbled", f"the serial number came as the reply to {ask.label}")
                ask = talk.send(reply)
        except StopIteration as end:
            value: _T = end.value
            return value

    def _exchange(self, ask: Ask, deadline: Deadline) -> str:
        """Send one command and wait for its one reply."""
        if deadline.passed:
            raise DeviceUnknown("printer_late", f"the deadline was over before {ask.label}")
        if ask.pause_s:
            self._pipe.pause(ask.pause_s)
        limit = Deadline(min(deadline.at_s, monotonic_s() + ask.timeout_s))
        _log.debug("> %s (%d bytes)", ask.label, len(ask.data))
        self._write(ask.data, limit)
        replies = hear(self._pipe, self._reader, ask.label, limit)
        if not replies:
            raise self._late(f"no reply to {ask.label} in time")
        _log.debug("< %s", replies)
        if len(replies) > 1 or self._reader.unfinished:
            raise DeviceUnknown("printer_garbled", f"more than one reply to {ask.label}: {replies}")
        return replies[0]

    def _late(self, what: str) -> DeviceUnknown:
        """It says nothing: its port may still tell that it waits for a person."""
        with suppress(DeviceError):
            status = self._pipe.port_status()
            return DeviceUnknown(why_silent(status) or "printer_late", f"{what}; {shown(status)}")
        return DeviceUnknown("printer_late", what)

    def _write(self, data: bytes, limit: Deadline) -> None:
        try:
            self._pipe.write(data, limit)
        except DeviceUnknown as error:
            if error.condition != "printer_late":
                raise
            raise self._late(error.detail) from error

    def _synchronise(self) -> None:
        """Drop everything in front of a new mark. The host error mode goes first: in the other one a fault blocks the line."""
        self._in_step = False
        self._reader.reset()
        drain(self._pipe)
        last = self._call_up()
        if last is None and is_ready(self._pipe):  # and yet silent
            _log.warning("the printer is ready and says nothing: its port is reset")
            self._pipe.soft_reset()
            last = self._call_up()
        if last is None:
            raise self._late("the printer does not answer")
        if last == DONE or codec.fault_of(last, self._profile.replies) is not None:
            raise DeviceUnknown("printer_garbled", f"{last!r} came where the serial number was due")
        if last != self._serial:
            raise self._other(last)
        self._in_step = True

    def _other(self, said: str) -> DeviceError:
        """Something else than the mark came last: another printer says it twice, a stale reply comes once."""
        again = self._call_up()
        if again != said:
            return DeviceUnknown("printer_garbled", f"{said!r} and then {again!r} came where the serial number was due")
        self._pipe.dispose()  # not ours: it may be another lane's
        return DeviceAbsent("printer_swapped", f"the printer calls itself {said!r}, not {self._serial!r}")

    def _call_up(self) -> str | None:
        """Ask for the mark; see `_last_until_mark`."""
        limit = Deadline.after(self._profile.timeouts_s.query)
        self._write(codec.encode(self._profile.acts.open[0]), limit)
        self._write(codec.encode(self._profile.queries.serial), limit)
        return self._last_until_mark(limit)

    def _last_until_mark(self, limit: Deadline) -> str | None:
        """The last reply heard: the mark, or what there was when the time or the patience was over."""
        last, dropped = None, 0
        while dropped < MAX_STALE and not limit.passed:
            for reply in self._reader.feed(self._pipe.read(limit)):
                last, dropped = reply, dropped + 1
            if last == self._serial and not self._reader.unfinished:
                break
        return last
