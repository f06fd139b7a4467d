"""Decides how every text is set: size, lines and place. Pure: how wide a text is comes from the `measure` function.

The rule, everywhere the same: nominal size; else smaller in quarter points down to the type's least size; else, where the
layout allows more lines, wrapped between words at the largest size that fits; else refused. Wrapped lines push the rows of the
table down and then closer together. Where that is not enough, the whole table is set again compactly: labels at their least
size, values starting where they ended before, wrapped lines at their least size. Nothing is ever cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from controller.cards.abbreviate import abbreviated
from controller.cards.fields import FIELDS
from controller.cards.layout import Align, Beside, Layout, Row, Table, TextBox, Type
from controller.cards.problems import refusal
from controller.errors import RenderError

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
class _Block:
    """One text as lines of one size."""

    lines: tuple[str, ...]
    size_pt: float
    leading_mm: float

    @property
    def extra_mm(self) -> float:
        """The height that wrapped lines add to the first."""
        return self.leading_mm * (len(self.lines) - 1)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the table is set."""

    values: tuple[_Block, ...]  # one for each row
    pitch_mm: float
    label_pt: float
    compact: bool


def typeset(layout: Layout, texts: Mapping[str, str], measure: Measure) -> tuple[Run, ...]:
    """Every line on the front. Raises RenderError naming the field whose text does not fit."""
    return _settle(layout, texts, partial(_set_front, layout, measure=measure))


def typeset_back(layout: Layout, texts: Mapping[str, str], measure: Measure) -> tuple[Run, ...]:
    """Every line on the back; none where the layout has no back. Raises RenderError as `typeset` does."""
    if layout.back is None:
        return ()
    return _settle(layout, texts, partial(_set_boxes, layout.back.texts, measure=measure))


def _settle(layout: Layout, texts: Mapping[str, str], lay_out: Callable[[Mapping[str, str]], tuple[Run, ...]]) -> tuple[Run, ...]:
    """Lay out, and while something does not fit, again with one more abbreviation. Ends: each makes a text shorter."""
    while True:
        try:
            return lay_out(texts)
        except RenderError as error:
            shorter = abbreviated(layout.abbreviations, texts, _too_long(layout, error))
            if shorter is None:
                raise
            texts = shorter


def _too_long(layout: Layout, error: RenderError) -> set[str]:
    """The fields an error is about: one, or all of the table."""
    if error.problem.code == "layout.too_full":
        return {row.field for row in layout.table.rows}
    return {name for name, field in FIELDS.items() if field.place == error.problem.place}


def _set_front(layout: Layout, texts: Mapping[str, str], measure: Measure) -> tuple[Run, ...]:
    return (*_set_boxes(layout.texts, texts, measure), *_set_table(layout.table, texts, measure))


def _set_boxes(boxes: Sequence[TextBox], texts: Mapping[str, str], measure: Measure) -> tuple[Run, ...]:
    return tuple(run for box in boxes for run in _set_box(box, texts, measure))


def _set_box(box: TextBox, texts: Mapping[str, str], measure: Measure) -> Iterator[Run]:
    if box.field is None:
        text, place = box.words or "", "layout"
    else:
        text, place = texts[box.field], FIELDS[box.field].place
    block = _fit(text, _trials(box.type, box.type.lines), box.type, box.width_mm, measure, place)
    top_mm = box.baseline_mm - block.extra_mm
    for index, line in enumerate(block.lines):
        yield Run(line, box.type.font, block.size_pt, box.x_mm, top_mm + index * block.leading_mm, box.align)


def _set_table(table: Table, texts: Mapping[str, str], measure: Measure) -> Iterator[Run]:
    try:
        plan = _plan(table, texts, measure, compact=False)
    except RenderError:
        plan = _plan(table, texts, measure, compact=True)
    baseline_mm = table.first_baseline_mm
    for row, value in zip(table.rows, plan.values, strict=True):
        label_x_mm = table.label_x_mm + (table.indent_mm if row.indent else 0)
        yield from _set_label(table, row.label, label_x_mm, table.colon_x_mm, plan.label_pt, baseline_mm)
        for index, line in enumerate(value.lines):
            yield Run(line, table.value.font, value.size_pt, table.value_x_mm, baseline_mm + index * value.leading_mm)
        if row.beside is not None:
            yield from _set_beside(table, row.beside, texts, measure, plan, baseline_mm)
        baseline_mm += value.extra_mm + plan.pitch_mm


def _set_label(table: Table, label: str, x_mm: float, colon_x_mm: float, size_pt: float, baseline_mm: float) -> Iterator[Run]:
    yield Run(label, table.label.font, size_pt, x_mm, baseline_mm)
    yield Run(":", table.label.font, size_pt, colon_x_mm, baseline_mm)


def _set_beside(
    table: Table, beside: Beside, texts: Mapping[str, str], measure: Measure, plan: _Plan, baseline_mm: float
) -> Iterator[Run]:
    yield from _set_label(table, beside.label, beside.label_x_mm, beside.colon_x_mm, plan.label_pt, baseline_mm)
    width_mm, place = table.right_mm - beside.value_x_mm, FIELDS[beside.field].place
    value = _fit(texts[beside.field], _trials(table.value, 1, compact=plan.compact), table.value, width_mm, measure, place)
    yield Run(value.lines[0], table.value.font, value.size_pt, beside.value_x_mm, baseline_mm)


def _plan(table: Table, texts: Mapping[str, str], measure: Measure, *, compact: bool) -> _Plan:
    values = tuple(_fit_row(table, row, texts, measure, compact) for row in table.rows)
    room_mm = table.last_baseline_mm - table.first_baseline_mm - sum(value.extra_mm for value in values)
    pitch_mm = min(table.pitch_mm, room_mm / max(1, len(values) - 1))
    if pitch_mm < table.min_pitch_mm:
        raise refusal("layout.too_full", "person")
    return _Plan(values, pitch_mm, table.label.min_size_pt if compact else table.label.size_pt, compact)


def _fit_row(table: Table, row: Row, texts: Mapping[str, str], measure: Measure, compact: bool) -> _Block:
    right_mm = table.right_mm if row.beside is None else row.beside.label_x_mm
    trials = _trials(table.value, row.lines, compact=compact)
    return _fit(texts[row.field], trials, table.value, right_mm - table.value_x_mm, measure, FIELDS[row.field].place)


def _fit(text: str, trials: Iterator[tuple[int, float]], type_: Type, width_mm: float, measure: Measure, place: str) -> _Block:
    for lines, size_pt in trials:
        wrapped = _wrap(text, lines, partial(_fits, measure, type_.font, size_pt, width_mm))
        if wrapped is not None:
            return _Block(wrapped, size_pt, size_pt * MM_PER_POINT * type_.leading)
    raise refusal("layout.too_long", place)


def _trials(type_: Type, lines: int, *, compact: bool = False) -> Iterator[tuple[int, float]]:
    """Number of lines and size to try, the best first."""
    middle_pt = type_.roomy_min_size_pt or type_.min_size_pt
    largest_pt, least_pt = (middle_pt, type_.min_size_pt) if compact else (type_.size_pt, middle_pt)
    for allowed in range(1, lines + 1):
        first_pt = least_pt if compact and allowed > 1 else largest_pt
        for step in range(int((first_pt - least_pt) / _STEP_PT) + 1):
            yield allowed, first_pt - step * _STEP_PT


def _fits(measure: Measure, font: str, size_pt: float, width_mm: float, text: str) -> bool:
    return measure(font, size_pt, text) <= width_mm


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
