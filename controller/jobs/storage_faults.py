"""What went wrong with the disk or the database, which file it is, and what a person should do: one row for each kind.

SQLite and the kernel speak in numbers (sqlite.org/rescode.html, errno(3)); staff need a file and a command. After a failed
write or flush nothing is tried again by us: the kernel may have dropped the page (reliability.md 5.3), so only room on the
disk (StoreFull) is worth waiting for, and everything else here is StoreBroken.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from pathlib import Path

from controller.errors import Problem, StoreBroken, StoreError, StoreFull

DATABASE, WAL, SHM, SPOOL, SNAPSHOTS = "station.db", "station.db-wal", "station.db-shm", "spool", "snapshots"
SNAPSHOT_NAME = re.compile(r"\d{6}-\d{8}T\d{6}Z")  # of the station's own snapshots: running number and time

_RESTORE = "'print-station store restore {snapshot} {folder}'"
_TRUST = "'print-station store trust {folder}'"
_CHECK = "'print-station store check {folder}'"

# code -> (Indonesian, English). Fields: file, folder, mount, snapshot (the newest there is), detail.
_WORDS: dict[str, tuple[str, str]] = {
    "corrupt": ("{file} rusak ({detail}); periksa dengan " + _CHECK + ", lalu pulihkan dengan " + _RESTORE + ".",
                "{file} is damaged ({detail}); look with " + _CHECK + ", then restore with " + _RESTORE + "."),
    "io": ("{file}: disk melaporkan kesalahan ({detail}); lihat 'dmesg', ganti disk bila perlu, periksa dengan "
           "'print-station store check {folder}', lalu 'systemctl start print-station'.",
           "{file}: the disk reports an error ({detail}); see 'dmesg', replace the disk if need be, look with "
           "'print-station store check {folder}', then 'systemctl start print-station'."),
    "readonly": ("{file} tidak dapat ditulis: {mount} hanya-baca; lihat 'dmesg', lalu 'mount -o remount,rw {mount}' dan "
                 "'systemctl start print-station'.",
                 "{file} cannot be written: {mount} is read-only; see 'dmesg', then 'mount -o remount,rw {mount}' and "
                 "'systemctl start print-station'."),
    "denied": ("{file} tidak dapat dibuka ({detail}); jadikan milik stasiun: 'chown -R print-station: {folder}'.",
               "{file} cannot be opened ({detail}); give it to the station: 'chown -R print-station: {folder}'."),
    "missing": ("{file} hilang, padahal stasiun ini pernah bekerja; kembalikan berkasnya atau pulihkan dengan " + _RESTORE + ".",
                "{file} is missing although this station has worked before; bring it back or restore with " + _RESTORE + "."),
    "empty": ("{file} kosong, padahal stasiun ini pernah bekerja; kembalikan berkasnya atau pulihkan dengan " + _RESTORE + ".",
              "{file} is empty although this station has worked before; bring it back or restore with " + _RESTORE + "."),
    "wal_missing": ("{file} hilang, padahal stasiun tidak berhenti dengan tertib, jadi pekerjaan terakhir mungkin hilang; "
                    "kembalikan berkasnya, atau pulihkan dengan " + _RESTORE + ", atau lanjutkan dengan yang masih ada: "
                    + _TRUST + " menahan setiap pekerjaan yang belum selesai.",
                    "{file} is missing although the station did not stop in good order, so its last work may be lost; bring it "
                    "back, or restore with " + _RESTORE + ", or go on with what is left: " + _TRUST + " holds every job that is "
                    "not done."),
    "spool_missing": ("{file} hilang, padahal ada pekerjaan yang membutuhkan data di dalamnya; kembalikan foldernya, atau "
                      "'print-station store trust {folder}' lalu serahkan lagi datanya dengan 'print-station submit'.",
                      "{file} is missing although there are jobs that need the records in it; bring the folder back, or "
                      "'print-station store trust {folder}' and hand the records in again with 'print-station submit'."),
    "foreign": ("{file} bukan basis data print-station; pindahkan, lalu pulihkan dengan " + _RESTORE + ".",
                "{file} is not a print-station database; move it away, then restore with " + _RESTORE + "."),
    "snapshot": ("{file} adalah salinan cadangan, bukan keadaan stasiun; pakai " + _RESTORE + ".",
                 "{file} is a snapshot and not a station's state; use " + _RESTORE + "."),
    "newer": ("{file} {detail}; pasang print-station yang lebih baru: 'apt install print-station'.",
              "{file} {detail}; install the newer print-station: 'apt install print-station'."),
    "other_station": ("{file} milik stasiun lain ({detail}); kembalikan yang benar atau pulihkan dengan " + _RESTORE + ".",
                      "{file} belongs to another station ({detail}); bring the right one back or restore with " + _RESTORE + "."),
    "older_state": ("{file} lebih tua daripada pemulihan terakhir ({detail}); kembalikan yang benar atau pulihkan dengan "
                    + _RESTORE + ".",
                    "{file} is older than the last restore ({detail}); bring the right one back, or " + _RESTORE + "."),
    "marker": ("{file} rusak ({detail}); kembalikan berkasnya, atau " + _TRUST + " bila {folder} utuh selebihnya.",
               "{file} is damaged ({detail}); bring it back, or " + _TRUST + " if {folder} is whole otherwise."),
    "marker_newer": ("{file} {detail}; pasang print-station yang lebih baru: 'apt install print-station'.",
                     "{file} {detail}; install the newer print-station: 'apt install print-station'."),
    "log_key_missing": ("{file} hilang, padahal log peristiwa sudah ditandatangani dengannya; kembalikan berkasnya atau pulihkan "
                        "dengan " + _RESTORE + ". Jangan membuat kunci baru: lihat docs/event-log.md.",
                        "{file} is missing although the event log was signed with it; bring it back or restore with " + _RESTORE
                        + ". Never make a new one: see docs/event-log.md."),
    "log_key_wrong": ("{file} {detail}; kembalikan yang benar atau pulihkan dengan " + _RESTORE + ". Lihat docs/event-log.md.",
                      "{file} {detail}; bring the right one back or restore with " + _RESTORE + ". See docs/event-log.md."),
    "no_state": ("{file} tidak ada dan stasiun belum pernah berjalan di sini; periksa nama foldernya.",
                 "{file} is not there and no station has ever run here; check the folder's name."),
    "no_genesis": ("{file}: log peristiwa tidak diawali baris genesis ({detail}); pulihkan dengan " + _RESTORE + ".",
                   "{file}: the event log does not begin with a genesis row ({detail}); restore with " + _RESTORE + "."),
    "payload": ("{file} hilang atau berubah ({detail}); serahkan lagi datanya dengan 'print-station submit FILE'.",
                "{file} is missing or changed ({detail}); hand the record in again with 'print-station submit FILE'."),
    "settings": ("{file}: {detail}; disk ini tidak dapat menyimpan jurnal stasiun, pindahkan state_dir ke disk lokal (ext4).",
                 "{file}: {detail}; this disk cannot keep the station's journal, move state_dir to a local disk (ext4)."),
    # What a command refuses; nothing was changed.
    "busy": ("{folder}: print-station lain sedang berjalan pada folder ini; hentikan dahulu.",
             "{folder}: another print-station is running on this folder; stop it first."),
    "unusable": ("{folder}: tidak dapat dipakai sebagai folder stasiun: {detail}; pilih yang lain.",
                 "{folder}: cannot be used as the state folder: {detail}; choose another."),
    "nothing_to_trust": ("{folder}: tidak ada station.db yang dapat dipercaya; periksa nama foldernya, atau pulihkan cadangan.",
                         "{folder}: there is no station.db to trust; check the folder's name, or restore a snapshot."),
    "not_this_station": ("{folder}: bukan stasiun dari cadangan itu ({detail}); ambil yang benar.",
                         "{folder}: {detail}; take the right one."),
    "snapshot_damaged": ("{file}: basis data cadangan itu rusak ({detail}); ambil cadangan lain.",
                         "{file}: the snapshot's database is damaged ({detail}); take another snapshot."),
    "snapshot_changed": ("{file} diubah atau rusak; ambil cadangan lain.",
                         "{file}: was changed or is damaged; take another snapshot."),
    "snapshot_unreadable": ("{file} tidak dapat dibaca; ambil cadangan lain.",
                            "{file}: cannot be read; take another snapshot."),
    "snapshot_format": ("{file}: {detail}; pasang print-station yang sesuai.",
                        "{file}: {detail}; install the fitting print-station."),
    "no_snapshot": ("{file} bukan cadangan: {detail}; periksa namanya.", "{file}: is no snapshot: {detail}; check its name."),
    "snapshot_unwritten": ("{file}: cadangan tidak dapat ditulis: {detail}; pilih tempat lain.",
                           "{file}: the snapshot cannot be written: {detail}; choose another place."),
    "exists": ("{file} sudah ada; pilih nama lain.", "{file} exists already; choose another name."),
    "no_station": ("{folder}: tidak berisi keadaan stasiun; periksa nama foldernya.",
                   "{folder}: holds no station's state; check the folder's name."),
    "log_empty": ("{file}: log peristiwa masih kosong; jalankan stasiun dahulu.",
                  "{file}: the event log is empty; start the station first."),
    "log_shorter": ("{file}: {detail}; pilih baris yang lebih awal.", "{file}: {detail}; choose an earlier row."),
    "export_unwritten": ("{file}: ekspor tidak dapat ditulis: {detail}; pilih tempat lain.",
                         "{file}: the export cannot be written: {detail}; choose another place."),
    "export_no_room": ("{file}: tidak ada ruang untuk ekspor harian log peristiwa di luar cadangan jurnal; kosongkan ruang.",
                       "{file}: no room for the log's daily export without touching the journal's reserve; free some space."),
    "full": ("disk {folder} penuh ({detail}); kosongkan ruang di {mount} (lihat 'df -h {mount}').",
             "the disk of {folder} is full ({detail}); free some space on {mount} (see 'df -h {mount}')."),
    "failed": ("{file}: penyimpanan stasiun gagal: {detail}; lihat 'dmesg'.",
               "{file}: the station's storage failed: {detail}; see 'dmesg'."),
}  # fmt: skip

_FEW_BYTES = 64 * 1024  # less than one page of SQLite's shared memory file: an I/O error is then the full disk's

_OF_ERRNO = {errno.EIO: "io", errno.EROFS: "readonly", errno.EACCES: "denied", errno.EPERM: "denied", errno.EUCLEAN: "corrupt",
             errno.ENODEV: "io", errno.ENXIO: "io", errno.ESTALE: "io"}  # fmt: skip
_OF_SQLITE = {sqlite3.SQLITE_CORRUPT: "corrupt", sqlite3.SQLITE_NOTADB: "corrupt", sqlite3.SQLITE_IOERR: "io",
              sqlite3.SQLITE_READONLY: "readonly", sqlite3.SQLITE_CANTOPEN: "denied", sqlite3.SQLITE_PERM: "denied"}  # fmt: skip
_GROWS_SHM = (sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP, sqlite3.SQLITE_IOERR_SHMOPEN)


def broken(code: str, folder: Path, file: str, detail: str = "") -> StoreBroken:
    """The error of one row of the table, about `file` in the state folder."""
    return StoreBroken(_problem(code, folder, file, detail))


def refused(code: str, folder: Path, file: Path | str = DATABASE, detail: str = "") -> StoreError:
    """The same for a command that changed nothing."""
    return StoreError(_problem(code, folder, file, detail))


def full(folder: Path, detail: str, code: str = "full", file: Path | str = DATABASE) -> StoreFull:
    """The disk of the state folder has no room."""
    return StoreFull(_problem(code, folder, file, detail))


def _problem(code: str, folder: Path, file: Path | str, detail: str) -> Problem:
    snapshot = newest_snapshot(folder) or "SNAPSHOT"
    fields = {"file": folder / file, "folder": folder, "mount": mount_of(folder), "snapshot": snapshot, "detail": detail}
    text_id, text_en = (text.format(**fields).replace(" ()", "") for text in _WORDS[code])
    return Problem(f"store.{code}", "", text_id, text_en)


def fault_of(error: Exception, folder: Path, file: str = DATABASE) -> StoreError:
    """Any error of the disk or of SQLite as the station's own. `file` is what was worked on, if the error does not tell."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, folder, file)
    if isinstance(error, OSError):
        named = str(Path(str(error.filename)).absolute()) if error.filename else file
        return _of_errno(error.errno or 0, folder, named, str(error.strerror))
    return refused("failed", folder, file, str(error))


