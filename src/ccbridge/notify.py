"""What systemd is told: ready, alive, stopping. Eight lines, so no library (``man sd_notify``)."""

from __future__ import annotations

import os
import socket


class Notify:
    """Sends to ``NOTIFY_SOCKET``; without it (no systemd, or ``Type=exec``) every word goes nowhere."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def say(self, state: str) -> None:
        """Such as ``READY=1`` or ``WATCHDOG=1``. A systemd that does not listen is no fault of ours."""
        if not self._address:
            return
        try:
            self._socket.sendto(state.encode(), self._address)
        except OSError:
            return

    def close(self) -> None:
        self._socket.close()
