"""Which key holder a reader gets, as station.toml says; the token's library is loaded only where a token is used."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from controller.chips.sam import NoSam
from controller.config import ReaderTable
from controller.config_tables import SamCardsTable, SamTable, TokenTable
from controller.errors import DeviceError
from controller.hal.chip.pcsc_sam import PcscSam
from controller.hal.chip.pkcs11_sam import Pkcs11Sam
from controller.hal.chip.stopwatch import Stopwatch
from controller.key_holder import KeyHolders, pin_source

CARDS = SamCardsTable(kind="pcsc")
TOKEN = TokenTable(kind="pkcs11", module=Path("/nowhere.so"), token="perso", pin_credential="pin")
PLAIN = ReaderTable(profile="ektp", name="ACME 00 00")
WITH_SAM = ReaderTable(profile="ektp", name="ACME 00 00", sam=SamTable(name="ACME 00 01"))


def test_a_chip_without_secure_channel_needs_none() -> None:
    assert isinstance(KeyHolders(TOKEN).sam_for(PLAIN, "none"), NoSam)


def test_a_reader_with_a_sam_card_gets_that() -> None:
    assert isinstance(KeyHolders(CARDS).sam_for(WITH_SAM, "icao"), PcscSam)


def test_a_desk_reader_without_one_has_none() -> None:
    assert isinstance(KeyHolders(CARDS).sam_for(PLAIN, "icao"), NoSam)


def test_all_readers_share_one_token() -> None:
    holders = KeyHolders(TOKEN)
    assert [type(holders.sam_for(PLAIN, channel)) for channel in ("icao", "scp03")] == [Pkcs11Sam, Pkcs11Sam]
    assert holders.token(TOKEN) is holders.token(TOKEN)
    holders.close()
    holders.close()


@pytest.mark.parametrize(("table", "reader"), [(CARDS, WITH_SAM), (TOKEN, PLAIN)])
def test_a_wait_for_the_device_is_measured(table: SamCardsTable | TokenTable, reader: ReaderTable) -> None:
    watch = Stopwatch(map(float, count()).__next__)  # a second goes by between two looks at it
    with closing(KeyHolders(table)) as holders, pytest.raises(DeviceError, match="sam_absent"):
        holders.sam_for(reader, "icao", watch).check()
    assert watch.total_s == 1


def test_what_is_tried_is_remembered_in_the_state_directory_for_each_key_holder(tmp_path: Path) -> None:
    holders = KeyHolders(CARDS, tmp_path)
    refused = [holders._refused(holder) for holder in ("SAM ACME 00 01", "SAM ACME 00 03", "token perso")]
    refused[0].trying(b"4711")
    refused[2].trying(b"4711")
    assert [pin.holds(b"4711") for pin in refused] == [True, False, True]
    assert KeyHolders(CARDS, tmp_path)._refused("token perso").holds(b"4711")
    refused[2].clear()
    assert [pin.holds(b"4711") for pin in refused] == [True, False, False]


def test_a_sam_that_needs_no_opening_has_no_pin() -> None:
    assert pin_source(SamTable(name="ACME 00 01")) is None
    source = pin_source(SamTable(name="ACME 00 01", pin_file=Path("/etc/blob")))
    assert source is not None
    assert source.place == "'/etc/blob'"


def test_the_daemon_does_not_load_the_tokens_library_for_sam_cards() -> None:
    code = "import sys, controller.app; sys.exit('pkcs11' in sys.modules or 'asn1crypto' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0
