"""Writes docs/conditions.md from the tables: `python -m tools.make_condition_docs`. A test compares, so that it stays true."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from controller.conditions import NOTICES, SECTIONS, CardInside, Clears, Condition, Severity, Table
from controller.hal.evolis.status import NACKS, STATUS_BITS
from controller.hal.usb.port_status import STATES

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "conditions.md"
PROFILES = ROOT / "firmware_profiles" / "printers"

_HEAD = """\
# Conditions

Everything that can keep a lane or the station from working, and every reason why a card is not good. Written from
`controller/conditions/` by `python -m tools.make_condition_docs`: change the tables, not this file.

The display shows the short text, page and API show the sentence in Indonesian and English with the device's own words
(`detail`), `/metrics` has `print_station_lane_condition{lane,condition}`. What a device says in words that nobody has
described is one condition, `printer_error`, with those words as its detail: nothing is guessed.

| column | value | meaning |
|---|---|---|
| lamp | amber | a person or a refill is awaited |
| | red | something is broken |
| goes on | by itself | the lane sees that the cause is gone and goes on without a button |
| | after GO | nothing shows that the cause is gone: a person looks and says so with GO, HOLD or a card on the desk reader |
| | | a GO pressed while the lane showed something else (HOLD, an open cover) is no answer: press it again when this is shown |
| | technician | as by itself, but it takes a repair, a command or a setting |
| card inside | yes, no, perhaps | whether a card is in the printer meanwhile; `perhaps`: look |
"""

_TITLES = {
    "printer": "What a printer says",
    "lane": "What the daemon finds out about a lane's devices",
    "passage": "What happens to one card",
    "station": "What concerns the whole station",
}
_LAMPS = {Severity.WAITS: "amber", Severity.FAULT: "red"}
_CLEARS = {Clears.SELF: "by itself", Clears.GO: "after GO", Clears.TECHNICIAN: "technician"}
_INSIDE = {CardInside.YES: "yes", CardInside.NO: "no", CardInside.PERHAPS: "perhaps"}


def text() -> str:
    """The whole document."""
    parts = [_HEAD]
    for name, rows in SECTIONS.items():
        parts += [f"## {_TITLES[name]}\n", *_table(rows)]
    parts += ["## What to do with a card on the desk reader\n", *_table(NOTICES), *_sources()]
    return "\n".join(parts)


def words(name: str) -> dict[str, str]:
    """The reply words or error pairs of a profile file and their conditions; empty when it has none of its own."""
    profile = tomllib.loads((PROFILES / f"{name}.toml").read_text(encoding="utf-8"))
    return {**profile.get("replies", {}), **profile.get("errors", {})}


def _table(rows: Table) -> Iterator[str]:
    yield "| code | display | lamp | goes on | card inside | what is so, and what to do |"
    yield "|---|---|---|---|---|---|"
    yield from (_row(row) for row in rows.values())
    yield ""


def _row(row: Condition) -> str:
    cells = (f"`{row.code}`", row.short, _LAMPS[row.severity], _CLEARS[row.clears], _INSIDE[row.card_inside])
    return f"| {' | '.join(cells)} | {row.id}<br>{row.en} |"


def _sources() -> Iterator[str]:
    yield "## What stands for what\n"
    for file in sorted(PROFILES.glob("*.toml")):
        said = words(file.stem)
        if said:
            yield f"`{file.name}`:\n"
            yield from _pairs("the printer says", [(f"`{word}`", code) for word, code in said.items()])
    yield "USB port status (both families):\n"
    yield from _pairs("status", [(f"`{value:02X}` {meaning}", code) for value, (meaning, code) in STATES.items()])
    yield "Evolis NACK codes (not used on USB):\n"
    yield from _pairs("code", [(f"`{nack}` {meaning}", code) for nack, (meaning, code) in NACKS.items()])
    yield "Evolis status bits, as the vendor's tools show them (`print-station profile status` explains them):\n"
    for word, bits in STATUS_BITS.items():
        acts = [(f"`{word} {mask:08X}` {meaning}", code) for mask, (meaning, code) in bits.items() if code is not None]
        yield from _pairs(f"bit of {word}", acts)


def _pairs(title: str, rows: Sequence[tuple[str, str | None]]) -> Iterator[str]:
    if not rows:
        return
    yield f"| {title} | condition |"
    yield "|---|---|"
    yield from (f"| {said} | {'-' if code is None else f'`{code}`'} |" for said, code in rows)
    yield ""


if __name__ == "__main__":
    DOCUMENT.write_text(text(), encoding="utf-8")
