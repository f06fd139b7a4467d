"""What a row of the fault tables is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hwsim.lane import Lane
from hwsim.station import SimStation

Values = Mapping[str, Any]
Act = Callable[[SimStation, Lane, Values], None]
MAX_NUMBER = 10_000  # of cards, bytes or times in one fault: more is a typing mistake
TIMES = {"times": 1}


@dataclass(frozen=True, slots=True)
class Fault:
    """One row: what happens in words, what it does, and the values it takes with their defaults."""

    about: str
    act: Act
    takes: Mapping[str, Any] = field(default_factory=dict)
