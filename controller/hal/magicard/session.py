"""What is done with a Magicard: greeted, looked at, given a job and watched until it is done. On the link's thread.

A job is done when the port is ready, there is no error and the counter of cards has risen by one; a card that was not drawn
in is error 11:01, and then the job is dropped with CAN. In the middle of a job CAN is sent only while no counter has risen. OKY,
at which the printer tries again by itself, is never sent: whether another card may be taken is the passage's to decide. A printer
just found may still hold a job of a daemon that died: it is dropped when no card was drawn in for it, so that it prints on
nothing put into the slot later; any other error that is not this process's own waits for a person at the printer.

A host that died in the middle of a job leaves a printer that takes whatever comes next for the rest of its dots. So the port is
reset (a request of the printer class) before anything is said to a printer just found, and after a job of ours broke off.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from controller.clock import Deadline, monotonic_s
from controller.errors import DeviceAbsent, DeviceRefused, DeviceUnknown
from controller.hal.magicard.codec import Info
from controller.hal.magicard.line import MagicardLine
from controller.hal.magicard.view import View, cleaned, condition_of, identity_of, printed, refusal_of
from controller.hal.ports import NOT_DRAWN_IN
from controller.hal.profiles.printer import MagicardProfile
from controller.hal.usb.byte_pipe import BytePipe
from controller.hal.usb.port_status import Port, shown
from controller.model import PrinterIdentity

POLLS_S = (0.05, 0.1, 0.25, 0.5, 1.0)  # quick at first, for a refusal comes at once; then
POLL_S = 2.0  # as the vendor's own monitor does

_log = logging.getLogger(__name__)


class MagicardSession:
    """One printer in use. Blocks; used on the link's thread only."""

    def __init__(self, pipe: BytePipe, profile: MagicardProfile, serial: str) -> None:
        self._pipe = pipe
        self._line = MagicardLine(pipe, profile)
        self._profile = profile
        self._serial = serial
        self._longest_s = profile.timeouts_s.hand_feed + profile.timeouts_s.print  # from the end of a job's data
        self._identity: PrinterIdentity | None = None
        self._ours: Info | None = None  # before a job of this process that has no end yet
        self._torn = True  # a part of a job may lie in the printer
        self._working_since_s: float | None = None

    def greet(self) -> PrinterIdentity:
        """Open the pipe, prove who is there, say what is in the way of a job. Cheap when all was well already.

        DeviceAbsent: not there, or another printer. DeviceRefused: it works on something, or has an error. DeviceUnknown.
        """
        if self._pipe.open():
            self._forget()
            self._torn = True
        self._check_idle()
        self._clear_torn()
        view = self._known_view() or self._line.synchronise()
        self._check_unit(view.info)
        self._identity = identity_of(view.info)
        self._check_fault(view)
        self._ours = None
        return self._identity

    def look(self) -> Info:
        """The fields now. DeviceRefused while the printer works."""
        self._line.require_step()
        self._check_idle()
        info = self._line.look().info
        self._check_unit(info)
        return info

    def examine(self) -> Info:
        """The fields twice, after dropping whatever was on its way. DeviceUnknown when they differ."""
        self._line.require_step()
        self._check_idle()
        first = self._line.synchronise().info
        second = self.look()
        changed = [f"{n}: {a} became {b}" for n, (a, b) in enumerate(zip(first.fields, second.fields, strict=False)) if a != b]
        if first.fields != second.fields:
            raise DeviceUnknown("printer_moving", f"REQ,INF fields {', '.join(changed) or 'came and went'}")
        self._check_idle()
        return second

    def print_by_hand(self, job: Callable[[Info], Iterable[bytes]], deadline: Deadline) -> None:
        """Send the job that `job` makes for this printer and see one card through. Errors: the port's `print_by_hand`."""
        before = self._begin(deadline)
        self._ours, self._torn = before, True
        self._line.lose_step()
        limit = Deadline(min(deadline.at_s, monotonic_s() + self._profile.timeouts_s.data))
        with _perhaps_sent():
            for block in job(before):
                self._pipe.write(block, limit)
            self._torn = False
            _log.debug("the job was sent")
            self._follow(printed, before, deadline)

    def clean(self, command: str, deadline: Deadline) -> None:
        """Run the cleaning cycle and see its counter rise."""
        self._command(command, cleaned, deadline)

    def print_test_card(self, command: str, deadline: Deadline) -> None:
        """Have the printer print its own card and see the counter of cards rise."""
        self._command(command, printed, deadline)

    def _command(self, command: str, done: Callable[[Info, Info], bool], deadline: Deadline) -> None:
        before = self._begin(deadline)
        self._ours = before
        with _perhaps_sent():
            self._line.act(command)
            self._follow(done, before, deadline)

    def _begin(self, deadline: Deadline) -> Info:
        """Prove that a job may be sent. Whatever is raised here: nothing was sent."""
        self._line.require_step()
        try:
            self._check_idle()
            view = self._line.look()
            refusal = refusal_of(view, self._profile, self._line.port())
        except DeviceUnknown as error:
            raise DeviceAbsent(error.condition, f"before anything was sent: {error.detail}") from error
        self._check_unit(view.info)
        if refusal is not None:
            raise refusal
        if deadline.passed:
            raise DeviceAbsent("printer_late", "the deadline was over before anything was sent")
        return view.info

    def _follow(self, done: Callable[[Info, Info], bool], before: Info, deadline: Deadline) -> None:
        """Watch until it is done."""
        limit = Deadline(min(deadline.at_s, monotonic_s() + self._longest_s))
        for pause_s in _pauses(limit):
            self._pipe.pause(pause_s)
            view = None if self._line.port() is Port.WORKING else self._patient_look()
            if view is None:
                continue
            condition = condition_of(view.status, self._profile)
            if condition is not None:
                raise self._failure(condition, view, before)
            if done(before, view.info) and self._line.port() is Port.READY:
                self._ours = None
                return
        self._line.lose_step()
        raise DeviceUnknown("printer_late", f"not done in time; {shown(self._pipe.port_status())}")

    def _patient_look(self) -> View | None:
        """A look; None while the printer is too busy to answer."""
        try:
            return self._line.look() if self._line.in_step else self._line.synchronise()
        except DeviceUnknown as error:
            if error.condition != "printer_late":
                raise
            return None

    def _failure(self, condition: str, view: View, before: Info) -> DeviceRefused | DeviceUnknown:
        """What an error in the middle of our job comes to. The job is dropped when no card was taken."""
        words = view.status.text
        if view.info.counters != before.counters:
            said = f"{words}; a card was taken, for a counter has risen; the job was not dropped"
            return DeviceUnknown(condition, said) if condition == NOT_DRAWN_IN else DeviceRefused(condition, said)
        after = self._drop(words)
        if after.counters != before.counters:
            return DeviceUnknown(condition, f"{words}; the counters rose while the job was dropped")
        return DeviceRefused(condition, words)

    def _drop(self, words: str) -> Info:
        """Answer the printer's error with Cancel and wait until it is ready again."""
        self._line.act(self._profile.acts.cancel)
        limit = Deadline.after(self._profile.timeouts_s.reset)
        for pause_s in _pauses(limit):
            self._pipe.pause(pause_s)
            if self._line.port() is not Port.READY:
                continue
            view = self._patient_look()
            if view is not None and condition_of(view.status, self._profile) is None:
                self._ours = None
                return view.info
        raise DeviceUnknown("printer_late", f"the printer did not drop the job: {words}")

    def _clear_torn(self) -> None:
        if self._torn:
            self._line.lose_step()
            self._pipe.soft_reset()
            self._torn = False

    def _known_view(self) -> View | None:
        """A look at a printer that was in step; None when it is not any more."""
        if self._identity is None or not self._line.in_step:
            return None
        try:
            return self._line.look()
        except DeviceUnknown as error:
            if not self._pipe.is_open:
                raise
            _log.info("out of step: %s", error)
            return None

    def _check_unit(self, info: Info) -> None:
        """It must be the printer of this lane, with firmware that the profile knows."""
        if info.serial != self._serial:
            self._forget()
            self._pipe.dispose()  # another lane may want it
            raise DeviceAbsent("printer_swapped", f"the printer calls itself {info.serial!r}, not {self._serial!r}")
        self._check_head(info)
        known = self._profile.firmware_known
        if known and info.firmware not in known:
            raise DeviceRefused("firmware_unknown", f"{info.firmware!r}; the profile knows {', '.join(known)}")

    def _check_head(self, info: Info) -> None:
        """Dots packed for one print head are stripes on another."""
        heads, wanted = self._profile.job.heads, self._profile.raster.packing.upper()
        if heads is None:
            return
        head = heads.get(info.head)
        if head is None and self._identity is None:
            _log.warning("REQ,INF field 2: print head %r is not one that the profile knows", info.head)
        elif head not in (None, wanted):
            raise DeviceRefused("printer_other", f"its print head is {head}; profile {self._profile.name} is for {wanted}")

    def _check_idle(self) -> None:
        """Nothing is asked of a printer that works; one that works for longer than any card takes has failed."""
        if self._line.port() is not Port.WORKING:
            self._working_since_s = None
            return
        now_s = monotonic_s()
        if self._working_since_s is None:
            self._working_since_s = now_s
        if now_s - self._working_since_s > self._longest_s:
            raise DeviceUnknown("printer_late", f"the printer works for more than {self._longest_s:g} s; {shown(Port.WORKING)}")
        raise DeviceRefused("printer_moving", f"it works on something; {shown(Port.WORKING)}")

    def _check_fault(self, view: View) -> None:
        refusal = refusal_of(view, self._profile, self._line.port())
        if refusal is None:
            return
        if condition_of(view.status, self._profile) is None:
            raise refusal
        ours = self._ours is not None and self._ours.counters == view.info.counters
        if not ours and refusal.condition != NOT_DRAWN_IN:
            raise DeviceRefused(refusal.condition, f"{refusal.detail}; only a person at the printer may clear this")
        _log.warning("a job that printed nothing is dropped: %s", refusal)
        self._drop(refusal.detail)

    def _forget(self) -> None:
        self._line.lose_step()
        self._identity = None


@contextmanager
def _perhaps_sent() -> Iterator[None]:
    """From here on something may have gone out: that the link is found closed later does not mean that nothing happened."""
    try:
        yield
    except DeviceAbsent as error:
        raise DeviceUnknown(error.condition, f"after something was sent: {error.detail}") from error


def _pauses(limit: Deadline) -> Iterator[float]:
    """How long to wait before each look, until the limit has passed; the last wait ends there."""
    number = 0
    while not limit.passed:
        pause_s = POLLS_S[number] if number < len(POLLS_S) else POLL_S
        yield min(pause_s, limit.left_s())
        number += 1
