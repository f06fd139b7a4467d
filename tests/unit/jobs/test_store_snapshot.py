"""Snapshots are whole, checks tell what is wrong, and a restore never makes a card without a person's word."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from controller import cli
from controller.errors import StoreBroken, StoreError
from controller.jobs import events, journal, queue, restore, snapshot, state_folder, store_check
from controller.jobs.journal import Claim
from controller.jobs.old_memory import Restored
from controller.jobs.snapshot import COPY, MANIFEST, Interrupted
from controller.jobs.spool import Spool
from controller.jobs.storage_faults import DATABASE, WAL
from controller.jobs.store import Store
from controller.log_export import export_day
from controller.log_keeper import LogKeeper
from controller.model import JobState, Verdict
from controller.records.canonical import Json, canonical_bytes


class Site:
    """A state folder with a store that can be closed and opened again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "state"
        self.out = folder / "snapshot"
        self.spool = Spool(self.folder / "spool", reserve_bytes=0)
        self.store: Store | None = None

    async def open(self) -> Store:
        self.store = await Store.open(self.folder)
        return self.store

    async def close(self) -> None:
        if self.store is not None:
            await self.store.close()
            self.store = None

    async def accept(self, name: str) -> queue.Job:
        assert self.store is not None
        content: dict[str, Json] = {"format": 1, "record_id": name}
        digest = hashlib.sha256(canonical_bytes(content)).hexdigest()
        sealed = canonical_bytes({**content, "seal": "x"})
        return (await self.store.transact(queue.accept, self.spool, digest, name, sealed)).job

    async def job(self, number: int) -> queue.Job:
        assert self.store is not None
        return await self.store.read(queue.find, number)

    def codes(self) -> list[str]:
        return [problem.code for problem in store_check.check(self.folder)]

    def said(self) -> str:
        return "\n".join(problem.en for problem in store_check.check(self.folder))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path)
    await site.open()
    yield site
    await site.close()


async def _begin(site: Site, job: queue.Job) -> journal.Passage:
    assert site.store is not None
    passage = await site.store.transact(journal.begin, Claim(job.id, "1", "held", "P1", "reader"), "feed", {})
    assert passage is not None
    return passage


async def _issue(site: Site, job: queue.Job) -> None:
    passage = await _begin(site, job)
    assert site.store is not None
    await site.store.transact(journal.conclude, passage.id, "done", {}, 1)
    await site.store.transact(journal.end, passage, Verdict.GOOD, "", 1)


# Snapshots


async def test_a_snapshot_of_a_running_station_holds_what_was_committed(site: Site) -> None:
    await site.accept("a")
    manifest = snapshot.take(site.folder, site.out)
    with snapshot.read_only(site.out / COPY, immutable=True) as db:
        assert db.execute("SELECT record_id FROM job").fetchall()[0][0] == "a"
    assert manifest == snapshot.read_manifest(site.out)
    assert (manifest.jobs, manifest.payloads) == (1, 1)


async def test_a_snapshot_is_private_and_tells_its_payloads(site: Site) -> None:
    job = await site.accept("a")
    snapshot.take(site.folder, site.out)
    assert {path.stat().st_mode & 0o077 for path in (site.out, *site.out.iterdir())} == {0}
    line = json.loads((site.out / "payloads.jsonl").read_text())
    assert (line["sha256"], line["job"]) == (job.payload, job.id)


async def test_a_snapshot_that_is_told_to_stop_leaves_nothing(site: Site) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        snapshot.take(site.folder, site.out, stop)
    assert list(site.out.parent.glob("*snapshot*")) == []


async def test_a_snapshot_never_replaces_another(site: Site) -> None:
    snapshot.take(site.folder, site.out)
    with pytest.raises(StoreError, match="exists already; choose another name"):
        snapshot.take(site.folder, site.out)


def test_there_is_no_snapshot_of_a_folder_without_a_station(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no station's state"):
        snapshot.take(tmp_path, tmp_path / "out")


async def test_a_changed_snapshot_is_refused(site: Site) -> None:
    snapshot.take(site.folder, site.out)
    data = bytearray((site.out / COPY).read_bytes())
    data[-1] ^= 1
    (site.out / COPY).write_bytes(data)
    with pytest.raises(StoreError, match=r"snapshot.db: was changed or is damaged"):
        snapshot.read_manifest(site.out)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"format": 1}', b'{"format": 9}'])
