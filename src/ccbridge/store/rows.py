"""Journal records -> rows. Every statement may run twice for one record and leaves the same rows.

The caller owns the transaction. Records of one journal come in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from ccbridge.core.records import (
    AgentEvent,
    CallClosed,
    CallEvent,
    CallOpened,
    CdrRow,
    ControlEvent,
    PlanBegan,
    QueueEvent,
    Record,
    RecordingEnded,
    RecordingStarted,
    ScoreCard,
    TicketOutcome,
)

Db = psycopg.Connection[tuple[Any, ...]]

# Headers of a Cdr event that tell who called whom: erasable, so not in cdr.
PARTY = ("Source", "Destination", "CallerID", "LastData", "UserField")


class UnknownRecording(ValueError):
    """The end of a recording whose start was never seen."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A record and its place in the journal."""

    seq: int
    record: Record


def store(db: Db, node: UUID, records: Iterable[Numbered]) -> None:
    """Insert the rows of ``records``.

    Raises psycopg.Error; ValueError, TypeError or OverflowError for values that no row can hold.
    """
    calls: list[tuple[Any, ...]] = []
    agents: list[tuple[int, AgentEvent]] = []
    cdrs: list[CdrRow] = []
    for one in records:
        match one.record:
            case CallEvent() as event:
                calls.append(_call_event(node, one.seq, event))
            case AgentEvent() as state:
                agents.append((one.seq, state))
            case CdrRow() as row:
                cdrs.append(row)
            case PlanBegan() as began:
                db.execute(PLAN, (node, one.seq, moment(began.at), began.version, Jsonb(dict(began.plan))))
            case QueueEvent() as queue:
                at, data = moment(queue.at), Jsonb(dict(queue.data))
                values = (node, one.seq, queue.queue, at, queue.kind, queue.by, data, queue.plan)
                db.execute(QUEUE_EVENT, values)
            case ControlEvent() as control:
                db.execute(CONTROL, _control(node, one.seq, control))
            case ScoreCard() as card:
                db.execute(SCORE, _score(node, one.seq, card))
            case other:
                _BY_TYPE[type(other)](db, other)
    # these stand alone: no other row refers to them, so they may go in bulk
    with db.cursor() as cursor:
        if calls:
            cursor.executemany(CALL_EVENT, calls)
    if cdrs:
        store_cdrs(db, cdrs, "ami")
    if agents:
        _agent_events(db, node, agents)


def moment(at: float) -> datetime:
    """Epoch seconds as a time of the database. Raises ValueError or OverflowError out of the years 1-9999."""
    return datetime.fromtimestamp(at, UTC)


# -- events ---------------------------------------------------------------------------------------

CALL_EVENT = """
INSERT INTO call_event (day, node, seq, call_id, at, kind, data, plan) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (day, node, seq) DO NOTHING"""

AGENT_EVENT = """
INSERT INTO agent_event (day, node, seq, agent, at, state, reason, call_id, data, plan)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (day, node, seq) DO NOTHING"""

# The conflict is named: a bare DO NOTHING would swallow an overlap as well.
AGENT_INTERVAL = """
INSERT INTO agent_interval (agent, started_at, ended_at, state, reason, call_id)
VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (agent, started_at) DO NOTHING"""

AGENT_STATE = """
INSERT INTO agent_state (agent, state, reason, call_id, since, node, seq) VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (agent) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason,
    call_id = EXCLUDED.call_id, since = EXCLUDED.since, node = EXCLUDED.node, seq = EXCLUDED.seq"""

AGENT_STATES = """
SELECT agent, state, reason, call_id, since, node, seq FROM agent_state WHERE agent = ANY(%s) FOR UPDATE"""


QUEUE_EVENT = """
INSERT INTO queue_event (node, seq, queue, at, kind, by, data, plan) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (node, seq) DO NOTHING"""

