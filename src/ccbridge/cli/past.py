"""What the database knows: how commands ask it, and which moments a day is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from sqlalchemy import Connection

from ccbridge.cli.here import Away, Command, Here
from ccbridge.reports.day import bounds
from ccbridge.store.queries import StoreAway, reading

LOCALTIME = Path("/etc/localtime")


@contextmanager
def database(here: Here) -> Iterator[Connection]:
    """A connection to the site's database. Raises Away."""
    try:
        with reading(here.site(secrets=True).database.url.get_secret_value()) as db:
            yield db
    except StoreAway as away:
        raise Away(str(away)) from away


def to_day(context: click.Context, option: click.Parameter, value: str | None) -> date | None:
    """``YYYY-MM-DD``, ``today`` or ``yesterday``, for an option's or argument's callback."""
    if value is None:
        return None
    today = datetime.now(ZoneInfo(local_zone())).date()
    if value in ("today", "yesterday"):
        return today if value == "today" else today - timedelta(days=1)
    try:
        return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no day: write it as 2026-01-31, today or yesterday", context, option
        ) from None


def day_option(what: str) -> Callable[[Command], Command]:
    return click.option("--day", callback=to_day, metavar="YYYY-MM-DD", help=what)


def of_day(
    newest: Callable[[int], list[dict[str, Any]]], moment: str, day: date | None, limit: int
) -> list[dict[str, Any]]:
    """At most ``limit`` of the rows whose ``moment`` is on that day (None: any), the newest first.

    ``newest(n)`` gives the n newest rows of all; it is asked for more until the day is covered.
    """
    if day is None:
        return newest(limit)
    since, until = local_day(day)
    count = limit
    while True:
        rows = newest(count)
        found = [row for row in rows if since <= row[moment] < until]
        if len(found) >= limit or len(rows) < count or rows[-1][moment] < since:
            return found[:limit]
        count *= 4


def limit_option(command: Command) -> Command:
    return click.option(
        "--limit", type=click.IntRange(1, 100_000), default=200, show_default=True, help="Rows at most."
    )(command)


def local_day(day: date) -> tuple[datetime, datetime]:
    """The first moment of the day, and the next one's, in this machine's time zone."""
    return bounds(day, local_zone())


def local_zone() -> str:
    """This machine's time zone by its IANA name; UTC where it cannot be told."""
    names = [os.environ.get("TZ", "").removeprefix(":")]
    if LOCALTIME.is_symlink():
        names.append(str(LOCALTIME.resolve()).partition("zoneinfo/")[2])
    for name in filter(None, names):
        try:
            return ZoneInfo(name).key
        except (ValueError, OSError, LookupError):
            continue  # such as the POSIX rule EET-2EEST, which has no name
    return "UTC"
