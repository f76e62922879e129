"""``ccbridge call pull|move|priority|redirect|hangup``: what a supervisor does with a caller who waits."""

from __future__ import annotations

import click

from ccbridge.cli.here import Here, changed, common, pass_here


@click.command()
@click.argument("name", metavar="CALL")
@click.argument("agent")
@common
@pass_here
def pull(here: Here, name: str, agent: str, as_json: bool) -> None:
    """Offer a waiting call to AGENT now, whoever's turn it is; he must be free, and may be of any queue."""
    changed(here, as_json, "call.pull", call=name, agent=agent)


@click.command()
@click.argument("name", metavar="CALL")
@click.argument("queue")
@common
@pass_here
def move(here: Here, name: str, queue: str, as_json: bool) -> None:
    """Put a waiting call into another QUEUE; the time that he has waited counts there, too."""
    changed(here, as_json, "call.move", call=name, queue=queue)


@click.command()
@click.argument("name", metavar="CALL")
@click.argument("number")
@common
@pass_here
def priority(here: Here, name: str, number: str, as_json: bool) -> None:
    """Give a waiting call the priority NUMBER (-100 to 100, a negative one after `--`)."""
    changed(here, as_json, "call.priority", call=name, priority=number)


@click.command()
@click.argument("name", metavar="CALL")
@click.argument("extension")
@common
@pass_here
def redirect(here: Here, name: str, extension: str, as_json: bool) -> None:
    """Send a waiting call to EXTENSION of the site's exit context."""
    changed(here, as_json, "call.redirect", call=name, extension=extension)


@click.command()
@click.argument("name", metavar="CALL")
@common
@pass_here
def hangup(here: Here, name: str, as_json: bool) -> None:
    """Hang up a waiting call."""
    changed(here, as_json, "call.hangup", call=name)


@click.command()
@click.argument("name", metavar="CALL")
@common
@pass_here
def escalate(here: Here, name: str, as_json: bool) -> None:
    """Bring the supervisor on duty into CALL's talk, as its agent can by his phone."""
    changed(here, as_json, "call.escalate", call=name, **{"from": "cli"})


COMMANDS = (pull, move, priority, redirect, hangup, escalate)
