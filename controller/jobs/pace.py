"""Pacing: after so many cards in a row a printer rests, by the lane's rule (offices rest theirs after about 100 cards; no maker's
figure). `rest_left_s` and `after_card` are pure.

A pause as long as a rest is a rest, whoever made it. Over a restart of the daemon the row is remembered to the second; after
another boot nobody knows how long the printer stood still (the wall clock may be wrong), so it counts as printed just now.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from controller.clock import TimeStamp

STEP_S = 5  # the time left is told in such steps: a number that changes every second is nobody's help


@dataclass(frozen=True, slots=True)
class Rule:
    """How many cards in a row, and how long the rest after them; 0 cards: no rests."""

    cards: int = 0
    rest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """The cards in a row up to now."""

    cards: int
    last_s: float  # when the last of them ended, on the monotonic clock


def rest_left_s(pace: Pace | None, rule: Rule, now_s: float) -> float:
    """How long the printer has to rest from now on; 0: it may print."""
    if pace is None or rule.cards <= 0 or pace.cards < rule.cards:
        return 0.0
    return max(0.0, pace.last_s + rule.rest_s - now_s)


def after_card(pace: Pace | None, rule: Rule, began_s: float, ended_s: float) -> Pace:
    """One more card was printed between these moments."""
    rested = pace is None or began_s - pace.last_s >= rule.rest_s
    return Pace(1 if pace is None or rested else pace.cards + 1, ended_s)


def told_s(left_s: float) -> int:
    """The time left as people are told: whole steps, never less than is left."""
    return -int(-left_s // STEP_S) * STEP_S


def save(db: sqlite3.Connection, serial: str, pace: Pace, now: TimeStamp) -> None:
    """Remember the printer's row of cards over a restart."""
    db.execute(
        "INSERT OR REPLACE INTO printer_pace (serial, cards, boot_id, monotonic_us) VALUES (?, ?, ?, ?)",
        (serial, pace.cards, now.boot_id or "", round(pace.last_s * 1_000_000)),
    )


def take_up(db: sqlite3.Connection, serial: str, now: TimeStamp) -> Pace | None:
    """What is remembered of the printer; None when it never printed with pacing. That it counts as printed just now after another
    boot is remembered as well: it is so once, not at every restart of the daemon."""
    row = db.execute("SELECT * FROM printer_pace WHERE serial = ?", (serial,)).fetchone()
    if row is None:
        return None
    now_us = now.monotonic_us
    same_boot = now.boot_id is not None and row["boot_id"] == now.boot_id and row["monotonic_us"] <= now_us
    pace = Pace(row["cards"], (row["monotonic_us"] if same_boot else now_us) / 1_000_000)
    if not same_boot:
        save(db, serial, pace, now)
    return pace
