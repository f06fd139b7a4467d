"""Decides how every text is set: size, lines and place. Pure: how wide a text is comes from the `measure` function.

The rule, everywhere the same: nominal size; else smaller in quarter points down to the type's least size; else, where the
layout allows more lines, wrapped between words at the largest size that fits; else refused. Nothing is ever cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from controller.cards.fields import FIELDS
from controller.cards.layout import Align, Layout, Row, Table, TextBox, Type
from controller.cards.problems import refusal

Measure = Callable[[str, float, str], float]  # font name of the layout, size in points, text -> width in millimetres

MM_PER_POINT = 25.4 / 72
_STEP_PT = 0.25  # a smaller step cannot be seen at 300 dpi


@dataclass(frozen=True, slots=True)
class Run:
    """One line of text at its place."""

    text: str
    font: str
    size_pt: float
    x_mm: float  # of the edge or centre that `align` names
    baseline_mm: float
    align: Align = "left"


@dataclass(frozen=True, slots=True)
class _Fitted:
    lines: tuple[str, ...]
    size_pt: float
    leading_mm: float

    @property
    def extra_mm(self) -> float:
        """The height that wrapped lines add to the first."""
        return self.leading_mm * (len(self.lines) - 1)


def typeset(layout: Layout, texts: Mapping[str, str], measure: Measure) -> tuple[Run, ...]:
    """Every line on the card. Raises RenderError naming the field whose text does not fit."""
    boxes = [run for box in layout.texts for run in _set_box(box, texts, measure)]
    return (*boxes, *_set_table(layout.table, texts, measure))


def _set_box(box: TextBox, texts: Mapping[str, str], measure: Measure) -> Iterator[Run]:
    text = box.words or texts[box.field or ""]
    fitted = _fit(text, box.type, box.type.lines, box.width_mm, measure)
    if fitted is None:
        raise refusal("layout.too_long", FIELDS[box.field].place if box.field is not None else "layout")
    top_mm = box.baseline_mm - fitted.extra_mm
    for index, line in enumerate(fitted.lines):
        yield Run(line, box.type.font, fitted.size_pt, box.x_mm, top_mm + index * fitted.leading_mm, box.align)


def _set_table(table: Table, texts: Mapping[str, str], measure: Measure) -> Iterator[Run]:
    values = [_fit_value(table, row, texts, measure) for row in table.rows]
    pitch_mm = _pitch_mm(table, values)
    baseline_mm = table.first_baseline_mm
    for row, value in zip(table.rows, values, strict=True):
        indent_mm = table.indent_mm if row.indent else 0.0
        yield Run(row.label, table.label.font, table.label.size_pt, table.label_x_mm + indent_mm, baseline_mm)
        yield Run(":", table.label.font, table.label.size_pt, table.colon_x_mm, baseline_mm)
        for index, line in enumerate(value.lines):
            at_mm = baseline_mm + index * value.leading_mm
            yield Run(line, table.value.font, value.size_pt, table.value_x_mm, at_mm)
        yield from _set_beside(table, row, texts, measure, baseline_mm)
        baseline_mm += value.extra_mm + pitch_mm


def _set_beside(table: Table, row: Row, texts: Mapping[str, str], measure: Measure, baseline_mm: float) -> Iterator[Run]:
    beside = row.beside
    if beside is None:
        return
    fitted = _fit(texts[beside.field], table.value, 1, table.right_mm - beside.value_x_mm, measure)
    if fitted is None:
        raise refusal("layout.too_long", FIELDS[beside.field].place)
    yield Run(beside.label, table.label.font, table.label.size_pt, beside.label_x_mm, baseline_mm)
    yield Run(":", table.label.font, table.label.size_pt, beside.colon_x_mm, baseline_mm)
    yield Run(fitted.lines[0], table.value.font, fitted.size_pt, beside.value_x_mm, baseline_mm)


def _fit_value(table: Table, row: Row, texts: Mapping[str, str], measure: Measure) -> _Fitted:
    right_mm = table.right_mm if row.beside is None else row.beside.label_x_mm
    fitted = _fit(texts[row.field], table.value, row.lines, right_mm - table.value_x_mm, measure)
    if fitted is None:
        raise refusal("layout.too_long", FIELDS[row.field].place)
    return fitted


def _pitch_mm(table: Table, values: list[_Fitted]) -> float:
    """The distance of rows: nominal, or what wrapped values leave. The last row's own wrapped lines need room too."""
    room_mm = table.last_baseline_mm - table.first_baseline_mm - sum(value.extra_mm for value in values)
    pitch_mm = min(table.pitch_mm, room_mm / max(1, len(values) - 1))
    if pitch_mm < table.min_pitch_mm:
        raise refusal("layout.too_full", "person")
    return pitch_mm


def _fit(text: str, type_: Type, lines: int, width_mm: float, measure: Measure) -> _Fitted | None:
    for allowed in range(1, lines + 1):
        for size_pt in _sizes(type_):
            wrapped = _wrap(text, allowed, lambda part, at_pt=size_pt: measure(type_.font, at_pt, part) <= width_mm)
            if wrapped is not None:
                return _Fitted(wrapped, size_pt, size_pt * MM_PER_POINT * type_.leading)
    return None


def _sizes(type_: Type) -> Iterator[float]:
    size_pt = type_.size_pt
    while size_pt > type_.min_size_pt:
        yield size_pt
        size_pt -= _STEP_PT
    yield type_.min_size_pt


def _wrap(text: str, allowed: int, fits: Callable[[str], bool]) -> tuple[str, ...] | None:
    """The text on at most `allowed` lines, filled from the first; None when a word or the whole is too long."""
    if fits(text):
        return (text,)
    if allowed == 1:
        return None
    words = text.split(" ")
    for count in range(len(words) - 1, 0, -1):
        head = " ".join(words[:count])
        if fits(head):
            rest = _wrap(" ".join(words[count:]), allowed - 1, fits)
            return None if rest is None else (head, *rest)
    return None
