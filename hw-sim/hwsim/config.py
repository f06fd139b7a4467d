"""How the simulated hardware is wired (hw-sim.toml): what a person with a screwdriver decides.

Paths are relative to the folder hw-sim is started in. Nothing of station.toml is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hwsim.errors import SimError
from hwsim.profiles import CARD_AT_POWER_ON
from hwsim.toml_table import Table, load

MAX_LANES = 8  # a station has 1-8 lanes
MAX_HOPPER = 10_000  # blanks in one hopper; far above any real feeder, a guard against typing mistakes
BLOB_BYTES = 32  # that opens a SAM (chip.md 1.2)
RATES_KBIT = (106, 212, 424, 848)  # of ISO 14443
BANK_PINS = 28  # a Raspberry Pi header brings out GPIO 0-27
LANE_PINS = ("feed_beam", "exit_beam", "reject_beam", "hopper_low", "hopper_empty", "bin_full")
PANEL_PINS = ("go", "hold", "green", "amber", "red")


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address; port 0 takes a free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class SamConfig:
    """A SAM card in a contact slot."""

    vpcd: Address
    blob: bytes | None = None  # that it wants to be opened with; None: it is open


@dataclass(frozen=True, slots=True)
class LaneConfig:
    """One printer with its chip reader, hopper, bins and pins."""

    name: str
    printer_profile: str
    serial: str
    busid: str  # place on the USB/IP bus, e.g. "1-1"
    ribbon_type: str | None  # that is fitted; None = the profile's
    ribbon_cards: int | None  # sets left on the ribbon; None = a full one
    card_at_power_on: str | None  # holds, ejects; None = as the profile says
    hand_feed_wait_s: float | None  # how long it waits for a card in the slot; None = as the profile says
    chip_profile: str
    external: bool | None  # the chip reader stands beside the printer; None = as the profile says
    vpcd: Address
    apdu_delay_s: float  # how long the chip thinks over each APDU, wall clock
    rf_kbit: int | None  # on the air; None: no time is lost there
    uid_type: str  # of new blanks: a or b (ISO 14443)
    sam: SamConfig | None
    gpio: Address | None
    hopper_capacity: int
    hopper_blanks: int
    hopper_low_at: int  # this many or fewer blanks: low
    bin_capacity: int
    reject_capacity: int
    pins: dict[str, int]  # empty: no beams and contacts, for a lane with an external reader


@dataclass(frozen=True, slots=True)
class FrontPanelConfig:
    """Buttons and lamps, wired to the pin bank of one lane."""

    lane: str
    pins: dict[str, int]


@dataclass(frozen=True, slots=True)
class DeskConfig:
    """The desk reader."""

    vpcd: Address
    chip_profile: str
    sam: SamConfig | None = None


@dataclass(frozen=True, slots=True)
class SimConfig:
    """The whole simulated station."""

    seed: int
    usbip: Address
    control: Path
    display: Path
    lanes: tuple[LaneConfig, ...]
    front_panel: FrontPanelConfig
    desk: DeskConfig | None


def load_config(path: Path) -> SimConfig:
    """Read and check hw-sim.toml; SimError says where it is wrong."""
    root = load(path)
    root.only("seed", "usbip", "control", "display", "lanes", "front_panel", "desk_reader")
    lanes = tuple(_lane(row) for row in root.tables("lanes"))
    config = SimConfig(
        seed=root.get("seed", int, 1),
        usbip=_address(root, "usbip"),
        control=Path(root.get("control", str)),
        display=Path(root.get("display", str)),
        lanes=lanes,
        front_panel=_front_panel(root.table("front_panel")),
        desk=_desk(root.table("desk_reader")) if "desk_reader" in root.data else None,
    )
    _check_whole(root.place, config)
    return config


def _lane(row: Table) -> LaneConfig:
    row.only("name", "printer", "chip", "sam", "gpio", "hopper", "bin", "reject", "pins")
    printer, chip = row.table("printer"), row.table("chip")
    printer.only("profile", "serial", "busid", "ribbon", "ribbon_type", "card_at_power_on", "hand_feed_wait")
    chip.only("profile", "vpcd", "apdu_ms", "external", "rf_kbit", "uid_type")
    hopper, bin_, reject = row.table("hopper"), row.table("bin"), row.table("reject", {})
    lane = LaneConfig(
        name=row.get("name", str),
        printer_profile=printer.get("profile", str),
        serial=printer.get("serial", str),
        busid=printer.get("busid", str),
        ribbon_type=printer.get("ribbon_type", str) if "ribbon_type" in printer.data else None,
        ribbon_cards=None if "ribbon" not in printer.data else printer.at_least("ribbon", 0),
        card_at_power_on=printer.choice("card_at_power_on", None, CARD_AT_POWER_ON),
        hand_feed_wait_s=printer.get("hand_feed_wait", float) if "hand_feed_wait" in printer.data else None,
        chip_profile=chip.get("profile", str),
        external=chip.get("external", bool) if "external" in chip.data else None,
        vpcd=_address(chip, "vpcd"),
        apdu_delay_s=chip.get("apdu_ms", float, 0.0) / 1000,
        rf_kbit=_rate(chip),
        uid_type=chip.choice("uid_type", None, ("a", "b")) or "a",
        sam=_sam(row),
        gpio=_address(row, "gpio") if "gpio" in row.data else None,
        hopper_capacity=hopper.at_least("capacity", 1),
        hopper_blanks=hopper.at_least("blanks", 0, 0),
        hopper_low_at=hopper.at_least("low_at", 0, 0),
        bin_capacity=bin_.at_least("capacity", 1),
        reject_capacity=reject.at_least("capacity", 1, 50),
        pins=_pins(row.table("pins"), LANE_PINS) if "pins" in row.data else {},
    )
    if not lane.hopper_blanks <= lane.hopper_capacity <= MAX_HOPPER:
        raise SimError(f"{row.place}hopper: needs blanks <= capacity <= {MAX_HOPPER}")
    return lane


def _desk(row: Table) -> DeskConfig:
    row.only("vpcd", "profile", "sam")
    return DeskConfig(_address(row, "vpcd"), row.get("profile", str), _sam(row))


def _rate(chip: Table) -> int | None:
    rate = chip.get("rf_kbit", int, 0)
    if rate and rate not in RATES_KBIT:
        raise SimError(f"{chip.place}rf_kbit must be one of {', '.join(map(str, RATES_KBIT))}, not {rate}")
    return rate or None


def _sam(row: Table) -> SamConfig | None:
    if "sam" not in row.data:
        return None
    sam = row.table("sam")
    sam.only("vpcd", "blob")
    try:
        blob = bytes.fromhex(sam.get("blob", str, ""))
    except ValueError as error:
        raise SimError(f"{sam.place}blob must be hex digits") from error
    if len(blob) not in (0, BLOB_BYTES):
        raise SimError(f"{sam.place}blob must have {BLOB_BYTES} bytes, not {len(blob)}")
    return SamConfig(_address(sam, "vpcd"), blob or None)


def _front_panel(row: Table) -> FrontPanelConfig:
    row.only("lane", "pins")
    return FrontPanelConfig(row.get("lane", str), _pins(row.table("pins"), PANEL_PINS))


def _pins(row: Table, names: tuple[str, ...]) -> dict[str, int]:
    row.only(*names)
    pins = {name: row.at_least(name, 0) for name in names}
    for name, pin in pins.items():
        if pin >= BANK_PINS:
            raise SimError(f"{row.place}{name} must be a pin from 0 to {BANK_PINS - 1}, not {pin}")
    return pins


def _address(row: Table, key: str) -> Address:
    text = row.get(key, str)
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isdecimal() and int(port) <= 65535):
        raise SimError(f"{row.place}{key} must be HOST:PORT, not {text!r}")
    return Address(host, int(port))


def _check_whole(place: str, config: SimConfig) -> None:
    if len(config.lanes) > MAX_LANES:
        raise SimError(f"{place}lanes: a station has at most {MAX_LANES}, not {len(config.lanes)}")
    _refuse_twice(f"{place}lane name", [lane.name for lane in config.lanes])
    _refuse_twice(f"{place}busid", [lane.busid for lane in config.lanes])
    listening = [config.usbip, *(a for lane in config.lanes for a in (lane.vpcd, lane.gpio) if a is not None)]
    listening += [] if config.desk is None else [config.desk.vpcd]
    listening += [part.sam.vpcd for part in (*config.lanes, config.desk) if part is not None and part.sam is not None]
    _refuse_twice(f"{place}address", [f"{a.host}:{a.port}" for a in listening if a.port])
    if any(lane.name == "desk" for lane in config.lanes):
        raise SimError(f"{place}lanes: a lane cannot be called 'desk': commands mean the desk reader by that")
    if config.front_panel.lane not in {lane.name for lane in config.lanes}:
        raise SimError(f"{place}front_panel.lane: there is no lane {config.front_panel.lane!r}")
    for lane in config.lanes:
        if lane.pins and lane.gpio is None:
            raise SimError(f"{place}lane {lane.name!r} has pins and no gpio")
        if lane.name == config.front_panel.lane and lane.gpio is None:
            raise SimError(f"{place}front_panel.lane: lane {lane.name!r} has no gpio")
        panel = config.front_panel.pins if lane.name == config.front_panel.lane else {}
        _refuse_twice(f"{place}lane {lane.name!r}: pin", [str(pin) for pin in (*lane.pins.values(), *panel.values())])


def _refuse_twice(what: str, values: list[str]) -> None:
    doubled = sorted({value for value in values if values.count(value) > 1})
    if doubled:
        raise SimError(f"{what} {doubled[0]} is used twice")
