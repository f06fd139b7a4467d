"""What a Magicard's answers mean for the station. Pure. Facts: printers.md 4.2, 4.3.

A printer never says where a card is: its counters and its error pair are all there is.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.conditions import UNDESCRIBED
from controller.errors import DeviceRefused, DeviceUnknown
from controller.hal.magicard.codec import NO_ERROR, Info, Status
from controller.hal.profiles.printer import MagicardProfile
from controller.hal.usb.port_status import Port, shown, why_silent
from controller.model import CardPosition, PrinterCare, PrinterIdentity, PrinterWitness


@dataclass(frozen=True, slots=True)
class View:
    """One look at the printer: ERR and, right after it, INF."""

    status: Status
    info: Info


def identity_of(info: Info) -> PrinterIdentity:
    """Who answered."""
    return PrinterIdentity(info.model, info.firmware, info.serial)


def witness_of(info: Info) -> PrinterWitness:
    """The counters as the passage wants them."""
    return PrinterWitness(CardPosition.UNTOLD, info.cards, info.panels, info.shots_left)


def care_of(info: Info, profile: MagicardProfile) -> PrinterCare:
    """Cards until the printer wants to be cleaned (None when it never does), and the settings of the profile."""
    every = info.cards_between_cleans
    settings = {name: info.fields[int(number)] for name, number in profile.settings.items() if int(number) < len(info.fields)}
    return PrinterCare(every - info.cards_since_clean if every else None, settings)


def condition_of(status: Status, profile: MagicardProfile) -> str | None:
    """The condition that an error pair stands for; None when there is no error. A pair nobody knows is UNDESCRIBED."""
    return None if status.pair == NO_ERROR else profile.errors.get(status.pair, UNDESCRIBED)


def refusal_of(view: View, profile: MagicardProfile, port: Port) -> DeviceRefused | None:
    """Why no job can be sent now; None when it can."""
    condition = condition_of(view.status, profile)
    if condition is not None:
        return DeviceRefused(condition, view.status.text)
    silent = why_silent(port)
    if silent is not None:
        return DeviceRefused(silent, f"{shown(port)}, and yet: {view.status.text}")
    return None


def printed(before: Info, now: Info) -> bool:
    """Whether exactly one card was printed meanwhile. DeviceUnknown when the counter says something else."""
    if now.cards not in (before.cards, before.cards + 1):
        raise DeviceUnknown("print_unproven", f"the counter of cards went from {before.cards} to {now.cards} during one card")
    return now.cards == before.cards + 1


def cleaned(before: Info, now: Info) -> bool:
    """Whether a cleaning cycle was run meanwhile."""
    return now.cleans > before.cleans
