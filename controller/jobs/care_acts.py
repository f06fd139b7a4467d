"""What a person has a printer do between passages: the cleaning cycle and its own test card. Functions are part of a transaction.

An act is asked, begun (with what the printer's counters said just before) and ended. One that was begun and whose end nobody saw
is settled by the counters, as a passage is. A test card takes a blank: it is booked from the hopper to the lane's reject bin, for
a person has to destroy it. What the printer counted in an act moves the base line that `contradictions` compares with.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from controller.clock import wall_us
from controller.conditions import CONDITIONS
from controller.errors import Problem, RequestRefused
from controller.jobs import events, incidents, ledger, ribbons
from controller.jobs.ledger import digest
from controller.model import LaneLevels, PrinterWitness

MAX_DETAIL = 500  # characters of a device's own words
MOST_COUNTED = 2  # cards that a test card may honestly take: more is another story, for a person
LISTED = 20  # acts in one answer, the newest


class Kind(StrEnum):
    """What can be asked for."""

    CLEAN = "clean"
    TEST_CARD = "test_card"


class Outcome(StrEnum):
    """How an act ended."""

    DONE = "done"
    REFUSED = "refused"  # never begun: something is in the way
    FAILED = "failed"  # begun, and the printer said no
    UNKNOWN = "unknown"  # begun, and the end was not seen: the counters were believed


@dataclass(frozen=True, slots=True)
class CareAct:
    """One row of the table."""

    id: int
    lane: str
    kind: Kind
    who: str
    reason: str
    asked_us: int
    begun_us: int | None
    serial: str
    cards_fed: int | None
    ribbon: int | None
    ended_us: int | None
    outcome: str  # an Outcome; empty while the act is open
    condition: str
    detail: str
    counted: int | None

    @property
    def begun(self) -> bool:
        """Whether the printer may have been told."""
        return self.begun_us is not None


@dataclass(frozen=True, slots=True)
class End:
    """How an act ended, and what is known of the cards it took."""

    outcome: Outcome
    condition: str = ""
    detail: str = ""
    after: PrinterWitness | None = None  # None: nothing was sent, or another printer is there now
    passed: int | None = None  # cards the feed beam saw; None: nobody watched it


def obstacle(kind: Kind, witness: PrinterWitness, levels: LaneLevels | None, hopper_count: int) -> str | None:
    """The condition that keeps the act from being begun, None when it may be. Pure; the first row that applies is the answer."""
    test = kind is Kind.TEST_CARD
    rows = (
        ("cover_open", witness.cover_open is True),
        ("card_inside", witness.position.inside),
        ("bin_full", test and levels is not None and levels.bin_full),
        ("ribbon_end", test and witness.ribbon_remaining is not None and witness.ribbon_remaining < 1),
        ("hopper_empty", test and levels is not None and levels.hopper_empty),
        ("hopper_uncounted", test and hopper_count <= 0),
    )
    return next((condition for condition, applies in rows if applies), None)


def ask(db: sqlite3.Connection, lane: str, kind: Kind, who: str, reason: str) -> int:
    """A person wants it done; returns the act's id. Raises RequestRefused while a card or another act is in work."""
    if db.execute("SELECT 1 FROM passage WHERE lane = ? AND state <> 'ended'", (lane,)).fetchone() is not None:
        raise _refused("care.passage", f"Satu kartu masih diproses di jalur {lane}; tunggu sampai selesai, lalu ulangi.",
                       f"A card is still in work in lane {lane}; wait until it is settled, then try again.")  # fmt: skip
    if open_in(db, lane) is not None:
        raise _refused("care.open", f"Perawatan printer di jalur {lane} sedang berjalan; tunggu.",
                       f"The printer of lane {lane} is being cared for already; wait.")  # fmt: skip
    if kind is Kind.TEST_CARD and ledger.held(db, ledger.hopper(lane)) < 1:
        uncounted = CONDITIONS["hopper_uncounted"]
        raise _refused("stock.short", uncounted.id, uncounted.en)
    row = db.execute(
        "INSERT INTO care_act (lane, kind, who, reason, asked_us) VALUES (?, ?, ?, ?, ?) RETURNING id",
        (lane, kind, who, reason, wall_us()),
    ).fetchone()
    return int(row["id"])


def forget_asked(db: sqlite3.Connection) -> None:
    """At start: what was asked of the last run and never begun is not done now; nobody may stand there any more."""
    db.execute(
        """UPDATE care_act SET ended_us = ?, outcome = 'refused', condition = ?
           WHERE ended_us IS NULL AND begun_us IS NULL""",
        (wall_us(), "care_not_begun"),
    )


def begin(db: sqlite3.Connection, act: CareAct, serial: str, before: PrinterWitness) -> CareAct:
    """The printer is about to be told."""
    db.execute(
        "UPDATE care_act SET begun_us = ?, serial = ?, cards_fed = ?, ribbon = ? WHERE id = ?",
        (wall_us(), serial, before.cards_fed, before.ribbon_remaining, act.id),
    )
    facts = {"care": act.id, "act": act.kind, "lane": act.lane, "printer": serial, "who": act.who, "reason": digest(act.reason)}
    events.append(db, "care_begun", facts)
    return find(db, act.id)


