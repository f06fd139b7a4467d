"""print-station preview RECORD -o PICTURE"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from controller.cards.icc import read_icc
from controller.cards.layout_file import read_layout
from controller.cards.raster import BACK, FRONT
from controller.cards.renderer import Renderer
from controller.commands.asking import say_problems
from controller.config import DEFAULT_PROFILES
from controller.errors import ConfigError, Problem, RecordRefused, RenderError, StoreError
from controller.hal.profiles.printer import PrinterProfile, find_profile
from controller.records.canonical import MAX_BYTES
from controller.records.intake import load_stored, read_record
from controller.records.prr import Record
from controller.setup import LaneSetup, Setup, read_setup

INSTALLED_CONFIG = Path("/etc/print-station/station.toml")
USUAL_PROFILE = "evolis-primacy"


@dataclass(frozen=True, slots=True)
class _Printer:
    """What the record is drawn for."""

    profile: PrinterProfile
    icc: Path | None
    layout: Path | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("record", type=Path, metavar="RECORD", help="one record, as in docs/record-format.md")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="PICTURE", help="the PNG to write; it shows a person")
    parser.add_argument("--side", choices=(FRONT, BACK), default=FRONT)
    text = f"station.toml, for keys, printer, colours, layout (default: {INSTALLED_CONFIG} if there is one)"
    parser.add_argument("--config", type=Path, metavar="FILE", help=text)
    parser.add_argument("--lane", metavar="NAME", help="whose printer (default: the first)")
    parser.add_argument("--profile", metavar="NAME", help=f"another printer (without a station.toml: {USUAL_PROFILE})")
    parser.add_argument("--ribbon", metavar="NAME", help="another ribbon of the printer's profile")
    parser.add_argument("--icc", type=Path, metavar="FILE", help="another ICC profile of the printer")
    parser.add_argument("--layout", type=Path, metavar="FILE", help="another card layout")


def run(arguments: argparse.Namespace) -> int:
    """Draw the record, pack it, show the dots; 1 when it would be refused. The child writes private files."""
    try:
        setup = _setup(arguments.config)
        printer = _printer(arguments, setup)
        record = _check(_read(arguments.record), setup)
        asyncio.run(_draw(record, arguments.record.absolute(), printer, arguments.out.absolute(), arguments.side))
    except (ConfigError, RecordRefused) as error:
        say_problems(error.problems, str(arguments.record) if isinstance(error, RecordRefused) else "")
        return 1
    except RenderError as error:
        say_problems([error.problem], str(arguments.record))
        return 1
    except StoreError as error:
        say_problems([Problem("file", "", f"gambar tidak dapat disimpan: {error}.", f"{error}.")], str(arguments.out))
        return 1
    print(f"{arguments.out}: {arguments.side} for {printer.profile.model}, ribbon {printer.profile.ribbon}")
    return 0


def _setup(config: Path | None) -> Setup | None:
    if config is None and not INSTALLED_CONFIG.exists():
        print("no station.toml: the record's seal is not checked (--config FILE)", file=sys.stderr)
        return None
    return read_setup(config or INSTALLED_CONFIG)


def _printer(arguments: argparse.Namespace, setup: Setup | None) -> _Printer:
    """The lane's printer, or what the options name in its place."""
    lane = None if setup is None else _lane_named(arguments.lane, setup)
    icc, layout = arguments.icc, arguments.layout
    if lane is not None and setup is not None:
        layout = layout or setup.config.station.layout
    if lane is not None and setup is not None and arguments.profile is None:
        profile, icc = lane.printer, icc or lane.table.printer.icc
    else:
        folder = DEFAULT_PROFILES if setup is None else setup.config.station.profiles_dir
        profile = find_profile(folder / "printers", arguments.profile or USUAL_PROFILE)
    if arguments.ribbon is not None:
        profile = profile.with_ribbon(arguments.ribbon)
    if icc is not None:
        read_icc(icc, "icc")
    if layout is not None:
        read_layout(layout)
    return _Printer(profile, icc, layout)


def _lane_named(name: str | None, setup: Setup) -> LaneSetup:
    for lane in setup.lanes:
        if name in (None, lane.table.name):
            return lane
    names = ", ".join(lane.table.name for lane in setup.lanes)
    raise ConfigError([Problem("config.lane", "--lane", f"jalur '{name}' tidak ada; yang ada: {names}.",
                               f"there is no lane '{name}'; there are: {names}.")])  # fmt: skip


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _not_a_record(f"tidak terbaca: {error.strerror}.", f"cannot be read: {error.strerror}.") from error
    if len(body) > MAX_BYTES:
        raise _not_a_record(
            f"lebih dari {MAX_BYTES} byte; bukan satu rekaman.", f"is longer than {MAX_BYTES} bytes; not one record."
        )
    return body


def _not_a_record(indonesian: str, english: str) -> RecordRefused:
    return RecordRefused([Problem("file", "", indonesian, english)])


def _check(body: bytes, setup: Setup | None) -> Record:
    """The record as submit would take it. Raises RecordRefused with every reason."""
    if setup is None:
        return load_stored(body)
    return read_record(body, setup.centre_keys, chip_max_bytes=setup.chip_max_bytes).record


async def _draw(record: Record, path: Path, printer: _Printer, out: Path, side: str) -> None:
    raster = printer.profile.raster_for(printer.profile.ribbon, (FRONT, BACK))
    renderer = Renderer(raster, layout=printer.layout, icc=printer.icc)
    try:
        with tempfile.TemporaryDirectory(prefix="print-station-") as folder:
            panels = Path(folder) / "card.panels"
            await renderer.check_images(record.photo.content(), record.signature.content())
            await renderer.render(path, panels)
            await renderer.picture(panels, out, side)
    finally:
        await renderer.close()
