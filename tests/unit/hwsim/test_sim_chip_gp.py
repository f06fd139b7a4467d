"""The simulated GlobalPlatform chip (chip.md 3.1, 3.4): sessions, STORE DATA, PUT KEY, life cycle, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.chips.apdu import Command
from hwsim.devices.chip import Chip
from hwsim.devices.chip_apdu import ChipDied
from hwsim.devices.chip_ciphers import aes_encrypt, check_value
from hwsim.devices.chip_eeprom import ChipTroubles
from hwsim.devices.chip_keys import scp03_keys
from hwsim.devices.chip_scp03 import LEVELS, KeySet
from tests.unit.hwsim.chip_bench import MASTERS, SELECT_DOMAIN, Scp03Host, new_blank, present, sent

DOMAIN = "F04B545045000001"
SELECT, READ = "00A4000C026FF1", "00B0000005"
STORE = "80E2880006" + "6FF103414243"
STATUS = f"80F240020A4F08{DOMAIN}00"
PERSONALIZED, SECURED = f"80F0400F08{DOMAIN}", "80F0800F"
NEW_KEYS = KeySet(b"\xa1" * 16, b"\xa2" * 16, b"\xa3" * 16)


def new_chip(troubles: ChipTroubles | None = None, size: int = 8) -> Chip:
    chip = present(new_blank("gp-scp03"), troubles, size)
    assert sent(chip, SELECT_DOMAIN).endswith("9000")
    return chip


def opened(level: int = 0x33, size: int = 8, troubles: ChipTroubles | None = None) -> Scp03Host:
    host = Scp03Host(new_chip(troubles, size))
    assert host.open(level) == "9000"
    return host


def put_key(keys: KeySet, dek: bytes, version: int = 1, old: int = MASTERS.version, prefixed: bool = True, spoil: int = 0) -> str:
    fields = bytes([version])
    for key in (keys.enc, keys.mac, keys.dek):
        block = (bytes([len(key)]) if prefixed else b"") + aes_encrypt(dek, key)
        fields += bytes([0x88, len(block)]) + block + b"\x03" + bytes(byte ^ spoil for byte in check_value(key))
    return f"80D8{old:02X}81{len(fields):02X}{fields.hex()}00"


# Sessions


@pytest.mark.parametrize("size", [8, 16])
@pytest.mark.parametrize("level", sorted(LEVELS - {0}))
def test_every_level_stores_and_reads_back(level: int, size: int) -> None:
    host = opened(level, size)
    assert host.ask(STORE, SELECT, READ) == "00034142439000"


@pytest.mark.parametrize("key_bytes", [16, 24, 32])
def test_every_key_length_opens_a_session(key_bytes: int) -> None:
    masters = replace(MASTERS, scp03=bytes(range(key_bytes)))
    chip = present(new_blank("gp-scp03"), masters=masters)
    sent(chip, SELECT_DOMAIN)
    host = Scp03Host(chip, scp03_keys(masters.scp03, masters.version, chip.blank.uid))
    assert (host.open(), host.ask(STATUS)[-4:]) == ("9000", "9000")


def test_a_level_without_mac_writes_nothing() -> None:
    host = opened(0x00)
    assert sent(host.chip, STORE) == "6982"


def test_without_a_session_only_the_photo_is_read_and_nothing_written() -> None:
    chip = new_chip()
    assert [sent(chip, f"00A4000C02{fid}", READ)[-4:] for fid in ("6FF1", "6FF2")] == ["6982", "9000"]
    assert [sent(chip, apdu) for apdu in (STORE, STATUS, SECURED)] == ["6982"] * 3


def test_initialize_update_names_the_scheme_and_counts() -> None:
    host = Scp03Host(new_chip(size=16))
    first, second = host.initialize(), host.initialize()
    assert (first.options, first.key_version, first.diversification[-8:]) == (0x71, 0x30, b"\x80" + host.chip.blank.uid)
    assert (first.sequence, second.sequence, first.card_challenge == second.card_challenge) == (b"\0\0\1", b"\0\0\2", False)


@pytest.mark.parametrize(
    ("apdu", "status"),
    [
        ("8050310008" + "00" * 8 + "00", "6A88"),
        ("8050000108" + "00" * 8 + "00", "6A86"),
        ("8050000010" + "00" * 16 + "00", "6700"),  # S16 asked of a chip that has S8
        ("8482330010" + "00" * 16, "6985"),  # no INITIALIZE UPDATE before it
        ("84E2880000", "6982"),
    ],
)
def test_what_is_wrong_before_a_session(apdu: str, status: str) -> None:
    assert sent(new_chip(), apdu) == status


@pytest.mark.parametrize(("apdu", "status"), [("8482330010" + "00" * 16, "6300"), ("8482020010" + "00" * 16, "6A86")])
def test_a_wrong_host_is_refused_and_has_to_begin_again(apdu: str, status: str) -> None:
    host = Scp03Host(new_chip())
    host.initialize()
    assert (sent(host.chip, apdu), sent(host.chip, apdu)) == (status, "6985")


def test_a_host_with_other_keys_sees_that_the_chip_is_not_its() -> None:
    chip = new_chip()
    with pytest.raises(Exception, match="cryptogram is wrong"):
        Scp03Host(chip, NEW_KEYS).open()


def test_another_command_between_the_two_ends_the_beginning() -> None:
    host = Scp03Host(new_chip())
    host.initialize()
    assert sent(host.chip, "80CA00CF00", "8482330010" + "00" * 16) == "6985"


@pytest.mark.parametrize("ending", [SELECT_DOMAIN, "8050000008000000000000000000", STATUS])
def test_select_initialize_and_any_plain_command_end_the_session(ending: str) -> None:
    host = opened()
    sent(host.chip, ending)
    assert sent(host.chip, host.channel.wrap(_command(STATUS)).encode().hex()) == "6982"


@pytest.mark.parametrize("wrong", [STATUS, "84F24002124F08" + DOMAIN + "00" * 8, "84F2400200", "80E2880001FF"])
def test_one_wrong_command_ends_the_session_for_the_right_ones(wrong: str) -> None:
    host = opened(0x11)  # nothing is enciphered: only the drop keeps the next command out
    assert sent(host.chip, wrong) == "6982"
    assert host.ask(STATUS) == "6982"


def test_what_the_reader_answers_itself_does_not_end_it() -> None:
    host = opened()
    sent(host.chip, "FFCA000000")
    assert host.ask(STATUS)[-4:] == "9000"


@pytest.mark.parametrize("at", [1, 3, 6, -2])
def test_a_changed_command_is_refused_and_ends_the_session(at: int) -> None:
    host = opened()
    command = bytearray(host.channel.wrap(_command(STORE)).encode())
    command[at] ^= 1
    assert sent(host.chip, command.hex()) in ("6982", "6700")
    assert sent(host.chip, host.channel.wrap(_command(STATUS)).encode().hex()) == "6982"


def test_more_than_a_protected_response_holds_is_refused() -> None:
    host = opened()
    assert host.ask("00A4000C026FF2", "00B00000F0") == "6700"
    assert host.ask("00B00000EF")[-4:] == "9000"


@pytest.mark.parametrize(("size", "level", "most"), [(8, 0x33, 239), (16, 0x33, 239), (8, 0x11, 248), (16, 0x11, 240)])
def test_all_there_is_comes_in_as_many_bytes_as_a_short_response_holds(size: int, level: int, most: int) -> None:
    assert len(opened(level, size).ask("00A4000C026FF2", "00B0000000")) == 2 * (most + 2)


# STORE DATA


@pytest.mark.parametrize("size", range(1, 9))
def test_a_file_may_begin_and_end_anywhere_in_a_run(size: int) -> None:
    host, data = opened(), bytes.fromhex("6FF103414243" + "6FF30144" + "6FF6FF0002" + "4546")
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    for number, block in enumerate(blocks):
        last = 0x80 if number == len(blocks) - 1 else 0
        assert host.ask(f"80E2{last | 8:02X}{number:02X}{len(block):02X}{block.hex()}") == "9000"
    assert [host.chip.memory.content(fid) for fid in (0x6FF1, 0x6FF3, 0x6FF6)] == [b"ABC", b"D", b"EF"]


def test_long_files_have_a_long_length() -> None:
    host, content = opened(), bytes(range(256)) * 2
    data = bytes.fromhex("6FF2FF0200") + content
    blocks = [data[at : at + 200] for at in range(0, len(data), 200)]
    for number, block in enumerate(blocks):
        last = 0x80 if number == len(blocks) - 1 else 0
        assert host.ask(f"80E2{last | 8:02X}{number:02X}{len(block):02X}{block.hex()}") == "9000"
    assert host.chip.memory.content(0x6FF2) == content


@pytest.mark.parametrize("level", [0x11, 0x33])
def test_extended_length_goes_both_ways(level: int) -> None:
    host, content = opened(level), bytes(range(250)) * 4
    assert host.ask("80E28800" + "0003ED" + "6FF2FF03E8" + content.hex()) == "9000"
    assert host.ask("00A4000C026FF2", "00B00002" + "0003E8") == content.hex().upper() + "9000"


@pytest.mark.parametrize(
    ("apdus", "status"),
    [
        (["80E28801066FF103414243"], "6A86"),  # the first block is 0
        (["80E20800046FF10341", "80E28800024243"], "6A86"),
        (["80E28000066FF103414243"], "6A86"),  # not in groups
        (["80E28800046FFF0141"], "6A88"),
        (["80E28800046FF64F00"], "6A84"),  # longer than the file
        (["80E28800046FF10341"], "6A80"),  # the last block, and the group is not whole
        (["80E28800026FF1"], "6A80"),
    ],
)
def test_store_data_refuses_and_begins_anew(apdus: list[str], status: str) -> None:
    host = opened()
    assert host.ask(*apdus) == status
    assert host.ask(STORE) == "9000"


@pytest.mark.parametrize("cut", range(5))
def test_power_lost_in_store_data_leaves_no_length(cut: int) -> None:
    host = opened(troubles=ChipTroubles(cut_in_bytes=3 + 2 + cut))  # the counter of the session, the cleared prefix, the content
    with pytest.raises(ChipDied):
        host.ask(STORE)
    assert host.chip.memory.length(0x6FF1) == 0
    assert bytes(host.chip.memory.files[0x6FF1][2:5]) == b"ABC"[:cut].ljust(3, b"\0")


# PUT KEY


@pytest.mark.parametrize("prefixed", [True, False])
def test_new_keys_take_the_place_of_the_old_ones(prefixed: bool) -> None:
    host = opened()
    values = "".join(check_value(key).hex() for key in (NEW_KEYS.enc, NEW_KEYS.mac, NEW_KEYS.dek)).upper()
    assert host.ask(put_key(NEW_KEYS, host.keys.dek, prefixed=prefixed)) == f"01{values}9000"
    assert host.ask(STATUS)[-4:] == "9000"  # the session goes on
    assert (Scp03Host(host.chip, NEW_KEYS).open(), list(host.chip.memory.key_sets)) == ("9000", [1])
    assert sent(host.chip, "8050300008" + "00" * 8 + "00") == "6A88"


def test_keys_of_192_bits_come_in_blocks_of_two() -> None:
    host, keys = opened(), KeySet(b"\xb1" * 24, b"\xb2" * 24, b"\xb3" * 24)
    padded = KeySet(*(key + bytes(8) for key in (keys.enc, keys.mac, keys.dek)))
    fields = b"\x01"
    for key, long in zip((keys.enc, keys.mac, keys.dek), (padded.enc, padded.mac, padded.dek), strict=True):
        fields += b"\x88\x21\x18" + aes_encrypt(host.keys.dek, long) + b"\x03" + check_value(key)
    assert host.ask(f"80D83081{len(fields):02X}{fields.hex()}00")[-4:] == "9000"
    assert host.chip.memory.key_sets[1] == (keys.enc, keys.mac, keys.dek)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"spoil": 1}, "6982"),
        ({"old": 0x55}, "6A88"),
        ({"old": 0x80 | MASTERS.version}, "6A86"),  # more PUT KEY commands follow, this says
        ({"version": 0}, "6A80"),
        ({"version": 0x80}, "6A80"),
        ({"version": MASTERS.version, "old": 0}, "6A80"),  # adds a version that is there
    ],
)
def test_put_key_refuses_and_the_old_keys_stay(changes: dict[str, int], status: str) -> None:
    host = opened()
    assert host.ask(put_key(NEW_KEYS, host.keys.dek, **changes)) == status  # type: ignore[arg-type]  # flags apart
    assert list(host.chip.memory.key_sets) == [MASTERS.version]


def test_a_factorys_keys_are_gone_with_the_first_that_are_added() -> None:
    factory = replace(MASTERS, version=0xFF)
    chip = present(new_blank("gp-scp03"), masters=factory)
    sent(chip, SELECT_DOMAIN)
    host = Scp03Host(chip, scp03_keys(factory.scp03, 0xFF, chip.blank.uid))
    assert host.open() == "9000"
    assert host.ask(put_key(NEW_KEYS, host.keys.dek, old=0xFF)) == "6A86"
    assert host.ask(put_key(NEW_KEYS, host.keys.dek, old=0))[-4:] == "9000"
    assert list(chip.memory.key_sets) == [1]


@pytest.mark.parametrize(("page", "version"), [("old", 0x30), ("cut", 0x30), ("mix", 0x30), ("new", 0x01)])
def test_power_lost_in_put_key_leaves_old_keys_or_new_ones(page: str, version: int) -> None:
    troubles = ChipTroubles()
    host = opened(troubles=troubles)
    troubles.cut_in_bytes, troubles.cut_page = 20, page
    with pytest.raises(ChipDied):
        host.ask(put_key(NEW_KEYS, host.keys.dek))
    assert list(host.chip.memory.key_sets) == [version]


# What it tells, and its life cycle


def test_what_it_tells_of_itself() -> None:
    chip = new_chip()
    assert sent(chip, "80CA006600").endswith("640B06092A864886FC6B0403709000")  # SCP03, i = 70
    assert sent(chip, "80CA00CF00") == f"CF0A000080{chip.blank.uid.hex().upper()}9000"
    assert sent(chip, "80CA00E000") == "E012C00401308810C00402308810C004033088109000"
    assert sent(chip, "80CA00C100") == "C1030000009000"
    assert (sent(chip, "80CA9F7F00")[:6], len(sent(chip, "80CA9F7F00"))) == ("9F7F2A", 2 * (3 + 42 + 2))
    assert sent(chip, "80CA004700") == "6A88"


def test_the_domains_life_cycle_ends_what_is_written() -> None:
    host = opened()
    assert host.ask(STATUS) == f"E3134F08{DOMAIN}9F700107C5038000009000"
    assert host.ask(STORE, PERSONALIZED) == "9000"
    assert host.ask(STATUS)[:-10].endswith("9F70010FC503")
    assert (host.ask(STORE), host.ask(SELECT, READ)) == ("6985", "00034142439000")


@pytest.mark.parametrize(
    ("apdu", "status"),
    [
        (SECURED, "6985"),  # INITIALIZED comes first
        (f"80F0400108{DOMAIN}", "6985"),
        (f"80F0400708{DOMAIN[:-2]}FF", "6A88"),
        (f"80F0300F08{DOMAIN}", "6A86"),
    ],
)
def test_set_status_refuses_steps_and_names_that_there_are_not(apdu: str, status: str) -> None:
    assert opened().ask(apdu) == status


@pytest.mark.parametrize(
    ("apdu", "status"),
    [
        ("80F24002014F", "6A80"),
        ("80F24002024F01", "6A80"),
        ("80F24000024F00", "6A86"),
        ("80F24002034F01AA", "6A88"),
        ("80F22002024F00", "6A88"),
    ],
)
def test_get_status_refuses(apdu: str, status: str) -> None:
    assert opened().ask(apdu) == status


def test_a_card_goes_step_by_step_and_terminated_is_the_end() -> None:
    host = opened()
    assert [host.ask(f"80F080{state}") for state in ("07", "0F", "7F", "0F", "FF")] == ["9000"] * 5
    assert (host.chip.memory.card_life, host.ask(STATUS)) == (0xFF, "6D00")


def test_a_locked_card_takes_nothing() -> None:
    host = opened()
    assert host.ask("80F08007", SECURED, "80F0807F", STORE) == "6985"


def test_install_for_personalization_chooses_the_domain() -> None:
    chip = present(new_blank("gp-scp03"))
    host = Scp03Host(chip)
    assert (host.open(), host.ask(STORE)) == ("9000", "6985")  # the issuer's domain holds no files
    assert host.ask(f"80E620000E000008{DOMAIN}00000000") == "009000"
    assert host.ask(STORE) == "9000"


def _command(apdu: str) -> Command:
    return Command.decode(bytes.fromhex(apdu))
