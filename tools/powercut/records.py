"""Sealed records that differ from real ones in size only: about 2 kB, so that thousands of crash images are written fast."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from tests.unit.records.samples import b64, sample, sealed


def small_records(count: int) -> list[bytes]:
    """`count` different records, sealed with the examples' key."""
    record = sample()
    record["photo"]["data"] = b64(_picture("JPEG"))
    record["signature"]["data"] = b64(_picture("PNG"))
    record["chip"] = {name: b64(bytes(40)) for name in record["chip"]}
    return [sealed({**record, "record_id": f"CUT-{number:06}"}) for number in range(1, count + 1)]


def _picture(kind: str) -> bytes:
    into = BytesIO()
    Image.new("L", (100, 100), 200).save(into, kind)
    return into.getvalue()
