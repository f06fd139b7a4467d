"""The part of firmware_profiles/ that the simulator needs, read with its own eyes (the controller has its own loader,
so that a shared misreading cannot cancel out)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hwsim.errors import SimError
from hwsim.profile_tables import profile_table
from hwsim.toml_table import Table

# The profiles lie beside hw-sim/ in the checkout.
PROFILES = Path(__file__).resolve().parents[2] / "firmware_profiles"
CARD_AT_POWER_ON = ("holds", "ejects")
# Suggested split of printers.md 3.10 for motions a profile does not list.
_TIMING_S = {
    "feed": 2.0,
    "colour_panel": 3.0,
    "k_panel": 2.0,
    "o_panel": 2.5,
    "station_move": 1.5,
    "eject": 1.5,
    "reset": 5.0,
    "flip": 3.0,
    "accept": 2.0,
    "hand_feed_wait": 30.0,
    "clean": 20.0,
}
CHANNELS = ("none", "icao", "scp03")
SCP03_SIZES = (8, 16)
STATIONS = ("contactless", "contact", "flip", "reject")
PLANE_COLUMN_BYTES = {"kge2": 96, "kge": 96, "kee": 84}  # one bit plane of one column (printers.md 4.5)
_LIST = cast("type[list[Any]]", list)


@dataclass(frozen=True, slots=True)
class RibbonSpec:
    """A ribbon that a model takes: panels for the front, then those for the back, and sets on a new one."""

    panels: tuple[str, ...]
    capacity_cards: int


@dataclass(frozen=True, slots=True)
class PrinterProfile:
    """What both families have: geometry, ribbons, durations, and what power-on does."""

    model: str
    vendor_id: int
    product_id: int | None  # None: not public
    external: bool  # the lane's chip reader stands beside the printer
    width_dots: int  # one line or column as sent, without what lies beyond the card: the short side of the card
    height_lines: int
    levels: dict[str, int]  # panel name -> levels the profile prints with, in ribbon order
    ribbon_type: str  # that a lane has unless somebody fits another
    ribbons: dict[str, RibbonSpec]
    settings: dict[str, str]  # what people adjust on a unit: the profile's name -> where the printer tells it
    timing_s: dict[str, float]
    power_on_ejects: bool  # a card inside is thrown out when power comes back


@dataclass(frozen=True, slots=True)
class EvolisProfile(PrinterProfile):
    """A printer that speaks ESC commands."""

    power_on_host_errors: bool  # Pem;2 after power-on
    power_on_no_eject: bool
    stations: frozenset[str]  # contactless, contact, flip, reject


@dataclass(frozen=True, slots=True)
class MagicardProfile(PrinterProfile):
    """A printer that speaks SOH/REQ."""

    packing: str  # kge2, kge or kee: the print head
    duplex: bool


@dataclass(frozen=True, slots=True)
class ChipFileSpec:
    """One elementary file of the chip."""

    fid: int
    max_bytes: int  # content, without the length prefix
    personalised: bool
    free: bool  # readable without a secure channel


@dataclass(frozen=True, slots=True)
class ChipProfile:
    """A chip: where its files are, how large they may be, and which protection it asks for."""

    name: str
    channel: str  # one of CHANNELS
    application: bytes  # what is selected: a file identifier, e.g. 7F0A, or an AID
    size: int  # of challenges and MACs under scp03: 8 (S8) or 16 (S16)
    prefix_bytes: int
    files: tuple[ChipFileSpec, ...]

    @property
    def fresh_life(self) -> int:
        """The life cycle of a blank's application: initialisation, or selectable (GlobalPlatform)."""
        return 0x07 if self.channel == "scp03" else 0x03

    @property
    def locked_life(self) -> int:
        """Its life cycle when nothing can be written any more: personalised, or activated."""
        return 0x0F if self.channel == "scp03" else 0x05


def load_printer(name: str, folder: Path = PROFILES) -> EvolisProfile | MagicardProfile:
    """Read printers/NAME.toml and what it extends. Raises SimError."""
    root = profile_table(folder / "printers", name)
    _check_format(root, 2)
    family = root.get("family", str)
    if family not in _FAMILIES:
        raise SimError(f"{root.place}family must be one of {', '.join(_FAMILIES)}, not {family!r}")
    return _FAMILIES[family](root)


def _evolis(root: Table) -> EvolisProfile:
    power, stations = root.table("power_on", {}), root.table("stations")
    return EvolisProfile(
        **_common(root, _evolis_bytes),
        power_on_host_errors=power.get("error_mode", str, "Pem;0") != "Pem;0",
        power_on_no_eject=power.get("no_eject", bool, False),
        stations=frozenset(name for name in STATIONS if stations.get(name, bool)),
    )