def end(db: sqlite3.Connection, act: CareAct, how: End) -> CareAct:
    """The act is over: book the blank and the ribbon it took, and say what does not fit."""
    counted = None if how.after is None or act.cards_fed is None else how.after.cards_fed - act.cards_fed
    db.execute(
        "UPDATE care_act SET ended_us = ?, outcome = ?, condition = ?, detail = ?, counted = ? WHERE id = ?",
        (wall_us(), how.outcome, how.condition, how.detail[:MAX_DETAIL], counted, act.id),
    )
    if act.begun:
        facts = {"care": act.id, "outcome": how.outcome, "condition": how.condition, "counted": counted}
        events.append(db, "care_ended", facts)
        _move_base_line(db, act, counted)
        _book(db, act, how, counted)
    return find(db, act.id)


def find(db: sqlite3.Connection, act_id: int) -> CareAct:
    """The act with this id, which was asked before."""
    return _act(db.execute("SELECT * FROM care_act WHERE id = ?", (act_id,)).fetchone())


def open_in(db: sqlite3.Connection, lane: str) -> CareAct | None:
    """The act that is asked or under way in a lane."""
    row = db.execute("SELECT * FROM care_act WHERE lane = ? AND ended_us IS NULL", (lane,)).fetchone()
    return None if row is None else _act(row)


def newest(db: sqlite3.Connection, lane: str) -> list[CareAct]:
    """The lane's acts, newest first, at most LISTED."""
    rows = db.execute("SELECT * FROM care_act WHERE lane = ? ORDER BY id DESC LIMIT ?", (lane, LISTED))
    return [_act(row) for row in rows]


def last_cleaned(db: sqlite3.Connection, lane: str) -> CareAct | None:
    """The newest cleaning that was done in a lane."""
    row = db.execute(
        "SELECT * FROM care_act WHERE lane = ? AND kind = 'clean' AND outcome = 'done' ORDER BY id DESC LIMIT 1", (lane,)
    ).fetchone()
    return None if row is None else _act(row)


def blanks_taken(how: End, counted: int | None) -> int:
    """How many blanks a test card is booked to have taken. Pure: the counter is believed while it is sane; a printer that says
    done took one."""
    if counted is not None and 0 < counted <= MOST_COUNTED:
        return counted
    return 1 if how.outcome is Outcome.DONE else 0


def doubt(how: End, counted: int | None) -> str | None:
    """Why the hopper has to be counted after a test card; None when everything fits. Pure."""
    if counted is None and how.outcome is Outcome.UNKNOWN:
        return "nobody can tell whether a blank was taken"
    if counted is not None and not 0 <= counted <= MOST_COUNTED:
        return f"the printer counted {counted} cards"
    if counted is not None and how.passed is not None and how.passed != counted:
        return f"the printer counted {counted} cards, the feed beam saw {how.passed}"
    if how.outcome is Outcome.DONE and counted != 1:
        return f"one card was asked for, the printer counted {counted}"
    if how.outcome is Outcome.UNKNOWN:
        return f"the end was not seen, the printer counted {counted}"
    return None


def _book(db: sqlite3.Connection, act: CareAct, how: End, counted: int | None) -> None:
    if act.kind is not Kind.TEST_CARD:
        return
    for _ in range(blanks_taken(how, counted)):
        source = ledger.hopper(act.lane)
        if ledger.held(db, source) < 1:
            source = ledger.SURPLUS
            incidents.raise_incident(db, "count_over", ledger.hopper(act.lane), f"test card {act.id} from an empty hopper")
        ledger.post(db, source, ledger.reject_bin(act.lane), who=act.who, reason=act.reason, document=f"test card {act.id}")
    sets = _sets(act, how)
    if sets:
        ribbons.used(db, act.lane, act.serial, act.ribbon, None if how.after is None else how.after.ribbon_remaining, sets=sets)
    why = doubt(how, counted)
    if why is not None:
        incidents.raise_incident(db, "count_required", act.lane, f"test card {act.id}: {why}", add=True)


def _sets(act: CareAct, how: End) -> int:
    """Ribbon sets the test card took: by the printer's own counter, one when it does not tell."""
    after = None if how.after is None else how.after.ribbon_remaining
    if act.ribbon is not None and after is not None:
        return max(0, act.ribbon - after) if act.ribbon - after <= MOST_COUNTED else 1
    return 1 if how.outcome is Outcome.DONE else 0


def _move_base_line(db: sqlite3.Connection, act: CareAct, counted: int | None) -> None:
    """What was counted in the act is explained by it, cleaning cards too; whatever else was counted still has to be."""
    if counted:
        db.execute(
            "UPDATE printer_seen SET cards_fed = cards_fed + ? WHERE serial = ? AND lane = ?", (counted, act.serial, act.lane)
        )


def _act(row: sqlite3.Row) -> CareAct:
    values = dict(row)
    return CareAct(**values | {"kind": Kind(values["kind"])})


def _refused(code: str, text_id: str, text_en: str) -> RequestRefused:
    return RequestRefused(Problem(code, "lane", text_id, text_en))
