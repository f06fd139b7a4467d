"""What an Evolis printer tells when it is asked (printers.md 3.3, 3.5): the whole command text -> the reply.

Where the facts give a query without its answer, the answer here is ours (E).
"""

from __future__ import annotations

from collections.abc import Callable

from hwsim.devices.evolis_machine import Machine
from hwsim.world import Station

OK, UNKNOWN, BAD_PARAMETER, NO_OPTION = "OK", "ERROR CDE", "ERROR PARAMETRES", "OPT NOT AVAILABLE"
_CLEANING = "NEED CLEANING"
Query = Callable[[Machine], str]

_POSITIONS = {None: OK, Station.PRINT: "CARD", Station.CONTACT: "SMART CARD", Station.CONTACTLESS: "CONTACTLESS CARD"}
_OPEN, _SHUT, _FULL, _NONE = "0,00 Volts", "5,00 Volts", "5,00 Volts", "0,00 Volts"
_NEAR_EMPTY, _FINE = "3,92 Volts", "0,17 Volts"
_NEAR_EMPTY_AT = 10  # blanks; where the real near-empty sensor sits is not public (E)


def _near_empty(m: Machine) -> str:
    return _NEAR_EMPTY if m.mechanics.hopper_blanks <= _NEAR_EMPTY_AT else _FINE


def _until_cleaning(m: Machine) -> str:
    return str(max(0, m.mechanics.care.every_cards - m.mechanics.care.cards))


def _cleaning(m: Machine) -> str:
    return _CLEANING if m.mechanics.care.due else OK


def _tag(value: Query) -> Query:
    """A value from the ribbon's tag."""
    return lambda m: value(m) if m.mechanics.ribbon.readable else "ERR RIB DETECTION"


# Queries: the whole command text -> the reply.
QUERIES: dict[str, Query] = {
    "Rok": lambda _: OK,
    "Rtp": lambda m: m.identity.model,
    "Rfv": lambda m: m.identity.firmware,
    "Rsn": lambda m: m.identity.serial,
    "Rkn": lambda m: m.identity.head_kit,
    "Rck": lambda _: "0000",
    "Rmac": lambda _: NO_OPTION,
    "Rip": lambda _: NO_OPTION,
    "Rco;p": lambda m: str(m.mechanics.panels_printed),
    "Rco;c": lambda m: str(m.mechanics.cards_fed),
    "Rco;a": lambda m: str(m.mechanics.care.every_cards),
    "Rco;m": lambda m: str(m.mechanics.care.every_cards),
    "Rco;n": lambda m: str(m.mechanics.care.cleanings),
    "Rco;r": _until_cleaning,
    "Rco;rc": _until_cleaning,
    "Rcsc;other": _until_cleaning,  # Primacy 2
    "Rco;l": lambda m: str(m.mechanics.ribbon.tag.value),
    "Rr": lambda m: m.settings.ribbon,
    "Rcr": lambda m: OK if m.mechanics.ribbon.remaining else "ERROR RIBBON",
    "Rrt;zone": _tag(lambda _: "0"),
    "Rrt;qty": _tag(lambda m: str(m.mechanics.ribbon.capacity)),
    "Rrt;count": _tag(lambda m: str(m.mechanics.ribbon.tag.value)),
    "Rzp": lambda _: "0",
    "Rlr;p": lambda m: _POSITIONS[m.mechanics.station],
    "Rlr;c": _cleaning,
    "Rlr;r": _cleaning,
    "Rlr;h": lambda m: "CARD" if m.mechanics.reject_full else "NO CARD",
    "Rse;f": lambda m: _FULL if m.mechanics.hopper_blanks else _NONE,
    "Rse;n": _near_empty,
    "Rse;o": lambda m: _OPEN if m.mechanics.troubles.cover_open else _SHUT,
    "Rse;b": lambda _: "0,20 Volts",
    "Rse;M": lambda _: "0,20 Volts",
    "Rem": lambda m: f"{m.settings.error_mode};{m.saved_error_mode}",  # the separator is ours (E)
    "Rmi": lambda m: m.settings.stored.get("Pmi", "F").removesuffix(";s"),
    "Rsm": lambda _: "0",
}
