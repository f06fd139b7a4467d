"""print-station passage resolve ID spoiled|still-blank --reason TEXT"""

from __future__ import annotations

import argparse

from controller.commands.asking import act, add_station, add_who


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    resolve = verbs.add_parser("resolve", help="say what became of the card and free the lane")
    resolve.add_argument("passage", type=int, metavar="ID")
    resolve.add_argument("verdict", choices=("spoiled", "still-blank"))
    add_who(resolve)
    add_station(resolve)


def run(arguments: argparse.Namespace) -> int:
    """Settle an unknown passage."""
    command = {"verdict": arguments.verdict.replace("-", "_"), "who": arguments.who, "reason": arguments.reason}
    answer = act(arguments, f"/api/v1/passages/{arguments.passage}/resolve", command)
    if answer is None:
        return 1
    print(f"passage {arguments.passage} is {arguments.verdict}; job {answer.body['job']['id']} is {answer.body['job']['state']}")
    return 0
