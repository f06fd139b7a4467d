"""Pictures from strangers: what is whole and small enough is decoded, everything else is a problem with a place."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from controller.cards.images import Source, harden_decoders, open_picture
from controller.errors import RenderError
from tests.golden.cards.sample import portrait, signature

PHOTO = Source("photo.data", ("JPEG",), 200_000, 100, 100)
INK = Source("signature.data", ("PNG", "JPEG"), 50_000, 10, 10)


@pytest.fixture(autouse=True)
def hardened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)  # put back afterwards
    harden_decoders()


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that unpacks to `width` x `height` bytes of zero."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    parts += [(b"IDAT", zlib.compress(bytes((width + 1) * height), 9)), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_a_whole_photo_and_signature_are_taken() -> None:
    assert open_picture(portrait(), PHOTO).size == (480, 640)
    assert open_picture(signature(), INK).size == (360, 150)


def test_a_photo_may_come_smaller_when_the_box_is_small() -> None:
    assert open_picture(portrait(), PHOTO, (213, 283)).size == (240, 320)


def test_a_photo_is_turned_upright_as_its_header_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    assert open_picture(saved(Image.new("RGB", (300, 200)), "JPEG", exif=exif), PHOTO).size == (200, 300)


@pytest.mark.parametrize(
    ("data", "source", "message"),
    [
        (b"", PHOTO, "photo.data: the image is empty"),
        (portrait()[:-4000], PHOTO, "photo.data: the image is damaged or not JPEG"),
        (portrait()[:200], PHOTO, "photo.data: the image is damaged or not JPEG"),
        (signature(), PHOTO, "photo.data: the image is damaged or not JPEG"),
        (signature()[:-100], INK, "signature.data: the image is damaged or not PNG/JPEG"),
        (b"GIF89a" + bytes(50), INK, "signature.data: the image is damaged or not PNG/JPEG"),
        (b"\xff\xd8\xff" + bytes(900), INK, "signature.data: the image is damaged"),
        (bomb(2001, 2000), INK, "signature.data: the image has more than 4000000 pixels"),
        (bomb(9000, 9000)[:40_000], INK, "signature.data: the image has more than 4000000 pixels"),
        (bomb(5, 50), INK, "the image is 5 x 50 pixels, the least is 10 x 10"),
        (bytes(50_001), INK, "signature.data: the image has more than 50000 bytes"),
    ],
)
def test_anything_else_is_a_problem_with_its_place(data: bytes, source: Source, message: str) -> None:
    with pytest.raises(RenderError) as raised:
        open_picture(data, source)
    assert message in str(raised.value)
