"""How answers look: JSON for programs, tables for people, plain where the output is no terminal."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

NOTHING = "-"
JOINERS = "\u200c\u200d"  # part of Persian words; they cannot turn a line round


def as_json(data: Any) -> None:
    """One JSON document. Moments are ISO 8601, durations seconds."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2, default=_jsonable))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """Rows under headings; a heading that begins with ``>`` stands over a right-aligned column."""
    console = Console(highlight=False)
    if not console.is_terminal:
        # nobody looks at the width of a pipe: nothing is cut or wrapped
        console = Console(highlight=False, width=10_000, no_color=True)
    shown = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, column in enumerate(columns, 1):
        # on a terminal the last column, such as an event's details, wraps rather than being cut
        shown.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            no_wrap=place < len(columns),
            overflow="fold",
        )
    cell = isolated if console.is_terminal else plain
    for row in rows:
        shown.add_row(*(Text(cell(value)) for value in row))
    with console.capture() as captured:
        console.print(shown)
    if title:
        click.echo(title)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def fields(pairs: Iterable[tuple[str, Any]]) -> None:
    """Name and value, one a line."""
    known = list(pairs)
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        click.echo(f"{name:<{width}}  {plain(value)}".rstrip())


def plain(value: Any) -> str:
    """One printable line: text may come from a caller's phone."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(plain(one) for one in value) or NOTHING
    if isinstance(value, dict):
        return ", ".join(f"{plain(name)} {_inner(one)}" for name, one in value.items()) or NOTHING
    text = value if isinstance(value, str) else str(value)
    return "".join(c if c.isprintable() or c in JOINERS else "?" for c in text)


def isolated(value: Any) -> str:
    """As ``plain``; on a terminal text written from right to left must not carry its neighbours along."""
    text = plain(value)
    if any(unicodedata.bidirectional(c) in ("R", "AL") for c in text):
        return f"\u2068{text}\u2069"
    return text


def _inner(value: Any) -> str:
    return f"({plain(value)})" if isinstance(value, dict | list | tuple) else plain(value)


def minutes(seconds: float | None) -> str:
    """``m:ss``, from an hour on ``h:mm:ss``."""
    if seconds is None:
        return NOTHING
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def when(moment: datetime | str | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A moment in this machine's local time."""
    if moment is None:
        return NOTHING
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.astimezone().strftime(form)


def clock(moment: datetime | str | None) -> str:
    return when(moment, "%H:%M:%S")


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not for JSON")
