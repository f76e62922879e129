"""``ccbridge audit``: who has asked for which control over whom, and what became of it."""

from __future__ import annotations

from datetime import date

import click

from ccbridge.cli import show
from ccbridge.cli.here import Here, common, pass_here
from ccbridge.cli.past import database, day_option, limit_option, of_day
from ccbridge.store import queries


@click.command()
@click.option("--supervisor", metavar="SUPERVISOR", help="His controls only.")
@click.option("--agent", metavar="AGENT", help="Those over this agent only.")
@day_option("Of this day only.")
@limit_option
@common
@pass_here
def audit(
    here: Here, supervisor: str | None, agent: str | None, day: date | None, limit: int, as_json: bool
) -> None:
    """Controls over people at work, step by step, the newest first."""
    with database(here) as db:
        rows = of_day(lambda n: queries.controls(db, who=supervisor, whom=agent, limit=n), "at", day, limit)
    if as_json:
        show.as_json(rows)
        return
    show.table(
        ["at", "supervisor", "what", "agent", "result", ">seconds", "by", "from", "call", "reason"],
        [
            [
                show.when(row["at"]),
                row["who"],
                row["what"],
                row["whom"],
                row["result"],
                row["seconds"],
                row["by"],
                row["door"],
                row["call_id"],
                row["reason"],
            ]
            for row in rows
        ],
    )
    if len(rows) == limit:
        click.echo(f"the newest {limit} are shown: --limit shows more", err=True)
