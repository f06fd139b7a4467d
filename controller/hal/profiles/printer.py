"""A printer profile: how one model of card printer is found, asked and told (`firmware_profiles/printers/*.toml`).

The keys are tables of `profiles.tables`, explained in firmware_profiles/README.md; sources in printers.md 3 and 4. A profile with
mistakes raises ConfigError with all of them, each with its place. `timing_s` is for the simulator only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from controller.cards.raster import BACK, FRONT, Raster, RasterPanel
from controller.errors import ConfigError, Problem
from controller.hal.profiles import files as profile_files
from controller.hal.profiles.checks import mistakes_of
from controller.hal.profiles.parts import (
    BACK_MARK,
    PANELS_MARK,
    RIBBON_MARK,
    Confidence,
    CoolDown,
    PowerOn,
    Ribbon,
    Stations,
    UsbMatch,
)
from controller.hal.profiles.tables import (
    EvolisActs,
    EvolisQueries,
    EvolisTable,
    EvolisTimeouts,
    Job,
    MagicardActs,
    MagicardQueries,
    MagicardTable,
    MagicardTimeouts,
)
from controller.model import CardPosition

__all__ = [
    "BACK_MARK", "PANELS_MARK", "RIBBON_MARK", "Confidence", "CoolDown", "EvolisActs", "EvolisProfile", "EvolisQueries",
    "EvolisTimeouts", "Job", "MagicardActs", "MagicardProfile", "MagicardQueries", "MagicardTimeouts", "PowerOn",
    "PrinterProfile", "Profile", "Ribbon", "Stations", "UsbMatch", "find_profile", "parse_profile",
]  # fmt: skip

_TEXTS = {  # pydantic's error type: Indonesian, English
    "missing": ("wajib ada", "is required"),
    "unexpected_keyword_argument": ("tidak dikenal", "is not known here"),
}
_FAMILIES: dict[str, type[EvolisTable | MagicardTable]] = {"evolis": EvolisTable, "magicard": MagicardTable}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PrinterProfile:
    """What both families have; a driver takes the profile of its own family."""

    name: str  # of the file, and what a lane's config calls it
    model: str
    plan: str  # "held", "ejecting" or "external": a key of jobs.passage.PLANS
    ribbon: str  # a key of `ribbons`: what the lane prints with
    usb: UsbMatch
    firmware_known: tuple[str, ...]  # empty: any is taken
    raster: Raster  # with every panel that the head prints; a card takes `raster_for` its ribbon
    ribbons: Mapping[str, Ribbon]
    stations: Stations
    settings: Mapping[str, str | int]  # name -> how it is read
    power_on: PowerOn
    cool_down: CoolDown
    confidence: Mapping[str, Confidence]  # the rows that speak for some value

    @property
    def fitted(self) -> Ribbon:
        """The ribbon the lane prints with."""
        return self.ribbons[self.ribbon]

    @property
    def ejects_at_power_on(self) -> bool:
        """What the printer does with a card inside when its power comes back: a verdict depends on it."""
        return self.power_on.card_inside == "ejects"

    @property
    def holds_card(self) -> bool:
        """Whether the card stays inside after printing, so that it can be checked before it is let go."""
        return self.plan == "held"

    @property
    def unproven(self) -> tuple[str, ...]:
        """The parts with one third party's word (D) or a guess (E) behind them; to be said aloud at start."""
        return tuple(sorted(part for part, row in self.confidence.items() if row.level in ("D", "E")))

    def raster_for(self, ribbon: str, sides: Sequence[str] = (FRONT,)) -> Raster:
        """The raster with only the panels of this ribbon that print these sides ("front", "back")."""
        row = self.ribbons[ribbon]
        printed = [(name, FRONT) for name in row.panels] + [(name, BACK) for name in row.back_panels]
        panels = tuple(self._panel(name, side) for name, side in printed if side in sides)
        return dataclasses.replace(self.raster, panels=panels)

    def _panel(self, name: str, side: str) -> RasterPanel:
        panel = next(panel for panel in self.raster.panels if panel.name == name)
        return dataclasses.replace(panel, side=side)

    def with_ribbon(self, ribbon: str) -> Self:
        """The same printer with another ribbon. Raises ConfigError when the profile has no such ribbon or the printer no back."""
        if ribbon not in self.ribbons:
            listed = ", ".join(self.ribbons)
            raise profile_files.refusal("ribbon", "", f"pita '{ribbon}' tidak ada pada {self.model}; yang ada: {listed}",
                                        f"{self.model} has no ribbon '{ribbon}'; there are: {listed}")  # fmt: skip
        if self.ribbons[ribbon].back_panels and not self.stations.flip:
            raise profile_files.refusal("ribbon", "", f"pita '{ribbon}' mencetak dua sisi, {self.model} hanya satu",
                                        f"ribbon '{ribbon}' prints both sides, {self.model} only one")  # fmt: skip
        return dataclasses.replace(self, ribbon=ribbon)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EvolisProfile(PrinterProfile):
    """An Evolis printer."""

    acts: EvolisActs
    queries: EvolisQueries
    positions: Mapping[str, CardPosition]  # reply to queries.position
    replies: Mapping[str, str]  # error word -> condition; "ERR" is written "ERROR" here
    timeouts_s: EvolisTimeouts


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MagicardProfile(PrinterProfile):
    """A Magicard printer."""

    job: Job
    acts: MagicardActs
    queries: MagicardQueries
    errors: Mapping[str, str]  # "major:minor" -> condition
    timeouts_s: MagicardTimeouts


