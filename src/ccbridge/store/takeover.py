"""What the database knows of a journal that is gone: a new disk, a machine that was moved to.

The same fold as a start from the journal, over the same records, as far as they had been shipped: open calls
with all their events, each agent's last states, the last ended calls. It takes one database for one PBX.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import psycopg
import structlog

from ccbridge.core.memory import CLOSED_KEPT, Memory
from ccbridge.core.pace import Pace
from ccbridge.core.records import AgentEvent, CallEvent, CallOpened, ControlEvent, QueueEvent
from ccbridge.store import urls
from ccbridge.store.cut import cut_after
from ccbridge.store.journal import BOOT_GAP, Journal

log = structlog.get_logger(__name__)

TAKE_OVER_LIMIT = 10.0  # seconds

LAST_SEQ = "SELECT coalesce(max(seq), 0) FROM ship_position"

# The newest last, as they were added.
CLOSED = """
SELECT call_id, ended_by FROM (
    SELECT call_id, ended_by, ended_at FROM call WHERE arrived_at > now() - interval '1 day'
    ORDER BY ended_at DESC LIMIT %s) AS newest
ORDER BY ended_at"""

OPENED = """
SELECT call_id, arrived_at, did, caller_kind, caller_e164, caller_raw, caller_name, inferred
FROM call_opened ORDER BY arrived_at"""

# ``seq`` goes on over a lost journal, so it is the order over nodes, too.
CALL_EVENTS = "SELECT call_id, at, kind, data FROM call_event WHERE call_id = ANY(%s) ORDER BY seq"

# The event of the present state, however old, and of the last week the last one of each other state.
AGENT_EVENTS = """
WITH told AS (
    SELECT e.* FROM agent_state s
    JOIN agent_event e ON e.day = (s.since AT TIME ZONE 'UTC')::date AND e.node = s.node AND e.seq = s.seq
    UNION
    (SELECT DISTINCT ON (agent, state) * FROM agent_event WHERE day >= (now() AT TIME ZONE 'UTC')::date - 7
     ORDER BY agent, state, seq DESC))
SELECT agent, at, state, reason, call_id, data FROM told ORDER BY seq"""

QUEUE_EVENTS = "SELECT queue, at, kind, by, data FROM queue_event ORDER BY seq"
# No lock lasts longer than a day.
CONTROLS = """
SELECT control, at, what, result, who, by, whom, door FROM control_audit
WHERE at > now() - interval '1 day' AND what IN ('pin', 'log_in', 'unlock') ORDER BY seq"""
PLAN = "SELECT version FROM plan_began ORDER BY seq DESC LIMIT 1"

# An outcome may be keyed for the call that an agent has just had.
LAST_OFFERS = """
SELECT data->>'agent', data->>'offer' FROM call_event
WHERE call_id = ANY(%s) AND kind = 'offer_ended' AND data->>'result' = 'talked' ORDER BY seq"""

# Since each agent's log-in: his last turn in each queue, and his talks. No shift is longer than a day.
SHIFT = """
FROM call_event c LEFT JOIN (
    SELECT agent, max(seq) AS seq FROM agent_event
    WHERE day >= (now() AT TIME ZONE 'UTC')::date - 7 AND data->>'in' IS DISTINCT FROM 'true' GROUP BY agent
) AS away ON away.agent = c.data->>'agent'
WHERE c.day >= (now() AT TIME ZONE 'UTC')::date - 1 AND c.seq > coalesce(away.seq, 0)"""
TURNS = f"""
SELECT c.data->>'agent', c.data->>'queue', extract(epoch FROM max(c.at))::float {SHIFT}
    AND c.kind = 'offered' AND c.data->>'queue' IS NOT NULL
GROUP BY 1, 2"""
TALKS = f"""
SELECT c.data->>'agent', count(*), sum((c.data->>'talk_s')::float) {SHIFT}
    AND c.kind = 'offer_ended' AND c.data->>'result' = 'talked'
GROUP BY 1"""

# What each queue's pace is made of, the last first: who was answered (ring and wait), and whose talk is over.
PACES = """
SELECT o.data->>'queue', e.kind, extract(epoch FROM e.at - o.at)::float,
       extract(epoch FROM e.at)::float - coalesce((q.data->>'entered')::float, (q.data->>'since')::float),
       (e.data->>'to')::float - (e.data->>'from')::float