async def test_a_manifest_that_makes_no_sense_is_refused(site: Site, raw: bytes) -> None:
    snapshot.take(site.folder, site.out)
    (site.out / MANIFEST).write_bytes(raw)
    with pytest.raises(StoreError, match=r"cannot be read|this program knows"):
        snapshot.read_manifest(site.out)


# Checks


async def test_a_running_station_and_a_stopped_one_are_whole(site: Site) -> None:
    await site.accept("a")
    assert site.codes() == []
    await site.close()
    before = {path: path.stat().st_mtime_ns for path in site.folder.rglob("*")}
    assert site.codes() == []
    assert {path: path.stat().st_mtime_ns for path in site.folder.rglob("*")} == before


async def test_a_missing_and_a_changed_payload_are_named(site: Site) -> None:
    first, second = await site.accept("a"), await site.accept("b")
    site.spool.path(first.payload).unlink()
    site.spool.path(second.payload).write_bytes(b"changed")
    said = site.said()
    assert f"{site.spool.path(first.payload)} is missing or changed (job {first.id})" in said
    assert f"{site.spool.path(second.payload)} is missing or changed (job {second.id}); hand the record in again" in said


async def test_a_payload_that_nobody_needs_is_not_missed(site: Site) -> None:
    job = await site.accept("a")
    await _issue(site, job)
    site.spool.path(job.payload).unlink()
    assert site.codes() == []


async def test_a_changed_event_is_found(site: Site) -> None:
    await site.accept("a")
    await site.close()
    with closing(sqlite3.connect(site.folder / DATABASE, isolation_level=None)) as db:
        db.execute("DROP TRIGGER event_is_append_only_update")
        db.execute("UPDATE event SET body = replace(body, 'job_accepted', 'job_accepteD') WHERE seq = 1")
    assert "event log: row 1 does not follow" in site.said()


async def test_a_row_that_refers_to_nothing_is_found(site: Site) -> None:
    job = await site.accept("a")
    await _begin(site, job)
    await site.close()
    with closing(sqlite3.connect(site.folder / DATABASE, isolation_level=None)) as db:
        db.execute("UPDATE passage SET job_id = 99")
    assert "passage row 1 refers to no job" in site.said()


async def test_a_damaged_page_is_found(site: Site) -> None:
    for number in range(200):
        await site.accept(f"record-{number}")
    await site.close()
    with (site.folder / DATABASE).open("rb+") as file:
        file.seek(-4096 * 3, 2)
        file.write(b"\xff" * 4096)
    assert site.codes()[0] == "store.corrupt"
    assert f"{site.folder / DATABASE} is damaged" in site.said()


async def test_a_folder_that_never_was_a_station_is_said(tmp_path: Path) -> None:
    assert [problem.code for problem in store_check.check(tmp_path)] == ["store.no_state"]


# Restore


async def _restored(site: Site) -> Restored:
    await site.close()
    done = restore.restore(site.out, site.folder, "ani")
    await site.open()
    return done


async def test_after_a_restore_every_job_waits_for_a_persons_word(site: Site) -> None:
    ready, done = await site.accept("ready"), await site.accept("done")
    await _issue(site, done)
    snapshot.take(site.folder, site.out)
    await _issue(site, ready)  # the snapshot does not know of it
    report = await _restored(site)
    held = await site.job(ready.id)
    assert (held.state, held.why and held.why.code) == (JobState.HELD, "restored")
    assert (await site.job(done.id)).state is JobState.ISSUED
    assert (report.held, report.epoch) == (1, 2)
    assert site.store is not None
    assert await site.store.read(journal.held_flag)
    assert await site.store.read(queue.next_ready) is None


async def test_a_restore_deletes_nothing(site: Site) -> None:
    await site.accept("a")
    snapshot.take(site.folder, site.out)
    await site.close()
    (site.folder / DATABASE).write_bytes(b"broken")
    (site.folder / WAL).write_bytes(b"also")
    done = restore.restore(site.out, site.folder, "ani")
    assert done.aside is not None
    assert (done.aside / DATABASE).read_bytes() == b"broken"
    assert (done.aside / WAL).read_bytes() == b"also"
    assert site.codes() == []


