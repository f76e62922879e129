"""A database of its own on a lab's server, for a demo or a test: made, given our schema, dropped."""

from __future__ import annotations

import secrets
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from ccbridge.store import schema


class Database:
    """What a site writes as ``database.admin_url`` and ``database.url``: the owner's and the daemon's.

    Used as ``with Database(server_url) as database``, or by its steps.
    """

    def __init__(self, server_url: str, word: str = "") -> None:
        """``word`` is part of the database's and the role's name; a random one if not given."""
        word = word or secrets.token_hex(4)
        self.name, self.role, self.password = f"ccb_{word}_test", f"ccb_{word}", secrets.token_hex(12)
        self._server_url = server_url
        parts = urlsplit(server_url)
        self.admin_url = urlunsplit(parts._replace(path=f"/{self.name}"))
        host = parts.netloc.rpartition("@")[2]
        self.url = urlunsplit(
            parts._replace(netloc=f"{self.role}:{self.password}@{host}", path=f"/{self.name}")
        )

    def create(self) -> None:
        """As ``ccbridge db init`` does it: the database, the daemon's role, all tables."""
        schema.init(self.admin_url, self.url)

    def create_empty(self) -> None:
        """The database alone."""
        self._on_server(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.name)))

    def drop(self) -> None:
        """Database and role, whoever is connected. No error if there is none."""
        self._on_server(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self.name)),
            sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(self.role)),
        )

    def __enter__(self) -> Self:
        self.create()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()

    def _on_server(self, *statements: sql.Composed) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as server:
            for statement in statements:
                server.execute(statement)
