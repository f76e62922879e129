"""Channel events in PostgreSQL, and the calls that they tell of.

The events of a piece of the file and the accounts of the calls that end in it are one transaction. A call
is accounted for when its ``LINKEDID_END`` is there. One that has none when Asterisk was started anew was cut
off: channels are numbered from 0 in each run, so a smaller number tells of the start. That account is
``inferred``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ccbridge.core.records import CallOpened
from ccbridge.gaps.lines import CelRow
from ccbridge.gaps.stories import Happened, Story, stories
from ccbridge.numbers import parse_caller
from ccbridge.store.rows import Db, moment, open_unseen, text_of

SKIPPED = ("MixMonitor", "StopMixMonitor")  # applications that say nothing of a call's life
WAIT_FOR_SHIPPER = 600.0  # seconds after its end when a call without any row was not seen by the daemon
MISORDERED = 20  # channels that may be told before one that has a smaller number
_NUMBERED = re.compile(r"(?:.*-)?(\d{9,11})\.(\d+)")

INSERT = """
INSERT INTO cel (digest, system, at, kind, uniqueid, linkedid, channel, number, name, context, exten, app,
                 extra)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (digest) DO NOTHING"""
NEWEST = """
SELECT uniqueid FROM cel WHERE system = %s AND kind = 'CHAN_START' ORDER BY at DESC, id DESC LIMIT 1"""
CUT_OFF = """
SELECT linkedid FROM cel WHERE system = %s AND at < %s
GROUP BY linkedid HAVING NOT bool_or(kind = 'LINKEDID_END')"""
EVENTS = """
SELECT extract(epoch FROM at)::float AS at, kind, uniqueid, channel, number, name, context, exten, extra
FROM cel WHERE system = %s AND linkedid = %s ORDER BY at, id"""
# an account that was taken to be cut off, and whose end was heard of after all, is mended
ACCOUNT = """
INSERT INTO cel_call (call_id, system, arrived_at, ended_at, did, caller_kind, caller_e164, caller_raw,
                      caller_name, customer_id, answered_at, agent, talk_s, disposition, ended_by,
                      source, legs, queue)
VALUES (%(call)s, %(system)s, %(arrived)s, %(ended)s, %(did)s, %(kind)s, %(e164)s, %(raw)s, %(name)s,
        (SELECT customer_id FROM phone_number WHERE e164 = %(e164)s), %(answered)s, %(agent)s, %(talk)s,
        %(disposition)s, %(ended_by)s, %(source)s, %(legs)s, %(queue)s)
ON CONFLICT (call_id) DO UPDATE
SET ended_at = EXCLUDED.ended_at, answered_at = EXCLUDED.answered_at, agent = EXCLUDED.agent,
    talk_s = EXCLUDED.talk_s, disposition = EXCLUDED.disposition, ended_by = EXCLUDED.ended_by,
    source = EXCLUDED.source, legs = EXCLUDED.legs, queue = EXCLUDED.queue
WHERE cel_call.source = 'inferred' AND EXCLUDED.source = 'cel'"""
UNSEEN = """
SELECT call_id, extract(epoch FROM arrived_at)::float AS at, did, caller_kind, caller_e164, caller_raw,
       caller_name
FROM cel_call r
WHERE ended_at < now() - make_interval(secs => %s)
  AND NOT EXISTS (SELECT FROM call WHERE call.call_id = r.call_id)
  AND NOT EXISTS (SELECT FROM call_opened o WHERE o.call_id = r.call_id)
  AND NOT EXISTS (SELECT FROM ticket t WHERE t.call_id = r.call_id)
