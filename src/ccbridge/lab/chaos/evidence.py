"""What was written down about a run: by phones and carrier, by Asterisk, by the daemon, by PostgreSQL.

Read without any code of the daemon's.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ccbridge.lab.chaos.faults import Happened
from ccbridge.lab.chaos.house import House
from ccbridge.lab.chaos.load import Placed
from ccbridge.lab.machine import Machine

Row = dict[str, Any]
ORDERS = {
    "call_account": "arrived_at",
    "call": "arrived_at",
    "call_opened": "arrived_at",
    "call_event": "node, seq",
    "agent_event": "node, seq",
    "ticket": "id",
    "cdr": "linkedid, sequence",
    "recording": "id",
    "ship_reject": "seq",
    "file_reject": "id",
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


@dataclass
class Caller:
    """A call that was placed. `seen` is None when its channel left no trace."""

    number: str
    seen: Seen | None
    #: when the PBX died under it, seconds since the epoch
    pbx_died: float | None = None


@dataclass
class Evidence:
    """All that the judge looks at."""

    callers: list[Caller]
    #: agents' and other phones that were called
    rung: list[Seen]
    happened: list[Happened]
    #: exit codes of a daemon that ended by itself
    unasked_ends: list[int]
    #: of the database, by name: the tables of ORDERS
    tables: dict[str, list[Row]]
    #: the journal's records in their order, without checkpoints
    journal: list[Row]
    #: the daemon's log: its lines, and whatever else is in the file
    log: list[Row]
    other: list[str]
    #: (uniqueid, sequence) of each row of Asterisk's own CDR file
    cdrs: Counter[tuple[str, int]]
    #: paths of the stereo files, as `recording.path` has them
    recordings: set[str]
    #: of the machine itself, in order (`lab.machine`)
    stalls: list[tuple[float, float]]


def gather(house: House, placed: list[Placed], happened: list[Happened], machine: Machine) -> Evidence:
    """Blocking. Raises OSError and psycopg.Error for what cannot be read."""
    seen = channels(house.lab.outside.log / "cel-custom" / "outside.csv")
    log, other = _log_lines(house.daemon.log)
    recordings = house.lab.recordings
    return Evidence(
        [Caller(one.journey.number, seen.get(one.call.id), one.pbx_died) for one in placed],
        [one for one in seen.values() if one.invited],
        happened,
        house.unasked_ends,
        _tables(house.database.admin_url),
        _journal(house.journal),
        log,
        other,
        _cdrs(house.lab.pbx.cdr_csv),
        {str(path.relative_to(recordings).with_suffix("")) for path in recordings.rglob("*.wav")},
        machine.stalls(),
    )


def channels(log: Path) -> dict[str, Seen]:
    """All channels in the second Asterisk's log (`lab.outside` has its columns)."""
    seen: dict[str, Seen] = {}
    with log.open(newline="", errors="replace") as file:
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
    return seen


def _journal(folder: Path) -> list[Row]:
    lines = (line for path in sorted(folder.glob("[0-9]*.jsonl")) for line in path.read_bytes().splitlines())
    return [record for record in map(json.loads, lines) if record["t"] != "checkpoint"]


def _tables(url: str) -> dict[str, list[Row]]:
    """The tables of ORDERS, as one moment saw them."""
    with psycopg.connect(url, row_factory=dict_row) as db:
        db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return {
            name: db.execute(f"SELECT * FROM {name} ORDER BY {order}").fetchall()
            for name, order in ORDERS.items()
        }


def _log_lines(path: Path) -> tuple[list[Row], list[str]]:
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


def _cdrs(path: Path) -> Counter[tuple[str, int]]:
    """The columns of `cdr_custom_ccbridge.conf`; a line that the PBX died over is short."""
    with path.open(newline="", errors="replace") as file:
        return Counter((row[1], int(row[2])) for row in csv.reader(file) if len(row) == 22)


def by(rows: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    """The rows in groups."""
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
