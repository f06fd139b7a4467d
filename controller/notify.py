"""sd_notify(3): READY, WATCHDOG and STOPPING datagrams to the service manager; silent when there is none."""

from __future__ import annotations

import os
import socket


class Notifier:
    """Sends state to the socket systemd named in NOTIFY_SOCKET."""

    def __init__(self, address: str | None = None, watchdog_us: int | None = None) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._watchdog_us = int(os.environ.get("WATCHDOG_USEC", "0")) if watchdog_us is None else watchdog_us

    @property
    def watchdog_s(self) -> float | None:
        """How often WATCHDOG=1 is due at the latest; None when nobody watches."""
        return self._watchdog_us / 1_000_000 if self._watchdog_us else None

    def ready(self) -> None:
        """Work may begin."""
        self._send("READY=1")

    def alive(self) -> None:
        """Loop, store and workers answered."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The cards in hand are being finished."""
        self._send("STOPPING=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect(address)
            sock.send(state.encode())
