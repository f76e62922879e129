"""``ccbridge replay``: what was told to the core, told once more, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ccbridge.captures import lines
from ccbridge.captures.account import Accounts, AgentAccount, CallAccount
from ccbridge.captures.compare import Comparison
from ccbridge.captures.follow import Follow
from ccbridge.captures.lines import CaptureBroken, Line
from ccbridge.captures.replay import Replay
from ccbridge.cli import show
from ccbridge.cli.here import NotDone, WrongUse
from ccbridge.core.effects import Oddity
from ccbridge.store.segments import parse, segment_numbers, segment_path

SHOWN = 20  # differences that are listed


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--call", metavar="CALL", help="Of this call only, and step by step.")
@click.option(
    "--journal",
    type=click.Path(path_type=Path),
    help="The event journal of that time: each record must come out as it stands there.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")
def replay(files: tuple[Path, ...], call: str | None, journal: Path | None, as_json: bool) -> None:
    """Tell the inputs in FILES once more, in that order, and show the account of each call and agent.

    FILES are of the daemon's journal of inputs, or of `ccbridge ami record`; gzip is understood. Exit codes:
    0 done, 1 it does not give what was written, or there is no such call, 2 a file cannot be read.
    """
    told, accounts, comparison = Replay(), Accounts(), Comparison()
    follow = Follow(call) if call is not None else None
    oddities = 0
    try:
        for step in told.run(_lines(files)):
            comparison.see(step)
            for _, record in step.records:
                accounts.add(record)
            oddities += sum(isinstance(effect, Oddity) for effect in step.effects)
            if follow is not None:
                follow.see(step)
    except (CaptureBroken, OSError) as error:
        raise WrongUse(reason(error)) from error
    if call is not None and call not in accounts.calls:
        raise NotDone(f"there is no call {show.plain(call)} in it")
    differences = told.doubts + (list(comparison.differences(_journal(journal))) if journal else [])
    calls = [one for one in accounts.calls.values() if call in (None, one.call)]
    if as_json:
        show.as_json(
            {
                "calls": [asdict(one) for one in calls],
                "agents": [_agent_json(one, accounts.last) for one in accounts.agents.values()],
                "records": len(comparison.made),
                "oddities": oddities,
                "differences": differences,
                "steps": [] if follow is None else follow.as_json(),
            }
        )
    else:
        _show(calls, accounts, follow)
        compared = ", the event journal has the same" if journal and not differences else ""
        click.echo(f"\n{len(comparison.made)} records, {oddities} oddities{compared}")
        for difference in differences[:SHOWN]:
            click.echo(show.plain(difference), err=True)
    if differences:
        raise NotDone(f"{len(differences)} differences from what was written")


def reason(error: Exception) -> str:
    """Why a file cannot be read."""
    if isinstance(error, OSError) and error.strerror:
        return f"{show.plain(error.filename)}: {error.strerror}"
    return show.plain(str(error))


def _lines(files: tuple[Path, ...]) -> Iterator[Line]:
    for file in files:
        yield from lines.read(file)


def _journal(folder: Path) -> Iterator[dict[str, Any]]:
    segments = segment_numbers(folder)
    if not segments:
        raise WrongUse(f"{show.plain(folder)}: here is no event journal")
    try:
        for segment in segments:
            found, _ = parse(segment_path(folder, segment))
            yield from found
    except OSError as error:
        raise WrongUse(reason(error)) from error


def _show(calls: list[CallAccount], accounts: Accounts, follow: Follow | None) -> None:
    if follow is not None:
        show.table([">after", ">line", "what", "details"], follow.rows())
        click.echo()
    show.table(
        [
            "call",
            "arrived",
            "caller",
            "called",
            "queue",
            ">waited",
            ">talk",
            "offers",
            "transfers",
            "end",
            "by",
        ],
        [
            [
                one.call,
                one.arrived and datetime.fromtimestamp(one.arrived, UTC).astimezone().strftime("%H:%M:%S"),
                one.caller,
                one.did,
                one.queue,
                one.closed and one.closed.wait and f"{one.closed.wait:.1f}",
                one.closed and f"{one.closed.talk:.1f}",
                one.offers,
                one.transfers,
                one.closed.disposition if one.closed else "open",
                one.closed and one.closed.ended_by,
            ]
            for one in calls
        ],
    )
    if follow is not None:
        return
    click.echo()
    show.table(
        ["agent", ">offers", ">talked", ">talk", ">wrap-up", "at the end"],
        [
            [
                one.agent,
                sum(one.offers.values()),
                one.offers.get("talked", 0),
                f"{one.spent('talking', accounts.last):.1f}",
                f"{one.spent('wrap_up', accounts.last):.1f}",
                one.way[-1][1] if one.way else None,
            ]
            for one in accounts.agents.values()
        ],
    )


def _agent_json(one: AgentAccount, last: float) -> dict[str, Any]:
    seconds = {state: round(one.spent(state, last), 3) for state in {told.split()[0] for _, told in one.way}}
    return {**asdict(one), "seconds": seconds}
