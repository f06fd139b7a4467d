"""print-station profile list | show NAME | check FILE... | status NAME WORD=HEX..."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from controller.commands.asking import say_problems
from controller.conditions import CONDITIONS
from controller.config import DEFAULT_PROFILES
from controller.errors import ConfigError
from controller.hal.evolis_status import STATUS_BITS, explain
from controller.hal.printer_profile import EvolisProfile, Profile, find_profile
from controller.hal.profile_files import Fact, facts, profile_names, resolve


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    _add_folder(verbs.add_parser("list", help="the printers there are profiles for"))
    show = verbs.add_parser("show", help="every value of a profile, how sure it is and whose word it is")
    show.add_argument("name", metavar="NAME")
    show.add_argument("--unproven", action="store_true", help="only what nobody has seen on a real printer (D, E)")
    _add_folder(show)
    check = verbs.add_parser("check", help="say every mistake of profile files, each with its place")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what it extends is looked for in its folder")
    status = verbs.add_parser("status", help="explain the status words of a vendor's log")
    status.add_argument("name", metavar="NAME", help="the printer's profile")
    status.add_argument("words", nargs="+", metavar="WORD=HEX", help=f"WORD is one of {', '.join(STATUS_BITS)}; WAR=08000000")
    _add_folder(status)


def run(arguments: argparse.Namespace) -> int:
    """Do the verb; 1 when a profile has mistakes or a word cannot be read."""
    verbs = {"list": _list, "show": _show, "check": _check, "status": _status}
    return verbs[arguments.verb](arguments)


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profiles", type=Path, default=DEFAULT_PROFILES, metavar="DIR", help="a folder like firmware_profiles")


def _list(arguments: argparse.Namespace) -> int:
    """One line each; a profile with mistakes is listed with the first of them."""
    folder, bad = arguments.profiles / "printers", 0
    for name in profile_names(folder):
        try:
            profile = find_profile(folder, name)
        except ConfigError as error:
            bad += 1
            print(f"{name:20} has {len(error.problems)} mistakes: {error.problems[0]}")
            continue
        print(f"{name:20} {profile.model:20} {_family(profile):9} {profile.plan:9} {len(profile.unproven):>3} parts not proven")
    return 1 if bad else 0


def _show(arguments: argparse.Namespace) -> int:
    folder = arguments.profiles / "printers"
    profile = find_profile(folder, arguments.name)
    whole = resolve(folder, arguments.name)
    print(f"{profile.name}: {profile.model}, {_family(profile)}, plan {profile.plan}, ribbon {profile.ribbon}")
    for fact in facts(whole.table):
        if not (arguments.unproven and fact.proven):
            print(f"{fact.level}  {fact.place} = {_value(fact.value)}\n     {_vouched(fact, whole.origins)}")
    print(f"{len(profile.unproven)} parts not proven on real hardware: {', '.join(profile.unproven) or '-'}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    bad = 0
    for path in arguments.files:
        try:
            if path.suffix != ".toml" or not path.is_file():
                raise FileNotFoundError(f"{path} is not a .toml file")
            profile = find_profile(path.parent, path.stem)
        except FileNotFoundError as error:
            bad += 1
            print(error, file=sys.stderr)
        except ConfigError as error:
            bad += 1
            say_problems(error.problems, str(path.parent))
        else:
            print(f"{path}: good; {len(profile.unproven)} parts not proven")
    return 1 if bad else 0


def _status(arguments: argparse.Namespace) -> int:
    profile = find_profile(arguments.profiles / "printers", arguments.name)
    if not isinstance(profile, EvolisProfile):
        print(f"{profile.model} has no status words; its errors are pairs such as 11:01", file=sys.stderr)
        return 1
    try:
        found = explain(dict(_words(arguments.words)))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    for bit in found:
        print(f"{bit.word} {bit.mask:08X}  {bit.meaning}")
        if bit.condition is not None:
            condition = CONDITIONS[bit.condition]
            print(f"              {condition.code}: {condition.id}\n              {condition.en}")
    if not found:
        print("no bit is set")
    return 0


def _words(texts: list[str]) -> Iterator[tuple[str, int]]:
    """Raises ValueError for a text that is not WORD=HEX."""
    for text in texts:
        word, equals, value = text.partition("=")
        digits = value.lower().removeprefix("0x")
        if not equals or not 0 < len(digits) <= 8 or not set(digits) <= set("0123456789abcdef"):
            raise ValueError(f"'{text}' is not WORD=HEX, such as WAR=08000000")
        yield word.upper(), int(digits, 16)


def _family(profile: Profile) -> str:
    return "evolis" if isinstance(profile, EvolisProfile) else "magicard"


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _vouched(fact: Fact, origins: Mapping[str, str]) -> str:
    """Who says so, and in which file of the chain the value is."""
    return f"{fact.source} [{fact.part}; value in {origins[fact.place]}.toml]"
