"""Bad input against the running station: a clear refusal that says what, where and what to do, and nothing is half-stored."""

from __future__ import annotations

import socket
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.records import Record, as_bytes, fresh_record, sealed
from tests.scenario.scene import Scene, texts

MAX_GROWTH_KB = 20_000  # of the daemon, over a body of 100 MB


@pytest.fixture(autouse=True)
def nothing_is_stored(scene: Scene) -> Iterator[None]:
    """Every scenario here is refused: jobs and spool stay as they were, and the station still answers."""
    before = _stored(scene)
    yield
    assert _stored(scene) == before
    assert scene.rig.get("/healthz").body["healthy"] is True


def _stored(scene: Scene) -> tuple[int, list[str]]:
    spool = scene.rig.folder / "state" / "spool"
    return len(scene.rig.get("/api/v1/jobs", limit=500).body["jobs"]), sorted(path.name for path in spool.iterdir())


BODIES = [
    (b"", "JSON"),
    (b"{", "line 1, column 2"),
    (b"\xff\xfe{\x00}\x00", "is not UTF-8 text from byte 0 on"),
    (b"[]", "object"),
    (b'{"format": 1, "format": 1}', "appears twice"),
    (b'{"format": NaN}', "line 1, column 12"),
    (b"[" * 100_000, "nests deeper"),
    (b'{"format": 1e400}', "not a plain whole number"),
]


@pytest.mark.parametrize(("body", "said"), BODIES)
def test_a_body_that_is_no_record(scene: Scene, body: bytes, said: str) -> None:
    answer = scene.rig.post("/api/v1/jobs", body)
    assert answer.status == 422
    assert said in texts(answer)


def _set(*path: str, to: Any) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        *way, last = path
        for step in way:
            record = record[step]
        record[last] = to

    return change


def _png(width: int, height: int) -> str:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    packed = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b64encode(b"\x89PNG\r\n\x1a\n" + packed).decode()


def _jpeg(width: int, height: int) -> str:
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + bytes(16)
    return b64encode(b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + scan + b"\xff\xd9").decode()


