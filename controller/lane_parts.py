"""The concrete devices of one lane and the rules it works by, as its printer's profile and station.toml say."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from controller.chips.content_signature import ContentSignature
from controller.chips.profile import ChipProfile
from controller.config import ReaderTable, StationTable
from controller.hal.chip.pcsc_session import Trace
from controller.hal.chip.station import PcscChipStation, PhaseWatch
from controller.hal.chip.stopwatch import Stopwatch
from controller.hal.pins.lane_sensors import GpioLaneSensors, LanePins
from controller.hal.pins.no_sensors import NoSensors
from controller.hal.pins.pin_source import PinSource
from controller.hal.ports import CardPrinter, ChipCost, ChipPhase, OnPhase
from controller.hal.profiles.printer import EvolisProfile, MagicardProfile
from controller.jobs.lane_links import LanePolicy
from controller.jobs.pace import Rule
from controller.jobs.stages import LaneDevices
from controller.key_holder import KeyHolders
from controller.setup import LaneSetup

_DRIVERS = {
    EvolisProfile: ("controller.hal.evolis.driver", "EvolisPrinter"),
    MagicardProfile: ("controller.hal.magicard.driver", "MagicardPrinter"),
}


@dataclass(frozen=True, slots=True)
class LaneParts:
    """The devices as the worker sees them, and those of them that somebody has to run or close."""

    devices: LaneDevices
    sensors: GpioLaneSensors | NoSensors
    chip: PcscChipStation
    pins: PinSource | None  # None: a lane that is fed by hand has no sensors


def build(lane: LaneSetup, holders: KeyHolders, signature: ContentSignature | None, on_phase: OnPhase) -> LaneParts:
    """The lane's drivers; `on_phase` is told what goes on at its chips. No I/O yet."""
    pins, sensors = _sensors(lane)
    tell = _but_empty_looks(on_phase) if lane.printer.plan == "external" else on_phase
    chip = chip_station(lane.chip, lane.table.reader, holders, signature, on_phase=tell)
    return LaneParts(LaneDevices(_printer(lane), chip, sensors, lane.printer.fitted), sensors, chip, pins)


def chip_station(profile: ChipProfile, reader: ReaderTable, holders: KeyHolders, signature: ContentSignature | None,
                 trace: Trace | None = None, on_phase: OnPhase | None = None) -> PcscChipStation:  # fmt: skip
    """A reader with its profile and its key holder. No I/O yet."""
    keys = Stopwatch()
    sam = holders.sam_for(reader, profile.channel.kind, keys)
    watch = PhaseWatch(keys=keys) if on_phase is None else PhaseWatch(on_phase, keys)
    return PcscChipStation(profile, reader.name, sam, signature, trace, watch)


def policy(lane: LaneSetup, station: StationTable) -> LanePolicy:
    """The lane's rules."""
    cards, rest_s = lane.cool_down
    return LanePolicy(
        lane.printer.plan, lane.printer.ejects_at_power_on, lane.table.reader.name, station.max_remakes,
        station.max_rejects_in_row, station.unknown_uid, lane.printer.ribbon, Rule(cards, rest_s), lane.chip.needs_sam,
    )  # fmt: skip


def _but_empty_looks(on_phase: OnPhase) -> OnPhase:
    """By hand an empty reader is looked at every second, and that is no failure."""

    def tell(phase: ChipPhase, cost: ChipCost, failure: str | None) -> None:
        if cost.commands or phase is not ChipPhase.IDENTIFY:
            on_phase(phase, cost, failure)

    return tell


def _printer(lane: LaneSetup) -> CardPrinter:
    """The driver of the profile's family; the others are not even loaded."""
    module, name = _DRIVERS[type(lane.printer)]
    driver = getattr(importlib.import_module(module), name)
    printer: CardPrinter = driver.at(lane.printer, lane.table.printer.usb, lane.table.printer.serial, lane.table.printer.port)
    return printer


def _sensors(lane: LaneSetup) -> tuple[PinSource | None, GpioLaneSensors | NoSensors]:
    if lane.table.gpio is None or lane.table.pins is None:
        return None, NoSensors()
    pins = PinSource(lane.table.gpio)
    return pins, GpioLaneSensors(pins, LanePins(**lane.table.pins.model_dump()))