CONTROL = """
INSERT INTO control_audit (node, seq, control, at, what, result, who, by, whom, door, call_id, seconds,
                           reason)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (node, seq) DO NOTHING"""

SCORE = """
INSERT INTO score_card (node, seq, at, call_id, agent, who, queue, form, version, total, failed, items,
                        listened_s, took_s)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (node, seq) DO NOTHING"""

PLAN = """
INSERT INTO plan_began (node, seq, at, version, plan) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (node, seq) DO NOTHING"""


def _call_event(node: UUID, seq: int, event: CallEvent) -> tuple[Any, ...]:
    at = moment(event.at)
    return at.date(), node, seq, event.call, at, event.kind, Jsonb(dict(event.data)), event.plan or None


def _control(node: UUID, seq: int, one: ControlEvent) -> tuple[Any, ...]:
    people = (one.who, one.by, one.whom, one.door)
    told = (one.what, one.result, *people, one.call, one.seconds, one.reason)
    return node, seq, one.control, moment(one.at), *told


def _score(node: UUID, seq: int, one: ScoreCard) -> tuple[Any, ...]:
    of = (one.call, one.agent, one.who, one.queue or None, one.form, one.version)
    items = Jsonb([dict(item) for item in one.items])
    return node, seq, moment(one.at), *of, one.total, one.failed, items, one.listened, one.took


def _agent_events(db: Db, node: UUID, events: list[tuple[int, AgentEvent]]) -> None:
    """An event starts a state; the state before it is closed into an interval."""
    rows, intervals = [], []
    names = list({event.agent for _, event in events})
    states = {row[0]: row for row in db.execute(AGENT_STATES, (names,))}
    changed: dict[str, tuple[Any, ...]] = {}
    for seq, event in events:
        at = moment(event.at)
        call = event.call
        rows.append(
            (
                at.date(), node, seq, event.agent, at, event.state, event.reason, call,
                Jsonb(dict(event.data)), event.plan or None,
            )
        )  # fmt: skip
        before = states.get(event.agent)
        since = at
        if before is not None:
            _, state, reason, before_call, before_since, before_node, before_seq = before
            if before_node == node and seq <= before_seq:
                continue  # seen before
            # two clocks (a PBX's and ours, or two machines') may disagree: time never runs backwards here
            since = max(at, before_since)
            if since > before_since:
                intervals.append((event.agent, before_since, since, state, reason, before_call))
        states[event.agent] = changed[event.agent] = (
            event.agent, event.state, event.reason, call, since, node, seq,
        )  # fmt: skip
    with db.cursor() as cursor:
        cursor.executemany(AGENT_EVENT, rows)
        cursor.executemany(AGENT_INTERVAL, intervals)
        cursor.executemany(AGENT_STATE, list(changed.values()))


# In one statement: who is not told anew with a row that was there already may have been erased.
CDR = """
WITH made AS (
    INSERT INTO cdr (system, uniqueid, sequence, linkedid, at, fields, source)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (system, uniqueid, sequence) DO NOTHING RETURNING system, uniqueid, sequence)
INSERT INTO cdr_party (system, uniqueid, sequence, fields) SELECT made.*, %s FROM made
ON CONFLICT (system, uniqueid, sequence) DO NOTHING"""


def store_cdrs(db: Db, rows: Iterable[CdrRow], source: str) -> None:
    """CDRs from the PBX's events (``ami``) or its own file (``file``); what is there already stays."""
    values = []
    # in the order of the key: two processes that insert the same rows wait for each other in one direction
    for row in sorted(rows, key=lambda row: (row.system, row.uniqueid, row.sequence)):
        fields, party = (
            Jsonb({name: value for name, value in row.fields.items() if (name in PARTY) is wanted})
            for wanted in (False, True)
        )
        key = (row.system, row.uniqueid, row.sequence)
        values.append((*key, row.linkedid, moment(row.at), fields, source, party))
    with db.cursor() as cursor:
        cursor.executemany(CDR, values)


# -- a call's life --------------------------------------------------------------------------------

