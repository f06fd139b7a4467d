"""What is said to a chip, phase by phase; against a card in this process, plainly and through every secure channel."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from controller.chips.content_signature import ContentSignature
from controller.chips.profile import ChipProfile
from controller.chips.script import drive
from controller.chips.steps import Personaliser
from controller.errors import DeviceError, DeviceRefused
from controller.model import ChipFile, ChipSight
from tests.fakes.chip import (
    OTHER_UID,
    UID,
    FakeCard,
    Faults,
    PowerLostError,
    at_s16,
    contents,
    ektp,
    known,
    personaliser,
    shipped,
)
from tests.fakes.chip_sessions import FIRST_VERSION, FakeSam

PROFILES = {"plain": ektp(), "ektp": shipped("ektp"), "scp03": shipped("gp-scp03"), "scp03 s16": at_s16(shipped("gp-scp03"))}
EVERY = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
PROTECTED = pytest.mark.parametrize("profile", [p for p in PROFILES.values() if p.needs_sam], ids=[*PROFILES][1:])


class Flipping:
    """The air in front of a card: one bit of every long answer to a protected command is changed."""

    def __init__(self, card: FakeCard) -> None:
        self._card = card

    def apdu(self, raw: bytes) -> bytes:
        """The card's answer, spoilt."""
        answer = self._card.apdu(raw)
        return answer if raw[0] == 0xFF else bytes((answer[0] ^ 1,)) + answer[1:]


class Lying:
    """A reader that shows the UID of another chip than the one that lies there."""

    def __init__(self, card: FakeCard) -> None:
        self._card = card

    def apdu(self, raw: bytes) -> bytes:
        """The card's answer, or the other UID."""
        return bytes.fromhex(UID) + b"\x90\x00" if raw[0] == 0xFF else self._card.apdu(raw)


@pytest.fixture
def profile() -> ChipProfile:
    return ektp()


@pytest.fixture
def card(profile: ChipProfile) -> FakeCard:
    return FakeCard(profile)


def sent(card: FakeCard) -> list[str]:
    return [command.encode().hex().upper() for command in card.log]


@EVERY
def test_a_fresh_chip_is_told_by_its_uid_and_empty_files(profile: ChipProfile) -> None:
    assert drive(personaliser(profile).identify(), FakeCard(profile).apdu) == ChipSight(UID, fresh=True)


def test_a_look_at_a_chip_takes_two_commands_a_file(profile: ChipProfile, card: FakeCard) -> None:
    drive(personaliser(profile).identify(), card.apdu)
    assert sent(card)[:4] == ["FFCA000000", "00A40000027F0A", "00A40000026FF1", "00B0000002"]
    assert len(card.log) == 2 + 2 * 6


@EVERY
@pytest.mark.parametrize("fid", [0x6FF1, 0x6FF6])
def test_a_chip_with_any_file_written_is_not_fresh(profile: ChipProfile, fid: int) -> None:
    card = FakeCard(profile)
    card.memory[fid][1] = 1
    assert drive(personaliser(profile).identify(), card.apdu) == ChipSight(UID, fresh=False)


def test_the_card_control_file_of_a_blank_does_not_make_it_used(profile: ChipProfile, card: FakeCard) -> None:
    card.memory[0x6FF0][1] = 51
    assert drive(personaliser(profile).identify(), card.apdu).fresh


def test_content_goes_in_blocks_and_the_length_goes_last(profile: ChipProfile, card: FakeCard) -> None:
    drive(known(card).write([ChipFile(0x6FF1, bytes(241))]), card.apdu)
    assert sent(card) == ["FFCA000000", "00A40000026FF1", "00D60002F0" + "00" * 240, "00D600F20100", "00D600000200F1"]


def test_what_was_written_is_read_back_in_blocks(profile: ChipProfile, card: FakeCard) -> None:
    files, talk = [ChipFile(0x6FF2, bytes(range(250)))], known(card)
    drive(talk.write(files), card.apdu)
    card.log.clear()
    assert drive(talk.read([0x6FF2]), card.apdu) == files
    assert sent(card) == ["FFCA000000", "00A40000026FF2", "00B00000F8", "00B000F804"]


@EVERY
def test_a_whole_personalisation(profile: ChipProfile) -> None:
    card, files = FakeCard(profile), contents(profile, 4096)
    talk, fids = known(card), [file.fid for file in files]
    drive(talk.write(files), card.apdu)
    assert drive(talk.read(fids), card.apdu) == files
    drive(talk.lock(), card.apdu)
    card.reset()
    assert drive(talk.verify(fids), card.apdu) == files
    assert card.locked
    assert card.key_version == (FIRST_VERSION if profile.keys is None else profile.keys.version)


@EVERY
def test_a_closed_chip_takes_no_write(profile: ChipProfile) -> None:
    card = FakeCard(profile)
    talk = known(card)
    drive(talk.lock(), card.apdu)
    with pytest.raises(DeviceRefused, match="6985, conditions of use not satisfied"):
        drive(talk.write(contents(profile)), card.apdu)


