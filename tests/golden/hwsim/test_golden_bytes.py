"""The byte sequences of printers.md 3.11, played against the simulated printer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwsim.devices.evolis_panels import Geometry, decompress
from hwsim.devices.parts import fitted_ribbon
from hwsim.world import Spot
from tests.unit.hwsim.printer_bench import PROFILE, Bench

HERE = Path(__file__).parent
RIBBONS = {"one_card": ("ymcko", 187), "windows_job": ("k", 1000)}


def exchanges(name: str) -> Iterator[tuple[bytes, bytes]]:
    """Each command with its reply."""
    lines = [line for line in (HERE / f"{name}.txt").read_text(encoding="ascii").splitlines() if line[0] in "<>"]
    for sent, answered in zip(lines[::2], lines[1::2], strict=True):
        yield as_bytes(sent[1:]), as_bytes(answered[1:])


def as_bytes(line: str) -> bytes:
    """Hex bytes, with [NxBB] for N times the byte BB."""
    words = (re.fullmatch(r"(?:\[(\d+)x)?([0-9A-F]{2})]?", word) for word in line.split())
    return b"".join(bytes.fromhex(word[2]) * int(word[1] or 1) for word in words if word is not None)


@pytest.mark.parametrize("name", RIBBONS)
async def test_each_command_gets_its_reply_and_one_card_comes_out(name: str) -> None:
    async with Bench(2).on() as bench:
        bench.mechanics.ribbon = fitted_ribbon(PROFILE, *RIBBONS[name])
        for command, reply in exchanges(name):
            assert await bench.ask_raw(command) + "\0" == reply.decode("latin-1"), command[:20]
        assert (bench.count(Spot.OUTPUT), bench.count(Spot.HOPPER)) == (1, 1)


async def test_the_card_of_the_complete_job_has_all_five_panels() -> None:
    async with Bench(1).on() as bench:
        bench.mechanics.ribbon = fitted_ribbon(PROFILE, *RIBBONS["one_card"])
        for command, _reply in exchanges("one_card"):
            await bench.ask_raw(command)
        assert bench.printed() == ["fy", "fm", "fc", "fk", "fo"]
        assert [len(one.dots or b"") for one in bench.world.blank("blank-00001").printed] == [576_072] * 3 + [82_296] * 2


def test_the_command_lengths_are_those_of_the_capture() -> None:
    lengths = [len(command) - command.startswith(b"\x1b") for command, _ in exchanges("one_card") if b"Db;" in command[:4]]
    assert lengths == [576_082] * 3 + [82_304] * 2  # 3.11 counts the ESC: 576 083 and 82 305


def test_the_tiny_compressed_vector() -> None:
    dots = decompress(bytes.fromhex("00FF01C0") + bytes(1013), 2, Geometry())
    assert dots == bytes(81) + b"\xff" * 81 + b"\xc0" + bytes(82_296 - 163)
