"""Opens pictures from strangers: header first, then a full decode, within stated limits. Source: reliability.md "Image bombs".

Runs in the rendering child only, whose memory limit is the last guard. Every way in which a decoder may fail is one problem
that names the picture's place in the record, never its content.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageFile, ImageOps

from controller.cards.problems import refusal

MAX_PIXELS = 4_000_000  # a photo box at 1200 dpi is 1 Mpx; decoded at most 16 MB
# What Pillow's JPEG and PNG plug-ins raise on damaged files: the first five were seen in 30,000 damaged pictures, the others are
# possible by their source. Anything else ends the child, which the daemon reports as render.crashed.
_DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    struct.error,
    Warning,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Source:
    """What kind of picture a place of the record may hold."""

    place: str
    formats: tuple[str, ...]
    cap_bytes: int
    min_width_px: int
    min_height_px: int


def harden_decoders() -> None:
    """Set Pillow's process-wide limits: call once before the first picture."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    warnings.simplefilter("error")
    Image.preinit()


def open_picture(data: bytes, source: Source, shrink_to: tuple[int, int] | None = None) -> Image.Image:
    """The decoded picture, upright. With `shrink_to` (least width and height) a JPEG may come out smaller, which is quicker.

    Raises RenderError when it is empty, too large, too small, damaged, cut short or of another kind.
    """
    if not data:
        raise refusal("image.empty", source.place)
    if len(data) > source.cap_bytes:
        raise refusal("image.too_large", source.place, limit=source.cap_bytes)
    try:
        return _decode(data, source, shrink_to)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise refusal("image.too_many_pixels", source.place, limit=MAX_PIXELS) from error
    except MemoryError as error:
        raise refusal("render.memory", source.place) from error
    except _DECODER_ERRORS as error:
        raise refusal("image.unreadable", source.place, formats=_names(source.formats)) from error


def _decode(data: bytes, source: Source, shrink_to: tuple[int, int] | None) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=source.formats) as picture:
        _check_size(picture, source)
        if shrink_to is not None:
            picture.draft(None, shrink_to)
        picture.load()
        return ImageOps.exif_transpose(picture)


def _check_size(picture: Image.Image, source: Source) -> None:
    width, height = picture.size  # the most is Pillow's own check, of the header: see `harden_decoders`
    if width < source.min_width_px or height < source.min_height_px:
        least = {"min_width": source.min_width_px, "min_height": source.min_height_px}
        raise refusal("image.too_few_pixels", source.place, width=width, height=height, **least)


def _names(formats: Sequence[str]) -> str:
    return "/".join(formats)
