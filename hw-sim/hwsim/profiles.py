"""The part of firmware_profiles/ that the simulator needs, read with its own eyes (the controller has its own loader,
so that a shared misreading cannot cancel out)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hwsim.errors import SimError
from hwsim.toml_table import Table, load

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
}


@dataclass(frozen=True, slots=True)
class PrinterProfile:
    """An Evolis-class printer: geometry, ribbon, durations, and what power-on does."""

    model: str
    vendor_id: int
    width_dots: int  # one line: the short side of the card
    height_lines: int
    levels: dict[str, int]  # panel name -> levels the profile prints with, in ribbon order
    ribbon_type: str
    ribbon_cards: int
    timing_s: dict[str, float]
    power_on_host_errors: bool  # Pem;2 after power-on
    power_on_no_eject: bool
    power_on_ejects: bool  # a card inside is thrown out when power comes back


@dataclass(frozen=True, slots=True)
class ChipFileSpec:
    """One elementary file of the chip."""

    fid: int
    max_bytes: int  # content, without the length prefix
    personalised: bool


@dataclass(frozen=True, slots=True)
class ChipProfile:
    """A chip in plain ISO 7816: where its files are and how large they may be."""

    name: str
    df: bytes  # the file identifier of the application, e.g. 7F0A
    prefix_bytes: int
    files: tuple[ChipFileSpec, ...]


def load_printer(name: str, folder: Path = PROFILES) -> PrinterProfile:
    """Read printers/NAME.toml."""
    root = _open(folder / "printers", name)
    if root.get("family", str) != "evolis":
        raise SimError(f"{root.place}family must be 'evolis'; hw-sim knows no other printer yet")
    raster, ribbon, power = root.table("raster"), root.table("ribbon"), root.table("power_on", {})
    width, height = raster.at_least("width_dots", 8), raster.at_least("height_lines", 1)
    return PrinterProfile(
        model=root.get("model", str),
        vendor_id=root.table("usb").at_least("vendor_id", 1),
        width_dots=width,
        height_lines=height,
        levels={row.get("name", str): _levels(row, width * height) for row in raster.tables("panels")},
        ribbon_type=ribbon.get("type", str),
        ribbon_cards=ribbon.at_least("capacity_cards", 1),
        timing_s=_timing(root.table("timing_s", {})),
        power_on_host_errors=power.get("error_mode", str, "Pem;0") != "Pem;0",
        power_on_no_eject=power.get("no_eject", bool, False),
        power_on_ejects=power.choice("card_inside", None, CARD_AT_POWER_ON) == "ejects",
    )


def load_chip(name: str, folder: Path = PROFILES) -> ChipProfile:
    """Read chips/NAME.toml."""
    root = _open(folder / "chips", name)
    select, read = root.table("select"), root.table("read")
    try:
        df = bytes.fromhex(select.get("df", str))[5:7]
    except ValueError as error:
        raise SimError(f"{select.place}df must be hex digits: {error}") from error
    if len(df) != 2:
        raise SimError(f"{select.place}df must be a SELECT with a 2-byte file identifier")
    files = tuple(
        ChipFileSpec(row.at_least("fid", 0), row.at_least("max_bytes", 1), row.get("personalised", bool))
        for row in root.tables("files")
    )
    return ChipProfile(root.get("name", str), df, read.at_least("length_prefix_bytes", 0), files)


def _open(folder: Path, name: str) -> Table:
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.toml"))) or "none"
        raise SimError(f"there is no profile {name!r} in {folder.name}/; there are: {known}")
    root = load(path)
    if root.get("format", int) != 1:
        raise SimError(f"{root.place}format must be 1")
    return root


def _levels(row: Table, dots: int) -> int:
    levels, size = row.get("levels", int), row.get("size_bytes", int)
    bits = levels.bit_length() - 1
    if levels not in {2, 32, 64, 128, 256}:
        raise SimError(f"{row.place}levels must be 2, 32, 64, 128 or 256, not {levels}")
    if size != dots * bits // 8:
        raise SimError(f"{row.place}size_bytes must be {dots * bits // 8} for {bits} bits a dot, not {size}")
    return levels


def _timing(row: Table) -> dict[str, float]:
    row.only(*_TIMING_S)
    return {key: row.get(key, float, default) for key, default in _TIMING_S.items()}
