"""An in-process card printer with a tiny world (hopper, one card inside, two bins) that passes the contract suite of the port."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from controller.cards.raster import check_shapes
from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused
from controller.hal.profiles.printer import PrinterProfile
from controller.model import CardPosition, Panel, PrinterCare, PrinterIdentity, PrinterWitness


class FakePrinter:
    """Does every act at once. `present` is its cable; `failures` are raised by the next acts of that name, in order,
    before (refused, absent) or after (unknown) the act was done."""

    def __init__(self, profile: PrinterProfile, serial: str, blanks: int = 0) -> None:
        self.profile, self.serial = profile, serial
        self.present = True
        self.hopper = blanks
        self.position = CardPosition.NONE
        self.printed: list[list[Panel]] = []  # one entry per side printed, of every card
        self.output = self.rejected = 0
        self.cards_fed, self.panels_printed, self.ribbon_remaining = 1000, 5000, 187
        self.upkeep = PrinterCare()
        self.failures: dict[str, list[DeviceError]] = {}
        self.acts: list[str] = []
        self._open = self._closed = False

    async def open(self) -> PrinterIdentity:
        if self._closed:
            raise DeviceAbsent("printer_lost", "the link was closed")
        if not self.present:
            raise DeviceAbsent("printer_absent", f"serial {self.serial}: not found")
        self._open = True
        return PrinterIdentity(self.profile.model, "fake 1.0", self.serial)

    async def witness(self) -> PrinterWitness:
        self._reach()
        return PrinterWitness(self.position, self.cards_fed, self.panels_printed, self.ribbon_remaining)

    async def examine(self) -> PrinterWitness:
        return await self.witness()

    async def feed(self, deadline: Deadline) -> None:
        def bring() -> None:
            if self.position is CardPosition.NONE:
                if not self.hopper:
                    raise DeviceRefused("hopper_empty", "Sic: FEEDER EMPTY")
                self.hopper -= 1
                self.cards_fed += 1
            self.position = CardPosition.CONTACTLESS

        self._do("feed", deadline, bring)

    async def print(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        check_shapes(panels, self.profile.raster_for(self.profile.ribbon))
        if not self.profile.holds_card:
            raise DeviceRefused("option_missing", "no act 'print'")
        self._do("print", deadline, lambda: self._print(panels))

    async def print_and_deliver(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        check_shapes(panels, self.profile.raster_for(self.profile.ribbon))
        if self.profile.holds_card:
            raise DeviceRefused("option_missing", "no act 'print_and_deliver'")

        def both() -> None:
            self._print(panels)
            self._let_out(good=True)

        self._do("print_and_deliver", deadline, both)

    async def to_chip_station(self, deadline: Deadline) -> None:
        await self.feed(deadline)

    async def deliver(self, deadline: Deadline) -> None:
        self._do("deliver", deadline, lambda: self._let_out(good=True))

    async def reject(self, deadline: Deadline) -> None:
        self._do("reject", deadline, lambda: self._let_out(good=False))

    async def print_by_hand(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        raise DeviceRefused("option_missing", "no act 'print_by_hand'")

    async def care(self) -> PrinterCare:
        self._reach()
        return self.upkeep

    async def clean(self, deadline: Deadline) -> None:
        self._do("clean", deadline, lambda: None)

    async def print_test_card(self, deadline: Deadline) -> None:
        def test_card() -> None:
            if not self.hopper:
                raise DeviceRefused("hopper_empty", "Stt: FEEDER EMPTY")
            self.hopper -= 1
            self.cards_fed += 1
            self.output += 1

        self._do("print_test_card", deadline, test_card)

    async def close(self) -> None:
        self._open, self._closed = False, True

    def _reach(self) -> None:
        if not self._open:
            raise DeviceAbsent("printer_lost", "the printer has to be opened first")
        if not self.present:
            self._open = False
            raise DeviceAbsent("printer_lost", "gone")

    def _do(self, name: str, deadline: Deadline, act: Callable[[], object]) -> None:
        self._reach()
        if deadline.passed:
            raise DeviceAbsent("printer_late", "the deadline was over before anything was sent")
        failures = self.failures.get(name, [])
        failure = failures.pop(0) if failures else None
        self.acts.append(name)
        if failure is not None and isinstance(failure, DeviceAbsent | DeviceRefused):
            raise failure
        act()
        if failure is not None:
            self._open = False
            raise failure

    def _print(self, panels: Sequence[Panel]) -> None:
        if self.position is CardPosition.NONE:
            raise DeviceRefused("hopper_empty", "Ss: FEEDER EMPTY")
        self.printed.append(list(panels))
        self.panels_printed += len(panels)
        self.ribbon_remaining -= 1
        self.position = CardPosition.PRINT

    def _let_out(self, *, good: bool) -> None:
        if self.position is CardPosition.NONE:
            return
        self.output, self.rejected = self.output + good, self.rejected + (not good)
        self.position = CardPosition.NONE
