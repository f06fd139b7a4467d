"""sd_notify datagrams."""

from __future__ import annotations

import socket
from pathlib import Path

from controller.notify import Notifier


def test_states_reach_the_service_manager(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        notifier = Notifier(str(tmp_path / "notify"), watchdog_us=30_000_000)
        notifier.ready()
        notifier.alive()
        notifier.stopping()
        assert [manager.recv(64) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]
        assert notifier.watchdog_s == 30


def test_without_a_service_manager_nothing_is_sent() -> None:
    notifier = Notifier("", 0)
    notifier.ready()
    assert notifier.watchdog_s is None
