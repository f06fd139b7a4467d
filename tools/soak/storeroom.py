"""The people who look after blanks and ribbons: they fill, count, destroy, and explain what was odd."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from functools import partial
from typing import Any

from controller.errors import RequestRefused
from controller.jobs import batches, incidents, ledger, ribbons, stock
from tools.soak.books import Books
from tools.soak.clerk import Clerk
from tools.soak.town import WHO, Broken, SoakLane, Town

BATCH = 2000
RIBBON_SETS = 200
RIBBONS_AT_ONCE = 50
LOADED = (60, 120)
MISCOUNTED = 0.1  # of the loads, one card more or less
RESTED_S = 5.0  # until somebody looks again whether all lanes rest


class Storeroom:
    """Everything goes through `controller.jobs.stock`, `batches` and `ribbons`."""

    def __init__(self, town: Town, books: Books, clerk: Clerk) -> None:
        self._town = town
        self._books = books
        self._clerk = clerk

    async def load(self, lane: SoakLane) -> None:
        """Book blanks into a hopper, then put them in; now and then one more or less than was booked."""
        town = self._town
        number = town.rng.randint(*LOADED)
        while town.stored < number:
            await self._receive()
        await self._clerk.book(lambda db: {"held": stock.load(db, lane.name, number, WHO, "loaded")})
        self._books.catch_up()
        really = number
        if town.rng.random() < MISCOUNTED:
            really += town.rng.choice((1, -1))
            town.faults["hopper miscounted"] += 1
        lane.owed -= number
        lane.gap += number - really
        town.stored -= number
        lane.load([town.blank() for _ in range(really)])
        self._clerk.changed()

    async def new_ribbon(self, lane: SoakLane) -> None:
        """Book a new roll, then fit it."""
        await self._clerk.book(partial(_fit_ribbon, lane=lane.name))
        lane.ribbon = RIBBON_SETS
        self._clerk.changed()

    async def recount(self, lane: SoakLane) -> None:
        """Count one hopper, if no card of it is in work."""
        if lane.motion is None and not any(row.lane == lane.name for row in self._books.open.values()):
            await self._count(ledger.hopper(lane.name), lane)

    async def day_count(self) -> None:
        """HOLD, wait until every lane rests, count everything, destroy the rejects, explain what was odd, GO."""
        await self._clerk.press(held=True)
        while any(lane.motion is not None for lane in self._town.lanes.values()) or self._books.open:
            await asyncio.sleep(RESTED_S)
            self._books.catch_up()
        for lane in self._town.lanes.values():
            await self._count(ledger.hopper(lane.name), lane)
            await self._count(ledger.reject_bin(lane.name), lane)
            await self._destroy(lane)
        await self._clerk.book(_explain_all)
        await self._clerk.press(held=False)

    async def _receive(self) -> None:
        town = self._town
        town.batches += 1
        first, last = town.listed_up_to + 1, town.listed_up_to + BATCH
        town.listed_up_to = last
        town.stored += BATCH
        await self._clerk.book(partial(_receive, name=f"B{town.batches}", uids=f"{first:014X}-{last:014X}"))

    async def _count(self, account: str, lane: SoakLane) -> None:
        """A blind count: what the station answers must be exactly what is known to differ."""
        in_hopper = account == ledger.hopper(lane.name)
        self._books.catch_up()
        if in_hopper and lane.owed:
            return  # somebody is filling it
        counted, off = (len(lane.hopper), lane.gap) if in_hopper else (len(lane.bin), lane.bin_gap)

        def work(db: sqlite3.Connection) -> Mapping[str, Any]:
            return {"difference": stock.count(db, account, counted, WHO, "day count", lane.name).difference}

        try:
            difference = (await self._clerk.book(work))["difference"]
        except RequestRefused:
            return  # a card came into work meanwhile: another time
        if difference != -off:
            raise Broken(f"{account}: a count found {difference}, {-off} are known to differ")
        self._town.counts += 1
        self._town.counts_off += off != 0
        if in_hopper:
            lane.gap -= off
        else:
            lane.bin_gap -= off

    async def _destroy(self, lane: SoakLane) -> None:
        number = len(lane.bin)
        if number and not lane.bin_gap:
            account = ledger.reject_bin(lane.name)
            await self._clerk.book(lambda db: {"left": stock.destroy(db, account, number, "BA-1", WHO, "day end")})
            del lane.bin[:number]


def _receive(db: sqlite3.Connection, name: str, uids: str) -> Mapping[str, Any]:
    return {"batch": batches.receive(db, name, BATCH, "DO-1", WHO, "delivery", [uids]).id}


def _fit_ribbon(db: sqlite3.Connection, lane: str) -> Mapping[str, Any]:
    if ledger.held(db, ledger.RIBBON_STORE) < RIBBON_SETS:
        number = db.execute("SELECT count(*) FROM batch").fetchone()[0]
        batches.receive(db, f"R{number}", RIBBON_SETS * RIBBONS_AT_ONCE, "DO-2", WHO, "delivery", item=ledger.RIBBON)
    ribbons.fit(db, lane, RIBBON_SETS, WHO, "used up")
    return {}


def _explain_all(db: sqlite3.Connection) -> Mapping[str, Any]:
    found = incidents.open_incidents(db)
    for incident in found:
        incidents.explain(db, incident.id, WHO, "looked into")
    return {"explained": len(found)}
