"""The simulator's pigpiod under stock gpiozero with its PiGPIOFactory: buttons, bounce, beams, lamps, pull-ups.

No fixture hands out a gpiozero device itself: its `repr` asks the server, and asyncio makes one of every fixture's result, in the
very thread that would have to answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from gpiozero import LED, Button, DigitalInputDevice
from gpiozero.pins.pigpio import PiGPIOFactory

from hwsim.wires.pigpiod import PigpiodServer, PinBank

GO, LAMP, BEAM = 17, 5, 22
BOUNCE_S = 0.03
PATIENCE_S = 5.0


class Bench:
    """A bank of pins, a gpiozero factory on it, and what gpiozero's callbacks said."""

    def __init__(self, bank: PinBank, factory: Any) -> None:
        self.bank = bank
        self.factory = factory
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._devices: list[Any] = []

    async def make(self, kind: Callable[..., Any], pin: int, **options: Any) -> Any:
        """A gpiozero device; its constructor blocks, so it runs in a thread as in the station."""
        device = await asyncio.to_thread(kind, pin, pin_factory=self.factory, **options)
        self._devices.append(device)
        return device

    def hear(self, word: str) -> Callable[[], None]:
        def say() -> None:
            self._loop.call_soon_threadsafe(self.heard.put_nowait, word)

        return say

    async def next(self) -> str:
        async with asyncio.timeout(PATIENCE_S):
            return await self.heard.get()

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        notify = self.factory.connection._notify
        for device in self._devices:
            device.close()
        self.factory.close()
        notify.join()


@pytest.fixture
async def server() -> AsyncIterator[PigpiodServer]:
    server = PigpiodServer("127.0.0.1", 0, PinBank())
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def bench(server: PigpiodServer) -> AsyncIterator[Bench]:
    bench = Bench(server._bank, await asyncio.to_thread(PiGPIOFactory, "127.0.0.1", server.port))
    yield bench
    await bench.close()


@pytest.fixture
async def button(bench: Bench) -> None:
    button = await bench.make(Button, GO, bounce_time=BOUNCE_S, hold_time=0.1)
    button.when_pressed, button.when_released, button.when_held = bench.hear("down"), bench.hear("up"), bench.hear("held")


async def pause(seconds: float) -> None:
    """Real time passes: the filter under test works in it."""
    await asyncio.sleep(seconds)


async def test_a_button_rests_on_its_pull_up(bench: Bench) -> None:
    button = await bench.make(Button, GO)
    assert (bench.bank.level(GO), await asyncio.to_thread(lambda: button.is_pressed)) == (1, False)


@pytest.mark.usefixtures("button")
async def test_the_first_press_and_its_release_are_heard(bench: Bench) -> None:
    bench.bank.drive(GO, 0)
    assert await bench.next() == "down"
    bench.bank.release(GO)
    while (word := await bench.next()) == "held":
        pass
    assert word == "up"


@pytest.mark.usefixtures("button")
async def test_a_press_is_heard_after_the_bounce_time(bench: Bench) -> None:
    started = bench._loop.time()
    bench.bank.drive(GO, 0)
    await bench.next()
    assert bench._loop.time() - started >= BOUNCE_S


@pytest.mark.usefixtures("button")
async def test_a_glitch_of_5_ms_is_no_press(bench: Bench) -> None:
    bench.bank.drive(GO, 0)
    await pause(0.005)
    bench.bank.release(GO)
    await pause(2 * BOUNCE_S)
    assert bench.heard.empty()


@pytest.mark.usefixtures("button")
async def test_a_bouncing_press_is_one_press(bench: Bench) -> None:
    for _ in range(5):
        bench.bank.drive(GO, 0)
        await pause(0.002)
        bench.bank.drive(GO, 1)
        await pause(0.002)
    bench.bank.drive(GO, 0)
    assert [await bench.next(), await bench.next()] == ["down", "held"]


@pytest.mark.usefixtures("button")
async def test_a_button_kept_down_is_held(bench: Bench) -> None:
    bench.bank.drive(GO, 0)
    assert [await bench.next(), await bench.next()] == ["down", "held"]


async def test_a_beam_counts_pulses_that_took_no_time(bench: Bench) -> None:
    beam = await bench.make(DigitalInputDevice, BEAM, pull_up=True)
    beam.when_activated, beam.when_deactivated = bench.hear("broken"), bench.hear("clear")
    for _ in range(100):
        bench.bank.drive(BEAM, 0)
        bench.bank.drive(BEAM, 1)
    assert [await bench.next() for _ in range(200)] == ["broken", "clear"] * 100


async def test_a_lamp_follows_its_led(bench: Bench) -> None:
    seen: list[tuple[int, int]] = []
    bench.bank.on_write = lambda pin, level: seen.append((pin, level))
    lamp = await bench.make(LED, LAMP)
    await asyncio.to_thread(lamp.on)
    await asyncio.to_thread(lamp.off)
    assert seen == [(LAMP, 0), (LAMP, 1), (LAMP, 0)]


async def test_a_lamp_goes_dark_when_its_led_is_closed(bench: Bench) -> None:
    lamp = await bench.make(LED, LAMP)
    await asyncio.to_thread(lamp.on)
    lit = bench.bank.level(LAMP)
    await asyncio.to_thread(lamp.close)
    assert (lit, bench.bank.level(LAMP)) == (1, 0)


@pytest.mark.usefixtures("button")
async def test_two_stations_share_the_pins(server: PigpiodServer, bench: Bench) -> None:
    other = Bench(bench.bank, await asyncio.to_thread(PiGPIOFactory, "127.0.0.1", server.port))
    watcher = await other.make(DigitalInputDevice, BEAM, pull_up=True)
    watcher.when_activated = other.hear("broken")
    bench.bank.drive(BEAM, 0)
    bench.bank.drive(GO, 0)
    assert (await other.next(), await bench.next()) == ("broken", "down")
    await other.close()


@pytest.mark.usefixtures("button")
async def test_nothing_is_heard_from_a_frozen_server_until_it_thaws(server: PigpiodServer, bench: Bench) -> None:
    server.freeze()
    bench.bank.drive(GO, 0)
    await pause(2 * BOUNCE_S)
    frozen = bench.heard.empty()
    server.thaw()
    assert (frozen, await bench.next()) == (True, "down")