CUSTOMER_OF = "SELECT customer_id FROM phone_number WHERE e164 = %s"
NEW_CUSTOMER = "INSERT INTO customer (name, created_at, created_by_call) VALUES (%s, %s, %s) RETURNING id"
NEW_NUMBER = "INSERT INTO phone_number (e164, customer_id) VALUES (%s, %s) ON CONFLICT (e164) DO NOTHING"
DROP_CUSTOMER = "DELETE FROM customer WHERE id = %s"

OPEN_CALL = """
INSERT INTO call_opened (call_id, arrived_at, did, caller_kind, caller_e164, caller_raw, caller_name,
                         customer_id, inferred)
SELECT %(call)s, %(at)s, %(did)s, %(kind)s, %(e164)s, %(raw)s, %(name)s, %(customer)s, %(inferred)s
WHERE NOT EXISTS (SELECT FROM call WHERE call_id = %(call)s)
ON CONFLICT (call_id) DO NOTHING"""

OPEN_TICKET = """
INSERT INTO ticket (call_id, customer_id, opened_at, updated_at)
VALUES (%(call)s, %(customer)s, %(at)s, %(at)s)
ON CONFLICT (call_id) DO NOTHING"""

CLOSE_CALL = """
INSERT INTO call (call_id, arrived_at, ended_at, did, caller_kind, caller_e164, caller_raw, caller_name,
                  customer_id, queue, priority, queued_at, answered_at, agent, wait_s, talk_s, hold_s, offers,
                  disposition, ended_by, inferred, legs, stints)
SELECT %(call)s, %(arrived)s, %(at)s, %(did)s, o.caller_kind, o.caller_e164, o.caller_raw, o.caller_name,
       coalesce(o.customer_id, (SELECT id FROM customer WHERE id = %(customer)s)), %(queue)s, %(priority)s,
       %(queued_at)s, %(answered_at)s, %(agent)s, %(wait)s, %(talk)s, %(hold)s, %(offers)s,
       %(disposition)s, %(ended_by)s, %(inferred)s, %(legs)s, %(stints)s
FROM (SELECT) AS one LEFT JOIN call_opened o ON o.call_id = %(call)s
ON CONFLICT (call_id) DO NOTHING"""

FORGET_OPEN = "DELETE FROM call_opened WHERE call_id = %(call)s"

CLOSE_TICKET = """
UPDATE ticket
SET agent = coalesce(agent, %(agent)s), queue = %(queue)s, updated_at = greatest(updated_at, %(at)s)
WHERE call_id = %(call)s"""

OUTCOME = """
INSERT INTO ticket (call_id, state, outcome_set, agent, due_at, opened_at, updated_at)
VALUES (%(call)s, %(outcome)s, true, %(agent)s, %(due)s, %(at)s, %(at)s)
ON CONFLICT (call_id) DO UPDATE
SET state = EXCLUDED.state, outcome_set = true, agent = EXCLUDED.agent, due_at = EXCLUDED.due_at,
    updated_at = greatest(ticket.updated_at, EXCLUDED.updated_at)"""


def _call_opened(db: Db, opened: CallOpened) -> None:
    at = moment(opened.at)
    customer = _customer(db, opened, at) if opened.e164 else None
    values = {
        "call": opened.call, "at": at, "did": opened.did, "kind": opened.caller_kind, "e164": opened.e164,
        "raw": text_of(opened.raw), "name": text_of(opened.name), "customer": customer,
        "inferred": opened.inferred,
    }  # fmt: skip
    db.execute(OPEN_CALL, values)
    db.execute(OPEN_TICKET, values)


def text_of(untrusted: str) -> str:
    """What a trunk sent, without the two things that PostgreSQL's text cannot hold."""
    return "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in untrusted)


