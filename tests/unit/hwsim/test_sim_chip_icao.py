"""The simulated e-KTP chip behind ICAO secure messaging (chip.md 1.2, 4): who may read and write, and what ends a session."""

from __future__ import annotations

import pytest

from hwsim.devices.chip_apdu import ChipDied, StatusWord, parse_apdu
from hwsim.devices.chip_ciphers import DES_BLOCK, pad
from hwsim.devices.chip_eeprom import ChipTroubles
from hwsim.devices.chip_icao import IcaoSession
from hwsim.devices.chip_keys import bac_keys
from hwsim.devices.sam_session import HostMessaging
from tests.unit.hwsim.chip_bench import MASTERS, SELECT_DF, SamHost, new_blank, new_sam, present, sent

SELECT = {fid: f"00A4000002{fid:04X}" for fid in range(0x6FF0, 0x6FF7)}
READ, WRITE, WRITE_LENGTH = "00B0000005", "00D6000203414243", "00D60000020003"
LOCK, LIFE = "00440000", "00A40004027F0A00"


def opened() -> SamHost:
    host = SamHost(present(new_blank()))
    assert host.authenticate() == "9000"
    return host


@pytest.mark.parametrize(
    ("fid", "status"), [(0x6FF0, "9000"), (0x6FF2, "9000")] + [(fid, "6982") for fid in (*range(0x6FF3, 0x6FF7), 0x6FF1)]
)
def test_in_clear_only_card_control_and_photo_are_read(fid: int, status: str) -> None:
    assert sent(present(new_blank()), SELECT_DF, SELECT[fid], READ)[-4:] == status


def test_every_file_is_read_under_secure_messaging() -> None:
    host = opened()
    assert [host.ask(SELECT[fid], READ)[-4:] for fid in SELECT] == ["9000"] * 7


def test_nothing_is_written_in_clear() -> None:
    assert sent(present(new_blank()), SELECT_DF, SELECT[0x6FF2], WRITE) == "6982"


def test_what_is_written_under_secure_messaging_is_read_in_a_later_session() -> None:
    blank = new_blank()
    for commands, answer in (((WRITE, WRITE_LENGTH), "9000"), ((READ,), "00034142439000")):
        host = SamHost(present(blank))
        assert (host.authenticate(), host.ask(SELECT[0x6FF1], *commands)) == ("9000", answer)


def test_the_card_control_is_never_written() -> None:
    assert opened().ask(SELECT[0x6FF0], WRITE) == "6982"


def test_a_block_of_208_bytes_goes_both_ways() -> None:
    host = opened()
    assert host.ask(SELECT[0x6FF2], "00D60000D0" + "5A" * 208) == "9000"
    assert host.ask("00B00000D0") == "5A" * 208 + "9000"


def test_all_that_there_is_comes_in_as_many_bytes_as_a_short_response_holds() -> None:
    assert len(opened().ask(SELECT[0x6FF2], "00B0000000")) == 2 * (231 + 2)


def test_extended_length_goes_both_ways() -> None:
    host, content = opened(), bytes(range(250)) * 4
    session = host.sam.messaging
    for apdu in (SELECT[0x6FF2], "00D600020003E8" + content.hex(), "00B000020003E8"):
        answer = host.chip.transmit(session.protect(parse_apdu(bytes.fromhex(apdu))))
        assert answer is not None
        data, status = session.open(answer[:-2])
        assert status == b"\x90\x00"
    assert data == content


def test_more_than_a_short_response_holds_is_refused_and_the_session_goes_on() -> None:
    host = opened()
    assert host.ask(SELECT[0x6FF2], "00B00000E8") == "6700"
    assert host.ask(READ)[-4:] == "9000"


def test_a_chips_error_is_protected_and_the_session_goes_on() -> None:
    host = opened()
    assert host.ask("00A40000026FFF") == "6A82"
    assert host.ask(SELECT[0x6FF1], READ)[-4:] == "9000"


@pytest.mark.parametrize("plain", [SELECT_DF, "0084000008", READ])
def test_a_plain_command_ends_the_session(plain: str) -> None:
    host = opened()
    sent(host.chip, plain)
    assert host.ask(SELECT[0x6FF1]) == "6988"


def test_what_the_reader_answers_itself_does_not_end_it() -> None:
    host = opened()
    sent(host.chip, "FFCA000000")
    assert host.ask(SELECT[0x6FF1]) == "9000"


def test_a_reset_ends_it() -> None:
    host = opened()
    host.chip.reset()
    assert host.ask(SELECT[0x6FF1]) == "6988"


@pytest.mark.parametrize(("at", "status"), [(2, "6988"), (8, "6988"), (-2, "6988")])
def test_a_changed_command_is_refused_and_ends_the_session(at: int, status: str) -> None:
    host = opened()
    command = bytearray(host.wrap(SELECT[0x6FF1]))
    command[at] ^= 1
    assert sent(host.chip, command.hex()) == status
    assert sent(host.chip, host.wrap(SELECT[0x6FF1]).hex()) == "6988"


def test_a_protected_command_without_a_mac_is_6987() -> None:
    assert sent(opened().chip, "0CB000000397010500") == "6987"


