"""print-station incident list | explain ID --reason TEXT"""

from __future__ import annotations

import argparse
import json
import uuid

from controller.commands.asking import act, add_station, add_who_and_why, look_up


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    listed = verbs.add_parser("list", help="what contradicts the ledger and was not explained yet")
    listed.add_argument("--json", action="store_true", help="the whole answer as JSON")
    add_station(listed)
    explain = verbs.add_parser("explain", help="close an incident with its explanation")
    explain.add_argument("incident", type=int, metavar="ID")
    add_who_and_why(explain)
    add_station(explain)


def run(arguments: argparse.Namespace) -> int:
    """List the open incidents, or explain one."""
    return _list(arguments) if arguments.verb == "list" else _explain(arguments)


def _list(arguments: argparse.Namespace) -> int:
    answer = look_up(arguments.station, "/api/v1/incidents")
    if answer is None:
        return 1
    if arguments.json:
        print(json.dumps(answer.body, indent=2, ensure_ascii=False))
        return 0
    for incident in answer.body["incidents"]:
        print(f"{incident['id']:>4} {incident['raised']} {incident['kind']} {incident['place']}: {incident['detail']}")
        print(f"       {incident['text_id']}\n       {incident['text_en']}")
    if not answer.body["incidents"]:
        print("no open incidents")
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    command = {"who": arguments.who, "reason": arguments.reason, "key": str(uuid.uuid4())}
    answer = act(arguments, f"/api/v1/incidents/{arguments.incident}/explain", command)
    if answer is None:
        return 1
    print(f"incident {arguments.incident} ({answer.body['incident']['kind']}) is explained")
    return 0
