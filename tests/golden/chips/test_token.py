"""The public vectors of chip.md 3.2 and 4.1 computed in a PKCS#11 token (SoftHSM2) that was given their static keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass

from controller.chips.icao import make_token, open_token, session_keys
from controller.chips.scp03 import InitializeUpdate, Scp03Session, derive
from controller.hal.chip.key_ring import KeyRing, TokenKey
from controller.hal.chip.pkcs11_link import TokenLink
from controller.hal.chip.pkcs11_sam import retail_mac
from tests.fakes.token import SoftToken
from tests.golden.chips.test_cmac import CMACS, MESSAGE
from tests.golden.chips.test_icao import ANSWER, HOST, KENC, KEYS, KMAC, TOKEN
from tests.golden.chips.test_scp03 import TRACES, Trace

T = TypeVar("T")


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenLink]:
    """One token for all vectors: nothing stays in it."""
    token = SoftToken(tmp_path_factory.mktemp("token"))
    link = token.link()
    yield link
    link.close()
    token.restore()


@pytest.fixture(autouse=True)
def no_token_thread_is_left(link: TokenLink) -> Iterator[None]:
    """Log out after each test: every thread must be gone by then."""
    yield
    link.close()


def known(ring: KeyRing, value: bytes, kind: KeyType, use: MechanismFlag) -> TokenKey:
    """A key with a value that everybody knows, as an object of the session."""
    handle = ring._session.create_object({
        Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: kind, Attribute.VALUE: value, Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: use is MechanismFlag.ENCRYPT, Attribute.TOKEN: False,
        **{Attribute[flag.name]: True for flag in use if flag.name is not None},
    })  # fmt: skip
    return ring._keep(handle, aes=kind is KeyType.AES)


def with_keys(link: TokenLink, work: Callable[[KeyRing], T]) -> T:
    return link.run(work, write=True)


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.name)
def test_session_keys_of_scp03_come_out_and_prove_both_sides(link: TokenLink, trace: Trace) -> None:
    static = [bytes.fromhex(key) for key in trace.static]
    init = InitializeUpdate.decode(bytes.fromhex(trace.host), bytes.fromhex(trace.answer))

    def work(ring: KeyRing) -> object:
        enc, mac = (known(ring, key, KeyType.AES, MechanismFlag.SIGN) for key in static)
        keys = derive(init, 8 * len(static[0]), enc.cmac, mac.cmac)
        assert trace.session in (None, (keys.enc.hex(), keys.mac.hex(), keys.rmac.hex()))
        return Scp03Session(init, keys).authenticate(trace.level)[0].encode().hex()

    assert with_keys(link, work) == trace.authenticate


@pytest.mark.parametrize(("key", "length", "mac"), CMACS)
def test_cmac(link: TokenLink, key: bytes, length: int, mac: str) -> None:
    made = with_keys(link, lambda ring: known(ring, key, KeyType.AES, MechanismFlag.SIGN).cmac(MESSAGE[:length]))
    assert made.hex() == mac


@pytest.mark.parametrize(("key", "kcv"), [
    ("000102030405060708090a0b0c0d0e0f", "C35280"), ("101112131415161718191a1b1c1d1e1f", "013808"),
    ("202122232425262728292a2b2c2d2e2f", "840DE5"),
])  # fmt: skip
def test_check_values(link: TokenLink, key: str, kcv: str) -> None:
    made = with_keys(link, lambda ring: known(ring, bytes.fromhex(key), KeyType.AES, MechanismFlag.ENCRYPT).blocks(b"\1" * 16))
    assert made[:3].hex().upper() == kcv


def _icao(ring: KeyRing) -> tuple[TokenKey, TokenKey, TokenKey]:
    use = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
    return (known(ring, KENC, KeyType.DES2, use), known(ring, KMAC[:8] * 3, KeyType.DES3, use),
            known(ring, KMAC, KeyType.DES2, use))  # fmt: skip


def test_the_hosts_token_of_icao(link: TokenLink) -> None:
    def work(ring: KeyRing) -> bytes:
        enc, first, whole = _icao(ring)
        return make_token(HOST, enc.encipher, lambda data: retail_mac(first, whole, data))

    assert with_keys(link, work) == TOKEN


def test_the_chips_token_of_icao_and_the_session_keys(link: TokenLink) -> None:
    def work(ring: KeyRing) -> object:
        enc, first, whole = _icao(ring)
        return session_keys(HOST, open_token(ANSWER, HOST, enc.decipher, lambda data: retail_mac(first, whole, data)))

    assert with_keys(link, work) == KEYS
