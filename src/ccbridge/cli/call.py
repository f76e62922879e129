"""``ccbridge call``: calls of this moment, from the daemon, and past ones, from the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import click

from ccbridge.cli import show, story, supervise, taping
from ccbridge.cli.here import Away, Here, NotDone, Stop, common, pass_here
from ccbridge.cli.past import database, day_option, limit_option, local_day
from ccbridge.store import queries


@click.group()
def call() -> None:
    """Calls: live ones, and those of a day."""


for _command in (*supervise.COMMANDS, taping.record):
    call.add_command(_command)


@call.command(name="list")
@day_option("Calls that arrived on this day and are over, the newest first; not given: live calls.")
@click.option("--queue", metavar="QUEUE", help="Of this queue only.")
@limit_option
@common
@pass_here
def list_(here: Here, day: date | None, queue: str | None, limit: int, as_json: bool) -> None:
    """Live calls, oldest first; with --day the calls of that day."""
    if day is not None:
        _of_day(here, day, queue, limit, as_json)
        return
    data = here.ask("call.list", **({} if queue is None else {"queue": queue})).data
    rows = data["calls"][:limit]
    if as_json:
        show.as_json({"total": data["total"], "calls": rows})
        return
    show.table(
        ["call", "state", "caller", "queue", ">for", ">waited", ">talk", "agent", ">offers"],
        [
            [
                row["call"],
                row["state"],
                row["name"] or row["caller"] or row["caller_kind"],
                row["queue"],
                show.minutes(row["for_s"]),
                show.minutes(row["wait_s"]),
                show.minutes(row["talk_s"]),
                row["agent"],
                row["offers"],
            ]
            for row in rows
        ],
    )
    if data["total"] > len(rows):
        click.echo(f"{len(rows)} of {data['total']} live calls shown", err=True)


def _of_day(here: Here, day: date, queue: str | None, limit: int, as_json: bool) -> None:
    since, until = local_day(day)
    with database(here) as db:
        rows = queries.calls(db, since=since, until=until, queue=queue, limit=limit)
    if as_json:
        show.as_json({"day": day, "calls": rows})
        return
    show.table(*past_calls(rows))
    if len(rows) == limit:
        click.echo(f"the newest {limit} are shown: --limit shows more", err=True)


def past_calls(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Headings and rows of calls from the database, open ones too."""
    return (
        ["call", "arrived", "caller", "queue", ">waited", ">talk", "agent", "disposition", "ended by"],
        [
            [
                row["call_id"],
                show.when(row["arrived_at"]),
                caller(row),
                row.get("queue"),
                show.minutes(row.get("wait_s")),
                show.minutes(row.get("talk_s")),
                row.get("agent"),
                row.get("disposition", "open"),
                row.get("ended_by"),
            ]
            for row in rows
        ],
    )


def caller(row: Mapping[str, Any]) -> str:
    """Who called: the customer's name, else the number, else what kind of caller it was."""
    return str(row.get("customer") or row.get("caller_e164") or row.get("caller_kind") or show.NOTHING)


@call.command(name="show")
@click.argument("name", metavar="CALL")
@common
@pass_here
def show_(here: Here, name: str, as_json: bool) -> None:
    """One call, live or past: its account, the timeline of its events, recordings and ticket.

    A live call's state comes from the daemon, everything else from the database: either may be away.
    """
    live, stored = _both(here, name, "call.show")
    kept = dict(stored or {})
    events = _timed(kept.pop("events", []), kept.get("arrived_at"))
    recordings, ticket = kept.pop("recordings", []), kept.pop("ticket", None)
    if as_json:
        show.as_json(
            {
                "call": name,
                "live": live,
                "stored": kept or None,
                "events": events,
                "recordings": recordings,
                "ticket": ticket,
            }
        )
        return
    _account(name, live, kept)
    if events:
        click.echo()
        show.table(
            [">after", "at", "event", "details"],
            [[_offset(e["after_s"]), show.clock(e["at"]), e["kind"], _details(e["data"])] for e in events],
        )
    if kept.get("legs"):
        click.echo()
        show.table(
            ["agent", "from", "to", ">talk", ">hold", "ended by"],
            [
                [leg["agent"], *(show.clock(datetime.fromisoformat(leg[side])) for side in ("from", "to")),
                 show.minutes(leg["talk_s"]), show.minutes(leg["hold_s"]), leg["end"]]
                for leg in kept["legs"]
            ],
        )  # fmt: skip
    if recordings:
        click.echo()
        show.table(
            ["recording", "agent", "state", ">length", "path"],
            [[r["id"], r["agent"], r["state"], show.minutes(r["duration_s"]), r["path"]] for r in recordings],
        )


