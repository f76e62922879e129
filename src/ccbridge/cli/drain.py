"""``ccbridge drain``: no new calls, so that a planned stop costs nobody anything."""

from __future__ import annotations

import time

import click

from ccbridge.cli import show
from ccbridge.cli.here import Here, NotDone, common, pass_here

EVERY = 1.0  # seconds between two looks


@click.command()
@click.option(
    "--wait", "limit", type=click.FloatRange(0, 86_400), metavar="SECONDS", help="Wait until no call is left."
)
@click.option("--off", is_flag=True, help="Take new calls again.")
@common
@pass_here
def drain(here: Here, limit: float | None, off: bool, as_json: bool) -> None:
    """Send new callers to the fallback queue at once; who is here already is served as ever.

    With --wait it returns as soon as no call is left (exit code 0), or when the time is over (1; it goes on
    draining). A restart of the daemon takes new calls again.
    """
    if off and limit is not None:
        raise click.UsageError("--off and --wait do not go together")
    data = here.ask("drain", state="off" if off else "on").data
    deadline = time.monotonic() + (limit or 0.0)
    shown = None
    while limit is not None and data["calls"] and time.monotonic() < deadline:
        if not as_json and data["states"] != shown:
            shown = data["states"]
            click.echo(_left(data["calls"], shown), err=True)
        time.sleep(min(EVERY, max(0.0, deadline - time.monotonic())))
        data = here.ask("drain").data
        if not data["draining"]:
            raise NotDone("the daemon takes calls again: it was restarted, or told so")
    if as_json:
        show.as_json(data)
    elif off:
        click.echo("taking calls")
    elif data["calls"]:
        click.echo(f"draining, {_left(data['calls'], data['states'])}")
    else:
        click.echo("draining, empty: a stop costs nobody anything")
    if limit is not None and data["calls"]:
        raise SystemExit(NotDone.exit_code)


def _left(calls: int, states: dict[str, int]) -> str:
    listed = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return f"{calls} calls left: {listed}"
