"""docs/add-a-chip.md is the truth: every key and word is in it, and a chip that differs in data alone needs no code."""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import Path
from typing import Any

import pytest

from controller.chips.profile import ChipProfile, find_profile
from controller.chips.profile_tables import ChannelTable, Do, FileRow, Keys, Phase, Reading, Selecting, Step, Writing
from controller.chips.script import drive
from controller.chips.steps import Personaliser
from controller.errors import DeviceRefused
from controller.hal.chip.pcsc_sam import PcscSam
from hwsim.devices.chip_eeprom import ChipTroubles
from hwsim.devices.chip_ektp import EktpChip
from hwsim.profiles import load_chip
from hwsim.world import World
from tests.contract.test_chip_peers import MASTERS
from tests.fakes.chip import contents
from tests.fakes.in_process_slot import InProcessSlot

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "add-a-chip.md").read_text(encoding="utf-8")
TABLES: dict[str, Any] = {"channel": ChannelTable, "select": Selecting, "read": Reading, "invented": Writing, "keys": Keys}


def test_the_guide_names_every_key() -> None:
    dotted = [f"{name}.{field.name}" for name, table in TABLES.items() for field in dataclasses.fields(table)]
    rows = [field.name for table in (FileRow, Step, ChipProfile) for field in dataclasses.fields(table)]
    parts = set(TABLES)  # named by their keys
    assert [key for key in (*dotted, *rows) if f"`{key}`" not in GUIDE and key not in parts] == []


def test_the_guide_names_every_phase_and_every_word() -> None:
    assert [word for word in (*Phase, *Do) if f"`{word}`" not in GUIDE] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Profiles with a chip that has other names, sizes, blocks and files than ektp."""
    text = (ROOT / "firmware_profiles" / "chips" / "ektp.toml").read_text(encoding="utf-8")
    for old, new in (
        ('name = "ektp"', 'name = "other"'), ("7F0A", "7F0B"), ("0x6FF1", "0x6E01"), ("0x6FF2", "0x6E02"),
        ("block_bytes = 208", "block_bytes = 112"), ("max_bytes = 4096", "max_bytes = 2048"), ("signature = 0x6FF6", ""),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "other.toml").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_chip_that_differs_in_data_is_personalised_without_a_change_of_code(folder: Path) -> None:
    profile, there = find_profile(folder / "chips", "other"), load_chip("other", folder)
    world = World(seed=3)
    blank = world.blank(world.make(1, there, "a")[0])
    chip = EktpChip(blank, there, ChipTroubles(), 3, MASTERS)

    def transmit(raw: bytes) -> bytes:
        answer = chip.transmit(raw)
        assert answer is not None
        return answer

    talk, files = Personaliser(profile, PcscSam(InProcessSlot()), secrets.token_bytes), contents(profile, 2048)
    assert drive(talk.identify(), transmit).fresh
    drive(talk.write(files), transmit)
    drive(talk.lock(), transmit)
    chip.reset()
    assert drive(talk.verify([file.fid for file in files]), transmit) == files
    assert blank.chip.content(0x6E02) == files[1].content
    with pytest.raises(DeviceRefused, match="6985"):
        drive(talk.write(files), transmit)
