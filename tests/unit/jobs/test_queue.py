"""Jobs as rows."""

from __future__ import annotations

import pytest

from controller.errors import Problem, RequestRefused
from controller.jobs import queue
from controller.jobs.spool import Spool
from controller.jobs.states import JobEvent
from controller.jobs.store import Store
from controller.model import JobState


async def _accept(store: Store, spool: Spool, name: str) -> queue.Accepted:
    return await store.transact(queue.accept, spool, f"digest-{name}", name, name.encode())


async def test_an_accepted_record_is_a_ready_job_with_its_payload(store: Store, spool: Spool) -> None:
    accepted = await _accept(store, spool, "a")
    assert (accepted.job.state, accepted.created) == (JobState.READY, True)
    assert spool.get(accepted.job.payload) == b"a"


async def test_the_same_record_again_is_the_same_job(store: Store, spool: Spool) -> None:
    first, again = await _accept(store, spool, "a"), await _accept(store, spool, "a")
    assert (again.job.id, again.created) == (first.job.id, False)


async def test_a_payload_that_no_job_owns_is_dropped_and_an_owned_one_stays(store: Store, spool: Spool) -> None:
    owned, orphan = (await _accept(store, spool, "a")).job.payload, spool.put(b"orphan")
    for payload in (owned, orphan):
        await store.read(queue.drop_unowned, spool, payload)
    assert (spool.path(owned).exists(), spool.path(orphan).exists()) == (True, False)


async def test_a_cancelled_record_that_is_handed_in_again_is_ready_again(store: Store, spool: Spool) -> None:
    job = (await _accept(store, spool, "a")).job
    await store.transact(queue.cancel, job.id, "ani", "mistake")
    again = await _accept(store, spool, "a")
    assert (again.job.id, again.job.state, again.created) == (job.id, JobState.READY, False)


async def test_a_lost_payload_comes_back_with_its_record(store: Store, spool: Spool) -> None:
    job = (await _accept(store, spool, "a")).job
    spool.path(job.payload).unlink()
    await _accept(store, spool, "a")
    assert spool.get(job.payload) == b"a"


async def test_a_changed_payload_comes_back_and_its_held_job_goes_on(store: Store, spool: Spool) -> None:
    job = (await _accept(store, spool, "a")).job
    spool.path(job.payload).write_bytes(b"changed")
    await store.transact(queue.hold, job.id, Problem(queue.PAYLOAD_LOST, "", "Hilang.", "Lost."))
    again = await _accept(store, spool, "a")
    assert (again.job.id, again.job.state, spool.get(job.payload)) == (job.id, JobState.READY, b"a")


async def test_the_same_content_under_a_new_seal_brings_a_lost_payload_back(store: Store, spool: Spool) -> None:
    job = (await _accept(store, spool, "a")).job
    spool.path(job.payload).unlink()
    again = (await store.transact(queue.accept, spool, "digest-a", "a", b"sealed anew")).job
    assert (again.id, spool.get(again.payload)) == (job.id, b"sealed anew")


async def test_a_job_held_for_another_reason_stays_held_when_its_record_comes_again(store: Store, spool: Spool) -> None:
    job = (await _accept(store, spool, "a")).job
    await store.transact(queue.hold, job.id, Problem("layout.too_long", "", "Terlalu panjang.", "Too long."))
    assert (await _accept(store, spool, "a")).job.state is JobState.HELD


async def test_a_held_job_is_tried_again_with_all_its_remakes(store: Store, spool: Spool) -> None:
    job = (await _accept(store, spool, "a")).job
    why = Problem("layout.too_long", "person.name", "Terlalu panjang.", "Too long.")
    held = await store.transact(queue.hold, job.id, why)
    assert held is not None
    assert held.why == Problem("layout.too_long", "", "Terlalu panjang.", "Too long.")
    ready = await store.transact(queue.retry, job.id, "ani", "layout mended")
    assert (ready.state, ready.why, ready.remakes) == (JobState.READY, None, 0)


async def test_only_a_held_or_failed_job_can_be_tried_again(store: Store, spool: Spool) -> None:
    job = (await _accept(store, spool, "a")).job
    with pytest.raises(RequestRefused, match="only a held or failed one"):
        await store.transact(queue.retry, job.id, "ani", "x")


async def test_a_job_that_is_no_longer_ready_is_not_held(store: Store, spool: Spool) -> None:
    job = (await _accept(store, spool, "a")).job
    await store.transact(queue.cancel, job.id, "ani", "x")
    assert await store.transact(queue.hold, job.id, Problem("x", "", "x", "x")) is None


async def test_the_oldest_ready_job_comes_first_and_skipped_ones_never(store: Store, spool: Spool) -> None:
    ids = [(await _accept(store, spool, name)).job.id for name in "abc"]
    first = await store.read(queue.next_ready)
    second = await store.read(queue.next_ready, frozenset(ids[:1]))
    none = await store.read(queue.next_ready, frozenset(ids))
    assert [job and job.id for job in (first, second, none)] == [ids[0], ids[1], None]


async def test_listing_pages_by_id_and_state(store: Store, spool: Spool) -> None:
    ids = [(await _accept(store, spool, name)).job.id for name in "abcd"]
    await store.transact(queue.cancel, ids[1], "ani", "test")
    assert [job.id for job in await store.read(queue.page, None, ids[0], 2)] == ids[1:3]
    assert [job.id for job in await store.read(queue.page, JobState.CANCELLED, 0, 10)] == [ids[1]]


async def test_a_fed_job_cannot_be_cancelled(store: Store, spool: Spool) -> None:
    job = (await _accept(store, spool, "a")).job
    await store.transact(queue.change, job, JobEvent.FEED)
    with pytest.raises(RequestRefused, match="cannot be cancelled"):
        await store.transact(queue.cancel, job.id, "ani", "too late")


async def test_a_job_that_does_not_exist_is_said_so(store: Store) -> None:
    with pytest.raises(RequestRefused, match="There is no job 7") as refused:
        await store.read(queue.find, 7)
    assert refused.value.found is False


async def test_counts_name_every_state(store: Store, spool: Spool) -> None:
    await _accept(store, spool, "a")
    counts = await store.read(queue.counts)
    assert set(counts) == set(JobState)
    assert counts[JobState.READY] == 1


async def test_what_jobs_own_is_known_without_keeping_every_name(store: Store, spool: Spool) -> None:
    owned, orphan = (await _accept(store, spool, "a")).job.payload, spool.put(b"orphan")
    found = await store.read(queue.Owned)
    assert (owned in found, orphan in found, "f" * 64 in found) == (True, False, False)
    assert await store.read(lambda db: spool.sweep(queue.Owned(db))) == 1
    assert spool.holds(owned)
