"""The simulated station: the one place that joins world, lanes, front panel, display and wires."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from hwsim import report
from hwsim.clock import Clock
from hwsim.config import DeskConfig, SimConfig
from hwsim.desk import Desk
from hwsim.devices.display import Display
from hwsim.devices.pins import FrontPanel
from hwsim.errors import SimError
from hwsim.lane import Lane
from hwsim.pictures import Pictures
from hwsim.profiles import PROFILES, load_chip, load_printer
from hwsim.wires.pty import DisplayPty
from hwsim.wires.usbip import UsbIpServer
from hwsim.world import World

Tell = Callable[[str], None]


class SimStation:
    """Everything simulated. `run` opens the wires, serves, and closes everything."""

    def __init__(self, config: SimConfig, clock: Clock, pictures: Path | None, tell: Tell, profiles: Path = PROFILES) -> None:
        """`tell` gets one line for each thing that happens, without personal data. Raises SimError for a bad profile."""
        self.config, self.clock, self.tell = config, clock, tell
        self.world = World(config.seed)
        self.usb = UsbIpServer(config.usbip.host, config.usbip.port)
        self.lanes = {row.name: self._lane(row.name, profiles) for row in config.lanes}
        self.panel = FrontPanel(self.lanes[config.front_panel.lane].bank, config.front_panel.pins, clock.now_s)
        self.desk = None if config.desk is None else self._desk(config.desk, profiles)
        self.display = Display()
        self.pty = DisplayPty(config.display, self.display.feed)
        self._pictures = None if pictures is None else Pictures(pictures)
        self._twins: dict[str, tuple[str, asyncio.Task[None]]] = {}  # lane -> bus id and life of a printer with its serial
        self._starting: dict[str, asyncio.Task[None]] = {}  # printers that have power and are not up yet, by lane
        self._background: set[asyncio.Task[None]] = set()
        self.open, self.stopping = asyncio.Event(), asyncio.Event()
        self._started_s = clock.now_s()
        self._group: asyncio.TaskGroup | None = None
        for row in config.lanes:
            if row.hopper_blanks:
                self.lanes[row.name].load(row.hopper_blanks, frozenset())

    def _lane(self, name: str, profiles: Path) -> Lane:
        row = next(row for row in self.config.lanes if row.name == name)
        both = load_printer(row.printer_profile, profiles), load_chip(row.chip_profile, profiles)
        return Lane(row, self.world, self.clock, both, self.usb, self._finished)

    def _desk(self, config: DeskConfig, profiles: Path) -> Desk:
        return Desk(config, self.world, self.clock, load_chip(config.chip_profile, profiles))

    async def run(self, ready: Callable[[], None]) -> None:
        """Open every wire, call `ready`, and serve until `stopping` is set. Raises SimError when a wire cannot be opened."""
        try:
            async with asyncio.TaskGroup() as self._group:
                await self._open()
                for lane in self.lanes.values():
                    self.switch_on(lane)
                self.open.set()
                ready()
                await self.stopping.wait()
                await self._close_wires()
                for task in self._background:
                    task.cancel()
        finally:
            await self._close_wires()
            if self._pictures is not None:
                await self._pictures.finish()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something in the background while the station runs; its failure ends the station, loudly."""
        assert self._group is not None
        task = self._group.create_task(work, name="background")
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    def lane(self, name: str | None) -> Lane:
        """The lane of that name; without a name the first. Raises SimError."""
        lane = self.lanes.get(name if name is not None else next(iter(self.lanes)))
        if lane is None:
            raise SimError(f"there is no lane {name!r}; there are: {', '.join(self.lanes)}")
        return lane

    @property
    def desk_reader(self) -> Desk:
        """The desk reader. Raises SimError when there is none."""
        if self.desk is None:
            raise SimError("this station has no desk reader: its hw-sim.toml has no [desk_reader]")
        return self.desk

    # Power and plugs

    def switch_on(self, lane: Lane) -> None:
        """The lane's printer is up."""
        assert self._group is not None
        lane.switch_on(self._group)

    def power_printer(self, lane: Lane, on: bool) -> None:
        """Switch a printer; switched on, it shows up on USB after the time it needs to start."""
        starting = self._starting.pop(lane.config.name, None)
        if starting is not None:
            starting.cancel()
        if not on:
            lane.switch_off()
        elif not lane.powered:
            self._starting[lane.config.name] = self.spawn(self._start_printer(lane))

    async def _start_printer(self, lane: Lane) -> None:
        await self.clock.motion(lane.profile.timing_s["reset"])
        self.switch_on(lane)

    def power_pins(self, lane: Lane, on: bool) -> None:
        """Kill or start the pin server of a lane; the levels stay."""
        self.spawn(self._start_pins(lane) if on else lane.gpio.close())

    async def _start_pins(self, lane: Lane) -> None:
        await lane.gpio.close()
        await lane.gpio.start()

    def power_display(self, on: bool) -> None:
        """Take the display away or bring it back, cleared as after power-on."""
        self.pty.close()
        if on:
            self.display.clear()
            self.pty.start()

    def add_twin(self, lane: Lane, busid: str) -> None:
        """A second printer with the lane's serial appears on another bus id."""
        if lane.config.name in self._twins:
            raise SimError(f"lane {lane.config.name} has a twin printer already; take it away with twin_gone")
        twin = lane.twin()
        try:
            self.usb.plug(busid, twin)
        except ValueError as error:
            raise SimError(f"a twin printer cannot be plugged in at {busid!r}: {error}") from error
        self._twins[lane.config.name] = busid, self.spawn(twin.run())

    def drop_twin(self, lane: Lane) -> None:
        """The second printer goes; without one nothing happens."""
        busid, life = self._twins.pop(lane.config.name, (None, None))
        if busid is not None and life is not None:
            self.usb.unplug(busid)
            life.cancel()

    # The truth

    def world_json(self, brief: bool = False) -> dict[str, Any]:
        """The whole truth; in brief without file contents, untouched files, the times of cards and the history of lamps."""
        world = self.world
        truth: dict[str, Any] = {
            "format": 1,
            "now_s": round(self.clock.now_s() - self._started_s, 6),
            "speed": self.clock.speed,  # null is max
            "totals": report.totals_json(world),
            "blanks": [report.blank_json(blank, world, brief) for blank in world.all()],
            "lanes": [report.lane_json(lane, world) for lane in self.lanes.values()],
            "desk": None if self.desk is None else {"blank": self.desk.blank},
            "lamps": dict(self.panel.lamps),
            "display": list(self.display.lines),
        }
        if brief:
            return truth
        for row, lane in zip(truth["lanes"], self.lanes.values(), strict=True):
            row["cards"] = [report.card_json(card, self._started_s) for card in lane.meter.finished]
        history = [{"at_s": round(c.at_s - self._started_s, 6), "lamp": c.lamp, "lit": c.lit} for c in self.panel.history]
        return {**truth, "lamp_history": history, "pictures_skipped": 0 if self._pictures is None else self._pictures.skipped}

    def ports_json(self) -> dict[str, Any]:
        """Where the wires are, once they are open."""
        return {
            "ready": True,
            "usbip": f"{self.config.usbip.host}:{self.usb.port}",
            "control": str(self.config.control),
            "display": str(self.config.display),
            "desk": None if self.config.desk is None else f"{self.config.desk.vpcd.host}:{self.config.desk.vpcd.port}",
            "lanes": [
                {
                    "name": lane.config.name,
                    "busid": lane.config.busid,
                    "gpio": None if lane.config.gpio is None else f"{lane.config.gpio.host}:{lane.gpio_port}",
                    "vpcd": f"{lane.config.vpcd.host}:{lane.config.vpcd.port}",
                }
                for lane in self.lanes.values()
            ],
        }

    async def _open(self) -> None:
        try:
            self.config.display.parent.mkdir(parents=True, exist_ok=True)
            self.pty.start()
            await self.usb.start()
            for lane in self.lanes.values():
                await lane.start()
            if self.desk is not None:
                await self.desk.start()
        except OSError as error:
            raise SimError(f"a wire cannot be opened: {error}") from error

    async def _close_wires(self) -> None:
        for lane in self.lanes.values():
            lane.switch_off()
            await lane.close()
        if self.desk is not None:
            await self.desk.close()
        await self.usb.close()
        self.pty.close()

    def _finished(self, blank: str) -> None:
        """A card is in a bin: keep its picture if it was used, and only the hashes of its dots."""
        one = self.world.blank(blank)
        used = one.printed or one.chip.written_bytes
        if self._pictures is not None and used:
            self._pictures.add(blank, list(one.printed), report.blank_json(one, self.world))
        self.world.drop_dots(blank)
        self.tell(f"{blank} is in {self.world.where(blank).spot} of lane {self.world.where(blank).lane}")
