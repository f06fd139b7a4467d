"""One chip personalised over the real wire, and what was said to it and to its SAM said again with nothing around it.

What is ours is what is left of a card's whole time, as the lane waits for it, without those raw exchanges: our links, the hops
between threads, scripts and ciphers. A token has no wire: its module works within our process, so what is waited for it is told
apart, our own link included.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.chip_replay import RESET, Exchange, HeardSlot, Replayed, Wire, replay
from controller.chips.content_signature import ContentSignature, to_be_signed
from controller.chips.profile import ChipProfile
from controller.chips.sam import Sam
from controller.clock import Deadline
from controller.errors import DeviceAbsent
from controller.hal.chip.station import PcscChipStation, PhaseWatch
from controller.hal.chip.stopwatch import Stopwatch
from controller.hal.ports import ChipCost, ChipPhase
from controller.model import ChipFile
from tools.pcscd import reader_name, sam_name
from tools.rig import RigError

TOTAL_BYTES = 8192
SIGNATURE_BYTES = 72  # the longest of P-256 in DER
LIMIT_S = 30.0
LOOK_S = 0.1
READERS = {Wire.CHIP: reader_name(1), Wire.SAM: sam_name(1)}
_MS = 1000


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured: a profile, its key holder, and the content of a card."""

    profile: ChipProfile
    sam: Sam
    keys: Stopwatch  # of the key holder
    signature: ContentSignature | None
    files: Sequence[ChipFile]
    slot: HeardSlot | None = None  # of a SAM card; None: a token


@dataclass(slots=True)
class Run:
    """One card."""

    wall_ms: float = 0.0  # as the lane sees it
    costs: dict[ChipPhase, ChipCost] = field(default_factory=dict)
    said: list[Exchange] = field(default_factory=list)
    raw: Replayed = field(default_factory=Replayed)  # the same exchanges, and nothing else
    holder_said: bool = True  # the key holder's exchanges are among them: it is a SAM card

    def total_ms(self, part: str) -> float:
        """Over all phases: whole_s, chip_s, keys_s or own_s."""
        return sum((float(getattr(cost, part)) for cost in self.costs.values()), 0.0) * _MS

    @property
    def commands(self) -> int:
        """APDUs to the reader."""
        return sum(cost.commands for cost in self.costs.values())

    @property
    def total_bytes(self) -> int:
        """Both ways."""
        return sum(cost.sent_bytes + cost.received_bytes for cost in self.costs.values())

    @property
    def raw_ms(self) -> float:
        """The limit: every exchange with chip and SAM, raw."""
        return sum(self.raw.total_ms(wire) for wire in Wire)

    @property
    def host_ms(self) -> float:
        """What the lane waited beyond that. A token's work is within it."""
        return self.wall_ms - self.raw_ms

    @property
    def host_without_token_ms(self) -> float:
        """The same without the token's work and our link to it; with a SAM card nothing more is left out."""
        return self.host_ms - (0.0 if self.holder_said else self.total_ms("keys_s"))


class Card:
    """The process with the card; see `benchmarks.chip_card`."""

    def __init__(self, profile: str) -> None:
        command = [sys.executable, "-m", "benchmarks.chip_card", profile]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def fresh(self) -> None:
        """The same chip again, as it came from its maker."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != b"fresh\n":
            raise RigError("the process with the card has died")

    def close(self) -> None:
        """End it."""
        self._process.communicate()


@contextmanager
def card(profile: str) -> Iterator[Card]:
    """A card in the field of lane 1's reader."""
    one = Card(profile)
    try:
        yield one
    finally:
        one.close()


def contents(profile: ChipProfile) -> tuple[list[ChipFile], ContentSignature | None]:
    """TOTAL_BYTES of files as large as they may be, the last of them shorter, with a signature where the profile wants one."""
    left, files = TOTAL_BYTES - SIGNATURE_BYTES, []
    for row in profile.personalised:
        size = min(left, row.max_bytes) if row.fid != profile.invented.signature else 0
        files.append(ChipFile(row.fid, bytes(at * 7 % 251 for at in range(size))))
        left -= size
    fid = profile.invented.signature
    if fid is None:
        return files, None
    key = ec.derive_private_key(1, ec.SECP256R1())
    signed = key.sign(to_be_signed(files, fid), ec.ECDSA(SHA256()))
    return [ChipFile(fid, signed) if file.fid == fid else file for file in files], ContentSignature(fid, (key.public_key(),))


async def runs(bench: Bench, card: Card, count: int) -> list[Run]:
    """So many cards after one that is not counted, each replayed at once."""
    run = Run()
    said: list[Exchange] = [] if bench.slot is None else bench.slot.heard

    def noted(phase: ChipPhase, cost: ChipCost, _failure: str | None) -> None:
        run.costs[phase] = cost
        if phase is ChipPhase.LOCK:
            said.append(RESET)

    watch = PhaseWatch(noted, bench.keys)
    station = PcscChipStation(bench.profile, READERS[Wire.CHIP], bench.sam, bench.signature,
                              lambda command, answer: said.append(Exchange(Wire.CHIP, command, answer)), watch)  # fmt: skip
    done: list[Run] = []
    try:
        for _ in range(count + 1):
            run = Run(holder_said=bench.slot is not None)
            card.fresh()
            await _ready(station)
            said.clear()
            run.wall_ms = await _personalise(station, bench.files)
            run.said = list(said)
            if bench.slot is not None:
                bench.slot.drop()
            card.fresh()
            run.raw = replay(run.said, READERS)
            done.append(run)
    finally:
        await station.close()
    return done[1:]


async def _ready(station: PcscChipStation) -> None:
    """Wait until the SAM of this process is in its slot, and no longer the one of the process before. Raises DeviceError."""
    end = Deadline.after(LIMIT_S)
    while True:
        try:
            return await station.check()
        except DeviceAbsent:
            if end.passed:
                raise
            await asyncio.sleep(LOOK_S)


async def _personalise(station: PcscChipStation, files: Sequence[ChipFile]) -> float:
    fids, deadline, begun_s = [file.fid for file in files], Deadline.after(LIMIT_S), time.monotonic()
    sight = await station.identify(deadline)
    await station.write(files, deadline)
    read = await station.read(fids, deadline)
    proven = await station.finish(fids, deadline)
    took_s = time.monotonic() - begun_s
    await station.release()
    if not sight.fresh or not list(read) == list(proven) == list(files):
        raise RigError("the card does not hold what was written")
    return took_s * _MS
