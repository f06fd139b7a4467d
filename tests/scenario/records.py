"""Records for the scenarios: like the examples, sealed by the same synthetic centre, each for a card of its own.

The example files are only twenty, and the same record sent twice is one job.
"""

from __future__ import annotations

import copy
import itertools
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from tools.make_examples import EXAMPLES, KID, centre_key, seal_record, sign_chip

Record = dict[str, Any]

EXAMPLE_FILES = sorted((EXAMPLES / "records").glob("*.json"))
_numbers = itertools.count(1)


def example(place: int) -> Record:
    """One of the twenty sample records, counted from 0."""
    record: Record = json.loads(EXAMPLE_FILES[place % len(EXAMPLE_FILES)].read_bytes())
    return record


def fresh_record() -> Record:
    """A record that no other scenario sends: its own name, and a chip that can be told from every other."""
    number = next(_numbers)
    record = example(number)
    record["record_id"] = f"SCENE-{number:06}"
    record["chip"]["6FF5"] = b64encode(f"finger of scene {number}".encode() * 8).decode()
    sign_chip(record)
    return sealed(record)


def sealed(record: Record) -> Record:
    """The same record with the centre's seal over what it says now."""
    found = copy.deepcopy(record)
    found["seal"] = seal_record(found, centre_key(), KID)
    return found


def as_bytes(record: Record) -> bytes:
    """As it is sent."""
    return json.dumps(record, ensure_ascii=False).encode()


def write_record(folder: Path, record: Record) -> Path:
    """As a file."""
    path = folder / f"{record['record_id']}.json"
    path.write_bytes(as_bytes(record))
    return path
