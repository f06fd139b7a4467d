"""print-station go"""

from __future__ import annotations

import argparse

from controller.commands.asking import act, add_station, add_who


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    add_who(parser)
    add_station(parser)


def run(arguments: argparse.Namespace) -> int:
    """Press GO from a terminal."""
    answer = act(arguments, "/api/v1/go", {"who": arguments.who})
    if answer is None:
        return 1
    print("the station goes on")
    return 0
