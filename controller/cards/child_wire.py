"""The conversation between the daemon and its rendering child: one JSON object each way, each after its length.

Request: {"do": "check_images", "photo": base64, "signature": base64}
         {"do": "render", "record": path, "raster": Raster.to_json(), "out": path}
         {"do": "picture", "panels": path, "raster": Raster.to_json(), "side": "front" | "back", "out": path}
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


def read_reply(body: bytes, turn: int) -> dict[str, Any]:
    """The reply to the request with this number. Raises ValueError when it has another number or no known shape."""
    reply = decode(body)
    known = reply.get("ok") is True or (reply.get("ok") is False and _says_why(reply))
    if not known or reply.get("turn") != turn:
        raise ValueError("not a reply to this request")
    return reply


def _says_why(reply: Mapping[str, Any]) -> bool:
    if reply.get("kind") in ("store", "store_full"):
        return isinstance(reply.get("text"), str)
    why = reply.get("problem")
    texts = why.values() if isinstance(why, dict) and set(why) == {"code", "place", "id", "en"} else [None]
    return reply.get("kind") == "render" and all(isinstance(text, str) for text in texts)


def decode(body: bytes) -> dict[str, Any]:
    """The message in a frame's body. Raises ValueError when it is not a JSON object."""
    message = json.loads(body)
    if not isinstance(message, dict):
        raise ValueError("frame is not a JSON object")
    return message
