"""What goes wrong in the soak, and how often: one table. Each act of a printer tempts fate once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.fakes.fast_lane import FastLane
from tools.soak.town import SoakLane, Town

PRINTS = ("print", "print_and_deliver")
MOVES = ("feed", *PRINTS, "to_chip_station", "deliver", "reject")


@dataclass(frozen=True, slots=True)
class Fault:
    """One row."""

    name: str
    share: float  # of the acts it fits to
    acts: tuple[str, ...]
    armed: bool = False  # a trouble of the act itself (tests.fakes.fast_lane); else something happens within the next seconds


FAULTS = (
    Fault("jam", 0.002, MOVES, armed=True),
    Fault("double", 0.003, ("feed",), armed=True),
    Fault("late", 0.002, MOVES, armed=True),
    Fault("power", 0.003, MOVES, armed=True),
    Fault("unplug", 0.003, MOVES, armed=True),
    Fault("misfeed", 0.002, ("feed",)),
    Fault("cable out", 0.001, MOVES),
    Fault("reader lost", 0.002, ("feed", "to_chip_station")),
    Fault("reader hung", 0.002, ("feed", "to_chip_station")),
    Fault("pins blind", 0.003, MOVES),
    Fault("station killed", 0.003, MOVES),
    Fault("whole room dark", 0.003, MOVES),
    Fault("station restarted", 0.0003, MOVES),
    Fault("card pulled out", 0.001, MOVES),
    Fault("card pulled at the last moment", 0.02, ("to_chip_station",)),
    Fault("hold", 0.0002, MOVES),
)
SOON_S = 4.0
BACK_S = (0.5, 6.0)  # until somebody has put it right
SWAPPED = 0.08  # of the dark times: somebody exchanges a printer
TAKEN = 0.05  # of the dark times and lanes: somebody takes out a card and it is never seen again


class Imp:
    """Does it."""

    def __init__(self, town: Town, kill: Callable[[bool], None], restart: Callable[[], None], hold: Callable[[], None]) -> None:
        self._town = town
        self._kill, self._restart, self._hold = kill, restart, hold
        self._rows = {act: [row for row in FAULTS if act in row.acts] for act in MOVES}
        self._happen: dict[str, Callable[[SoakLane], None]] = {
            "cable out": FastLane.unplug, "card pulled out": self._pull_out,
            "reader lost": self._lose_reader, "reader hung": self._hang_reader,
            "pins blind": self._blind, "station killed": lambda _lane: self._kill(False), "hold": lambda _lane: self._hold(),
            "whole room dark": lambda _lane: self._dark(), "station restarted": lambda _lane: self._restart(),
        }  # fmt: skip
        self._printers = 0
        for lane in town.lanes.values():
            lane.mischief = self
            lane.on_trouble = partial(self._troubled, lane)

    def tempt(self, lane: SoakLane, act: str) -> None:
        """An act begins: most of the time nothing happens."""
        chance = self._town.rng.random()
        for row in self._rows[act]:
            chance -= row.share
            if chance < 0:
                self._strike(lane, act, row)
                return

    def while_dark(self) -> None:
        """The station is down: people do things that it does not see."""
        for lane in self._town.lanes.values():
            if lane.motion is not None or lane.inside is None:
                continue
            chance = self._town.rng.random()
            if chance < SWAPPED:
                self._swap_printer(lane)
            elif chance < SWAPPED + TAKEN:
                self._town.faults["card taken away"] += 1
                taken = lane.clear(take_out=True)
                self._town.lost.extend(taken[:1])
                lane.tray.extend(taken[1:])

    def _strike(self, lane: SoakLane, act: str, row: Fault) -> None:
        if row.armed:
            lane.troubles[act] = row.name  # counted when it strikes
        elif row.name == "misfeed":
            self._misfeed(lane)
        elif row.name == "card pulled at the last moment":
            self._town.faults[row.name] += 1
            self._pull_out(lane)
        else:
            self._later(self._town.rng.random() * SOON_S, self._do, lane, row.name)

    def _do(self, lane: SoakLane, name: str) -> None:
        self._town.faults[name] += 1
        self._happen[name](lane)

    def _troubled(self, lane: SoakLane, name: str) -> None:
        """Something of the printer's own happened; power and cable come back by and by."""
        self._town.faults[name] += 1
        if name in ("double", "fed again"):
            lane.gap += 1  # one more left the hopper than the books know of
        elif name in ("power", "unplug"):
            self._later(self._town.spread(*BACK_S), self._back, lane)

    @staticmethod
    def _back(lane: SoakLane) -> None:
        lane.power_on()
        lane.plug()

    def _misfeed(self, lane: SoakLane) -> None:
        lane.misfeeds = self._town.rng.choice((1, 1, 1, 30))

    def _lose_reader(self, lane: SoakLane) -> None:
        self._trouble_reader(lane, "absent")

    def _hang_reader(self, lane: SoakLane) -> None:
        self._trouble_reader(lane, "hung")

    def _trouble_reader(self, lane: SoakLane, trouble: str) -> None:
        if lane.reader is not None:
            lane.reader.trouble = trouble
            self._later(self._town.spread(*BACK_S), self._mend_reader, lane)

    @staticmethod
    def _mend_reader(lane: SoakLane) -> None:
        if lane.reader is not None:
            lane.reader.trouble = ""

    def _blind(self, lane: SoakLane) -> None:
        sensors = lane.sensors
        if sensors is not None and sensors.levels is not None:
            sensors.lose()
            self._later(self._town.spread(*BACK_S), self._see_again, lane)

    @staticmethod
    def _see_again(lane: SoakLane) -> None:
        if lane.sensors is not None and lane.sensors.levels is None:
            lane.sensors.restore()
            lane.show_levels()

    def _dark(self) -> None:
        """Power is lost for the station and all printers at once."""
        self._kill(True)
        for lane in self._town.lanes.values():
            lane.power_off()

    def _swap_printer(self, lane: SoakLane) -> None:
        self._printers += 1
        self._town.faults["printer exchanged"] += 1
        lane.tray.extend(lane.clear(take_out=True))
        lane.replace(f"SN-{lane.name}-{self._printers}")

    @staticmethod
    def _pull_out(lane: SoakLane) -> None:
        """Somebody opens the printer between two motions and takes the card into the hand."""
        if lane.motion is None:
            lane.tray.extend(lane.clear(take_out=True))

    @staticmethod
    def _later(seconds: float, work: Callable[..., None], *args: object) -> None:
        asyncio.get_running_loop().call_later(seconds, work, *args)
