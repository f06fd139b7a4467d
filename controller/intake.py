"""The door for records: bytes in, a durable job out, or every reason against it. Nothing is half-stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from controller.errors import RecordRefused, RenderError
from controller.jobs import queue
from controller.jobs.queue import Accepted
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.records.intake import read_record
from controller.records.seal import CentreKeys


class ImageChecker(Protocol):
    """Decodes pictures where a bomb can do no harm. Raises RenderError."""

    async def check_images(self, photo: bytes, signature: bytes) -> None:
        """Decode both pictures in full."""


class Intake:
    """Takes sealed records and makes them jobs."""

    def __init__(self, store: Store, spool: Spool, images: ImageChecker, centre_keys: CentreKeys,
                 chip_max_bytes: Mapping[int, int], on_accepted: Callable[[], None]) -> None:  # fmt: skip
        self._store = store
        self._spool = spool
        self._images = images
        self._centre_keys = centre_keys
        self._chip_max_bytes = chip_max_bytes
        self._on_accepted = on_accepted

    async def submit(self, body: bytes) -> Accepted:
        """Check the record and store it. When this returns, the job survives a power cut.

        Raises RecordRefused with all reasons, StoreFull or StoreError.
        """
        # In a thread: parsing 300 kB and checking the seal takes some milliseconds that the loop does not have.
        record = await asyncio.to_thread(read_record, body, self._centre_keys, chip_max_bytes=self._chip_max_bytes)
        try:
            await self._images.check_images(record.photo, record.signature)
        except RenderError as error:
            raise RecordRefused([error.problem]) from error
        accepted = await self._store.transact(
            queue.accept, self._spool, record.digest, record.record.record_id, record.canonical
        )  # fmt: skip
        self._on_accepted()
        return accepted
