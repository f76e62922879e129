"""The schema's life: made, and brought up to date. Migrations lie in the package."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql

from ccbridge.store import urls
from ccbridge.store.roles import ensure_role, grant
from ccbridge.store.version import MIGRATIONS, SchemaState, found, schema_state

MONTHS_AHEAD = 24
MIGRATION_LIMIT = 3600.0  # seconds for one statement: a large table may take its time


class SchemaTrouble(Exception):
    """The database cannot be made ready; the message is one sentence for whoever runs the command."""


def init(admin_url: str, url: str) -> list[str]:
    """Make the database, the daemon's role, all tables and grants; what exists is left. Says what it did.

    ``admin_url`` is the owner's, ``url`` the daemon's. Raises SchemaTrouble, RoleRefused, psycopg.Error.
    """
    _same_database(admin_url, url)
    daemon = urls.for_sqlalchemy(url)
    if not daemon.username or not daemon.password:
        raise SchemaTrouble("database.url needs a user and a password: `db init` creates that role")
    done = []
    if _create_database(admin_url):
        done.append(f"database {daemon.database} created")
    with _admin(admin_url) as db:
        if ensure_role(db, daemon.username, str(daemon.password)):
            done.append(f"role {daemon.username} created")
    done += upgrade(admin_url, url)
    try:
        psycopg.connect(urls.for_libpq(url), **urls.keepalive(10)).close()
    except psycopg.OperationalError as error:
        raise SchemaTrouble(
            f"all is made, but the role {daemon.username!r} cannot log in with the password of database.url: "
            f"{str(error).strip().splitlines()[-1]}"
        ) from error
    return done


def upgrade(admin_url: str, url: str) -> list[str]:
    """Run the missing migrations, make partitions for the coming months, renew the grants."""
    _same_database(admin_url, url)
    done = []
    engine = urls.engine(admin_url, MIGRATION_LIMIT)
    with engine.begin() as connection:
        before = found(connection.connection.driver_connection)
        # two upgrades at once: the second waits here and then finds nothing to do
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('ccbridge migrations'))")
        settings = _settings()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
    with _admin(admin_url) as db:
        after = found(db)
        if after != before:
            done.append(f"schema {before or 'none'} -> {after}")
        made = add_partitions(db)
        if made:
            done.append(f"{made} monthly partitions made")
        role = urls.for_sqlalchemy(url).username
        if role and role != db.info.user:
            grant(db, role)
            done.append(f"grants of {role} renewed")
    return done


def status(url: str) -> SchemaState:
    """Ask the database. Raises psycopg.OperationalError when it cannot be reached within some seconds."""
    return asyncio.run(schema_state(url))


def add_partitions(db: psycopg.Connection[tuple[Any, ...]], months: int = MONTHS_AHEAD) -> int:
    """Make the missing monthly partitions from last month on. Owner or daemon may call it."""
    row = db.execute(
        "SELECT ccbridge_add_partitions((now() - interval '1 month')::date, %s)", (months + 1,)
    ).fetchone()
    return int(row[0]) if row else 0


def _settings() -> Config:
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return settings


@contextmanager
def _admin(url: str, database: str | None = None) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    settings = urls.keepalive(MIGRATION_LIMIT) | ({"dbname": database} if database else {})
    with psycopg.connect(urls.for_libpq(url), autocommit=True, **settings) as db:
        yield db


def _create_database(admin_url: str) -> bool:
    name = urls.for_sqlalchemy(admin_url).database or ""
    try:
        with _admin(admin_url):
            return False
    except psycopg.OperationalError as error:
        # the login tells no error code here (libpq), so ask a database that every server has
        with _admin(admin_url, "postgres") as db:
            if db.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                raise SchemaTrouble(str(error).strip()) from error
            db.execute(
                sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(sql.Identifier(name))
            )
            return True


def _same_database(admin_url: str, url: str) -> None:
    if urls.for_sqlalchemy(admin_url).database != urls.for_sqlalchemy(url).database:
        raise SchemaTrouble(
            f"database.admin_url ({urls.address(admin_url)}) and database.url ({urls.address(url)}) "
            "must name the same database"
        )
