"""What one row of the tables of conditions says, and how rows are made into a table. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Which lamp a condition lights."""

    WAITS = "waits"  # a person or a refill is awaited: amber
    FAULT = "fault"  # something is broken: red


class Clears(StrEnum):
    """What it takes until the lane goes on. `GO` is what code asks; the other two go on by themselves."""

    SELF = "self"  # the lane sees that the cause is gone: staff remove it, or it passes
    GO = "go"  # nothing shows that it is gone: a person looks and says so, with GO, HOLD or a card on the desk reader
    TECHNICIAN = "technician"  # as SELF, but it takes a repair, a command or a setting


class CardInside(StrEnum):
    """Whether a card is in the printer while the condition lasts."""

    YES = "yes"
    NO = "no"
    PERHAPS = "perhaps"


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that keeps a lane or the station from working, or the reason why a card is not good."""

    code: str
    severity: Severity
    clears: Clears
    card_inside: CardInside
    short: str  # at most 20 characters, Indonesian, for the operator display
    id: str  # what is so and what to do, for staff, Indonesian
    en: str  # the same in English


Table = dict[str, Condition]


def table(*rows: tuple[str, Severity, Clears, CardInside, str, str, str]) -> Table:
    """The rows by code. ValueError when a code comes twice."""
    made = {row[0]: Condition(*row) for row in rows}
    if len(made) != len(rows):
        raise ValueError("a code comes twice in one table of conditions")
    return made