def _of_errno(number: int, folder: Path, file: str, detail: str) -> StoreError:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return full(folder, detail)
    code = _OF_ERRNO.get(number)
    return refused("failed", folder, file, detail) if code is None else broken(code, folder, file, detail)


def _of_sqlite(error: sqlite3.Error, folder: Path, file: str) -> StoreError:
    number = getattr(error, "sqlite_errorcode", None)
    detail = f"{getattr(error, 'sqlite_errorname', type(error).__name__)}: {error}"
    if number is None:
        return refused("failed", folder, file, detail)
    if number & 0xFF == sqlite3.SQLITE_FULL or (number in _GROWS_SHM and _free_bytes(folder) < _FEW_BYTES):
        return full(folder, detail)
    code = _OF_SQLITE.get(number & 0xFF)
    if code is None:
        return refused("failed", folder, file, detail)
    if code in ("io", "denied") and is_read_only(folder):
        code = "readonly"  # a file system that turned read-only answers open descriptors with plain write errors
    return broken(code, folder, _unusable(folder) or file, detail)


def _unusable(folder: Path) -> str | None:
    """Which of the database's files is no file that we may read and write."""
    for name in (DATABASE, WAL, SHM):
        path = folder / name
        if path.exists() and not (path.is_file() and os.access(path, os.R_OK | os.W_OK)):
            return name
    return None


def is_read_only(folder: Path) -> bool:
    """Whether the file system is mounted read-only."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def mount_of(folder: Path) -> Path:
    """The mount point that the folder lies on."""
    place = folder.absolute()
    while not place.is_mount() and place != place.parent:
        place = place.parent
    return place


def newest_snapshot(folder: Path) -> Path | None:
    """The newest of the station's own snapshots, by their running number."""
    try:
        return max((path for path in (folder / SNAPSHOTS).iterdir() if SNAPSHOT_NAME.fullmatch(path.name)), default=None)
    except OSError:
        return None


def _free_bytes(folder: Path) -> int:
    try:
        room = os.statvfs(folder)
    except OSError:
        return 0
    return room.f_bavail * room.f_frsize
