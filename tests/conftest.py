"""Fixtures for every test, and the guards that fail a test for what it leaves behind."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

import controller.hal.chip.pcsc_link  # noqa: F401  before any test's own pyscard: it keeps Python 3.13 from crashing at exit
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from tests.fakes.stock import memory_db

ROOT = Path(__file__).parent.parent
set_hypothesis_home_dir(ROOT / "build" / "cache" / "hypothesis")  # nothing is written beside the sources
settings.register_profile("print-station", deadline=None)  # a busy machine is no failure
settings.load_profile("print-station")


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    """A test that leaves a thread running fails; threads stuck for good are named by their owner."""
    before = set(threading.enumerate())
    yield
    started = [thread for thread in threading.enumerate() if thread not in before]
    for thread in started:
        thread.join(2.0)  # one that was told to end may need a moment to do so
    left = [thread.name for thread in started if thread.is_alive()]
    assert not left, f"threads left behind: {left}"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool that keeps no reserve."""
    return Spool(tmp_path / "spool", reserve_bytes=0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A fresh database."""
    store = await Store.open(tmp_path / "state")
    yield store
    await store.close()


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """A fresh database in memory with the whole schema, in autocommit."""
    db = memory_db()
    yield db
    db.close()
