"""A configuration together with the profiles and keys it names: everything that can be judged before a device is touched."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from controller.cards.icc import read_icc
from controller.cards.raster import BACK, FRONT, Raster
from controller.chips import profile as chip_profile
from controller.chips.content_signature import ContentSignature
from controller.chips.content_signature import PublicKey as ChipKey
from controller.chips.content_signature import load_public_key as load_chip_key
from controller.chips.profile import ChipProfile
from controller.config import DEFAULT_PROFILES, Config, LaneTable, ReaderTable, read_config
from controller.config_tables import KeyHolderTable, SamCardsTable
from controller.errors import ConfigError, Problem
from controller.hal.profiles import printer as printer_profile
from controller.hal.profiles.printer import EvolisProfile, MagicardProfile, UsbMatch
from controller.records.seal import load_public_key

T = TypeVar("T")
Printer = EvolisProfile | MagicardProfile


@dataclass(frozen=True, slots=True)
class LaneSetup:
    """One lane with its profiles."""

    table: LaneTable
    printer: Printer  # with the lane's ribbon
    chip: ChipProfile

    @property
    def raster(self) -> Raster:
        """What is drawn for this lane's cards: the sides that its ribbon prints."""
        return self.printer.raster_for(self.printer.ribbon, (FRONT, BACK))

    @property
    def drawing(self) -> tuple[Raster, Path | None]:
        """What two lanes have in common when their cards may be drawn by one renderer."""
        return self.raster, self.table.printer.icc

    @property
    def cool_down(self) -> tuple[int, int]:
        """Rest after so many cards (0: never), for so many seconds."""
        own = self.table.printer.cool_down or self.printer.cool_down
        return own.cards, own.rest_s


@dataclass(frozen=True, slots=True)
class Setup:
    """The whole station, ready to be built."""

    config: Config
    lanes: tuple[LaneSetup, ...]
    desk_chip: ChipProfile | None  # of the desk reader; None when there is none
    centre_keys: dict[str, Ed25519PublicKey]
    chip_keys: tuple[ChipKey, ...]

    @property
    def chip_max_bytes(self) -> dict[int, int]:
        """The size each chip file may have on every lane: a record must fit whichever lane takes it."""
        sizes: dict[int, int] = {}
        for lane in self.lanes:
            for fid, size in lane.chip.max_bytes.items():
                sizes[fid] = min(size, sizes.get(fid, size))
        return sizes

    @property
    def signature(self) -> ContentSignature | None:
        """What every record's chip contents must carry: a record may go to any lane."""
        return next(filter(None, (self.signature_of(lane.chip) for lane in self.lanes)), None)

    def signature_of(self, chip: ChipProfile) -> ContentSignature | None:
        """What the contents of such chips must carry; None: nothing."""
        fid = chip.invented.signature
        return None if fid is None else ContentSignature(fid, self.chip_keys)


@dataclass(frozen=True, slots=True)
class _Reader:
    """A lane's reader or the desk reader: both need the same of key holder and keys."""

    place: str
    id: str  # whose it is, in both languages
    en: str
    table: ReaderTable
    chip: ChipProfile


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
    chip_keys = _load_each(problems, reading.values, r"chip_keys\[\d+\]\.public_key", load_chip_key)
    config = reading.config
    if problems or config is None:
        raise ConfigError(problems)
    pairs = enumerate(zip(config.lanes, printers, strict=True))
    fitted = [_fitted(problems, lane, printer, f"lanes[{number}]") for number, (lane, printer) in pairs]
    readers = list(_readers(config, chips, desk))
    problems += [*_alike(config, fitted), *_no_desk(config, fitted)]
    problems += [*_key_holders(config.key_holder, readers), *_no_chip_keys(config, readers)]
    if config.station.layout is not None:
        two_sided = _attempt(problems, partial(_has_back, config.station.layout), "station.layout")
        problems += _no_back(config.lanes, fitted) if two_sided else ()
    if problems:
        raise ConfigError(problems)
    lanes = (LaneSetup(*parts) for parts in zip(config.lanes, fitted, chips, strict=True))
    seals = dict(zip((key.kid for key in config.centre_keys), keys, strict=True))
    return Setup(config, tuple(lanes), desk[0] if desk else None, seals, tuple(chip_keys))


def _fitted(problems: list[Problem], lane: LaneTable, printer: Printer, place: str) -> Printer:
    """The lane's profile with the lane's ribbon; what the lane's table lacks or has wrong for it goes to `problems`."""
    table = lane.printer
    if printer.plan != "external":
        problems += [
            Problem("config.missing", f"{place}.{key}", f"wajib diisi: hanya jalur yang diisi dengan tangan tidak memakai {key}.",
                    f"is required: only a lane whose printer is fed by hand has no {key}.")
            for key in ("gpio", "pins") if getattr(lane, key) is None
        ]  # fmt: skip
    if table.icc is not None:
        _attempt(problems, partial(read_icc, table.icc), f"{place}.printer.icc")
    if table.ribbon is None:
        return printer
    return _attempt(problems, partial(printer.with_ribbon, table.ribbon), f"{place}.printer.ribbon") or printer


def _no_back(lanes: Sequence[LaneTable], printers: Sequence[Printer]) -> Iterator[Problem]:
    """Lanes whose ribbon cannot print the back that the layout has."""
    for number, (lane, printer) in enumerate(zip(lanes, printers, strict=True)):
        if "k" not in printer.fitted.back_panels:
            yield Problem("config.back", f"lanes[{number}].printer.ribbon",
                          f"pita '{printer.ribbon}' jalur {lane.name} tidak mencetak sisi belakang yang ada di tata letak.",
                          f"ribbon '{printer.ribbon}' of lane {lane.name} prints no back, and the layout has one.")  # fmt: skip


