"""Incidents: contradictions between the books and the world, open until a person explains them.

Nothing corrects itself: a sensor or a counter that disagrees with the ledger raises an incident, and the ledger stays as it is.
While one of a kind is open for a place, the same again is the same incident.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from controller.clock import wall_us
from controller.errors import Problem, RequestRefused
from controller.jobs import events

MAX_DETAIL = 2000  # a dozen counts that all disagree; what is longer stands in the entries
LISTED = 1000  # as many as one answer names; the oldest first


@dataclass(frozen=True, slots=True)
class Kind:
    """What sort of contradiction it is, and what staff should do: one sentence and one action, Indonesian and English."""

    id: str
    en: str


@dataclass(frozen=True, slots=True)
class Incident:
    """One row of the incident table."""

    id: int
    kind: str
    place: str  # a lane, an account such as store or reject:1, or nothing
    detail: str
    passage_id: int | None
    raised_us: int
    explained_us: int | None
    explained_by: str
    explanation: str


# fmt: off
KINDS: Mapping[str, Kind] = {
    "count_short": Kind(
        "Hitungan kurang dari buku; cari blangko yang hilang dan jelaskan.",
        "A count found fewer than the ledger; look for the missing blanks and explain."),
    "count_over": Kind(
        "Hitungan lebih dari buku; cari asal blangko itu dan jelaskan.",
        "A count found more than the ledger; find out where they come from and explain."),
    "count_required": Kind(
        "Pengambilan blangko terputus; hitung isi hopper dengan 'print-station stock count'.",
        "A feed was interrupted; count the hopper with 'print-station stock count'."),
    "hopper_sensor": Kind(
        "Sensor hopper dan buku tidak sepakat; hitung isi hopper dan jelaskan.",
        "The hopper's sensor and the ledger disagree; count the hopper and explain."),
    "feed_disputed": Kind(
        "Printer dan sensor tidak sepakat tentang blangko yang diambil; hitung isi hopper dan jelaskan.",
        "Printer and beam disagree about a blank that was fed; count the hopper and explain."),
    "printer_counter": Kind(
        "Penghitung printer tidak cocok dengan buku; cari tahu siapa memakai printer dan jelaskan.",
        "The printer's counter does not fit the ledger; find out who used the printer and explain."),
    "uid_warned": Kind(
        "Blangko di luar daftar batch dipakai; periksa asalnya dan jelaskan.",
        "A blank that no batch lists was used; check where it came from and explain."),
    "ribbon_unrecorded": Kind(
        "Pita dipakai tanpa dicatat; catat pita baru dengan 'print-station stock load --ribbon'.",
        "A ribbon is used that nobody booked; book the new one with 'print-station stock load --ribbon'."),
    "ribbon_counter": Kind(
        "Penghitung pita di printer tidak cocok dengan buku; periksa pita dan jelaskan.",
        "The printer's ribbon counter does not fit the ledger; look at the ribbon and explain."),
    "ribbon_shortfall": Kind(
        "Pita memberi jauh lebih sedikit kartu daripada yang tertulis; simpan pita dan dusnya, lalu laporkan kepada pemasok.",
        "A ribbon gave far fewer cards than its box says; keep the roll and its box and complain to the supplier."),
    "settings_changed": Kind(
        "Setelan printer berubah; cetak kartu uji, lalu 'print-station printer accept-settings' atau kembalikan setelan itu.",
        "A printer's settings changed; print a test card, then 'print-station printer accept-settings' or set them back."),
    "card_missing": Kind(
        "Satu kartu tidak ditemukan; cari kartunya dan jelaskan.",
        "A card cannot be found; look for it and explain."),
}
# fmt: on


def raise_incident(
    db: sqlite3.Connection, kind: str, place: str, detail: str, passage_id: int | None = None, *, add: bool = False
) -> int:
    """Open an incident in the caller's transaction; returns its id, or that of the one of this kind already open for the place.

    `add`: this is another happening, so its detail joins the open one's.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no incident '{kind}'")
    found = db.execute(
        "SELECT id, detail FROM incident WHERE kind = ? AND place = ? AND explained_us IS NULL", (kind, place)
    ).fetchone()
    if found is None:
        row = db.execute(
            "INSERT INTO incident (kind, place, detail, passage_id, raised_us) VALUES (?, ?, ?, ?, ?) RETURNING id",
            (kind, place, detail, passage_id, wall_us()),
        ).fetchone()
        number = int(row[0])
    elif add:
        number = int(found["id"])
        db.execute("UPDATE incident SET detail = ? WHERE id = ?", (f"{found['detail']}; {detail}"[:MAX_DETAIL], number))
    else:
        return int(found["id"])
    events.append(db, "incident_opened", {"incident": number, "kind": kind, "lane": place, "passage": passage_id})
    return number


def explain(db: sqlite3.Connection, incident_id: int, who: str, why: str) -> Incident:
    """Close an incident with a person's explanation. Raises RequestRefused when there is none, or it is closed already."""
    incident = find(db, incident_id)
    if incident.explained_us is not None:
        raise RequestRefused(
            Problem("incident.explained", "incident", f"Kejadian {incident_id} sudah dijelaskan oleh {incident.explained_by}.",
                    f"Incident {incident_id} was already explained by {incident.explained_by}.")
        )  # fmt: skip
    db.execute(
        "UPDATE incident SET explained_us = ?, explained_by = ?, explanation = ? WHERE id = ?", (wall_us(), who, why, incident_id)
    )
    events.append(db, "incident_explained", {"incident": incident_id, "kind": incident.kind, "lane": incident.place, "who": who})
    return find(db, incident_id)


def explain_open(db: sqlite3.Connection, kind: str, place: str, who: str, why: str) -> None:
    """Close the incident of this kind at this place, if one is open: what was just done answers it."""
    row = db.execute("SELECT id FROM incident WHERE kind = ? AND place = ? AND explained_us IS NULL", (kind, place)).fetchone()
    if row is not None:
        explain(db, row["id"], who, why)


def find(db: sqlite3.Connection, incident_id: int) -> Incident:
    """The incident with this id. Raises RequestRefused when there is none."""
    row = db.execute("SELECT * FROM incident WHERE id = ?", (incident_id,)).fetchone()
    if row is None:
        raise RequestRefused(
            Problem("incident.unknown", "incident", f"Kejadian {incident_id} tidak ada.", f"There is no incident {incident_id}."),
            found=False,
        )
    return Incident(**dict(row))


def open_incidents(db: sqlite3.Connection) -> list[Incident]:
    """Those that wait for an explanation, oldest first, at most LISTED."""
    rows = db.execute("SELECT * FROM incident WHERE explained_us IS NULL ORDER BY id LIMIT ?", (LISTED,))
    return [Incident(**dict(row)) for row in rows]


def is_open(db: sqlite3.Connection, kind: str, place: str) -> bool:
    """Whether one of this kind waits at this place."""
    found = db.execute("SELECT 1 FROM incident WHERE kind = ? AND place = ? AND explained_us IS NULL", (kind, place)).fetchone()
    return found is not None


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """How many wait, by kind; every kind is named."""
    rows = db.execute("SELECT kind, count(*) FROM incident WHERE explained_us IS NULL GROUP BY kind")
    return dict.fromkeys(KINDS, 0) | {row[0]: row[1] for row in rows}
