"""What the demo's callers, phones, Asterisk and database wrote down, read with nothing of ccbridge."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

TABLES = {
    "call": "arrived_at",
    "call_opened": "arrived_at",
    "call_event": "seq",
    "agent_event": "seq",
    "agent_state": "agent",
    "agent_interval": "started_at",
    "customer": "id",
    "phone_number": "e164",
    "ticket": "opened_at",
    "cdr": "sequence",
    "cdr_party": "sequence",
    "recording": "started_at",
    "ship_reject": "seq",
}
Row = dict[str, Any]


@dataclass
class Seen:
    """A channel of the second Asterisk: a caller, a phone that was rung, or a phone that dialled a code."""

    id: str
    line: str = ""  # a phone's number, a caller's number
    shown: str = ""  # the caller's number on a phone's display
    name: str = ""  # the name there
    invited: float | None = None
    ringing: float | None = None
    answered: float | None = None
    ended: float | None = None
    keys: list[tuple[float, str]] = field(default_factory=list)


@dataclass
class Inputs:
    """What `inputs.json` says, and what lies where it says."""

    told: dict[str, Any]
    callers: list[Seen]
    rung: list[Seen]
    codes: list[Seen]
    cdr_file: list[Row]
    tables: dict[str, list[Row]]


def read(path: Path) -> Inputs:
    told = json.loads(path.read_text())
    seen = _channels(Path(told["outside_log"]), Path(told["pressed_log"]))
    callers = [one for one in seen if one.id.startswith("call-") and one.answered]
    codes = [one for one in seen if one.id.startswith("dial-") and one.answered]
    rung = [one for one in seen if one.invited]
    with psycopg.connect(told["database_url"], row_factory=dict_row) as db:
        db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        tables = {
            name: db.execute(f"SELECT * FROM {name} ORDER BY {order}").fetchall()
            for name, order in TABLES.items()
        }
    return Inputs(told, callers, rung, codes, _cdrs(Path(told["cdr_csv"])), tables)


def _channels(log: Path, pressed: Path) -> list[Seen]:
    seen: dict[str, Seen] = {}
    with log.open(newline="") as file:
        for at, kind, _, uniqueid, _, number, name, _, _, extra in csv.reader(file):
            one = seen.setdefault(uniqueid, Seen(uniqueid))
            line = json.loads(extra).get("extra", "").partition("|")[0] if extra else ""
            if kind == "INVITED":
                one.invited, one.line, one.shown, one.name = float(at), line, number, name
            elif kind == "RINGING":
                one.ringing = float(at)
            elif kind == "ANSWER":
                one.answered = float(at)
            elif kind == "CONNECTED":
                one.line = line
            elif kind == "HANGUP":
                one.ended = float(at)
    with pressed.open(newline="") as file:
        for at, uniqueid, _, digit in csv.reader(file):
            seen[uniqueid].keys.append((float(at), digit))
    return list(seen.values())


CDR_COLUMNS = [
    "system",
    "UniqueID",
    "sequence",
    "linkedid",
    "end",
    "AccountCode",
    "Source",
    "Destination",
    "DestinationContext",
    "clid",
    "Channel",
    "DestinationChannel",
    "LastApplication",
    "LastData",
    "StartTime",
    "AnswerTime",
    "EndTime",
    "Duration",
    "BillableSeconds",
    "Disposition",
    "AMAFlags",
    "UserField",
]


def _cdrs(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        return [dict(zip(CDR_COLUMNS, row, strict=True)) for row in csv.reader(file)]


def number_of(call: Row) -> str:
    """The caller, as the carrier knows him."""
    return call["caller_e164"] or "anonymous"


def legs_of(inputs: Inputs, caller: Seen) -> list[Seen]:
    """The phones that were rung for this caller."""
    return sorted((one for one in inputs.rung if one.shown == caller.line), key=lambda one: one.invited or 0)


def talk_s(phone: Seen, caller: Seen) -> float:
    """Both on the line, by the second Asterisk's clock."""
    return min(phone.ended or math.inf, caller.ended or math.inf) - (phone.answered or math.inf)


class Differences(list[str]):
    """Every one is told; none stops the search for others."""

    def same(self, what: str, ours: object, theirs: object) -> None:
        """``ours``: what the database says. ``theirs``: everybody else."""
        if ours != theirs:
            self.append(f"{what}: the database says {ours}, the others say {theirs}")

    def near(self, what: str, ours: float | None, theirs: float | None, tolerance: float) -> None:
        if ours is None or theirs is None or not abs(ours - theirs) <= tolerance:
            self.append(f"{what}: the database says {ours}, the others say {theirs}")
