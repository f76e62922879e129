"""``ccbridge call record``: what a supervisor does with the recording of a talk."""

from __future__ import annotations

import click

from ccbridge.cli.here import Here, WrongUse, changed, common, pass_here


@click.command()
@click.argument("name", metavar="CALL")
@click.option("--pause", "to", flag_value="pause", help="Silence in the file, until it is resumed.")
@click.option("--resume", "to", flag_value="resume", help="End a pause.")
@click.option("--start", "to", flag_value="start", help="Begin to record a talk that is not recorded.")
@click.option("--as", "as_", metavar="SUPERVISOR", help="In whose name, if you are no supervisor yourself.")
@common
@pass_here
def record(here: Here, name: str, to: str | None, as_: str | None, as_json: bool) -> None:
    """Pause the recording of CALL's talk, resume it, or begin one. A pause ends by itself, too."""
    if to is None:
        raise WrongUse("give one of --pause, --resume and --start")
    who = {} if as_ is None else {"as": as_}
    changed(here, as_json, "call.record", call=name, to=to, **who, **{"from": "cli"})