@pytest.mark.parametrize("body", ["87", "8701", "97800101", "9783000001FF", "97010597010500", "8E08" + "00" * 8 + "970105"])
def test_objects_that_make_no_sense_are_6988(body: str) -> None:
    assert sent(opened().chip, f"0CB00000{len(body) // 2:02X}{body}00") == "6988"


# Authentication


def test_a_sam_with_other_keys_is_refused() -> None:
    assert SamHost(present(new_blank()), new_sam(masters=MASTERS.foreign())).authenticate() == "6300"


def test_a_chip_with_other_keys_refuses_our_sam() -> None:
    blank = new_blank()
    blank.chip.foreign = True
    assert SamHost(present(blank)).authenticate() == "6300"


def test_a_chip_of_type_b_has_keys_of_its_own_uid() -> None:
    host = SamHost(present(new_blank(uid_type="b")))
    assert (len(host.chip.blank.uid), host.authenticate()) == (8, "9000")


@pytest.mark.parametrize(
    ("apdus", "status"),
    [
        (["0082000028" + "00" * 40], "6985"),  # no challenge was asked for
        (["0084000008", "0082000028" + "00" * 40], "6300"),
        (["0084000008", "0082000028" + "00" * 40, "0082000028" + "00" * 40], "6985"),  # a challenge is good for one try
        (["0084000008", "0082000027" + "00" * 39], "6700"),
        (["0084000008", "0082000128" + "00" * 40], "6A86"),
    ],
)
def test_external_authenticate_refuses(apdus: list[str], status: str) -> None:
    assert sent(present(new_blank()), SELECT_DF, *apdus) == status


def test_a_token_for_an_older_challenge_is_refused() -> None:
    host = SamHost(present(new_blank()))
    host.chip.random.seed(7)
    assert host.authenticate() == "9000"
    old = new_sam().transmit(
        bytes.fromhex("00F1000143") + host.chip.memory.content(0x6FF0) + b"\x80" + host.chip.blank.uid + bytes(8)
    )
    assert sent(host.chip, "0084000008", "0082000028" + old[:40].hex()) == "6300"


def test_keys_differ_from_chip_to_chip_and_by_card_control() -> None:
    keys = {bac_keys(MASTERS.ektp, control, uid) for control in (b"a", b"b") for uid in (bytes(7), bytes(8))}
    assert len(keys) == 4


# Life cycle


def test_the_life_cycle_is_told_in_clear_and_in_a_session() -> None:
    host = opened()
    assert (host.ask(LIFE), sent(host.chip, LIFE)) == ("620A82013883027F0A8A01039000",) * 2


def test_a_locked_chip_takes_no_more_bytes_and_is_still_read() -> None:
    host = opened()
    assert host.ask(SELECT[0x6FF1], WRITE, WRITE_LENGTH, SELECT_DF, LOCK) == "9000"
    assert host.ask(LIFE)[-6:] == "059000"
    assert host.ask(SELECT[0x6FF1], WRITE) == "6985"
    assert host.ask(READ) == "00034142439000"


def test_a_chip_is_not_locked_in_clear() -> None:
    chip = present(new_blank())
    assert (sent(chip, SELECT_DF, LOCK), chip.memory.life) == ("6982", 3)


def test_power_lost_while_it_is_locked_leaves_it_open() -> None:
    host = SamHost(present(new_blank(), ChipTroubles(cut_in_bytes=0)))
    host.authenticate()
    with pytest.raises(ChipDied):
        host.ask(SELECT_DF, LOCK)
    assert host.chip.memory.life == 3


# Odd instructions: their data is BER-TLV and stands in DO85, without a byte that says so

ENC, MAC, COUNTER = bytes(range(1, 17)), bytes(range(17, 33)), bytes(8)
ODD = "00B10000045402000010"


def test_the_sam_and_the_chip_have_an_object_of_their_own_for_odd_instructions() -> None:
    sam, chip = HostMessaging(ENC, MAC, COUNTER), IcaoSession(ENC, MAC, COUNTER)
    wrapped = sam.protect(parse_apdu(bytes.fromhex(ODD)))
    assert wrapped[5] == 0x85
    plain = chip.unwrap(parse_apdu(wrapped))
    assert (plain.data, plain.le) == (bytes.fromhex("54020000"), 16)
    answer = chip.wrap(b"content", b"\x90\x00")
    assert (answer[0], sam.open(answer[:-2])) == (0x85, (b"content", b"\x90\x00"))


@pytest.mark.parametrize(("ins", "as_if"), [("B1", "B0"), ("D6", "D7")])
def test_data_in_the_other_kinds_object_is_refused(ins: str, as_if: str) -> None:
    """The host's MAC is over the right header, its data in the object that belongs to another instruction."""
    sam, chip = HostMessaging(ENC, MAC, COUNTER), IcaoSession(ENC, MAC, COUNTER)
    sam.odd = bool(int(as_if, 16) & 1)
    header = bytes.fromhex(f"0C{ins}0000")
    body = sam.hide(b"data")
    body += sam.sign(pad(header, DES_BLOCK) + body)
    with pytest.raises(StatusWord, match="6988"):
        chip.unwrap(parse_apdu(header + bytes([len(body)]) + body + b"\0"))
