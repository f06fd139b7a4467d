"""The command `print-station`. Each verb is a module of `controller.commands`, imported only when it is asked for:
`jobs` must not wait for the daemon's libraries."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from controller import __version__, lean_libraries
from controller.errors import ConfigError, StationError

DAEMON = "run"
COMMANDS = {
    DAEMON: "run the station's daemon",
    "check-config": "check a station.toml and say every mistake",
    "profile": "profiles of printers and chips: list, show with sources, check; explain a vendor's status words",
    "submit": "hand in records (PRR files)",
    "preview": "show a record as the dots of a printer will look",
    "jobs": "list jobs",
    "job": "show one job with its passages",
    "cancel": "take a job back before its blank is fed",
    "retry": "let a held or failed job be tried again",
    "stock": "blanks and ribbons: receive, load, unload, count, destroy, return, show",
    "printer": "see what each printer says of itself, have it cleaned, print its test card, accept its settings",
    "incident": "see and explain what contradicts the ledger",
    "hold": "finish the cards in hand, feed no more (the HOLD button)",
    "go": "go on after HOLD, and try again what waits (the GO button)",
    "question": "see and answer what only a person can know about a card",
    "store": "look at, save or restore what the station has on disk",
    "chip": "look at the card on a reader: is it good, is it empty; try a reader with an empty blank",
    "keys": "make the master keys of chips inside a token, and see whether the key holder can work",
    "capture": "record a printer's USB traffic as a trace file, or hold today's driver against one",
    "station": "show what the station does now",
    "export-log": "write the event log to a file, also while the station works",
    "verify-log": "check an exported event log, or the database's, for tampering",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0 done, 1 refused or failed, 2 wrong usage)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--version"]:
        print(f"print-station {__version__}")
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        _usage(arguments)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    name, rest = arguments[0], arguments[1:]
    command = _load(name)
    parser = argparse.ArgumentParser(prog=f"print-station {name}", description=COMMANDS[name])
    command.configure(parser)
    try:
        code = int(command.run(parser.parse_args(rest)))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # nobody reads on, as in `... | head`: no fault, and nothing may be said at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ConfigError as error:
        for problem in error.problems:
            _say(f"print-station: {problem}")
    except StationError as error:
        _say(f"print-station: {error}")
    return 1


def _load(name: str) -> ModuleType:
    """The module of a verb, its objects put where the garbage collector never looks: libraries are no garbage, and looking
    through them costs a tenth of the start, and later stops the daemon's loop for 50 ms at a time."""
    gc.disable()
    try:
        if name == DAEMON:
            lean_libraries.prepare()
        return importlib.import_module(f"controller.commands.{name.replace('-', '_')}")
    finally:
        gc.freeze()
        gc.enable()


def _usage(arguments: Sequence[str]) -> None:
    if arguments and not arguments[0].startswith("-"):
        _say(f"print-station: there is no command '{arguments[0]}'")
    width = max(map(len, COMMANDS))
    _say("usage: print-station COMMAND [...]   (print-station COMMAND --help tells more)\n")
    for name, text in COMMANDS.items():
        _say(f"  {name:{width}}  {text}")


def _say(text: str) -> None:
    print(text, file=sys.stderr)
