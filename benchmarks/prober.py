"""Asks a station and a bare loop in turn, every few milliseconds, how long they take: `python -m benchmarks.prober STATION BARE`.

Runs until its standard input ends, then prints JSON: for each of the two, and for its own sleeps, the median, p99 and the worst
few, in ms. A process of its own: what it measures it must not share a loop or an interpreter lock with.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections.abc import Callable

from benchmarks.bare_loop import LINE
from benchmarks.figures import percentile

PAUSE_S = 0.002
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
TIMEOUT_S = 30.0
WORST = 10
SLOW_MS = 20


def probe(station: str, bare: str) -> dict[str, dict[str, object]]:
    """Ask until standard input ends."""
    ask_station, ask_bare = _asker(station, REQUEST, _http_complete), _asker(bare, LINE, lambda data: data == LINE)
    times_ms: dict[str, list[tuple[float, float]]] = {"station": [], "bare": [], "own_lateness": []}
    while True:
        for name, ask in (("station", ask_station), ("bare", ask_bare)):
            begun_s = time.monotonic()
            ask()
            times_ms[name].append(((time.monotonic() - begun_s) * 1000, begun_s))
        due_s = time.monotonic() + PAUSE_S
        if select.select([sys.stdin], [], [], PAUSE_S)[0]:
            return {name: _summary(rows) for name, rows in times_ms.items()}
        times_ms["own_lateness"].append(((time.monotonic() - due_s) * 1000, due_s))


def _summary(rows: list[tuple[float, float]]) -> dict[str, object]:
    values = [value for value, _ in rows]
    worst = sorted(rows, reverse=True)[:WORST]
    return {
        "asked": len(rows),
        "slow": sum(value > SLOW_MS for value in values),
        "p50_ms": round(percentile(values, 50), 3),
        "p99_ms": round(percentile(values, 99), 3),
        "worst_ms": [round(value, 3) for value, _ in worst],
        "worst_at_s": [round(at_s, 3) for _, at_s in worst],
    }


def _asker(path: str, request: bytes, complete: Callable[[bytes], bool]) -> Callable[[], None]:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(TIMEOUT_S)
    connection.connect(path)

    def ask() -> None:
        connection.sendall(request)
        answer = b""
        while not complete(answer):
            part = connection.recv(4096)
            if not part:
                raise ConnectionError(f"{path} hung up")
            answer += part

    return ask


def _http_complete(data: bytes) -> bool:
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return False
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return len(body) >= int(length.partition(b":")[2])


if __name__ == "__main__":
    print(json.dumps(probe(*sys.argv[1:3])))
