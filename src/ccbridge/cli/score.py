"""``ccbridge score``: what supervisors gave agents for their calls."""

from __future__ import annotations

from datetime import date
from typing import Any

import click

from ccbridge.cli import show
from ccbridge.cli.here import Here, NotDone, common, pass_here
from ccbridge.cli.past import database, day_option, limit_option, of_day
from ccbridge.store import queries


@click.group()
def score() -> None:
    """Score cards."""


@score.command(name="list")
@click.option("--agent", metavar="AGENT", help="Those of this agent only.")
@click.option("--supervisor", metavar="SUPERVISOR", help="Those by him only.")
@day_option("Filled in on this day only.")
@limit_option
@common
@pass_here
def list_(
    here: Here, agent: str | None, supervisor: str | None, day: date | None, limit: int, as_json: bool
) -> None:
    """Score cards, the newest first. One that its supervisor has replaced does not stand."""
    with database(here) as db:
        rows = of_day(
            lambda n: queries.score_cards(db, agent=agent, who=supervisor, limit=n), "at", day, limit
        )
    if as_json:
        show.as_json(rows)
        return
    _cards(rows)
    if len(rows) == limit:
        click.echo(f"the newest {limit} are shown: --limit shows more", err=True)


@score.command(name="show")
@click.argument("call")
@common
@pass_here
def show_(here: Here, call: str, as_json: bool) -> None:
    """The score cards of CALL, item by item, the newest first."""
    with database(here) as db:
        rows = queries.score_cards(db, call_id=call)
    if not rows:
        raise NotDone(f"call {show.plain(call)} has no score card")
    if as_json:
        show.as_json(rows)
        return
    for place, row in enumerate(rows):
        if place:
            click.echo()
        _cards([row])
        show.table(
            ["group", "item", ">points", ">weight", ">of group", ">needs"],
            [
                [
                    item["group"],
                    item["item"],
                    item["points"],
                    item["weight"],
                    item["group_weight"],
                    item["critical"] or None,
                ]
                for item in row["items"]
            ],
        )


def _cards(rows: list[dict[str, Any]]) -> None:
    show.table(
        ["at", "agent", "supervisor", ">score", ">failed", "form", "queue", ">heard", "call", "stands"],
        [
            [
                show.when(row["at"]),
                row["agent"],
                row["who"],
                f"{row['total']:.1f}",
                row["failed"],
                row["form"],
                row["queue"],
                show.minutes(row["listened_s"]),
                row["call_id"],
                row["stands"],
            ]
            for row in rows
        ],
    )
