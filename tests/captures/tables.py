"""A capture's account as tables that a telephony engineer can check by eye."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ccbridge.captures import lines
from ccbridge.captures.account import Accounts
from ccbridge.captures.replay import Replay, Step
from ccbridge.core.effects import Oddity
from ccbridge.core.records import CallEvent

# What says nothing that the other columns do not say.
LEFT_OUT = {"agent", "offer", "leg", "recording", "agents", "candidates", "queue", "caller_kind"} | {
    "from", "to", "talk_s", "hold_s", "end", "rule", "why",
}  # fmt: skip
EXPLAINED = "waiting"  # why nobody could take him, which changes nothing: not in the tables
CALLS = ("call", "arrived", "caller", "called", "queue", "waited", "talk", "offers", "transfers", "end", "by",
         "inferred")  # fmt: skip
CLOCKS = "## By the phones' own clocks\n"


class Told:
    """A capture, replayed."""

    def __init__(self, file: Path) -> None:
        self.replay, self.accounts, self.steps = Replay(), Accounts(), list[Step]()
        for step in self.replay.run(lines.read(file)):
            self.steps.append(step)
            for _, record in step.records:
                self.accounts.add(record)

    @property
    def records(self) -> list[Any]:
        return [record for step in self.steps for _, record in step.records]

    @property
    def oddities(self) -> list[Oddity]:
        return [effect for step in self.steps for effect in step.effects if isinstance(effect, Oddity)]

    def tables(self) -> str:
        """The account: calls, their steps, the agents."""
        names = {name: str(n) for n, name in enumerate(self.accounts.calls, 1)}
        begun = min((one.arrived or 0.0 for one in self.accounts.calls.values()), default=0.0)

        def after(at: float) -> str:
            return f"{at - begun:.3f}"

        calls = [
            [
                names[one.call], after(one.arrived or 0.0), one.caller, one.did, one.queue,
                one.closed and one.closed.wait is not None and f"{one.closed.wait:.3f}",
                one.closed and f"{one.closed.talk:.3f}",
                ", ".join(one.offers), ", ".join(one.transfers),
                one.closed.disposition if one.closed else "open",
                one.closed and one.closed.ended_by, one.closed and one.closed.inferred and "yes",
            ]
            for one in self.accounts.calls.values()
        ]  # fmt: skip
        steps = [
            [after(one.at), names[one.call], one.kind, one.data.get("agent"), _details(one)]
            for one in self.records
            if isinstance(one, CallEvent) and one.kind not in (EXPLAINED, "estimated")
        ]
        agents = [
            [one.agent, after(at), told]
            for one in sorted(self.accounts.agents.values(), key=lambda one: one.agent)
            for at, told in one.way
        ]
        return (
            f"## Calls\n\n{table(CALLS, calls)}\n## Step by step\n\n"
            f"{table(['after', 'call', 'event', 'agent', 'details'], steps)}\n"
            f"## Agents\n\n{table(['agent', 'after', 'state'], agents)}"
        )


def _details(event: CallEvent) -> str:
    told = {key: value for key, value in event.data.items() if key not in LEFT_OUT}
    if "since" in told:
        told["since"] = f"{told['since'] - event.at:+.3f}"
    return ", ".join(f"{key} {value}" for key, value in told.items())


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table, its columns in line."""
    texts = [list(head)] + [["" if cell in (None, False, "") else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in texts) for n in range(len(head))]
    lined = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in texts]
    lined.insert(1, " | ".join("-" * width for width in widths))
    return "".join(f"| {row} |\n" for row in lined)


def talked(page: str) -> dict[str, float]:
    """Call -> seconds of talk by the phones' clocks, as a page has it."""
    section = page.partition(CLOCKS)[2]
    return {
        call: float(seconds) for call, seconds in re.findall(r"^Call (\d+) talked ([\d.]+) s", section, re.M)
    }
