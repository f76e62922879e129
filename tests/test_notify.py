"""What systemd hears, on a real datagram socket."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ccbridge.notify import Notify


@pytest.mark.parametrize("abstract", [False, True])
def test_words_arrive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        name = f"@ccbridge-test-{tmp_path.name}" if abstract else str(tmp_path / "n")
        systemd.bind("\0" + name[1:] if abstract else name)
        systemd.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify = Notify()
        notify.say("READY=1")
        assert systemd.recv(100) == b"READY=1"
        notify.close()


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for address in ("", str(tmp_path / "gone")):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notify = Notify()
        notify.say("WATCHDOG=1")
        notify.close()
