"""Images are refused from the outside, before anything decodes them."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from controller.records.images import image_problem
from tests.unit.records.samples import photo_bytes, signature_bytes

JPEG, PNG = photo_bytes(), signature_bytes()


def code(content: bytes, media_type: str = "image/jpeg", least_pixels: int = 10) -> str | None:
    problem = image_problem(content, media_type, "photo.data", least_pixels=least_pixels)
    assert problem is None or problem.place == "photo.data"
    return problem.code if problem else None


def drawn(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    out = BytesIO()
    Image.new(mode, (120, 180), 128 if mode == "L" else None).save(out, kind, **options)
    return out.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 10}, {"restart_marker_rows": 1}])
def test_ordinary_jpegs_are_taken(options: dict[str, Any]) -> None:
    assert code(drawn("JPEG", **options)) is None
    assert code(drawn("JPEG", "L", **options)) is None


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P"])
def test_ordinary_pngs_are_taken(mode: str) -> None:
    assert code(drawn("PNG", mode), "image/png") is None


def test_image_of_0_bytes_is_refused() -> None:
    assert code(b"") == "image.empty"


@pytest.mark.parametrize("content", [b"GIF89a", b"<svg/>", PNG, b"\xff\xd8\x00"])
def test_other_content_than_declared_is_refused(content: bytes) -> None:
    assert code(content) == "image.kind"


def test_jpeg_declared_as_png_is_refused_by_name() -> None:
    problem = image_problem(JPEG, "image/png", "signature.data", least_pixels=1)
    assert problem is not None
    assert problem.en == "The content is not image/png; save the image again at the centre."


@pytest.mark.parametrize("keep", [1, 3, 20, 200, len(JPEG) // 2, len(JPEG) - 2, len(JPEG) - 1])
def test_cut_jpeg_is_refused(keep: int) -> None:
    assert code(JPEG[:keep]) == "image.truncated"


@pytest.mark.parametrize("keep", [1, 8, 12, 20, 33, len(PNG) // 2, len(PNG) - 12, len(PNG) - 1])
def test_cut_png_is_refused(keep: int) -> None:
    assert code(PNG[:keep], "image/png") == "image.truncated"


@pytest.mark.parametrize(("content", "media_type"), [(JPEG, "image/jpeg"), (PNG, "image/png")])
def test_something_behind_the_image_is_refused(content: bytes, media_type: str) -> None:
    assert code(content + b"\0", media_type) == "image.trailing"
    assert code(content + content, media_type) == "image.trailing"


@pytest.mark.parametrize("size", [(2001, 2000), (4_000_001, 1), (50_000, 50_000), (2**31 - 1, 2**31 - 1)])
def test_image_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    assert code(png_claiming(*size), "image/png") == "image.too_many_pixels"


def test_jpeg_bomb_is_refused_by_its_header() -> None:
    start = JPEG.index(b"\xff\xc0") + 5
    bomb = JPEG[:start] + b"\xff\xff\xff\xff" + JPEG[start + 4 :]
    assert code(bomb) == "image.too_many_pixels"


@pytest.mark.parametrize("size", [(2000, 2000), (100, 100)])
def test_sizes_at_the_limits_are_taken(size: tuple[int, int]) -> None:
    assert code(png_claiming(*size), "image/png", least_pixels=100) is None


@pytest.mark.parametrize("size", [(99, 600), (600, 99), (0, 100)])
def test_too_small_images_are_refused(size: tuple[int, int]) -> None:
    assert code(png_claiming(*size), "image/png", least_pixels=100) == "image.too_few_pixels"


@pytest.mark.parametrize("content", [b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xc0\x00\x04\x08\x00"])
def test_jpeg_without_a_whole_frame_is_refused(content: bytes) -> None:
    assert code(content) == "image.truncated"


def test_fill_bytes_between_jpeg_segments_are_skipped() -> None:
    assert code(JPEG[:2] + b"\xff" + JPEG[2:]) is None


def test_cmyk_jpeg_is_refused() -> None:
    assert code(drawn("JPEG", "CMYK")) == "image.coding"


@pytest.mark.parametrize("marker", [0xC3, 0xC9, 0xCF])
def test_rare_jpeg_codings_are_refused(marker: int) -> None:
    assert code(JPEG.replace(b"\xff\xc0", bytes([0xFF, marker]), 1)) == "image.coding"


def test_jpeg_with_two_frames_is_refused() -> None:
    start = JPEG.index(b"\xff\xc0")
    frame = JPEG[start : start + 2 + int.from_bytes(JPEG[start + 2 : start + 4], "big")]
    assert code(JPEG[:start] + frame + JPEG[start:]) == "image.coding"


def test_bytes_between_jpeg_segments_are_refused() -> None:
    assert code(JPEG[:2] + b"\0" + JPEG[2:]) == "image.kind"
    second = 4 + int.from_bytes(JPEG[4:6], "big")
    assert code(JPEG[:second] + b"\0" + JPEG[second:]) == "image.coding"


def test_png_that_starts_with_another_chunk_is_refused() -> None:
    assert code(PNG.replace(b"IHDR", b"IDAT", 1), "image/png") == "image.kind"
