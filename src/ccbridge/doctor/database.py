"""PostgreSQL: the schema, the daemon's role and no more, events that nobody can change, the clock."""

from __future__ import annotations

from typing import Any

from ccbridge.doctor.finding import Findings, fail, ok, skip, warn
from ccbridge.doctor.link import judge_clock
from ccbridge.doctor.visit import STEP, Db, Visit
from ccbridge.store.roles import GRANTS
from ccbridge.store.version import schema_state

OLDEST = 140_000  # server_version_num
RENEW = "`ccbridge db upgrade` renews the grants"
EVENTS = ("call_event", "agent_event", "cdr")
UNGUARDED = """
SELECT c.relname FROM pg_class c
WHERE (c.relname = ANY(%s)
       OR c.oid IN (SELECT inhrelid FROM pg_inherits JOIN pg_class p ON p.oid = inhparent
                    WHERE p.relname = ANY(%s) AND p.relnamespace = 'public'::regnamespace))
  AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_trigger t
                  WHERE t.tgrelid = c.oid AND t.tgname = 'append_only' AND t.tgenabled <> 'D')
ORDER BY 1
"""


async def check(visit: Visit) -> Findings:
    db = visit.db
    if db is None:
        yield skip("schema, role and triggers: the database is away")
        return
    if db.info.server_version < OLDEST:
        yield fail(f"PostgreSQL is {db.info.server_version // 10_000}", "PostgreSQL 14 or newer")
    asked = visit.clock()
    (now,) = await _row(db, "SELECT extract(epoch FROM clock_timestamp())::float8")
    yield judge_clock("PostgreSQL", float(now), asked, visit.clock())
    state = await schema_state(visit.site.database.url.get_secret_value(), STEP)
    if not state.ok:
        yield fail(state.sentence.rpartition(":")[0] or state.sentence, state.sentence)
        return
    yield ok(state.sentence)
    async for finding in _role(db):
        yield finding
    async for finding in _triggers(db):
        yield finding
    (ahead,) = await _row(
        db,
        "SELECT to_regclass('call_event' || "
        "to_char(now() AT TIME ZONE 'UTC' + interval '1 month', '_YYYY_MM'))::text",
    )
    if ahead is None:
        yield fail("there is no partition for next month's events", "`ccbridge jobs` makes them; " + RENEW)
    (rejected,) = await _row(db, "SELECT count(*) FROM ship_reject")
    if rejected:
        yield warn(
            f"the database has refused {rejected} records", "the table ship_reject has each, with the reason"
        )


async def _role(db: Db) -> Findings:
    role = db.info.user
    (powerful,) = await _row(
        db, "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
    )
    if powerful:
        yield fail(
            f"the role {role} of database.url is a superuser, or may make roles or databases",
            "a plain role: another user in database.url, and `ccbridge db init`",
        )
    wrong = 0
    for table, text in GRANTS.items():
        granted = {one.strip() for one in text.split(",") if "(" not in one}
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"):
            (has,) = await _row(db, "SELECT has_table_privilege(%s, %s)", f"public.{table}", right)
            if has and right not in granted and not powerful:
                wrong += 1
                yield fail(f"the role {role} may {right} on {table}: it should only {text}", RENEW)
            elif not has and right in granted:
                wrong += 1
                yield fail(f"the role {role} may not {right} on {table}", RENEW)
    if not powerful and not wrong:
        yield ok(f"the role {role} may do what is needed, and no more")


async def _triggers(db: Db) -> Findings:
    rows = await (await db.execute(UNGUARDED, (list(EVENTS), list(EVENTS)))).fetchall()
    for (table,) in rows:
        yield fail(
            f"{table} has no trigger, or a disabled one, against changes: what happened can be rewritten",
            f"ALTER TABLE {table} ENABLE TRIGGER ALL, as the owner",
        )
    if not rows:
        yield ok("events can only be added")


async def _row(db: Db, sql: str, *values: Any) -> tuple[Any, ...]:
    row = await (await db.execute(sql, values)).fetchone()
    assert row is not None
    return row
