"""Draws friendly portraits for the examples. No photograph and no real person is behind any of them."""

from __future__ import annotations

import math
import random

from PIL import Image, ImageChops, ImageFilter

from tools.example_clothes import Body
from tools.example_drawing import BLACK, CX, HEIGHT, SCALE, WHITE, WIDTH, Point, Rgb, mix, rgb, spline
from tools.example_people import Resident

RED, BLUE = "#c4232c", "#2463b4"  # odd birth years red, even ones blue, as on real cards
_CROP = (42, 72, 438, 666)  # head and shoulders fill the picture as on a card


def portrait(resident: Resident, seed: int) -> Image.Image:
    """The upright portrait, 480 x 720 RGB."""
    year = int(resident.born[:4])
    face = _Face(resident.looks, woman=resident.woman, age=2026 - year, rng=random.Random(seed))  # noqa: S311 - drawings, no secrets
    return face.draw(RED if year % 2 else BLUE)


class _Face(Body):
    """One portrait while it is drawn, from back to front."""

    def draw(self, background: str) -> Image.Image:
        self._backdrop(rgb(background))
        if self.looks.hair in ("long", "bob", "bun"):
            self._hair_behind()
        self._neck()
        self._clothes()
        if not self.veiled:
            self._ears()
        self._head()
        self._eyes()
        self._nose()
        self._mouth()
        self._age_lines()
        if self.looks.moustache or self.looks.beard:
            self._beard()
        if self.veiled:
            self._veil()
        else:
            self._hair_front()
        if self.looks.peci:
            self._peci()
        if self.looks.glasses:
            self._glasses()
        return self._finish()

    def _finish(self) -> Image.Image:
        left, top, right, bottom = (edge * SCALE for edge in _CROP)
        image = self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS, box=(left, top, right, bottom))
        noise = Image.frombytes("L", (WIDTH, HEIGHT), self.rng.randbytes(WIDTH * HEIGHT)).filter(ImageFilter.GaussianBlur(0.8))
        grain = Image.merge("RGB", [noise.point(lambda level: round((level - 128) * 0.12 + 128))] * 3)
        return ImageChops.add(image, grain, scale=1, offset=-128)

    def _backdrop(self, colour: Rgb) -> None:
        self.image.paste(colour, (0, 0, *self.image.size))
        self._shade(self._ring(CX, 300, 260, 330), mix(colour, WHITE, 0.25), 0.55, 70)

    def _hair_behind(self) -> None:
        bottom = {"long": 640, "bob": 492, "bun": 420}[self.looks.hair]
        wide = self.half + (34 if self.looks.hair != "bun" else 16)
        left: list[Point] = [
            (CX - 60, 165),
            (CX - wide + 6, 250),
            (CX - wide, 380),
            (CX - wide - 4, bottom - 60),
            (CX - wide + 22, bottom),
        ]
        right: list[Point] = [(2 * CX - x, y) for x, y in reversed(left)]
        if self.looks.hair == "bun":
            self._fill(self._ring(CX, 150, 52, 44), mix(self.hair, WHITE, 0.06))
        self._fill([*left, *right, (CX, 148)], self.hair)

    def _ears(self) -> None:
        for side in (-1, 1):
            self._oval(CX + side * (self.half + 2), 342, 19, 34, mix(self.skin, BLACK, 0.08))
            self._oval(CX + side * (self.half + 3), 344, 9, 20, mix(self.skin, BLACK, 0.22))
            if self.woman:
                self._oval(CX + side * (self.half + 6), 378, 5, 6, (232, 196, 92))

    def _head(self) -> None:
        half, jaw = self.half, self.half * (0.7 if self.woman else 0.8)
        outline: list[Point] = [
            (CX, 168),
            (CX - half * 0.72, 196),
            (CX - half, 290),
            (CX - half * 0.96, 370),
            (CX - jaw, 430),
            (CX - jaw * 0.5, self.chin - 8),
        ]
        mirrored = [(2 * CX - x, y) for x, y in reversed(outline[1:])]
        head = self._fill([*outline, (CX, self.chin), *mirrored], self.skin)
        dark, blush = mix(self.skin, BLACK, 0.35), mix(self.skin, (214, 70, 60), 0.5)
        for side in (-1, 1):
            self._shade(
                [
                    (CX + side * (half + 10), 200),
                    (CX + side * half * 0.86, 330),
                    (CX + side * jaw, 440),
                    (CX + side * (half + 20), 430),
                ],
                dark,
                0.5,
                16,
                head,
            )
            self._shade(self._ring(CX + side * half * 0.56, 384, 26, 18), blush, 0.5 if self.woman else 0.25, 12, head)
        self._shade(self._ring(CX, 250, 52, 26), mix(self.skin, WHITE, 0.5), 0.35, 18, head)
        self._shade(self._ring(CX, self.chin - 2, 50, 12), dark, 0.35, 9, head)

    def _eyes(self) -> None:
        gap, narrow = self.half * 0.44, 9.5 if self.looks.skin in ("terang", "kuning") else 11.5
        iris = (94, 120, 130) if self.looks.skin == "pucat" else (58, 34, 20)
        brow = mix(self.hair, BLACK, 0.1) if not self.veiled else (40, 28, 22)
        for side in (-1, 1):
            x, y = CX + side * gap, 328
            self._shade(self._ring(x, y - 3, 31, 19), mix(self.skin, BLACK, 0.4), 0.4, 7)
            white = self._fill(
                [
                    (x - 25, y + 1),
                    (x - 10, y - narrow),
                    (x + 10, y - narrow),
                    (x + 25, y + 1),
                    (x + 10, y + narrow * 0.8),
                    (x - 10, y + narrow * 0.8),
                ],
                (250, 248, 244),
            )
            self.image.paste(
                iris, mask=ImageChops.multiply(white, self._mask(spline(self._ring(x, y - 1, 11.5, 11.5), closed=True)))
            )
            self._oval(x, y - 1, 5.2, 5.2, (12, 10, 10))
            self._oval(x + 4, y - 5, 2.6, 2.6, WHITE)
            self._line(
                [(x - 27, y + 2), (x - 11, y - narrow - 1), (x + 11, y - narrow - 1), (x + 27, y + 1)],
                4.4 if self.woman else 3.2,
                (28, 20, 18),
            )
            self._line(
                [(x - 20, y + narrow * 0.7), (x, y + narrow + 1), (x + 20, y + narrow * 0.7)], 1.4, mix(self.skin, BLACK, 0.35)
            )
            thick = 6 if self.woman else 10
            self._line([(x - side * 29, y - 29), (x + side * 2, y - 38), (x + side * 31, y - 28)], thick, brow)

    def _nose(self) -> None:
        wide = self.rng.uniform(21, 25) + (5 if self.looks.skin in ("gelap", "coklat") else 0)
        dark = mix(self.skin, BLACK, 0.38)
        self._shade([(CX + 8, 330), (CX + 20, 385), (CX + wide, 402), (CX + 4, 396)], dark, 0.45, 6)
        self._shade(self._ring(CX - 2, 372, 7, 28), mix(self.skin, WHITE, 0.5), 0.4, 6)
        self._line(
            [
                (CX - wide, 396),
                (CX - wide + 4, 404),
                (CX - 8, 404),
                (CX, 408),
                (CX + 8, 404),
                (CX + wide - 4, 404),
                (CX + wide, 396),
            ],
            3,
            dark,
        )

    def _mouth(self) -> None:
        wide = self.rng.uniform(38, 44)
        lips = mix(self.skin, (188, 44, 62), 0.62) if self.woman else mix(self.skin, (150, 66, 58), 0.5)
        y = 434
        self._fill(
            [
                (CX - wide, y - 8),
                (CX - 16, y - 8),
                (CX, y - 5),
                (CX + 16, y - 8),
                (CX + wide, y - 8),
                (CX + 24, y + 12),
                (CX, y + 19),
                (CX - 24, y + 12),
            ],
            lips,
        )
        smile: list[Point] = [
            (CX - wide - 5, y - 12),
            (CX - wide + 2, y - 7),
            (CX - 20, y + 3),
            (CX, y + 6),
            (CX + 20, y + 3),
            (CX + wide - 2, y - 7),
            (CX + wide + 5, y - 12),
        ]
        self._line(smile, 2.8, mix(lips, BLACK, 0.5))
        self._shade(self._ring(CX, y + 10, 14, 3), WHITE, 0.35, 3)

    def _age_lines(self) -> None:
        if self.age < 50:
            return
        line = mix(self.skin, BLACK, 0.22)
        for side in (-1, 1):
            self._line([(CX + side * 32, 398), (CX + side * 52, 422), (CX + side * 56, 444)], 2.4, line)
            self._line([(CX + side * 34, 350), (CX + side * 50, 356), (CX + side * 66, 350)], 1.8, line)
        if self.age >= 60 and not self.veiled:
            for y in (246, 264):
                self._line([(CX - 50, y + 2), (CX, y - 3), (CX + 50, y + 2)], 1.8, line)

    def _beard(self) -> None:
        if self.looks.beard:
            jaw = self.half * 0.84
            outer: list[Point] = [
                (CX - self.half * 0.98, 392),
                (CX - jaw, 440),
                (CX - jaw * 0.5, self.chin + 8),
                (CX, self.chin + 16),
            ]
            inner: list[Point] = [(CX - self.half * 0.84, 400), (CX - 58, 428), (CX - 40, 462), (CX, 468)]
            both = [*outer, *((2 * CX - x, y) for x, y in reversed(outer[:-1]))]
            back = [*((2 * CX - x, y) for x, y in inner[:-1]), *reversed(inner)]
            self._shade([*both, *back], self.hair, 0.8, 4)
        self._fill(
            [
                (CX, 414),
                (CX - 26, 416),
                (CX - 48, 432),
                (CX - 22, 426),
                (CX, 425),
                (CX + 22, 426),
                (CX + 48, 432),
                (CX + 26, 416),
            ],
            self.hair,
        )

    def _hair_front(self) -> None:
        half = self.half
        style = self.looks.hair
        if style == "curly":
            self._curls()
            return
        sideburn = 346 if style in ("crop", "part", "receding") else 372
        top = {"crop": 140, "part": 128, "receding": 152, "long": 132, "bob": 134, "bun": 138}[style]
        outside: list[Point] = [
            (CX + half + 8, 300),
            (CX + half - 6, 212),
            (CX + 58, top + 16),
            (CX, top),
            (CX - 58, top + 16),
            (CX - half + 6, 212),
            (CX - half - 8, 300),
        ]
        inner = _hairlines(half)[style]
        hair = self._fill(
            [
                (CX - half - 3, sideburn),
                (CX - half + 9, sideburn - 6),
                *inner,
                (CX + half - 9, sideburn - 6),
                (CX + half + 3, sideburn),
                *outside,
            ],
            self.hair,
        )
        self._shade(self._ring(CX - 26, top + 38, 62, 13), mix(self.hair, WHITE, 0.5), 0.5, 10, hair)

    def _curls(self) -> None:
        bottom = 372 if self.woman else 318
        reach = 42 if self.woman else 18
        for _ in range(330):
            angle = self.rng.uniform(-0.08, 1.08) * math.pi
            radius = self.rng.uniform(0.92, 1.0 + reach / 160)
            x, y = CX - math.cos(angle) * (self.half + 4) * radius, 296 - math.sin(angle) * 142 * radius
            if angle < 0 or angle > math.pi:
                y = self.rng.uniform(290, bottom)
            inside = abs(x - CX) < self.half - 10 and y > 226 - abs(x - CX) * 0.1
            if not inside:
                self._oval(x, y, 13, 13, mix(self.hair, WHITE, self.rng.uniform(0, 0.14)))


def _hairlines(half: float) -> dict[str, list[Point]]:
    """Where each hair style ends on the forehead, from left to right, for a face `half` wide on each side."""
    return {
        "crop": [(CX - half + 16, 262), (CX - 62, 214), (CX, 208), (CX + 62, 214), (CX + half - 16, 262)],
        "part": [(CX - half + 16, 266), (CX - 66, 224), (CX - 36, 192), (CX + 30, 218), (CX + half - 14, 264)],
        "receding": [
            (CX - half + 10, 262),
            (CX - 74, 206),
            (CX - 28, 184),
            (CX + 30, 184),
            (CX + 74, 206),
            (CX + half - 10, 262),
        ],
        "long": [(CX - half + 14, 300), (CX - 64, 244), (CX - 4, 196), (CX + 64, 244), (CX + half - 14, 300)],
        "bob": [(CX - half + 16, 290), (CX - 66, 262), (CX, 268), (CX + 66, 258), (CX + half - 16, 290)],
        "bun": [(CX - half + 14, 284), (CX - 60, 226), (CX, 202), (CX + 60, 226), (CX + half - 14, 284)],
    }
