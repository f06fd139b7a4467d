"""Profile files before they are profiles: TOML tables, what they extend, and whose word each of their values is.

`extends` names another file of the folder: tables are merged key by key, everything else (arrays too) is replaced, and an empty
text or array says that this model lacks the thing. A file's own values must be covered by rows of its own [confidence]: a
source that spoke of another model says nothing of this one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.errors import ConfigError, Problem

FORMAT = 2
MAX_CHAIN = 4  # files that extend one another: model, series, family, and one to spare
MAX_FILE_BYTES = 100_000  # a profile has some 10 kB
MAX_LINE_CHARS = 400  # bounds how deep a key goes: one of ten thousand parts keeps tomllib busy for minutes. The longest has 150
_NO_FACTS = ("format", "family", "extends", "model", "plan", "ribbon", "confidence")  # names and choices, not facts
_UNPROVEN = ("D", "E")


@dataclass(frozen=True, slots=True)
class Fact:
    """One value of a profile."""

    place: str  # dotted
    value: Any
    part: str  # the row of [confidence] that speaks for it
    level: str  # A to E
    source: str

    @property
    def proven(self) -> bool:
        """Whether more than one third party's word or a guess stands behind it."""
        return self.level not in _UNPROVEN


@dataclass(frozen=True, slots=True)
class Resolved:
    """A profile's whole table, with everything it extends."""

    table: dict[str, Any]
    origins: Mapping[str, str]  # place of each value -> name of the file that gives it
    problems: list[Problem]  # mistakes in [confidence], each with its file


def profile_names(folder: Path) -> list[str]:
    """The profiles in a folder."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def resolve(folder: Path, name: str) -> Resolved:
    """The profile `name` with what it extends. Raises ConfigError when a file is missing or torn, or the chain is a circle."""
    table: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems: list[Problem] = []
    chain = _chain(folder, name)
    for file, raw in reversed(chain):
        own = {key: value for key, value in raw.items() if key != "extends"}
        table = _merged(table, own)
        origins |= {place: file for place, _ in leaves(own)}
        problems += _confidence_mistakes(own, table, file)
    return Resolved(table, origins, problems)


def leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that is a fact, with its dotted place; an array is one value."""
    for key, value in table.items():
        if not prefix and key in _NO_FACTS:
            continue
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def facts(table: Mapping[str, Any]) -> list[Fact]:
    """Every value with the row that speaks for it; a value without one is left out (see `uncovered`)."""
    rows = _rows(table)
    found = []
    for place, value in leaves(table):
        part = covering(place, rows)
        row = rows.get(part or "")
        if part is not None and isinstance(row, dict):
            found.append(Fact(place, value, part, str(row.get("level")), str(row.get("source"))))
    return found


def uncovered(table: Mapping[str, Any]) -> list[str]:
    """The places of values that no row of the table's own [confidence] speaks for."""
    rows = _rows(table)
    return [place for place, _ in leaves(table) if covering(place, rows) is None]


def covering(place: str, rows: Mapping[str, Any]) -> str | None:
    """The longest row that is this place or a part it belongs to."""
    while place not in rows:
        place, dot, _ = place.rpartition(".")
        if not dot:
            return None
    return place


def refusal(code: str, place: str, indonesian: str, english: str) -> ConfigError:
    """One mistake of a profile as an error."""
    return ConfigError([Problem(f"printer_profile.{code}", place, indonesian, english)])


def _chain(folder: Path, name: str) -> list[tuple[str, dict[str, Any]]]:
    """The file and those it extends, nearest first."""
    names = profile_names(folder)
    if name not in names:
        listed = ", ".join(names) or "-"
        raise refusal("missing", name, f"profil printer ini tidak ada di {folder}; yang ada: {listed}",
                      f"no such printer profile in {folder}; there are: {listed}")  # fmt: skip
    chain = [(name, _read(folder, name))]
    while (wanted := chain[-1][1].get("extends")) is not None:
        path = [file for file, _ in chain]
        shown, place = " -> ".join([*path, str(wanted)]), f"{path[-1]}.toml: extends"
        if wanted in path:
            raise refusal("extends", place, f"melingkar: {shown}", f"goes round in a circle: {shown}")
        if wanted not in names:
            raise refusal("extends", place, f"tidak ada: {shown}; yang ada: {', '.join(names)}",
                          f"is not there: {shown}; there are: {', '.join(names)}")  # fmt: skip
        if len(chain) == MAX_CHAIN:
            raise refusal("extends", place, f"rantai lebih dari {MAX_CHAIN} berkas: {shown}",
                          f"is a chain of more than {MAX_CHAIN} files: {shown}")  # fmt: skip
        chain.append((wanted, _read(folder, wanted)))
    return chain


def _read(folder: Path, name: str) -> dict[str, Any]:
    path = folder / f"{name}.toml"
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError(f"more than {MAX_FILE_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
        if max(map(len, text.splitlines()), default=0) > MAX_LINE_CHARS:
            raise ValueError(f"a line of more than {MAX_LINE_CHARS} characters")
        table = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:  # TOML and UTF-8 mistakes are ValueErrors; RecursionError: [[[[...
        raise refusal("unreadable", path.name, f"tidak dapat dibaca: {error}", f"cannot be read: {error}") from error
    if table.get("format") != FORMAT:
        said = table.get("format")
        raise refusal(
            "format", f"{path.name}: format", f"seharusnya {FORMAT}, bukan {said!r}", f"should be {FORMAT}, not {said!r}"
        )
    return table


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `own`; neither is changed."""
    merged = dict(base)
    for key, value in own.items():
        below = merged.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = {**below, **value} if key == "confidence" else _merged(below, value)  # a row is one whole
        else:
            merged[key] = value
    return merged


def _confidence_mistakes(own: Mapping[str, Any], whole: Mapping[str, Any], file: str) -> list[Problem]:
    """Values of this file that none of its rows speaks for, or that a longer row of another file still speaks for; idle rows."""
    rows, all_rows = _rows(own), _rows(whole)
    found = []
    for place, _ in leaves(own):
        part = covering(place, all_rows)
        if covering(place, rows) is None:
            found.append(_mistake(file, place, "tidak ada baris [confidence] untuk nilai ini di berkas ini",
                                  "has no row in this file's [confidence]: say how sure it is, and by whom"))  # fmt: skip
        elif part not in rows:
            found.append(_mistake(file, "confidence", f"baris '{part}' milik induknya masih berlaku untuk {place}; tulis di sini",
                                  f"the row '{part}' of the profile below still speaks for {place}; write it here"))  # fmt: skip
    places = set(_parts(whole))
    idle = [part for part in rows if part not in places]
    return found + [
        _mistake(file, f"confidence.{part}", "tidak menunjuk apa pun", "names no part of the profile") for part in idle
    ]


def _mistake(file: str, place: str, indonesian: str, english: str) -> Problem:
    return Problem("printer_profile.confidence", f"{file}.toml: {place}", indonesian, english)


def _parts(table: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted places of all values and tables."""
    for key, value in table.items():
        if prefix or key not in _NO_FACTS:
            yield f"{prefix}{key}"
            if isinstance(value, dict):
                yield from _parts(value, f"{prefix}{key}.")


def _rows(table: Mapping[str, Any]) -> Mapping[str, Any]:
    rows = table.get("confidence")
    return rows if isinstance(rows, dict) else {}
