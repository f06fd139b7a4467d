"""print-station export-log OUT"""

from __future__ import annotations

import argparse
from pathlib import Path

from controller.commands.asking import say_error
from controller.config import read_config
from controller.errors import ConfigError, StoreError
from controller.jobs.storage_faults import refused
from controller.log_export import export


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("out", type=Path, metavar="OUT", help="the file to be made; it must not exist")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--config", type=Path, default=Path("/etc/print-station/station.toml"), metavar="FILE")
    place.add_argument("--state-dir", type=Path, metavar="DIR", help="the folder with station.db, instead of the configured one")
    parser.add_argument("--first", type=int, default=1, metavar="SEQ", help="begin with this row (default 1)")


def run(arguments: argparse.Namespace) -> int:
    """Write the whole log; the station may be running. Prints the head: the anchor to be kept apart from the file."""
    state_dir = arguments.state_dir or _state_dir(arguments.config)
    try:
        if arguments.out.exists():
            raise refused("exists", state_dir, arguments.out.absolute())
        head = export(state_dir, arguments.out, max(1, arguments.first))
    except StoreError as error:
        say_error(error)
        return 1
    print(f"{arguments.out}: rows {max(1, arguments.first)} to {head.seq}, anchor {head.anchor}")
    return 0


def _state_dir(config: Path) -> Path:
    reading = read_config(config)
    if reading.config is None:
        raise ConfigError(list(reading.problems))
    return reading.config.station.state_dir
