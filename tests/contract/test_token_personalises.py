"""A whole personalisation of hw-sim's chips with the keys in a real token (SoftHSM2), both shipped profiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.chips.script import drive
from controller.errors import DeviceRefused
from controller.hal.chip.pkcs11_link import TokenLink
from controller.hal.chip.pkcs11_sam import Needs, Pkcs11Sam
from tests.contract.test_chip_peers import MASTERS, Peer, peer, signed
from tests.fakes.token import SoftToken, put_masters

CHANNELS: dict[str, Needs] = {"ektp": "icao", "gp-scp03": "scp03"}


@pytest.fixture
def link(tmp_path: Path) -> Iterator[TokenLink]:
    """A token with the synthetic masters."""
    token = SoftToken(tmp_path)
    link = token.link()
    put_masters(link, MASTERS.ektp, MASTERS.scp03)
    yield link
    link.close()
    token.restore()


def with_token(chip: Peer, link: TokenLink) -> Peer:
    return replace(chip, sam=Pkcs11Sam(link, CHANNELS[chip.profile.name]))


@pytest.mark.parametrize("uid_type", ["a", "b"])
@pytest.mark.parametrize("name", CHANNELS)
def test_a_whole_personalisation(name: str, uid_type: str, link: TokenLink) -> None:
    chip = with_token(peer(name, uid_type), link)
    chip.sam.check()
    files = signed(chip.profile)
    fids, talk = [file.fid for file in files], chip.talk()
    drive(talk.write(files), chip.transmit)
    assert drive(talk.read(fids), chip.transmit) == files
    drive(talk.lock(), chip.transmit)
    chip.chip.reset()
    assert drive(talk.verify(fids), chip.transmit) == files


@pytest.mark.parametrize("name", CHANNELS)
def test_a_chip_of_another_office_is_not_ours(name: str, link: TokenLink) -> None:
    with pytest.raises(DeviceRefused, match=r"chip_refused: (authenticate: 6300|the card's cryptogram is wrong)"):
        with_token(peer(name, foreign=True), link).talk()


@pytest.mark.parametrize("name", CHANNELS)
def test_the_token_is_asked_anew_for_each_session_and_keeps_no_keys(name: str, link: TokenLink) -> None:
    chip = with_token(peer(name), link)
    for _ in range(3):
        chip.chip.reset()
        chip.talk()
    link.run(lambda ring: _no_session_objects(list(ring._session.get_objects())))


def _no_session_objects(found: list[object]) -> None:
    assert len(found) == len(CHANNELS)  # the masters
