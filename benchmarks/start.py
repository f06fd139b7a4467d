"""From starting the daemon's process to its first answer, warm, against a process that only imports the same libraries."""

from __future__ import annotations

import http.client
import socket
import statistics
import subprocess
import sys
import time

from benchmarks.bench_rig import rig
from benchmarks.figures import Aim, Figure, Section
from tools.rig import Rig, RigError

STARTS = 5
POLL_S = 0.001
LIMIT_S = 30.0
AIM = Aim(at_most=0.5)
PEER = "import asyncio, pydantic, starlette.applications, uvicorn, prometheus_client, cryptography"


def measure() -> list[Section]:
    """One section."""
    ours, peer = [], []
    with rig("start") as station:
        station.start()  # not counted: writes bytecode and makes the database
        station.stop_station()
        for _ in range(STARTS):
            ours.append(first_answer_s(station))
            peer.append(_import())
            station.stop_station()
    median_s = statistics.median(ours)
    figures = [
        Figure("start to first answer, median", median_s, "s", AIM),
        Figure("start to first answer, slowest", max(ours), "s"),
        Figure("peer: python importing the same libraries, median", statistics.median(peer), "s"),
        Figure("station / peer", median_s / statistics.median(peer), "times"),
    ]
    return [Section(f"Start, {STARTS} warm starts", figures, {"station_s": ours, "peer_s": peer})]


def first_answer_s(station: Rig) -> float:
    """Start the daemon; returns how long it took to its first answer, which it gives when it is ready for work."""
    begun_s = time.monotonic()
    station.start_station(wait=False)
    while not _answers(station.address.removeprefix("unix:")):
        if time.monotonic() > begun_s + LIMIT_S:
            raise RigError(f"the station does not answer\n{station.logs()}")
        time.sleep(POLL_S)
    return time.monotonic() - begun_s


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(LIMIT_S)
        try:
            connection.connect(path)
        except OSError:
            return False
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status == http.client.OK


def _import() -> float:
    begun_s = time.monotonic()
    subprocess.run([sys.executable, "-c", PEER], check=True)
    return time.monotonic() - begun_s