def _customer(db: Db, opened: CallOpened, at: datetime) -> int:
    """The customer of the number; a new one, named by the number, when nobody has it."""
    found = db.execute(CUSTOMER_OF, (opened.e164,)).fetchone()
    if found is None:
        new = int(db.execute(NEW_CUSTOMER, (opened.e164, at, opened.call)).fetchall()[0][0])
        if db.execute(NEW_NUMBER, (opened.e164, new)).rowcount == 1:
            return new
        # another PBX's shipper was faster with the same caller: his customer it is
        db.execute(DROP_CUSTOMER, (new,))
        found = db.execute(CUSTOMER_OF, (opened.e164,)).fetchone()
        if found is None:
            raise psycopg.OperationalError(f"the number of call {opened.call} was erased at this moment")
    return int(found[0])


def open_unseen(db: Db, opened: CallOpened) -> int | None:
    """Customer and ticket of a call that no journal tells of; returns the customer's id, if he has one."""
    at = moment(opened.at)
    customer = _customer(db, opened, at) if opened.e164 else None
    db.execute(OPEN_TICKET, {"call": opened.call, "at": at, "customer": customer})
    return customer


def _call_closed(db: Db, closed: CallClosed) -> None:
    values = {
        "call": closed.call, "arrived": moment(closed.arrived), "at": moment(closed.at), "did": closed.did,
        "customer": closed.customer, "queue": closed.queue, "priority": closed.priority,
        "queued_at": None if closed.queued_at is None else moment(closed.queued_at),
        "answered_at": None if closed.answered_at is None else moment(closed.answered_at),
        "agent": closed.agent, "wait": closed.wait, "talk": closed.talk, "offers": closed.offers,
        "disposition": closed.disposition, "ended_by": closed.ended_by, "inferred": closed.inferred,
        "hold": closed.hold, "legs": Jsonb([_span(leg) for leg in closed.legs]),
        "stints": Jsonb([dict(stint) for stint in closed.stints]),
    }  # fmt: skip
    db.execute(CLOSE_CALL, values)
    db.execute(FORGET_OPEN, values)
    db.execute(CLOSE_TICKET, values)


def _span(one: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, "from": moment(one["from"]).isoformat(), "to": moment(one["to"]).isoformat()}


def _ticket_outcome(db: Db, outcome: TicketOutcome) -> None:
    due = outcome.due
    if due is None and outcome.outcome == "follow_up":
        due = outcome.at  # written by a version that knew no due time
    values = {"call": outcome.call, "outcome": outcome.outcome, "agent": outcome.agent}
    db.execute(OUTCOME, {**values, "at": moment(outcome.at), "due": None if due is None else moment(due)})


# -- recordings -----------------------------------------------------------------------------------

START_RECORDING = """
INSERT INTO recording (call_id, offer, agent, started_at, path) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (call_id, offer) DO NOTHING"""

END_RECORDING = """
UPDATE recording SET state = 'ended', ended_at = %s, answered = %s, pauses = %s
WHERE call_id = %s AND offer = %s AND state = 'writing'"""

IS_RECORDING = "SELECT 1 FROM recording WHERE call_id = %s AND offer = %s"


def _recording_started(db: Db, started: RecordingStarted) -> None:
    at = moment(started.at)
    db.execute(START_RECORDING, (started.call, started.offer, started.agent, at, started.path))


def _recording_ended(db: Db, ended: RecordingEnded) -> None:
    key = (ended.call, ended.offer)
    pauses = Jsonb([_span(pause) for pause in ended.pauses])
    changed = db.execute(END_RECORDING, (moment(ended.at), ended.answered, pauses, *key))
    if changed.rowcount == 0 and db.execute(IS_RECORDING, key).fetchone() is None:
        raise UnknownRecording(f"call {ended.call}, offer {ended.offer}")


_BY_TYPE: dict[type[Any], Any] = {
    CallOpened: _call_opened,
    CallClosed: _call_closed,
    TicketOutcome: _ticket_outcome,
    RecordingStarted: _recording_started,
    RecordingEnded: _recording_ended,
}
