"""print-station load LANE N"""

from __future__ import annotations

import argparse
from urllib.parse import quote

from controller.commands.asking import act, add_station, add_who


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("lane", metavar="LANE")
    parser.add_argument("quantity", type=int, metavar="N", help="how many blanks were put into the hopper")
    add_who(parser, reason="hopper filled")
    add_station(parser)


def run(arguments: argparse.Namespace) -> int:
    """Count blanks in and print the new balance."""
    command = {"quantity": arguments.quantity, "who": arguments.who, "reason": arguments.reason}
    answer = act(arguments, f"/api/v1/lanes/{quote(arguments.lane, safe='')}/load", command)
    if answer is None:
        return 1
    print(f"lane {answer.body['lane']}: {answer.body['hopper']} blanks in the hopper by the ledger")
    return 0
