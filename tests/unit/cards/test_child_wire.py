"""Frames between daemon and child: bounds, shapes, and answers that belong to another request."""

import json
from typing import Any

import pytest

from controller.cards import child_wire

PROBLEM = {"code": "c", "place": "p", "id": "i", "en": "e"}


def test_a_message_survives_the_wire() -> None:
    frame = child_wire.encode({"do": "render", "turn": 7})
    assert child_wire.body_size_bytes(frame[:4]) == len(frame) - 4
    assert child_wire.decode(frame[4:]) == {"do": "render", "turn": 7}


@pytest.mark.parametrize("prefix", [b"", b"\0\0\0", b"\0\0\0\0", b"\0\0\0\1", b"\0\x10\0\1", b"HTTP"])
def test_an_impossible_length_is_refused(prefix: bytes) -> None:
    with pytest.raises(ValueError, match="frame length out of bounds"):
        child_wire.body_size_bytes(prefix)


@pytest.mark.parametrize(
    "reply",
    [
        {"ok": True},
        {"ok": False, "kind": "render", "problem": PROBLEM},
        {"ok": False, "kind": "store", "text": "t"},
        {"ok": False, "kind": "store_full", "text": "t"},
    ],
)
def test_known_replies_are_read(reply: dict[str, Any]) -> None:
    body = json.dumps({**reply, "turn": 3}).encode()
    assert child_wire.read_reply(body, 3) == {**reply, "turn": 3}


@pytest.mark.parametrize(
    "reply",
    [
        {"ok": True, "turn": 2},
        {"turn": 3},
        {"ok": 1, "turn": 3},
        {"ok": False, "turn": 3},
        {"ok": False, "kind": "odd", "turn": 3},
        {"ok": False, "kind": "store", "turn": 3},
        {"ok": False, "kind": "render", "problem": {**PROBLEM, "en": 5}, "turn": 3},
        {"ok": False, "kind": "render", "problem": {"code": "c"}, "turn": 3},
        {"ok": False, "kind": "render", "problem": "c", "turn": 3},
    ],
)
def test_other_replies_are_refused(reply: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a reply to this request"):
        child_wire.read_reply(json.dumps(reply).encode(), 3)


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff\xff", b"null"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json words its own errors
        child_wire.decode(body)
