"""Reads layout files and checks that everything lies on the card and every name is known.

All mistakes are reported at once, each with its place.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib import resources
from itertools import pairwise
from pathlib import Path

from pydantic import ValidationError

from controller.cards.fields import FIELDS
from controller.cards.layout import Box, Layout, TextBox, Type
from controller.errors import ConfigError, Problem

LAYOUT = "ktp-el"
MAX_LAYOUT_BYTES = 100_000  # the installed one has 5 kB


def installed_layout() -> Layout:
    """The layout that comes with the program. Raises ConfigError when it has mistakes."""
    return load_layout((resources.files("controller.cards") / "layouts" / f"{LAYOUT}.toml").read_text("utf-8"))


def read_layout(path: Path) -> Layout:
    """The layout in this file. Raises ConfigError with every mistake, or the reason why it cannot be read."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_LAYOUT_BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([_mistake(str(path), f"cannot be read ({error})")]) from error
    if len(text) > MAX_LAYOUT_BYTES:
        raise ConfigError([_mistake(str(path), f"has more than {MAX_LAYOUT_BYTES} bytes")])
    return load_layout(text)


def load_layout(text: str) -> Layout:
    """The layout in this TOML text. Raises ConfigError with every mistake and its place."""
    try:
        layout = Layout.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_mistake("", str(error))]) from error
    except ValidationError as error:
        raise ConfigError([_mistake(".".join(map(str, row["loc"])), row["msg"]) for row in error.errors()]) from error
    mistakes = [mistake for check in _CHECKS for mistake in check(layout)]
    if mistakes:
        raise ConfigError(mistakes)
    return layout


def _mistake(place: str, text: str) -> Problem:
    return Problem("layout.broken", place, f"tata letak salah: {text}", text)


def _texts(layout: Layout) -> list[tuple[str, TextBox]]:
    back = () if layout.back is None else layout.back.texts
    return [
        *((f"texts.{index}", box) for index, box in enumerate(layout.texts)),
        *((f"back.texts.{index}", box) for index, box in enumerate(back)),
    ]


def _types(layout: Layout) -> list[tuple[str, Type]]:
    boxes = [(f"{place}.type", box.type) for place, box in _texts(layout)]
    return [*boxes, ("table.label", layout.table.label), ("table.value", layout.table.value)]


def _name_mistakes(layout: Layout) -> list[Problem]:
    fields = [(f"{place}.field", box.field) for place, box in _texts(layout) if box.field is not None]
    for index, row in enumerate(layout.table.rows):
        fields.append((f"table.rows.{index}.field", row.field))
        fields += [(f"table.rows.{index}.beside.field", row.beside.field)] if row.beside is not None else []
    for index, rule in enumerate(layout.abbreviations):
        fields += [(f"abbreviations.{index}.fields", name) for name in rule.fields]
    unknown = [_mistake(place, f"no field is called '{name}'") for place, name in fields if name not in FIELDS]
    unknown += [
        _mistake(place, "give either field or words")
        for place, box in _texts(layout)
        if (box.field is None) == (box.words is None)
    ]
    return unknown + [
        _mistake(place, f"no font is called '{it.font}'") for place, it in _types(layout) if it.font not in layout.fonts
    ]


def _size_mistakes(layout: Layout) -> list[Problem]:
    wrong = [
        _mistake(place, "min_size_pt, roomy_min_size_pt and size_pt must rise")
        for place, it in _types(layout)
        if not it.min_size_pt <= (it.roomy_min_size_pt or it.min_size_pt) <= it.size_pt
    ]
    table = layout.table
    if table.min_pitch_mm > table.pitch_mm:
        wrong.append(_mistake("table", "min_pitch_mm is above pitch_mm"))
    if table.first_baseline_mm + table.min_pitch_mm * (len(table.rows) - 1) > table.last_baseline_mm:
        wrong.append(_mistake("table", "the rows do not fit between first_baseline_mm and last_baseline_mm"))
    return wrong


def _place_mistakes(layout: Layout) -> list[Problem]:
    boxes: list[tuple[str, Box]] = [("photo", layout.photo), ("signature", layout.signature)]
    boxes += [(f"overlay.holes.{index}", hole) for index, hole in enumerate(layout.overlay.holes)]
    holes = () if layout.back is None else layout.back.overlay.holes
    boxes += [(f"back.overlay.holes.{index}", hole) for index, hole in enumerate(holes)]
    edges = [(place, box.x_mm, box.x_mm + box.width_mm, box.y_mm + box.height_mm) for place, box in boxes]
    for place, text in _texts(layout):
        left = text.x_mm - text.width_mm * {"left": 0.0, "centre": 0.5, "right": 1.0}[text.align]
        edges.append((place, left, left + text.width_mm, text.baseline_mm))
    edges.append(("table", layout.table.label_x_mm, layout.table.right_mm, layout.table.last_baseline_mm))
    card = layout.card
    return [
        _mistake(place, "lies beyond the card's edge")
        for place, left, right, bottom in edges
        if left < 0 or right > card.width_mm or bottom > card.height_mm
    ]


def _tone_mistakes(layout: Layout) -> list[Problem]:
    tone = layout.colour.tone
    darknesses = [darkness for darkness, _ in tone]
    if darknesses[0] != 0 or darknesses[-1] != 1 or any(after <= before for before, after in pairwise(darknesses)):
        return [_mistake("colour.tone", "must rise from darkness 0 to darkness 1")]
    return []


def _abbreviation_mistakes(layout: Layout) -> list[Problem]:
    return [
        _mistake(f"abbreviations.{index}", "short must be shorter than words and not have them in it")
        for index, rule in enumerate(layout.abbreviations)
        if len(rule.short) >= len(rule.words) or rule.words in rule.short
    ]


_CHECKS: tuple[Callable[[Layout], list[Problem]], ...] = (
    _name_mistakes,
    _size_mistakes,
    _place_mistakes,
    _tone_mistakes,
    _abbreviation_mistakes,
)
