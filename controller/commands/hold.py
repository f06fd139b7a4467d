"""print-station hold"""

from __future__ import annotations

import argparse
import getpass

from controller.commands.asking import act, add_station


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("--who", default=getpass.getuser(), help="who does this (default: the login name)")
    add_station(parser)


def run(arguments: argparse.Namespace) -> int:
    """Press HOLD from a terminal."""
    answer = act(arguments, "/api/v1/hold", {"who": arguments.who})
    if answer is None:
        return 1
    print("the station is held: the cards in hand are finished")
    return 0
