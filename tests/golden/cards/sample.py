"""Synthetic people for the card tests, and the eye of the tests: panels back to a picture. No real person, no real number."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from controller.cards.dots import Dots
from controller.cards.packing import unpack
from controller.cards.raster import BACK, FRONT, Raster
from controller.hal.profiles.printer import find_profile
from controller.model import Panel
from controller.records.prr import Record

REPOSITORY = Path(__file__).parents[3]
CARD_WHITE, RESIN = (236, 244, 250), (16, 16, 18)


def raster_of(profile: str, ribbon: str = "ymcko") -> Raster:
    """The raster of a printer profile with this ribbon, both sides."""
    return find_profile(REPOSITORY / "firmware_profiles/printers", profile).raster_for(ribbon, (FRONT, BACK))


def primacy() -> Raster:
    """The raster of the Evolis Primacy profile."""
    return raster_of("evolis-primacy")


@lru_cache
def portrait(background: tuple[int, int, int] = (176, 28, 30), hair: tuple[int, int, int] = (32, 26, 24)) -> bytes:
    """A drawn face, 480 x 640, as JPEG: dark hair above, light collar below, so that upright can be told."""
    picture = Image.new("RGB", (960, 1280), background)
    pen = ImageDraw.Draw(picture)
    pen.rounded_rectangle((130, 960, 830, 1500), 260, (38, 52, 96))
    pen.polygon([(350, 970), (610, 970), (480, 1200)], (240, 240, 236))
    pen.rectangle((400, 820, 560, 1010), (196, 148, 116))
    pen.ellipse((255, 230, 705, 780), hair)
    pen.ellipse((285, 300, 675, 900), (214, 166, 132))
    pen.pieslice((255, 210, 705, 690), 180, 360, hair)
    for x in (375, 525):
        pen.ellipse((x, 540, x + 62, 580), (246, 244, 240))
        pen.ellipse((x + 18, 542, x + 48, 578), (40, 28, 20))
        pen.line((x - 8, 505, x + 72, 498), hair, 14)
    pen.line([(480, 570), (462, 690), (494, 696)], (170, 120, 92), 8)
    pen.arc((410, 700, 560, 800), 20, 160, (150, 60, 56), 14)
    return _saved(picture.resize((480, 640), Image.Resampling.LANCZOS), "JPEG", quality=88)


@lru_cache
def signature(size: tuple[int, int] = (360, 150)) -> bytes:
    """A scribble in dark ink on white, as PNG."""
    picture = Image.new("L", (1440, 600), 255)
    turns = np.linspace(0, 7 * np.pi, 300)
    points = list(zip(200 + turns * 46 + 60 * np.cos(turns * 1.3), 300 + 150 * np.sin(turns) * np.cos(turns / 5), strict=True))
    pen = ImageDraw.Draw(picture)
    pen.line(points, 40, 16, joint="curve")
    pen.line([(180, 470), (1250, 380)], 40, 14)
    return _saved(picture.resize(size, Image.Resampling.LANCZOS), "PNG")


def record(photo: bytes | None = None, ink: bytes | None = None, **person: Any) -> Record:
    """A record as stored; `person` replaces or, with None, leaves out fields of the biodata."""
    return Record.model_validate(record_json(photo, ink, **person))


def record_json(photo: bytes | None = None, ink: bytes | None = None, **person: Any) -> dict[str, Any]:
    """The same as plain JSON values."""
    biodata = {**_PERSON, **person}
    return {
        "format": 1,
        "record_id": "TEST-0001",
        "status": "PRINT_READY_RECORD",
        "recorded_on": "2026-11-02",
        "person": {name: value for name, value in biodata.items() if value is not None},
        "issue": {"place": "KOTA BANDUNG", "date": "2026-11-21"},
        "photo": {"media_type": "image/jpeg", "data": _text(photo if photo is not None else portrait())},
        "signature": {"media_type": "image/png", "data": _text(ink if ink is not None else signature())},
        "chip": {f"6FF{number}": _text(b"chip") for number in range(1, 7)},
        "seal": "synthetic",
    }


def two_sided_layout() -> str:
    """The installed layout with a back: fixed words, the address, and a hole in the overlay."""
    front = (resources.files("controller.cards") / "layouts/ktp-el.toml").read_text("utf-8")
    return (
        front
        + """
