"""The composition root: the one place that joins concrete parts into a station, and starts and stops them.

Read it downwards: `run` builds a station from its setup and runs it until told to stop; `_Parts` holds the parts.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sqlite3
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from controller import desk, lane_parts
from controller.cards.panel_file import read_panel_file
from controller.cards.renderer import Renderer
from controller.chip_contents import chip_contents
from controller.clock import monotonic_s, wall_us
from controller.conditions import CONDITIONS
from controller.desk_reader import DeskReader
from controller.errors import RendererFailed, StoreBroken
from controller.hal.chip.station import PcscChipStation
from controller.hal.display import VfdDisplay
from controller.hal.pins.front_panel import GpioFrontPanel, PanelPins
from controller.hal.pins.pin_source import PinSource
from controller.hal.serial_link import SerialLink
from controller.http import api as http_api
from controller.http.api import Backend
from controller.http.server import HttpServer, listen
from controller.intake import Intake
from controller.jobs import care_acts, events, incidents, journal, ledger, questions, queue, ribbons
from controller.jobs.lane_links import LaneLinks
from controller.jobs.lane_worker import LaneWorker
from controller.jobs.runner import Result
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.jobs.upkeep import Upkeep
from controller.jobs.verdict import Ruling
from controller.jobs.workshop import Workshop
from controller.key_holder import KeyHolders
from controller.log_keeper import LogKeeper
from controller.metrics import Metrics
from controller.model import LaneProfile, LaneStatus, OpenQuestion
from controller.notify import Notifier
from controller.setup import LaneSetup, Setup
from controller.staff import Staff
from controller.station import Counts, Station

logger = logging.getLogger(__name__)

BEAT_S = 0.5  # how often the loop proves that it turns
BEATS_KEPT = 120  # lateness is the worst of the last minute
COUNT_PAUSE_S = 0.2  # jobs are counted at most five times a second, however fast they come


async def run(setup: Setup) -> None:
    """Run the station until SIGTERM or SIGINT; the card in hand is finished first. Raises StationError."""
    config = setup.config
    store = await Store.open(config.station.state_dir)  # first: its lock keeps a second daemon off the sockets of the first
    station = _Parts(setup, store)
    try:
        await station.log.begin()
        server = HttpServer(http_api.build(station.backend), listen(config.http.listen))
        station.warn_of_unproven_profiles()
        await station.recover()
        await _run_tasks(station, server)
        await station.log.finish()
        station.upkeep.raise_damage()
    finally:
        await station.close()
        await store.close()


async def _run_tasks(station: _Parts, server: HttpServer) -> None:
    notifier, told_to_stop = Notifier(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve(), name="http")
        helpers = [group.create_task(work, name=name) for name, work in station.helpers(notifier, told_to_stop.set)]
        workers = [group.create_task(worker.run(), name=f"lane {worker.status.name}") for worker in station.workers]
        await server.started()
        notifier.ready()
        await told_to_stop.wait()
        notifier.stopping()
        station.stop()
        await asyncio.wait(workers)
        server.stop()
        await serving
        for helper in helpers:
            helper.cancel()


@dataclass(frozen=True, slots=True)
class _Lane:
    """The concrete parts of one lane that need supervising or closing."""

    worker: LaneWorker
    pins: PinSource | None
    chip: PcscChipStation


class _Parts:
    """Everything a running station consists of."""

    def __init__(self, setup: Setup, store: Store) -> None:
        config = setup.config
        self._setup = setup
        self._store = store
        self._spool = Spool(config.station.state_dir / "spool", config.station.reserve_mb * 1024 * 1024)
        self._station = Station(config.station.name, [lane.table.name for lane in setup.lanes])
        self._station.set_profiles({
            lane.table.name: LaneProfile(lane.printer.name, lane.printer.model, lane.printer.unproven) for lane in setup.lanes
        })  # fmt: skip
        self._metrics = Metrics(lambda: self._station.snapshot)
        self._recount = asyncio.Event()
        self.log = LogKeeper(store, config.station.name, self._spool.has_room, self._recount.set)
        self.upkeep = Upkeep(store, self._spool, self._storage_failed)
        self._taken: set[int] = set()
        self._renderers = {
            lane.drawing: Renderer(lane.raster, layout=config.station.layout, icc=lane.table.printer.icc) for lane in setup.lanes
        }
        self._holders = KeyHolders.of(config)
        self._lanes = [self._build_lane(lane) for lane in setup.lanes]
        self._panel_pins = PinSource(config.front_panel.gpio)
        self._panel = GpioFrontPanel(self._panel_pins, PanelPins(**config.front_panel.pins.model_dump()))
        self._display = VfdDisplay(SerialLink(config.display.port, config.display.baud, "display_absent"))
        self._conditions: dict[str, str | None] = {}
        self._staff = Staff(self._station, store, self.workers, config.station.max_remakes, self._changed)
        self._desk_reader = self._build_desk_reader()
        self._join_desk()

    @property
    def workers(self) -> Sequence[LaneWorker]:
        """One per lane."""
        return [lane.worker for lane in self._lanes]

    @property
    def backend(self) -> Backend:
        """What the HTTP routes act on."""
        intake = Intake(self._store, self._spool, next(iter(self._renderers.values())), self._setup.centre_keys,
                        self._setup.chip_max_bytes, self._job_arrived, self._setup.signature)  # fmt: skip
        return Backend(
            store=self._store, intake=intake, metrics=self._metrics, snapshot=lambda: self._station.snapshot,
            lanes=tuple(lane.table.name for lane in self._setup.lanes), max_remakes=self._setup.config.station.max_remakes,
            changed=self._changed, hold_or_go=self._staff.hold_or_go,
            healthy=lambda: {f"lane {worker.status.name}": worker.alive for worker in self.workers},
            ribbon_sets={lane.table.name: lane.printer.fitted.capacity_cards for lane in self._setup.lanes},
        )  # fmt: skip

    async def recover(self) -> None:
        """After whatever ended the last run: mark what nobody can know, take up HOLD, count."""
        for passage in await self._store.transact(journal.suspect_all):
            facts = {"passage": passage.id, "job": passage.job_id, "lane": passage.lane, "reason": passage.reason}
            logger.warning("passage unknown", extra={"facts": facts})
        await self._store.transact(care_acts.forget_asked)
        lanes = [lane.table.name for lane in self._setup.lanes]
        for passage in await self._store.transact(questions.ask_about_lost_lanes, lanes):
            logger.warning("lane is gone: a person is asked", extra={"facts": {"passage": passage.id, "lane": passage.lane}})
        self._station.set_held(held=await self._store.read(journal.held_flag))
        await self._count()

    def warn_of_unproven_profiles(self) -> None:
        """Say which parts of the printers' and chips' profiles nobody has seen on real hardware."""
        for lane in self._setup.lanes:
            for name, parts in ((lane.printer.name, lane.printer.unproven), (lane.chip.name, lane.chip.unproven)):
                if parts:
                    facts = {"lane": lane.table.name, "profile": name, "parts": list(parts)}
                    logger.warning("profile not proven on real hardware", extra={"facts": facts})

    def helpers(self, notifier: Notifier, stop: Callable[[], None]) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """The tasks that run beside the lanes, by name. The death of any of them stops the station."""
        pins = [(f"pins {lane.worker.status.name}", lane.pins.run()) for lane in self._lanes if lane.pins is not None]
        return [
            *pins,
            ("pins panel", self._panel_pins.run()),
            ("display", self._display.run()),
            ("buttons", self._staff.run()),
            *([("desk reader", self._desk_reader.run())] if self._desk_reader is not None else []),
            ("count", self._keep_counting()),
            ("event log", self.log.run()),
            ("beat", self._beat()),
            ("watchdog", self._feed_watchdog(notifier)),
            ("sweep", self._sweep()),
            ("storage", self.upkeep.watch()),
            ("upkeep", self.upkeep.run(stop)),
            ("renderers", self._warm_renderers()),
        ]

    def stop(self) -> None:
        """Finish the cards in hand, feed no more."""
        logger.info("stopping")
        self._station.set_stopping()
        for worker in self.workers:
            worker.stop()

    async def close(self) -> None:
        """Let go of what the workers do not own, all at once: each takes some seconds at most, also if it hangs."""
        desk = [] if self._desk_reader is None else [self._desk_reader.close()]
        await asyncio.gather(*(lane.chip.close() for lane in self._lanes), *desk, asyncio.to_thread(self._holders.close))
        for renderer in self._renderers.values():
            await renderer.close()

    def _build_desk_reader(self) -> DeskReader | None:
        table, profile = self._setup.config.desk_reader, self._setup.desk_chip
        if table is None or profile is None:
            return None
        chip = lane_parts.chip_station(profile, table, self._holders, self._setup.signature_of(profile))
        return DeskReader(chip, self._store, self._station, self._setup.config.station.max_remakes, self._changed)

    def _build_lane(self, lane: LaneSetup) -> _Lane:
        name, config = lane.table.name, self._setup.config.station
        signature = self._setup.signature_of(lane.chip)
        parts = lane_parts.build(lane, self._holders, signature, partial(self._metrics.chip_phase_over, name))
        workshop = Workshop(self._store, self._spool, self._renderers[lane.drawing], config.state_dir / "rendered" / name,
                            read_panel_file, partial(chip_contents, lane.chip, signature), self._taken)  # fmt: skip
        worker = LaneWorker(name, parts.devices, self._store, self._spool, workshop,
                            lane_parts.policy(lane, config), self._links(name))  # fmt: skip
        parts.sensors.on_change(worker.wake)
        return _Lane(worker, parts.pins, parts.chip)

    def _links(self, lane: str) -> LaneLinks:
        return LaneLinks(
            is_held=lambda: self._station.snapshot.held,
            panel_up=lambda: self._panel.trusted,
            status=self._lane_changed,
            stage_took=lambda stage, seconds: self._metrics.stage_took(lane, stage, seconds),
            passage_over=lambda result: self._passage_over(lane, result),
            ruled=lambda ruling: self._ruled(lane, ruling),
        )

    def _join_desk(self) -> None:
        self._panel.on_press(self._staff.pressed)
        self._panel.on_change(self._desk_changed)
        self._display.on_change(self._desk_changed)
        self._station.listen(lambda snapshot: self._panel.set_lamps(desk.lamps(snapshot)))
        self._station.listen(lambda snapshot: self._display.show(*desk.lines(snapshot)))
        self._station.listen(self.log.look_at)

    def _desk_changed(self) -> None:
        self._station.desk_changed(panel_up=self._panel.trusted, display_up=self._display.up)

    def _job_arrived(self) -> None:
        self._recount.set()
        for worker in self.workers:
            worker.job_arrived()

    def _changed(self) -> None:
        self._recount.set()
        for worker in self.workers:
            worker.wake()

    def _storage_failed(self, error: StoreBroken) -> None:
        logger.critical("storage failed", extra={"facts": {"reason": error.problem.code, "text": str(error)}})
        for worker in self.workers:
            self._lane_changed(replace(worker.status, condition="store_failed", detail=str(error)))

    def _lane_changed(self, status: LaneStatus) -> None:
        if status.condition != self._conditions.get(status.name):
            self._conditions[status.name] = status.condition
            text = "" if status.condition is None else CONDITIONS[status.condition].en
            facts = {"lane": status.name, "condition": status.condition, "text": text, "detail": status.detail}
            logger.info("lane condition", extra={"facts": facts})
        self._station.lane_changed(status)
        self._recount.set()

    def _passage_over(self, lane: str, result: Result) -> None:
        if result.passage_id is None:
            return
        outcome = "unknown" if result.verdict is None else result.verdict.value
        self._metrics.passage_over(lane, outcome)
        facts = {
            "lane": lane,
            "passage": result.passage_id,
            "outcome": outcome,
            "reason": result.condition,
            "detail": result.detail,
        }
        logger.info("passage over", extra={"facts": facts})
        self.log.passage_over()
        self._recount.set()

    def _ruled(self, lane: str, ruling: Ruling) -> None:
        facts = {"lane": lane, "row": ruling.row, "answer": ruling.answer, "condition": ruling.condition}
        logger.warning("verdict", extra={"facts": facts})
        self._metrics.ruled(lane, ruling.answer)
        self._recount.set()

    async def _keep_counting(self) -> None:
        while True:
            await self._recount.wait()
            self._recount.clear()
            await self._count()
            await asyncio.sleep(COUNT_PAUSE_S)

    async def _count(self) -> None:
        counts, asked, head = await self._store.read(lambda db: (self._read_counts(db), questions.open_all(db), events.head(db)))
        self._station.counted(*counts)
        self._station.log_moved(head)
        self._station.asked([OpenQuestion(q.id, q.passage.lane, q.kind, q.passage.job_id, q.passage.id) for q in asked])

    async def _warm_renderers(self) -> None:
        """Start the drawing children now, so that the first record does not wait for numpy and the fonts."""
        for renderer in self._renderers.values():
            try:
                await renderer.start()
            except RendererFailed as error:
                logger.warning("renderer failed", extra={"facts": {"text": error.problem.en}})

    def _read_counts(self, db: sqlite3.Connection) -> Counts:
        blanks = {lane.table.name: ledger.of_lane(db, lane.table.name) for lane in self._setup.lanes}
        rolls = ribbons.yields(db, blanks)
        return queue.counts(db), journal.outcomes(db), blanks, ledger.places(db), incidents.counts(db), rolls

    async def _beat(self) -> None:
        """Prove that the loop turns and note how late it is."""
        lateness: deque[float] = deque(maxlen=BEATS_KEPT)
        while True:
            due_s = monotonic_s() + BEAT_S
            await asyncio.sleep(BEAT_S)
            lateness.append(monotonic_s() - due_s)
            self._metrics.beat(wall_us() / 1_000_000, max(lateness))
            self._desk_changed()

    async def _feed_watchdog(self, notifier: Notifier) -> None:
        """Tell systemd that all is well, but only after the store answered and every worker reported in time."""
        if notifier.watchdog_s is None:
            return
        while True:
            await self._store.read(journal.held_flag)
            if all(worker.alive for worker in self.workers):
                notifier.alive()
            await asyncio.sleep(notifier.watchdog_s / 3)

    async def _sweep(self) -> None:
        await self.upkeep.sweep()
