"""A card's sides as data: what is printed where, in millimetres from the card's top left corner and in points.

The keys of `layouts/*.toml`, which `layout_file` reads; docs/rendering.md explains them and states how texts are made to fit.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Millimetres = Annotated[float, Field(ge=0, le=200, allow_inf_nan=False)]
Points = Annotated[float, Field(ge=4, le=72, allow_inf_nan=False)]  # below 4 points nobody can read it
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Align = Literal["left", "centre", "right"]


class _Part(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


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


class Back(_Part):
    """The back: black texts and the clear panel, as far as the ribbon has panels for them."""

    texts: tuple[TextBox, ...] = ()
    overlay: Overlay = Overlay()


class Abbreviation(_Part):
    """Whole words that may be shortened in some fields, when nothing else makes a text fit."""

    words: str = Field(min_length=2)
    short: str = Field(min_length=1)
    fields: tuple[str, ...] = Field(min_length=1)


class Layout(_Part):
    """Both sides of a card; the keys of the front stand at the top."""

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
    abbreviations: tuple[Abbreviation, ...] = ()  # tried in this order
    back: Back | None = None  # None: the back is not printed