[[back.texts]]
words = "BILA DITEMUKAN, KEMBALIKAN KE DISDUKCAPIL"
type = { font = "bold", size_pt = 7.0, min_size_pt = 6.0 }
x_mm = 42.8
baseline_mm = 20.0
width_mm = 78.0
align = "centre"
[[back.texts]]
field = "address"
type = { font = "text", size_pt = 7.0, min_size_pt = 5.0, lines = 4 }
x_mm = 4.0
baseline_mm = 40.0
width_mm = 60.0
[[back.overlay.holes]]
x_mm = 0.0
y_mm = 4.0
width_mm = 85.6
height_mm = 12.0
"""
    )


def planes_of(panels: Sequence[Panel], raster: Raster) -> dict[str, Dots]:
    """The upright dots of packed panels of one side."""
    rows = {(row.name, row.side): row for row in raster.panels}
    return {panel.name: unpack(panel.data, raster, rows[panel.name, panel.side]) for panel in panels}


def compose(planes: dict[str, Dots], levels: int = 128) -> Image.Image:
    """What the card would look like: dye takes light from a bluish white card, resin covers; holes of the overlay are tinted."""
    light = np.stack([1 - planes[name] / (levels - 1) for name in ("c", "m", "y")], axis=2)
    card = light * np.array(CARD_WHITE)
    card[planes["k"] == 1] = RESIN
    card[(planes["o"] == 0) & (planes["k"] == 0)] *= (0.86, 0.95, 0.86)
    return Image.fromarray(card.round().astype(np.uint8))


_PERSON: dict[str, Any] = {
    "nik": "3273014508900001",
    "name": "SITI RAHMAWATI",
    "birth_place": "BANDUNG",
    "birth_date": "1990-08-05",
    "sex": "PEREMPUAN",
    "blood_type": "O",
    "address": "JL. MERDEKA NO. 12",
    "rt": "004",
    "rw": "011",
    "village": "BABAKAN CIAMIS",
    "district": "SUMUR BANDUNG",
    "regency": "KOTA BANDUNG",
    "province": "JAWA BARAT",
    "religion": "ISLAM",
    "marital_status": "KAWIN",
    "occupation": "KARYAWAN SWASTA",
    "nationality": "WNI",
    "valid_until": "SEUMUR HIDUP",
}
LONG: dict[str, Any] = {
    "nik": "8109012512780002",
    "name": "RADEN MAS PANJI ABDURRAHMAN WICAKSONO SOSRODININGRAT ALHAJ",
    "birth_place": "TANJUNG JABUNG TIMUR",
    "birth_date": "1978-12-25",
    "sex": "LAKI-LAKI",
    "blood_type": None,
    "address": "JL. RAYA PERUMAHAN GRIYA PERMATA INDAH SEJAHTERA BLOK AA-12 NO. 138 LINGKUNGAN KAMPUNG BARU SELATAN",
    "rt": None,
    "rw": None,
    "village": "TANJUNG KARANG PERMAI BARAT",
    "district": "TAGULANDANG SELATAN",
    "regency": "KABUPATEN KEPULAUAN SIAU TAGULANDANG BIARO",
    "province": "KEPULAUAN BANGKA BELITUNG",
    "religion": "KEPERCAYAAN TERHADAP TUHAN YME",
    "marital_status": "CERAI HIDUP",
    "occupation": "ANGGOTA DPRD KABUPATEN/KOTA",
}


# Fits only when words are abbreviated.
CROWDED: dict[str, Any] = {
    "nik": "1271061703850003",
    "name": "PUTRI AYU KUSUMANINGRUM WARDHANI",
    "birth_place": "KABUPATEN KEPULAUAN TANIMBAR SELATAN",
    "birth_date": "1985-03-17",
    "sex": "LAKI-LAKI",
    "blood_type": "AB-",
    "address": "JALAN KAMPUNG BARU KOMPLEKS PERUMAHAN GRIYA PERMATA INDAH SELATAN BLOK AA NOMOR 138 "
    "LINGKUNGAN DUSUN TENGAH GANG MELATI",
    "rt": "120",
    "rw": "034",
    "village": "KAMPUNG BARU TANJUNG KARANG PERMAI BARAT KEPULAUAN",
    "district": "KEPULAUAN TAGULANDANG SELATAN TENGAH",
    "regency": "KABUPATEN KEPULAUAN PANGKAJENE SELATAN TENGGARA",
    "province": "KEPULAUAN BANGKA BELITUNG",
    "religion": "KATOLIK",
    "marital_status": "BELUM KAWIN",
    "occupation": "PENGAJAR DAN PENELITI PADA PERGURUAN TINGGI NEGERI",
}
FOREIGN: dict[str, Any] = {
    "nik": "5171035202790001",
    "name": "ZOÉ ŁUCJA GRÖNLUND-ÅKESSON",
    "birth_place": "MÜNCHEN",
    "birth_date": "1979-02-12",
    "blood_type": "A+",
    "address": "VILLA 7, BANJAR ÇATUR Š",
    "rt": None,
    "rw": None,
    "regency": "KOTA DENPASAR",
    "province": "BALI",
    "religion": "KRISTEN",
    "nationality": "WNA",
    "valid_until": "2031-12-31",
}


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
