"""A Magicard job's marks, overcoat and planes; the whole bytes are goldens in tests/golden/magicard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.errors import RenderError
from controller.hal.magicard.job import blocks, check_panels, job_blocks, marks
from controller.hal.magicard.shift import dots_for, move
from controller.hal.profiles.printer import MagicardProfile, find_profile
from controller.model import Panel
from tests.fakes.magicard_usb import PROFILES, panels_for, tiny_profile

TINY = tiny_profile()
O = b"OVRON,PCT0,0,3,641"  # noqa: E741 - the panel's name


def shipped(name: str) -> MagicardProfile:
    profile = find_profile(PROFILES, name)
    assert isinstance(profile, MagicardProfile)
    return profile


@pytest.mark.parametrize(
    ("name", "window", "sizes"),
    [
        ("magicard-enduro", "XCO0,YCO0,WID1016,HGT642", "SZB585216,SZG585216,SZR585216,SZK97536"),
        ("magicard-alto", "XCO0,YCO0,WID1000,HGT642", "SZB576000,SZG576000,SZR576000,SZK96000"),
    ],
)
def test_the_marks_are_filled_from_profile_and_panels(name: str, window: str, sizes: str) -> None:
    profile = shipped(name)
    panels = panels_for(profile)
    assert marks(profile, panels, 0x5362BAB5) == {
        "@time": "TDT5362BAB5", "@planes": "IMFBGRK", "@window": window, "@overcoat": panels[-1].data.decode(),
        "@ribbon": "LC1", "@sizes": sizes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ribbon", "planes", "overcoat", "command"), [("k", "IMFK", "OVROFF", "LC3"), ("ko", "IMFK", O.decode(), "LC6")]
)
def test_a_ribbon_without_colour_sends_no_colour(ribbon: str, planes: str, overcoat: str, command: str) -> None:
    profile = TINY.with_ribbon(ribbon)
    filled = marks(profile, panels_for(profile), 0)
    assert (filled["@planes"], filled["@overcoat"], filled["@ribbon"]) == (planes, overcoat, command)
    assert filled["@sizes"] == "SZK384"


@pytest.mark.parametrize(("unix_s", "text"), [(-1, "TDT00000000"), (0, "TDT00000000"), (2**33, "TDTFFFFFFFF")])
def test_the_time_always_has_eight_digits(unix_s: int, text: str) -> None:
    assert marks(TINY, panels_for(TINY), unix_s)["@time"] == text


def test_the_header_has_the_keys_of_the_profile_in_their_order() -> None:
    job = b"".join(job_blocks(TINY, panels_for(TINY), 0, 50))
    head = job[64:].partition(b"\x1c")[0].decode()
    assert head == (
        "\x01,NOC1,VER1.0-,LANENG,TDT00000000,RSPDEF,COEH,KGE2,DPXOFF,PAG1,IMFBGRK,XCO0,YCO0,WID4,HGT642,OVRON,PCT0,0,3,641,"
        "NNNOFF,USFOFF,HFDON,LC1,SZB2304,SZG2304,SZR2304,SZK384"
    )


@pytest.mark.parametrize("overcoat", [O, O + b",NCT0,0,0,0", O + b",NCT1,295,2,450,NCT0,0,3,641"])
def test_an_overcoat_may_have_two_holes(overcoat: bytes) -> None:
    panels = panels_for(TINY)
    panels[-1] = replace(panels[-1], data=overcoat)
    check_panels(panels, TINY.raster_for("ymcko"))
    assert overcoat in b"".join(job_blocks(TINY, panels, 0, 50))


@pytest.mark.parametrize(
    "overcoat",
    [
        b"", b"OVROFF", b"OVRON", O + b",", O + b"\x1c", O + b",NCT0,0,4,0", O + b",NCT0,0,0,642", O + b",NCT2,0,1,0",
        O + b",NCT0,0,0,0" * 3, b"OVRON,PCT0,0,4,641", b"OVRON,PCT-1,0,3,641", O + b",HFDOFF", b"\xff" * 20, O * 2,
    ],
)  # fmt: skip
def test_an_overcoat_that_is_not_such_keys_is_refused(overcoat: bytes) -> None:
    panels = panels_for(TINY)
    panels[-1] = replace(panels[-1], data=overcoat)
    with pytest.raises(RenderError, match="panels: the overcoat's area is not written in keys that the printer knows"):
        check_panels(panels, TINY.raster_for("ymcko"))


def test_panels_of_another_ribbon_are_refused_with_both_shapes() -> None:
    with pytest.raises(RenderError, match=r"\('k', 2, 384, 'front'\).* do not fit the printer .*\('y', 64, 2304, 'front'\)"):
        check_panels(panels_for(TINY.with_ribbon("ko")), TINY.raster_for("ymcko"))


@pytest.mark.parametrize("size", [1, 7, 64, 65_536])
def test_blocks_are_the_same_bytes_and_only_the_last_is_short(size: int) -> None:
    parts = [b"", b"a" * 63, b"b" * 200, b"", b"c"]
    made = list(blocks(parts, size))
    assert b"".join(made) == b"".join(parts)
    assert [len(block) for block in made[:-1]] == [size] * (len(made) - 1)
    assert 0 < len(made[-1]) <= size


def test_no_block_is_made_before_it_is_due() -> None:
    taken: list[str] = []

    def parts() -> object:
        for name in "abc":
            taken.append(name)
            yield name.encode() * 64

    made = blocks(parts(), 64)  # type: ignore[arg-type]  # a generator of bytes
    next(made)
    assert taken == ["a"]


@pytest.mark.parametrize(("position", "dots"), [(50, 0), (49, 1), (53, -3), (35, 15), (20, 15), (65, -15), (99, -15)])
def test_a_head_that_stands_lower_moves_the_picture_up_and_not_off_the_head(position: int, dots: int) -> None:
    assert dots_for(position) == dots


def test_a_panel_at_the_usual_head_position_is_sent_as_it_is() -> None:
    job = b"".join(job_blocks(TINY, panels_for(TINY), 0, 50))
    assert b"y" * 2304 in job


@pytest.mark.parametrize(("data", "packing"), [(bytes(95), "kge2"), (bytes(96), "kee"), (bytes(97), "kge")])
def test_what_is_no_plane_is_not_moved(data: bytes, packing: str) -> None:
    with pytest.raises(ValueError, match="are no planes"):
        move(data, packing, 1)


def test_a_panel_is_not_copied_whole() -> None:
    panels = [Panel("k", 2, b"k" * 384)]
    assert len(list(job_blocks(TINY.with_ribbon("k"), panels, 0, 50))) == 1
