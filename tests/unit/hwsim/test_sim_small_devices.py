"""Display, pins, front panel and the tricks that are played with replies."""

from __future__ import annotations

import asyncio

import pytest

from hwsim.clock import Clock
from hwsim.config import LANE_PINS, PANEL_PINS
from hwsim.devices.display import Display
from hwsim.devices.pins import FrontPanel, LaneSensors
from hwsim.devices.replies import ReplyTricks, Trick
from hwsim.errors import SimError
from hwsim.wires.pigpiod import PinBank

LANE = {name: pin for pin, name in enumerate(LANE_PINS)}
PANEL = {name: pin for pin, name in enumerate(PANEL_PINS, 10)}


@pytest.mark.parametrize(
    ("data", "first", "second"),
    [
        (b"HALO", "HALO", ""),
        (b"A\n\rB", "A", "B"),
        (b"\x1f\x24\x03\x02X", "", "  X"),
        (b"old\x0cnew", "new", ""),
        (b"old\x0bn", "nld", ""),
        (b"x" * 25, "x" * 20, "x" * 5),
        (b"x" * 40 + b"y", "y" + "x" * 19, "x" * 20),
        (b"old\x1b\x40new", "new", ""),
        (b"A\x1b\x74B\x1f\x01C", "ABC", ""),
        (b"AB\x08C\x09D", "AC D", ""),
        (b"\x1f\x24\x15\x01Z", "Z", ""),
        (b"\xff", "\N{REPLACEMENT CHARACTER}", ""),
    ],
)
def test_what_the_display_shows(data: bytes, first: str, second: str) -> None:
    display = Display()
    for byte in data:
        display.feed(bytes([byte]))
    assert tuple(line.rstrip() for line in display.lines) == (first, second)


def test_contacts_to_ground_read_0_when_it_is_so() -> None:
    bank = PinBank()
    sensors = LaneSensors(bank, LANE, Clock(None))
    before = [bank.level(pin) for pin in LANE.values()]
    sensors.show("hopper_low", so=True)
    assert (before, bank.level(LANE["hopper_low"])) == ([1] * 6, 0)


async def test_a_card_in_a_beam_makes_two_edges_even_at_full_speed() -> None:
    bank, reports = PinBank(), []
    bank.on_report = lambda _tick, levels: reports.append(levels >> LANE["exit_beam"] & 1)
    sensors = LaneSensors(bank, LANE, Clock(None))
    reports.clear()
    passing = asyncio.create_task(sensors.pass_beam("exit_beam", 0.2))
    await asyncio.sleep(0)
    assert reports == [0]
    await passing
    assert reports == [0, 1]


async def test_a_pressed_button_reads_0_while_it_is_held() -> None:
    bank = PinBank()
    panel = FrontPanel(bank, PANEL, lambda: 0.0)
    pressing = asyncio.create_task(panel.press("go", 0.01))
    await asyncio.sleep(0)
    held = bank.level(PANEL["go"])
    await pressing
    assert (held, bank.level(PANEL["go"])) == (0, 1)


async def test_an_unknown_button_is_named() -> None:
    with pytest.raises(SimError, match="no button 'stop'; there are: go, hold"):
        await FrontPanel(PinBank(), PANEL, lambda: 0.0).press("stop", 0)


def test_lamps_follow_the_station_and_keep_their_changes() -> None:
    bank = PinBank()
    panel = FrontPanel(bank, PANEL, lambda: 7.0)
    for level in (1, 1, 0):
        bank.write(PANEL["amber"], level)
    bank.write(PANEL["green"], 1)
    assert panel.lamps == {"green": True, "amber": False, "red": False}
    assert [(c.lamp, c.lit) for c in panel.history] == [("amber", True), ("amber", False), ("green", True)]


async def packets(replies: ReplyTricks, count: int) -> list[bytes]:
    return [replies.take(64) for _ in range(count) if await replies.wait()]


async def send(*tricks: Trick) -> ReplyTricks:
    """The replies OK and 187, after the tricks."""
    replies = ReplyTricks()
    replies.tricks.extend(tricks)
    for text in (b"OK\0", b"187\0"):
        await replies.send(text, "Rok")
    return replies


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("merged", [b"OK\x00187\0"]),
        ("split", [b"O", b"K", b"\0", b"187\0"]),
        ("lost", [b"187\0"]),
        ("wrong", [b"NO\0", b"187\0"]),
        ("garbled", [b"Z^\0", b"187\0"]),
        ("late", [b"OK\0", b"187\0"]),
    ],
)
async def test_each_trick_happens_to_one_reply(kind: str, seen: list[bytes]) -> None:
    replies = await send(Trick(kind, seconds=0.001, text="NO"))
    assert await packets(replies, len(seen)) == seen


async def test_a_short_read_takes_a_part_and_leaves_the_rest() -> None:
    replies = await send()
    assert [replies.take(2), replies.take(2)] == [b"OK", b"\0"]


async def test_flushed_replies_are_gone() -> None:
    replies = await send()
    replies.flush()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await replies.wait()
