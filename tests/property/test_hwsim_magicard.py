"""Properties of the simulated Magicard: how bytes are cut does not matter, garbage does no harm, blanks are conserved."""

from __future__ import annotations

import asyncio
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.devices.magicard_job import Job
from hwsim.devices.magicard_parser import Event, MagicardParser
from hwsim.report import totals_json
from tests.unit.hwsim.magicard_bench import MagicardBench, page, request

BLANKS = 3
messages = st.sampled_from(
    [
        page("OVROFF", k=b"\x81" * 960),
        bytes(64 * [5]) + page("KGE2,OVRON,PCT0,0,1015,641", y=b"\x01\x03\x1c" * 192, k=bytes(96)),
        page("DPXON,PAG1", k=bytes(96)) + page("PAG2", k=b"\xff" * 96),
        *(request(text) for text in ("ERR", "INF", "OKY", "CAN", "STA,MSR", "NONSENSE")),
        b"\x05\x05\x01SNR1\x1c\x03",
    ]
)
garbage = st.binary(max_size=60)
streams = st.lists(messages, max_size=8)


def events(chunks: list[bytes]) -> list[Event]:
    """All that a parser makes of them."""
    parser, found = MagicardParser(), list[Event]()
    for chunk in chunks:
        rest = memoryview(chunk)
        while len(rest):
            used, event = parser.take(rest)
            rest = rest[used:]
            found += [] if event is None else [event]
    return found


@given(streams, st.lists(st.integers(min_value=0), max_size=20))
def test_any_split_of_a_stream_is_the_same_messages(stream: list[bytes], cuts: list[int]) -> None:
    data = b"".join(stream)
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    assert events([data[start:end] for start, end in itertools.pairwise(places)]) == events([data])
    assert len(events([data])) == len(stream)


@given(st.lists(garbage, max_size=10))
def test_the_parser_takes_anything(chunks: list[bytes]) -> None:
    assert events(chunks) == events([b"".join(chunks)])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(messages, garbage), max_size=10))
def test_blanks_are_conserved_whatever_is_sent(stream: list[bytes]) -> None:
    assert asyncio.run(_totals(stream))["all"] == BLANKS


async def _totals(stream: list[bytes]) -> dict[str, int]:
    async with MagicardBench(BLANKS).on() as bench:
        for data in stream:
            sending = asyncio.create_task(bench.printer.bulk_out(1, data))
            while not sending.done():
                bench.machine.answer("CAN")
                await asyncio.sleep(0)
            await sending
        return totals_json(bench.world)


@given(st.binary(max_size=400))
def test_a_plane_may_hold_any_bytes(plane: bytes) -> None:
    (job,) = events([page("OVROFF", y=plane or b"\0")])
    assert isinstance(job, Job)
    assert job.front.planes == {"y": plane or b"\0"}
