"""Figures with their aims, and how they are shown. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NAME_WIDTH = 58


@dataclass(frozen=True, slots=True)
class Aim:
    """The most a figure may be. `binding`: it holds however busy the machine is, so missing it fails the run."""

    at_most: float
    binding: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number."""

    name: str
    value: float
    unit: str
    aim: Aim | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without an aim."""
        return None if self.aim is None else self.value <= self.aim.at_most

    @property
    def breaks_a_promise(self) -> bool:
        """Whether the run has failed because of this figure."""
        return self.aim is not None and self.aim.binding and self.met is False


@dataclass(frozen=True, slots=True)
class Section:
    """One measurement: its figures, and in `details` what they were made from."""

    title: str
    figures: Sequence[Figure]
    details: Mapping[str, Any] = field(default_factory=dict)


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: a value that was measured, and with fewer than 100 values p99 is the worst of them.

    Raises ValueError when nothing was measured.
    """
    if not values:
        raise ValueError("no values: nothing was measured")
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(rank, 1) - 1]


def lines(section: Section) -> Iterator[str]:
    """The section as text, one figure a line."""
    yield section.title
    for figure in section.figures:
        value = f"{_number(figure.value)} {figure.unit}"
        verdict = "" if figure.aim is None else f"aim <= {figure.aim.at_most:g} {figure.unit}: {_verdict(figure)}"
        yield f"  {figure.name:{NAME_WIDTH}} {value:>15}  {'; '.join(filter(None, (verdict, figure.note)))}".rstrip()


def as_json(section: Section) -> dict[str, Any]:
    """The section for the report."""
    return {"title": section.title, "figures": [_row(figure) for figure in section.figures], "details": dict(section.details)}


def _row(figure: Figure) -> dict[str, Any]:
    row: dict[str, Any] = {"name": figure.name, "value": round(figure.value, 3), "unit": figure.unit}
    if figure.aim is not None:
        row |= {"aim_at_most": figure.aim.at_most, "met": figure.met, "binding": figure.aim.binding}
    return row | ({"note": figure.note} if figure.note else {})


def _verdict(figure: Figure) -> str:
    if figure.met:
        return "met"
    return "BROKEN" if figure.breaks_a_promise else "missed"


def _number(value: float) -> str:
    decimals = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{decimals}f}"
