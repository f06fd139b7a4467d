"""A chip personalised over the real wire (pyscard, pcscd, vpcd), the card in another process, as hw-sim runs it.

Beside it, for each card in the same run: the same bytes said again to the same chip and the same SAM with pyscard's binding and
nothing else, which is the limit (`chip_replay`); the least number of commands and bytes that the profile allows, and any
script could do with (`chip_minimum`); and the time that these bytes take on the air at 424 kbit/s by `hwsim.devices.chip_air`,
computed and not waited for.

Ours is the whole time, as the lane waits, without those raw exchanges. The share sets it against itself and the air alone: what
chip and SAM need to think and to write is left out, so it is smaller with real ones. A token's work is told with it and without.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.chip_minimum import Minimum, floor, minimum
from benchmarks.chip_replay import Exchange, HeardSlot, Wire
from benchmarks.chip_rig import TOTAL_BYTES, Bench, Run, card, contents, runs
from benchmarks.chip_token import make_token
from benchmarks.figures import Aim, Figure, Section
from controller.chips.profile import find_profile
from controller.config import DEFAULT_PROFILES, ReaderTable
from controller.config_tables import KeyHolderTable, SamCardsTable, SamTable
from controller.hal.chip.pcsc_sam import PcscSam
from controller.hal.chip.sam_link import SamLink
from controller.hal.chip.stopwatch import Stopwatch
from controller.key_holder import KeyHolders
from hwsim.devices.chip_air import air_s
from tools.pcscd import reader_name, sam_name

FOLDER = Path("build/bench/chip")
CARDS = 20
AIR_KBIT = 424
READER_CLASS = b"\xff"  # answered by the reader: nothing of it is on the air
_LEAST, _BARE = "  times the least the profile's script allows", "  times the least for this content, without any script"
LEAST, BARE = Aim(at_most=1.05, binding=True), Aim(at_most=1.5, binding=True)  # files, lengths and channel make 1.14 to 1.39
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
    slot = None if table.kind == "pkcs11" else HeardSlot(SamLink(sam_name(1)), keys)
    with closing(KeyHolders(table)) as holders, card(name) as chip:
        sam = holders.sam_for(reader, profile.channel.kind, keys) if slot is None else PcscSam(slot)
        done = asyncio.run(runs(Bench(profile, sam, keys, signature, files, slot), chip, CARDS))
    sizes = [len(file.content) for file in files]
    least = minimum(profile, sizes)
    bare = floor(sum(sizes), profile.invented.block_bytes, profile.read.block_bytes)
    holder = "a token (SoftHSM2)" if slot is None else "a SAM card"
    title = f"Chip {name}, {TOTAL_BYTES // 1024} kB, keys in {holder}, {CARDS} cards: identify to proof after the reset"
    return Section(title, [*_counts(done[0], least, bare), *_times(name, done)], _details(done))


def _counts(run: Run, least: Minimum, bare: Minimum) -> list[Figure]:
    commands, size = run.commands, run.total_bytes
    return [
        Figure("APDUs a card", commands, ""),
        Figure(_LEAST, commands / least.commands, "x", LEAST, f"{least.commands}"),
        Figure(_BARE, commands / bare.commands, "x", BARE, f"{bare.commands}"),
        Figure("bytes to the reader and back a card", size, "bytes"),
        Figure(_LEAST, size / least.total_bytes, "x", LEAST, f"{least.total_bytes:,}"),
        Figure(_BARE, size / bare.total_bytes, "x", BARE, f"{bare.total_bytes:,}"),
    ]


def _times(name: str, done: Sequence[Run]) -> list[Figure]:
    air_ms, with_sam = _air_ms(done[0]), done[0].holder_said
    ours = _ours("chip and SAM raw" if with_sam else "chip raw; the token is in it", air_ms, done, [run.host_ms for run in done])
    if not with_sam:
        ours += _ours("chip raw and waiting for the token", air_ms, done, [run.host_without_token_ms for run in done])
    return [
        _median("whole personalisation", (run.wall_ms for run in done), "ms", WHOLE.get(name)),
        _median("  limit: the same bytes, nothing but pyscard", (run.raw_ms for run in done), "ms"),
        _median("  times the limit", (run.wall_ms / run.raw_ms for run in done), "x"),
        _median("  of the limit said to the SAM", (run.raw.total_ms(Wire.SAM) for run in done), "ms"),
        _median("  waited for the key holder, our link to it included", (run.total_ms("keys_s") for run in done), "ms"),
        _median("  pyscard's round trip to the chip", (ms for run in done for ms in run.raw.apdu_ms[Wire.CHIP]), "ms"),
        Figure(f"time on the air at {AIR_KBIT} kbit/s, computed", air_ms, "ms"),
        *ours,
    ]


def _ours(without: str, air_ms: float, done: Sequence[Run], host_ms: Sequence[float]) -> list[Figure]:
    """What is ours of a card, when `without` is taken off its whole time."""
    share = [100 * own_ms / (own_ms + air_ms) for own_ms in host_ms]
    each = [own_ms / run.commands for own_ms, run in zip(host_ms, done, strict=True)]
    return [
        _median(f"ours (whole without {without})", host_ms, "ms"),
        _median("  for each APDU to the chip", each, "ms", HOST),
        _median("  share of it and the air; chip and SAM think in no time", share, "%", SHARE),
    ]


def _median(name: str, values: Iterable[float], unit: str, aim: Aim | None = None) -> Figure:
    found = list(values)
    return Figure(f"{name}, median", statistics.median(found), unit, aim, f"{min(found):.3g} to {max(found):.3g}")


def _air_ms(run: Run) -> float:
    return _MS * sum(air_s(len(one.sent), len(one.back), AIR_KBIT) for one in _on_the_air(run))


def _on_the_air(run: Run) -> Iterator[Exchange]:
    return (one for one in run.said if one.wire is Wire.CHIP and one.sent[:1] not in (b"", READER_CLASS))


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
