"""When a fault happens: at once, with a command the printer receives (`at=Se`, `at=Db;m`), with the N-th from now (`after=N`),
and `delay=SECONDS` of device time after that moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hwsim.devices.usb_printer import Spoken
from hwsim.errors import SimError
from hwsim.faults import FAULTS, MAX_NUMBER, Values
from hwsim.lane import Lane
from hwsim.station import SimStation

_WHEN = {"at": "", "after": 0, "delay": 0.0}


def arm(station: SimStation, name: str, lane: str | None, given: Mapping[str, str]) -> str:
    """Let a fault happen, now ("done") or when its moment comes ("armed"). Raises SimError for what does not exist."""
    return plan(station, name, lane, given)()


def plan(station: SimStation, name: str, lane: str | None, given: Mapping[str, str]) -> Callable[[], str]:
    """What `arm` does, to be called later. Raises SimError at once for what does not exist, and the call for what cannot be."""
    fault = FAULTS.get(name)
    if fault is None:
        raise SimError(f"there is no fault {name!r}; there are: {', '.join(sorted(FAULTS))}")
    return partial(_begin, station, station.lane(lane), name, _values(name, {**fault.takes, **_WHEN}, given))


def _begin(station: SimStation, where: Lane, name: str, values: Values) -> str:
    if not values["at"] and not values["after"] and not values["delay"]:
        FAULTS[name].act(station, where, values)
        return "done"

    def happen() -> None:
        if values["delay"]:
            station.spawn(_later(station, where, name, values))
        else:
            _act(station, where, name, values)

    if values["at"] or values["after"]:
        watchers = where.printer.on_command
        watchers.append(_Trigger(watchers, values["at"], values["after"], happen))
    else:
        happen()
    return "armed"


@dataclass(eq=False, slots=True)
class _Trigger:
    """Waits among a printer's watchers for its command, and then leaves them."""

    watchers: list[Callable[[Spoken], None]]
    at: str
    left: int
    happen: Callable[[], None]

    def __call__(self, command: Spoken) -> None:
        if self.at and not (command.text == self.at or command.text.startswith(self.at + ";")):
            return
        self.left -= 1
        if self.left <= 0:
            self.watchers.remove(self)
            self.happen()


async def _later(station: SimStation, lane: Lane, name: str, values: Values) -> None:
    await station.clock.motion(values["delay"])
    _act(station, lane, name, values)


def _act(station: SimStation, lane: Lane, name: str, values: Values) -> None:
    """Do it; nobody waits for an answer any more, so a refusal is only told."""
    try:
        FAULTS[name].act(station, lane, values)
    except SimError as refused:
        station.tell(f"fault {name} did not happen: {refused}")
    else:
        station.tell(f"fault {name} happened on lane {lane.config.name}")


def _values(name: str, takes: Values, given: Mapping[str, str]) -> dict[str, Any]:
    unknown = sorted(set(given) - set(takes))
    if unknown:
        raise SimError(f"fault {name} does not take {unknown[0]!r}; it takes: {', '.join(takes)}")
    return {key: _value(f"fault {name}: {key}", default, given.get(key)) for key, default in takes.items()}


def _value(place: str, default: Any, text: str | None) -> Any:
    """The text as a value of the default's kind."""
    if text is None or isinstance(default, str):
        return default if text is None else text
    if isinstance(default, bool):
        if text not in ("yes", "no"):
            raise SimError(f"{place} must be yes or no, not {text!r}")
        return text == "yes"
    try:
        value = type(default)(text)
    except ValueError as error:
        raise SimError(f"{place} must be a number, not {text!r}") from error
    if not 0 <= value <= MAX_NUMBER:
        raise SimError(f"{place} must be from 0 to {MAX_NUMBER}, not {text}")
    return value
