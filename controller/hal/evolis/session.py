"""What is said to an Evolis printer, as pure conversations: each yields one command and is sent the reply to it.

A conversation returns what it learned and raises DeviceRefused at an error word or DeviceUnknown at nonsense. Who runs it
does the waiting and proves afterwards that no reply was out of step (`evolis.line`). Facts: printers.md 3.3-3.8, 3.11.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from controller.cards.raster import BACK, FRONT
from controller.conditions import UNDESCRIBED
from controller.errors import DeviceRefused, DeviceUnknown
from controller.hal.evolis import codec
from controller.hal.profiles.parts import DONE
from controller.hal.profiles.printer import BACK_MARK, PANELS_MARK, RIBBON_MARK, EvolisProfile, EvolisTimeouts
from controller.model import Panel, PrinterCare, PrinterIdentity, PrinterWitness

RIBBON_RETRIES = 3  # a bare OK comes first while the tag is being read (printers.md 3.5)
RIBBON_PAUSE_S = 0.1
COVER_VOLTS = 2.5  # half of the supply: the switch reads 0,00 open and 5,00 closed (printers.md 3.5)
CARE_S = 600.0  # cleaning and the test card have no known duration: the caller's deadline decides
_LACKING = ("option_missing", "printer_refused", UNDESCRIBED)  # a printer that does not know the question has no answer

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Ask:
    """One command, what the log calls it, and how long its reply may take."""

    data: bytes
    label: str  # never the dots: they are a resident's face
    timeout_s: float
    pause_s: float = 0.0  # before it is sent


Talk = Generator[Ask, str, _T]


def question(profile: EvolisProfile, command: str, pause_s: float = 0.0) -> Ask:
    """A command that only reads."""
    return Ask(codec.encode(command), command, profile.timeouts_s.query, pause_s)


def introduce(profile: EvolisProfile, serial: str) -> Talk[PrinterIdentity]:
    """Ask who is there and switch to the mode the driver needs. Firmware that the profile was not tried with is refused."""
    model = yield from _text(profile, profile.queries.model)
    firmware = yield from _text(profile, profile.queries.firmware)
    known = profile.firmware_known
    if known and firmware not in known:
        raise DeviceRefused("firmware_unknown", f"{firmware!r}; profile {profile.name} knows {', '.join(known)}")
    yield from perform(profile, profile.acts.open)
    return PrinterIdentity(model, firmware, serial)


def look(profile: EvolisProfile) -> Talk[PrinterWitness]:
    """Read position and counters."""
    word = yield from _value(profile, profile.queries.position)
    position = codec.position(word, profile.positions)
    if position is None:
        raise DeviceUnknown("printer_garbled", f"{profile.queries.position}: {word!r} is no position")
    fed = yield from _counter(profile, profile.queries.cards_fed)
    printed = yield from _counter(profile, profile.queries.panels_printed)
    ribbon = yield from _ribbon(profile)
    return PrinterWitness(position, fed, printed, ribbon, (yield from _cover_open(profile)))


def tend(profile: EvolisProfile) -> Talk[PrinterCare]:
    """Read what bears on upkeep. What this printer does not tell is absent."""
    cleaning = yield from _if_told(profile, profile.queries.cards_until_cleaning)
    settings = {}
    for name, command in profile.settings.items():
        value = yield from _if_told(profile, str(command))
        if value is not None:
            settings[name] = value
    return PrinterCare(None if cleaning is None else codec.left(cleaning), settings)


def serve(profile: EvolisProfile, commands: Sequence[str]) -> Talk[None]:
    """Do an act of upkeep, whose motions may take longer than a card's."""
    for ask in asks(profile, commands, ()):
        yield from _obeyed(profile, replace(ask, timeout_s=CARE_S))


def _if_told(profile: EvolisProfile, command: str | None) -> Talk[str | None]:
    """The answer to a question that not every printer of the family knows."""
    if command is None:
        return None
    reply = yield question(profile, command)
    condition = codec.fault_of(reply, profile.replies)
    if condition in _LACKING or reply == DONE:
        return None
    if condition is not None:
        raise DeviceRefused(condition, f"{command}: {reply}")
    return reply


