"""The print jobs of printers.md 4.6, played against the simulated printers and decoded to the dots on the card."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwsim.dots import picture
from hwsim.world import Printed, Spot
from tests.unit.hwsim.magicard_bench import MagicardBench

HERE = Path(__file__).parent
_WORD = re.compile(r'"([^"]*)"|\[(\d+)x([0-9A-F]{2})]|([0-9A-F]{2})')


def sent(name: str) -> bytes:
    """All that the host sends."""
    lines = (HERE / f"{name}.txt").read_text(encoding="ascii").splitlines()
    words = (word for line in lines if line[0] == ">" for word in _WORD.finditer(line[1:]))
    return b"".join(
        word[1].encode() if word[1] is not None else bytes.fromhex(word[3] or word[4]) * int(word[2] or 1) for word in words
    )


async def card(name: str, model: str) -> list[Printed]:
    """What is on the card."""
    async with MagicardBench(2, model).on() as bench:
        await bench.send(sent(name))
        await bench.free()
        assert (bench.status(), bench.count(Spot.OUTPUT), bench.count(Spot.HOPPER)) == (0x18, 1, 1)
        return bench.world.blank("blank-00001").printed


def inked(printed: Printed) -> dict[tuple[int, int], int]:
    """Row and column of every dot that is not 0, with its value."""
    dots: Any = picture(printed)
    return {(int(row), int(column)): int(dots[row, column]) for row, column in np.argwhere(dots)}


@pytest.mark.parametrize(("name", "total"), [("magicard_enduro", 12 + 1_853_474), ("magicard_alto", 1_728_223)])
def test_the_jobs_have_the_length_of_the_real_ones(name: str, total: int) -> None:
    assert len(sent(name)) == total


async def test_the_dots_of_the_enduro_job_are_where_the_facts_say() -> None:
    y, m, c, k, o = await card("magicard_enduro", "magicard-enduro")
    assert [inked(panel) for panel in (y, m, c, k)] == [{(641, 0): 63}, {(0, 1015): 63}, {}, {(641, 0): 1, (0, 1015): 1}]
    assert (o.dots, len(inked(o))) == (b"OVRON,PCT0,0,1015,641", 642 * 1016)


async def test_the_alto_job_has_no_black_and_its_bits_are_mirrored() -> None:
    y, m, c, o = await card("magicard_alto", "magicard-alto")
    assert [inked(panel) for panel in (y, m, c)] == [{(641, 0): 63}, {(0, 999): 63}, {}]
    assert (o.panel, len(inked(o))) == ("o", 642 * 1000)


async def test_a_job_for_the_other_head_is_decoded_by_its_own_key() -> None:
    y, *_ = await card("magicard_alto", "magicard-enduro")
    assert inked(y) == {(641, 0): 63}
