"""The conversation between the daemon and its rendering child: one JSON object each way, each after its length.

Request: {"do": "check_images", "photo": base64, "signature": base64}
         {"do": "render", "record": path, "raster": Raster.to_json(), "out": path}
Reply:   {"ok": true}
         {"ok": false, "kind": "render", "problem": {code, place, id, en}}
         {"ok": false, "kind": "store" | "store_full", "text": text}

Both carry "turn", a number that the reply repeats: an answer to another request is never taken for this one's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LENGTH_BYTES = 4  # big-endian
FRAME_CAP_BYTES = 1 << 20  # two images of together 250 kB in base64 are 334 kB


def encode(message: Mapping[str, Any]) -> bytes:
    """One message as a frame."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def body_size_bytes(prefix: bytes) -> int:
    """The length of the body that follows. Raises ValueError when no peer of ours could have sent it."""
    size = int.from_bytes(prefix, "big")
    if len(prefix) != LENGTH_BYTES or not 2 <= size <= FRAME_CAP_BYTES:
        raise ValueError("frame length out of bounds")
    return size


def decode(body: bytes) -> dict[str, Any]:
    """The message in a frame's body. Raises ValueError when it is not a JSON object."""
    message = json.loads(body)
    if not isinstance(message, dict):
        raise ValueError("frame is not a JSON object")
    return message
