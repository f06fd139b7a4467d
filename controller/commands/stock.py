"""print-station stock receive|load|unload|count|destroy|return|show

Every act carries a key of its own, so that an answer that got lost can be asked for again without doing the act twice.
"""

from __future__ import annotations

import argparse
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controller.client import Answer, StationClient, StationUnreachable
from controller.commands.asking import accepted, add_station, add_who_and_why, look_up, say_problems
from controller.errors import Problem

MAX_UID_FILE_BYTES = 1024 * 1024  # what the station takes is half of that


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    receive = _act(verbs, "receive", "a batch came in", "batch received")
    receive.add_argument("number", metavar="NUMBER", help="the batch's number, as on its box")
    receive.add_argument("quantity", type=int, metavar="N")
    receive.add_argument("--document", required=True, help="the paper it came with")
    receive.add_argument("--uids", type=Path, metavar="FILE", help="the chips: a UID or a range A-B in each line")
    receive.add_argument("--ribbon", action="store_true", help="it is ribbon; N is in sets")
    load = _act(verbs, "load", "blanks go from the store into a hopper, or a new ribbon into a printer", "hopper filled")
    load.add_argument("lane", metavar="LANE")
    load.add_argument("quantity", type=int, nargs="?", metavar="N", help="blanks; with --ribbon sets on the roll (default: full)")
    load.add_argument("--ribbon", action="store_true", help="a new roll was fitted; what was left of the old one is waste")
    unload = _act(verbs, "unload", "blanks go from a hopper back into the store", "hopper emptied")
    unload.add_argument("lane", metavar="LANE")
    unload.add_argument("quantity", type=int, metavar="N")
    count = _act(verbs, "count", "say how many were counted; the ledger tells its number afterwards", "day count")
    count.add_argument("place", nargs="+", metavar="PLACE [N]", help="store, ribbon, hopper LANE or reject LANE; N is asked for")
    destroy = _act(verbs, "destroy", "cards were destroyed", "destroyed")
    destroy.add_argument("place", nargs="+", metavar="PLACE N", help="store or reject LANE, and how many")
    destroy.add_argument("--document", required=True, help="the minutes of the destruction (BA)")
    destroy.add_argument("--uid", action="append", default=[], metavar="UID", help="a chip among them that could be read; repeat")
    give_back = _act(verbs, "return", "blanks were given back or lent", "returned")
    give_back.add_argument("quantity", type=int, metavar="N")
    give_back.add_argument("--document", required=True, help="the paper they went with")
    add_station(verbs.add_parser("show", help="accounts, batches, ribbons and open incidents"))


def run(arguments: argparse.Namespace) -> int:
    """Do one act or show the books."""
    return _VERBS[arguments.verb](arguments)


def _receive(arguments: argparse.Namespace) -> int:
    command: dict[str, Any] = {"number": arguments.number, "quantity": arguments.quantity, "document": arguments.document}
    if arguments.uids is not None:
        uids = _uid_lines(arguments.uids)
        if uids is None:
            return 1
        command["uids"] = uids
    if arguments.ribbon:
        command["ribbon"] = True
    done = _send(arguments, "receive", command)
    what = "ribbon sets" if arguments.ribbon else "blanks"
    return _say(
        done, lambda body: f"batch {body['batch']}: {body['quantity']} {what}; the store now holds {body['store']} by the ledger"
    )


def _load(arguments: argparse.Namespace) -> int:
    command: dict[str, Any] = {"lane": arguments.lane}
    if arguments.quantity is not None:
        command["quantity"] = arguments.quantity
    if not arguments.ribbon:
        return _say(_send(arguments, "load", command), _hopper)
    return _say(_send(arguments, "load", command | {"ribbon": True}), _roll)


def _unload(arguments: argparse.Namespace) -> int:
    return _say(_send(arguments, "unload", {"lane": arguments.lane, "quantity": arguments.quantity}), _hopper)


def _count(arguments: argparse.Namespace) -> int:
    place, rest = _place(arguments.place)
    counted = rest[0] if rest else _ask(arguments.place)
    number = _number(counted)
    if number is None or len(rest) > 1:
        return _wrong("N harus bilangan, misalnya: stock count hopper 1 97", "N must be a number, e.g.: stock count hopper 1 97")
    return _say(_send(arguments, "count", {**place, "counted": number}), _difference)


def _destroy(arguments: argparse.Namespace) -> int:
    place, rest = _place(arguments.place)
    number = _number(rest[0]) if len(rest) == 1 else None
    if number is None:
        return _wrong("Sebut tempat dan jumlah, misalnya: stock destroy reject 1 12",
                      "Say the place and how many, e.g.: stock destroy reject 1 12")  # fmt: skip
    command = {**place, "quantity": number, "document": arguments.document}
    if arguments.uid:
        command["uids"] = arguments.uid
    done = _send(arguments, "destroy", command)
    return _say(done, lambda body: f"{body['destroyed']} destroyed; {body['left']} left in {body['account']} by the ledger")


