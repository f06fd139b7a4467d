"""Acts of staff: done by a person, and done once however often they are sent.

The caller's key remembers the answer, in the act's own commit.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from controller.clock import wall_us
from controller.errors import Problem, RequestRefused

Answer = Mapping[str, Any]

NO_PERSONS = frozenset({"station", "front panel", "desk reader"})  # who did it, in the books, when no person is known


def must_be_person(who: str) -> None:
    """Raises RequestRefused for a name under which the station writes itself: what it writes is exported as it stands."""
    if " ".join(who.split()).casefold() in NO_PERSONS:
        raise RequestRefused(
            Problem("request.wrong", "who", f"'who' tidak boleh '{who}'; sebut nama petugas.",
                    f"'who' must not be '{who}'; give the name of a person.")
        )  # fmt: skip


def once(db: sqlite3.Connection, key: str | None, command: Answer, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
    """Do `work` unless this key did it before; then the first answer again. Without a key nothing is remembered.

    Raises RequestRefused when the key was used for another command, and what `work` raises: a refused act may be tried again.
    """
    if key is None:
        return work(db)
    asked = hashlib.sha256(_json(command).encode()).hexdigest()
    found = db.execute("SELECT command, answer FROM act WHERE key = ?", (key,)).fetchone()
    if found is not None:
        if found["command"] != asked:
            raise RequestRefused(
                Problem("act.key", "key", "Kunci ini sudah dipakai untuk perintah lain; pakai kunci baru.",
                        "This key was used for another command; use a new one.")
            )  # fmt: skip
        earlier: dict[str, Any] = json.loads(found["answer"])
        return earlier
    answer = work(db)
    db.execute("INSERT INTO act (key, at_us, command, answer) VALUES (?, ?, ?, ?)", (key, wall_us(), asked, _json(answer)))
    return answer


def _json(facts: Answer) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))
