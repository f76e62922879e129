"""``ccbridge recording``: what was recorded, and where it is."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import click

from ccbridge.cli import show
from ccbridge.cli.here import Here, NotDone, common, pass_here
from ccbridge.cli.past import database, day_option, limit_option, of_day
from ccbridge.desk.recordings import halves, inside, stereo
from ccbridge.store import queries


@click.group()
def recording() -> None:
    """Recordings: one for each agent's part of a call."""


@recording.command(name="list")
@day_option("Begun on this day only.")
@limit_option
@common
@pass_here
def list_(here: Here, day: date | None, limit: int, as_json: bool) -> None:
    """Recordings, the newest first."""
    with database(here) as db:
        rows = of_day(lambda n: queries.recordings(db, limit=n), "started_at", day, limit)
    if as_json:
        show.as_json(rows)
        return
    show.table(
        ["recording", "started", "call", "agent", "state", ">length", ">kB", "path"],
        [
            [
                row["id"],
                show.when(row["started_at"]),
                row["call_id"],
                row["agent"],
                row["state"],
                show.minutes(row["duration_s"]),
                None if row["bytes"] is None else row["bytes"] // 1000,
                row["path"],
            ]
            for row in rows
        ],
    )
    if len(rows) == limit:
        click.echo(f"the newest {limit} are shown: --limit shows more", err=True)


@recording.command()
@click.argument("name", metavar="CALL")
@common
@pass_here
def path(here: Here, name: str, as_json: bool) -> None:
    """The files of CALL (or of one recording, by its number), one a line.

    A finished recording is one stereo file; before that there are the two sides as the PBX writes them.
    """
    directory = here.site().recording.directory
    with database(here) as db:
        rows = queries.recordings_of(db, name)
    if not rows:
        raise NotDone(f"there is no recording of {show.plain(name)}")
    found = [{**row, "files": [str(file) for file in _files(directory, row)]} for row in rows]
    if as_json:
        show.as_json(found)
    else:
        for row in found:
            for file in row["files"]:
                click.echo(file)
    for row in found:
        if not row["files"]:
            click.echo(f"recording {row['id']} is {row['state']}: no file of it is here", err=True)
    if not any(row["files"] for row in found):
        raise SystemExit(NotDone.exit_code)


def _files(directory: Path, row: dict[str, Any]) -> list[Path]:
    base = inside(directory, row["path"])
    whole = stereo(base)
    return [whole] if whole.is_file() else [half for half in halves(base) if half.is_file()]
