"""``ccbridge agent``: who works, and on what."""

from __future__ import annotations

from typing import Any

import click

from ccbridge.cli import idle, show
from ccbridge.cli.here import Here, common, pass_here


@click.group()
def agent() -> None:
    """Agents: look, log in and out, pause."""


def agent_row(row: dict[str, Any]) -> list[Any]:
    """An agent in a table: agent, name, state, reason, for, left, call."""
    return [
        row["agent"],
        row["name"],
        row["state"],
        row["reason"],
        show.minutes(row["for_s"]),
        show.minutes(row["left_s"]),
        row["call"],
    ]


@agent.command(name="list")
@common
@pass_here
def list_(here: Here, as_json: bool) -> None:
    """All agents, and what each one is doing."""
    rows = here.ask("agent.list").data
    if as_json:
        show.as_json(rows)
        return
    show.table(
        ["agent", "name", "state", "reason", ">for", ">left", "call", "device", "queues"],
        [[*agent_row(row), row["device"], row["queues"]] for row in rows],
    )


@agent.command(name="show")
@click.argument("name", metavar="AGENT")
@common
@pass_here
def show_(here: Here, name: str, as_json: bool) -> None:
    """One agent, with what explains his state."""
    row = here.ask("agent.show", agent=name).data
    if as_json:
        show.as_json(row)
        return
    left = "" if row["left_s"] is None else f", {show.minutes(row['left_s'])} left"
    reason = f" ({row['reason']})" if row["reason"] else ""
    show.fields(
        [
            ("agent", row["agent"]),
            ("name", row["name"]),
            ("state", f"{row['state']}{reason} for {show.minutes(row['for_s'])}{left}"),
            ("logged in", row["logged_in"]),
            ("pause", row["pause"]),
            ("call", row["call"]),
            ("last call", row["last_call"]),
            ("device", f"{row['device']}, {row['phone_state']}"),
            ("dead offers", row["dead_offers"]),
            ("queues", row["queues"]),
        ]
    )


@agent.command()
@click.argument("name", metavar="AGENT")
@common
@pass_here
def explain(here: Here, name: str, as_json: bool) -> None:
    """Why an agent has no call now: his state, what lifts it and when, and who waits in his queues."""
    row = here.ask("agent.explain", agent=name).data
    told = [idle.state(row)]
    for sentence, more in idle.queues(row):
        told += [sentence, *(f"  {one}" for one in more)]
    if as_json:
        show.as_json({**row, "told": told})
        return
    for line in told:
        click.echo(line)


@agent.command()
@click.argument("name", metavar="AGENT")
@common
@pass_here
def login(here: Here, name: str, as_json: bool) -> None:
    """Log an agent in: calls are offered to him."""
    _changed(here, as_json, "agent.login", agent=name)


@agent.command()
@click.argument("name", metavar="AGENT")
@common
@pass_here
def logout(here: Here, name: str, as_json: bool) -> None:
    """Log an agent out; the call he is in goes on."""
    _changed(here, as_json, "agent.logout", agent=name)


@agent.command()
@click.argument("name", metavar="AGENT")
@click.option("--reason", help="One of the site's pause_reasons; the first of them if not given.")
@common
@pass_here
def pause(here: Here, name: str, reason: str | None, as_json: bool) -> None:
    """Offer no more calls to an agent until he is unpaused; the call he is in goes on."""
    _changed(here, as_json, "agent.pause", agent=name, **({} if reason is None else {"reason": reason}))


@agent.command()
@click.argument("name", metavar="AGENT")
@common
@pass_here
def unpause(here: Here, name: str, as_json: bool) -> None:
    """End an agent's pause."""
    _changed(here, as_json, "agent.unpause", agent=name)


def _changed(here: Here, as_json: bool, do: str, **fields: str) -> None:
    answer = here.ask(do, **fields)
    if as_json:
        show.as_json({"text": answer.text, "agent": answer.data})
    else:
        click.echo(show.plain(answer.text))