async def test_a_record_accepted_after_the_snapshot_becomes_a_held_job(site: Site) -> None:
    snapshot.take(site.folder, site.out)
    await site.accept("later")
    report = await _restored(site)
    again = await site.accept("later")  # the centre sends it again
    assert report.adopted == 1
    assert (again.record_id, again.state, again.why and again.why.code) == ("later", JobState.HELD, "restored")


async def test_a_new_record_waits_too_until_somebody_vouches(site: Site) -> None:
    snapshot.take(site.folder, site.out)
    await _restored(site)
    assert (await site.accept("b")).state is JobState.HELD
    await site.close()
    restore.trust(site.folder, "ani")
    await site.open()
    assert (await site.accept("c")).state is JobState.READY


async def test_a_cancelled_record_sent_again_after_a_restore_waits_too(site: Site) -> None:
    job = await site.accept("a")
    assert site.store is not None
    await site.store.transact(queue.cancel, job.id, "ani", "no")
    snapshot.take(site.folder, site.out)
    await _restored(site)
    assert (await site.accept("a")).state is JobState.HELD


async def test_a_card_in_work_waits_for_a_person_and_its_job_is_held_after(site: Site) -> None:
    passage = await _begin(site, await site.accept("a"))
    snapshot.take(site.folder, site.out)
    report = await _restored(site)
    assert site.store is not None
    old = await site.store.read(journal.find, passage.id)
    assert (report.unknown, old.state, old.reason) == (1, "unknown", "restored")
    assert old.reader not in ("", passage.reader), "no device that exists now may give evidence"
    job = await site.store.transact(journal.end, old, Verdict.STILL_BLANK, "interrupted", 1)
    assert (job.state, job.why and job.why.code) == (JobState.HELD, "restored")


async def test_a_state_from_before_the_restore_cannot_be_copied_back(site: Site) -> None:
    snapshot.take(site.folder, site.out)
    await site.close()
    old = (site.folder / DATABASE).read_bytes()
    restore.restore(site.out, site.folder, "ani")
    (site.folder / DATABASE).write_bytes(old)
    with pytest.raises(StoreBroken, match="older than the last restore"):
        await site.open()


async def test_a_restore_under_a_running_station_is_refused(site: Site) -> None:
    snapshot.take(site.folder, site.out)
    with pytest.raises(StoreError, match="another print-station is running"):
        restore.restore(site.out, site.folder, "ani")


async def test_the_snapshot_of_another_station_is_refused(site: Site, tmp_path: Path) -> None:
    other = Site(tmp_path / "other")
    await other.open()
    snapshot.take(other.folder, other.out)
    await other.close()
    await site.close()
    with pytest.raises(StoreError, match=r"belongs to station .* the snapshot to .*; take the right one"):
        restore.restore(other.out, site.folder, "ani")
    assert site.codes() == []


async def test_a_snapshot_makes_a_station_on_a_new_disk(site: Site, tmp_path: Path) -> None:
    job = await site.accept("a")
    snapshot.take(site.folder, site.out)
    new = Site(tmp_path / "new")
    report = restore.restore(site.out, new.folder, "ani")
    assert (report.aside, report.missing) == (None, 1)
    await new.open()
    again = await new.accept("a")  # brings its payload back, and waits for a person all the same
    assert (again.id, again.state, new.spool.holds(again.payload)) == (job.id, JobState.HELD, True)
    await new.close()


async def test_a_restore_that_broke_off_is_done_again(site: Site) -> None:
    await site.accept("a")
    snapshot.take(site.folder, site.out)
    await site.close()
    for name in (DATABASE, state_folder.MARKER):  # moved aside, and then the power went
        (site.folder / name).unlink()
    (site.folder / "station.db.restoring").write_bytes(b"half")
    restore.restore(site.out, site.folder, "ani")
    assert site.codes() == []


async def _begin_log(site: Site) -> None:
    assert site.store is not None
    await LogKeeper(site.store, "Contoh", lambda _size: True, lambda: None).begin()


