"""The picture of ``ccbridge top``: what the daemon answered, as lines of text. No terminal and no clock here.

Names come from callers: every value goes through ``show.plain``, so nothing that steers a terminal is in a
line, and columns are measured in the cells that a terminal gives to each character.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from ccbridge.cli.queue import standing
from ccbridge.cli.show import clock, minutes, plain

GAP = "  "  # between two columns
LEAST = 6  # cells: a column that gives way gets no narrower
MOST = 40  # cells: nor does a caller's long name push the other columns out

TITLE, HEADING, ALARM, LATE, FREE, QUIET = "reverse", "bold", "bold red", "yellow", "green", "dim"

# Headings: ">" over figures, to the right; "~" over names, which give way where a terminal is narrow.
# A caller's name stands last: terminals do not agree on the width of every emoji, and nothing is behind it.
QUEUES = ("~queue", ">waiting", ">longest", ">free", ">talking", ">wrap-up", ">paused", ">in", ">level")
LINE = (">place", "~queue", ">waited", ">to wait", ">priority", "state", "~agent", "~caller")
AGENTS = ("~agent", "~name", "state", "~reason", ">for", ">left", "~queues")


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the daemon: when, and its answers to ``status``, ``queue.list`` and so on."""

    at: datetime
    status: dict[str, Any]
    queues: list[dict[str, Any]]
    line: dict[str, Any]
    agents: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Gone:
    """A look that had no answer: why, and since when there has been none."""

    at: datetime
    since: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Table:
    """Its lines, the heading first. ``more`` rows are known by their number only."""

    lines: list[Text]
    more: int = 0

    @property
    def height(self) -> int:
        return len(self.lines) + bool(self.more)

    def first(self, count: int) -> list[Text]:
        """At most ``count`` lines; the last one says how many rows are missing."""
        if count < 2:
            return self.lines[: max(0, count)]
        kept = self.lines if count >= self.height else self.lines[: count - 1]
        missing = len(self.lines) - len(kept) + self.more
        return [*kept, Text(f"... and {missing} more", QUIET)] if missing else kept


def picture(seen: Seen | Gone, width: int, height: int, footer: str) -> list[Text]:
    """Exactly ``height`` lines of at most ``width`` cells; the ``footer`` is the last one."""
    lines = _gone(seen, width) if isinstance(seen, Gone) else _head(seen)
    tables = [] if isinstance(seen, Gone) else _tables(seen, width)
    room = height - 1 - len(lines) - len(tables)  # a blank line above each table
    for table, count in zip(tables, _dealt(room, [table.height for table in tables]), strict=True):
        lines += [Text(), *table.first(count)]
    lines = lines[: height - 1]
    lines += [Text()] * (height - 1 - len(lines))
    return [Text(_cut(line.plain, width), line.style) for line in [*lines, Text(footer, QUIET)]]


def whole(seen: Seen) -> list[str]:
    """The same as plain text, as wide and as high as it is."""
    lines = _head(seen)
    for table in _tables(seen, None):
        lines += [Text(), *table.first(table.height)]
    return [line.plain for line in lines]


# -- the parts


def _gone(gone: Gone, width: int) -> list[Text]:
    why = f"{plain(gone.why)}. Away since {clock(gone.since)}; the picture is back with the daemon."
    said = [Text(one, ALARM) for one in textwrap.wrap(why, width)]
    return [Text(f"ccbridge{GAP}{clock(gone.at)}", TITLE), Text(), *said]


def _head(seen: Seen) -> list[Text]:
    status = seen.status
    calls, agents = status["calls"], status["agents"]
    title = (
        "ccbridge",
        clock(seen.at),
        f"{calls['waiting']} waiting, longest {minutes(calls['longest_wait_s'])}",
        f"{calls['states'].get('talking', 0)} talking",
        f"{agents['states'].get('available', 0)} of {agents['logged_in']} free",
        f"up {minutes(status['uptime_s'])}",
    )
    lines = [Text(GAP.join(title), TITLE)]
    if not status["link"]["up"]:
        lines.append(Text("No link to Asterisk: no call is routed.", ALARM))
    if status.get("draining"):
        lines.append(Text("Draining: new callers go to the fallback queue.", ALARM))
    return lines


