"""The same card as a PDF, as an office program would hand it to CUPS: lines of text, the photo's JPEG, the signature's ink."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from PIL import Image

from controller.cards.fields import face_texts
from controller.cards.fonts import Fonts
from controller.cards.images import Source, open_picture
from controller.cards.layout import Box, Layout
from controller.cards.typeset import Run, typeset
from controller.records.prr import PHOTO_MAX_BYTES, SIGNATURE_MAX_BYTES, Record

_POINTS_PER_MM = 72 / 25.4
_FACES = {
    "text": "Helvetica",
    "bold": "Helvetica-Bold",
    "number": "Courier-Bold",
}  # the layout's fonts -> those every PDF reader has


def card_pdf(record: Record, layout: Layout) -> bytes:
    """One page of the card's size with what the station prints on it, but for the overlay."""
    fonts = Fonts(layout, 300)
    runs = typeset(layout, face_texts(record, layout.letter_case), fonts.width_mm)
    photo = open_picture(record.photo.content(), Source("photo.data", ("JPEG",), PHOTO_MAX_BYTES, 1, 1))
    ink = open_picture(record.signature.content(), Source("signature.data", ("PNG", "JPEG"), SIGNATURE_MAX_BYTES, 1, 1)).convert(
        "L"
    )
    page = "\n".join(
        [*_text(layout, fonts, runs), _image(layout, layout.photo, "Photo"), _image(layout, layout.signature, "Ink")]
    )
    size = f"0 0 {layout.card.width_mm * _POINTS_PER_MM:.2f} {layout.card.height_mm * _POINTS_PER_MM:.2f}"
    names = " ".join(f"/{name} << /Type /Font /Subtype /Type1 /BaseFont /{face} /Encoding /WinAnsiEncoding >>"
                     for name, face in _FACES.items())  # fmt: skip
    resources = f"<< /Font << {names} >> /XObject << /Photo 5 0 R /Ink 6 0 R >> >>"
    return _file([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [{size}] /Resources {resources} /Contents 4 0 R >>".encode(),
        _stream("", page.encode("cp1252", "replace")),
        _stream(_image_keys(photo, "DCTDecode"), record.photo.content()),
        _stream(_image_keys(ink, "FlateDecode"), zlib.compress(ink.tobytes())),
    ])  # fmt: skip


def _text(layout: Layout, fonts: Fonts, runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        share = {"left": 0.0, "centre": 0.5, "right": 1.0}[run.align]
        x_mm = run.x_mm - share * fonts.width_mm(run.font, run.size_pt, run.text)
        y_mm = layout.card.height_mm - run.baseline_mm
        text = run.text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        yield f"BT /{run.font} {run.size_pt} Tf {x_mm * _POINTS_PER_MM:.2f} {y_mm * _POINTS_PER_MM:.2f} Td ({text}) Tj ET"


def _image(layout: Layout, box: Box, name: str) -> str:
    width, height = box.width_mm * _POINTS_PER_MM, box.height_mm * _POINTS_PER_MM
    low_mm = layout.card.height_mm - box.y_mm - box.height_mm
    return f"q {width:.2f} 0 0 {height:.2f} {box.x_mm * _POINTS_PER_MM:.2f} {low_mm * _POINTS_PER_MM:.2f} cm /{name} Do Q"


def _image_keys(picture: Image.Image, packing: str) -> str:
    space = "DeviceGray" if picture.mode == "L" else "DeviceRGB"
    return (f"/Type /XObject /Subtype /Image /Width {picture.width} /Height {picture.height} /BitsPerComponent 8 "
            f"/ColorSpace /{space} /Filter /{packing} ")  # fmt: skip


def _stream(keys: str, data: bytes) -> bytes:
    return f"<< {keys}/Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def _file(objects: Sequence[bytes]) -> bytes:
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    rows = "".join(f"{place:010} 00000 n \n" for place in places)
    table = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{rows}trailer << /Size {len(objects) + 1} /Root 1 0 R >>\n"
    return body + table.encode() + f"startxref\n{len(body)}\n%%EOF\n".encode()
