"""print-station profile list | show NAME | check FILE... | status NAME WORD=HEX...   Of printers and of chips."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from controller.chips import profile as chip_profile
from controller.chips.profile import ChipProfile
from controller.commands.asking import say_problems
from controller.conditions import CONDITIONS
from controller.config import DEFAULT_PROFILES
from controller.errors import ConfigError
from controller.hal.evolis.status import STATUS_BITS, explain
from controller.hal.profiles.files import Fact, facts, profile_names, resolve
from controller.hal.profiles.printer import EvolisProfile, Profile, find_profile

_HEX = {"fid", "card_control", "signature", "path", "level", "version", "key_version"}  # keys of chip profiles


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    _add_folder(verbs.add_parser("list", help="the printers and chips there are profiles for"))
    show = verbs.add_parser("show", help="every value of a profile, how sure it is and whose word it is")
    show.add_argument("name", metavar="NAME")
    show.add_argument("--unproven", action="store_true", help="only what nobody has seen on real hardware (D, E)")
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
    """One line each, printers first; a profile with mistakes is listed with the first of them."""
    bad = 0
    for kind in ("printers", "chips"):
        folder = arguments.profiles / kind
        for name in profile_names(folder):
            try:
                profile = _find(folder, name)
            except ConfigError as error:
                bad += 1
                print(f"{name:20} has {len(error.problems)} mistakes: {error.problems[0]}")
                continue
            print(f"{name:20} {_about(profile)} {len(profile.unproven):>3} parts not proven")
    return 1 if bad else 0


def _find(folder: Path, name: str) -> Profile | ChipProfile:
    return chip_profile.find_profile(folder, name) if folder.name == "chips" else find_profile(folder, name)


def _about(profile: Profile | ChipProfile) -> str:
    if isinstance(profile, ChipProfile):
        return f"{'chip':20} {profile.channel.kind:9} {profile.invented.write:9}"
    return f"{profile.model:20} {_family(profile):9} {profile.plan:9}"


def _show(arguments: argparse.Namespace) -> int:
    if arguments.name in profile_names(arguments.profiles / "chips"):
        return _show_chip(arguments)
    folder = arguments.profiles / "printers"
    profile = find_profile(folder, arguments.name)
    whole = resolve(folder, arguments.name)
    print(f"{profile.name}: {profile.model}, {_family(profile)}, plan {profile.plan}, ribbon {profile.ribbon}")
    _show_facts(whole.table, whole.origins, unproven=arguments.unproven)
    print(f"{len(profile.unproven)} parts not proven on real hardware: {', '.join(profile.unproven) or '-'}")
    return 0


def _show_chip(arguments: argparse.Namespace) -> int:
    path = arguments.profiles / "chips" / f"{arguments.name}.toml"
    profile = chip_profile.find_profile(path.parent, path.stem)
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    lock = "locked at the end" if profile.locks else "never locked"
    print(f"{profile.name}: chip, channel '{profile.channel.kind}', written by '{profile.invented.write}', {lock}")
    _show_facts(table, {}, unproven=arguments.unproven)
    print(f"{len(profile.unproven)} parts not proven on real hardware: {', '.join(profile.unproven) or '-'}")
    return 0


def _show_facts(table: Mapping[str, Any], origins: Mapping[str, str], *, unproven: bool) -> None:
    """Each value with whose word it is; the rows of an array of tables one by one."""
    for fact in facts(table):
        if unproven and fact.proven:
            continue
        rows = fact.value if isinstance(fact.value, list) and fact.value and isinstance(fact.value[0], dict) else None
        for place, value in (
            [(fact.place, fact.value)] if rows is None else [(f"{fact.place}[{number}]", row) for number, row in enumerate(rows)]
        ):
            print(f"{fact.level}  {place} = {_value(place, value)}")
        print(f"     {_vouched(fact, origins)}")


def _check(arguments: argparse.Namespace) -> int:
    bad = 0
    for path in arguments.files:
        try:
            if path.suffix != ".toml" or not path.is_file():
                raise FileNotFoundError(f"{path} is not a .toml file")
            profile = (
                chip_profile.find_profile(path.parent, path.stem) if _is_chip(path) else find_profile(path.parent, path.stem)
            )
        except FileNotFoundError as error:
            bad += 1
            print(error, file=sys.stderr)
        except ConfigError as error:
            bad += 1
            say_problems(error.problems, str(path.parent))
        else:
            print(f"{path}: good; {len(profile.unproven)} parts not proven")
    return 1 if bad else 0


def _is_chip(path: Path) -> bool:
    """Whether the file is meant for a chip: by its folder, or by a table that only chips have."""
    if path.absolute().parent.name in ("chips", "printers"):
        return path.absolute().parent.name == "chips"
    try:
        return "channel" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # whoever reads it as a profile says what is wrong with it
        return False


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


def _value(place: str, value: Any) -> str:
    key = place.rpartition(".")[2]
    shown = {name: _shown(name, inside) for name, inside in value.items()} if isinstance(value, dict) else _shown(key, value)
    return json.dumps(shown, ensure_ascii=False)


def _shown(key: str, value: Any) -> Any:
    """File ids, tags and levels are hexadecimal wherever they are written."""
    if key not in _HEX:
        return value
    return [f"0x{tag:02X}" for tag in value] if isinstance(value, list) else f"0x{value:02X}"


def _vouched(fact: Fact, origins: Mapping[str, str]) -> str:
    """Who says so, and in which file of the chain the value is."""
    where = f"; value in {origins[fact.place]}.toml" if fact.place in origins else ""
    return f"{fact.source} [{fact.part}{where}]"
