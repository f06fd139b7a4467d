"""The commands of the control socket: what a person, a test or the weather does to the simulated station.

A handler takes the request and returns what is added to {"ok": true}; SimError refuses.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from hwsim import hands, processes
from hwsim.arming import plan
from hwsim.desk import NAME as DESK
from hwsim.devices.pins import BUTTONS
from hwsim.errors import SimError
from hwsim.exchanges import MOMENTS, WIRES, Exchanges
from hwsim.lane import Lane
from hwsim.report import exchanges_json
from hwsim.station import SimStation
from hwsim.world import Spot

Request = Mapping[str, Any]
Reply = dict[str, Any]
MAX_PRESS_MS = 600_000  # ten minutes: longer is a typing mistake
MAX_PID = 1 << 22  # of Linux
MAX_AHEAD = 10_000_000  # exchanges: more than a station makes in months
TAKEN_FROM = {"bin": Spot.OUTPUT, "reject": Spot.REJECT, "printer": Spot.INSIDE, "hopper": Spot.HOPPER}
TAKEN_FROM |= {"reader": Spot.READER}
STOP = "stop"
ACTS = ("kill", "pcscd", "fault")  # what a trigger does


class Orders:
    """Carries out the commands, by name."""

    def __init__(self, station: SimStation) -> None:
        self._station = station
        self.commands: dict[str, Callable[[Request], Awaitable[Reply]]] = {
            "world": self._world,
            "press": self._press,
            "load": self._load,
            "take": self._take,
            "put": self._put,
            "fault": self._fault,
            "trigger": self._trigger,
            "exchanges": self._exchanges,
            "power": self._power,
            STOP: self._stop,
        }

    async def _world(self, request: Request) -> Reply:
        return {"world": self._station.world_json(brief=_flag(request, "brief"))}

    async def _press(self, request: Request) -> Reply:
        milliseconds = _number(request, "ms", 100, MAX_PRESS_MS)
        await self._station.panel.press(_word(request, "button", BUTTONS), milliseconds / 1000)
        return {}

    async def _load(self, request: Request) -> Reply:
        dead = request.get("dead_at", [])
        if not isinstance(dead, list) or not all(type(number) is int for number in dead):
            raise SimError("dead_at must be a list of whole numbers")
        blanks = self._lane(request).load(_number(request, "count", None, 1_000_000), frozenset(dead))
        return {"blanks": blanks}

    async def _take(self, request: Request) -> Reply:
        where = _word(request, "where", (*TAKEN_FROM, DESK))
        if where == DESK:
            return {"blanks": self._station.desk_reader.clear()}
        return {"blanks": self._lane(request).take(TAKEN_FROM[where])}

    async def _put(self, request: Request) -> Reply:
        where = _word(request, "where", tuple(hands.PUT_TO))
        return {"blank": hands.put(self._station, str(request.get("blank")), where, self._lane(request))}

    async def _fault(self, request: Request) -> Reply:
        return {"fault": self._plan(request)()}

    async def _power(self, request: Request) -> Reply:
        lane, state = self._lane(request), _word(request, "state", ("off", "on", "cycle"))
        switch: dict[str, Callable[[bool], None]] = {
            "printer": lambda on: self._station.power_printer(lane, on),
            "pins": lambda on: self._station.power_pins(lane, on),
            "display": self._station.power_display,
        }
        act = switch[_word(request, "device", tuple(switch))]
        for on in {"off": (False,), "on": (True,), "cycle": (False, True)}[state]:
            act(on)
        return {}

    async def _stop(self, _request: Request) -> Reply:
        self._station.stopping.set()
        return {}

    # What happens at an exchange

    async def _trigger(self, request: Request) -> Reply:
        exchanges = self._wires(request)
        if _flag(request, "clear"):
            exchanges.clear()
            return {}
        wire, when = _word(request, "wire", WIRES), _word(request, "when", MOMENTS)
        ahead, nth = _number(request, "at", None, MAX_AHEAD), _number(request, "nth", 1, MAX_AHEAD)
        trigger = exchanges.arm(wire, ahead, when, self._act(request), str(request.get("start", "")), nth)
        return {"trigger": trigger.id}

    async def _exchanges(self, request: Request) -> Reply:
        named = {name: lane.exchanges for name, lane in self._station.lanes.items()}
        if self._station.desk is not None:
            named[DESK] = self._station.desk.exchanges
        if "record" in request:
            for exchanges in named.values():
                exchanges.record(_flag(request, "record"))
        return {"exchanges": {name: exchanges_json(exchanges) for name, exchanges in named.items()}}

    def _act(self, request: Request) -> Callable[[], object]:
        """What a trigger is to do: one act with its values beside it, or a list of such acts, done in order."""
        what = request.get("do")
        if isinstance(what, list):
            acts = [self._act({**request, **one}) for one in what if isinstance(one, dict) and isinstance(one.get("do"), str)]
            if not 0 < len(acts) == len(what):
                raise SimError("do must be one of kill, pcscd, fault, or a list of objects that each have such a 'do'")
            return partial(_all, acts)
        kind = _word(request, "do", ACTS)
        if kind == "fault":
            return self._plan(request)
        number = _number(request, "signal", int(signal.SIGKILL), int(signal.SIGRTMAX))
        if kind == "pcscd":
            return partial(processes.signal_pcscd, number)
        return partial(processes.send_signal, _number(request, "pid", None, MAX_PID), number)

    def _plan(self, request: Request) -> Callable[[], str]:
        given = request.get("values", {})
        if not isinstance(given, dict):
            raise SimError("values must be an object")
        texts = {str(key): str(value) for key, value in given.items()}
        return plan(self._station, str(request.get("name")), self._lane(request).config.name, texts)

    def _lane(self, request: Request) -> Lane:
        name = request.get("lane")
        return self._station.lane(None if name is None else str(name))

    def _wires(self, request: Request) -> Exchanges:
        if request.get("lane") == DESK:
            return self._station.desk_reader.exchanges
        return self._lane(request).exchanges


def _all(acts: list[Callable[[], object]]) -> None:
    for act in acts:
        act()


def _word(request: Request, key: str, allowed: tuple[str, ...]) -> str:
    word = request.get(key)
    if word not in allowed:
        raise SimError(f"{key} must be one of {', '.join(allowed)}, not {word!r}")
    return str(word)


def _number(request: Request, key: str, default: int | None, most: int) -> int:
    number = request.get(key, default)
    if type(number) is not int or not 1 <= number <= most:
        raise SimError(f"{key} must be a whole number from 1 to {most}, not {number!r}")
    return number


def _flag(request: Request, key: str) -> bool:
    flag = request.get(key, False)
    if type(flag) is not bool:
        raise SimError(f"{key} must be true or false, not {flag!r}")
    return flag
