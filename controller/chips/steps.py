"""Carries out a chip profile's script on one chip, phase by phase, as scripts to be driven.

    look = UID, of whatever is there     confirm = UID, on a chip that was reset
    identify = UID, open, fresh          write, read, lock = UID, then open where that has to be done anew, then the phase
                                         verify = UID, open, verify: on a chip that was reset

| do           | what is done                                                                                                 |
|--------------|--------------------------------------------------------------------------------------------------------------|
| send         | the command; 9000 or DeviceRefused                                                                            |
| authenticate | the profile's [channel] with the key holder; what follows is protected                                       |
| measure      | whether every personalised file has length 0                                                                 |
| write, read  | the files at hand                                                                                            |
| stop if      | the rest of the phase was done before when the answer has `value` at `path`                                  |
| require      | DeviceRefused unless the answer has `value` at `path`                                                         |
| keys         | the card's own keys by PUT KEY; its answer must repeat their check values                                     |

Every phase asks for the UID first: DeviceRefused("chip_swapped") when another chip answers than the one identified. After any
error the channel is given up; `read` opens a new one. Nothing is sent by `write` unless every file fits and is signed.
Errors of the key holder come through as its own (`controller.chips.sam`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from controller.chips.apdu import Command
from controller.chips.channel import PLAIN, Channel, through
from controller.chips.content_signature import ContentSignature
from controller.chips.profile import ChipProfile
from controller.chips.profile_tables import Do, Keys, Phase, Step
from controller.chips.sam import CHALLENGE_BYTES, TOKEN_BYTES, KeyBlock, KeyBlocks, Sam
from controller.chips.scp03 import InitializeUpdate
from controller.chips.script import Script, ask, name_chip, read_mark, read_uid
from controller.chips.tlv import TlvError, find
from controller.chips.transfer import empty, read_content, read_files, refuse_misfits, write_files
from controller.errors import DeviceRefused
from controller.model import ChipFile, ChipSight

T = TypeVar("T")
Random = Callable[[int], bytes]

_KCV_BYTES = 3
_MAX_OLD_VERSION = 0x7F  # in P1 of PUT KEY, whose bit 8 says that more commands follow
_SWAPPED = "another chip answered than the one identified"


@dataclass(frozen=True, slots=True)
class _Work:
    """What a phase works on, and what it found."""

    files: Sequence[ChipFile] = ()
    fids: Sequence[int] = ()
    found: list[ChipFile] = field(default_factory=list)
    fresh: list[bool] = field(default_factory=list)


class Personaliser:
    """The conversation with one chip at a time. Its scripts are driven one after the other, on one thread."""

    def __init__(self, profile: ChipProfile, sam: Sam, random: Random, signature: ContentSignature | None = None) -> None:
        """`random` gives that many unpredictable bytes; `signature`: what contents must carry, None: nothing is checked."""
        self._profile, self._sam, self._random, self._signature = profile, sam, random, signature
        self._uid: str | None = None  # of the chip last identified
        self._mark = b""  # what the reader said of it
        self._channel: Channel | None = None  # None: the phase `open` has to be done first
        self._key_version = 0  # of the keys that the channel was opened with

    def forget(self) -> None:
        """The chip was let go of: only `look` or `identify` may follow."""
        self._uid, self._channel = None, None

    def look(self) -> Script[str]:
        """The UID of the chip that is there, whosever it is: it is asked for nothing else. Only `identify` may follow."""
        self.forget()
        return (yield from name_chip(self._profile))

    def identify(self) -> Script[ChipSight]:
        """The chip's UID, and whether every personalised file has length 0. Writes nothing; may be repeated."""
        self.forget()
        mark, uid = yield from read_uid(self._profile)
        self._mark, self._uid = mark, uid
        work = _Work()
        yield from self._phase(Phase.FRESH, work)
        return ChipSight(uid, fresh=all(work.fresh))

    def write(self, files: Sequence[ChipFile]) -> Script[None]:
        """Write the files to the chip identified, which must be fresh."""
        refuse_misfits(self._profile, files)
        wrong = "" if self._signature is None else self._signature.wrong(files)
        if wrong:
            raise DeviceRefused("chip_refused", f"nothing written: {wrong}")
        yield from self._for_chip()
        yield from self._phase(Phase.WRITE, _Work(files=files))

    def read(self, fids: Sequence[int]) -> Script[list[ChipFile]]:
        """The content of the files of the chip identified, in the order asked for."""
        work = _Work(fids=fids)
        yield from self._for_chip()
        yield from self._phase(Phase.READ, work)
        return work.found

    def lock(self) -> Script[None]:
        """Put keys and close the chip, as far as that was not done before."""
        yield from self._for_chip()
        yield from self._phase(Phase.LOCK, _Work())

    def verify(self, fids: Sequence[int]) -> Script[list[ChipFile]]:
        """Read a chip that was reset, in a session of its own, and make sure that it is closed and carries its signature."""
        self._channel = None
        work = _Work(fids=fids)
        yield from self._for_chip()
        yield from self._phase(Phase.VERIFY, work)
        wrong = "" if self._signature is None or not work.found else self._signature.wrong(work.found)
        if wrong:
            raise DeviceRefused("chip_differs", wrong)
        return work.found

    def confirm(self) -> Script[None]:
        """On a chip that was reset: DeviceRefused("chip_swapped") unless it is the one identified."""
        self._channel = None
        if self._uid is None or (yield from name_chip(self._profile)) != self._uid:
            raise DeviceRefused("chip_swapped", _SWAPPED)

    def _for_chip(self) -> Script[None]:
        if self._uid is None:
            raise DeviceRefused("chip_refused", "no chip was identified")
        if self._channel is None:
            self._mark, uid = yield from read_uid(self._profile)
            same = uid == self._uid
        else:  # a type B chip cannot be asked in the middle of a protected session; its reader can
            same = (yield from read_mark(self._profile)) == self._mark
        if not same:
            raise DeviceRefused("chip_swapped", _SWAPPED)

    def _phase(self, phase: Phase, work: _Work) -> Script[None]:
        whole = False
        try:
            if self._channel is None:
                yield from self._steps(Phase.OPEN, work)
            yield from self._steps(phase, work)
            whole = True
        finally:
            if not whole:
                self._channel = None

    def _steps(self, phase: Phase, work: _Work) -> Script[None]:
        if phase is Phase.OPEN:
            self._channel = PLAIN
        for step in self._profile.phase(phase):
            if step.do is Do.AUTHENTICATE:
                self._channel = yield from self._authenticate()
                continue
            assert self._channel is not None  # set by `open`
            if (yield from through(self._channel, self._step(step, work))):
                return

    def _step(self, step: Step, work: _Work) -> Script[bool]:
        """One step; True: the rest of the phase was done before."""
        if step.command is not None:
            return (yield from _command(step, step.command))
        if step.do is Do.MEASURE:
            work.fresh.append((yield from empty(self._profile)))
        elif step.do is Do.WRITE:
            yield from write_files(self._profile, work.files)
        elif step.do is Do.READ:
            work.found.extend((yield from read_files(self._profile, work.fids)))
        elif step.do is Do.KEYS:
            yield from self._put_keys()
        return False

    def _authenticate(self) -> Script[Channel]:
        if self._profile.channel.kind == "icao":
            return (yield from self._authenticate_icao())
        return (yield from self._authenticate_scp03())

    def _authenticate_icao(self) -> Script[Channel]:
        control = self._profile.channel.card_control
        assert control is not None  # the profile was checked
        card_control = yield from read_content(self._profile, control)
        challenge = yield from _exactly(Command(0x00, 0x84, 0, 0, le=CHALLENGE_BYTES), "get challenge", CHALLENGE_BYTES)
        token = self._sam.begin(card_control, self._uid_bytes, challenge)
        answer = yield from _exactly(Command(0x00, 0x82, 0, 0, token, TOKEN_BYTES), "authenticate", TOKEN_BYTES)
        return self._sam.finish(answer)

    def _authenticate_scp03(self) -> Script[Channel]:
        table = self._profile.channel
        challenge = self._random(table.size)
        answer = yield from ask(Command(0x80, 0x50, table.key_version, 0, challenge, 256), "initialize update")
        init = InitializeUpdate.decode(challenge, answer)
        session = self._sam.open_scp03(self._uid_bytes, init)
        command, channel = session.authenticate(table.level)
        yield from ask(command, "authenticate")
        self._key_version = init.key_version
        return channel

    def _put_keys(self) -> Script[None]:
        table = self._profile.keys
        assert table is not None  # the profile was checked
        if self._key_version == table.version:
            return  # put before; the session was opened with them
        blocks = self._sam.new_keys(self._uid_bytes, table.version)
        data = bytes((blocks.version,)) + b"".join(_key_field(table, key) for key in blocks.keys)
        # A factory's version above that, FF mostly, cannot be named: the card's own are added, and take the place of the first.
        replaced = self._key_version if self._key_version <= _MAX_OLD_VERSION else 0
        answer = yield from ask(Command(0x80, 0xD8, replaced, 0x81, data, 256), "put keys")
        if answer != _key_receipt(blocks):
            raise DeviceRefused("chip_refused", "put keys: the chip's check values differ from the key holder's")
        self._key_version = table.version

    @property
    def _uid_bytes(self) -> bytes:
        return bytes.fromhex(self._uid or "")