@EVERY
def test_a_chip_is_closed_once(profile: ChipProfile) -> None:
    """After a crash nobody knows whether it was done: the chip is asked."""
    card = FakeCard(profile)
    talk = known(card)
    drive(talk.lock(), card.apdu)
    card.log.clear()
    drive(talk.lock(), card.apdu)
    assert len(card.log) == 2  # the UID, and the life cycle


@EVERY
def test_a_chip_that_was_not_closed_is_not_verified(profile: ChipProfile) -> None:
    card = FakeCard(profile)
    with pytest.raises(DeviceRefused, match="read the life cycle: it is not as it must be"):
        drive(known(card).verify([]), card.apdu)


def test_keys_put_before_the_power_went_are_not_put_again() -> None:
    card = FakeCard(shipped("gp-scp03"))
    drive(known(card).lock(), card.apdu)
    card.locked = False
    card.reset()
    drive(known(card).lock(), card.apdu)
    assert 0xD8 not in [command.ins for command in card.log]


@pytest.mark.parametrize("block", ["prefixed", "bare"])
def test_keys_are_put_in_either_block_format(block: Literal["prefixed", "bare"]) -> None:
    profile = shipped("gp-scp03")
    assert profile.keys is not None
    card = FakeCard(replace(profile, keys=replace(profile.keys, block=block)))
    drive(known(card).lock(), card.apdu)
    assert card.key_version == profile.keys.version


def test_a_chip_that_answers_with_other_check_values_is_refused() -> None:
    card = FakeCard(shipped("gp-scp03"))
    talk = known(card)
    card.faults = Faults(answers={2: "01 000000 000000 000000 9000"})
    with pytest.raises(DeviceRefused, match="put keys: the chip's check values differ"):
        drive(talk.lock(), card.apdu)


@PROTECTED
def test_the_secure_channel_is_opened_once(profile: ChipProfile) -> None:
    sam, card = FakeSam(), FakeCard(profile)
    talk = Personaliser(profile, sam, bytes)
    drive(talk.identify(), card.apdu)
    drive(talk.write(contents(profile)), card.apdu)
    drive(talk.read([0x6FF1]), card.apdu)
    assert sam.asked in (["begin", "finish"], ["open_scp03"])


@PROTECTED
def test_nothing_but_what_is_free_is_read_without_the_channel(profile: ChipProfile) -> None:
    careless = replace(profile, channel=ektp().channel, steps=ektp().steps, keys=None)
    with pytest.raises(DeviceRefused, match="6982, security status not satisfied"):
        drive(personaliser(careless).identify(), FakeCard(profile).apdu)


@PROTECTED
def test_a_chip_with_other_keys_is_not_ours(profile: ChipProfile) -> None:
    card = FakeCard(profile, OTHER_UID)
    with pytest.raises(DeviceRefused, match=r"chip_refused: (authenticate: 6300|the card's cryptogram is wrong)"):
        drive(personaliser(profile).identify(), Lying(card).apdu)


@PROTECTED
@pytest.mark.parametrize("trouble", ["sam_absent", "sam_locked", "sam_refused"])
def test_trouble_of_the_key_holder_is_told_as_its_own(profile: ChipProfile, trouble: str) -> None:
    card = FakeCard(profile)
    with pytest.raises(DeviceError) as raised:
        drive(Personaliser(profile, FakeSam(trouble), bytes).identify(), card.apdu)
    assert raised.value.condition == trouble
    assert card.written_bytes == 0


@PROTECTED
def test_an_answer_changed_on_the_air_ends_the_session_and_a_new_one_reads_on(profile: ChipProfile) -> None:
    card = FakeCard(profile)
    talk, flipped = known(card), Flipping(card)
    with pytest.raises(DeviceRefused, match="secure channel broken"):
        drive(talk.read([0x6FF1]), flipped.apdu)
    assert drive(talk.read([0x6FF1]), card.apdu) == [ChipFile(0x6FF1, b"")]


def test_a_type_b_chip_gives_its_own_uid() -> None:
    card = FakeCard(shipped("ektp"), "0102030405060708", pupi=b"pupi")
    assert drive(personaliser(card.profile).identify(), card.apdu).uid == "0102030405060708"


def test_a_type_b_chip_is_told_apart_in_its_session_by_what_the_reader_says() -> None:
    card = FakeCard(shipped("ektp"), "0102030405060708", pupi=b"pupi")
    talk = known(card)
    drive(talk.read([0x6FF1]), card.apdu)
    assert [command.ins for command in card.log] == [0xCA, 0xA4, 0xB0]
    card.pupi = b"pup2"
    with pytest.raises(DeviceRefused, match="chip_swapped"):
        drive(talk.read([0x6FF1]), card.apdu)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([ChipFile(0x6FF6, bytes(78)), ChipFile(0x6FF1, bytes(1025))], "nothing written: 6FF1 gets 1025 bytes and holds 1024"),
        ([ChipFile(0x6FF0, b"")], "nothing written: 6FF0 is not a file to be written"),
        ([ChipFile(0x6FF9, b"")], "nothing written: 6FF9 is not a file to be written"),
        ([ChipFile(0x6FF1, b"1"), ChipFile(0x6FF1, b"2")], "nothing written: 6FF1 is given more than once"),
    ],
)
def test_nothing_is_sent_when_anything_does_not_fit(
    profile: ChipProfile, card: FakeCard, files: list[ChipFile], message: str
) -> None:
    with pytest.raises(DeviceRefused, match=message):
        drive(known(card).write(files), card.apdu)
    assert card.log == []


