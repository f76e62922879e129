"""``ccbridge queue``: who waits where."""

from __future__ import annotations

from typing import Any

import click

from ccbridge.cli import show
from ccbridge.cli.agent import agent_row
from ccbridge.cli.here import Here, common, pass_here


@click.group()
def queue() -> None:
    """Queues, as they are at this moment."""


@queue.command(name="list")
@common
@pass_here
def list_(here: Here, as_json: bool) -> None:
    """All queues."""
    rows = here.ask("queue.list").data
    if as_json:
        show.as_json(rows)
        return
    show.table(
        ["queue", ">waiting", ">longest", ">talking", ">free", ">agents in", ">fallback"],
        [
            [
                row["queue"] if row["configured"] else f"{row['queue']} (removed)",
                row["waiting"],
                show.minutes(row["longest_wait_s"]),
                row["talking"],
                row["agents"]["states"].get("available", 0),
                f"{row['agents']['logged_in']}/{row['agents']['total']}",
                row["fallback"],
            ]
            for row in rows
        ],
    )


@queue.command(name="show")
@click.argument("name", metavar="QUEUE")
@common
@pass_here
def show_(here: Here, name: str, as_json: bool) -> None:
    """One queue: its line in the order of service, and its agents."""
    row = here.ask("queue.show", queue=name).data
    if as_json:
        show.as_json(row)
        return
    plan = row["plan"]
    show.fields(
        [
            ("queue", row["queue"] if row["configured"] else f"{row['queue']} (removed by a reload)"),
            ("waiting", f"{row['waiting']}, the longest {show.minutes(row['longest_wait_s'])}"),
            ("talking", row["talking"]),
            ("ring", show.minutes(plan["ring_s"])),
            ("wrap-up", show.minutes(plan["wrap_up_s"])),
            ("max wait", f"{show.minutes(plan['max_wait_s'])}, then {show.plain(plan['overflow'])}"),
            ("priority", plan["priority"]),
        ]
    )
    if row["line"]:
        click.echo()
        show.table(
            ["", "call", "caller", ">waited", ">to wait", ">priority", "state", "agent"],
            map(_line, row["line"]),
        )
    click.echo()
    show.table(["agent", "name", "state", "reason", ">for", ">left", "call"], map(agent_row, row["members"]))


def _line(row: dict[str, Any]) -> list[Any]:
    return [
        row["position"],
        row["call"],
        row["name"] or row["caller"] or row["caller_kind"],
        show.minutes(row["wait_s"]),
        show.minutes(row["expected_wait_s"]),
        row["priority"],
        row["state"],
        row["agent"],
    ]
