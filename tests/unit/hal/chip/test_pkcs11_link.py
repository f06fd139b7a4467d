"""The link to a token, with SoftHSM2: logins, PINs that are wrong, tokens that go away, keys that stay inside."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, TokenFlag

from controller.errors import DeviceAbsent, DeviceError, DeviceRefused
from controller.hal.chip.key_ring import KeyRing, Kind, TokenKey, Use
from controller.hal.chip.pkcs11_link import TokenLink
from controller.hal.chip.refused_pin import RefusedPin
from controller.hal.chip.token_pin import PinSource
from tests.fakes.token import LABEL, MODULE, SoftToken, fresh

MASTER = "m"


token = pytest.fixture(fresh)


@pytest.fixture
def link(token: SoftToken) -> Iterator[TokenLink]:
    link = token.link()
    yield link
    link.close()


def make(link: TokenLink, kind: Kind = Kind.AES, key_bytes: int = 32) -> None:
    link.run(lambda ring: ring.make_master(MASTER, kind, key_bytes), write=True)


def error_of(link: TokenLink, work: Callable[[KeyRing], object] = lambda ring: ring.random(1), **how: bool) -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        link.run(work, **how)
    return caught.value


def flags() -> TokenFlag:
    """What the token says of its PIN, asked past the link."""
    return pkcs11.lib(str(MODULE)).get_token(token_label=LABEL).flags


def test_work_is_done_from_any_thread_in_one_session(link: TokenLink) -> None:
    with ThreadPoolExecutor(4) as lanes:
        assert {len(said) for said in lanes.map(lambda _: link.run(lambda ring: ring.random(24)), range(40))} == {24}


def test_a_master_is_made_inside_and_never_leaves(link: TokenLink) -> None:
    make(link)

    def look(ring: KeyRing) -> None:
        master = ring.master(MASTER, Kind.AES)
        assert (ring.faults(master), ring.doubts(master), ring.key_bytes(master)) == ([], [], 32)
        with pytest.raises(pkcs11.AttributeSensitive):
            master[Attribute.VALUE]

    link.run(look)


def test_a_derived_key_cannot_be_read_nor_carried_off(link: TokenLink) -> None:
    make(link)

    def look(ring: KeyRing) -> None:
        key = ring.derive_aes(ring.master(MASTER, Kind.AES), bytes(16), 16, Use.MAC)
        dek = ring.derive_aes(ring.master(MASTER, Kind.AES), bytes(15) + b"1", 16, Use.WRAP)
        with pytest.raises(pkcs11.AttributeSensitive):
            key.handle[Attribute.VALUE]
        dek.wrap(key)

    with pytest.raises(DeviceRefused, match="a key may not be wrapped") as refused:
        link.run(look)
    assert refused.value.condition == "sam_refused"


def test_derived_keys_are_gone_when_the_work_ends(link: TokenLink) -> None:
    make(link)

    def work(ring: KeyRing) -> TokenKey:
        return ring.derive_aes(ring.master(MASTER, Kind.AES), bytes(16), 16, Use.MAC)

    left = link.run(work)
    with pytest.raises(pkcs11.PKCS11Error):
        left.cmac(b"")


def test_a_master_that_is_not_there_or_twice_there_is_refused(link: TokenLink) -> None:
    with pytest.raises(DeviceRefused, match="no AES keys named 'm'; make them with 'print-station keys init'"):
        link.run(lambda ring: ring.master(MASTER, Kind.AES))
    make(link)
    make(link)
    with pytest.raises(DeviceRefused, match="2 AES keys named 'm'; one is needed"):
        link.run(lambda ring: ring.master(MASTER, Kind.AES))


def test_a_synthetic_master_is_marked(link: TokenLink) -> None:
    link.run(lambda ring: ring.take_synthetic(MASTER, Kind.DES3, bytes(range(24))), write=True)
    doubts = link.run(lambda ring: ring.doubts(ring.master(MASTER, Kind.DES3)))
    assert "SYNTHETIC: everybody knows this key" in doubts


def test_a_wrong_pin_is_tried_once(token: SoftToken, link: TokenLink) -> None:
    token.write_pin("0000")
    first, second = error_of(link), error_of(link)
    assert (first.condition, "refuses the PIN" in first.detail) == ("sam_locked", True)
    assert "was given a wrong PIN since its last login" in second.detail
    assert "0000" not in first.detail + second.detail


def test_after_a_wrong_pin_another_process_does_not_try_either(token: SoftToken, link: TokenLink) -> None:
    token.write_pin("0000")
    error_of(link)
    link.close()
    other = token.link()
    assert "'print-station keys check --once-more'" in error_of(other).detail
    other.close()


def test_the_same_wrong_pin_is_not_tried_again_by_a_token_without_flags(token: SoftToken, link: TokenLink) -> None:
    token.write_pin("0000")
    error_of(link)
    with pytest.raises(DeviceRefused, match="has refused this PIN already"):
        link._permitted(TokenFlag.USER_PIN_INITIALIZED, once_more=False)
    token.write_pin("482913")
    assert link._permitted(TokenFlag.USER_PIN_INITIALIZED, once_more=False) == "482913"


def test_a_person_who_corrected_the_pin_lets_it_be_tried(token: SoftToken, link: TokenLink) -> None:
    token.write_pin("0000")
    error_of(link)
    token.write_pin("482913")
    assert link.run(lambda ring: len(ring.random(3)), once_more=True) == 3
    assert not flags() & TokenFlag.USER_PIN_COUNT_LOW


@pytest.mark.parametrize(("flag", "word"), [
    (TokenFlag.USER_PIN_FINAL_TRY, "one try left"), (TokenFlag.USER_PIN_LOCKED, "has blocked its PIN"),
])  # fmt: skip
def test_the_last_try_is_never_spent_even_when_a_person_asks(link: TokenLink, flag: TokenFlag, word: str) -> None:
    with pytest.raises(DeviceRefused, match=word) as refused:
        link._permitted(TokenFlag.USER_PIN_INITIALIZED | flag, once_more=True)  # SoftHSM has no such limit
    assert refused.value.condition == "sam_locked"


def test_a_token_without_a_user_pin_is_refused(link: TokenLink) -> None:
    with pytest.raises(DeviceRefused, match="has no user PIN yet"):
        link._permitted(TokenFlag.LOGIN_REQUIRED, once_more=False)


def test_a_pin_file_that_others_may_read_is_not_used(token: SoftToken, link: TokenLink) -> None:
    token.write_pin("482913", mode=0o644)
    assert "has mode 0644" in error_of(link).detail
    assert not flags() & TokenFlag.USER_PIN_COUNT_LOW


def test_a_second_login_of_the_process_is_refused(token: SoftToken, link: TokenLink) -> None:
    link.run(lambda ring: ring.random(1))
    second = token.link()
    assert "is in use by another part of this process" in error_of(second).detail
    second._lib = None  # its close would end the library under the first
    second.close()


@pytest.mark.parametrize("module", ["/nowhere/libhsm.so", "/usr/lib/x86_64-linux-gnu/libz.so.1"])
def test_a_module_that_is_none_is_absent(token: SoftToken, module: str) -> None:
    link = token.link(module=Path(module))
    assert (type(error := error_of(link)), error.condition, module in error.detail) == (DeviceAbsent, "sam_absent", True)
    link.close()


def test_a_token_that_is_not_there_is_absent(token: SoftToken) -> None:
    link = token.link("elsewhere")
    assert (error_of(link).condition, str(error_of(link))) == ("sam_absent", "sam_absent: no token is named 'elsewhere'")
    token.add("elsewhere")
    assert link.run(lambda ring: len(ring.random(2))) == 2
    link.close()


def test_two_tokens_of_one_name_are_refused(token: SoftToken, link: TokenLink) -> None:
    token.add(LABEL)
    assert "2 tokens are named 'perso'; unplug all but one" in error_of(link).detail


def test_a_session_that_was_lost_is_opened_again(link: TokenLink) -> None:
    make(link)
    pkcs11.lib(str(MODULE)).finalize()  # as when the HSM's service was restarted
    assert link.run(lambda ring: ring.key_bytes(ring.master(MASTER, Kind.AES))) == 32


def test_a_token_that_keeps_failing_is_absent(link: TokenLink) -> None:
    runs = []

    def work(_ring: KeyRing) -> None:
        runs.append(1)
        raise pkcs11.DeviceRemoved

    link.run(lambda ring: ring.random(1))
    with pytest.raises(DeviceAbsent, match="token 'perso' failed: DeviceRemoved"):
        link.run(work)
    assert len(runs) == 2


def test_a_mechanism_that_the_token_has_not_is_named(link: TokenLink) -> None:
    make(link)

    def work(ring: KeyRing) -> None:
        ring.master(MASTER, Kind.AES).derive_key(
            pkcs11.KeyType.AES, 128, mechanism=pkcs11.Mechanism.SHA256_KEY_DERIVATION, mechanism_param=b""
        )

    with pytest.raises(DeviceRefused, match="the token lacks a mechanism") as refused:
        link.run(work)
    assert refused.value.condition == "sam_refused"


def test_closing_twice_is_fine_and_a_later_call_opens_it_again(link: TokenLink) -> None:
    link.run(lambda ring: ring.random(1))
    link.close()
    link.close()
    assert link.run(lambda ring: len(ring.random(2))) == 2


def log_out(ring: KeyRing) -> None:
    """What some tokens do by themselves after a while: the session stays, its keys are hidden."""
    assert ctypes.CDLL(str(MODULE)).C_Logout(ctypes.c_ulong(ring._session.handle)) == 0


def test_a_login_that_was_lost_is_made_again(link: TokenLink) -> None:
    make(link)
    link.run(log_out)
    assert link.run(lambda ring: ring.key_bytes(ring.master(MASTER, Kind.AES))) == 32


def test_a_master_that_is_missing_is_looked_for_once_more_on_a_new_session_only(link: TokenLink) -> None:
    looked: list[int] = []

    def work(ring: KeyRing) -> None:
        looked.append(1)
        ring.master(MASTER, Kind.AES)

    link.run(lambda ring: ring.random(1))
    with pytest.raises(DeviceRefused, match="no AES keys named 'm'"):
        link.run(work)
    assert len(looked) == 2


@pytest.mark.parametrize("data", [b"", bytes(15), bytes(17)])
def test_what_the_token_refuses_is_no_loss_of_it(link: TokenLink, data: bytes) -> None:
    make(link)
    with pytest.raises(DeviceRefused, match="the token refuses what is done with a key") as refused:
        link.run(lambda ring: ring.derive_aes(ring.master(MASTER, Kind.AES), data, 16, Use.MAC))
    assert refused.value.condition == "sam_refused"


def test_a_use_that_a_keys_attributes_forbid_is_refused(link: TokenLink) -> None:
    make(link)
    with pytest.raises(DeviceRefused, match="forbid to sign with it"):
        link.run(lambda ring: ring.derive_aes(ring.master(MASTER, Kind.AES), bytes(16), 16, Use.WRAP).cmac(b""))


def test_an_unknown_attribute_is_refused(link: TokenLink) -> None:
    make(link)
    with pytest.raises(DeviceRefused, match="AttributeTypeInvalid"):
        link.run(lambda ring: ring.master(MASTER, Kind.AES)[Attribute.MODULUS])


def test_two_lanes_that_ask_at_once_try_a_wrong_pin_once(token: SoftToken, link: TokenLink) -> None:
    token.write_pin("0000")
    with ThreadPoolExecutor(4) as lanes:
        errors = list(lanes.map(lambda _: error_of(link).detail, range(8)))
    assert sum("refuses the PIN" in error for error in errors) == 1
    assert sum("was given a wrong PIN since its last login" in error for error in errors) == 7


def test_once_more_is_one_try(token: SoftToken, link: TokenLink) -> None:
    token.write_pin("0000")
    error_of(link)
    assert "refuses the PIN" in error_of(link, once_more=True).detail
    assert "was given a wrong PIN since its last login" in error_of(link).detail


def test_no_text_holds_the_pin(token: SoftToken, link: TokenLink) -> None:
    token.write_pin("739154")
    error: BaseException | None = error_of(link)
    while error is not None:
        assert "739154" not in f"{error!r} {error}"
        error = error.__cause__ or error.__context__
    assert "739154" not in repr(link._pin)


def test_a_wrong_pin_is_tried_once_over_restarts_by_a_token_without_flags(token: SoftToken, tmp_path: Path) -> None:
    token.write_pin("0000")
    plain = TokenFlag.USER_PIN_INITIALIZED
    for number in range(3):
        link = TokenLink(MODULE, LABEL, PinSource(token.pin_file), RefusedPin(tmp_path / "refused"))
        if number == 0:
            assert "refuses the PIN" in error_of(link).detail
        with pytest.raises(DeviceRefused, match="has refused this PIN already"):
            link._permitted(plain, once_more=False)
        assert link._permitted(plain, once_more=True) == "0000"
        link.close()


def test_a_pin_that_is_taken_is_refused_no_more(token: SoftToken, tmp_path: Path) -> None:
    refused = RefusedPin(tmp_path / "refused")
    refused.trying(b"482913")
    link = TokenLink(MODULE, LABEL, PinSource(token.pin_file), refused)
    assert "or run 'print-station keys check --once-more'" in error_of(link).detail
    assert link.run(lambda ring: len(ring.random(1)), once_more=True) == 1
    assert not refused.holds(b"482913")
    link.close()


def test_a_token_that_is_unplugged_and_put_back_needs_nobody(token: SoftToken, link: TokenLink) -> None:
    make(link)
    token.unplug()
    assert error_of(link, work=lambda ring: ring.master(MASTER, Kind.AES)).condition == "sam_absent"
    token.plug_in()
    assert link.run(lambda ring: ring.key_bytes(ring.master(MASTER, Kind.AES))) == 32


@pytest.mark.parametrize("lost", [
    pkcs11.SessionHandleInvalid, pkcs11.SessionClosed, pkcs11.UserNotLoggedIn, pkcs11.DeviceError, pkcs11.DeviceMemory,
    pkcs11.GeneralError, pkcs11.FunctionFailed, pkcs11.KeyHandleInvalid, pkcs11.ObjectHandleInvalid, pkcs11.TokenNotPresent,
])  # fmt: skip
def test_work_that_a_lost_session_broke_off_is_done_again(link: TokenLink, lost: type[Exception]) -> None:
    runs: list[int] = []

    def work(ring: KeyRing) -> int:
        runs.append(1)
        if len(runs) == 1:
            raise lost
        return len(ring.random(3))

    link.run(lambda ring: ring.random(1))
    assert link.run(work) == 3


# A token that has no flags for wrong tries: SoftHSM has them


class PowerCutError(BaseException):
    """The process ends here."""


class PlainToken:
    """As far as the link needs one: it takes no PIN, says nothing of wrong ones, and counts them. It may end the process."""

    flags = TokenFlag.LOGIN_REQUIRED | TokenFlag.USER_PIN_INITIALIZED

    def __init__(self, answer: type[BaseException] = pkcs11.PinIncorrect) -> None:
        self.answer, self.tries = answer, 0
        self.reachable = True

    def open(self, rw: bool = False, user_pin: str | None = None) -> PlainToken:
        if not self.reachable:
            raise pkcs11.DeviceError
        if user_pin is not None:
            self.tries += 1
            raise self.answer
        return self

    def close(self) -> None:
        """Of the session without PIN."""

    def get_tokens(self, token_label: str) -> list[PlainToken]:
        return [self]

    def finalize(self) -> None:
        """Of the library."""


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> PlainToken:
    """In the place of what python-pkcs11 finds."""
    token = PlainToken()
    monkeypatch.setattr(pkcs11, "lib", lambda _module: token)
    return token


def starts(token: SoftToken, record: Path, count: int, **how: bool) -> list[str]:
    """What programs say that are started one after another."""
    said = []
    for _ in range(count):
        link = TokenLink(MODULE, LABEL, PinSource(token.pin_file), RefusedPin(record))
        try:
            link.run(lambda ring: ring.random(1), **how)
        except (DeviceError, PowerCutError) as error:
            said.append(f"{type(error).__name__} {error}")
        link.close()
    return said


def test_a_library_that_crashes_at_a_refusal_has_cost_one_try_over_all_restarts(
    token: SoftToken, plain: PlainToken, tmp_path: Path
) -> None:
    plain.answer = PowerCutError
    said = starts(token, tmp_path / "refused", 4)
    assert ([line[:13] for line in said], plain.tries) == (["PowerCutError"] + ["DeviceRefused"] * 3, 1)
    assert "sam_locked: token 'perso' has refused this PIN already, or its answer was lost" in said[-1]


def test_a_program_that_cannot_note_a_try_makes_none(token: SoftToken, plain: PlainToken, tmp_path: Path) -> None:
    said = starts(token, token.pin_file / "refused", 3)
    assert ["sam_locked: the PIN is not tried, since that cannot be noted" in line for line in said] == [True] * 3
    assert plain.tries == 0
    starts(token, token.pin_file / "refused", 1, once_more=True)
    assert plain.tries == 1


def test_once_more_leaves_it_remembered_what_was_refused(token: SoftToken, plain: PlainToken, tmp_path: Path) -> None:
    starts(token, tmp_path / "refused", 2)
    starts(token, tmp_path / "refused", 1, once_more=True)
    starts(token, tmp_path / "refused", 2)  # the running station looks again
    assert plain.tries == 2


def test_a_token_that_cannot_be_reached_has_been_tried_with_nothing(token: SoftToken, plain: PlainToken, tmp_path: Path) -> None:
    plain.reachable = False
    assert ["cannot be opened: DeviceError" in line for line in starts(token, tmp_path / "refused", 2)] == [True, True]
    assert not (tmp_path / "refused").exists()


@pytest.mark.parametrize("answer", [pkcs11.PinLocked, pkcs11.PinExpired, pkcs11.UserAlreadyLoggedIn])
def test_what_the_token_did_not_look_at_was_not_refused(
    token: SoftToken, plain: PlainToken, tmp_path: Path, answer: type[BaseException]
) -> None:
    plain.answer = answer
    starts(token, tmp_path / "refused", 1)
    assert not (tmp_path / "refused").exists()
