"""The records that the measurements hand in."""

from __future__ import annotations

from pathlib import Path

from benchmarks.records import records
from controller.records.intake import read_record
from controller.setup import read_setup

STATION = Path(__file__).parents[3] / "examples" / "station.toml"


def test_every_record_is_accepted_as_a_job_of_its_own() -> None:
    setup = read_setup(STATION)
    bodies = [*records(21, "A"), *records(1, "B")]  # 21: one more than there are examples
    digests = {read_record(body, setup.centre_keys, chip_max_bytes=setup.chip_max_bytes).digest for body in bodies}
    assert len(digests) == 22
