"""What was written down about a run: by phones and carrier, by Asterisk, by the daemon, by PostgreSQL.

Read without any code of the daemon's.
"""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]
ORDERS = {
    "call": "arrived_at",
    "call_opened": "arrived_at",
    "call_event": "node, seq",
    "agent_event": "node, seq",
    "ticket": "id",
    "cdr": "linkedid, sequence",
    "recording": "id",
    "ship_reject": "seq",
}


@dataclass
class Seen:
    """A channel of the second Asterisk. Times are seconds since the epoch, None for what never happened."""

    id: str
    #: a caller's number, a phone's number
    line: str = ""
    #: the caller's number as a phone showed it
    shown: str = ""
    invited: float | None = None
    ringing: float | None = None
    answered: float | None = None
    ended: float | None = None
    #: this side hung up, and not the PBX
    hung_up: bool = False

    @property
    def caller(self) -> bool:
        return self.id.startswith("call-")


def channels(log: Path) -> list[Seen]:
    """All channels in the second Asterisk's log (`lab.outside` has its columns)."""
    seen: dict[str, Seen] = {}
    with log.open(newline="") as file:
        for at, kind, _, uniqueid, channel, number, _, _, _, extra in csv.reader(file):
            one = seen.setdefault(uniqueid, Seen(uniqueid))
            more = json.loads(extra) if extra else {}
            line = more.get("extra", "").partition("|")[0]
            if kind == "INVITED":
                one.invited, one.line, one.shown = float(at), line, number
            elif kind == "RINGING":
                one.ringing = float(at)
            elif kind in ("ANSWERED", "CONNECTED"):
                one.answered, one.line = float(at), line
            elif kind == "HANGUP":
                # a channel that its own far end hung up names itself
                one.ended, one.hung_up = float(at), more.get("hangupsource") != channel
    return list(seen.values())


def journal(folder: Path) -> list[Row]:
    """Every record in its order, without checkpoints."""
    lines = (line for path in sorted(folder.glob("[0-9]*.jsonl")) for line in path.read_bytes().splitlines())
    return [record for record in map(json.loads, lines) if record["t"] != "checkpoint"]


def tables(url: str) -> dict[str, list[Row]]:
    """The tables of ORDERS, as one moment saw them."""
    with psycopg.connect(url, row_factory=dict_row) as db:
        db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return {
            name: db.execute(f"SELECT * FROM {name} ORDER BY {order}").fetchall()
            for name, order in ORDERS.items()
        }


def log_lines(path: Path) -> tuple[list[Row], list[str]]:
    """The daemon's log: its lines as JSON, and whatever else is in the file."""
    good, other = [], []
    for line in path.read_text(errors="replace").splitlines():
        try:
            good.append(json.loads(line))
        except ValueError:
            other.append(line)
    return good, other


def moment(line: Row) -> float:
    """When a line of the log was written."""
    return datetime.fromisoformat(line["timestamp"]).timestamp()


def cdr_keys(path: Path) -> list[tuple[str, int]]:
    """(uniqueid, sequence) of each row of Asterisk's own CDR file (`cdr_custom_ccbridge.conf`)."""
    with path.open(newline="") as file:
        return [(row[16], int(row[19])) for row in csv.reader(file)]


def by(rows: Iterable[Any], key: Any) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
