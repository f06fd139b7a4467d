"""print-station check-config FILE"""

from __future__ import annotations

import argparse
from pathlib import Path

from controller.commands.asking import say_problems
from controller.errors import ConfigError
from controller.setup import read_setup


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the station.toml")


def run(arguments: argparse.Namespace) -> int:
    """Say every mistake with its place, or what the file describes."""
    try:
        setup = read_setup(arguments.file)
    except ConfigError as error:
        say_problems(error.problems, str(arguments.file))
        return 1
    print(f"{arguments.file}: good")
    for lane in setup.lanes:
        table = lane.table
        port = f", port {table.printer.port}" if table.printer.port is not None else ""
        print(f"  lane {table.name}: {lane.printer.model} (serial {table.printer.serial}{port}, ribbon {lane.printer.ribbon}), "
              f"reader '{table.reader.name}'")  # fmt: skip
        for part in lane.printer.unproven:
            print(f"    not proven on real hardware: {part}")
        for part in lane.chip.unproven:
            print(f"    not proven on real chips ({lane.chip.name}): {part}")
    return 0
