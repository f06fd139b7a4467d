"""The key holder as a SAM card in a second slot (port `Sam`): the commands of public reader software (chip.md 1.2).

    | host asks                | INS | data                             | SAM answers                    |
    |--------------------------|-----|----------------------------------|--------------------------------|
    | forget the session       | FF  |                                  |                                |
    | open with its blob       | F0  | 32 bytes, issued with the SAM    |                                |
    | host token               | F1  | card control, UID8, challenge    | 40 bytes                       |
    | verify chip token        | F2  | 40 bytes                         |                                |
    | protect a command        | F3  | the plain command                | the command to send            |
    | open a protected answer  | F4  | data of the answer               | plain data and its status word |

CLA 00 and P1 00 always; P2 is 01 in F1 for a card control of 51 bytes and 00 for 29, else 00. Every key, session keys included,
stays in the SAM. The status words of refusals are not public; which are taken for "locked" is our choice, after ISO 7816-4.

A SAM without power has no session: each new connection starts with FF, and F0 where a blob was issued. F0 without data asks how
many tries are left: with one left nothing is tried. A blob that was tried and not taken is not tried again until it has changed,
or until the SAM has as many tries as before: then it is another SAM, or that try never reached it.

While a session is open the chip may have been written, so there the loss of the SAM or an answer that makes no sense is
DeviceUnknown: only before is it certain that nothing happened.
"""

from __future__ import annotations

from typing import Protocol

from controller.chips.apdu import ApduError, Command, Response, get_response
from controller.chips.channel import Channel, broken
from controller.chips.sam import CHALLENGE_BYTES, TOKEN_BYTES, KeyBlocks, uid8
from controller.chips.scp03 import InitializeUpdate, Scp03Session
from controller.chips.status_words import meaning_of
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.chip.refused_pin import RefusedPin
from controller.hal.chip.sam_channel import UNPROTECT, SamChannel
from controller.hal.chip.token_pin import PinSource

OPEN_BYTES = 32  # F0
MAX_ROUNDS = 4  # T=0 fetches an answer in parts; the longest has 256 bytes

_RESET, _OPEN, _TOKEN, _VERIFY = 0xFF, 0xF0, 0xF1, 0xF2
_CARD_CONTROLS = {29: 0x00, 51: 0x01}  # P2 of F1 by length
_BLOCKED, _TRIES = 0x6983, 0x63C0  # 63Cx: x tries are left
_LOCKED = {0x6982, _BLOCKED}  # it wants to be opened first, or is blocked
_OWN_TROUBLE = {0x6400, 0x6581, 0x6985, 0x6D00, 0x6E00, 0x6F00}  # of F4: not the chip's answer is wrong, the SAM cannot open any
_NO_PROOF = {0x6300, 0x6982, 0x6988, 0x6A80}  # of F2: the chip's token is wrong
_FORGET = "forget the session"
_DONE = 0x9000


class SamSlot(Protocol):
    """What this needs of a slot. `SamLink` is one."""

    def connect(self) -> bool: ...
    def send(self, command: bytes) -> bytes: ...
    def drop(self) -> None: ...
    def close(self) -> None: ...