@call.command()
@click.argument("name", metavar="CALL")
@common
@pass_here
def explain(here: Here, name: str, as_json: bool) -> None:
    """How a call waited and why it went to whom it went, live or past, in sentences.

    What has happened comes from the database, what keeps a live call waiting now from the daemon: either may
    be away.
    """
    live, stored = _both(here, name, "call.explain")
    told = story.tell((stored or {}).get("events", []))
    now = None if live is None else story.now(live)
    if as_json:
        steps = [one._asdict() for one in told]
        show.as_json({"call": name, "live": live, "stored": stored, "told": steps, "now": now})
        return
    click.echo(f"call {show.plain(name)}: {story.head(live, stored)}")
    for at, text, more in told:
        click.echo(f"{show.clock(at)}  {text}")
        for one in more:
            click.echo(f"          {one}")
    if now is not None:
        text, more = now
        click.echo(f"now       {text}")
        for one in more:
            click.echo(f"          {one}")


def _both(here: Here, name: str, do: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The call as the daemon has it (its answer to ``do``), and as the database has it; not both None."""
    live, no_daemon = _live(here, name, do)
    stored, no_store = _stored(here, name)
    if live is None and stored is None:
        if no_store is not None:
            raise no_store
        raise NotDone(f"there is no call {show.plain(name)}") from no_daemon
    if no_store is not None:
        click.echo(f"without its events: {no_store.message}", err=True)
    return live, stored


def _live(here: Here, name: str, do: str) -> tuple[dict[str, Any] | None, Away | None]:
    try:
        answer = here.asked(do, call=name)
    except Away as away:
        return None, away
    return (answer.data if answer.ok else None), None


def _stored(here: Here, name: str) -> tuple[dict[str, Any] | None, Stop | None]:
    try:
        with database(here) as db:
            return queries.call_by_id(db, name), None
    except Stop as stop:  # also: who may ask the daemon may not read the database's password
        return None, stop


def _timed(events: list[dict[str, Any]], arrived: datetime | None) -> list[dict[str, Any]]:
    """Each event with ``after_s``, seconds since the call's arrival."""
    if not events:
        return []
    start = arrived or events[0]["at"]
    return [{**event, "after_s": round((event["at"] - start).total_seconds(), 3)} for event in events]


def _details(data: Mapping[str, Any]) -> dict[str, Any]:
    """The event's data; ``since``, the virtual start, is epoch seconds there."""
    since = data.get("since")
    return {**data, "since": show.clock(datetime.fromtimestamp(since, UTC))} if since else dict(data)


def _offset(seconds: float) -> str:
    sign = "-" if seconds < 0 else "+"
    thousandths = round(abs(seconds) * 1000)
    return f"{sign}{thousandths // 60_000}:{thousandths // 1000 % 60:02d}.{thousandths % 1000:03d}"


def _account(name: str, live: dict[str, Any] | None, kept: dict[str, Any]) -> None:
    pairs: list[tuple[str, Any]] = [("call", name)]
    if live is not None:
        offer = live["offer"]
        pairs += [
            ("state", f"{live['state']} (live)"),
            ("caller", live["name"] or live["caller"] or live["caller_kind"]),
            ("number", live["caller"]),
            ("called", live["did"]),
            ("arrived", show.when(live["arrived"])),
            ("queue", live["queue"]),
            ("position", live["position"]),
            ("waited", show.minutes(live["wait_s"])),
            ("to wait", show.minutes(live["expected_wait_s"])),
            ("talk", show.minutes(live["talk_s"])),
            ("agent", live["agent"]),
            ("offer", None if offer is None else f"{offer['state']} for {show.minutes(offer['for_s'])}"),
        ]
    else:
        pairs += [
            ("state", kept.get("disposition", "open")),
            ("caller", caller(kept)),
            ("number", kept.get("caller_e164")),
            ("called", kept.get("did")),
            ("arrived", show.when(kept.get("arrived_at"))),
            ("ended", show.when(kept.get("ended_at"))),
            ("ended by", kept.get("ended_by")),
            ("queue", kept.get("queue")),
            ("waited", show.minutes(kept.get("wait_s"))),
            ("talk", show.minutes(kept.get("talk_s"))),
            ("hold", show.minutes(kept.get("hold_s"))),
            ("agent", kept.get("agent")),
        ]
    pairs.append(("tags", kept.get("tags")))
    show.fields(pairs)
