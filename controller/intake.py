"""The door for records: bytes in, a durable job out, or every reason against it. Nothing is half-stored."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Protocol

from controller.chip_contents import not_signed
from controller.chips.content_signature import ContentSignature
from controller.errors import RecordRefused, RendererFailed, RenderError, StoreError
from controller.jobs import queue
from controller.jobs.queue import Accepted
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.records.intake import AcceptedRecord, read_record
from controller.records.seal import CentreKeys


class ImageChecker(Protocol):
    """Decodes pictures where a bomb can do no harm. Raises RenderError, RendererFailed."""

    async def check_images(self, photo: bytes, signature: bytes) -> None:
        """Decode both pictures in full."""


class Intake:
    """Takes sealed records and makes them jobs."""

    def __init__(self, store: Store, spool: Spool, images: ImageChecker, centre_keys: CentreKeys,
                 chip_max_bytes: Mapping[int, int], on_accepted: Callable[[], None],
                 signature: ContentSignature | None = None) -> None:  # fmt: skip
        """`signature`: what chip contents must carry, None: nothing."""
        self._store = store
        self._spool = spool
        self._images = images
        self._centre_keys = centre_keys
        self._chip_max_bytes = chip_max_bytes
        self._on_accepted = on_accepted
        self._signature = signature

    async def submit(self, body: bytes) -> Accepted:
        """Check the record and store it. When this returns, the job survives a power cut.

        Raises RecordRefused with all reasons, RendererFailed when the pictures cannot be looked at now, StoreFull or StoreError.
        """
        self._store.must_be_trusted()
        # In a thread: parsing 300 kB and checking the seal takes some milliseconds that the loop does not have.
        record = await asyncio.to_thread(read_record, body, self._centre_keys, chip_max_bytes=self._chip_max_bytes)
        wrong = await asyncio.to_thread(list, not_signed(self._signature, record.chip_files))
        if wrong:
            raise RecordRefused(wrong)
        await self._look_at(record)
        try:
            accepted = await self._store.transact(
                queue.accept, self._spool, record.digest, record.record.record_id, record.canonical
            )  # fmt: skip
        except StoreError:
            payload = hashlib.sha256(record.canonical).hexdigest()
            await self._store.read(queue.drop_unowned, self._spool, payload)  # nothing is half-stored
            raise
        self._on_accepted()
        return accepted

    async def _look_at(self, record: AcceptedRecord) -> None:
        try:
            await self._images.check_images(record.photo, record.signature)
        except RendererFailed:
            raise  # not the record's fault: it may be handed in again later
        except RenderError as error:
            raise RecordRefused([error.problem]) from error