def test_a_refused_write_names_step_and_status_word_but_no_data(profile: ChipProfile, card: FakeCard) -> None:
    talk = known(card)
    card.faults = Faults(answers={2: "6581"})
    with pytest.raises(DeviceRefused) as refusal:
        drive(talk.write([ChipFile(0x6FF1, b"SUTEJO")]), card.apdu)
    assert refusal.value.condition == "chip_refused"
    assert refusal.value.detail == "write 6 bytes to 6FF1 at 2: 6581, memory failure"


@pytest.mark.parametrize(
    ("number", "answer", "message"),
    [
        (1, "6A82", "select 6FF1: 6A82, file not found"),
        (2, "0401 " + 246 * "00" + " 9000", "6FF1 claims 1025 bytes and holds 1024"),
        (2, "04 9000", "read 248 bytes of 6FF1 at 0: 1 came"),
        (3, "0102 9000", "read 52 bytes of 6FF1 at 248: 2 came"),
        (3, "0102 6282", "read 52 bytes of 6FF1 at 248: 6282, the file ends before the bytes asked for"),
        (3, "6982", "read 52 bytes of 6FF1 at 248: 6982, security status not satisfied"),
    ],
)
def test_a_chip_that_answers_wrongly_is_refused(
    profile: ChipProfile, card: FakeCard, number: int, answer: str, message: str
) -> None:
    card.memory[0x6FF1][:2] = (298).to_bytes(2, "big")
    talk = known(card)
    card.faults = Faults(answers={number: answer})
    with pytest.raises(DeviceRefused, match=f"^chip_refused: {message}$"):
        drive(talk.read([0x6FF1]), card.apdu)


def test_a_file_the_chip_has_not_is_refused(profile: ChipProfile, card: FakeCard) -> None:
    with pytest.raises(DeviceRefused, match="6FF9 is not a file of this chip"):
        drive(known(card).read([0x6FF9]), card.apdu)


@pytest.mark.parametrize("uid", ["04A1B2C3", ""])
def test_a_uid_that_may_be_random_is_refused(profile: ChipProfile, uid: str) -> None:
    with pytest.raises(DeviceRefused, match=f"read UID: {len(uid) // 2} bytes; a type A chip has 7, type B has 8"):
        drive(personaliser(profile).identify(), FakeCard(profile, uid).apdu)


@EVERY
def test_nothing_is_written_to_another_chip(profile: ChipProfile) -> None:
    talk, other = known(FakeCard(profile)), FakeCard(profile, OTHER_UID)
    with pytest.raises(DeviceRefused, match="chip_swapped: another chip answered"):
        drive(talk.write(contents(profile)), other.apdu)
    assert other.written_bytes == 0


def test_nothing_is_asked_of_a_chip_that_was_let_go(profile: ChipProfile, card: FakeCard) -> None:
    talk = known(card)
    talk.forget()
    with pytest.raises(DeviceRefused, match="no chip was identified"):
        drive(talk.read([0x6FF1]), card.apdu)
    assert card.log == []


@EVERY
def test_nothing_is_written_without_the_centres_signature(profile: ChipProfile) -> None:
    card, key = FakeCard(profile), ec.generate_private_key(ec.SECP256R1())
    talk = Personaliser(profile, FakeSam(), bytes, ContentSignature(0x6FF6, (key.public_key(),)))
    drive(talk.identify(), card.apdu)
    with pytest.raises(DeviceRefused, match="nothing written: the signature in 6FF6 does not fit the other files"):
        drive(talk.write(contents(profile, 70)), card.apdu)
    assert card.written_bytes == 0


@EVERY
def test_what_is_read_after_the_reset_must_be_signed(profile: ChipProfile) -> None:
    card, key = FakeCard(profile), ec.generate_private_key(ec.SECP256R1())
    talk = Personaliser(profile, FakeSam(), bytes, ContentSignature(0x6FF6, (key.public_key(),)))
    drive(talk.identify(), card.apdu)
    drive(talk.lock(), card.apdu)
    with pytest.raises(DeviceRefused, match="chip_differs: the signature in 6FF6 is empty"):
        drive(talk.verify([file.fid for file in contents(profile)]), card.apdu)


def test_a_card_that_dies_ends_the_script(profile: ChipProfile, card: FakeCard) -> None:
    talk = known(card)
    card.faults = Faults(dies_at_apdu=3)
    with pytest.raises(PowerLostError):
        drive(talk.write(contents(profile)), card.apdu)
    assert len(card.log) == 4