async def _told(site: Site, kind: str) -> list[dict[str, Json]]:
    assert site.store is not None
    bodies = [json.loads(row[0]) for row in await site.store.read(lambda db: db.execute("SELECT body FROM event").fetchall())]
    return [body["facts"] for body in bodies if body["kind"] == kind]


async def test_who_restored_and_what_was_adopted_is_in_the_event_log(site: Site) -> None:
    await _begin_log(site)
    snapshot.take(site.folder, site.out)
    await site.accept("later")
    await _restored(site)
    (fact,) = await _told(site, "state_restored")
    digest = (await site.job(1)).record_digest
    assert (fact["who"], fact["epoch"], fact["adopted"]) == ("ani", 2, 1)
    assert fact["records"] == hashlib.sha256(f"{digest}\n".encode()).hexdigest()


async def test_however_many_jobs_are_held_the_log_grows_by_two_rows(site: Site) -> None:
    await _begin_log(site)
    for number in range(20):
        await site.accept(f"record-{number}")
    snapshot.take(site.folder, site.out)
    for number in range(20):
        await site.accept(f"later-{number}")
    head = snapshot.read_manifest(site.out).head
    report = await _restored(site)
    assert (report.held, report.adopted) == (20, 20)
    assert site.store is not None
    now = await site.store.read(events.head)
    assert now is not None
    assert now.seq == int(head.split(":")[0]) + 2, "hold, and the restore"


async def test_a_state_without_a_log_is_restored_and_trusted_and_begins_one(site: Site) -> None:
    await site.accept("a")  # no log here, so what it tells goes with the next line
    assert site.store is not None
    await site.close()
    with closing(sqlite3.connect(site.folder / DATABASE, isolation_level=None)) as db:
        db.executescript("DROP TRIGGER event_is_append_only_delete; DELETE FROM event;")
    snapshot.take(site.folder, site.out)
    restore.restore(site.out, site.folder, "ani")
    restore.trust(site.folder, "ani")
    await site.open()
    await _begin_log(site)
    assert [fact["station"] for fact in await _told(site, "genesis")] == [snapshot.read_manifest(site.out).station]


async def test_an_epoch_that_an_interrupted_restore_moved_aside_counts(site: Site) -> None:
    snapshot.take(site.folder, site.out)
    assert (await _restored(site)).epoch == 2
    await site.close()
    aside = site.folder / "broken-x"
    aside.mkdir()
    for name in (DATABASE, state_folder.MARKER):  # moved aside, and then the power went
        (site.folder / name).rename(aside / name)
    assert restore.restore(site.out, site.folder, "ani").epoch == 3


async def test_a_restore_that_fails_on_a_new_disk_leaves_no_trace(site: Site, tmp_path: Path) -> None:
    snapshot.take(site.folder, site.out)
    _damage_copy(site.out)
    with pytest.raises(StoreError):
        restore.restore(site.out, tmp_path / "new", "ani")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["lock"]


def _damage_copy(out: Path) -> None:
    """A database that is broken although its hash fits."""
    with (out / COPY).open("rb+") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    facts = json.loads((out / MANIFEST).read_text())
    facts["database_sha256"] = hashlib.sha256((out / COPY).read_bytes()).hexdigest()
    (out / MANIFEST).write_text(json.dumps(facts))


async def test_a_restore_moves_the_exports_of_the_lost_days_aside(site: Site) -> None:
    await _begin_log(site)
    snapshot.take(site.folder, site.out)
    export_day(site.folder, "2026-11-21", lambda _size: True)
    report = await _restored(site)
    assert report.aside is not None
    assert len(list((report.aside / "export").iterdir())) == 1
    assert not (site.folder / "export").exists()


# Trust


async def _lose_wal(site: Site) -> Path:
    """The folder as after kill -9 and the loss of the WAL: what was committed since its last copy into the database is gone."""
    copy = site.folder.with_name("killed")
    shutil.copytree(site.folder, copy)
    (copy / WAL).unlink()
    await site.close()
    site.folder, site.spool = copy, Spool(copy / "spool", reserve_bytes=0)
    with pytest.raises(StoreBroken, match=r"station.db-wal is missing.*print-station store trust"):
        await site.open()
    return copy