def _magicard(root: Table) -> MagicardProfile:
    raster = root.table("raster")
    packing = raster.choice("packing", None, tuple(PLANE_COLUMN_BYTES))
    if packing is None:
        raise SimError(f"{raster.place}packing is missing; it must be one of {', '.join(PLANE_COLUMN_BYTES)}")
    plane = PLANE_COLUMN_BYTES[packing] * raster.at_least("height_lines", 1)
    return MagicardProfile(
        **_common(root, lambda name, bits, _dots: 0 if name == "o" else plane * bits),
        packing=packing,
        duplex=root.table("stations").get("flip", bool),
    )


_FAMILIES: dict[str, Callable[[Table], EvolisProfile | MagicardProfile]] = {"evolis": _evolis, "magicard": _magicard}


def _common(root: Table, panel_bytes: Callable[[str, int, int], int]) -> dict[str, Any]:
    raster, usb, power = root.table("raster"), root.table("usb"), root.table("power_on", {})
    width, height = raster.at_least("width_dots", 8), raster.at_least("height_lines", 1)
    products = usb.get("product_ids", _LIST, [])
    ribbons, chosen = root.table("ribbons"), root.get("ribbon", str)
    if chosen not in ribbons.data:
        raise SimError(f"{root.place}ribbon must be one of {', '.join(ribbons.data)}, not {chosen!r}")
    return {
        "model": root.get("model", str),
        "vendor_id": usb.at_least("vendor_id", 1),
        "product_id": products[0] if products else None,
        "external": root.get("plan", str) == "external",
        "width_dots": width,
        "height_lines": height,
        "levels": {row.get("name", str): _levels(row, width * height, panel_bytes) for row in raster.tables("panels")},
        "ribbon_type": chosen,
        "ribbons": {name: _ribbon(ribbons.table(name)) for name in ribbons.data},
        "settings": {name: str(where) for name, where in root.table("settings", {}).data.items()},
        "timing_s": _timing(root.table("timing_s", {})),
        "power_on_ejects": power.choice("card_inside", None, CARD_AT_POWER_ON) == "ejects",
    }


def _ribbon(row: Table) -> RibbonSpec:
    panels = (*row.get("panels", _LIST), *row.get("back_panels", _LIST, []))
    return RibbonSpec(panels, row.at_least("capacity_cards", 1))


def load_chip(name: str, folder: Path = PROFILES) -> ChipProfile:
    """Read chips/NAME.toml."""
    root = profile_table(folder / "chips", name)
    _check_format(root, 2)
    channel, read = root.table("channel"), root.table("read")
    kind = channel.choice("kind", None, CHANNELS)
    if kind is None:
        raise SimError(f"{channel.place}kind is missing; it must be one of {', '.join(CHANNELS)}")
    size = channel.get("size", int, 8)
    if size not in SCP03_SIZES:
        raise SimError(f"{channel.place}size must be 8 or 16, not {size}")
    return ChipProfile(
        root.get("name", str),
        kind,
        _application(root),
        size,
        read.at_least("length_prefix_bytes", 0),
        tuple(_chip_file(row) for row in root.tables("files")),
    )


def _chip_file(row: Table) -> ChipFileSpec:
    free = row.choice("read", "free", ("free", "channel")) == "free"
    return ChipFileSpec(row.at_least("fid", 0), row.at_least("max_bytes", 1), row.get("personalised", bool), free)


def _application(root: Table) -> bytes:
    """What the script's first SELECT names: the chips that these scripts are for have it."""
    for row in root.tables("steps"):
        try:
            command = bytes.fromhex(row.get("command", str, ""))
        except ValueError as error:
            raise SimError(f"{row.place}command must be hex digits: {error}") from error
        if command[1:2] == b"\xa4" and len(command) > 5:
            return command[5 : 5 + command[4]]
    raise SimError(f"{root.place}steps: none of them is a SELECT (00A4...)")


def _check_format(root: Table, wanted: int) -> None:
    if root.get("format", int) != wanted:
        raise SimError(f"{root.place}format must be {wanted}")


def _levels(row: Table, dots: int, panel_bytes: Callable[[str, int, int], int]) -> int:
    levels, size = row.get("levels", int), row.get("size_bytes", int)
    bits = levels.bit_length() - 1
    if levels not in {2, 32, 64, 128, 256}:
        raise SimError(f"{row.place}levels must be 2, 32, 64, 128 or 256, not {levels}")
    wanted = panel_bytes(row.get("name", str), bits, dots)
    if size != wanted:
        raise SimError(f"{row.place}size_bytes must be {wanted} for {bits} bits a dot, not {size}")
    return levels


def _evolis_bytes(_name: str, bits: int, dots: int) -> int:
    return dots * bits // 8


def _timing(row: Table) -> dict[str, float]:
    row.only(*_TIMING_S)
    return {key: row.get(key, float, default) for key, default in _TIMING_S.items()}
