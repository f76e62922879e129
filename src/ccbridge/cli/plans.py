"""``ccbridge config history`` and ``config show``: which configuration was in force when."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import click
from sqlalchemy import Connection

from ccbridge.cli import show
from ccbridge.cli.here import Here, NotDone, common, pass_here
from ccbridge.cli.past import database, limit_option
from ccbridge.config import differences
from ccbridge.store import plans


@click.command()
@limit_option
@common
@pass_here
def history(here: Here, limit: int, as_json: bool) -> None:
    """When which configuration came into force, the newest first, and what it changed.

    Its version stands on every event of a call or an agent.
    """
    with database(here) as db:
        rows = plans.history(db, limit + 1)
    changed = [differences.files(before["plan"], after["plan"]) for after, before in pairwise(rows)]
    told = [
        {"at": row["at"], "version": row["version"], "differences": lines}
        for row, lines in zip(rows, [*changed, None], strict=False)
    ][:limit]
    if as_json:
        show.as_json(told)
        return
    show.table(["since", "version", "changed"], [_row(one) for one in told])


def _row(one: dict[str, Any]) -> list[Any]:
    lines = one["differences"]
    if lines is None:
        return [show.when(one["at"]), one["version"], "the first"]
    return [show.when(one["at"]), one["version"], "; ".join(lines) or "nothing: it came back into force"]


@click.command(name="show")
@click.option(
    "--version", default="", metavar="VERSION", help="As `config history` has it; else the last one."
)
@click.option("--against", metavar="VERSION", help="Only list what this one had otherwise.")
@common
@pass_here
def show_(here: Here, version: str, against: str | None, as_json: bool) -> None:
    """What a configuration said that was in force: JSON, without secrets and names of people."""
    with database(here) as db:
        one = _found(db, version)
        lines = None if against is None else differences.files(_found(db, against)["plan"], one["plan"])
    if lines is None:
        show.as_json(one if as_json else one["plan"])
    elif as_json:
        show.as_json(lines)
    else:
        for line in lines:
            click.echo(show.plain(line))


def _found(db: Connection, version: str) -> dict[str, Any]:
    found = plans.plan_of(db, version)
    if found is None:
        name = f"configuration {show.plain(version)}" if version else "configuration"
        raise NotDone(f"no {name} is known to have been in force")
    return found