def _command(step: Step, command: Command) -> Script[bool]:
    answer = yield from ask(command, step.name)
    if step.do is Do.SEND:
        return False
    try:
        value = find(answer, step.path)
    except TlvError as error:
        raise DeviceRefused("chip_refused", f"{step.name}: the answer makes no sense") from error
    fits = value == bytes.fromhex(step.value)
    if step.do is Do.REQUIRE and not fits:
        raise DeviceRefused("chip_refused", f"{step.name}: it is not as it must be")
    return step.do is Do.STOP_IF and fits


def _exactly(command: Command, step: str, count: int) -> Script[bytes]:
    data = yield from ask(command, step)
    if len(data) != count:
        raise DeviceRefused("chip_refused", f"{step}: {len(data)} bytes came, {count} were wanted")
    return data


def _key_field(table: Keys, key: KeyBlock) -> bytes:
    """One key in either of the two block formats (chip.md 3.4)."""
    block = bytes((key.key_bytes,)) + key.block if table.block == "prefixed" else key.block
    return bytes((key.kind, len(block))) + block + bytes((_KCV_BYTES,)) + key.kcv


def _key_receipt(blocks: KeyBlocks) -> bytes:
    return bytes((blocks.version,)) + b"".join(key.kcv for key in blocks.keys)