def _return(arguments: argparse.Namespace) -> int:
    done = _send(arguments, "return", {"quantity": arguments.quantity, "document": arguments.document})
    return _say(done, lambda body: f"{body['returned']} returned; the store now holds {body['store']} by the ledger")


def _show(arguments: argparse.Namespace) -> int:
    answer = look_up(arguments.station, "/api/v1/stock")
    if answer is None:
        return 1
    books = answer.body
    for name, held in books["accounts"].items():
        print(f"{name:20} {held:>9}")
    _table("batches", "{number:24} {item:7} {quantity:>7}  used {used:>6}  {document}", books["batches"])
    _table("ribbon rolls", "lane {lane:8} {sets:>5} sets, {used:>5} printed, fitted {fitted}{state}",
           [roll | {"state": "" if roll["removed_us"] is None else ", taken off"} for roll in books["rolls"]])  # fmt: skip
    _table("open incidents", "{id:>4} {kind:18} {place:12} {raised}  {detail}", books["incidents"])
    return 0


_VERBS = {"receive": _receive, "load": _load, "unload": _unload, "count": _count, "destroy": _destroy, "return": _return,
          "show": _show}  # fmt: skip


def _act(verbs: Any, name: str, text: str, reason: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    add_who_and_why(parser, reason=reason)
    add_station(parser)
    parser.add_argument("--key", default=str(uuid.uuid4()), help="repeat an act whose answer was lost, without doing it twice")
    return parser


def _send(arguments: argparse.Namespace, verb: str, command: Mapping[str, Any]) -> Answer | None:
    """Post an act; once more if the answer got lost. None when it was refused, after saying why."""
    whole = {**command, "who": arguments.who, "reason": arguments.reason, "key": arguments.key}
    try:
        answer = _post(arguments.station, f"/api/v1/stock/{verb}", whole)
    except StationUnreachable:
        try:
            answer = _post(arguments.station, f"/api/v1/stock/{verb}", whole)
        except StationUnreachable:
            again = f"--key {arguments.key}"
            say_problems([Problem("act.lost", "", f"Tidak pasti apakah sudah dicatat; ulangi perintah yang sama dengan {again}.",
                                  f"Nobody knows whether it was booked; repeat the same command with {again}.")])  # fmt: skip
            raise
    return answer if accepted(answer) else None


def _post(station: str | None, path: str, command: Mapping[str, Any]) -> Answer:
    with StationClient(station) as client:
        return client.post(path, command)


def _say(answer: Answer | None, text: Any) -> int:
    if answer is None:
        return 1
    print(text(answer.body))
    return 0


def _hopper(body: Mapping[str, Any]) -> str:
    return f"lane {body['lane']}: {body['hopper']} blanks in the hopper by the ledger"


def _roll(body: Mapping[str, Any]) -> str:
    old = body["old_roll"]
    was = "" if old is None else f"; the old roll printed {old['used']} of {old['sets']} sets"
    return f"lane {body['lane']}: a roll of {body['sets']} sets{was}"


def _difference(body: Mapping[str, Any]) -> str:
    if body["difference"] == 0:
        return f"{body['account']}: {body['counted']} counted, as the ledger says"
    word = "missing" if body["difference"] < 0 else "too many"
    return (f"{body['account']}: {body['counted']} counted, the ledger said {body['ledger']}: {abs(body['difference'])} {word}; "
            "look for the cause, then 'print-station incident explain'")  # fmt: skip


def _place(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """`hopper 1 97` as place and lane, and what is left of it."""
    if words[0] in ("hopper", "reject") and len(words) > 1:
        return {"place": words[0], "lane": words[1]}, words[2:]
    return {"place": words[0]}, words[1:]


def _ask(place: list[str]) -> str:
    print(f"How many are in {' '.join(place)}? ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def _number(text: str) -> int | None:
    bare = text.removeprefix("-")
    return int(text) if bare.isascii() and bare.isdecimal() and len(bare) <= 15 else None


def _wrong(text_id: str, text_en: str) -> int:
    say_problems([Problem("usage", "", text_id, text_en)])
    return 1


def _uid_lines(path: Path) -> list[str] | None:
    """The UIDs and ranges of a file without blank lines and comments. None when there are none or it cannot be read, after
    saying why.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_UID_FILE_BYTES + 1)
        if len(data) > MAX_UID_FILE_BYTES:
            raise ValueError(f"longer than {MAX_UID_FILE_BYTES} bytes")
        lines = [line.partition("#")[0].strip() for line in data.decode("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        say_problems([Problem("uids.file", "uids", f"{path} tidak terbaca: {error}", f"{path} cannot be read: {error}")])
        return None
    uids = [line for line in lines if line]
    if not uids:
        say_problems([Problem("uid.none", "uids", f"{path} tidak memuat UID; isi daftarnya, atau tinggalkan --uids.",
                              f"{path} lists no UID; fill the list, or leave --uids out.")])  # fmt: skip
    return uids or None


def _table(title: str, row: str, rows: list[Mapping[str, Any]]) -> None:
    print(f"\n{title}: {len(rows) or 'none'}")
    for values in rows:
        print(f"  {row.format(**values)}")