LIMIT 100"""
OWNED = "UPDATE cel_call SET customer_id = %s WHERE call_id = %s"
PRUNE = (
    "DELETE FROM cel WHERE at < now() - make_interval(days => %s)",
    "DELETE FROM file_reject WHERE found_at < now() - make_interval(days => %s)",
    # an account that the daemon's own events make unnecessary
    """DELETE FROM cel_call r USING call c
    WHERE c.call_id = r.call_id AND NOT c.inferred AND c.disposition <> 'fallback'
      AND r.ended_at < now() - make_interval(days => %s)""",
)


def store_cel(
    db: Db, rows: Sequence[CelRow], agents: Mapping[str, str], queues: Collection[str], country: str
) -> None:
    """Insert events, in the order of the file, and account for the calls that end in them.

    ``agents``: device -> agent. ``queues``: names of ours; no other is written into an account. ``country``:
    of callers' numbers without a country code. The caller owns the transaction. Raises psycopg.Error.
    """
    system = rows[0].system
    newest = db.execute(NEWEST, (system,)).fetchone()
    last = _number(newest[0]) if newest else None
    cut_off: list[float] = []
    for row in rows:
        if row.kind == "CHAN_START" and (number := _number(row.uniqueid)) is not None:
            if last is not None and _anew(last, number):
                cut_off.append(row.at)
            last = max(last, number) if last is not None else number
    with db.cursor() as cursor:
        cursor.executemany(INSERT, [_values(row) for row in rows if row.app not in SKIPPED])
    for at in cut_off:
        for (linkedid,) in db.execute(CUT_OFF, (system, moment(at))).fetchall():
            _account(db, system, linkedid, agents, queues, country)
    for linkedid in dict.fromkeys(row.linkedid for row in rows if row.kind == "LINKEDID_END"):
        _account(db, system, linkedid, agents, queues, country)


def told(db: Db, system: str, linkedid: str, agents: Mapping[str, str]) -> list[Story]:
    """The calls that the events of a ``linkedid`` tell of."""
    with db.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(EVENTS, (system, linkedid)).fetchall()
    return stories([Happened(**row) for row in found], agents)


def open_tickets(db: Db, wait: float = WAIT_FOR_SHIPPER) -> int:
    """Customer and ticket for calls that the daemon never saw; returns how many. ``wait``: seconds.

    Not before the shipper has had its time: the daemon may have seen them, and only the database was away.
    """
    with db.transaction(), db.cursor(row_factory=dict_row) as cursor:
        calls = cursor.execute(UNSEEN, (wait,)).fetchall()
        for row in calls:
            opened = CallOpened(
                row["call_id"], row["at"], row["did"], row["caller_kind"], row["caller_e164"],
                row["caller_raw"] or "", row["caller_name"] or "",
            )  # fmt: skip
            db.execute(OWNED, (open_unseen(db, opened), opened.call))
    return len(calls)


def prune(db: Db, days: int) -> None:
    """Delete what is older than so many days and not the only account of a call."""
    for statement in PRUNE:
        db.execute(statement, (days,))


def _account(
    db: Db, system: str, linkedid: str, agents: Mapping[str, str], queues: Collection[str], country: str
) -> None:
    for story in told(db, system, linkedid, agents):
        caller = parse_caller(story.number, country)
        db.execute(
            ACCOUNT,
            {
                "call": story.call, "system": system, "arrived": moment(story.arrived),
                "ended": moment(story.ended), "did": story.did, "kind": caller.kind, "e164": caller.e164,
                "raw": text_of(story.number[:80]), "name": text_of(story.name[:80]),
                "answered": None if story.answered is None else moment(story.answered), "agent": story.agent,
                "talk": story.talk, "disposition": story.disposition, "ended_by": story.ended_by,
                "source": "cel" if story.whole else "inferred",
                "legs": Jsonb([asdict(leg) for leg in story.legs]),
                "queue": story.fallback_queue if story.fallback_queue in queues else None,
            },
        )  # fmt: skip


def _number(uniqueid: str) -> tuple[int, int] | None:
    """Second and number of a channel, of a uniqueid that Asterisk made itself."""
    match = _NUMBERED.fullmatch(uniqueid)
    return (int(match[1]), int(match[2])) if match else None


def _anew(last: tuple[int, int], number: tuple[int, int]) -> bool:
    """Whether Asterisk was started between these two channels: its numbers begin anew.

    Two channels of one moment may be told in the wrong order, and then are no more than a few apart. Asterisk
    is back within a second where its files are in memory.
    """
    return number[1] < last[1] and (number[0] > last[0] + 1 or last[1] - number[1] > MISORDERED)


def _values(row: CelRow) -> tuple[Any, ...]:
    return (
        row.digest, row.system, moment(row.at), row.kind, row.uniqueid, row.linkedid, row.channel, row.number,
        row.name, row.context, row.exten, row.app, Jsonb(row.extra),
    )  # fmt: skip
