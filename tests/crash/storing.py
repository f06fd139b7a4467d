"""A process with the real store and spool: takes records until told how many, and says each one that it has acknowledged.

`python -m tests.crash.storing STATE_DIR FIRST COUNT`: says `OPEN`, `ACK n`, `FULL n text`, `BROKEN text`; 74: broken.
For `test_storage_fails.py`, which runs it under strace.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from controller.errors import StoreBroken, StoreFull
from controller.jobs import queue
from controller.jobs.spool import Spool
from controller.jobs.store import Store


def payload(number: int) -> bytes:
    """The record with this number."""
    return f"record {number} ".encode() * 500


async def main(state_dir: Path, first: int, count: int) -> int:
    """Take `count` records; returns the exit code."""
    try:
        store = await Store.open(state_dir)
    except StoreBroken as error:
        _say(f"BROKEN {error}")
        return 74
    except StoreFull as error:
        _say(f"FULL - {error}")
        return 1
    _say("OPEN")
    await store.keep_room()
    spool = Spool(state_dir / "spool", reserve_bytes=0)
    try:
        for number in range(first, first + count):
            await _take(store, spool, number)
    except StoreBroken as error:
        _say(f"BROKEN {error}")
        return 74
    finally:
        await store.close()
    return 0


async def _take(store: Store, spool: Spool, number: int) -> None:
    try:
        await store.transact(queue.accept, spool, f"digest-{number}", f"record-{number}", payload(number))
    except StoreFull as error:
        _say(f"FULL {number} {error}")
    else:
        _say(f"ACK {number}")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
