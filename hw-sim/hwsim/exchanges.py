"""What crosses a lane's wires, counted, and what is to happen at the n-th of it.

An exchange on wire `usb` is a whole command that the printer received (a long download counts twice: when its first transfer came
and when its last one did) or one packet of a reply that the host fetched; on the wires `apdu` (of the chip) and `sam` it is one
command APDU. Labels name the command, never its data: `> Sic`, `> Db;y;128 first`, `> Db;y;128`, `< Sic`, `D6 0002`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hwsim.errors import SimError

WIRES = ("usb", "apdu", "sam")
MOMENTS = ("before", "after")  # the machine acted on it
MAX_LABELS = 100_000  # remembered per wire while recording: some 1,000 cards
MAX_TRIGGERS = 1_000  # remembered per lane, those that have happened too


def apdu_label(command: bytes) -> str:
    """INS, P1 and P2 of a command APDU."""
    return f"{command[1:2].hex().upper()} {command[2:4].hex().upper()}"


@dataclass(slots=True)
class Trigger:
    """Something that happens at one exchange, exactly then: before anything else can run in this process."""

    id: int
    wire: str
    number: int | None  # of the exchange, counted since hw-sim started; None until `start` was seen
    when: str
    act: Callable[[], object]  # raises SimError when it cannot be done
    start: str = ""  # counting begins at an exchange with this label
    nth: int = 1  # which of those: 1 is the next
    ahead: int = 1
    fired: bool = False
    error: str | None = None  # why it could not be done

    def fire(self) -> None:
        """Do it; nobody waits for an answer, so a refusal is kept for whoever asks later."""
        self.fired = True
        try:
            self.act()
        except SimError as refused:
            self.error = str(refused)


@dataclass(slots=True)
class Exchanges:
    """The wires of one lane, or those of the desk reader."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WIRES, 0))
    labels: dict[str, list[str]] | None = None  # while recording
    triggers: list[Trigger] = field(default_factory=list)

    def record(self, on: bool) -> None:
        """Begin a new list of labels, or stop and forget it."""
        self.labels = {wire: [] for wire in WIRES} if on else None

    def arm(self, wire: str, ahead: int, when: str, act: Callable[[], object], start: str = "", nth: int = 1) -> Trigger:
        """Let something happen at an exchange; the next one is 1 ahead, or with `start` the `nth` one with that label.

        Raises SimError when too many wait.
        """
        if len(self.triggers) >= MAX_TRIGGERS:
            raise SimError(f"{MAX_TRIGGERS} triggers are remembered already; clear them first")
        number = None if start else self.counts[wire] + ahead
        trigger = Trigger(len(self.triggers) + 1, wire, number, when, act, start, nth, ahead)
        self.triggers.append(trigger)
        return trigger

    def clear(self) -> None:
        """Forget every trigger."""
        self.triggers.clear()

    def begin(self, wire: str, label: str) -> tuple[int, bool]:
        """An exchange arrives: its number, and whether something happened because of it."""
        self.counts[wire] += 1
        if self.labels is not None and len(self.labels[wire]) < MAX_LABELS:
            self.labels[wire].append(label)
        for trigger in self.triggers:
            if trigger.number is None and (trigger.wire, trigger.start) == (wire, label):
                trigger.nth -= 1
                if trigger.nth == 0:
                    trigger.number = self.counts[wire] + trigger.ahead - 1
        return self.counts[wire], self._fire(wire, self.counts[wire], "before")

    def end(self, wire: str, number: int) -> bool:
        """The machine has acted on an exchange. Returns whether something happened because of it."""
        return self._fire(wire, number, "after")

    def _fire(self, wire: str, number: int, when: str) -> bool:
        due = [t for t in self.triggers if not t.fired and (t.wire, t.number, t.when) == (wire, number, when)]
        for trigger in due:
            trigger.fire()
        return bool(due)
