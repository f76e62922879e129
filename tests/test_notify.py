"""What systemd hears, on a real datagram socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
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


def test_the_daemon_says_when_it_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    """Without Asterisk and without a database: it starts, and waits for both."""
    site = tmp_path / "ccbridge.yml"
    site.touch(mode=0o600)
    site.write_text(
        f"""
asterisk: {{port: 1, secret: x}}
agi: {{port: 0}}
database: {{url: "postgresql://u:p@127.0.0.1:1/none"}}
journal: {{directory: {tmp_path}/journal}}
recording: {{directory: {tmp_path}/recordings}}
control: {{socket: {tmp_path}/control.sock}}
callers: {{country: GR}}
queues: {{}}
flows: {{bye: {{start: end, steps: {{end: {{hangup: true}}}}}}}}
default_flow: bye
"""
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(15)
        daemon = subprocess.Popen(
            [sys.executable, "-m", "ccbridge", "-c", str(site), "run"],
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
            stderr=subprocess.PIPE,
        )
        try:
            heard = {systemd.recv(100), systemd.recv(100)}
            assert heard == {b"READY=1", b"WATCHDOG=1"}
            assert systemd.recv(100) == b"WATCHDOG=1"
            daemon.send_signal(signal.SIGTERM)
            while (word := systemd.recv(100)) == b"WATCHDOG=1":
                pass
            assert word == b"STOPPING=1"
            _, log = daemon.communicate(timeout=60)
        finally:
            daemon.kill()
    assert daemon.returncode == 0, log.decode()
