"""What people wear in the examples: clothes, veil, peci, glasses; and the body under them."""

from __future__ import annotations

import random

from PIL import Image, ImageChops, ImageDraw

from tools.example_drawing import BLACK, CX, SCALE, WHITE, Canvas, Point, mix, rgb, spline
from tools.example_people import Looks

SKINS = {"pucat": "#f2cdb4", "terang": "#f3cfae", "kuning": "#e8b98e", "langsat": "#d9a577", "sawo": "#c08858",
         "coklat": "#9c6840", "gelap": "#6f472c"}  # fmt: skip


class Body(Canvas):
    """Neck, clothes and what is worn on the head."""

    def __init__(self, looks: Looks, *, woman: bool, age: int, rng: random.Random) -> None:
        super().__init__()
        self.looks, self.woman, self.age, self.rng = looks, woman, age, rng
        self.skin, self.hair, self.cloth = rgb(SKINS[looks.skin]), rgb(looks.hair_colour), rgb(looks.colour)
        self.half = rng.uniform(100, 108) if woman else rng.uniform(107, 116)
        self.chin = 470 + rng.uniform(-6, 10)
        self.veiled = looks.hair.startswith("hijab")

    def _neck(self) -> None:
        half = 44 if self.woman else 54
        neck = self._fill(
            [
                (CX - half, 410),
                (CX - half, 520),
                (CX - half - 40, 575),
                (CX, 640),
                (CX + half + 40, 575),
                (CX + half, 520),
                (CX + half, 410),
            ],
            mix(self.skin, BLACK, 0.06),
        )
        self._shade(self._ring(CX, self.chin + 6, 78, 34), mix(self.skin, BLACK, 0.45), 0.6, 10, neck)

    def _clothes(self) -> None:
        slope = 18 if self.woman else 0
        low = {"kebaya": 640, "tunic": 588, "suit": 618, "batik": 596, "collar": 596}[self.looks.wear]
        outline: list[Point] = [
            (-20, 740), (14 + slope, 640), (70 + slope, 590), (CX - 82, 556), (CX - 52, 540), (CX - 30, (low + 560) / 2),
            (CX, low), (CX + 30, (low + 560) / 2), (CX + 52, 540), (CX + 82, 556),
            (410 - slope, 590), (466 - slope, 640), (500, 740),
        ]  # fmt: skip
        body = self._fill(outline, self.cloth)
        self._shade([(-20, 740), (20, 630), (120, 600), (150, 740)], BLACK, 0.28, 22, body)
        self._shade([(500, 740), (460, 630), (360, 600), (330, 740)], BLACK, 0.28, 22, body)
        trims = {"batik": self._batik, "kebaya": self._lace, "suit": self._suit, "collar": self._collar}
        if self.looks.wear in trims:
            trims[self.looks.wear](body)

    def _batik(self, body: Image.Image) -> None:
        layer = self.image.copy()
        draw = ImageDraw.Draw(layer)
        light = mix(self.cloth, (232, 190, 120), 0.7)
        for row in range(7):
            for column in range(14):
                x, y = (column * 38 + row % 2 * 19 - 10) * SCALE, (535 + row * 32) * SCALE
                for dx, dy in ((-7, 0), (7, 0), (0, -7), (0, 7)):
                    draw.ellipse(
                        (x + (dx - 5) * SCALE, y + (dy - 5) * SCALE, x + (dx + 5) * SCALE, y + (dy + 5) * SCALE),
                        outline=light,
                        width=2 * SCALE,
                    )
        self.image.paste(layer, mask=body)
        self._collar(body)

    def _lace(self, _body: Image.Image) -> None:
        light = mix(self.cloth, WHITE, 0.55)
        self._line([(CX - 54, 542), (CX - 32, 600), (CX, 640), (CX + 32, 600), (CX + 54, 542)], 7, light)
        self._line([(CX, 640), (CX, 740)], 4, light)
        for step in range(5):
            self._oval(CX, 658 + step * 18, 4.5, 4.5, mix(self.cloth, WHITE, 0.8))

    def _suit(self, _body: Image.Image) -> None:
        self._fill([(CX - 50, 546), (CX + 50, 546), (CX + 18, 720), (CX - 18, 720)], (244, 244, 240), smooth=False)
        if not self.woman:
            self._fill([(CX - 11, 584), (CX + 11, 584), (CX + 17, 730), (CX - 17, 730)], (128, 30, 38), smooth=False)
        for side in (-1, 1):
            lapel: list[Point] = [
                (CX + side * 56, 540),
                (CX + side * 98, 600),
                (CX + side * 70, 622),
                (CX + side * 12, 740),
                (CX + side * 30, 640),
            ]
            self._fill(lapel, mix(self.cloth, BLACK, 0.25), smooth=False)

    def _collar(self, _body: Image.Image) -> None:
        for side in (-1, 1):
            wing: list[Point] = [(CX + side * 54, 532), (CX + side * 4, 594), (CX + side * 44, 636), (CX + side * 86, 562)]
            self._fill(wing, mix(self.cloth, WHITE, 0.16), smooth=False)
            self._line([wing[1], wing[2], wing[3]], 2.5, mix(self.cloth, BLACK, 0.3))
        self._line([(CX, 600), (CX, 730)], 2.5, mix(self.cloth, BLACK, 0.3))

    def _veil(self) -> None:
        half, dark = self.half, mix(self.cloth, BLACK, 0.22)
        drop = 740 if self.looks.hair == "hijab_long" else 640
        opening = spline(self._ring(CX, 342, half * 0.9, 132), closed=True)
        outer: list[Point] = [
            (CX, 132),
            (CX - half - 6, 190),
            (CX - half - 36, 330),
            (CX - half - 30, 480),
            (CX - half - 76, 590),
            (CX - half - 90, drop),
            (CX, drop + 36),
        ]
        veil = self._mask(spline([*outer, *((2 * CX - x, y) for x, y in reversed(outer[1:-1]))], closed=True))
        veil = ImageChops.subtract(veil, self._mask(opening))
        self.image.paste(self.cloth, mask=veil)
        self._shade([(CX - half - 40, 300), (CX - half - 4, 300), (CX - half, 500), (CX - half - 60, 560)], BLACK, 0.25, 16, veil)
        self._shade([(CX + half + 40, 300), (CX + half + 4, 300), (CX + half, 500), (CX + half + 60, 560)], BLACK, 0.25, 16, veil)
        self._line([*opening[::24], opening[0]], 5, dark)
        for start, end in ((-70, 90), (-30, 130), (40, 150)):
            self._line([(CX + start, 488), (CX + (start + end) / 2, 556), (CX + end, min(drop, 690))], 3, dark)
        self._shade(self._ring(CX - 40, 176, 60, 16), WHITE, 0.25, 14, veil)

    def _peci(self) -> None:
        half = self.half
        cap = self._fill(
            [
                (CX - half - 4, 244),
                (CX - half + 12, 118),
                (CX + half - 12, 118),
                (CX + half + 4, 244),
                (CX + half * 0.5, 226),
                (CX, 220),
                (CX - half * 0.5, 226),
            ],
            (22, 20, 24),
            smooth=False,
        )
        self._shade([(CX - 80, 124), (CX - 20, 122), (CX - 34, 220), (CX - 88, 226)], (96, 92, 104), 0.6, 14, cap)

    def _glasses(self) -> None:
        draw = ImageDraw.Draw(self.image)
        gap, frame = self.half * 0.44, (34, 30, 34)
        for side in (-1, 1):
            x, y = CX + side * gap, 331
            box = ((x - 39) * SCALE, (y - 29) * SCALE, (x + 39) * SCALE, (y + 29) * SCALE)
            draw.rounded_rectangle(box, radius=22 * SCALE, outline=frame, width=4 * SCALE)
            end = self.half * 0.88 if self.veiled else self.half + 4
            self._line([(x + side * 38, y - 8), (CX + side * end, y - 12)], 4, frame)
        self._line([(CX - gap + 37, 326), (CX, 320), (CX + gap - 37, 326)], 4, frame)
