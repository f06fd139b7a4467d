"""Our encoder makes the vendor drivers' jobs byte for byte when it is given their keys, time and planes."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.hal.magicard.job import blocks, job_head, marks, pieces
from controller.hal.profiles.printer import MagicardProfile, find_profile
from controller.model import Panel
from tests.fakes.magicard_usb import PROFILES

LINES = [line for line in (Path(__file__).parent / "jobs.txt").read_text(encoding="ascii").splitlines() if line[0] != "#"]
JOBS = {sizes.split()[0]: (sizes.split()[1:], keys) for sizes, keys in zip(LINES[::2], LINES[1::2], strict=True)}
LETTERS = {"y": b"\x1cB:", "m": b"\x1cG:", "c": b"\x1cR:", "k": b"\x1cK:"}
TIMES = {"enduro": 0x5362BAB5, "alto": 0x5362E668}
# The trace's keys with our marks in the places of those that we fill in.
KEYS = {
    "enduro": "NOC1 VER1.0- LANENG @time RSPDEF COEH KGE2 DPXOFF PAG1 @planes @window OVRON NNNOFF USFON HKT1 CKION HKMFFFFFF "
    "TRO0 PCT0,0,1015,641 ICC3 CPW50 DDD50 @sizes",
    "alto": "NOC1 VER1.7.2.0 LANDEU @time KGE PAG1 IMFBGRK @window OVRON NNNOFF USFOFF PCT0,0,999,641 ICC1 @sizes",
}


def profile_of(name: str) -> MagicardProfile:
    profile = find_profile(PROFILES, f"magicard-{name}")
    assert isinstance(profile, MagicardProfile)
    return profile


def panels_of(name: str) -> list[Panel]:
    return [Panel(letter, 64, letter.encode() * int(size)) for letter, size in zip("ymck", JOBS[name][0][1:], strict=False)]


@pytest.mark.parametrize("name", JOBS)
def test_the_header_of_the_trace_is_made_from_its_keys_and_time(name: str) -> None:
    filled = marks(profile_of(name), panels_of(name), TIMES[name])
    assert job_head(KEYS[name].split(), filled) == b"," + JOBS[name][1].encode("ascii")


@pytest.mark.parametrize("name", JOBS)
def test_the_whole_job_of_the_trace_is_made_byte_for_byte(name: str) -> None:
    (total, *_), keys = JOBS[name]
    panels = panels_of(name)
    head = job_head(KEYS[name].split(), marks(profile_of(name), panels, TIMES[name]))
    job = b"".join(blocks(pieces(64, head, panels)))
    planes = b"".join(panel.data + LETTERS[panel.name] for panel in panels)
    assert job == b"\x05" * 64 + b"\x01," + keys.encode("ascii") + b"\x1c" + planes + b"\x03"
    assert len(job) == int(total)


def test_the_header_of_the_enduro_trace_has_210_characters() -> None:
    assert len(JOBS["enduro"][1]) == 210
