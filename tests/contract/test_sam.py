"""One contract for key holders: the one in memory, a PKCS#11 token (SoftHSM2), and hw-sim's SAM card, in this process and in a
virtual reader under a real pcscd. The chip on the other side is hw-sim's: it shares nothing with the controller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from controller.chips.apdu import Command, Response
from controller.chips.channel import Channel
from controller.chips.sam import Sam
from controller.chips.scp03 import InitializeUpdate
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused
from controller.hal.chip.pcsc_sam import PcscSam
from controller.hal.chip.pkcs11_sam import Pkcs11Sam
from controller.hal.chip.sam_link import SamLink
from hwsim.devices.chip_apdu import parse_apdu
from hwsim.devices.chip_ciphers import aes_blocks, aes_decrypt
from hwsim.devices.chip_icao import BacKeys, IcaoSession, open_token, seal_token
from hwsim.devices.chip_keys import bac_keys, load_masters, scp03_keys
from hwsim.devices.chip_scp03 import KeySet, Scp03Session
from hwsim.devices.sam import SamCard, SamMemory
from hwsim.wires.vpcd import VpcdSlot
from tests.fakes.chip import needs_sandbox
from tests.fakes.chip_sessions import CARD_CONTROL, PURPOSES, FakeSam, key_of
from tests.fakes.in_process_slot import InProcessSlot
from tests.fakes.token import SoftToken, put_masters
from tools.pcscd import sam_name, vpcd_port

UID = bytes.fromhex("04A1B2C3D4E5F6")
CHALLENGE = bytes.fromhex("4608F91988702212")
CHIP_KEY = bytes(range(16))
HOST_CHALLENGE, CARD_CHALLENGE = bytes(range(8)), bytes(range(8, 16))
VERSION, NEXT_VERSION = 0x30, 0x01
READ = Command(0x00, 0xB0, 0x00, 0x00, le=16)
MASTERS = load_masters()


class Bench(Protocol):
    """A key holder and the keys that its chips have."""

    sam: Sam

    def bac_keys(self) -> BacKeys: ...
    def scp03_keys(self, version: int) -> KeySet | None: ...  # None: it speaks no SCP03
    async def close(self) -> None: ...


class FakeBench:
    """In memory."""

    def __init__(self) -> None:
        self.sam: Sam = FakeSam()

    def bac_keys(self) -> BacKeys:
        return BacKeys(key_of(UID, 0, "ENC"), key_of(UID, 0, "MAC"))

    def scp03_keys(self, version: int) -> KeySet | None:
        return KeySet(*(key_of(UID, version, purpose) for purpose in PURPOSES))

    async def close(self) -> None:
        self.sam.close()


class SynthBench:
    """Any key holder with the synthetic masters."""

    sam: Sam

    def bac_keys(self) -> BacKeys:
        return bac_keys(MASTERS.ektp, CARD_CONTROL, UID)

    def scp03_keys(self, version: int) -> KeySet | None:
        return scp03_keys(MASTERS.scp03, version, UID) if isinstance(self.sam, BothSam) else None


class BothSam(Pkcs11Sam):
    """Two lanes' key holders with one token, asked as one."""

    def __init__(self, icao: Pkcs11Sam, scp03: Pkcs11Sam) -> None:
        self.begin, self.finish = icao.begin, icao.finish  # type: ignore[method-assign]  # the other lane's methods
        self.open_scp03, self.new_keys = scp03.open_scp03, scp03.new_keys  # type: ignore[method-assign]  # see above
        self._both = (icao, scp03)

    def check(self) -> None:
        for sam in self._both:
            sam.check()

    def close(self) -> None:
        for sam in self._both:
            sam.close()


class TokenBench(SynthBench):
    """SoftHSM2."""

    def __init__(self, folder: Path) -> None:
        self._token = SoftToken(folder)
        self._link = self._token.link()
        put_masters(self._link, MASTERS.ektp, MASTERS.scp03)
        self.sam = BothSam(Pkcs11Sam(self._link, "icao"), Pkcs11Sam(self._link, "scp03"))

    async def close(self) -> None:
        self._link.close()
        self._token.restore()


class CardBench(SynthBench):
    """hw-sim's SAM card in this process."""

    def __init__(self) -> None:
        self.sam = PcscSam(InProcessSlot(sam_card()))

    async def close(self) -> None:
        self.sam.close()


