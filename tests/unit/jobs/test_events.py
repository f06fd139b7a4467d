"""The event log's rows: gapless, chained, exact, and written by the same commit as the fact."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from controller import clock
from controller.clock import TimeStamp
from controller.errors import StoreError
from controller.jobs import events, journal, queue
from controller.jobs.events import GENESIS_PREV, KINDS, link
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.model import LogHead

ROOT = Path(__file__).parents[3]
TIME = TimeStamp(1_795_000_000_000_000, None, None, 5)
JOB = {"job": 1, "record": "a" * 64}


def _rows(db: sqlite3.Connection) -> list[tuple[int, str, str]]:
    return [tuple(row) for row in db.execute("SELECT seq, body, hash FROM event ORDER BY seq")]


def _told(db: sqlite3.Connection) -> list[tuple[str, dict[str, Any]]]:
    return [(event["kind"], event["facts"]) for event in (json.loads(row[1]) for row in _rows(db))]


def test_a_body_is_what_another_rfc_8785_library_writes() -> None:
    facts = {"who": 'Ani "\u20ac" \ud83d\ude00 \x01\\', "job": -(2**53) + 1, "event": None, "state": [True, {"b": 1, "a": "/"}]}
    body, digest = link(7, GENESIS_PREV, "job_changed", facts, TIME)
    assert body.encode() == rfc8785.dumps(json.loads(body))
    assert digest == hashlib.sha256(body.encode()).hexdigest()


def test_a_body_holds_exactly_the_five_parts() -> None:
    body, _ = link(7, GENESIS_PREV, "go", {}, TIME)
    time = {"wall_us": 1_795_000_000_000_000, "synchronised": None, "boot_id": None, "monotonic_us": 5}
    assert json.loads(body) == {"seq": 7, "prev": GENESIS_PREV, "kind": "go", "facts": {}, "time": time}


async def test_rows_are_counted_from_one_and_chained(store: Store) -> None:
    for job in (1, 2, 3):
        await store.transact(events.append, "job_accepted", JOB | {"job": job})
    rows = await store.read(_rows)
    assert [row[0] for row in rows] == [1, 2, 3]
    assert [json.loads(row[1])["prev"] for row in rows] == [GENESIS_PREV, rows[0][2], rows[1][2]]
    assert await store.read(events.head) == LogHead(3, rows[2][2])


async def test_an_empty_log_has_no_head_and_no_genesis(store: Store) -> None:
    assert (await store.read(events.head), await store.read(events.genesis)) == (None, None)


async def test_a_transaction_that_fails_leaves_no_gap(store: Store) -> None:
    def fails(db: sqlite3.Connection) -> None:
        events.append(db, "hold", {})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.transact(fails)
    assert (await store.transact(events.append, "go", {})).seq == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE event SET body = '{}' WHERE seq = 1",
        "DELETE FROM event WHERE seq = 2",
        f"INSERT OR REPLACE INTO event VALUES (1, '{{}}', '{'0' * 64}')",
        f"INSERT INTO event VALUES (4, '{{}}', '{'0' * 64}')",
    ],
)
async def test_a_written_row_can_never_change(store: Store, change: str) -> None:
    for _ in range(2):
        await store.transact(events.append, "hold", {})
    with pytest.raises(StoreError, match="append-only"):
        await store.transact(lambda db: db.execute(change))


@pytest.mark.parametrize(
    ("kind", "facts", "says"),
    [
        ("birthday", {}, "there is no event kind 'birthday'"),
        ("hold", {"name": "x"}, "event 'hold' has no fact named name"),
        ("job_accepted", {"job": 1.5}, "a float is not an exact fact: 1.5"),
        ("job_accepted", {"job": 2**53}, "a int is not an exact fact"),
        ("job_accepted", {"record": b"x"}, "a bytes is not an exact fact"),
        ("intent", {"facts": {"deep": [float("nan")]}}, "a float is not an exact fact: nan"),
        ("job_accepted", {"record": "x" * events.MAX_BODY_BYTES}, "more than 16384"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(kind: str, facts: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        link(1, GENESIS_PREV, kind, facts, TIME)


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    assert json.loads(link(1, GENESIS_PREV, "stock_count", {"who": "a\ud800b"}, TIME)[0])["facts"] == {"who": "a?b"}


async def test_a_log_that_does_not_begin_with_genesis_is_refused(store: Store) -> None:
    await store.transact(events.append, "hold", {})
    with pytest.raises(StoreError, match="does not begin with a genesis row"):
        await store.read(events.genesis)


async def test_a_job_tells_its_life_and_no_word_that_people_typed(store: Store, spool: Spool) -> None:
    job = (await store.transact(queue.accept, spool, "d" * 64, "NAMA-3171", b"{}")).job
    await store.transact(queue.cancel, job.id, "ani", "for Budi Santoso")
    told = await store.read(_told)
    assert told[0] == ("job_accepted", {"job": 1, "record": "d" * 64})
    cancelled = {"job": 1, "event": "cancel", "state": "cancelled", "reason": "", "remakes": 0, "who": "ani"}
    assert told[1] == ("job_changed", cancelled)
    assert "Budi" not in str(told)
    assert "3171" not in str(told)


async def test_hold_and_go_are_told_once_each(store: Store) -> None:
    for held in (True, True, False, False):
        await store.transact(journal.set_held_flag, "ani", held=held)
    assert [kind for kind, _ in await store.read(_told)] == ["hold", "go"]


def test_every_kind_the_program_writes_is_in_the_table_and_every_kind_of_the_table_is_written() -> None:
    written = set()
    for path in (ROOT / "controller").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "events.append":
                written |= {part.value for part in ast.walk(node.args[1]) if isinstance(part, ast.Constant)}
    assert written == set(KINDS)


def test_every_row_tells_the_time_by_all_clocks() -> None:
    first, second = clock.time_stamp(), clock.time_stamp()
    assert first.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert first.monotonic_us <= second.monotonic_us
    assert abs(first.wall_us - clock.wall_us()) < 60_000_000


def test_the_kernel_is_asked_whether_the_clock_is_right() -> None:
    assert clock.ask_synchronised() in (True, False)
    assert clock.time_stamp().synchronised is clock.ask_synchronised()
