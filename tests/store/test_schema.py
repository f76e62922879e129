"""Migrations, roles and the trigger, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from ccbridge.lab.database import Database
from ccbridge.store import roles, schema, tables, urls, version

pytestmark = pytest.mark.pg

NODE = "6f1f9a5e-0000-4000-8000-000000000001"
EVENTS = {
    "call_event": f"INSERT INTO call_event VALUES ('2026-01-02', '{NODE}', 1, 'c', now(), 'arrived', '{{}}')",
    "agent_event": (
        f"INSERT INTO agent_event VALUES ('2026-01-02', '{NODE}', 1, 'a', now(), 'paused', '', NULL, '{{}}')"
    ),
    "queue_event": f"INSERT INTO queue_event VALUES ('{NODE}', 1, 'q', now(), 'paused', 'sue', '{{}}', 'v')",
    "control_audit": (
        f"INSERT INTO control_audit VALUES ('{NODE}', 1, 'm1', now(), 'listen', 'done', 'sue', 'root', "
        "'anna', 'cli', 'c', NULL, '')"
    ),
    "score_card": (
        f"INSERT INTO score_card VALUES ('{NODE}', 1, now(), 'c', 'anna', 'sue', 'sales', 'calls', 'v', "
        "80, 0, '[]', 60, 20)"
    ),
    "plan_began": f"INSERT INTO plan_began VALUES ('{NODE}', 1, now(), 'v', '{{}}')",
    "cdr": "INSERT INTO cdr VALUES ('pbx', '1.1', 1, '1.1', now(), '{}')",
}
CHANGES = (
    "UPDATE {} SET at = now()",
    "DELETE FROM {}",
    "TRUNCATE {}",
    "UPDATE {} SET at = now() WHERE false",
)


@pytest.fixture
def daemon(db: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(db.url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def owner(db: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(db.admin_url, autocommit=True) as connection:
        yield connection


def test_tables_are_what_the_migrations_make(db: Database) -> None:
    def ours(name: str | None, kind: str, *_: object) -> bool:
        return not (kind == "table" and name and name.startswith(("call_event_", "agent_event_")))

    with urls.engine(db.admin_url).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda n, k, p: ours(n, k), "compare_server_default": True}
        )
        assert compare_metadata(context, tables.metadata) == []


def test_every_table_has_grants() -> None:
    assert set(roles.GRANTS) == {*tables.metadata.tables, "call_account", "alembic_version"}


def test_init_twice_changes_nothing(db: Database) -> None:
    role = urls.for_sqlalchemy(db.url).username
    assert schema.init(db.admin_url, db.url) == [f"grants of {role} renewed"]


def test_init_makes_the_database(pg_server: str) -> None:
    new = Database(pg_server)
    try:
        assert schema.init(new.admin_url, new.url)[0] == f"database {new.name} created"
        assert schema.status(new.url).ok
    finally:
        new.drop()


def test_wrong_password_of_an_existing_role_is_told(db: Database) -> None:
    user = urls.for_sqlalchemy(db.url).username
    wrong = db.url.replace(db.url.split("@")[0], f"postgresql://{user}:wrong")
    with pytest.raises(schema.SchemaTrouble, match="cannot log in") as caught:
        schema.init(db.admin_url, wrong)
    assert ":wrong" not in str(caught.value)


def test_the_owner_is_refused_as_the_daemons_role(db: Database) -> None:
    with pytest.raises(roles.RoleRefused, match="its own role"):
        schema.init(db.admin_url, db.admin_url)


@pytest.mark.parametrize("table", EVENTS)
def test_daemon_may_insert_and_read_events_only(daemon: psycopg.Connection, table: str) -> None:
    daemon.execute(f"{EVENTS[table]} ON CONFLICT DO NOTHING")
    assert daemon.execute(f"SELECT 1 FROM {table} WHERE at <= now() LIMIT 1").fetchone() == (1,)
    for change in CHANGES:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            daemon.execute(change.format(table))


@pytest.mark.parametrize("table", [*EVENTS, "call_event_default", "call_event_2026_03"])
def test_the_trigger_refuses_the_owner_too(owner: psycopg.Connection, table: str) -> None:
    owner.execute("SELECT ccbridge_add_partitions('2026-03-15', 1)")
    for change in CHANGES:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"{table} is append-only"):
            owner.execute(change.format(table))


def test_partitions(owner: psycopg.Connection, daemon: psycopg.Connection) -> None:
    insert = f"INSERT INTO call_event VALUES (%s, '{NODE}', %s, 'p', now(), 'arrived', '{{}}')"
    daemon.execute(insert, (date(2031, 5, 3), 900))  # no partition yet
    made = daemon.execute("SELECT ccbridge_add_partitions('2031-04-30', 3)").fetchone()
    assert made == (5,)  # May of call_event stays in the default partition
    daemon.execute(insert, (date(2031, 6, 30), 901))
    places = daemon.execute(
        "SELECT seq, tableoid::regclass::text FROM call_event WHERE call_id = 'p' ORDER BY seq"
    ).fetchall()
    assert places == [(900, "call_event_default"), (901, "call_event_2031_06")]
    assert daemon.execute("SELECT ccbridge_add_partitions('2031-04-30', 3)").fetchone() == (0,)


def test_intervals_of_one_agent_cannot_overlap(daemon: psycopg.Connection) -> None:
    insert = "INSERT INTO agent_interval VALUES (%s, %s, %s, 'available', '', NULL)"
    daemon.execute(insert, ("x", "2026-01-01 10:00", "2026-01-01 11:00"))
    daemon.execute(insert, ("x", "2026-01-01 11:00", "2026-01-01 12:00"))
    daemon.execute(insert, ("y", "2026-01-01 10:30", "2026-01-01 11:30"))
    with pytest.raises(psycopg.errors.ExclusionViolation):
        daemon.execute(insert, ("x", "2026-01-01 10:59", "2026-01-01 11:00"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        daemon.execute("UPDATE agent_interval SET state = 'paused'")


def test_the_files_of_the_migrations_bear_their_revisions() -> None:
    """The daemon asks them for the newest, without Alembic."""
    scripts = ScriptDirectory(str(version.MIGRATIONS))
    assert version.head() == scripts.get_current_head()
    for one in scripts.walk_revisions():
        assert Path(one.path).name.startswith(f"{one.revision}_")


async def test_an_old_schema_is_named_with_the_command(pg: str, db: Database) -> None:
    assert await version.schema_ok(db.url) == (True, f"The database schema is up to date ({version.head()}).")
    assert await version.schema_ok(pg) == (
        False,
        "The database has no ccbridge tables yet: run `ccbridge db init`.",
    )
    with psycopg.connect(db.admin_url, autocommit=True) as owner:
        owner.execute("UPDATE alembic_version SET version_num = '9999'")
        ok, sentence = await version.schema_ok(db.url)
        owner.execute("UPDATE alembic_version SET version_num = %s", (version.head(),))
    assert not ok
    assert "9999, which this version of ccbridge does not know" in sentence
    assert version.SchemaState("0001", "0002").sentence.endswith("run `ccbridge db upgrade`.")


async def test_a_database_that_is_away_is_not_an_old_schema() -> None:
    with pytest.raises(psycopg.OperationalError):
        await version.schema_ok("postgresql://nobody:x@127.0.0.1:1/none")
