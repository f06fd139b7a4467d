"""Drawing for the examples: smooth curves, soft shading, signatures.

Units are those of a 480 x 720 canvas; it is drawn three times larger and scaled down.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Point = tuple[float, float]
Rgb = tuple[int, int, int]

WIDTH, HEIGHT = 480, 720
SCALE = 3
CX = WIDTH / 2
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
_INK = 22


def jpeg(image: Image.Image, size: tuple[int, int], max_bytes: int) -> bytes:
    """The image at `size` as a JPEG of the best quality that fits into `max_bytes`."""
    small = image.resize(size, Image.Resampling.LANCZOS)
    for quality in range(92, 10, -3):
        out = BytesIO()
        small.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= max_bytes:
            return out.getvalue()
    raise ValueError("the image does not fit")


def signature(seed: int, size: tuple[int, int]) -> Image.Image:
    """A scribble in dark ink on white, grey levels."""
    rng = random.Random(seed)  # noqa: S311 - drawings, no secrets
    width, height = size[0] * SCALE, size[1] * SCALE
    image = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(image)
    loops = rng.randint(5, 8)
    tall = [0.4 if loop == 0 else rng.choice((0.1, 0.14, 0.2, 0.32)) for loop in range(loops)] + [0.05]
    path: list[Point] = []
    for step in range(loops * 40):
        loop, turn = step // 40, step / 40 * 2 * math.pi
        share = (1 - math.cos(turn / 2 % math.pi)) / 2  # the height changes smoothly from loop to loop
        reach = tall[loop] * (1 - share) + tall[loop + 1] * share
        y = 0.58 - reach * math.sin(turn) - 0.08 * step / (loops * 40)
        path.append((0.1 + 0.72 * step / (loops * 40) + (0.05 + reach * 0.1) * math.cos(turn) + (0.58 - y) * 0.1, y))
    path.append((0.95, rng.uniform(0.35, 0.6)))
    _stroke(draw, [(x * width, y * height) for x, y in path], height * 0.017)
    flourish = [
        (0.9, 0.62),
        (0.5, rng.uniform(0.8, 0.88)),
        (0.18, 0.82),
        (0.3, rng.uniform(0.88, 0.94)),
        (0.8, rng.uniform(0.74, 0.82)),
    ]
    _stroke(draw, [(x * width, y * height) for x, y in flourish[rng.randint(0, 2) :]], height * 0.013)
    return image.resize(size, Image.Resampling.LANCZOS)


def rgb(colour: str) -> Rgb:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def mix(colour: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def spline(points: Sequence[Point], *, closed: bool = False, steps: int = 24) -> list[Point]:
    """A smooth curve through the points (Catmull-Rom)."""
    count = len(points)

    def at(i: int) -> Point:
        return points[i % count] if closed else points[min(max(i, 0), count - 1)]

    curve: list[Point] = []
    for i in range(count if closed else count - 1):
        four = at(i - 1), at(i), at(i + 1), at(i + 2)
        for step in range(steps):
            t = step / steps
            curve.append((_cubic(t, *(p[0] for p in four)), _cubic(t, *(p[1] for p in four))))
    return curve if closed else [*curve, points[-1]]


class Canvas:
    """A picture and the strokes everything is made of."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE))

    def _mask(self, points: Sequence[Point]) -> Image.Image:
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).polygon([(x * SCALE, y * SCALE) for x, y in points], fill=255)
        return mask

    def _fill(self, points: Sequence[Point], colour: Rgb, *, smooth: bool = True) -> Image.Image:
        mask = self._mask(spline(points, closed=True) if smooth else points)
        self.image.paste(colour, mask=mask)
        return mask

    def _oval(self, x: float, y: float, rx: float, ry: float, colour: Rgb) -> None:
        box = ((x - rx) * SCALE, (y - ry) * SCALE, (x + rx) * SCALE, (y + ry) * SCALE)
        ImageDraw.Draw(self.image).ellipse(box, fill=colour)

    def _line(self, points: Sequence[Point], width: float, colour: Rgb) -> None:
        path = [(x * SCALE, y * SCALE) for x, y in spline(points)]
        draw = ImageDraw.Draw(self.image)
        radius = width * SCALE / 2
        for x, y in path:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        draw.line(path, fill=colour, width=round(width * SCALE), joint="curve")

    def _shade(
        self, points: Sequence[Point], colour: Rgb, strength: float, blur: float, within: Image.Image | None = None
    ) -> None:
        """A soft patch of colour, cut to `within`."""
        mask = self._mask(spline(points, closed=True)).filter(ImageFilter.GaussianBlur(blur * SCALE))
        mask = mask.point(lambda level: round(level * strength))
        self.image.paste(colour, mask=mask if within is None else ImageChops.multiply(mask, within))

    @staticmethod
    def _ring(x: float, y: float, rx: float, ry: float) -> list[Point]:
        return [(x + rx * math.cos(a * math.pi / 6), y + ry * math.sin(a * math.pi / 6)) for a in range(12)]


def _stroke(draw: ImageDraw.ImageDraw, points: Sequence[Point], thickness: float) -> None:
    path = spline(points)
    for index, (start, end) in enumerate(pairwise(path)):
        radius = thickness * (0.6 + 0.4 * math.sin(index / 70.0) ** 2)
        draw.line((start, end), fill=_INK, width=round(2 * radius))
        draw.ellipse((end[0] - radius, end[1] - radius, end[0] + radius, end[1] + radius), fill=_INK)


def _cubic(t: float, a: float, b: float, c: float, d: float) -> float:
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
