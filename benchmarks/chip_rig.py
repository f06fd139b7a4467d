"""One chip personalised over the real wire, and what was said replayed against the same chip with nothing around it."""

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

from controller.chips.content_signature import ContentSignature, to_be_signed
from controller.chips.profile import ChipProfile
from controller.chips.sam import Sam
from controller.clock import Deadline
from controller.errors import DeviceAbsent
from controller.hal.chip.scard_binding import ANY_PROTOCOL, HEADERS, scard
from controller.hal.chip.station import PcscChipStation, PhaseWatch
from controller.hal.chip.stopwatch import Stopwatch
from controller.hal.ports import ChipCost, ChipPhase
from controller.model import ChipFile
from tools.pcscd import reader_name
from tools.rig import RigError

TOTAL_BYTES = 8192
SIGNATURE_BYTES = 72  # the longest of P-256 in DER
LIMIT_S = 30.0
LOOK_S = 0.1
RESET = (b"", b"")  # among what is replayed: where the chip was reset
Exchange = tuple[bytes, bytes]
_MS = 1000


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured: a profile, its key holder, and the content of a card."""

    profile: ChipProfile
    sam: Sam
    keys: Stopwatch  # of the key holder
    signature: ContentSignature | None
    files: Sequence[ChipFile]


@dataclass(slots=True)
class Run:
    """One card."""

    wall_ms: float = 0.0  # as the lane sees it
    costs: dict[ChipPhase, ChipCost] = field(default_factory=dict)
    wire: list[Exchange] = field(default_factory=list)
    raw_ms: float = 0.0  # the same exchanges, and nothing else
    raw_apdu_ms: list[float] = field(default_factory=list)

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
    def host_ms(self) -> float:
        """What a command costs beyond the raw exchange of the same bytes, the key holder left out."""
        return (self.total_ms("whole_s") - self.total_ms("keys_s") - self.raw_ms) / self.commands


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
    watch = PhaseWatch(lambda phase, cost, _failure: _noted(run, phase, cost), bench.keys)
    station = PcscChipStation(bench.profile, reader_name(1), bench.sam, bench.signature,
                              lambda command, answer: run.wire.append((command, answer)), watch)  # fmt: skip
    done: list[Run] = []
    try:
        await _ready(station)
        for _ in range(count + 1):
            run = Run()
            card.fresh()
            run.wall_ms = await _personalise(station, bench.files)
            card.fresh()
            _replay(run)
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


def _noted(run: Run, phase: ChipPhase, cost: ChipCost) -> None:
    run.costs[phase] = cost
    if phase is ChipPhase.LOCK:
        run.wire.append(RESET)


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


def _replay(run: Run) -> None:
    """Send the same bytes with nothing but pyscard's binding; the answers must be the same."""
    context = _good(scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM))[0]
    begun_s = time.monotonic()
    handle, protocol = _good(scard.SCardConnect(context, reader_name(1), scard.SCARD_SHARE_EXCLUSIVE, ANY_PROTOCOL))
    answers: list[bytes] = []
    for exchange in run.wire:
        if exchange is RESET:
            _good(scard.SCardReconnect(handle, scard.SCARD_SHARE_EXCLUSIVE, ANY_PROTOCOL, scard.SCARD_RESET_CARD))
            answers.append(b"")
            continue
        before_s = time.monotonic()
        hresult, answer = scard.SCardTransmit(handle, HEADERS[protocol], list(exchange[0]))
        run.raw_apdu_ms.append((time.monotonic() - before_s) * _MS)
        answers.append(bytes(answer))
        _good((hresult,))
    run.raw_ms = (time.monotonic() - begun_s) * _MS
    scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD)
    scard.SCardReleaseContext(context)
    if answers != [answer for _, answer in run.wire]:
        raise RigError("the chip answered otherwise than before: it is not the same one")


def _good(returned: tuple[int, ...]) -> tuple[int, ...]:
    if returned[0] != scard.SCARD_S_SUCCESS:
        raise RigError(f"PC/SC: {scard.SCardGetErrorMessage(returned[0])}")
    return returned[1:]