async def _issue_in_the_wal(site: Site) -> queue.Job:
    await _begin_log(site)
    job = await site.accept("a")
    assert site.store is not None
    await site.store.read(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    await _issue(site, job)
    return job


async def test_a_card_whose_verdict_was_lost_with_the_wal_is_not_printed_again(site: Site) -> None:
    job = await _issue_in_the_wal(site)
    folder = await _lose_wal(site)
    done = restore.trust(folder, "ani")
    assert (done.epoch, done.held, done.doubted) == (2, 1, True)
    await site.open()
    assert site.store is not None
    assert await site.store.read(queue.next_ready) is None
    assert await site.store.read(journal.held_flag)
    assert ((await site.job(job.id)).state, (await site.accept("new")).state) == (JobState.HELD, JobState.HELD)
    assert [(fact["who"], fact["held"]) for fact in await _told(site, "state_trusted")] == [("ani", 1)]
    await site.close()
    assert not restore.trust(folder, "ani").doubted  # the word after the look
    await site.open()
    assert (await site.accept("newer")).state is JobState.READY


async def test_a_card_in_work_when_the_wal_was_lost_waits_for_a_person(site: Site) -> None:
    passage = await _begin(site, await site.accept("a"))
    assert site.store is not None
    await site.store.read(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    assert restore.trust(await _lose_wal(site), "ani").unknown == 1
    await site.open()
    old = await site.store.read(journal.find, passage.id)
    assert (old.state, old.reason, old.reader) == ("unknown", "restored", "before epoch 2")


async def test_trust_that_broke_off_is_done_again_and_holds_again(site: Site) -> None:
    await _issue_in_the_wal(site)
    folder = await _lose_wal(site)
    before = (folder / state_folder.MARKER).read_bytes()
    (folder / "station.db.restoring").write_bytes(b"half")  # cut while the copy was made
    assert (restore.trust(folder, "ani").held, site.codes()) == (1, [])
    (folder / state_folder.MARKER).write_bytes(before)  # cut before the last step
    assert site.codes()[0] == "store.wal_missing"
    again = restore.trust(folder, "ani")
    assert (again.epoch, again.held, again.doubted) == (3, 1, True)


async def test_nothing_that_reads_makes_a_lost_wal_look_whole(site: Site) -> None:
    await _issue_in_the_wal(site)
    folder = await _lose_wal(site)
    with pytest.raises(StoreBroken, match=r"station.db-wal is missing"):
        snapshot.take(folder, site.out)
    assert site.codes() == ["store.wal_missing"]


async def test_after_a_lost_wal_the_spools_records_are_held_jobs(site: Site) -> None:
    await site.close()
    shell = (site.folder / DATABASE).read_bytes()
    marker = (site.folder / state_folder.MARKER).read_text()
    await site.open()
    await site.accept("lost with the wal")
    await site.close()
    (site.folder / DATABASE).write_bytes(shell)
    (site.folder / state_folder.MARKER).write_text(marker.replace("false", "true"))
    with pytest.raises(StoreBroken, match=r"station.db-wal is missing.*print-station store trust"):
        await site.open()
    assert restore.trust(site.folder, "ani").adopted == 1
    await site.open()
    assert (await site.accept("lost with the wal")).state is JobState.HELD


async def test_a_lost_spool_is_accepted_and_made_anew(site: Site) -> None:
    job = await site.accept("a")
    await site.close()
    site.spool.folder.rename(site.folder / "gone")
    restore.trust(site.folder, "ani")
    await site.open()
    assert (await site.job(job.id)).state is JobState.READY


async def test_a_damaged_marker_is_written_anew_from_the_database(site: Site) -> None:
    await site.close()
    before = (site.folder / state_folder.MARKER).read_bytes()
    (site.folder / state_folder.MARKER).write_bytes(b"damaged")
    restore.trust(site.folder, "ani")
    assert (site.folder / state_folder.MARKER).read_bytes() == before


async def test_nothing_is_trusted_or_made_where_nothing_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typo = tmp_path / "typo" / "a"
    assert cli.main(["store", "trust", str(typo), "--who", "ani"]) == 1
    said = capsys.readouterr().err
    assert f"{typo}: tidak ada station.db" in said
    assert f"{typo}: there is no station.db to trust; check the folder's name" in said
    assert list(tmp_path.iterdir()) == []
