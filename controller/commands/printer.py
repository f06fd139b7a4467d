"""print-station printer status | clean | test-card | accept-settings [--lane LANE] --who NAME --reason TEXT

Every act carries a key of its own, so that an answer that got lost can be asked for again without doing the act twice.
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from controller.commands.asking import act, add_station, add_who_and_why, look_up, say_problems
from controller.errors import Problem

_DONE = {
    "clean": "the cleaning cycle is done; put the ribbon back, then press GO",
    "test-card": "the test card is printed; look for missing dots, then put the card into the reject box",
}
_OUTCOMES = {
    "done": ("selesai", "done"),
    "refused": ("tidak dimulai", "not begun"),
    "failed": ("sudah dimulai, lalu ditolak printer", "begun, and the printer said no"),
    "unknown": ("sudah dimulai, akhirnya tidak terlihat", "begun, and nobody saw its end"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    status = verbs.add_parser("status", help="ribbon, cleaning, rests and settings of each printer")
    status.add_argument("--lane", metavar="LANE", help="only this one")
    add_station(status)
    _act(verbs, "clean", "run the cleaning cycle: HOLD, ribbon out, cleaning card in, cover closed, then this", "cleaning due")
    _act(verbs, "test-card", "print the printer's own test card: takes one blank, which goes to the reject box after", None)
    _act(verbs, "accept-settings", "what the printer says of its settings now is as it should be", None)


def run(arguments: argparse.Namespace) -> int:
    """Show, or do one act."""
    if arguments.verb == "status":
        return _status(arguments)
    lane = arguments.lane or _only_lane(arguments.station)
    if lane is None:
        return 1
    command = {"who": arguments.who, "reason": arguments.reason, "key": arguments.key}
    answer = act(arguments, f"/api/v1/printers/{quote(lane, safe='')}/{arguments.verb}", command)
    if answer is None:
        return 1
    return _accepted(answer.body) if arguments.verb == "accept-settings" else _over(arguments.verb, answer.body)


def _act(verbs: Any, name: str, text: str, reason: str | None) -> None:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.add_argument("--lane", metavar="LANE", help="may be left out where there is only one")
    add_who_and_why(parser, reason=reason)
    add_station(parser)
    parser.add_argument("--key", default=str(uuid.uuid4()), help="repeat an act whose answer was lost, without doing it twice")


def _only_lane(station: str | None) -> str | None:
    """The station's lane; None, after saying so, when there are several."""
    answer = look_up(station, "/api/v1/printers")
    if answer is None:
        return None
    lanes = [row["lane"] for row in answer.body["printers"]]
    if len(lanes) == 1:
        return str(lanes[0])
    say_problems([Problem("usage", "--lane", f"Sebut jalurnya: {', '.join(lanes)}.", f"Name the lane: {', '.join(lanes)}.")])
    return None


def _over(verb: str, body: Mapping[str, Any]) -> int:
    if body["outcome"] == "done":
        print(f"lane {body['lane']}: {_DONE[verb]}")
        return 0
    if not body["outcome"]:
        print(f"lane {body['lane']}: under way; 'print-station printer status --lane {body['lane']}' tells how it ends")
        return 0
    say_problems([Problem(body["condition"], f"lane {body['lane']}", *_ended(body))])
    return 1


def _ended(act: Mapping[str, Any]) -> tuple[str, str]:
    """How an act ended and why, Indonesian and English, with the device's own words."""
    outcome_id, outcome_en = _OUTCOMES[act["outcome"]]
    if not act["condition"]:
        return outcome_id, outcome_en
    return (f"{outcome_id}: {act['condition_id']} {act['detail']}".strip(),
            f"{outcome_en}: {act['condition_en']} {act['detail']}".strip())  # fmt: skip


def _accepted(body: Mapping[str, Any]) -> int:
    for setting in body["accepted"]:
        print(f"lane {body['lane']}: {setting['name']} = {setting['seen']} (was {setting['accepted']})")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    answer = look_up(arguments.station, "/api/v1/printers")
    if answer is None:
        return 1
    rows = [row for row in answer.body["printers"] if arguments.lane in (None, row["lane"])]
    if not rows:
        say_problems([Problem("lane.unknown", "--lane", "Jalur ini tidak ada.", "There is no such lane.")])
        return 1
    for row in rows:
        _show(row)
    return 0


def _show(row: Mapping[str, Any]) -> None:
    printer = row["printer"]
    who = "has not answered yet" if printer is None else f"{printer['model']}, serial {printer['serial']}, {printer['firmware']}"
    print(f"lane {row['lane']}: {who}{'' if row['up'] else ' (does not answer)'}")
    if row["condition"]:
        print(f"  {row['condition_id']} {row['detail']}\n      {row['condition_en']}")
    for asked in row["asks"]:
        print(f"  {asked['id']}\n      {asked['en']}")
    print(f"  ribbon: {_known(row['ribbon_remaining'])} sets left by its own count{_roll(row['roll'])}")
    cleaned = row["cleaned"]
    last = "never by this station" if cleaned is None else f"last {cleaned['ended']} by {cleaned['who']}"
    left = row["cards_until_cleaning"]
    print(f"  cleaning: {'due' if left is not None and left <= 0 else f'in {_known(left)} cards'}, {last}")
    for newest in row["care"][:1]:
        _show_act(newest)
    if row["rest_s"]:
        print(f"  rests for {row['rest_s']} s more")
    for setting in row["settings"]:
        differs = f"  <- accepted: {setting['accepted']}" if setting["differs"] else ""
        print(f"  {setting['name']:24} {setting['seen']}{differs}")


def _show_act(act: Mapping[str, Any]) -> None:
    """The newest act: under way, or how it ended."""
    what = f"  {act['kind'].replace('_', ' ')} asked {act['asked']} by {act['who']}: "
    ended_id, ended_en = _ended(act) if act["outcome"] else ("sedang berjalan", "under way")
    print(f"{what}{ended_id}\n      {ended_en}")


def _known(number: int | None) -> str:
    return "?" if number is None else str(number)


def _roll(roll: Mapping[str, Any] | None) -> str:
    if roll is None:
        return ""
    last = "" if roll["old_sets"] is None else f"; the roll before gave {roll['old_used']} of {roll['old_sets']}"
    return f", {roll['used']} of {roll['sets']} printed{last}"