Profile = EvolisProfile | MagicardProfile


def find_profile(folder: Path, name: str) -> Profile:
    """The profile called `name` in `folder`, with what it extends. Raises ConfigError when it is missing or has mistakes."""
    whole = profile_files.resolve(folder, name)
    problems = list(whole.problems)
    try:
        profile = parse_profile(whole.table, name, whole.origins)
    except ConfigError as error:
        known = {(problem.place, problem.en) for problem in problems}
        raise ConfigError([*problems, *(p for p in error.problems if (p.place, p.en) not in known)]) from error
    if problems:
        raise ConfigError(problems)
    return profile


def parse_profile(table: Mapping[str, Any], name: str, origins: Mapping[str, str] | None = None) -> Profile:
    """The profile in a parsed TOML table that extends nothing; `name` is its own.

    `origins`: the file of each value, for the places in the ConfigError; `name` where it is silent.
    """
    family = table.get("family")
    if not isinstance(family, str) or family not in _FAMILIES:
        listed = ", ".join(_FAMILIES)
        raise profile_files.refusal("family", f"{name}.toml: family", f"seharusnya salah satu dari: {listed}",
                                    f"should be one of: {listed}")  # fmt: skip
    where = _Places(name, origins or {})
    found = [
        Problem("printer_profile.confidence", where.of(place), "tidak ada baris [confidence] untuk nilai ini",
                "has no row in [confidence]: say how sure it is, and by whom")
        for place in profile_files.uncovered(table)
    ]  # fmt: skip
    try:
        parsed = TypeAdapter(_FAMILIES[family]).validate_python(dict(table))  # judged once: nothing of the judging is kept
    except ValidationError as error:
        raise ConfigError([*(_problem(detail, where) for detail in error.errors(include_url=False)), *found]) from error
    found += [Problem("printer_profile.wrong", where.of(place), id_, en) for place, id_, en in mistakes_of(parsed)]
    if found:
        raise ConfigError(found)
    return _profile(parsed, name, profile_files.facts(table))


@dataclasses.dataclass(frozen=True, slots=True)
class _Places:
    """Which file a place is in."""

    name: str
    origins: Mapping[str, str]

    def of(self, place: str) -> str:
        """The place as a person finds it: file and dotted key."""
        origin = profile_files.covering(place.partition("[")[0], self.origins)
        return f"{self.name if origin is None else self.origins[origin]}.toml: {place}"


def _profile(table: EvolisTable | MagicardTable, name: str, facts: list[profile_files.Fact]) -> Profile:
    common: dict[str, Any] = {
        "name": name, "model": table.model, "plan": table.plan, "ribbon": table.ribbon, "usb": table.usb,
        "firmware_known": table.firmware.known, "raster": _raster(table, name), "ribbons": table.ribbons,
        "stations": table.stations, "power_on": table.power_on, "cool_down": table.cool_down,
        "confidence": {part: table.confidence[part] for part in {fact.part: None for fact in facts}},
    }  # fmt: skip
    if isinstance(table, EvolisTable):
        settings = {setting: command for setting, command in table.settings.items() if command is not None}
        return EvolisProfile(
            **common, settings=settings, acts=table.acts, queries=table.queries, positions=table.positions,
            replies=table.replies, timeouts_s=table.timeouts_s,
        )  # fmt: skip
    return MagicardProfile(
        **common, settings=table.settings, job=table.job, acts=table.acts, queries=table.queries, errors=table.errors,
        timeouts_s=table.timeouts_s,
    )  # fmt: skip


def _raster(table: EvolisTable | MagicardTable, name: str) -> Raster:
    raster = table.raster
    panels = tuple(RasterPanel(row.name, row.levels, row.size_bytes) for row in raster.panels)
    return Raster(name, raster.width_dots, raster.height_lines, raster.dpi, raster.packing, panels)


def _problem(detail: ErrorDetails, where: _Places) -> Problem:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in detail["loc"] if step != "[key]")
    place = where.of("".join(steps).removeprefix("."))
    message = detail["msg"].removeprefix("Value error, ")
    indonesian, english = _TEXTS.get(detail["type"], (f"tidak sah: {message}", message))
    return Problem(f"printer_profile.{detail['type']}", place, indonesian, english)
