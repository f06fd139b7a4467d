"""print-station keys init|check: the key holder of a station, for its technician (docs/key-holder.md).

`init` makes the master keys inside the token, where they stay for good. `check` shows that every lane's key holder is there,
opens with its PIN, and can do what the lane's chips need; the running station may hold a SAM card meanwhile, which `check` says.
Neither takes a PIN: that comes from where station.toml says, never from the command line. Exit codes: 0 good, 1 not, 2 usage.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from controller.commands.asking import say_problems
from controller.commands.chip_findings import HELD_EN, HELD_ID, is_held
from controller.conditions import CONDITIONS
from controller.config import ReaderTable, load_config
from controller.config_tables import TokenTable
from controller.errors import ConfigError, DeviceError, DeviceRefused, Problem
from controller.hal.chip.key_ring import KeyRing, Kind
from controller.hal.chip.pkcs11_sam import AES_MASTER_BYTES, MASTERS, Needs, check_master
from controller.key_holder import Channel, KeyHolders, Token
from controller.setup import Setup, read_setup

DES3_MASTER_BYTES = 24
_SYNTHETIC: dict[Needs, str] = {"icao": "ektp", "scp03": "gp-scp03"}  # tables of examples/keys/contoh-chip-masters.toml


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="init|check")
    init = verbs.add_parser("init", help="make the master keys inside the token; what is there stays as it is")
    init.add_argument("--bits", type=int, choices=[8 * size for size in AES_MASTER_BYTES], default=256,
                      help="length of the AES master, and of every card's SCP03 keys (default: 256)")  # fmt: skip
    init.add_argument("--synthetic", type=Path, metavar="FILE",
                      help="put in the known masters of simulated chips instead: never for real cards")  # fmt: skip
    check = verbs.add_parser("check", help="see whether every lane's key holder can work")
    check.add_argument("--once-more", action="store_true",
                       help="try the PIN although the token was given a wrong one: I have corrected it")  # fmt: skip
    for verb in (init, check):
        verb.add_argument("--config", type=Path, default=Path("/etc/print-station/station.toml"), metavar="FILE")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 when the key holder is as it must be."""
    try:
        return _init(arguments) if arguments.verb == "init" else _check(arguments)
    except ConfigError as error:
        say_problems(error.problems)
    except DeviceError as error:
        _say_trouble("keys init", error)
    return 1


def _init(arguments: argparse.Namespace) -> int:
    config = load_config(arguments.config)
    table = config.key_holder
    if not isinstance(table, TokenTable):
        raise ConfigError([Problem("config.value", "key_holder", "kunci hanya dibuat di token (kind = \"pkcs11\").",
                                   "keys are made only in a token (kind = \"pkcs11\").")])  # fmt: skip
    known = None if arguments.synthetic is None else _read_synthetic(arguments.synthetic)
    with closing(KeyHolders.of(config)) as holders:
        said = holders.token(table).run(
            lambda ring: [_make(ring, needs, arguments.bits // 8, known) for needs in MASTERS], write=True
        )
    print(f"token '{table.token}'")
    for line in said:
        print(f"  {line}")
    return 0


def _make(ring: KeyRing, needs: Needs, aes_bytes: int, known: dict[Needs, bytes] | None) -> str:
    label, kind = MASTERS[needs]
    if ring.find(label, kind):
        return f"{label}: was there already, nothing changed"
    if known is not None:
        ring.take_synthetic(label, kind, known[needs])
        return f"{label}: put in, SYNTHETIC; everybody knows it"
    ring.make_master(label, kind, aes_bytes if kind is Kind.AES else DES3_MASTER_BYTES)
    return f"{label}: made inside the token ({kind.value}); back it up as the token's vendor says"


def _check(arguments: argparse.Namespace) -> int:
    setup = read_setup(arguments.config)
    table = setup.config.key_holder
    bad = 0
    with closing(KeyHolders.of(setup.config)) as holders:
        if isinstance(table, TokenTable) and _tell(
            f"token '{table.token}'", partial(_remarks_of, holders.token(table), arguments.once_more)
        ):
            return 1  # every lane would say the same
        for place, reader, channel in _readers(setup):
            with closing(holders.sam_for(reader, channel, once_more=arguments.once_more)) as sam:
                bad += _tell(place, sam.check)
    return 1 if bad else 0


def _readers(setup: Setup) -> Iterator[tuple[str, ReaderTable, Channel]]:
    """Every reader whose chips want a key holder, in words."""
    readers = [(f"lane {lane.table.name}", lane.table.reader, lane.chip) for lane in setup.lanes]
    if setup.config.desk_reader is not None and setup.desk_chip is not None:
        readers.append(("desk", setup.config.desk_reader, setup.desk_chip))
    for name, reader, chip in readers:
        if chip.needs_sam:
            yield f"{name} ({chip.name}, {chip.channel.kind})", reader, chip.channel.kind


def _tell(place: str, check: Callable[[], list[str] | None]) -> bool:
    """Do one check and say how it went; True when it went wrong."""
    try:
        lines = check() or []
    except DeviceError as error:
        _say_trouble(place, error)
        return True
    print(f"{place}: good")
    for line in lines:
        print(f"  {line}")
    return False


def _say_trouble(place: str, error: DeviceError) -> None:
    """What a key holder's trouble means, what to do, and its own words."""
    row = CONDITIONS[error.condition]
    said_id, said_en = (HELD_ID, HELD_EN) if is_held(error) else (row.id, row.en)
    say_problems([Problem(error.condition, place, said_id, f"{said_en}\n    [{error}]")])


def _remarks_of(link: Token, once_more: bool) -> list[str]:
    """What is remarkable about the masters that are there."""
    return link.run(_remarks, once_more=once_more)


def _remarks(ring: KeyRing) -> list[str]:
    lines = []
    for needs, (label, kind) in MASTERS.items():
        try:
            check_master(ring, needs)
        except DeviceRefused as error:
            lines.append(f"{label}: {error.detail}")
            continue
        doubts = ring.doubts(ring.master(label, kind))
        lines.append(f"{label}: " + (", ".join(doubts) if doubts else "made inside, never to leave"))
    return lines


def _read_synthetic(path: Path) -> dict[Needs, bytes]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return {needs: bytes.fromhex(table[name]["master"]) for needs, name in _SYNTHETIC.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:  # TOML's and Unicode's errors are ValueErrors
        raise ConfigError([Problem("config.file", str(path), f"bukan berkas kunci sintetis ({type(error).__name__}).",
                                   f"is no file of synthetic masters ({type(error).__name__}).")]) from error  # fmt: skip
