"""One process of the soak: a town, a station that is killed and comes up again, and the figures of both."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.jobs.runner import Result
from controller.jobs.spool import Spool
from controller.jobs.verdict import ROWS
from tests.fakes.virtual_time import START_S, StuckError, TurnConnection, VirtualClock, VirtualLoop
from tools.soak.books import Books
from tools.soak.mischief import Imp
from tools.soak.people import People
from tools.soak.station import Life, StationGoneError
from tools.soak.town import Broken, SoakLane, Town

STALLED_S = 4 * 3600.0  # virtual; the longest day count with every fault at once takes minutes
ROUND_S = 20.0
DOWN_S = (0.2, 8.0)
SAY_EVERY = 250  # cards
AT_START = 0.1  # of the lives: killed while the station comes up, or soon after
START_CALLS = 20
AT_AN_INSTANT = 0.4  # of the kills; the others hit a store call


@dataclass(frozen=True, slots=True)
class Order:
    """What one process is to do."""

    seed: int
    cards: int
    folder: Path


class Soak:
    """Runs on a VirtualLoop."""

    def __init__(self, order: Order, progress: Callable[[int], None]) -> None:
        self.order = order
        self._progress = progress
        self.town = Town(order.seed)
        self.state = order.folder / "state"
        self._life: Life | None = None
        self._seen_issued = 0
        self.lives = 0
        self.broken: str | None = None
        self.imp = Imp(self.town, self._kill, self._restart, self._hold)
        self.books: Books
        self.people: People

    async def run(self) -> None:
        """To the last card, or to a broken promise."""
        await self._begin()
        loop = asyncio.get_running_loop()
        loop.call_later(STALLED_S, self._watch)
        loop.call_later(ROUND_S, self._make_rounds)
        while not self.people.finished.is_set():
            await self._live()
        if self.broken is None:
            await self._end()
        self.books.close()

    def fail(self, error: BaseException | str) -> None:
        """A promise was broken, or a part of the station or of the soak has failed: the first one counts."""
        if self.broken is None:
            self.broken = error if isinstance(error, str) else "".join(traceback.format_exception(error))
            self.people.finished.set()

    async def _begin(self) -> None:
        """The first start makes the folder, for the books to look into."""
        first = Life(self.town, self.state, self._over, lambda _lane: None, self.fail)
        await first.start()
        await first.stop()
        await first.bury()
        self.books = Books(self.town, self.state / "station.db")
        spool = Spool(self.state / "spool", 0)
        self.people = People(self.town, self.books, spool, self.order.cards, self.fail)

    async def _live(self) -> None:
        """One life of the station, and what people do while it is down."""
        self.lives += 1
        life = self._life = Life(self.town, self.state, self._over, self.people.see, self.fail)
        if self.town.rng.random() < AT_START:
            self.town.faults["killed while it came up"] += 1
            life.kill_at_call(self.town.rng.randrange(1, START_CALLS), after=self.town.rng.random() < 0.5)
        try:
            await life.start()
        except StationGoneError:
            pass
        else:
            self._look()
            self.people.station_is_up(life)
        await _first(self.people.finished.wait(), life.died.wait())
        if not life.dead:
            return
        self.people.clerk.station_is_down()
        await life.bury()
        self._look()
        self.imp.while_dark()
        await asyncio.sleep(self.town.spread(*DOWN_S))
        for lane in self.town.lanes.values():
            lane.power_on()

    async def _end(self) -> None:
        life = self._life
        if life is not None and not life.dead:
            await life.stop()
            await life.bury()
        self._look()
        db = sqlite3.connect(self.state / "station.db", isolation_level=None)
        try:
            self.books.compare_tables(db)
        except Broken as broken:
            self.fail(str(broken))
        finally:
            db.close()

    def _over(self, _lane: SoakLane, _result: Result) -> None:
        self._look()
        self.people.card_over()
        self._progress(len(self.books.issued))

    def _look(self) -> None:
        """Read what was committed and compare; a broken promise ends the run."""
        try:
            self.books.catch_up()
        except Broken as broken:
            self.fail(str(broken))

    def _watch(self) -> None:
        """Work that stands still for hours is lost work."""
        issued = len(self.books.issued)
        if issued == self._seen_issued and not self.people.finished.is_set():
            shown = [f"lane {lane.name}: {lane.status}" for lane in self.town.lanes.values()]
            self.fail("\n".join([f"no card in {STALLED_S / 3600:g} virtual hours", *shown]))
        self._seen_issued = issued
        asyncio.get_running_loop().call_later(STALLED_S, self._watch)

    def _make_rounds(self) -> None:
        """Somebody looks in now and then, even when no card was made."""
        if self._life is not None and self._life.up:
            self.people.card_over()
        asyncio.get_running_loop().call_later(ROUND_S, self._make_rounds)

    def _kill(self, at_once: bool) -> None:
        """At an instant of virtual time, or just before or after a commit or a look."""
        life = self._life
        if life is None or life.dead:
            return
        if at_once or self.town.rng.random() < AT_AN_INSTANT:
            life.kill()
        else:
            life.kill_at_call(self.town.rng.randrange(1, 40), after=self.town.rng.random() < 0.5)

    def _hold(self) -> None:
        self.people.start(self.people.clerk.press(held=True))

    def _restart(self) -> None:
        if self._life is not None and self._life.up:
            self.people.start(self._life.stop())


async def _first(*waits: Coroutine[Any, Any, Any]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def run(order: Order, progress: Callable[[int], None] = lambda _issued: None) -> dict[str, Any]:
    """One process of the soak, in this process, whose time is virtual from here on. Returns its figures."""
    logging.disable(logging.CRITICAL)
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    clock = VirtualClock()
    clock.install()
    TurnConnection.install()
    loop = VirtualLoop(clock)
    asyncio.set_event_loop(loop)
    soak = Soak(order, progress)
    try:
        loop.run_until_complete(soak.run())
    except StuckError as error:
        soak.fail(error)
    made_s = time.perf_counter() - started_s
    if soak.broken is None:
        _verify_log(soak)
    return _figures(soak, made_s, started_s, started_cpu_s, clock)


def main(arguments: Sequence[str]) -> int:
    """`python -m tools.soak.process SEED CARDS FOLDER`: says how many cards it has made, now and then, and its figures last."""
    said = 0

    def progress(issued: int) -> None:
        nonlocal said
        if issued - said >= SAY_EVERY:
            said = issued
            print(issued, flush=True)

    seed, cards, folder = arguments
    print(json.dumps(run(Order(int(seed), int(cards), Path(folder)), progress)), flush=True)
    return 0


def _verify_log(soak: Soak) -> None:
    """The stand-alone verifier over the whole log, with the newest head as its anchor."""
    anchor = f"{soak.books.seq}:{soak.books.hash}"
    command = [sys.executable, "-m", "controller.verify_log", str(soak.state / "station.db"), "--anchor", anchor]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        soak.fail(f"verify-log: {done.stdout}{done.stderr}")


def _figures(soak: Soak, made_s: float, started_s: float, started_cpu_s: float, clock: VirtualClock) -> dict[str, Any]:
    books, town = soak.books, soak.town
    seconds = time.perf_counter() - started_s
    return {
        "seed": town.seed, "wanted": soak.order.cards, "issued": len(books.issued),
        "verdicts": dict(books.verdicts), "faults": dict(sorted(town.faults.items())), "lives": soak.lives,
        "rows": {row.name: town.rulings[row.name] for row in ROWS}, "questions": dict(books.questions),
        "counts": town.counts, "counts_off": town.counts_off, "checks": books.checks, "events": books.seq,
        "database_bytes": (soak.state / "station.db").stat().st_size,
        "seconds": round(seconds, 1), "cpu_seconds": round(time.process_time() - started_cpu_s, 1),
        "cards_a_second": round(len(books.issued) / made_s, 1), "virtual_hours": round((clock.now_s - START_S) / 3600, 1),
        "broken": soak.broken, "last_events": list(books.last) if soak.broken is not None else [],
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
