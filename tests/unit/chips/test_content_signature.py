"""The centre's signature over a chip's contents."""

from __future__ import annotations

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controller.chips.content_signature import ContentSignature, load_public_key, to_be_signed
from controller.model import ChipFile
from tools.make_examples import chip_key, sign_contents

OTHER = ec.derive_private_key(7, ec.SECP256R1())
RULE = ContentSignature(0x6FF6, (OTHER.public_key(), chip_key().public_key()))
CONTENTS = [b"biodata", b"photo", b"", b"left", b"right"]


def signed(key: ec.EllipticCurvePrivateKey) -> list[ChipFile]:
    files = [ChipFile(0x6FF1 + at, content) for at, content in enumerate(CONTENTS)]
    return [*files, ChipFile(0x6FF6, sign_contents(CONTENTS, key))]


def test_what_any_believed_key_signed_is_right_in_any_order() -> None:
    assert RULE.wrong(signed(chip_key())) == ""
    assert RULE.wrong(signed(OTHER)[::-1]) == ""


def test_lengths_are_signed_so_nothing_can_move_from_file_to_file() -> None:
    assert to_be_signed([ChipFile(2, b"b"), ChipFile(1, b"a"), ChipFile(6, b"sig")], 6) == b"\0\1a\0\1b"
    assert to_be_signed([ChipFile(1, b"ab"), ChipFile(2, b"")], 6) != to_be_signed([ChipFile(1, b"a"), ChipFile(2, b"b")], 6)


@pytest.mark.parametrize("at", range(5))
def test_any_other_content_is_not_what_was_signed(at: int) -> None:
    files = signed(chip_key())
    files[at] = ChipFile(files[at].fid, files[at].content + b"x")
    assert RULE.wrong(files) == "the signature in 6FF6 does not fit the other files"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the signature in 6FF6 is empty"), (b"garbage", "the signature in 6FF6 does not fit the other files")],
)
def test_a_signature_that_is_none_is_told(content: bytes, message: str) -> None:
    assert RULE.wrong([*signed(chip_key())[:-1], ChipFile(0x6FF6, content)]) == message


def test_a_missing_signature_is_told() -> None:
    assert RULE.wrong(signed(chip_key())[:-1]) == "the signature file 6FF6 is missing"


@pytest.mark.parametrize("form", [PublicFormat.CompressedPoint, PublicFormat.UncompressedPoint])
def test_a_key_is_its_point(form: PublicFormat) -> None:
    point = chip_key().public_key().public_bytes(Encoding.X962, form)
    assert load_public_key(b64encode(point).decode()) == chip_key().public_key()


@pytest.mark.parametrize("text", ["", "?", "AAAA", b64encode(b"\x02" + b"\xff" * 32).decode()])
def test_what_is_no_point_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not base64 of a point on P-256"):
        load_public_key(text)
