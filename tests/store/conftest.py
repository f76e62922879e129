"""A real PostgreSQL: one server for the session, one fresh database with our schema for each module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ccbridge.lab.postgres import LabPostgres
from ccbridge.lab.scratch import Database, empty_database, scratch_database


@pytest.fixture(scope="session")
def pg_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Superuser URL of a server for tests. Only databases named ``*_test`` are made on it."""
    with LabPostgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server.url


@pytest.fixture(scope="module")
def pg(pg_server: str) -> Iterator[str]:
    """Superuser URL of a fresh empty database, dropped after the module."""
    with empty_database(pg_server) as url:
        yield url


@pytest.fixture(scope="module")
def db(pg_server: str) -> Iterator[Database]:
    """A fresh database with the schema and a daemon's role of its own, dropped after the module."""
    with scratch_database(pg_server) as database:
        yield database


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[LabPostgres]:
    """A server that the test may pause and kill."""
    with LabPostgres(tmp_path / "pg", external=False) as server:
        yield server
