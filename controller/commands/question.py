"""print-station question list | answer ID complete|spoiled|missing|none --reason TEXT"""

from __future__ import annotations

import argparse

from controller.commands.asking import act, add_station, add_who_and_why, look_up


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    add_station(verbs.add_parser("list", help="what only a person can answer now"))
    answer = verbs.add_parser("answer", help="say what became of the card")
    answer.add_argument("question", type=int, metavar="ID")
    answer.add_argument("answer", choices=("complete", "spoiled", "missing", "none"))
    add_who_and_why(answer)
    add_station(answer)


def run(arguments: argparse.Namespace) -> int:
    """List or answer."""
    return _answer(arguments) if arguments.verb == "answer" else _list(arguments)


def _list(arguments: argparse.Namespace) -> int:
    answer = look_up(arguments.station, "/api/v1/questions")
    if answer is None:
        return 1
    for row in answer.body["questions"]:
        print(
            f"question {row['id']}, lane {row['lane']}, job {row['job']}, since {row['asked']}:"
            f" answer {', '.join(row['answers'])}"
        )
        print(f"    {row['text_id']}\n    {row['text_en']}")
    if not answer.body["questions"]:
        print("no open questions")
    return 0


def _answer(arguments: argparse.Namespace) -> int:
    command = {"answer": arguments.answer, "who": arguments.who, "reason": arguments.reason}
    answer = act(arguments, f"/api/v1/questions/{arguments.question}/answer", command)
    if answer is None:
        return 1
    print(f"question {arguments.question}: the card is {answer.body['verdict']}")
    return 0
