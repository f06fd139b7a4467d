"""A configuration together with the profiles and keys it names: everything that can be judged before a device is touched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from controller.chips import profile as chip_profile
from controller.chips.profile import ChipProfile
from controller.config import Config, LaneTable, load_config
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
    config = load_config(path)
    problems: list[Problem] = []
    folder = config.station.profiles_dir
    lanes = []
    for index, table in enumerate(config.lanes):
        find_printer = partial(printer_profile.find_profile, folder / "printers", table.printer.profile)
        find_chip = partial(chip_profile.find_profile, folder / "chips", table.reader.profile)
        printer = _attempt(problems, find_printer, f"lanes[{index}].printer.profile")
        chip = _attempt(problems, find_chip, f"lanes[{index}].reader.profile")
        if printer is not None and chip is not None:
            lanes.append(LaneSetup(table, printer, chip))
    keys: dict[str, Ed25519PublicKey] = {}
    for index, key in enumerate(config.centre_keys):
        loaded = _attempt(problems, partial(load_public_key, key.public_key), f"centre_keys[{index}].public_key")
        if loaded is not None:
            keys[key.kid] = loaded
    if problems:
        raise ConfigError(problems)
    return Setup(config, tuple(lanes), keys)


def _attempt(problems: list[Problem], load: Callable[[], T], place: str) -> T | None:
    """Load one thing; a mistake in it is added to `problems` under the place that named it."""
    try:
        return load()
    except ConfigError as error:
        problems += [Problem(p.code, f"{place} -> {p.place}" if p.place else place, p.id, p.en) for p in error.problems]
    except ValueError as error:
        problems.append(Problem("config.value", place, f"nilai salah: {error}.", f"wrong value: {error}."))
    return None