def _cover_open(profile: EvolisProfile) -> Talk[bool | None]:
    """Whether the cover's switch is open; None when this printer does not tell."""
    if profile.queries.cover is None:
        return None
    voltage = codec.volts((yield question(profile, profile.queries.cover)))
    return None if voltage is None else voltage < COVER_VOLTS


def perform(profile: EvolisProfile, commands: Sequence[str], panels: Sequence[Panel] = ()) -> Talk[None]:
    """Do an act: every command must be answered with OK. The panels stand in for the mark in the act."""
    for ask in asks(profile, commands, panels):
        yield from _obeyed(profile, ask)


def _obeyed(profile: EvolisProfile, ask: Ask) -> Talk[None]:
    reply = yield ask
    condition = codec.refusal_of(reply, profile.replies)
    if condition == "bin_full" and (yield from _reject_box_full(profile)):
        condition = "reject_full"
    if condition is not None:
        raise DeviceRefused(condition, f"{ask.label}: {reply}")


def _reject_box_full(profile: EvolisProfile) -> Talk[bool]:
    """Whether the box that is full is the reject box: one word says it of both."""
    if profile.queries.reject_box is None:
        return False
    return (yield question(profile, profile.queries.reject_box)) == codec.BOX_FULL


def asks(profile: EvolisProfile, commands: Sequence[str], panels: Sequence[Panel]) -> Generator[Ask, None, None]:
    """The commands of an act in order, each made only when it is due: a panel is more than half a megabyte."""
    front = [panel for panel in panels if panel.side == FRONT]
    back = [panel for panel in panels if panel.side == BACK]
    downloaded = False
    for command in commands:
        if command == PANELS_MARK:
            yield from _downloads(profile, front)
            downloaded = True
        elif command == BACK_MARK:
            if back:
                yield from _asks_of_back(profile, back)
        else:
            plain = profile.fitted.command if command == RIBBON_MARK else command
            yield Ask(codec.encode(plain), plain, _timeout_s(plain, profile.timeouts_s, downloaded))


def _asks_of_back(profile: EvolisProfile, panels: Sequence[Panel]) -> Generator[Ask, None, None]:
    """What `@back` stands for. Its commands may wait for the front, which is still being printed."""
    for command in profile.acts.back or ():
        if command == PANELS_MARK:
            yield from _downloads(profile, panels)
        else:
            yield Ask(codec.encode(command), command, _timeout_s(command, profile.timeouts_s, downloaded=True))


def _downloads(profile: EvolisProfile, panels: Sequence[Panel]) -> Generator[Ask, None, None]:
    for panel in panels:
        yield Ask(codec.encode_panel(panel), f"Db;{panel.name};{panel.levels}", profile.timeouts_s.panel)


def _timeout_s(command: str, timeouts: EvolisTimeouts, downloaded: bool) -> float:
    """Sequence commands (S...) move a card; the one after the panels waits until they are printed."""
    if not command.startswith("S"):
        return timeouts.query
    return timeouts.print if downloaded else timeouts.motion


def _value(profile: EvolisProfile, command: str) -> Talk[str]:
    reply = yield question(profile, command)
    condition = codec.fault_of(reply, profile.replies)
    if condition is not None:
        raise DeviceRefused(condition, f"{command}: {reply}")
    return reply


def _text(profile: EvolisProfile, command: str) -> Talk[str]:
    """A name. A bare OK here is a stale reply to something else."""
    reply = yield from _value(profile, command)
    if reply == DONE:
        raise DeviceUnknown("printer_garbled", f"{command}: {reply!r} answers something else")
    return reply


def _counter(profile: EvolisProfile, command: str) -> Talk[int]:
    reply = yield from _value(profile, command)
    value = codec.count(reply)
    if value is None:
        raise DeviceUnknown("printer_garbled", f"{command}: {reply!r} is no number")
    return value


def _ribbon(profile: EvolisProfile) -> Talk[int | None]:
    """Cards left on the ribbon; None when its tag cannot be read."""
    reply = yield question(profile, profile.queries.ribbon_remaining)
    for _ in range(RIBBON_RETRIES):
        if reply != DONE:
            break
        reply = yield question(profile, profile.queries.ribbon_remaining, RIBBON_PAUSE_S)
    return codec.count(reply)
