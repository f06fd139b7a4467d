"""The simulated SAM card (chip.md 1.2): its command set, its lock, and the verification of contents."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hwsim.devices.chip_icao import BacKeys, open_token
from hwsim.devices.chip_keys import bac_keys
from hwsim.devices.sam import ATR, SamCard
from tests.unit.hwsim.chip_bench import MASTERS, SamHost, ask_sam, new_blank, new_sam, present, sent

BLOB = bytes(range(32))
UID8 = b"\x80" + bytes(range(7))
CENTRE_KEY = Path("examples/keys/contoh-chip-2026.key.pem")
CHALLENGE = b"CHALLENG"
F1_LONG, F1_SHORT = bytes(51) + UID8 + CHALLENGE, bytes(29) + UID8 + CHALLENGE


def test_it_is_a_contact_card_with_t1() -> None:
    assert (ATR[:6].hex(), len(ATR)) == ("3b878131fe45", 14)
    assert ATR[0] == 0x3B
    check = 0
    for byte in ATR[1:]:
        check ^= byte
    assert check == 0


@pytest.mark.parametrize(("p2", "control"), [("01", 51), ("00", 29)])
def test_the_hosts_token_holds_the_challenge_under_the_chips_keys(p2: str, control: int) -> None:
    token = ask_sam(new_sam(), f"00F100{p2}", bytes(control) + UID8 + CHALLENGE)
    keys: BacKeys = bac_keys(MASTERS.ektp, bytes(control), UID8[1:])
    opened = open_token(keys, token[:-2])
    assert opened is not None
    assert (opened[8:16], len(token)) == (CHALLENGE, 42)


@pytest.mark.parametrize(
    ("head", "data", "status"),
    [
        ("00F10001", F1_SHORT, "6700"),
        ("00F10000", F1_LONG, "6700"),
        ("00F10002", F1_LONG, "6a86"),
        ("00F20000", bytes(40), "6985"),
        ("00F30000", bytes.fromhex("00B0000005"), "6985"),
        ("00F40000", bytes(14), "6985"),
        ("00FA0300", b"photo", "6985"),
        ("00010000", b"", "6d00"),
        ("80F10001", F1_LONG, "6e00"),
    ],
)
def test_what_is_wrong_is_refused(head: str, data: bytes, status: str) -> None:
    assert ask_sam(new_sam(), head, data).hex() == status


def test_a_wrong_token_of_the_chip_ends_the_attempt() -> None:
    sam = new_sam()
    ask_sam(sam, "00F10001", F1_LONG)
    assert [ask_sam(sam, "00F20000", bytes(40)).hex() for _ in range(2)] == ["6300", "6985"]


def test_a_token_that_the_chip_gave_before_is_refused() -> None:
    chip, sam, answers = present(new_blank()), new_sam(), []
    for _ in range(2):
        challenge = bytes.fromhex(sent(chip, "00A40000027F0A", "0084000008"))[:8]
        token = ask_sam(sam, "00F10001", chip.memory.content(0x6FF0) + b"\x80" + chip.blank.uid + challenge)[:-2]
        answers.append(bytes.fromhex(sent(chip, "0082000028" + token.hex()))[:-2])
    assert ask_sam(sam, "00F20000", answers[0]).hex() == "6300"


def test_a_response_that_is_not_the_chips_ends_the_session() -> None:
    host = SamHost(present(new_blank()))
    host.authenticate()
    assert ask_sam(host.sam, "00F40000", bytes.fromhex("990290008E08") + bytes(8)).hex() == "6988"
    assert ask_sam(host.sam, "00F30000", bytes.fromhex("00B0000005")).hex() == "6985"


@pytest.mark.parametrize("ending", ["FF", "power"])
def test_reset_and_power_forget_the_session(ending: str) -> None:
    host = SamHost(present(new_blank()))
    host.authenticate()
    if ending == "FF":
        assert ask_sam(host.sam, "00FF0000").hex() == "9000"
    else:
        host.sam.power(on=False)
    assert ask_sam(host.sam, "00F30000", bytes.fromhex("00B0000005")).hex() == "6985"


# The lock


def test_a_sam_with_a_blob_does_nothing_before_it_was_opened() -> None:
    sam = new_sam(BLOB)
    assert (ask_sam(sam, "00F10001", F1_LONG).hex(), ask_sam(sam, "00F80000").hex()) == ("6982", "009000")
    assert (ask_sam(sam, "00F00000", BLOB).hex(), ask_sam(sam, "00F80000").hex()) == ("9000", "019000")
    assert len(ask_sam(sam, "00F10001", F1_LONG)) == 42


def test_power_closes_it_again_and_the_openings_are_counted() -> None:
    sam = new_sam(BLOB)
    for _ in range(2):
        assert ask_sam(sam, "00F00000", BLOB).hex() == "9000"
        sam.power(on=False)
    assert (ask_sam(sam, "00F10001", F1_LONG).hex(), ask_sam(sam, "00FD0000").hex()) == ("6982", "00029000")


def test_three_wrong_blobs_block_it_for_good() -> None:
    sam = new_sam(BLOB)
    assert [ask_sam(sam, "00F00000", bytes(32)).hex() for _ in range(3)] == ["63c2", "63c1", "6983"]
    assert [ask_sam(sam, head).hex() for head in ("00F00000", "00FF0000")] == ["6983", "6983"]
    assert [ask_sam(sam, "00F00000", BLOB).hex(), ask_sam(sam, "00F10001", F1_LONG).hex()] == ["6983", "6983"]


def test_the_tries_left_are_told_and_a_right_blob_gives_them_back() -> None:
    sam = new_sam(BLOB)
    ask_sam(sam, "00F00000", bytes(32))
    assert ask_sam(sam, "00F00000").hex() == "63c2"
    ask_sam(sam, "00F00000", BLOB)
    assert sam.memory.tries == 3


# Automatic verification


def verified(spoil: int | None = None, centre_key: bytes | None = MASTERS.centre_key) -> str:
    """The result after the host has read a whole card as public readers do; one file may be changed on the chip."""
    blank = new_blank()
    contents = {fid: bytes([fid & 0xFF]) * 300 for fid in range(0x6FF1, 0x6FF6)}
    signed = b"".join(len(content).to_bytes(2, "big") + content for content in contents.values())
    key = load_pem_private_key(CENTRE_KEY.read_bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    contents[0x6FF6] = key.sign(signed, ECDSA(SHA256()))
    for fid, content in contents.items():
        blank.chip.write(fid, 0, len(content).to_bytes(2, "big") + content)
    if spoil is not None:
        blank.chip.write(spoil, 20, b"!")
    host = SamHost(present(blank), SamCard(MASTERS, new_sam().memory, 1, centre_key))
    photo = bytes.fromhex(sent(host.chip, "00A40000027F0A", "00A40000026FF2", "00B0000000") + sent(host.chip, "00B001002E"))
    host.authenticate()
    ask_sam(host.sam, "00FA0000")
    for block in (photo[:200], photo[200:256], photo[258:-2]):  # without the status word of the first part
        assert ask_sam(host.sam, "00FA0300", block).hex() == "9000"
    _read(host)
    return ask_sam(host.sam, "00FA0400").hex()


def _read(host: SamHost) -> None:
    for fid in (0x6FF1, 0x6FF3, 0x6FF4, 0x6FF5):
        host.ask(f"00A4000002{fid:04X}", "00B00000D0", "00B000D05E")
    signature = bytes.fromhex(host.ask("00A40000026FF6", "00B0000050"))[:-2]
    assert ask_sam(host.sam, "00FA0600", signature).hex() == "9000"


def test_contents_with_the_centres_signature_are_right() -> None:
    assert verified() == "019000"


@pytest.mark.parametrize("fid", range(0x6FF1, 0x6FF7))
def test_contents_or_a_signature_that_were_changed_are_wrong(fid: int) -> None:
    assert verified(fid) == "009000"


def test_without_the_centres_key_nothing_is_right() -> None:
    assert verified(centre_key=None) == "009000"


def test_without_contents_nothing_is_right_and_after_the_end_nothing_is_asked() -> None:
    sam = new_sam()
    assert [ask_sam(sam, head).hex() for head in ("00FA0000", "00FA0400", "00FA0200", "00FA0400")] == [
        "9000",
        "009000",
        "9000",
        "6985",
    ]


def test_a_response_may_be_opened_without_being_shown() -> None:
    host = SamHost(present(new_blank()))
    host.authenticate()
    ask_sam(host.sam, "00FA0000")
    response = bytes.fromhex(sent(host.chip, host.wrap("00A40000026FF1").hex()))
    assert ask_sam(host.sam, "00FA0500", response[:-2]).hex() == "9000"
