"""What clients send, read with care: bodies bounded while they arrive, commands of staff with exactly the fields they need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from controller.errors import Problem, RequestRefused

MAX_COMMAND_BYTES = 4096  # a verdict with its reason
MAX_TEXT = 500  # a reason or a name a person types
MAX_DIGITS = 15  # of a number in an address; more would not fit a database id

_SOCKET_ONLY = Problem("request.socket", "", "Perintah petugas hanya lewat soket Unix stasiun.",
                       "Acts of staff are taken over the station's Unix socket only.")  # fmt: skip


async def read_body(request: Request, cap_bytes: int) -> bytes:
    """Read a body that may not exceed the cap; refuses by the announced length first, then while it arrives."""
    too_long = RequestRefused(
        Problem("body.too_long", "", f"Isi permintaan lebih dari {cap_bytes} byte; kirim satu rekaman per permintaan.",
                f"The body is longer than {cap_bytes} bytes; send one record per request.")
    )  # fmt: skip
    if int(request.headers.get("content-length", "0") or "0") > cap_bytes:
        raise too_long
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > cap_bytes:
            raise too_long
    return bytes(body)


async def read_command(request: Request, shape: Mapping[str, type]) -> dict[str, Any]:
    """A small JSON object with exactly the fields of `shape`; texts are bounded, printable and not empty.

    Acts of staff are taken over the Unix socket only: its file mode says who may; a loopback port would let every local user.
    """
    if not _over_unix_socket(request):
        raise RequestRefused(_SOCKET_ONLY)
    try:
        command = json.loads(await read_body(request, MAX_COMMAND_BYTES))
    except (ValueError, RecursionError) as error:  # the latter: thousands of brackets
        raise wrong("", f"Bukan JSON yang benar: {error}.", f"Not valid JSON: {error}.") from error
    if not isinstance(command, dict) or set(command) != set(shape):
        raise wrong("", f"Harus berupa objek dengan: {', '.join(shape)}.", f"Must be an object with: {', '.join(shape)}.")
    for name, kind in shape.items():
        if type(command[name]) is not kind or (kind is str and not _sound(command[name])):
            wanted = "a number" if kind is int else f"a printable text of 1 to {MAX_TEXT} characters"
            raise wrong(name, f"'{name}' salah: harus {wanted}.", f"'{name}' is wrong: it must be {wanted}.")
    return command


def read_number(text: str, place: str) -> int:
    """A whole number from an address. Raises RequestRefused."""
    if not (text.isascii() and text.isdecimal()) or len(text) > MAX_DIGITS:
        raise wrong(place, f"'{place}' harus bilangan, paling banyak {MAX_DIGITS} angka.",
                    f"'{place}' must be a number of at most {MAX_DIGITS} digits.")  # fmt: skip
    return int(text)


def wrong(place: str, text_id: str, text_en: str) -> RequestRefused:
    """A request that is malformed at a place."""
    return RequestRefused(Problem("request.wrong", place, text_id, text_en))


def _over_unix_socket(request: Request) -> bool:
    """By our own end of the connection: a caller may hang up so fast that nobody can tell who it was."""
    server = request.scope.get("server")  # ASGI: (path, None) for a Unix socket
    return server is not None and server[1] is None


def _sound(text: str) -> bool:
    return text.isprintable() and bool(text.strip()) and len(text) <= MAX_TEXT
