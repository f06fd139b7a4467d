"""The example configurations for several lanes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from controller.config import parse_config
from hwsim.config import load_config
from tools.pcscd import DESK_PORT, DESK_READER, MAX_LANES
from tools.wiring import with_lanes

EXAMPLES = Path("examples")


def example(name: str) -> str:
    return (EXAMPLES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["station.toml", "hw-sim.toml"])
def test_one_lane_is_the_example_itself(name: str) -> None:
    assert with_lanes(example(name), 1) == example(name)


def test_six_lanes_are_a_station_that_both_sides_accept(tmp_path: Path) -> None:
    station = parse_config(with_lanes(example("station.toml"), 6))
    (tmp_path / "hw-sim.toml").write_text(with_lanes(example("hw-sim.toml"), 6), encoding="utf-8")
    sim = load_config(tmp_path / "hw-sim.toml")
    assert [lane.printer.serial for lane in station.lanes] == [lane.serial for lane in sim.lanes]
    assert [(lane.gpio or "").rpartition(":")[2] for lane in station.lanes] == [
        str(lane.gpio and lane.gpio.port) for lane in sim.lanes
    ]


def test_the_desk_of_the_examples_is_that_of_the_sandbox() -> None:
    station, sim = (tomllib.loads(with_lanes(example(name), MAX_LANES)) for name in ("station.toml", "hw-sim.toml"))
    assert (station["desk_reader"]["name"], sim["desk_reader"]["vpcd"]) == (DESK_READER, f"127.0.0.1:{DESK_PORT}")


def test_a_text_without_lanes_is_refused() -> None:
    with pytest.raises(ValueError, match="no \\[\\[lanes\\]\\]"):
        with_lanes("[station]\n", 2)
