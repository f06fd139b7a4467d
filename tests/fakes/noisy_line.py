"""A line on which replies are lost, doubled and held back, and how a driver is tried on it. What is held back keeps its order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from controller.clock import Deadline
from controller.errors import DeviceError

MAX_NOISES = 30


@dataclass(kw_only=True)
class NoisyLine:
    """One reply to each question, in order, each with the noise that is next in the list; then the line is clean.

    A noise is words: lost, doubled, held and the number of writes it is held back for.
    """

    noises: deque[str]
    is_open: bool = True
    writes: int = 0
    _due: deque[tuple[int, bytes]] = field(default_factory=deque)  # available from this write on

    def open(self) -> bool:
        return False

    def next_noise(self) -> str:
        return self.noises.popleft() if self.noises else ""

    def answer(self, reply: bytes, noise: str) -> None:
        held = int(noise.split()[-1]) if "held" in noise else 0
        if noise != "lost":
            self._due.append((self.writes + (0 if "doubled" in noise else held), reply))
        if "doubled" in noise:
            self._due.append((self.writes + held, reply))

    def read(self, deadline: Deadline) -> bytes:
        """One packet of what is available; nothing at all stands for the time that passed."""
        if self._due and self._due[0][0] <= self.writes:
            return self._due.popleft()[1]
        return b""

    def soft_reset(self) -> None:
        """Nothing: this printer never loses its way."""

    def pause(self, seconds: float) -> None:
        pass


def reopen(greet: Callable[[], object], *, tries: int) -> None:
    """Open until it works; the noise ends, so it must."""
    for _ in range(tries):
        if tried(greet) is None:
            return
    pytest.fail("the line never came back in step")


def tried(act: Callable[[], object]) -> DeviceError | None:
    try:
        act()
    except DeviceError as error:
        return error
    return None