class PcscSam:
    """One SAM, for one lane: it holds one session at a time."""

    def __init__(self, slot: SamSlot, blob: PinSource | None = None, refused: RefusedPin | None = None, *,
                 once_more: bool = False) -> None:  # fmt: skip
        """`blob`: where the 32 bytes of F0 are, as 64 hex digits; None: this SAM needs no opening.

        `once_more`: a person says that the blob, refused before, is right now; for one try.
        """
        self._slot, self._blob = slot, blob
        self._refused = RefusedPin() if refused is None else refused
        self._once_more = once_more
        self._begun = False
        self._channel: SamChannel | None = None

    def check(self) -> None:
        """See `Sam`. Ends a session: the SAM is asked to forget it, which also shows that it is there."""
        self._end()
        self._ready()

    def begin(self, card_control: bytes, uid: bytes, challenge: bytes) -> bytes:
        """See `Sam`."""
        if len(card_control) not in _CARD_CONTROLS or len(challenge) != CHALLENGE_BYTES:
            raise DeviceRefused("chip_refused", f"card control of {len(card_control)} bytes and challenge of {len(challenge)}; "
                                                f"29 or 51 and {CHALLENGE_BYTES} are possible")  # fmt: skip
        self._end()
        self._ready()
        data = card_control + uid8(uid) + challenge
        token = self._done(_TOKEN, data, "make the host's token", _CARD_CONTROLS[len(card_control)])
        self._sized(token, TOKEN_BYTES, "make the host's token")
        self._begun = True
        return token

    def finish(self, token: bytes) -> Channel:
        """See `Sam`."""
        begun, self._begun = self._begun, False
        if not begun:
            raise DeviceRefused("sam_refused", "no mutual authentication was begun")
        if len(token) != TOKEN_BYTES:
            raise DeviceRefused("chip_refused", f"the chip's token has {len(token)} bytes; {TOKEN_BYTES} are needed")
        response = self._ask(_VERIFY, token)
        if response.sw in _NO_PROOF:
            raise DeviceRefused(
                "chip_refused", f"the chip's token is wrong: it has not the keys of our batch ({response.sw:04X})"
            )
        self._sized(self._judged(response, "verify the chip's token"), 0, "verify the chip's token")
        self._channel = SamChannel(self._translate)
        return self._channel

    def open_scp03(self, uid: bytes, init: InitializeUpdate) -> Scp03Session:  # noqa: ARG002 - the protocol's signature
        """Refused: the public command set has nothing for it."""
        raise _no_scp03()

    def new_keys(self, uid: bytes, version: int) -> KeyBlocks:  # noqa: ARG002 - the protocol's signature
        """Refused, as `open_scp03`."""
        raise _no_scp03()

    def close(self) -> None:
        """See `Sam`."""
        self._end()
        self._slot.close()

    def _translate(self, ins: int, data: bytes, step: str) -> bytes:
        """F3 and F4, for the channel of this session: what fails here may have been preceded by writes.

        What the chip is blamed for is an answer that the SAM cannot believe; all else is the SAM's own trouble.
        """
        try:
            response = self._ask(ins, data)
        except DeviceAbsent as error:
            raise DeviceUnknown("sam_absent", f"{step}: {error.detail}") from error
        if ins == UNPROTECT and response.sw not in {_DONE, *_LOCKED, *_OWN_TROUBLE}:
            raise broken(f"the SAM refuses to {step}: {response.sw:04X}")
        return self._judged(response, step)

    def _end(self) -> None:
        """The session is over for the host; the SAM hears of it with the next FF."""
        channel, self._channel, self._begun = self._channel, None, False
        if channel is not None:
            channel.die("the session was ended")

    def _ready(self) -> None:
        """Connected, without a session, opened. One that was pulled and put back since it was used last is connected again."""
        if not self._slot.connect():
            try:
                self._done(_RESET, b"", _FORGET)
            except DeviceAbsent:
                self._slot.connect()
            else:
                return
        try:
            self._done(_RESET, b"", _FORGET)
            if self._blob is not None:
                self._open(self._blob)
        except DeviceError:
            self._slot.drop()  # so that the next connection opens it
            raise

    def _open(self, blob: PinSource) -> None:
        word = self._ask(_OPEN, b"").sw  # like VERIFY of ISO 7816-4: costs no try
        if word == _DONE:
            return
        if word in (_BLOCKED, _TRIES, _TRIES | 1):
            raise _locked(f"the SAM is not opened: {_words(word)}; the last try is kept for a person")
        secret = _from_hex(blob)
        left = word & 0x0F if _counts_tries(word) else 0
        once_more, self._once_more = self._once_more, False
        if not once_more and self._refused.holds(secret, left):
            raise _locked(f"the SAM has refused this blob already, or its answer was lost; correct {blob.place}, "
                          "or run 'print-station keys check --once-more' when another SAM is in the slot")  # fmt: skip
        self._refused.trying(secret, left, once_more=once_more)
        response = self._ask(_OPEN, secret)
        if response.sw != _DONE:
            raise _locked(f"the SAM refuses {blob.place}: {_words(response.sw)}; it is not tried again")
        self._refused.clear()

    def _done(self, ins: int, data: bytes, step: str, p2: int = 0) -> bytes:
        return self._judged(self._ask(ins, data, p2), step)

    def _judged(self, response: Response, step: str) -> bytes:
        if response.sw == _DONE:
            return response.data
        refusal = f"the SAM refuses to {step}: {_words(response.sw)}"
        if response.sw in _LOCKED or _counts_tries(response.sw):
            self._slot.drop()  # so that the next connection opens it
            raise _locked(refusal)
        raise DeviceRefused("sam_refused", refusal)

    def _sized(self, data: bytes, count: int, step: str) -> None:
        if len(data) != count:
            raise DeviceRefused("sam_refused", f"{step}: the SAM answers {len(data)} bytes, not {count}")

    def _ask(self, ins: int, data: bytes, p2: int = 0) -> Response:
        """The whole answer of the SAM, fetched in parts where its protocol wants that."""
        command = Command(0x00, ins, 0x00, p2, data)
        response = self._send(command.encode() if data else command.encode() + b"\0")
        whole = response.data
        for _ in range(MAX_ROUNDS):
            further = get_response(command, response)
            if further is None:
                return Response(whole, response.sw)
            response = self._send(further.encode())
            whole += response.data
        self._slot.drop()
        raise DeviceAbsent("sam_absent", f"the SAM's answer has no end after {MAX_ROUNDS} rounds")

    def _send(self, raw: bytes) -> Response:
        try:
            return Response.decode(self._slot.send(raw))
        except ApduError as error:
            self._slot.drop()
            raise DeviceAbsent("sam_absent", f"the SAM's answer makes no sense: {error}") from error


def _from_hex(blob: PinSource) -> bytes:
    try:
        secret = bytes.fromhex(blob.read())
    except ValueError as error:
        raise _locked(f"{blob.place} must be hex digits") from error
    if len(secret) != OPEN_BYTES:
        raise _locked(f"{blob.place} must have {OPEN_BYTES} bytes as hex digits, not {len(secret)}")
    return secret


def _counts_tries(sw: int) -> bool:
    return sw & 0xFFF0 == _TRIES


def _locked(detail: str) -> DeviceRefused:
    return DeviceRefused("sam_locked", detail)


def _words(sw: int) -> str:
    return f"{sw:04X}, {meaning_of(sw).meaning}"


def _no_scp03() -> DeviceRefused:
    return DeviceRefused("sam_refused", "a SAM card speaks no SCP03: give this lane's chips a key holder of kind 'pkcs11'")
