"""What the daemon's role may do. It is never the owner: an owner may update what he likes."""

from __future__ import annotations

import psycopg
from psycopg import sql

# Kinds of tables: see ``tables``. No role of ours has UPDATE or DELETE on an event.
GRANTS: dict[str, str] = {
    "call_event": "SELECT, INSERT",
    "agent_event": "SELECT, INSERT",
    "plan_began": "SELECT, INSERT",
    "queue_event": "SELECT, INSERT",
    "control_audit": "SELECT, INSERT",
    "score_card": "SELECT, INSERT",
    "cdr": "SELECT, INSERT",
    "agent_interval": "SELECT, INSERT",
    "ship_reject": "SELECT, INSERT",
    # an account is written once; who the person was may be erased
    "call": "SELECT, INSERT, UPDATE (caller_e164, caller_raw, caller_name, customer_id)",
    "ticket": "SELECT, INSERT, UPDATE",
    "recording": "SELECT, INSERT, UPDATE",
    "agent_state": "SELECT, INSERT, UPDATE",
    "ship_position": "SELECT, INSERT, UPDATE",
    "customer": "SELECT, INSERT, UPDATE, DELETE",
    "phone_number": "SELECT, INSERT, UPDATE, DELETE",
    "menu_answer": "SELECT, INSERT, UPDATE, DELETE",
    "caller_list": "SELECT, INSERT, UPDATE, DELETE",
    "call_opened": "SELECT, INSERT, UPDATE, DELETE",
    "cdr_party": "SELECT, INSERT, UPDATE, DELETE",
    "file_position": "SELECT, INSERT, UPDATE",
    "file_reject": "SELECT, INSERT, DELETE",
    "cel": "SELECT, INSERT, UPDATE (number, name), DELETE",
    "cel_call": "SELECT, INSERT, UPDATE, DELETE",
    "call_account": "SELECT",  # a view
    "alembic_version": "SELECT",
}


class RoleRefused(Exception):
    """The daemon's role cannot be used as it is; the message says why."""


def ensure_role(db: psycopg.Connection[tuple[object, ...]], role: str, password: str) -> bool:
    """Create ``role`` with ``password`` unless it exists; an existing role keeps its password.

    True when it was created. Raises RoleRefused for the owner himself and for superusers.
    """
    if role == db.info.user:
        raise RoleRefused(
            f"database.url and database.admin_url both log in as {role!r}: give the daemon its own role, "
            "an owner could change the events"
        )
    found = db.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    if found is not None:
        if found[0]:
            raise RoleRefused(
                f"the role {role!r} of database.url is a superuser: give the daemon a plain one"
            )
        return False
    # hashed here, so that the server's log never shows the password
    hashed = db.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    db.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(hashed)))
    return True


def grant(db: psycopg.Connection[tuple[object, ...]], role: str) -> None:
    """Give ``role`` exactly what ``GRANTS`` says; whatever else it had on these tables is taken away."""
    name = sql.Identifier(role)
    database = sql.Identifier(db.info.dbname)
    db.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, name))
    db.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name))
    for table, rights in GRANTS.items():
        target = sql.Identifier(table)
        db.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(target, name))
        db.execute(
            sql.SQL("GRANT {} ON {} TO {}").format(
                sql.SQL(rights),
                target,
                name,
            )
        )
    db.execute(sql.SQL("GRANT EXECUTE ON FUNCTION ccbridge_add_partitions(date, integer) TO {}").format(name))
