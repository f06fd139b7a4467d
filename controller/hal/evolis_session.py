"""What is said to an Evolis printer, as pure conversations: each yields one command and is sent the reply to it.

A conversation returns what it learned and raises DeviceRefused at an error word or DeviceUnknown at nonsense. Who runs it
does the waiting and proves afterwards that no reply was out of step (`evolis_line`). Facts: printers.md 3.3-3.8, 3.11.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from controller.errors import DeviceRefused, DeviceUnknown
from controller.hal import evolis_codec as codec
from controller.hal.printer_profile import PANELS_MARK, PrinterProfile, Timeouts
from controller.model import Panel, PrinterIdentity, PrinterWitness

RIBBON_RETRIES = 3  # a bare OK comes first while the tag is being read (printers.md 3.5)
RIBBON_PAUSE_S = 0.1
COVER_VOLTS = 2.5  # half of the supply: the switch reads 0,00 open and 5,00 closed (printers.md 3.5)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Ask:
    """One command, what the log calls it, and how long its reply may take."""

    data: bytes
    label: str  # never the dots: they are a resident's face
    timeout_s: float
    pause_s: float = 0.0  # before it is sent


Talk = Generator[Ask, str, _T]


def question(profile: PrinterProfile, command: str, pause_s: float = 0.0) -> Ask:
    """A command that only reads."""
    return Ask(codec.encode(command), command, profile.timeouts_s.query, pause_s)


def introduce(profile: PrinterProfile, serial: str) -> Talk[PrinterIdentity]:
    """Ask who is there and switch to the mode the driver needs."""
    model = yield from _text(profile, profile.queries.model)
    firmware = yield from _text(profile, profile.queries.firmware)
    yield from perform(profile, profile.acts.open)
    return PrinterIdentity(model, firmware, serial)


def look(profile: PrinterProfile) -> Talk[PrinterWitness]:
    """Read position and counters."""
    word = yield from _value(profile, profile.queries.position)
    position = codec.position(word, profile.positions)
    if position is None:
        raise DeviceUnknown("printer_garbled", f"{profile.queries.position}: {word!r} is no position")
    fed = yield from _counter(profile, profile.queries.cards_fed)
    printed = yield from _counter(profile, profile.queries.panels_printed)
    ribbon = yield from _ribbon(profile)
    return PrinterWitness(position, fed, printed, ribbon, (yield from _cover_open(profile)))


def _cover_open(profile: PrinterProfile) -> Talk[bool | None]:
    """Whether the cover's switch is open; None when this printer does not tell."""
    if profile.queries.cover is None:
        return None
    voltage = codec.volts((yield question(profile, profile.queries.cover)))
    return None if voltage is None else voltage < COVER_VOLTS


def perform(profile: PrinterProfile, commands: Sequence[str], panels: Sequence[Panel] = ()) -> Talk[None]:
    """Do an act: every command must be answered with OK. The panels stand in for the mark in the act."""
    for ask in asks(profile, commands, panels):
        reply = yield ask
        condition = codec.refusal_of(reply, profile.replies)
        if condition is not None:
            raise DeviceRefused(condition, f"{ask.label}: {reply}")


def asks(profile: PrinterProfile, commands: Sequence[str], panels: Sequence[Panel]) -> Generator[Ask, None, None]:
    """The commands of an act in order, each made only when it is due: a panel is more than half a megabyte."""
    downloaded = False
    for command in commands:
        if command == PANELS_MARK:
            for panel in panels:
                yield Ask(codec.encode_panel(panel), f"Db;{panel.name};{panel.levels}", profile.timeouts_s.panel)
            downloaded = True
        else:
            yield Ask(codec.encode(command), command, _timeout_s(command, profile.timeouts_s, downloaded))


def _timeout_s(command: str, timeouts: Timeouts, downloaded: bool) -> float:
    """Sequence commands (S...) move a card; the one after the panels waits until they are printed."""
    if not command.startswith("S"):
        return timeouts.query
    return timeouts.print if downloaded else timeouts.motion


def _value(profile: PrinterProfile, command: str) -> Talk[str]:
    reply = yield question(profile, command)
    condition = codec.fault_of(reply, profile.replies)
    if condition is not None:
        raise DeviceRefused(condition, f"{command}: {reply}")
    return reply


def _text(profile: PrinterProfile, command: str) -> Talk[str]:
    """A name. A bare OK here is a stale reply to something else."""
    reply = yield from _value(profile, command)
    if reply == codec.DONE:
        raise DeviceUnknown("printer_garbled", f"{command}: {reply!r} answers something else")
    return reply


def _counter(profile: PrinterProfile, command: str) -> Talk[int]:
    reply = yield from _value(profile, command)
    value = codec.count(reply)
    if value is None:
        raise DeviceUnknown("printer_garbled", f"{command}: {reply!r} is no number")
    return value


def _ribbon(profile: PrinterProfile) -> Talk[int | None]:
    """Cards left on the ribbon; None when its tag cannot be read."""
    reply = yield question(profile, profile.queries.ribbon_remaining)
    for _ in range(RIBBON_RETRIES):
        if reply != codec.DONE:
            break
        reply = yield question(profile, profile.queries.ribbon_remaining, RIBBON_PAUSE_S)
    return codec.count(reply)
