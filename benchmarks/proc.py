"""Memory and CPU time of processes, and facts about the machine, from /proc. Source: proc(5)."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib import metadata
from pathlib import Path

KB_PER_MB = 1024
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_LIBRARIES = ("aiosqlite", "cryptography", "gpiozero", "numpy", "pigpio", "pillow", "prometheus-client", "pydantic", "pyjwt",
              "pyscard", "pyserial", "pyusb", "starlette", "uvicorn")  # fmt: skip


def memory_mb(pid: int) -> dict[str, float]:
    """`rss`, its parts `anon` and `file`, and the `peak` rss, in MiB."""
    names = {"VmRSS": "rss", "RssAnon": "anon", "RssFile": "file", "VmHWM": "peak"}
    rows = (line.split(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {names[name]: int(value.split()[0]) / KB_PER_MB for name, value in rows if name in names}


def cpu_s(pid: int) -> float:
    """User and system time of all threads so far."""
    user, system, _, _ = _times(pid)
    return (user + system) * _TICK_S


def children_cpu_s(pid: int) -> float:
    """User and system time of all children so far, the dead ones too."""
    _, _, dead_user, dead_system = _times(pid)
    return (dead_user + dead_system) * _TICK_S + sum(cpu_s(child) for child in children(pid))


def children(pid: int) -> list[int]:
    """The living children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def threads(pid: int) -> int:
    """How many threads it has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def load_average() -> float:
    """Runnable processes on average over the last minute: above the number of cores, figures of time mean little."""
    return os.getloadavg()[0]


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    model = next((line.partition(":")[2].strip() for line in _text("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    memory_kb = next(int(line.split()[1]) for line in _text("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": memory_kb // KB_PER_MB,
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def versions() -> dict[str, str]:
    """The libraries as installed."""
    return {name: metadata.version(name) for name in _LIBRARIES}


def _times(pid: int) -> tuple[int, int, int, int]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, dead_user, dead_system = map(int, fields[11:15])
    return user, system, dead_user, dead_system


def _text(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
