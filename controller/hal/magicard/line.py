"""Questions and answers over a USB pipe, on the link's thread, kept in step.

Replies have no numbers and come in the order of the requests. Nothing in a reply names its request but its kind, and the only
mark of the printer is the serial number within INF. So:

- a look is always ERR and then INF: one reply too many on the way shows as a reply of the wrong kind;
- the line counts what it has asked and not been answered. In step again it is once it has asked ERR one time more often than
  replies may be on their way, and then INF: an INF right behind so many replies to ERR can only be the new one, however
  late or lost the older replies are (`synchronise`);
- a command that acts has no known reply. One may come all the same, so it counts as unanswered.

Not seen could be: replies that nobody asked for, of just the kinds that are due. Facts: printers.md 4.2. Whether a printer that
works (port 08h) answers was never tried with a real one, so it is not asked then.
"""

from __future__ import annotations

import logging

from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceUnknown
from controller.hal.magicard.codec import Kind, Reply, ReplyReader, encode, info_of, status_of
from controller.hal.magicard.view import View
from controller.hal.profiles.printer import MagicardProfile
from controller.hal.usb.byte_pipe import BytePipe, drain, hear, is_ready, port_words
from controller.hal.usb.port_status import Port, port_of

OWED_AT_START = 2  # an earlier process had at most one question and one act open when it died
MAX_OWED = 8  # unanswered requests that may still be answered; far more than are ever open

_log = logging.getLogger(__name__)


class MagicardLine:
    """One conversation with one printer. Blocks; used on the link's thread only."""

    def __init__(self, pipe: BytePipe, profile: MagicardProfile) -> None:
        self._pipe = pipe
        self._profile = profile
        self._reader = ReplyReader()
        self._in_step = False
        self._owed = OWED_AT_START

    @property
    def in_step(self) -> bool:
        """Whether the next reply is certain to answer the next request."""
        return self._in_step

    def require_step(self) -> None:
        """DeviceAbsent until `synchronise` has been done."""
        if not self._in_step:
            raise DeviceAbsent("printer_lost", "the printer has to be opened first")

    def lose_step(self) -> None:
        """What comes next may answer something else: looks are refused until `synchronise`."""
        self._in_step = False

    def port(self) -> Port:
        """The port's status, which is there whatever the printer does."""
        return port_of(self._pipe.port_status())

    def look(self) -> View:
        """ERR and INF. DeviceAbsent before `synchronise`; DeviceUnknown, and out of step, when no sound answer comes."""
        self.require_step()
        self._in_step = False
        view = View(status_of(self._ask(Kind.ERRORS)), info_of(self._ask(Kind.INFO)))
        self._in_step = True
        return view

    def act(self, command: str) -> None:
        """Send a command that acts. Whether it was done shows later."""
        self._in_step = False
        self._send(command)

    def synchronise(self) -> View:
        """Drop whatever is on its way and look anew. DeviceUnknown when the printer does not answer or makes no sense."""
        self._in_step = False
        self._reader.reset()
        drain(self._pipe)
        try:
            view = self._call_up()
        except DeviceUnknown as error:
            if error.condition != "printer_late" or not is_ready(self._pipe):
                raise
            _log.warning("the printer is ready and says nothing: its port is reset")
            self._pipe.soft_reset()
            view = self._call_up()
        self._in_step, self._owed = True, 0
        return view

    def _ask(self, kind: Kind) -> Reply:
        self._send(self._request(kind))
        replies = self._hear(kind)
        if len(replies) > 1 or self._reader.unfinished or replies[0].kind is not kind:
            heard = ", ".join(reply.kind for reply in replies)
            raise DeviceUnknown("printer_garbled", f"the reply to {kind} was: {heard}{' ...' if self._reader.unfinished else ''}")
        return replies[0]

    def _call_up(self) -> View:
        """Ask ERR more often than stale replies can be, then INF; the INF behind so many replies to ERR is the new one."""
        needed = min(self._owed, MAX_OWED) + 1
        run: list[Reply] = []  # replies to ERR without another between them
        for _ in range(needed):
            self._send(self._request(Kind.ERRORS))
            for reply in self._hear(Kind.ERRORS):
                run = [*run, reply] if reply.kind is Kind.ERRORS else []
        self._send(self._request(Kind.INFO))
        for _ in range(2 * needed):
            for reply in self._hear(Kind.INFO):
                if reply.kind is Kind.INFO and len(run) >= needed and not self._reader.unfinished:
                    return View(status_of(run[-1]), info_of(reply))
                run = [*run, reply] if reply.kind is Kind.ERRORS else []
        raise DeviceUnknown("printer_garbled", "the printer's replies do not come into step")

    def _request(self, kind: Kind) -> str:
        return self._profile.queries.info if kind is Kind.INFO else self._profile.queries.errors

    def _send(self, request: str) -> None:
        _log.debug("> %s", request)
        self._owed += 1
        self._pipe.write(encode(request), Deadline.after(self._profile.timeouts_s.query))

    def _hear(self, kind: Kind) -> list[Reply]:
        """At least one reply."""
        replies = hear(self._pipe, self._reader, kind, Deadline.after(self._profile.timeouts_s.query))
        if not replies:
            begun = "; a reply has begun and does not end" if self._reader.unfinished else ""
            raise DeviceUnknown("printer_late", f"no reply to {kind} in time{begun}{port_words(self._pipe)}")
        _log.debug("< %s", [reply.kind.value for reply in replies])
        self._owed = max(0, self._owed - len(replies))
        return replies