def _tables(seen: Seen, width: int | None) -> list[Table]:
    """Queues, who waits, agents. What matters less is at the end, which a small terminal does not show.

    Without ``width`` nothing is cut.
    """
    queues = sorted(seen.queues, key=lambda row: (not row["waiting"], row["queue"]))
    waiting = seen.line["calls"]
    agents = sorted(seen.agents, key=lambda row: (not row["logged_in"], row["agent"]))
    limits = {row["queue"]: row["plan"]["service_level_s"] for row in queues}
    late = [(_late(row["longest_wait_s"], limits[row["queue"]]), _queue(row)) for row in queues]
    line = [(_late(row["wait_s"], limits.get(row["queue"])), _caller(row)) for row in waiting]
    nobody = [Text("Nobody waits.", QUIET)]
    return [
        Table(_columns(QUEUES, late, width)),
        Table(_columns(LINE, line, width) if line else nobody, seen.line["total"] - len(line)),
        Table(_columns(AGENTS, [(_mood(row), _agent(row)) for row in agents], width)),
    ]


def _queue(row: dict[str, Any]) -> list[Any]:
    agents, states = row["agents"], row["agents"]["states"]
    level = row["since_start"].get("service_level")
    return [
        row["queue"] if (state := standing(row)) == "open" else f"{row['queue']} ({state})",
        row["waiting"],
        minutes(row["longest_wait_s"]),
        *(states.get(state, 0) for state in ("available", "talking", "wrap_up", "paused")),
        f"{agents['logged_in']}/{agents['total']}",
        None if level is None else f"{100 * level:.0f} %",
    ]


def _caller(row: dict[str, Any]) -> list[Any]:
    return [
        row["position"],
        row["queue"],
        minutes(row["wait_s"]),
        minutes(row["expected_wait_s"]),
        row["priority"],
        row["state"],
        row["agent"],
        row["name"] or row["caller"] or row["caller_kind"],
    ]


def _agent(row: dict[str, Any]) -> list[Any]:
    return [
        row["agent"],
        row["name"],
        row["state"],
        row["reason"],
        minutes(row["for_s"]),
        minutes(row["left_s"]),
        row["queues"],
    ]


def _late(waited: float | None, limit: float | None) -> str:
    return LATE if waited is not None and limit is not None and waited > limit else ""


def _mood(row: dict[str, Any]) -> str:
    return FREE if row["state"] == "available" else "" if row["logged_in"] else QUIET


# -- columns


def _columns(
    headings: Sequence[str], rows: Iterable[tuple[str, Sequence[Any]]], width: int | None
) -> list[Text]:
    """A heading and a line for each row, in columns of ``width`` cells together if they can be."""
    styles, values = [HEADING], [[heading.lstrip(">~") for heading in headings]]
    for style, row in rows:
        styles.append(style)
        values.append([plain(value) for value in row])
    widths = [max(map(cell_len, column)) for column in zip(*values, strict=True)]
    if width is not None:
        widths = _narrowed(widths, [heading.startswith("~") for heading in headings], width)
    right = [heading.startswith(">") for heading in headings]
    return [
        Text(GAP.join(map(_cell, row, widths, right)).rstrip(), style)
        for style, row in zip(styles, values, strict=True)
    ]


def _narrowed(widths: Sequence[int], gives: Sequence[bool], width: int) -> list[int]:
    """The widest of the columns that give way get narrower, until all fit or none has more to give."""
    found = [min(one, MOST) if giving else one for one, giving in zip(widths, gives, strict=True)]
    over = sum(found) + len(GAP) * (len(found) - 1) - width
    for _ in range(over):
        cells, place = max((cells, place) for place, cells in enumerate(found) if gives[place])
        if cells <= LEAST:
            break
        found[place] -= 1
    return found


def _cell(text: str, width: int, right: bool) -> str:
    cut = _cut(text, width)
    blank = " " * (width - cell_len(cut))
    return blank + cut if right else cut + blank


def _cut(text: str, width: int) -> str:
    """At most ``width`` cells of it; dots where something is missing."""
    if cell_len(text) <= width:
        return text
    dots = min(2, width)
    return set_cell_size(text, width - dots).rstrip() + "." * dots


def _dealt(room: int, wants: Sequence[int]) -> list[int]:
    """``room`` lines dealt to those who want some, evenly; nobody gets more than he wants."""
    shares = [0] * len(wants)
    for _ in range(min(max(0, room), sum(wants))):
        least = min((share, place) for place, share in enumerate(shares) if share < wants[place])
        shares[least[1]] += 1
    return shares