def _cut(place: str) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        record[place]["data"] = record[place]["data"][: len(record[place]["data"]) // 8 * 4]

    return change


SEALED_BUT_WRONG = [
    (_set("nickname", to="x"), "nickname", "field is unknown"),
    (_set("person", "nam", to="x"), "person.nam", "did you mean 'name'"),
    (_set("person", "nik", to=3273011702850001), "person.nik", "wrong type"),
    (_set("person", to=[]), "person", "wrong type"),
    (_set("format", to="1"), "format", "use 1"),
    (_set("person", "nik", to="9973011702850001"), "person.nik", "no province code"),
    (_set("person", "birth_date", to="1985-02-30"), "person.birth_date", "no such date"),
    (_set("status", to="DUPLICATE_RECORD"), "status", "recorded twice"),
    (_set("photo", "data", to=""), "photo.data", "has 0 bytes"),
    (_set("photo", "data", to="//8="), "photo.data", "not image/jpeg"),
    (_cut("photo"), "photo.data", "cut short"),
    (_cut("signature"), "signature.data", "cut short"),
    (_set("photo", "data", to="!"), "photo.data", "not standard base64"),
    (_set("photo", "data", to=b64encode(bytes(200_001)).decode()), "photo.data", "200000"),
    (_set("photo", "data", to=_jpeg(60_000, 60_000)), "photo.data", "pixels"),
    (_set("photo", "data", to=_jpeg(480, 720)), "photo.data", "damaged"),
    (_set("signature", "data", to=_png(20_000, 20_000)), "signature.data", "pixels"),
    (_set("signature", "data", to=_png(504, 132)), "signature.data", "damaged"),
    (_set("chip", "6FF6", to=b64encode(bytes(79)).decode()), "chip.6FF6", "78"),
]


@pytest.mark.parametrize(("change", "place", "said"), SEALED_BUT_WRONG)
def test_a_sealed_record_that_must_not_be_printed(scene: Scene, change: Callable[[Record], None], place: str, said: str) -> None:
    record = fresh_record()
    change(record)
    answer = scene.rig.post("/api/v1/jobs", as_bytes(sealed(record)))
    assert answer.status == 422
    assert f"{place}: " in texts(answer)
    assert said in texts(answer)


def test_one_changed_letter_breaks_the_seal(scene: Scene) -> None:
    record = fresh_record()
    record["person"]["village"] += "A"
    answer = scene.rig.post("/api/v1/jobs", as_bytes(record))
    assert (answer.status, [problem.place for problem in answer.problems]) == (422, ["seal"])


def _raw(scene: Scene, head: str, pieces: Iterator[bytes]) -> bytes:
    """Send a request with our own hands and return what comes back, however early the station hangs up."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(str(scene.rig.folder / "http.sock"))
        try:
            sock.sendall(
                f"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{head}\r\n\r\n".encode()
            )
            for piece in pieces:
                sock.sendall(piece)
            sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough
        answer = b""
        try:
            while piece := sock.recv(65_536):
                answer += piece
        except ConnectionResetError:
            pass
        return answer


def _memory_kb(scene: Scene) -> int:
    status = Path(f"/proc/{scene.rig.station_pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def test_a_body_of_100_mb_is_refused_without_being_kept(scene: Scene) -> None:
    before = _memory_kb(scene)
    answer = _raw(scene, "Content-Length: 104857600", (bytes(1_048_576) for _ in range(100)))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"send one record per request" in answer
    assert _memory_kb(scene) - before < MAX_GROWTH_KB


def test_a_body_of_100_mb_of_unknown_length_is_refused_while_it_comes(scene: Scene) -> None:
    before = _memory_kb(scene)
    piece = b"100000\r\n" + bytes(0x100000) + b"\r\n"
    answer = _raw(scene, "Transfer-Encoding: chunked", (piece for _ in range(100)))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert _memory_kb(scene) - before < MAX_GROWTH_KB


@pytest.mark.parametrize("length", ["10", "5000", "99999999999999999999999", "-1", "12abc", "1\r\nContent-Length: 2"])
def test_a_content_length_that_lies(scene: Scene, length: str) -> None:
    answer = _raw(scene, f"Content-Length: {length}", iter([as_bytes(fresh_record())[:1000]]))
    assert b" 201 " not in answer


LOAD = "/api/v1/stock/load"
COMMANDS = [
    (LOAD, b"{", "Not valid JSON"),
    (LOAD, b"[" * 4000, "Not valid JSON"),
    (LOAD, b'{"quantity": 5}', "Must be an object with: lane, who, reason [quantity, ribbon, key]"),
    (LOAD, b'{"lane": "1", "quantity": true, "who": "a", "reason": "b"}', "'quantity' is wrong: it must be a number"),
    (LOAD, b'{"lane": "1", "quantity": "5", "who": "a", "reason": "b"}', "'quantity' is wrong: it must be a number"),
    (LOAD, b'{"lane": "1", "quantity": -5, "who": "a", "reason": "b"}', "count again"),
    (LOAD, b'{"lane": "1", "quantity": 5, "who": " ", "reason": "b"}', "'who' is wrong"),
    (LOAD, b'{"lane": "1", "quantity": 5, "who": "a", "reason": "b", "c": 1}', "Must be an object"),
    (LOAD, b'{"lane": "1", "quantity": 5, "who": "a", "reason": "b", "key": "x"}', "'key' is wrong"),
    (LOAD, b" " * 5000, "longer than 4096 bytes"),
    ("/api/v1/stock/receive", b" " * 600_000, "longer than 524288 bytes"),
    ("/api/v1/incidents/9999/explain", b'{"who": "a", "reason": "b"}', "no incident 9999"),
    ("/api/v1/questions/1/answer", b'{"answer": "good", "who": "a", "reason": "b"}', "answer must be one of"),
    ("/api/v1/jobs/x/cancel", b'{"who": "a", "reason": "b"}', "'job' must be a number"),
    ("/api/v1/nothing", b"{}", "no such address or method"),
    ("/api/v1/station", b"{}", "no such address or method"),
]


@pytest.mark.parametrize(("path", "body", "said"), COMMANDS)
def test_a_command_that_makes_no_sense(scene: Scene, path: str, body: bytes, said: str) -> None:
    answer = scene.rig.post(path, body)
    assert 400 <= answer.status < 500
    assert said in texts(answer)


@pytest.mark.parametrize("query", [{"state": "lost"}, {"after": "-1"}, {"limit": "9" * 20}, {"limit": "many"}])
def test_a_question_that_makes_no_sense(scene: Scene, query: dict[str, object]) -> None:
    answer = scene.rig.get("/api/v1/jobs", **query)
    assert answer.status == 400
    assert next(iter(query)) in texts(answer)
