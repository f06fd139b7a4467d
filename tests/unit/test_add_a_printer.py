"""docs/add-a-printer.md says what is so: its example is a good profile, the keys of a trace are all there."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import pytest

from controller.hal.profiles.printer import EvolisProfile, find_profile
from controller.hal.usb.trace import FORMAT, LONG_BYTES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/add-a-printer.md").read_text(encoding="utf-8")
TRACES = sorted((ROOT / "tests/golden/traces").glob("*.jsonl"))


def test_the_example_is_a_whole_profile_in_one_file(tmp_path: Path) -> None:
    for shipped in (ROOT / "firmware_profiles/printers").glob("*.toml"):
        (tmp_path / shipped.name).write_bytes(shipped.read_bytes())
    example = textwrap.dedent(TEXT[TEXT.index("       format = 2") : TEXT.index("3. `print-station profile check")])
    (tmp_path / "example.toml").write_text(example, encoding="utf-8")
    profile = find_profile(tmp_path, "example")
    assert isinstance(profile, EvolisProfile)
    assert (profile.model, profile.usb.product_ids, profile.stations.flip) == ("Evolis Zenius", (0x0A00,), False)
    assert profile.acts.feed == ("Sic",)


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.stem)
def test_every_key_of_a_trace_is_explained(trace: Path) -> None:
    rows = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    keys = {key for row in rows for key in row} | {row["do"] for row in rows[1:-1]}
    assert sorted(key for key in keys if f"`{key}`" not in TEXT and f'"{key}"' not in TEXT) == []


def test_the_format_and_the_limit_are_those_of_the_code() -> None:
    assert f"`{FORMAT}`" in TEXT
    assert f"more than {LONG_BYTES} bytes" in TEXT


def test_every_path_it_names_exists() -> None:
    paths = re.findall(r"`((?:controller|firmware_profiles|hw-sim|tools|tests|docs)/[\w./-]+)`", TEXT)
    assert [path for path in paths if not re.search("FAMILY|NAME", path) and not (ROOT / path).exists()] == []
