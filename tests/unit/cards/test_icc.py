"""The look at an ICC file before the station starts."""

from pathlib import Path

import pytest

from controller.cards.icc import MAX_ICC_BYTES, read_icc
from controller.errors import ConfigError
from tests.unit.cards.icc_maker import cmyk, srgb

GOOD = cmyk()


@pytest.mark.parametrize("profile", [GOOD, srgb()])
def test_a_printers_profile_is_read(tmp_path: Path, profile: bytes) -> None:
    (tmp_path / "a.icc").write_bytes(profile)
    assert read_icc(tmp_path / "a.icc") == profile


@pytest.mark.parametrize(
    ("profile", "why"),
    [
        (b"", "is no ICC profile"),
        (b"GIF89a" * 100, "is no ICC profile"),
        (GOOD[:-1], "is cut short or damaged"),
        (GOOD + b"\0", "is cut short or damaged"),
        (GOOD.replace(b"prtr", b"scnr"), "is no printer's profile"),
        (GOOD.replace(b"CMYK", b"GRAY"), "has a colour space that is neither CMYK nor RGB"),
        (GOOD.replace(b"B2A0", b"B2A9"), "has no table to the printer's colours"),
        (GOOD[:128] + b"\xff\xff\xff\xff" + GOOD[132:], "its table of contents makes no sense"),
        (GOOD[:128] + b"\0\0\0\x64" + GOOD[132:], "its table of contents makes no sense"),
        (GOOD[:140] + b"\x7f\xff\xff\xff" + GOOD[144:], "its table of contents makes no sense"),
        (bytes(MAX_ICC_BYTES + 1), f"has more than {MAX_ICC_BYTES} bytes"),
    ],
)
def test_anything_else_is_refused_with_its_reason(tmp_path: Path, profile: bytes, why: str) -> None:
    (tmp_path / "a.icc").write_bytes(profile)
    with pytest.raises(ConfigError, match=why) as raised:
        read_icc(tmp_path / "a.icc", "lanes[0].printer.icc")
    assert raised.value.problems[0].place == "lanes[0].printer.icc"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.icc: cannot be read \(No such file or directory\)"):
        read_icc(tmp_path / "none.icc")
