"""A past day as records: the calls that came into a queue on it, and who was at work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from ccbridge.core.records import AgentEvent, CallEvent

# What the wait and the talk of a call can be read from. Most of an ``offered`` are its reasons: left out.
KINDS = (
    "queued",
    "offered",
    "answered",
    "joined",
    "offer_ended",
    "abandoned",
    "overflowed",
    "left",
    "in_fallback",
    "ended",
)  # fmt: skip

# ``day`` leaves other months' partitions alone; a call may go on after midnight, and be told of out of order.
_CALLS = """
SELECT call_id, extract(epoch FROM at)::float, kind, CASE kind WHEN 'offered' THEN '{}' ELSE data END
FROM call_event
WHERE day BETWEEN :first AND CAST(:last AS date) + 1 AND kind = ANY(:kinds) AND call_id IN (
    SELECT call_id FROM call_event
    WHERE day BETWEEN :first AND :last AND kind = 'queued' AND at >= :start AND at < :stop
)
ORDER BY seq"""

_AGENTS = """
SELECT agent, extract(epoch FROM greatest(started_at, :start))::float AS at, state, reason
FROM agent_interval WHERE started_at < :stop AND ended_at > :start
UNION ALL
SELECT agent, extract(epoch FROM greatest(since, :start))::float, state, reason
FROM agent_state WHERE since < :stop
ORDER BY at, agent"""


def calls(db: Connection, start: datetime, stop: datetime) -> Iterator[CallEvent]:
    """The events of all calls that entered a queue in that time, up to their end, in their order."""
    first, last = (moment.astimezone(UTC).date() for moment in (start, stop))
    values = {"first": first, "last": last, "start": start, "stop": stop, "kinds": list(KINDS)}
    for call, at, kind, data in db.execute(text(_CALLS), values):
        yield CallEvent(call, at, kind, data)


def agents(db: Connection, start: datetime, stop: datetime) -> Iterator[AgentEvent]:
    """The states of all agents in that time, by their beginnings; of each the first one at ``start``."""
    for agent, at, state, reason in db.execute(text(_AGENTS), {"start": start, "stop": stop}):
        yield AgentEvent(agent, at, state, reason)
