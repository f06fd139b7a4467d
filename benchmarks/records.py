"""Sealed records in any number: the examples again and again, each under its own record id and seal. All people are synthetic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

from tools.make_examples import EXAMPLES, KID, centre_key, seal_record


def records(count: int, series: str) -> list[bytes]:
    """`count` records that the example station accepts as different jobs. Series of different names share no record."""
    return list(islice(_endless(series), count))


def _endless(series: str) -> Iterator[bytes]:
    key = centre_key()
    examples: list[dict[str, Any]] = [json.loads(path.read_bytes()) for path in sorted((EXAMPLES / "records").glob("*.json"))]
    for number, example in enumerate(cycle(examples), start=1):
        record = {**example, "record_id": f"BENCH-{series}-{number:06}"}
        yield json.dumps({**record, "seal": seal_record(record, key, KID)}, ensure_ascii=False).encode()
