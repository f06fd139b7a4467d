"""What the start after a power cut is asked: each thing that may be wrong is said, and nothing when all is well."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from controller.jobs import ledger, queue
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.log_keeper import LogKeeper
from tests.fakes.stock import fill
from tools.powercut.digest import digest
from tools.powercut.start_up import Promised, losses

PAYLOAD = b"a record"


@pytest.fixture
async def promised(tmp_path: Path) -> Promised:
    """A station that stopped after two commits: some blanks, then a job."""
    store = await Store.open(tmp_path / "state")
    spool = Spool(tmp_path / "state" / "spool", reserve_bytes=0)
    await LogKeeper(store, "cut station", spool.has_room, lambda: None).begin()
    states = []
    for work in (lambda db: fill(db, "1", 10), lambda db: queue.accept(db, spool, "digest", "record", PAYLOAD)):
        await store.transact(work)
        states.append(await store.read(digest))
    await store.close()
    return Promised(states, acknowledged=2)


def _change(sql: str) -> Callable[[Path], None]:
    def change(state: Path) -> None:
        with closing(sqlite3.connect(state / "station.db")) as db:
            db.executescript(sql)

    return change


def _tear(state: Path) -> None:
    payload = next((state / "spool").iterdir())
    payload.write_bytes(PAYLOAD[:-1])


def _spoil_page(state: Path) -> None:
    """An index page that no start reads loses its head."""
    with closing(sqlite3.connect(state / "station.db")) as db:
        page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_job_1'").fetchone()[0]
        size = db.execute("PRAGMA page_size").fetchone()[0]
    with (state / "station.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(8))


async def test_a_station_that_lost_nothing_is_well(promised: Promised, tmp_path: Path) -> None:
    assert await losses(tmp_path, promised, verify_log=True) == []


async def test_a_commit_that_was_begun_and_not_acknowledged_may_be_there(promised: Promised, tmp_path: Path) -> None:
    assert await losses(tmp_path, Promised(promised.states, acknowledged=1)) == []


async def test_an_acknowledged_commit_must_be_there(promised: Promised, tmp_path: Path) -> None:
    later = Promised([*promised.states, "of two more", "commits"], acknowledged=4)
    assert await losses(tmp_path, later) == ["commits lost: 2"]


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (_change("UPDATE job SET record_id = 'another'"), "unknown state"),
        (_change("PRAGMA user_version = 99"), "no start"),
        (lambda state: (state / "station.db").unlink(), "no start"),
        (lambda state: next((state / "spool").iterdir()).unlink(), "payload lost"),
        (_tear, "payload lost"),
        (_spoil_page, "corrupt"),
        (
            _change("DROP TRIGGER event_is_append_only_update; UPDATE event SET body = replace(body, '1', '2') WHERE seq = 2"),
            "log",
        ),
    ],
    ids=["a row", "the schema", "no database", "no payload", "a torn payload", "a page", "an event"],
)
async def test_damage_is_found(promised: Promised, tmp_path: Path, damage: Callable[[Path], None], kind: str) -> None:
    damage(tmp_path / "state")
    assert kind in [loss.partition(":")[0] for loss in await losses(tmp_path, promised, verify_log=True)]


async def test_books_that_do_not_add_up_are_found(promised: Promised, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state" / "station.db")) as db:
        triggers = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")]
        db.executescript("".join(f"DROP TRIGGER {name};" for name in triggers))
        db.execute("UPDATE account SET balance = balance + 1 WHERE name = ?", (ledger.hopper("1"),))
        db.commit()
    assert "books" in [loss.partition(":")[0] for loss in await losses(tmp_path, promised)]