class WiredBench(SynthBench):
    """hw-sim's SAM card in the second slot of the virtual reader."""

    def __init__(self) -> None:
        self.slot = VpcdSlot("127.0.0.1", vpcd_port(1) + 1)
        self.sam = PcscSam(SamLink(sam_name(1)))

    async def start(self) -> None:
        await self.slot.start()
        self.slot.insert(sam_card())
        async with asyncio.timeout(10):
            while not await asyncio.to_thread(self._answers):
                await asyncio.sleep(0.05)

    def _answers(self) -> bool:
        try:
            self.sam.check()
        except DeviceAbsent:
            return False
        return True

    async def close(self) -> None:
        await asyncio.to_thread(self.sam.close)
        await self.slot.close()


def sam_card() -> SamCard:
    return SamCard(MASTERS, SamMemory(bytes(8)), seed=1)


@pytest.fixture(params=["fake", "token", "card", pytest.param("wired", marks=needs_sandbox)])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    makers: dict[str, Callable[[], Bench]] = {
        "fake": FakeBench, "card": CardBench, "wired": WiredBench, "token": lambda: TokenBench(tmp_path)
    }  # fmt: skip
    made = makers[request.param]()
    if isinstance(made, WiredBench):
        await made.start()
    yield made
    await made.close()


Ask = Callable[..., Any]


async def ask(method: Ask, *arguments: Any) -> Any:
    """Call the key holder as its lane does: not on the event loop, which serves the virtual card."""
    return await asyncio.to_thread(method, *arguments)


async def refusal(method: Ask, *arguments: Any) -> DeviceError:
    with pytest.raises(DeviceError) as refused:
        await ask(method, *arguments)
    return refused.value


class Chip:
    """The chip's side of one mutual authentication."""

    def __init__(self, keys: BacKeys, token: bytes) -> None:
        clear = open_token(keys, token)
        assert clear is not None
        host, seen, k_ifd = clear[:8], clear[8:16], clear[16:]
        assert seen == CHALLENGE
        self.answer = seal_token(keys, CHALLENGE + host + CHIP_KEY)
        self.session = IcaoSession.agree(host, CHALLENGE, k_ifd, CHIP_KEY)


async def begun(bench: Bench) -> Chip:
    return Chip(bench.bac_keys(), await ask(bench.sam.begin, CARD_CONTROL, UID, CHALLENGE))


async def opened(bench: Bench) -> tuple[Channel, Chip]:
    chip = await begun(bench)
    return await ask(bench.sam.finish, chip.answer), chip


async def test_a_key_holder_that_can_work_says_so(bench: Bench) -> None:
    await ask(bench.sam.check)
    await ask(bench.sam.check)


async def test_what_the_host_sends_the_chip_understands_and_the_other_way_round(bench: Bench) -> None:
    channel, chip = await opened(bench)
    for data in (b"content", b"", bytes(208)):
        command = Command(0x00, 0xD6, 0x00, 0x02, data) if data else READ
        inside = chip.session.unwrap(parse_apdu((await ask(channel.wrap, command)).encode()))
        assert (inside.ins, inside.data, inside.le) == (command.ins, data, command.le)
        answer = Response.decode(chip.session.wrap(data, b"\x90\x00"))
        assert await ask(channel.unwrap, command, answer) == Response(data, 0x9000)


async def test_an_error_word_inside_a_protected_answer_comes_through(bench: Bench) -> None:
    channel, chip = await opened(bench)
    chip.session.unwrap(parse_apdu((await ask(channel.wrap, READ)).encode()))
    answer = Response.decode(chip.session.wrap(b"", b"\x6a\x82"))
    assert await ask(channel.unwrap, READ, answer) == Response(b"", 0x6A82)


async def test_a_chip_that_does_not_prove_itself_is_refused(bench: Bench) -> None:
    chip = await begun(bench)
    error = await refusal(bench.sam.finish, chip.answer[:-1] + bytes([chip.answer[-1] ^ 1]))
    assert (type(error), error.condition, "not the keys of our batch" in error.detail) == (DeviceRefused, "chip_refused", True)


async def test_an_answer_to_another_challenge_is_refused(bench: Bench) -> None:
    chip = await begun(bench)
    keys = bench.bac_keys()
    clear = open_token(keys, chip.answer)
    assert clear is not None
    assert (await refusal(bench.sam.finish, seal_token(keys, bytes(8) + clear[8:]))).condition == "chip_refused"


@pytest.mark.parametrize("size", [0, 39, 41])
async def test_a_chips_token_of_another_size_is_refused(bench: Bench, size: int) -> None:
    await begun(bench)
    assert (await refusal(bench.sam.finish, bytes(size))).condition == "chip_refused"


