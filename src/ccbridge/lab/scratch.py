"""Databases for a test or a demo on a lab's server: made, given our schema, dropped."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from ccbridge.store import schema


@dataclass(frozen=True, slots=True)
class Database:
    """What a site writes as ``database.admin_url`` and ``database.url``."""

    admin: str
    url: str


@contextmanager
def empty_database(server_url: str) -> Iterator[str]:
    """Superuser URL of a fresh database named ``ccb_..._test``, dropped at the end."""
    name = f"ccb_{secrets.token_hex(4)}_test"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server_url, autocommit=True) as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def scratch_database(server_url: str) -> Iterator[Database]:
    """A fresh database as ``ccbridge db init`` makes it, with a daemon's role of its own."""
    with empty_database(server_url) as admin:
        database = Database(admin, daemon_url(admin))
        schema.init(database.admin, database.url)
        try:
            yield database
        finally:
            drop_role(database)


def daemon_url(admin_url: str) -> str:
    """The same database for a role with a random name and password that does not exist yet."""
    parts = urlsplit(admin_url)
    host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    netloc = f"ccb_{secrets.token_hex(4)}:{secrets.token_urlsafe(9)}@{host}"
    return urlunsplit(parts._replace(netloc=netloc))


def drop_role(database: Database) -> None:
    """Remove the daemon's role with all its grants; roles outlive databases."""
    role = sql.Identifier(urlsplit(database.url).username or "")
    with psycopg.connect(database.admin, autocommit=True) as owner:
        owner.execute(sql.SQL("DROP OWNED BY {}").format(role))
        owner.execute(sql.SQL("DROP ROLE {}").format(role))
