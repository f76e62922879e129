"""A real PostgreSQL: one server for the session, one fresh database with our schema for each module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ccbridge.lab.database import Database
from ccbridge.lab.postgres import LabPostgres


@pytest.fixture(scope="session")
def pg_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Superuser URL of a server for tests. Only databases named ``*_test`` are made on it."""
    with LabPostgres(tmp_path_factory.mktemp("postgres"), tethered=True) as server:
        yield server.url


@pytest.fixture(scope="module")
def empty(pg_server: str) -> Iterator[Database]:
    """A fresh database without tables, dropped after the module."""
    database = Database(pg_server)
    database.create_empty()
    yield database
    database.drop()


@pytest.fixture(scope="module")
def pg(empty: Database) -> str:
    """Its superuser URL."""
    return empty.admin_url


@pytest.fixture(scope="module")
def db(pg_server: str) -> Iterator[Database]:
    """A fresh database with the schema and a daemon's role of its own, dropped after the module."""
    with Database(pg_server) as database:
        yield database


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[LabPostgres]:
    """A server that the test may pause and kill."""
    with LabPostgres(tmp_path / "pg", external=False) as server:
        yield server
