"""What a stored record brings is judged again, by the chips and the keys of today, before a blank is fed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from controller.chip_contents import chip_contents
from controller.chips.content_signature import ContentSignature
from controller.chips.profile import ChipProfile
from controller.errors import RecordRefused
from tests.fakes.chip import shipped
from tests.unit.records.samples import read, sample, sealed
from tools.make_examples import chip_key

OTHER = ec.derive_private_key(7, ec.SECP256R1()).public_key()
STORED = read(sealed(sample()))


def judged(profile: ChipProfile, *keys: ec.EllipticCurvePublicKey) -> list[tuple[str, str]]:
    with pytest.raises(RecordRefused) as refused:
        chip_contents(profile, ContentSignature(0x6FF6, keys), STORED.canonical)
    return [(problem.code, problem.place) for problem in refused.value.problems]


def smaller(fid: int, most: int) -> ChipProfile:
    files = shipped("ektp").files
    return replace(shipped("ektp"), files=tuple(replace(row, max_bytes=most) if row.fid == fid else row for row in files))


@pytest.mark.parametrize("kind", ["ektp", "gp-scp03"])
def test_what_fits_and_is_signed_is_taken_as_it_is(kind: str) -> None:
    signature = ContentSignature(0x6FF6, (OTHER, chip_key().public_key()))
    assert chip_contents(shipped(kind), signature, STORED.canonical) == STORED.chip_files


def test_a_profile_without_a_signature_asks_for_none() -> None:
    assert chip_contents(shipped("ektp"), None, STORED.canonical) == STORED.chip_files


def test_a_key_that_is_no_longer_believed_is_told() -> None:
    assert judged(shipped("ektp"), OTHER) == [("chip.signature", "chip.6FF6")]


def test_a_file_that_the_chips_of_today_do_not_hold_is_told_with_its_size() -> None:
    assert judged(smaller(0x6FF2, 10), chip_key().public_key()) == [("chip.too_large", "chip.6FF2")]
    with pytest.raises(RecordRefused, match="more than 10 bytes"):
        chip_contents(smaller(0x6FF2, 10), None, STORED.canonical)


def test_a_file_that_the_chips_of_today_do_not_have_is_told() -> None:
    ektp = shipped("ektp")
    without = replace(ektp, files=tuple(row for row in ektp.files if row.fid != 0x6FF5))
    assert judged(without, chip_key().public_key()) == [("chip.no_such_file", "chip.6FF5")]


def test_contents_of_too_many_blocks_are_told_before_the_chip_refuses_them() -> None:
    gp = shipped("gp-scp03")
    tiny = replace(gp, invented=replace(gp.invented, block_bytes=2))
    assert judged(tiny, chip_key().public_key()) == [("chip.total", "chip")]
