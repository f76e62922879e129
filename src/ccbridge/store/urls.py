"""Database URLs: what a site may write, and the two spellings that the libraries want."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:  # half a second at each start of the daemon, which needs none of it
    from sqlalchemy import URL, Engine

CONNECT_LIMIT = 5  # seconds; psycopg counts the whole login in it, so a hung server is found too


def for_libpq(url: str) -> str:
    """``postgresql://...`` of either spelling. Raises ValueError for another kind of database."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise ValueError(f"a database URL begins with postgresql://, this one with {parts.scheme}:")
    return urlunsplit(parts._replace(scheme="postgresql"))


def for_sqlalchemy(url: str) -> URL:
    """The same for SQLAlchemy with psycopg 3."""
    from sqlalchemy import make_url

    return make_url(for_libpq(url)).set(drivername="postgresql+psycopg")


def address(url: str) -> str:
    """``host:port/database`` for messages and logs: without user and password."""
    made = conninfo_to_dict(for_libpq(url))
    return f"{made.get('host') or 'localhost'}:{made.get('port') or 5432}/{made.get('dbname') or ''}"


def keepalive(statement_limit: float) -> dict[str, Any]:
    """libpq settings of every connection: dead peers are found, a statement ends in that many seconds."""
    return {
        "connect_timeout": CONNECT_LIMIT,
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "application_name": "ccbridge",
        "options": f"-c statement_timeout={round(statement_limit * 1000)} -c timezone=UTC",
    }


def engine(url: str, statement_limit: float = 30.0) -> Engine:
    """An engine for short-lived programs: no pool, ``statement_limit`` seconds for each statement."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    return create_engine(for_sqlalchemy(url), poolclass=NullPool, connect_args=keepalive(statement_limit))
