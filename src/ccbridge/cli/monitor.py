"""``ccbridge monitor``: let a supervisor hear an agent, whisper to him, or talk with both."""

from __future__ import annotations

import click

from ccbridge.cli import show
from ccbridge.cli.here import Here, WrongUse, changed, common, pass_here
from ccbridge.supervision.roles import CONTROLS


@click.command()
@click.argument("agent", required=False)
@click.option("--mode", type=click.Choice(CONTROLS), help="What he may hear and be heard by; else listen.")
@click.option("--to", metavar="SUPERVISOR", help="Whose phone: a supervisor, or the phone's extension.")
@click.option("--as", "as_", metavar="SUPERVISOR", help="In whose name, if it is another's phone.")
@click.option("--stop", is_flag=True, help="End it: of AGENT, at that phone, or all.")
@common
@pass_here
def monitor(
    here: Here,
    agent: str | None,
    mode: str | None,
    to: str | None,
    as_: str | None,
    stop: bool,
    as_json: bool,
) -> None:
    """Ring a supervisor's phone and let him hear AGENT's calls, one after another, until he hangs up.

    On the phone 4 listens, 5 whispers to the agent, 6 talks with both, 7 takes the caller over, as far as his
    role lets him. Asked once more for the same agent and phone, another --mode takes the place of the present
    one. Without AGENT: who listens now.
    """
    given = {"agent": agent, "to": to, "mode": mode, "as": as_}
    fields = {name: value for name, value in given.items() if value is not None}
    if stop:
        if mode or as_:
            raise WrongUse("--stop goes with AGENT and --to only")
        changed(here, as_json, "monitor.stop", **fields, **{"from": "cli"})
    elif agent is None and not fields:
        _list(here, as_json)
    elif agent is None or to is None:
        raise WrongUse("give AGENT and --to")
    else:
        changed(here, as_json, "monitor.start", **fields, **{"from": "cli"})


def _list(here: Here, as_json: bool) -> None:
    rows = here.ask("monitor.list").data
    if as_json:
        show.as_json(rows)
        return
    show.table(
        ["supervisor", "agent", "mode", "state", ">for", "call", "asked by"],
        [
            [
                row["supervisor"],
                row["agent"],
                row["mode"],
                row["state"],
                show.minutes(row["for_s"]),
                row["call"],
                row["by"],
            ]
            for row in rows
        ],
    )
