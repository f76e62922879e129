"""A site file, a real control server in a thread, and a real PostgreSQL filled by a real switchboard."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "control"))
from cli_rig import NOWHERE, SITE, Past, Shell
from control_rig import Board, Daemon

from ccbridge.core.effects import Append
from ccbridge.lab.database import Database
from ccbridge.lab.postgres import LabPostgres
from ccbridge.store.rows import Numbered, store
from ccbridge.store.urls import for_libpq


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("CCBRIDGE_CONFIG", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def write_site(tmp_path: Path) -> Callable[[str], Path]:
    def write(url: str) -> Path:
        path = tmp_path / "ccbridge.yml"
        path.write_text(SITE.format(url=url), encoding="utf-8")
        return path

    return write


@pytest.fixture
def shell(write_site: Callable[[str], Path]) -> Shell:
    """No daemon and no database."""
    return Shell(write_site(NOWHERE))


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def daemon(shell: Shell, board: Board) -> Iterator[Daemon]:
    with Daemon(shell.site.parent / "control.sock", board) as one:
        yield one


@pytest.fixture(scope="session")
def pg_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with LabPostgres(tmp_path_factory.mktemp("postgres"), tethered=True) as server:
        yield server.url


@pytest.fixture(scope="session")
def past(pg_server: str) -> Iterator[Past]:
    board = Board(at=float(int(time.time()) - 900))
    board.login("anna")
    talked = board.caller("sales", "+302101234567")
    board.ring(talked)
    board.go(12)
    board.answer(talked)
    board.go(95)
    board.hang_up(talked)
    board.go(60)
    board.login("anna")
    abandoned = board.caller("support", None)
    board.go(41)
    board.hang_up_waiting(abandoned)
    still = board.caller("support", "+306912345678")
    with Database(pg_server) as database:
        records = [effect.record for effect in board.effects if isinstance(effect, Append)]
        with psycopg.connect(for_libpq(database.url)) as db:
            store(db, uuid.uuid4(), [Numbered(n, record) for n, record in enumerate(records, 1)])
        yield Past(database, board, talked, abandoned, still)


@pytest.fixture
def archive(past: Past, write_site: Callable[[str], Path]) -> Shell:
    """The database, and no daemon."""
    return Shell(write_site(past.database.url))
