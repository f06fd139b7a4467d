"""A configuration together with the profiles and keys it names: everything that can be judged before a device is touched."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from controller.chips import profile as chip_profile
from controller.chips.profile import ChipProfile
from controller.config import DEFAULT_PROFILES, Config, LaneTable, read_config
from controller.errors import ConfigError, Problem
from controller.hal import printer_profile
from controller.hal.printer_profile import PrinterProfile
from controller.records.seal import load_public_key

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LaneSetup:
    """One lane with its profiles."""

    table: LaneTable
    printer: PrinterProfile
    chip: ChipProfile


@dataclass(frozen=True, slots=True)
class Setup:
    """The whole station, ready to be built."""

    config: Config
    lanes: tuple[LaneSetup, ...]
    desk_chip: ChipProfile | None  # of the desk reader; None when there is none
    centre_keys: dict[str, Ed25519PublicKey]

    @property
    def chip_max_bytes(self) -> dict[int, int]:
        """The size each chip file may have on every lane: a record must fit whichever lane takes it."""
        sizes: dict[int, int] = {}
        for lane in self.lanes:
            for fid, size in lane.chip.max_bytes.items():
                sizes[fid] = min(size, sizes.get(fid, size))
        return sizes


def read_setup(path: Path) -> Setup:
    """Read a station.toml and all it names. Raises ConfigError with every mistake found."""
    reading = read_config(path)
    problems = list(reading.problems)
    folder = Path(str(reading.values.get("station.profiles_dir", DEFAULT_PROFILES)))
    find_printer = partial(printer_profile.find_profile, folder / "printers")
    find_chip = partial(chip_profile.find_profile, folder / "chips")
    printers = _load_each(problems, reading.values, r"lanes\[\d+\]\.printer\.profile", find_printer)
    chips = _load_each(problems, reading.values, r"lanes\[\d+\]\.reader\.profile", find_chip)
    desk = _load_each(problems, reading.values, r"desk_reader\.profile", find_chip)
    keys = _load_each(problems, reading.values, r"centre_keys\[\d+\]\.public_key", load_public_key)
    config = reading.config
    if problems or config is None:
        raise ConfigError(problems)
    lanes = (LaneSetup(*parts) for parts in zip(config.lanes, printers, chips, strict=True))
    return Setup(
        config, tuple(lanes), desk[0] if desk else None, dict(zip((key.kid for key in config.centre_keys), keys, strict=True))
    )


def _load_each(problems: list[Problem], values: Mapping[str, Any], pattern: str, load: Callable[[str], T]) -> list[T]:
    """What the texts at these places name, in their order. A text that was found wrong already is not looked up."""
    known = {problem.place for problem in problems}
    places = [place for place in values if re.fullmatch(pattern, place) and place not in known]
    loaded = [_attempt(problems, partial(load, values[place]), place) for place in places]
    return [thing for thing in loaded if thing is not None]


def _attempt(problems: list[Problem], load: Callable[[], T], place: str) -> T | None:
    """Load one thing; a mistake in it is added to `problems` under the place that named it."""
    try:
        return load()
    except ConfigError as error:
        problems += [Problem(p.code, f"{place} -> {p.place}" if p.place else place, p.id, p.en) for p in error.problems]
    except ValueError as error:
        problems.append(Problem("config.value", place, f"nilai salah: {error}.", f"wrong value: {error}."))
    return None
