"""``ccbridge reload``: the daemon reads its configuration anew, and says what came of it."""

from __future__ import annotations

import click

from ccbridge.cli import show
from ccbridge.cli.here import Here, NotDone, common, pass_here


@click.command()
@common
@pass_here
def reload(here: Here, as_json: bool) -> None:
    """Have the daemon read its configuration anew; with a mistake in it nothing changes (exit code 1)."""
    answer = here.asked("reload")
    if as_json:
        show.as_json({"ok": answer.ok, "text": answer.text, "data": answer.data})
    else:
        click.echo(answer.text, err=not answer.ok)
        for mistake in [] if answer.ok else answer.data or []:
            click.echo(show.plain(mistake), err=True)
    if not answer.ok:
        raise SystemExit(NotDone.exit_code)
