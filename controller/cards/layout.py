"""The face of a card as data: what is printed where, in millimetres from the card's top left corner and in points.

Reads the TOML text of `layouts/*.toml` into frozen records and checks that everything lies on the card and every name is
known. All mistakes are reported at once, each with its place.
"""

from __future__ import annotations

import tomllib
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from controller.cards.fields import FIELDS
from controller.errors import ConfigError, Problem

Millimetres = Annotated[float, Field(ge=0, le=200, allow_inf_nan=False)]
Points = Annotated[float, Field(ge=4, le=72, allow_inf_nan=False)]  # below 4 points nobody can read it
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Align = Literal["left", "centre", "right"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Card(_Part):
    """The card's own size; the picture is centred on it and bleeds over its edges."""

    width_mm: Millimetres
    height_mm: Millimetres


class Font(_Part):
    """One face: the first of the files that exists is used; the package is named when none does."""

    files: tuple[str, ...] = Field(min_length=1)
    package: str


class Type(_Part):
    """How a text is set: at `size_pt`, else smaller down to `min_size_pt`, else on up to `lines` lines, else refused."""

    font: str
    size_pt: Points
    roomy_min_size_pt: Points | None = None  # in the table: the least size as long as there is room for more lines
    min_size_pt: Points
    lines: int = Field(default=1, ge=1, le=4)
    leading: float = Field(default=1.1, ge=0.9, le=2)  # distance of wrapped lines, in sizes; capitals need 0.9


class TextBox(_Part):
    """A text at a fixed place: a field of the record or fixed words."""

    field: str | None = None
    words: str | None = None
    type: Type
    x_mm: Millimetres  # of the edge or centre named by `align`
    baseline_mm: Millimetres  # of the last line: wrapped lines grow upwards
    width_mm: Millimetres
    align: Align = "left"


class Beside(_Part):
    """A second label and value on a row."""

    field: str
    label: str
    label_x_mm: Millimetres
    colon_x_mm: Millimetres
    value_x_mm: Millimetres


class Row(_Part):
    """One row of the table of labels and values."""

    field: str
    label: str
    indent: bool = False
    lines: int = Field(default=1, ge=1, le=4)
    beside: Beside | None = None


class Table(_Part):
    """Label, colon and value in three columns. Wrapped values push the rows below them; then all rows move closer together."""

    label: Type
    value: Type
    label_x_mm: Millimetres
    indent_mm: Millimetres
    colon_x_mm: Millimetres
    value_x_mm: Millimetres
    right_mm: Millimetres  # no value goes beyond
    first_baseline_mm: Millimetres
    last_baseline_mm: Millimetres
    pitch_mm: Millimetres
    min_pitch_mm: Millimetres
    rows: tuple[Row, ...] = Field(min_length=1)


class Box(_Part):
    """A rectangle on the card."""

    x_mm: Millimetres
    y_mm: Millimetres
    width_mm: Millimetres
    height_mm: Millimetres


class PhotoBox(Box):
    """Where the photo goes: it fills the box; what is too much is cut off its sides, or above and below as `anchor_y` says."""

    anchor_y: Share  # 0 keeps the top of a photo that is too tall, 1 its bottom
    min_width_px: int = Field(ge=1)
    min_height_px: int = Field(ge=1)


class SignatureBox(Box):
    """Where the signature goes: trimmed to its ink, then as large as the box allows, centred."""

    ink_level: int = Field(ge=1, le=254)  # grey values below it print
    max_ink: Share  # more than this share of ink is no signature
    min_width_px: int = Field(ge=1)
    min_height_px: int = Field(ge=1)


class Overlay(_Part):
    """The clear panel covers the whole card but for these holes."""

    holes: tuple[Box, ...] = ()


class Colour(_Part):
    """Photo colours to dye: (darkness of the screen colour, share of full dye) points, straight lines between them."""

    tone: tuple[tuple[Share, Share], ...] = Field(min_length=2)


class Layout(_Part):
    """One side of a card."""

    format: Literal[1]
    name: str
    letter_case: Literal["upper", "as_given"]
    card: Card
    fonts: dict[str, Font]
    texts: tuple[TextBox, ...]
    table: Table
    photo: PhotoBox
    signature: SignatureBox
    overlay: Overlay
    colour: Colour


def load_layout(text: str) -> Layout:
    """The layout in this TOML text. Raises ConfigError with every mistake and its place."""
    try:
        layout = Layout.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_mistake("", str(error))]) from error
    except ValidationError as error:
        raise ConfigError([_mistake(".".join(map(str, row["loc"])), row["msg"]) for row in error.errors()]) from error
    mistakes = [*_name_mistakes(layout), *_size_mistakes(layout), *_place_mistakes(layout), *_tone_mistakes(layout)]
    if mistakes:
        raise ConfigError(mistakes)
    return layout


def _mistake(place: str, text: str) -> Problem:
    return Problem("layout.broken", place, f"tata letak salah: {text}", text)


def _types(layout: Layout) -> list[tuple[str, Type]]:
    boxes = [(f"texts.{index}.type", box.type) for index, box in enumerate(layout.texts)]
    return [*boxes, ("table.label", layout.table.label), ("table.value", layout.table.value)]


def _name_mistakes(layout: Layout) -> list[Problem]:
    fields = [(f"texts.{index}.field", box.field) for index, box in enumerate(layout.texts) if box.field is not None]
    for index, row in enumerate(layout.table.rows):
        fields.append((f"table.rows.{index}.field", row.field))
        fields += [(f"table.rows.{index}.beside.field", row.beside.field)] if row.beside is not None else []
    unknown = [_mistake(place, f"no field is called '{name}'") for place, name in fields if name not in FIELDS]
    unknown += [
        _mistake(f"texts.{index}", "give either field or words")
        for index, box in enumerate(layout.texts)
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
    edges = [(place, box.x_mm, box.x_mm + box.width_mm, box.y_mm + box.height_mm) for place, box in boxes]
    for index, text in enumerate(layout.texts):
        left = text.x_mm - text.width_mm * {"left": 0.0, "centre": 0.5, "right": 1.0}[text.align]
        edges.append((f"texts.{index}", left, left + text.width_mm, text.baseline_mm))
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
