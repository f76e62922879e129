"""``ccbridge ticket``: what became of the callers' matters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import click

from ccbridge.cli import show
from ccbridge.cli.call import caller
from ccbridge.cli.here import Here, NotDone, common, pass_here
from ccbridge.cli.past import database, day_option, limit_option, of_day
from ccbridge.core.records import NOTE
from ccbridge.store import queries

STATES = ("open", "closed", "resolved", "follow_up")


@click.group()
def ticket() -> None:
    """Tickets: one for each call."""


def ticket_rows(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Headings and rows of tickets."""
    return (
        ["ticket", "opened", "state", "set by agent", "caller", "queue", "agent", "call"],
        [
            [
                row["id"],
                show.when(row["opened_at"]),
                row["state"],
                row["outcome_set"],
                caller(row),
                row["queue"],
                row["agent"],
                row["call_id"],
            ]
            for row in rows
        ],
    )


@ticket.command(name="list")
@click.option("--state", type=click.Choice(STATES), help="In this state only.")
@day_option("Opened on this day only.")
@limit_option
@common
@pass_here
def list_(here: Here, state: str | None, day: date | None, limit: int, as_json: bool) -> None:
    """Tickets, the newest first."""
    with database(here) as db:
        rows = of_day(lambda n: queries.tickets(db, state=state, limit=n), "opened_at", day, limit)
    if as_json:
        show.as_json(rows)
        return
    show.table(*ticket_rows(rows))
    if len(rows) == limit:
        click.echo(f"the newest {limit} are shown: --limit shows more", err=True)


@ticket.command()
@click.option("--agent", metavar="AGENT", help="Of this agent only.")
@click.option("--late", is_flag=True, help="Only those that are due.")
@limit_option
@common
@pass_here
def due(here: Here, agent: str | None, late: bool, limit: int, as_json: bool) -> None:
    """Follow-ups, the longest due first."""
    now = datetime.now(UTC)
    with database(here) as db:
        rows = queries.follow_ups(db, agent=agent, due_by=now if late else None, limit=limit)
    if as_json:
        show.as_json(rows)
        return
    show.table(
        ["ticket", "due", ">late", "agent", "caller", "number", "call"],
        [
            [
                row["id"],
                show.when(row["due_at"]),
                show.minutes((now - row["due_at"]).total_seconds()) if row["due_at"] < now else None,
                row["agent"],
                caller(row),
                row["number"],
                row["call_id"],
            ]
            for row in rows
        ],
    )
    if len(rows) == limit:
        click.echo(f"the first {limit} are shown: --limit shows more", err=True)


@ticket.command(name="show")
@click.argument("number", metavar="TICKET", type=click.IntRange(1, 2**63 - 1))
@common
@pass_here
def show_(here: Here, number: int, as_json: bool) -> None:
    """One ticket, with its call."""
    with database(here) as db:
        row = queries.ticket_by_id(db, number)
    if row is None:
        raise NotDone(f"there is no ticket {number}")
    if as_json:
        show.as_json(row)
        return
    about = row["call"] or {}
    show.fields(
        [
            ("ticket", row["id"]),
            ("state", row["state"] if row["outcome_set"] else f"{row['state']} (no outcome keyed)"),
            ("due", show.when(row["due_at"])),
            ("opened", show.when(row["opened_at"])),
            ("updated", show.when(row["updated_at"])),
            ("caller", caller(row)),
            ("number", row["caller_e164"]),
            ("queue", row["queue"]),
            ("agent", row["agent"]),
            ("call", row["call_id"]),
            ("waited", show.minutes(about.get("wait_s"))),
            ("talk", show.minutes(about.get("talk_s"))),
            ("disposition", about.get("disposition")),
            ("tags", about.get("tags")),
            ("notes", [one["id"] for one in about.get("recordings", []) if _is_note(one)]),
            ("recordings", [one["id"] for one in about.get("recordings", []) if not _is_note(one)]),
        ]
    )


def _is_note(recording: Mapping[str, Any]) -> bool:
    """Spoken by the agent after the call, or beside it."""
    return str(recording["offer"]).startswith(NOTE)
