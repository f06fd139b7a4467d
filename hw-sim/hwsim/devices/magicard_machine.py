"""The printer behind a Magicard's requests: one job at a time, from its last byte until the card is out (printers.md 4.3, 4.7).

Our choices (E): a job that is dropped with a card inside ejects it; CAN also ends the wait for a card in the slot; later only a
fault can be answered. A page with PAG2 is printed on the back by every model. LC keys are read and ignored: the ribbon that is
fitted decides. A card counts when it is out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from hwsim.clock import Clock
from hwsim.devices.magicard_job import Job, Page
from hwsim.devices.magicard_replies import NOT_FED, OTHER, Fault, Unit
from hwsim.devices.mechanics import Line, Mechanics, Obstacle
from hwsim.forms import Form
from hwsim.profiles import PLANE_COLUMN_BYTES, MagicardProfile
from hwsim.world import Station

CLEAN_EVERY_CARDS = 700  # REQ,INF field 15
_TEST_SHADE = b"\x0f"  # what a test card shows (E): stripes

Act = Callable[[], Awaitable[None]]


class Dropped(Exception):
    """The job was cancelled."""


class MagicardMachine:
    """Takes a job, an action or an answer; tells its port status. `run` is its life while there is power."""

    def __init__(self, unit: Unit, profile: MagicardProfile, mechanics: Mechanics, clock: Clock, hand_feed_wait_s: float) -> None:
        self.unit, self.profile, self.mechanics = unit, profile, mechanics
        self._clock, self._hand_feed_wait_s = clock, hand_feed_wait_s
        mechanics.care.every_cards = CLEAN_EVERY_CARDS
        self._begun, self._answered, self.free = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.forget()

    def forget(self) -> None:
        """As after power-on."""
        self.fault: Fault | None = None
        self.working = False
        self.language, self.hand_feed = "ENG", False
        self._due: Act | None = None
        self._begun.clear()
        self._answered.clear()
        self._answer = ""
        self._waits_for_card = self._restarts = self._stands_still = False
        self.free.set()

    # From outside

    @property
    def port_status(self) -> int:
        """18 ready, 08 working, 10 fault."""
        if self.fault is not None:
            return 0x10
        return 0x08 if self.working else 0x18

    def print(self, job: Job) -> None:
        """A job is complete."""
        self.language, self.hand_feed = job.front.language, job.front.hand_feed
        self._begin(lambda: self._print(job))

    def act(self, name: str) -> None:
        """TST, CLN or EJT; ignored while something is under way."""
        acts: dict[str, Act] = {"TST": self._test_card, "CLN": self._clean, "EJT": self._eject}
        if self.free.is_set():
            self._begin(acts[name])

    def answer(self, word: str) -> None:
        """OKY or CAN: answers the fault, and CAN ends the wait for a card."""
        if self._stands_still or (word == "CAN" and self._waits_for_card):
            self._say(word)
        else:
            self.fault = None

    def restart(self) -> None:
        """RST: what it does is dropped, and it needs the time of a reset."""
        self._restarts = True
        if self.free.is_set():
            self._begin(self._reset)
        elif self._stands_still or self._waits_for_card:
            self._say("CAN")

    def stop_waiting(self) -> None:
        """The printer gives up waiting for a card in the slot."""
        if self._waits_for_card:
            self._say("NONE")

    async def run(self) -> None:
        """Live, until cancelled."""
        if self.profile.power_on_ejects:
            with suppress(Obstacle):
                await self.mechanics.eject()
        while True:
            await self._begun.wait()
            self._begun.clear()
            act, self._due = self._due, None
            if act is not None:
                with suppress(Dropped):
                    await act()
            if self._restarts:
                await self._reset()
            self.working = False
            self.free.set()

    # A job

    def _begin(self, act: Act) -> None:
        self._due = act
        self.free.clear()
        self._begun.set()

    async def _print(self, job: Job) -> None:
        await self._clock.motion(self.profile.timing_s["accept"])
        self.working = True
        try:
            for _copy in range(job.front.copies):
                await self._card(job)
        except Dropped:
            with suppress(Obstacle):
                await self.mechanics.eject()

    async def _card(self, job: Job) -> None:
        await self._through(self._draw_in if job.front.hand_feed else self._feed)
        for page in job.pages:
            await self._side(page)
        await self._through(self.mechanics.eject)
        await self.mechanics.count_card()

    async def _feed(self) -> None:
        self._look_for_card()
        await self.mechanics.feed(Station.PRINT)

    async def _draw_in(self) -> None:
        self._look_for_card()
        if self.mechanics.slot_card is None:
            await self._wait_for_card()
        await self.mechanics.draw_in()

    def _look_for_card(self) -> None:
        """No card goes in while one is inside: it stayed there when a job was dropped."""
        if self.mechanics.cards:
            raise Obstacle("CARD JAM", Line.FAULT)

    async def _wait_for_card(self) -> None:
        """Until a card is in the slot, somebody cancels, or the patience is over: then `draw_in` says that there is none."""
        self._waits_for_card = True
        self._answered.clear()
        try:
            async with asyncio.timeout(self._clock.patience_s(self._hand_feed_wait_s)):
                while self.mechanics.slot_card is None and not self._answered.is_set():
                    await self.mechanics.changed()
        except TimeoutError:
            return
        finally:
            self._waits_for_card = False
        if self._answered.is_set() and self._answer == "CAN":
            raise Dropped

    async def _side(self, page: Page) -> None:
        if page.side == "back":
            await self._through(self.mechanics.flip)
        panels = [(panel, page.planes[panel]) for panel in "ymck" if panel in page.planes]
        if page.overcoat is not None and "o" in self.mechanics.ribbon.panels:
            panels.append(("o", page.overcoat))
        if panels:
            await self._through(lambda: self._take_set([panel for panel, _ in panels]))
        form = self._form(page)
        for panel, dots in panels:
            await self._panel(page.side, panel, dots, form)

    async def _take_set(self, panels: list[str]) -> None:
        ribbon = self.mechanics.ribbon
        missing = next((panel for panel in panels if panel not in ribbon.panels), panels[0])
        self.mechanics.take_ribbon_set(ribbon.type, missing)

    async def _panel(self, side: str, panel: str, dots: bytes, form: Form) -> None:
        levels = 2 if panel in "ko" else 64
        await self._through(lambda: self.mechanics.print_panel(side, panel, levels, dots, form))

    def _form(self, page: Page) -> Form:
        profile = self.profile
        position = int(self.unit.settings["head_position"])
        return Form(page.packing or profile.packing, profile.width_dots, profile.height_lines, position)

    # What people and services ask for

    async def _test_card(self) -> None:
        size = self.profile.height_lines * PLANE_COLUMN_BYTES[self.profile.packing]
        page = Page(planes={"k": _TEST_SHADE * size}, overcoat=b"OVRON", packing=self.profile.packing)
        await self._print(Job((page,)))

    async def _clean(self) -> None:
        self.working = True
        await self._through(self.mechanics.clean)

    async def _eject(self) -> None:
        self.working = True
        await self._through(self.mechanics.eject)

    async def _reset(self) -> None:
        self.working, self._restarts = True, False
        self.language, self.hand_feed = "ENG", False
        await self._clock.motion(self.profile.timing_s["reset"])

    # Trouble

    async def _through(self, step: Act) -> None:
        """Do it; after a fault again with OKY. Raises Dropped with CAN."""
        while True:
            try:
                await step()
            except Obstacle as obstacle:
                await self._stand_still(obstacle)
            else:
                return

    def _say(self, word: str) -> None:
        self._answer = word
        self._answered.set()
        self.mechanics.touched()

    async def _stand_still(self, obstacle: Obstacle) -> None:
        fed = obstacle.word == "FEEDER EMPTY" or (obstacle.word == "ERROR TIME OUT" and not self.mechanics.cards)
        self.fault = Fault(obstacle.code or (NOT_FED if fed else OTHER), obstacle.word)
        self._stands_still = True
        self._answered.clear()
        await self._answered.wait()
        self.fault, self._stands_still = None, False
        if self._answer == "CAN":
            raise Dropped
