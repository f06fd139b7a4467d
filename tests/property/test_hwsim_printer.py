"""Properties of the simulated printer: how bytes are cut does not matter, and no command stream makes or loses a blank."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.devices.evolis_panels import BadPanel, Geometry, decompress
from hwsim.devices.evolis_parser import EvolisParser
from hwsim.report import totals_json
from hwsim.world import Printed
from tests.unit.hwsim.printer_bench import PROFILE, Bench

SMALL = Geometry(width_dots=16, height_lines=4)
SMALL_PROFILE = replace(
    PROFILE, width_dots=SMALL.width_dots, height_lines=SMALL.height_lines, power_on_host_errors=True, power_on_ejects=False
)
BLANKS = 4

_PLAIN = ("Rok", "Rlr;p", "Rco;p", "Rco;c", "Rrt;count", "Pneab;E", "Pneab;A;0", "Pr;ymcko", "Pr;k", "Ss", "Sr", "Sv",
          "Sp;k", "Sp;y", "Se", "Si", "Sic", "Sis", "Sie", "Sib", "Ser", "Seb", "Scs", "Wcb;o;255", "Wcb;k", "Zz",
          "Pem;2", "Rem")  # fmt: skip
_DOWNLOADS = (
    b"Db;k;2;\r\x1b\0;5678\r",
    b"Db;y;128;" + bytes(range(56)) + b"\0\r",
    b"Dbc;o;2;5;\x00\xff\x01\xc0\x00\r",
    b"Dbc;k;2;2;ab\r",
    b"Dbp;k;2;1;2;abcd\r",
    b"Db;q;2;junk\r",
)
commands = st.one_of(st.sampled_from(_PLAIN).map(lambda text: b"\x1b" + text.encode() + b"\r"), st.sampled_from(_DOWNLOADS))
streams = st.lists(commands, max_size=12)
garbage = st.binary(max_size=80)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data cut at these places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


async def played(chunks: list[bytes]) -> tuple[bytes, dict[str, int], list[list[Printed]], list[str]]:
    """All that can be seen after the chunks were sent: replies, places, prints, and what cards touched."""
    async with Bench(BLANKS, profile=SMALL_PROFILE).on() as bench:
        for chunk in chunks:
            async with asyncio.timeout(2):
                await bench.printer.bulk_out(1, chunk)
        while await bench.status() != 0x18:
            await asyncio.sleep(0)
        await bench.machine.press.at_rest()
        replies = b"".join(bench.printer.replies._packets)
        printed = [blank.printed for blank in bench.world.all()]
        return replies, totals_json(bench.world), printed, bench.notes.lines


@settings(max_examples=150, deadline=None)
@given(streams, st.lists(st.integers(min_value=0), max_size=30))
def test_any_split_of_a_stream_gives_the_same_replies_and_the_same_world(stream: list[bytes], cuts: list[int]) -> None:
    data = b"".join(stream)
    assert asyncio.run(played(pieces(data, cuts))) == asyncio.run(played([data]))


@settings(max_examples=150, deadline=None)
@given(streams)
def test_every_command_gets_exactly_one_reply(stream: list[bytes]) -> None:
    replies, *_ = asyncio.run(played(stream))
    assert replies.count(b"\0") == len(stream)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(commands, garbage), max_size=15))
def test_blanks_are_conserved_whatever_is_sent(stream: list[bytes]) -> None:
    _, totals, _, notes = asyncio.run(played(stream))
    assert sum(totals.values()) == 2 * BLANKS  # every place, and "all"
    assert totals["all"] == BLANKS
    assert notes.count("exit_beam") == totals["output"]
    assert notes.count("feed_beam") == BLANKS - totals["hopper"]


@given(st.lists(garbage, max_size=10))
def test_the_parser_takes_anything(chunks: list[bytes]) -> None:
    parser, whole = EvolisParser(SMALL), EvolisParser(SMALL)
    assert [command for chunk in chunks for command in parser.feed(chunk)] == whole.feed(b"".join(chunks))


@given(st.binary(max_size=200), st.sampled_from([2, 32, 64, 128]))
def test_compressed_data_makes_one_panel_or_is_refused(data: bytes, levels: int) -> None:
    try:
        panel = decompress(data, levels, SMALL)
    except BadPanel:
        return
    assert len(panel) == SMALL.panel_bytes(levels)
