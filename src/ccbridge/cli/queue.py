"""``ccbridge queue``: who waits where."""

from __future__ import annotations

from typing import Any

import click

from ccbridge.cli import show
from ccbridge.cli.agent import agent_row
from ccbridge.cli.here import Here, changed, common, pass_here


@click.group()
def queue() -> None:
    """Queues, as they are at this moment."""


@queue.command(name="list")
@click.option("--department", metavar="DEPARTMENT", help="Its queues only.")
@common
@pass_here
def list_(here: Here, department: str | None, as_json: bool) -> None:
    """All queues."""
    rows = here.ask("queue.list", **({} if department is None else {"department": department})).data
    if as_json:
        show.as_json(rows)
        return
    show.table(
        ["queue", "state", ">waiting", ">longest", ">talking", ">free", ">agents in", ">fallback"],
        [
            [
                row["queue"],
                standing(row),
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
            ("queue", row["queue"]),
            ("state", standing(row)),
            ("waiting", f"{row['waiting']}, the longest {show.minutes(row['longest_wait_s'])}"),
            ("talking", row["talking"]),
            ("ring", show.minutes(plan["ring_s"])),
            ("wrap-up", show.minutes(plan["wrap_up_s"])),
            ("max wait", f"{show.minutes(plan['max_wait_s'])}, then {show.plain(plan['overflow'])}"),
            ("service level", f"{plan['service_level_s']:g} s"),
            ("priority", plan["priority"]),
            ("strategy", plan["strategy"]),
            *(
                (f"set: {key}", f"{_value(one['value'])}, in the file {_value(one['file'])}")
                for key, one in row["set"].items()
            ),
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


def standing(row: dict[str, Any]) -> str:
    """Whether it takes and offers calls."""
    words = [word for word in ("paused", "draining") if row[word]]
    if not row["configured"]:
        words.append("removed")
    return ", ".join(words) or "open"


@queue.command()
@click.argument("name", metavar="QUEUE")
@common
@pass_here
def pause(here: Here, name: str, as_json: bool) -> None:
    """Offer a queue's calls to nobody; its callers wait on, and leave to its overflow as ever."""
    changed(here, as_json, "queue.pause", queue=name)


@queue.command()
@click.argument("name", metavar="QUEUE")
@common
@pass_here
def drain(here: Here, name: str, as_json: bool) -> None:
    """Send a queue's new callers to its overflow at once; who waits already is served."""
    changed(here, as_json, "queue.drain", queue=name)


@queue.command()
@click.argument("name", metavar="QUEUE")
@common
@pass_here
def resume(here: Here, name: str, as_json: bool) -> None:
    """End a queue's pause, and its draining."""
    changed(here, as_json, "queue.resume", queue=name)


@queue.command(name="set")
@click.argument("name", metavar="QUEUE")
@click.argument("key")
@click.argument("value", required=False)
@common
@pass_here
def set_(here: Here, name: str, key: str, value: str | None, as_json: bool) -> None:
    """Give KEY of a queue another VALUE than the file's; without VALUE the file's again.

    It holds over restarts, until it is set back or the file says something else there. A negative VALUE
    comes after `--`.
    """
    changed(here, as_json, "queue.set", queue=name, key=key, **({} if value is None else {"value": value}))


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else show.plain(value)


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
