"""Whether the database's schema is the one that this version works with.

Apart from ``schema``, which makes it: the daemon only asks, and starts faster without Alembic and SQLAlchemy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from ccbridge.store import urls
from ccbridge.store.cut import cut_after

MIGRATIONS = Path(__file__).parent / "migrations"
FIRST = "ccbridge db init"
NEXT = "ccbridge db upgrade"
_EXISTS = "SELECT to_regclass('public.alembic_version')::text"
_REVISION = "SELECT version_num FROM public.alembic_version"


@dataclass(frozen=True, slots=True)
class SchemaState:
    """``found`` and ``wanted`` are revisions; ``found`` is "" in a database without our tables."""

    found: str
    wanted: str

    @property
    def ok(self) -> bool:
        return self.found == self.wanted

    @property
    def sentence(self) -> str:
        if self.ok:
            return f"The database schema is up to date ({self.found})."
        if not self.found:
            return f"The database has no ccbridge tables yet: run `{FIRST}`."
        if self.found not in _revisions():
            return (
                f"The database schema is at {self.found}, which this version of ccbridge does not know "
                f"(it has {self.wanted}): install the newer ccbridge."
            )
        return f"The database schema is at {self.found}, this version needs {self.wanted}: run `{NEXT}`."


def found(db: Any) -> str:
    """The revision of the database behind a psycopg connection; "" where it has none of our tables."""
    exists = db.execute(_EXISTS).fetchone()
    row = db.execute(_REVISION).fetchone() if exists and exists[0] else None
    return str(row[0]) if row else ""


async def schema_state(url: str, limit: float = 5.0) -> SchemaState:
    """As ``status``, for a running loop: never takes longer than ``limit`` seconds plus the login's five."""
    async with await psycopg.AsyncConnection.connect(
        urls.for_libpq(url), **urls.keepalive(limit), autocommit=True
    ) as db:
        with cut_after(db, limit):
            exists = await (await db.execute(_EXISTS)).fetchone()
            if exists is None or exists[0] is None:
                return SchemaState("", head())
            row = await (await db.execute(_REVISION)).fetchone()
        return SchemaState(str(row[0]) if row else "", head())


async def schema_ok(url: str, limit: float = 5.0) -> tuple[bool, str]:
    """Whether this version can work with the database's schema, and a sentence that names the command.

    Raises psycopg.OperationalError when the database is away: that is no reason not to start.
    """
    state = await schema_state(url, limit)
    return state.ok, state.sentence


def head() -> str:
    """The revision that this version of the program needs."""
    return max(_revisions())


def _revisions() -> set[str]:
    """As the files of the migrations are named: ``0001_first.py``."""
    return {path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[!_]*.py")}