def _alike(config: Config, printers: Sequence[Printer]) -> Iterator[Problem]:
    """Printers that only their port tells apart before one is asked who it is: a lane without one may take another lane's."""
    pairs = list(zip(config.lanes, printers, strict=True))
    for number, (lane, printer) in enumerate(pairs):
        if printer.usb.serial == "descriptor" or lane.printer.port is not None:
            continue
        others = (other.name for other, its in pairs if other is not lane and other.printer.usb == lane.printer.usb
                  and _may_be_taken_for(printer.usb, its.usb))  # fmt: skip
        for name in list(others)[:1]:
            yield Problem("config.port", f"lanes[{number}].printer.port",
                          f"wajib diisi: printer jalur {name} sejenis dan nomor serinya tidak terbaca lewat USB.",
                          f"is required: lane {name} has such a printer too, and USB does not tell them apart.")  # fmt: skip


def _no_desk(config: Config, printers: Sequence[Printer]) -> Iterator[Problem]:
    """Printers that eject the card as they print it, where nothing can read its chip once more."""
    if config.desk_reader is not None:
        return
    for number, (lane, printer) in enumerate(zip(config.lanes, printers, strict=True)):
        if printer.plan == "ejecting":
            yield Problem("config.missing", "desk_reader",
                          f"wajib diisi: printer jalur {lane.name} (lanes[{number}]) mengeluarkan kartu saat mencetak; "
                          "chipnya dibaca ulang di pembaca meja.",
                          f"is required: the printer of lane {lane.name} (lanes[{number}]) ejects each card as it prints it; "
                          "its chip is read again on the desk reader.")  # fmt: skip


def _may_be_taken_for(one: UsbMatch, other: UsbMatch) -> bool:
    """Whether a device may answer to both. No product numbers: any product of the vendor."""
    shared = not one.product_ids or not other.product_ids or bool({*one.product_ids} & {*other.product_ids})
    return one.vendor_id == other.vendor_id and shared


def _has_back(layout: Path) -> bool:
    """Whether a station's own layout has a back. Raises ConfigError. Few stations have one, and to know layouts takes the daemon
    2 MiB: they are imported only then."""
    found = importlib.import_module("controller.cards.layout_file").read_layout(layout)
    return found.back is not None


def _readers(config: Config, chips: Sequence[ChipProfile], desk: Sequence[ChipProfile]) -> Iterator[_Reader]:
    for number, (lane, chip) in enumerate(zip(config.lanes, chips, strict=True)):
        yield _Reader(f"lanes[{number}].reader", f"jalur {lane.name}", f"lane {lane.name}", lane.reader, chip)
    if config.desk_reader is not None and desk:
        yield _Reader("desk_reader", "pembaca meja", "the desk reader", config.desk_reader, desk[0])


def _key_holders(holder: KeyHolderTable | None, readers: Sequence[_Reader]) -> Iterator[Problem]:
    """Readers whose chips want keys that nothing holds, and SAM cards that nothing asks."""
    needing = [reader for reader in readers if reader.chip.needs_sam]
    if holder is None and needing:
        first = needing[0]
        yield Problem("config.missing", "key_holder", f"wajib diisi: chip '{first.chip.name}' {first.id} memerlukan kunci.",
                      f"is required: the chips '{first.chip.name}' of {first.en} want keys.")  # fmt: skip
    for reader in readers:
        if isinstance(holder, SamCardsTable):
            yield from _no_sam_card(reader)
        elif reader.table.sam is not None:
            yield Problem("config.value", f"{reader.place}.sam",
                          "hanya untuk key_holder berjenis 'pcsc'; hapus, atau ubah key_holder.",
                          "is only for a key_holder of kind 'pcsc'; remove it, or change key_holder.")  # fmt: skip


def _no_sam_card(reader: _Reader) -> Iterator[Problem]:
    """A reader that a SAM card of its own cannot serve, or does not."""
    if reader.chip.needs_sam and reader.table.sam is None:
        yield Problem("config.missing", f"{reader.place}.sam",
                      f"wajib diisi: key_holder berjenis 'pcsc' memerlukan kartu SAM di {reader.id}.",
                      f"is required: with a key_holder of kind 'pcsc' {reader.en} needs a SAM card of its own.")  # fmt: skip
    if reader.chip.channel.kind == "scp03":
        yield Problem("config.value", f"{reader.place}.profile",
                      f"chip '{reader.chip.name}' memakai SCP03: perlu key_holder berjenis 'pkcs11'.",
                      f"chips '{reader.chip.name}' speak SCP03, which takes a key_holder of kind 'pkcs11'.")  # fmt: skip


def _no_chip_keys(config: Config, readers: Sequence[_Reader]) -> Iterator[Problem]:
    """Chips whose contents are signed, and nobody's signature is believed."""
    signed = sorted({reader.chip.name for reader in readers if reader.chip.invented.signature is not None})
    if signed and not config.chip_keys:
        yield Problem("config.missing", "chip_keys", f"wajib diisi: isi chip {', '.join(signed)} ditandatangani pusat.",
                      f"is required: the contents of {', '.join(signed)} chips are signed by the centre.")  # fmt: skip


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
