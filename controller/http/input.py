"""What clients send, read with care: bodies bounded while they arrive, commands of staff with exactly the fields they need."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from controller.errors import Problem, RequestRefused
from controller.jobs import acts

MAX_COMMAND_BYTES = 4096  # a verdict with its reason
MAX_TEXT = 500  # a reason or a name a person types
MAX_DIGITS = 15  # of a number in an address; more would not fit a database id
_KEY = re.compile(r"[A-Za-z0-9._-]{8,64}")

_WANTED: Mapping[type, tuple[str, str]] = {
    int: ("bilangan", "a number"),
    bool: ("true atau false", "true or false"),
    str: (f"teks 1 sampai {MAX_TEXT} huruf yang dapat dicetak", f"a printable text of 1 to {MAX_TEXT} characters"),
    list: (f"daftar teks, masing-masing 1 sampai {MAX_TEXT} huruf", f"a list of texts of 1 to {MAX_TEXT} characters each"),
}

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


async def read_command(request: Request, shape: Mapping[str, type], optional: Mapping[str, type] | None = None,
                       cap_bytes: int = MAX_COMMAND_BYTES) -> dict[str, Any]:  # fmt: skip
    """A small JSON object with the fields of `shape` and perhaps some `optional` ones, no others.

    Texts are bounded, printable and not empty; lists hold such texts. `who` is a person.

    Acts of staff are taken over the Unix socket only: its file mode says who may; a loopback port would let every local user.
    """
    if not _over_unix_socket(request):
        raise RequestRefused(_SOCKET_ONLY)
    try:
        command = json.loads(await read_body(request, cap_bytes))
    except (ValueError, RecursionError) as error:  # the latter: thousands of brackets
        raise wrong("", f"Bukan JSON yang benar: {error}.", f"Not valid JSON: {error}.") from error
    every = {**shape, **(optional or {})}
    if not isinstance(command, dict) or not set(shape) <= set(command) <= set(every):
        perhaps = f" [{', '.join(optional)}]" if optional else ""
        fields = ", ".join(shape) + perhaps
        raise wrong("", f"Harus berupa objek dengan: {fields}.", f"Must be an object with: {fields}.")
    for name, value in command.items():
        if type(value) is not every[name] or not _sound(value):
            wanted_id, wanted_en = _WANTED[every[name]]
            raise wrong(name, f"'{name}' salah: harus {wanted_id}.", f"'{name}' is wrong: it must be {wanted_en}.")
    if "who" in command:
        acts.must_be_person(command["who"])
    return command


async def read_act(request: Request, shape: Mapping[str, type], optional: Mapping[str, type] | None = None,
                   cap_bytes: int = MAX_COMMAND_BYTES) -> dict[str, Any]:  # fmt: skip
    """A command that may carry a `key` of the caller's own (controller/jobs/acts.py)."""
    command = await read_command(request, shape, {**(optional or {}), "key": str}, cap_bytes)
    if "key" in command and not _KEY.fullmatch(command["key"]):
        raise wrong("key", "'key' salah: 8 sampai 64 huruf, angka, titik, _ atau -.",
                    "'key' is wrong: it must have 8 to 64 letters, digits, dots, _ or -.")  # fmt: skip
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


def _sound(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(part, str) and _sound(part) for part in value)
    return not isinstance(value, str) or (value.isprintable() and bool(value.strip()) and len(value) <= MAX_TEXT)
