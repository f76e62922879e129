"""``ccbridge status``: the daemon at a glance."""

from __future__ import annotations

from typing import Any

import click

from ccbridge.cli import show
from ccbridge.cli.here import Here, common, pass_here

# What has a line of its own; the daemon's other facts follow as they are.
_SHOWN = ("version", "uptime_s", "asterisk_version", "link", "queues", "calls", "agents")


@click.command()
@common
@pass_here
def status(here: Here, as_json: bool) -> None:
    """What the daemon does at this moment: link, calls, agents, and its own health."""
    data = here.ask("status").data
    if as_json:
        show.as_json(data)
        return
    calls, agents, link = data["calls"], data["agents"], data["link"]
    facts = [(name.replace("_", " "), value) for name, value in data.items() if name not in _SHOWN]
    show.fields(
        [
            ("ccbridge", f"{data['version']}, up {show.minutes(data['uptime_s'])}"),
            ("asterisk", data.get("asterisk_version")),
            ("link", f"up since {show.when(link['since'])}" if link["up"] else "down"),
            ("calls", _with_states(f"{calls['total']}", calls["states"])),
            ("waiting", f"{calls['waiting']}, the longest {show.minutes(calls['longest_wait_s'])}"),
            ("agents", _with_states(f"{agents['logged_in']} of {agents['total']} in", agents["states"])),
            ("queues", data["queues"]),
            *facts,
        ]
    )


def _with_states(count: str, states: dict[str, Any]) -> str:
    listed = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    return f"{count}: {listed}" if listed else count
