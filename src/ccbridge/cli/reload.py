"""``ccbridge reload``: the daemon reads its configuration anew, and says what came of it."""

from __future__ import annotations

import click

from ccbridge.cli import show
from ccbridge.cli.here import Here, NotDone, common, pass_here


@click.command()
@click.option("--dry-run", is_flag=True, help="Only list what would change.")
@common
@pass_here
def reload(here: Here, dry_run: bool, as_json: bool) -> None:
    """Have the daemon read its configuration anew; with a mistake in it nothing changes (exit code 1).

    Every difference from what is in force is listed, one a line.
    """
    answer = here.asked("reload", **({"dry_run": "yes"} if dry_run else {}))
    if as_json:
        show.as_json({"ok": answer.ok, "text": answer.text, "data": answer.data})
    elif answer.ok:
        for line in answer.data["differences"]:
            click.echo(show.plain(line))
        click.echo(answer.text)
    else:
        click.echo(answer.text, err=True)
        for mistake in answer.data or []:
            click.echo(show.plain(mistake), err=True)
    if not answer.ok:
        raise SystemExit(NotDone.exit_code)
