"""A chip personalised over the real wire (pyscard, pcscd, vpcd), the card in another process, as hw-sim runs it.

Beside it, for each card in the same run: the same bytes replayed to the same chip with pyscard's binding and nothing else, which
is the limit; the least number of commands and bytes that the profile allows (`chip_minimum`); and the time that these bytes take
on the air at 424 kbit/s by `hwsim.devices.chip_air`, computed and not waited for. What a chip needs to think and to write is left
out of it, so the share that is ours is smaller with a real one.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.chip_minimum import Minimum, minimum
from benchmarks.chip_rig import TOTAL_BYTES, Bench, Run, card, contents, runs
from benchmarks.chip_token import make_token
from benchmarks.figures import Aim, Figure, Section
from controller.chips.profile import find_profile
from controller.config import DEFAULT_PROFILES, ReaderTable
from controller.config_tables import KeyHolderTable, SamCardsTable, SamTable
from controller.hal.chip.stopwatch import Stopwatch
from controller.key_holder import KeyHolders
from hwsim.devices.chip_air import air_s
from tools.pcscd import reader_name, sam_name

FOLDER = Path("build/bench/chip")
CARDS = 20
AIR_KBIT = 424
READER_CLASS = b"\xff"  # answered by the reader: nothing of it is on the air
LEAST = Aim(at_most=1.05, binding=True)
HOST, SHARE = Aim(at_most=0.3), Aim(at_most=2)
WHOLE = {"gp-scp03": Aim(at_most=40)}
_MS = 1000


def measure() -> list[Section]:
    """One section for each profile and key holder."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        token, sams = make_token(FOLDER), SamCardsTable(kind="pcsc")
        return [_measure("gp-scp03", token), _measure("ektp", token), _measure("ektp", sams)]
    finally:
        shutil.rmtree(FOLDER)


def _measure(name: str, table: KeyHolderTable) -> Section:
    profile, keys = find_profile(DEFAULT_PROFILES / "chips", name), Stopwatch()
    files, signature = contents(profile)
    reader = ReaderTable(profile=name, name=reader_name(1), sam=SamTable(name=sam_name(1)))
    with closing(KeyHolders(table)) as holders, card(name) as chip:
        sam = holders.sam_for(reader, profile.channel.kind, keys)
        done = asyncio.run(runs(Bench(profile, sam, keys, signature, files), chip, CARDS))
    least = minimum(profile, [len(file.content) for file in files])
    holder = "a token (SoftHSM2)" if table.kind == "pkcs11" else "a SAM card"
    title = f"Chip {name}, {TOTAL_BYTES // 1024} kB, keys in {holder}, {CARDS} cards: identify to proof after the reset"
    return Section(title, [*_counts(done[0], least), *_times(name, done)], _details(done))


def _counts(run: Run, least: Minimum) -> list[Figure]:
    return [
        Figure("APDUs a card", run.commands, ""),
        Figure("  times the least the profile allows", run.commands / least.commands, "x", LEAST, f"{least.commands}"),
        Figure("bytes to the reader and back a card", run.total_bytes, "bytes"),
        Figure("  times the least the profile allows", run.total_bytes / least.total_bytes, "x", LEAST, f"{least.total_bytes:,}"),
    ]


def _times(name: str, done: Sequence[Run]) -> list[Figure]:
    air_ms = _air_ms(done[0])
    ratio = [run.wall_ms / run.raw_ms for run in done]
    share = [100 * run.total_ms("own_s") / (run.total_ms("own_s") + air_ms) for run in done]
    return [
        _median("whole personalisation", (run.wall_ms for run in done), "ms", WHOLE.get(name)),
        _median("  limit: the same bytes, nothing but pyscard", (run.raw_ms for run in done), "ms"),
        _median("  times the limit", ratio, "x"),
        _median("  of it waited for the key holder", (run.total_ms("keys_s") for run in done), "ms"),
        _median("  of it this program, its ciphers included", (run.total_ms("own_s") for run in done), "ms"),
        _median("host time an APDU beyond pyscard's round trip", (run.host_ms for run in done), "ms", HOST),
        _median("  the same by the reader thread's own clock", (run.total_ms("own_s") / run.commands for run in done), "ms"),
        _median("  pyscard's round trip", (ms for run in done for ms in run.raw_apdu_ms), "ms"),
        Figure(f"time on the air at {AIR_KBIT} kbit/s, computed", air_ms, "ms"),
        _median("  share of a card's time that is ours", share, "%", SHARE),
    ]


def _median(name: str, values: Iterable[float], unit: str, aim: Aim | None = None) -> Figure:
    found = list(values)
    return Figure(f"{name}, median", statistics.median(found), unit, aim, f"{min(found):.3g} to {max(found):.3g}")


def _air_ms(run: Run) -> float:
    return _MS * sum(air_s(len(sent), len(back), AIR_KBIT) for sent, back in run.wire if sent[:1] not in (b"", READER_CLASS))


def _details(done: Sequence[Run]) -> dict[str, object]:
    """Medians of each phase, in ms, and every card's whole."""
    return {
        "phase_ms": _by_phase(done, "whole_s"),
        "phase_chip_ms": _by_phase(done, "chip_s"),
        "phase_keys_ms": _by_phase(done, "keys_s"),
        "whole_ms": [round(run.wall_ms, 2) for run in done],
        "limit_ms": [round(run.raw_ms, 2) for run in done],
    }


def _by_phase(done: Sequence[Run], part: str) -> dict[str, float]:
    costs = {phase: [getattr(run.costs[phase], part) * _MS for run in done] for phase in done[0].costs}
    return {str(phase): round(statistics.median(values), 3) for phase, values in costs.items()}
