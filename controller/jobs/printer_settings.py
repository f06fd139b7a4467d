"""Settings that live in a printer (contrast, speed, offsets): what was accepted for each unit, and whether it still says so.

The first reading of a unit is accepted silently. A later difference is a contradiction: an incident `settings_changed` names
setting, old and new value, once per change, and the lane prints on until a person has looked. Nothing is ever written to a
printer. Each function is part of a transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from controller.clock import wall_us
from controller.errors import Problem, RequestRefused
from controller.jobs import events, incidents
from controller.jobs.ledger import STATION, digest

MAX_SETTINGS = 64  # of one printer; the profiles name 14
MAX_VALUE = 100  # characters of what a printer says a setting is; numbers and short words in every fact we have
INCIDENT = "settings_changed"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of one unit."""

    name: str
    accepted: str
    seen: str  # when last read
    accepted_by: str
    accepted_why: str
    accepted_us: int

    @property
    def differs(self) -> bool:
        """Whether it is not what was accepted."""
        return self.seen != self.accepted


def known(db: sqlite3.Connection, serial: str) -> list[Setting]:
    """What is known of a unit, by name."""
    rows = db.execute(
        "SELECT name, accepted, seen, accepted_by, accepted_why, accepted_us FROM printer_setting WHERE serial = ? ORDER BY name",
        (serial,),
    )
    return [Setting(**dict(row)) for row in rows]


def is_news(old: list[Setting], read: Mapping[str, str]) -> bool:
    """Whether a reading has to be written. Pure."""
    seen = {setting.name: setting.seen for setting in old}
    return any(seen.get(name) != value for name, value in bounded(read).items())


def bounded(read: Mapping[str, str]) -> dict[str, str]:
    """What a printer said, as much of it as is kept: a printer may babble. Pure."""
    return {name: read[name][:MAX_VALUE] for name in sorted(read)[:MAX_SETTINGS]}


def note(db: sqlite3.Connection, lane: str, serial: str, read: Mapping[str, str]) -> list[Setting]:
    """Take in a reading; returns those that differ from what was accepted. A setting that was not read now stays as it was."""
    old = {setting.name: setting for setting in known(db, serial)}
    news = {name: value for name, value in bounded(read).items() if name not in old or old[name].seen != value}
    first = {name: value for name, value in news.items() if name not in old}
    _accept_first(db, lane, serial, first)
    for name, value in news.items():
        if name in old:
            db.execute("UPDATE printer_setting SET seen = ? WHERE serial = ? AND name = ?", (value, serial, name))
    changed = [name for name, value in news.items() if name in old and value != old[name].accepted]
    if changed:
        texts = [f"{name} was {old[name].accepted!r}, now {news[name]!r}" for name in changed]
        incidents.raise_incident(db, INCIDENT, lane, f"printer {serial}: {', '.join(texts)}", add=True)
    return [setting for setting in known(db, serial) if setting.differs]


def accept(db: sqlite3.Connection, lane: str, serial: str, who: str, why: str) -> list[Setting]:
    """A person accepts what was last read; returns what differed until now. Raises RequestRefused when nothing does."""
    differing = [setting for setting in known(db, serial) if setting.differs]
    if not differing:
        raise RequestRefused(
            Problem("care.settings", "settings", f"Tidak ada setelan printer {serial} yang berubah; tidak ada yang diubah.",
                    f"No setting of printer {serial} has changed; nothing was accepted.")
        )  # fmt: skip
    db.execute(
        """UPDATE printer_setting SET accepted = seen, accepted_by = ?, accepted_why = ?, accepted_us = ?
           WHERE serial = ? AND seen <> accepted""",
        (who, why, wall_us(), serial),
    )
    values = {setting.name: setting.seen for setting in differing}
    events.append(db, "settings_accepted", {"lane": lane, "printer": serial, "settings": values, "who": who,
                                            "reason": digest(why)})  # fmt: skip
    incidents.explain_open(db, INCIDENT, lane, who, f"accepted: {why}")
    return differing


def _accept_first(db: sqlite3.Connection, lane: str, serial: str, first: Mapping[str, str]) -> None:
    if not first:
        return
    rows = [(serial, name, value, STATION, "first reading", wall_us(), value) for name, value in first.items()]
    db.executemany(
        """INSERT INTO printer_setting (serial, name, accepted, accepted_by, accepted_why, accepted_us, seen)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        rows,
    )
    facts = {"lane": lane, "printer": serial, "settings": dict(first), "who": STATION, "reason": "first reading"}
    events.append(db, "settings_accepted", facts)