FROM call_event e
JOIN LATERAL (
    SELECT at, data FROM call_event
    WHERE call_id = e.call_id AND kind = 'offered' AND data->>'offer' = e.data->>'offer' LIMIT 1
) o ON o.data->>'queue' IS NOT NULL
JOIN LATERAL (
    SELECT data FROM call_event WHERE call_id = e.call_id AND kind = 'queued' AND seq < e.seq
    ORDER BY seq DESC LIMIT 1
) q ON true
WHERE e.day >= (now() AT TIME ZONE 'UTC')::date - 7
    AND (e.kind = 'answered' AND e.data->>'found' IS NULL
         OR e.kind = 'offer_ended' AND e.data->>'result' = 'talked' AND e.data ? 'from')
ORDER BY e.seq DESC LIMIT %s"""
PACES_KEPT = 5_000  # answers and talks of all queues together: the means forget what is older


async def recall(journal: Journal, url: str) -> tuple[Memory, str, int]:
    """What a former run wrote; where it was found (journal, database, nothing); and the number after which
    the journal is to be resumed with this memory, 0 for where it stands. ``url``: "" when that is away.

    For a journal that is new the database is asked what a former one has told it. Without an answer the
    numbers go on from the time of day: whatever a former journal had, they are above it, so a call's events
    keep their order over both.
    """
    state, records = journal.recover()
    if state is not None or records:
        memory = Memory(state)
        for record in records:
            memory.apply(record)
        return memory, "journal", 0
    folder = str(journal.folder)
    try:
        if not url:
            raise psycopg.OperationalError("the database is away")
        memory, last = await take_over(url, TAKE_OVER_LIMIT)
    except psycopg.Error as error:
        why = str(error).strip()
        log.error("daemon.starts_empty", journal=folder, why=why, lost="log-ins, pauses, wrap-ups")
        return Memory(), "nothing", int(time.time()) * 1000
    if not last:
        log.info("daemon.starts_empty", journal=folder, why="journal and database are new")
        return memory, "nothing", 0
    return memory, "database", last + BOOT_GAP


async def take_over(url: str, limit: float) -> tuple[Memory, int]:
    """The memory of a journal that is gone, and its last number that is known.

    An empty database gives an empty memory and 0. Raises psycopg.Error, also when it takes longer than
    ``limit`` seconds, the login's five not counted.
    """
    memory = Memory()
    async with await psycopg.AsyncConnection.connect(
        urls.for_libpq(url), **urls.keepalive(limit), autocommit=True
    ) as db:

        async def rows(query: str, *values: Any) -> Sequence[Any]:
            return await (await db.execute(query, values)).fetchall()

        with cut_after(db, limit):
            (last,) = (await rows(LAST_SEQ))[0]
            memory.closed = dict(await rows(CLOSED, CLOSED_KEPT))
            for call, arrived, *rest in await rows(OPENED):
                memory.apply(CallOpened(call, _epoch(arrived), *rest))
            for call, at, kind, data in await rows(CALL_EVENTS, list(memory.calls)):
                memory.apply(CallEvent(call, _epoch(at), kind, data))
            for agent, at, state, reason, call, data in await rows(AGENT_EVENTS):
                memory.apply(AgentEvent(agent, _epoch(at), state, reason, call, data))
            for (version,) in await rows(PLAN):
                memory.plan = version
            for queue, at, kind, by, data in await rows(QUEUE_EVENTS):
                memory.apply(QueueEvent(queue, _epoch(at), kind, by, data))
            for control, at, *rest in await rows(CONTROLS):
                memory.apply(ControlEvent(control, _epoch(at), *rest))
            last_calls = [known["last_call"] for known in memory.agents.values() if "last_call" in known]
            for agent, offer in await rows(LAST_OFFERS, last_calls):
                if agent in memory.agents:
                    memory.agents[agent]["last_offer"] = offer
            for agent, queue, at in await rows(TURNS):
                memory.agents.setdefault(agent, {}).setdefault("turns", {})[queue] = at
            for agent, talks, talk_s in await rows(TALKS):
                memory.agents.setdefault(agent, {}).update(talks=talks, talk_s=round(talk_s or 0.0, 3))
            memory.queues = _paces(reversed(await rows(PACES, PACES_KEPT)))
    return memory, last


def _paces(told: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """Each queue's pace; those of the calls that are open count here, too, and not a second time."""
    paces: dict[str, Pace] = {}
    for queue, kind, ring, wait, talk in told:
        pace = paces.setdefault(queue, Pace())
        if kind == "answered":
            pace.answered(ring, wait)
        else:
            pace.talked(talk)
    return {queue: asdict(pace) for queue, pace in paces.items()}


def _epoch(at: datetime) -> float:
    return at.timestamp()
