"""``ccbridge hours``: open or closed, why, until when; and exceptional closings."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from ccbridge.cli import show
from ccbridge.cli.here import Away, Here, NotDone, WrongUse, changed, common, pass_here
from ccbridge.config import hours as configured
from ccbridge.core.hours import Closing, Hours, moment, standing

UNITS = {"m": 60, "h": 3600, "d": 86_400}


@click.group()
def hours() -> None:
    """Opening hours."""


@hours.command(name="show")
@click.argument("asked", required=False, metavar="[HOURS|DEPARTMENT|NUMBER]")
@click.option("--at", "when", metavar="'YYYY-MM-DD HH:MM'", help="Then, by the hours' own clock; else now.")
@common
@pass_here
def show_(here: Here, asked: str | None, when: str | None, as_json: bool) -> None:
    """Open or closed, why, and until when: of all hours, or of those that are named."""
    site = here.site()
    names = list(site.hours) if asked is None else configured.found(site.hours, asked)
    if asked is not None and not names:
        raise NotDone(f"there are no hours {show.plain(asked)}, nor a department or number with hours")
    now = time.time()
    moments = {name: now if when is None else _moment(when, site.plan.hours[name].zone) for name in names}
    # a closing begins when it is made: of what has been it says nothing
    closings = _closings(here) if any(at >= now for at in moments.values()) else {}
    rows = [
        _row(site.plan.hours[name], at, closings.get(name) if at >= now else None)
        for name, at in moments.items()
    ]
    if as_json:
        show.as_json(rows)
        return
    show.table(
        ["hours", "", "until", "why", "zone"],
        [
            (row["hours"], "open" if row["open"] else "closed", row["until"], row["why"], row["zone"])
            for row in rows
        ],
    )


def _closings(here: Here) -> dict[str, Closing]:
    try:
        data = here.ask("hours.closings").data
    except Away:
        click.echo("the daemon is away: exceptional closings are not known", err=True)
        return {}
    return {name: Closing(**one) for name, one in data.items()}


def _row(one: Hours, at: float, closing: Closing | None) -> dict[str, Any]:
    found = standing(one, at, closing, configured.holiday)
    until = None if found.until is None else _local(found.until, one.zone)
    by_somebody = closing is not None and (closing.until is None or at < closing.until)
    why = f"{found.why}: {closing.reason}" if closing and by_somebody and closing.reason else found.why
    return {"hours": one.name, "open": found.open, "why": why, "until": until, "zone": one.zone}


def _local(at: float, zone: str) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def _moment(text: str, zone: str) -> float:
    try:
        return moment(datetime.strptime(text, "%Y-%m-%d %H:%M"), zone)  # noqa: DTZ007 - the zone is the hours'
    except ValueError:
        raise WrongUse(f"{show.plain(text)} is no moment: write it as '2026-10-25 03:30'") from None


@hours.command()
@click.argument("name", metavar="HOURS")
@click.option("--for", "lasting", metavar="TIME", help="So long: 30m, 2h or 1d.")
@click.option("--until", "until", metavar="'YYYY-MM-DD HH:MM'", help="Until then, by the hours' own clock.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for people.")
@click.option("--as", "as_", metavar="SUPERVISOR", help="In whose name, if you are no supervisor yourself.")
@common
@pass_here
def close(
    here: Here, name: str, lasting: str | None, until: str | None, reason: str, as_: str | None, as_json: bool
) -> None:
    """Close HOURS, whatever they say: for a time, until a moment, or else until `ccbridge hours open`."""
    if lasting is not None and until is not None:
        raise WrongUse("give --for or --until, not both")
    fields = {"reason": reason} if reason else {}
    if lasting is not None:
        fields["until"] = str(time.time() + _lasting(lasting).total_seconds())
    if until is not None:
        found = here.site().plan.hours.get(name)
        if found is None:
            raise NotDone(f"there are no hours {show.plain(name)}")
        fields["until"] = str(_moment(until, found.zone))
    _do(here, as_json, "hours.close", name, as_, fields)


@hours.command(name="open")
@click.argument("name", metavar="HOURS")
@click.option("--as", "as_", metavar="SUPERVISOR", help="In whose name, if you are no supervisor yourself.")
@common
@pass_here
def open_(here: Here, name: str, as_: str | None, as_json: bool) -> None:
    """End an exceptional closing of HOURS: then they are as the configuration says."""
    _do(here, as_json, "hours.open", name, as_, {})


def _do(here: Here, as_json: bool, do: str, name: str, as_: str | None, fields: dict[str, str]) -> None:
    who = {} if as_ is None else {"as": as_}
    changed(here, as_json, do, hours=name, **fields, **who, **{"from": "cli"})


def _lasting(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text)
    if found is None:
        raise WrongUse(f"{show.plain(text)} is no time: write it as 30m, 2h or 1d")
    return timedelta(seconds=int(found[1]) * UNITS[found[2]])
