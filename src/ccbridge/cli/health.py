"""``ccbridge health``: one word and the reasons, for people and for a monitor."""

from __future__ import annotations

import click

from ccbridge.cli import show
from ccbridge.cli.here import Away, Here, common, pass_here
from ccbridge.health import Health

CODES = {"healthy": 0, "degraded": 1, "unhealthy": 3}


@click.command()
@common
@pass_here
def health(here: Here, as_json: bool) -> None:
    """Say healthy, degraded or unhealthy, and why. Exit codes: 0, 1, 3; 3 also when no daemon answers."""
    try:
        data = here.ask("health").data
    except Away as away:
        data = Health("unhealthy", (away.message,)).as_dict()
    if as_json:
        show.as_json(data)
    else:
        for line in (data["health"], *data["reasons"]):
            click.echo(show.plain(line))
    raise SystemExit(CODES[data["health"]])
