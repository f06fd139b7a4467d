"""As much of the Internet Printing Protocol (RFC 8010, 8011) as a kill test needs: send a job, ask which are unfinished.

One keep-alive HTTP connection over a Unix socket. A job is acknowledged when `submit` returns.
"""

from __future__ import annotations

import socket
import struct
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Self

PRINTER = "peer"
PRINT_JOB, GET_JOBS = 0x0002, 0x000A
OPERATION, JOB, END = 0x01, 0x02, 0x03  # delimiter tags; everything below 0x10 is one
INTEGER, KEYWORD, URI, CHARSET, LANGUAGE, MEDIA_TYPE, NAME = 0x21, 0x44, 0x45, 0x47, 0x48, 0x49, 0x42
FIRST_ERROR = 0x0100
RAW = "application/vnd.cups-raw"  # goes to the backend as it is: no filter runs
ANSWER_LIMIT_BYTES = 1 << 20  # 500 unfinished jobs are 30 kB
ANSWER_LIMIT_S = 30.0  # a cupsd that has just started writes every job's file before it answers

Attribute = tuple[int, str, bytes]


class IppError(Exception):
    """The server refused, broke the protocol, or is gone."""


class IppClient:
    """A client of the one queue. A context manager."""

    def __init__(self, path: Path) -> None:
        """``path`` is the server's Unix socket. Connects at the first request, and again after a loss."""
        self._connection = _UnixConnection(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def submit(self, title: str, data: bytes) -> None:
        """Return once the server has acknowledged the job. `IppError` otherwise: then nobody knows."""
        self._ask(PRINT_JOB, [(NAME, "job-name", title.encode()), (MEDIA_TYPE, "document-format", RAW.encode())], data)

    def unfinished(self) -> int:
        """How many jobs the server means to print or is printing."""
        wanted = [(KEYWORD, "which-jobs", b"not-completed"), (KEYWORD, "requested-attributes", b"job-id")]
        return sum(name == "job-id" for name, _ in attributes(self._ask(GET_JOBS, wanted)))

    def _ask(self, operation: int, extra: list[Attribute], data: bytes = b"") -> bytes:
        try:
            self._connection.request("POST", f"/printers/{PRINTER}", request(operation, extra) + data, _HEADERS)
            response = self._connection.getresponse()
            body = response.read(ANSWER_LIMIT_BYTES)
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise IppError(f"no answer: {error!r}") from error
        status = int.from_bytes(body[2:4], "big")
        if response.status != 200 or len(body) < 9 or status >= FIRST_ERROR:
            raise IppError(f"refused: HTTP {response.status}, IPP status 0x{status:04x}")
        return body


_HEADERS = {"Content-Type": "application/ipp", "Host": "localhost"}


def request(operation: int, extra: list[Attribute]) -> bytes:
    """The octets of a request up to its data."""
    common: list[Attribute] = [
        (CHARSET, "attributes-charset", b"utf-8"),
        (LANGUAGE, "attributes-natural-language", b"en"),
        (URI, "printer-uri", f"ipp://localhost/printers/{PRINTER}".encode()),
        (NAME, "requesting-user-name", b"crash"),
    ]
    body = b"".join(_attribute(*attribute) for attribute in common + extra)
    return struct.pack(">HHIB", 0x0200, operation, 1, OPERATION) + body + bytes([END])


def attributes(answer: bytes) -> list[tuple[str, bytes]]:
    """Every attribute of an answer in order, name and raw value. `IppError` when it is cut short."""
    found, place = [], 8
    try:
        while answer[place] != END:
            if answer[place] < 0x10:
                place += 1
                continue
            name, place = _counted(answer, place + 1)
            value, place = _counted(answer, place)
            found.append((name.decode(), value))
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise IppError("the answer is cut short") from error
    return found


def _attribute(tag: int, name: str, value: bytes) -> bytes:
    return struct.pack(">BH", tag, len(name)) + name.encode() + struct.pack(">H", len(value)) + value


def _counted(answer: bytes, place: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from(">H", answer, place)
    return answer[place + 2 : place + 2 + length], place + 2 + length


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_LIMIT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_LIMIT_S)
        self.sock.connect(str(self._path))
