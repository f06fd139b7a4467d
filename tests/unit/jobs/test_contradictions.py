"""Sensors and counters against the books: what contradicts, when, and that nothing is written without news."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from controller.jobs import incidents, ledger
from controller.jobs.contradictions import COMPARED_ENTRIES, HOPPER_GRACE_S, Facts, Watch, contradictions
from controller.jobs.store import Store
from controller.model import Balance, CardPosition, LaneLevels, PrinterWitness, Verdict
from tests.fakes.stock import fill, finish, passage

LEVELS = LaneLevels(False, False, False, hopper_low=False, hopper_empty=False, bin_full=False)
EMPTY = replace(LEVELS, hopper_empty=True)
CARDS = COMPARED_ENTRIES // 2  # a card that no ribbon is booked for makes two entries
CALM = Facts(LEVELS, Balance(hopper=5), cards_fed=107, last_cards_fed=100, fed=7, hopper_odd_s=0.0)


@pytest.mark.parametrize(
    ("facts", "kinds"),
    [
        (CALM, []),
        (replace(CALM, levels=EMPTY, hopper_odd_s=HOPPER_GRACE_S), ["hopper_sensor"]),
        (replace(CALM, levels=EMPTY, hopper_odd_s=HOPPER_GRACE_S - 1), []),  # somebody is filling it
        (replace(CALM, balance=Balance(hopper=0), hopper_odd_s=HOPPER_GRACE_S), ["hopper_sensor"]),
        (replace(CALM, levels=EMPTY, balance=Balance(), hopper_odd_s=99), []),
        (replace(CALM, levels=None, hopper_odd_s=99), []),
        (replace(CALM, cards_fed=108), ["printer_counter"]),
        (replace(CALM, cards_fed=106), ["printer_counter"]),  # it forgot one
        (replace(CALM, cards_fed=0, fed=0), ["printer_counter"]),
        (replace(CALM, cards_fed=None), []),
        (replace(CALM, last_cards_fed=None), []),
    ],
)
def test_what_contradicts(facts: Facts, kinds: list[str]) -> None:
    assert [kind for kind, _ in contradictions(facts)] == kinds


def _witness(cards_fed: int) -> PrinterWitness:
    return PrinterWitness(CardPosition.NONE, cards_fed, 0, None)


def _card(db: sqlite3.Connection, serial: str = "SN") -> None:
    number = passage(db, serial=serial)
    ledger.take_blank(db, "1", number)
    finish(db, number, Verdict.GOOD)


def _cards(db: sqlite3.Connection, count: int, serial: str) -> None:
    for _ in range(count):
        _card(db, serial)


async def _open(store: Store) -> list[str]:
    return [f"{row.kind}: {row.detail}" for row in await store.read(incidents.open_incidents)]


def _writes(db: sqlite3.Connection) -> int:
    return db.total_changes


async def test_feeds_of_ours_move_the_counter_and_cost_no_write(store: Store) -> None:
    await store.transact(fill, "1", 50)
    watch = Watch("1")
    await watch.look(store, "SN", _witness(100), LEVELS)
    await store.transact(_card)
    before = await store.read(_writes)
    await watch.look(store, "SN", _witness(101), LEVELS)
    assert (await store.read(_writes), await _open(store)) == (before, [])


async def test_a_card_that_somebody_else_fed_is_an_incident_once(store: Store) -> None:
    await store.transact(fill, "1", 50)
    await Watch("1").look(store, "SN", _witness(100), LEVELS)
    await Watch("1").look(store, "SN", _witness(102), LEVELS)  # also over a restart
    before = await store.read(_writes)
    await Watch("1").look(store, "SN", _witness(102), LEVELS)
    assert await _open(store) == ["printer_counter: the printer counted 2 cards, this station fed 0"]
    assert await store.read(_writes) == before


async def test_another_printer_is_another_counter(store: Store) -> None:
    await store.transact(fill, "1", 50)
    watch = Watch("1")
    await watch.look(store, "OLD", _witness(100), LEVELS)
    await store.transact(_card, "OLD")
    await watch.look(store, "NEW", _witness(9000), LEVELS)
    await store.transact(_card, "NEW")
    await watch.look(store, "NEW", _witness(9001), LEVELS)
    await watch.look(store, "OLD", _witness(101), LEVELS)
    assert await _open(store) == []


async def test_while_a_card_is_in_work_nothing_is_compared(store: Store) -> None:
    await store.transact(fill, "1", 50)
    watch = Watch("1")
    await watch.look(store, "SN", _witness(100), LEVELS)
    number = await store.transact(passage)
    await watch.look(store, "SN", _witness(101), LEVELS)
    assert await _open(store) == []
    await store.transact(finish, number, Verdict.SPOILED)
    await watch.look(store, "SN", _witness(101), LEVELS)
    assert await _open(store) == ["printer_counter: the printer counted 1 cards, this station fed 0"]


@pytest.mark.parametrize("printer", ["SN", "ANOTHER"])
async def test_many_entries_move_the_base_line_along_whichever_printer_made_them(store: Store, printer: str) -> None:
    await store.transact(fill, "1", CARDS)
    await Watch("1").look(store, "SN", _witness(0), LEVELS)
    await store.transact(_cards, CARDS, printer)
    counter = CARDS if printer == "SN" else 0
    await Watch("1").look(store, "SN", _witness(counter), EMPTY)
    seen = await store.read(lambda db: tuple(db.execute("SELECT cards_fed, entry_id FROM printer_seen").fetchone()))
    assert (seen, await _open(store)) == ((counter, 1 + 2 * CARDS), [])


async def test_a_printer_that_cannot_be_asked_costs_no_search(store: Store) -> None:
    await store.transact(fill, "1", 50)
    await Watch("1").look(store, "SN", _witness(0), LEVELS)
    asked: list[str] = []
    await store.read(lambda db: db.set_trace_callback(asked.append))
    await Watch("1").look(store, "SN", None, LEVELS)
    assert asked
    assert [statement for statement in asked if "FROM entry" in statement] == []


async def test_an_odd_hopper_is_an_incident_only_after_a_while(store: Store) -> None:
    seconds = iter((1000.0, 1021.0, 1050.0, 1051.0))
    await store.transact(fill, "1", 50)
    watch = Watch("1", lambda: next(seconds))
    for levels in (EMPTY, LEVELS, EMPTY, EMPTY):
        await watch.look(store, "SN", None, levels)
        assert await _open(store) == []
    await watch.look(store, "SN", None, EMPTY)
    assert await _open(store) == ["hopper_sensor: the sensor sees the hopper empty, the ledger says 50"]