async def test_nothing_is_finished_that_was_not_begun(bench: Bench) -> None:
    assert (await refusal(bench.sam.finish, bytes(40))).condition == "sam_refused"


async def test_a_token_is_taken_once(bench: Bench) -> None:
    chip = await begun(bench)
    await ask(bench.sam.finish, chip.answer)
    assert (await refusal(bench.sam.finish, chip.answer)).condition == "sam_refused"


async def test_a_second_begin_counts(bench: Bench) -> None:
    first, _second = await begun(bench), await begun(bench)
    if not isinstance(bench.sam, FakeSam):  # whose offers are all alike
        assert (await refusal(bench.sam.finish, first.answer)).condition == "chip_refused"


async def test_an_answer_changed_on_the_way_breaks_the_channel_for_good(bench: Bench) -> None:
    channel, chip = await opened(bench)
    chip.session.unwrap(parse_apdu((await ask(channel.wrap, READ)).encode()))
    answer = Response.decode(chip.session.wrap(b"content", b"\x90\x00"))
    error = await refusal(channel.unwrap, READ, Response(answer.data[:-1] + bytes([answer.data[-1] ^ 1]), 0x9000))
    assert (error.condition, "secure channel broken" in error.detail) == ("chip_refused", True)
    assert "secure channel broken" in (await refusal(channel.wrap, READ)).detail


async def test_a_chip_that_ends_the_session_is_heard_and_no_more_is_sent(bench: Bench) -> None:
    channel, _chip = await opened(bench)
    await ask(channel.wrap, READ)
    assert await ask(channel.unwrap, READ, Response(b"", 0x6988)) == Response(b"", 0x6988)
    assert "6988" in (await refusal(channel.wrap, READ)).detail


async def test_after_close_it_can_begin_anew(bench: Bench) -> None:
    await begun(bench)
    await ask(bench.sam.close)
    await ask(bench.sam.close)
    channel, _chip = await opened(bench)
    await ask(channel.wrap, READ)


def scp03_card(keys: KeySet) -> tuple[Scp03Session, InitializeUpdate]:
    card = Scp03Session(keys, HOST_CHALLENGE, CARD_CHALLENGE)
    answer = bytes(10) + bytes((VERSION, 0x03, 0x70)) + CARD_CHALLENGE + card.card_cryptogram + bytes(3)
    return card, InitializeUpdate.decode(HOST_CHALLENGE, answer)


async def test_a_card_under_scp03_and_its_host_prove_themselves(bench: Bench) -> None:
    keys = bench.scp03_keys(VERSION)
    if keys is None:
        error = await refusal(bench.sam.open_scp03, UID, scp03_card(KeySet(bytes(16), bytes(16), bytes(16)))[1])
        assert (error.condition, "speaks no SCP03" in error.detail) == ("sam_refused", True)
        return
    card, init = scp03_card(keys)
    command, channel = (await ask(bench.sam.open_scp03, UID, init)).authenticate(0x33)
    assert card.authenticate(parse_apdu(command.encode()))
    assert card.unwrap(parse_apdu(channel.wrap(Command(0x80, 0xE2, 0, 0, b"content")).encode())).data == b"content"


async def test_a_card_with_other_keys_is_refused(bench: Bench) -> None:
    init = scp03_card(KeySet(bytes(16), bytes(16), bytes(16)))[1]
    error = await refusal(bench.sam.open_scp03, UID, init)
    assert error.condition == ("sam_refused" if bench.scp03_keys(VERSION) is None else "chip_refused")


async def test_new_keys_come_enciphered_under_the_cards_dek_with_their_check_values(bench: Bench) -> None:
    old, new = bench.scp03_keys(VERSION), bench.scp03_keys(NEXT_VERSION)
    if old is None or new is None:
        assert (await refusal(bench.sam.new_keys, UID, NEXT_VERSION)).condition == "sam_refused"
        return
    await ask(bench.sam.open_scp03, UID, scp03_card(old)[1])
    blocks = await ask(bench.sam.new_keys, UID, NEXT_VERSION)
    clear = [aes_decrypt(old.dek, block.block, bytes(16)) for block in blocks.keys]
    assert (blocks.version, clear) == (NEXT_VERSION, [new.enc, new.mac, new.dek])
    assert [block.kcv for block in blocks.keys] == [aes_blocks(key, b"\1" * 16)[:3] for key in clear]


async def test_no_new_keys_without_a_session(bench: Bench) -> None:
    assert (await refusal(bench.sam.new_keys, UID, NEXT_VERSION)).condition == "sam_refused"
