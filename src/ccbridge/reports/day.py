"""The day's report: per queue, per agent, and in total. Definitions of the figures: ``reports.metrics``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from ccbridge.reports.expected import NONE, expected_waits
from ccbridge.reports.legs import LEGS
from ccbridge.reports.metrics import FIGURES, SERVICE_LEVELS, formula
from ccbridge.reports.scores import NONE as NO_SCORE
from ccbridge.reports.scores import scores

DEFAULT_T = 20.0  # seconds, for a queue that the plan does not know any more

# :queues and :ts are arrays of equal length. A call belongs to the day it arrived on. A queue's line counts
# stints, the total counts calls: who was passed from queue to queue is in each line, and once in the total.
_CALLS = """
WITH calls AS (
    SELECT * FROM call_account WHERE arrived_at >= :start AND arrived_at < :stop
), t AS (
    SELECT * FROM unnest(CAST(:queues AS text[]), CAST(:ts AS float[])) AS t (queue, t)
), stint AS (
    SELECT queue, disposition, wait_s, legs,
           calls.offers - former.offers AS offers,
           calls.talk_s - former.talk_s AS talk_s
    FROM calls, LATERAL (
        SELECT coalesce(sum((s ->> 'offers')::int), 0) AS offers,
               coalesce(sum((s ->> 'talk_s')::float), 0) AS talk_s
        FROM jsonb_array_elements(stints) s
    ) AS former
    WHERE queue IS NOT NULL
    UNION ALL
    SELECT s ->> 'queue',
           CASE WHEN (s ->> 'answered')::boolean THEN 'answered' ELSE coalesce(s ->> 'end', 'left') END,
           (s ->> 'wait_s')::float, '[]'::jsonb, (s ->> 'offers')::int, (s ->> 'talk_s')::float
    FROM calls, jsonb_array_elements(stints) s
)
SELECT c.queue, false AS total, {figures}
FROM (SELECT stint.*, coalesce(t.t, :default_t) AS t FROM stint LEFT JOIN t USING (queue)) c GROUP BY c.queue
UNION ALL
SELECT NULL, true, {figures}
FROM (SELECT calls.*, coalesce(t.t, :default_t) AS t FROM calls LEFT JOIN t USING (queue)) c"""

# Closed intervals cut to the day, and the present state up to now.
_TIMES = """
SELECT agent, state,
       sum(extract(epoch FROM least(ended_at, :stop) - greatest(started_at, :start)))::float AS seconds
FROM (SELECT agent, state, started_at, ended_at FROM agent_interval
      UNION ALL SELECT agent, state, since, least(now(), :stop) FROM agent_state) i
WHERE started_at < :stop AND ended_at > :start
GROUP BY 1, 2"""

# Tags that agents gave to the day's calls, each once a call, however often it was said.
_TAGS = """
SELECT e.data ->> 'tag' AS tag, count(DISTINCT e.call_id) AS calls
FROM call_event e JOIN call_account c ON c.call_id = e.call_id
WHERE e.kind = 'tagged' AND c.arrived_at >= :start AND c.arrived_at < :stop
  AND e.day BETWEEN CAST(:start AS date) - 1 AND CAST(:stop AS date) + 2
GROUP BY 1 ORDER BY 2 DESC, 1"""

_BUSY = ("talking", "wrap_up")


def day_report(
    db: Connection,
    day: date,
    service_levels: Mapping[str, float],
    *,
    zone: str = "UTC",
    variant: str = "answered",
) -> dict[str, Any]:
    """Figures of the calls that arrived on ``day`` in the IANA ``zone``.

    ``service_levels`` maps every queue of the plan to its threshold T in seconds; each gets a line, with or
    without calls. ``variant`` is a name of ``metrics.SERVICE_LEVELS`` and chooses the ``service_level``
    of each line; the others stand in ``service_levels``. Shares are 0 to 1 and None without a divisor.
    Raises ZoneInfoNotFoundError, and KeyError for an unknown variant.
    """
    if variant not in {one.name for one in SERVICE_LEVELS}:
        raise KeyError(variant)
    start, stop = bounds(day, zone)
    span = {"start": start, "stop": stop}
    lines = _lines(db, span, service_levels, variant)
    return {
        "day": day.isoformat(),
        "zone": zone,
        "from": start,
        "to": stop,
        "variant": variant,
        "variant_formula": formula(variant),
        "total": lines.pop(None),
        "queues": {str(queue): lines[queue] for queue in sorted(lines, key=str)},
        "agents": _agents(db, span),
        "tags": {tag: count for tag, count in db.execute(text(_TAGS), span)},
    }


def bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """The day's first moment and the next one's; 23 to 25 hours apart."""
    tz = ZoneInfo(zone)
    return (
        datetime.combine(day, time.min, tz),
        datetime.combine(day + timedelta(days=1), time.min, tz),
    )


def _lines(
    db: Connection, span: Mapping[str, Any], levels: Mapping[str, float], variant: str
) -> dict[str | None, dict[str, Any]]:
    rows = _figures(db, span, levels)
    expected = expected_waits(db, span)
    nothing = _figures(db, {"start": span["start"], "stop": span["start"]}, levels)[None]
    gone = [queue for queue in rows if queue is not None and queue not in levels]  # no longer in the plan
    lines: dict[str | None, dict[str, Any]] = {}
    for queue in (None, *levels, *gone):
        row = rows.get(queue, nothing)
        shares = {one.name: row[f"sl_{one.name}"] for one in SERVICE_LEVELS}
        lines[queue] = {one.name: row[one.name] for one in FIGURES} | {
            "t_s": None if queue is None else levels.get(queue, DEFAULT_T),
            "service_level": shares[variant],
            "service_levels": shares,
            "expected_wait": expected.get(queue, dict(NONE)),
        }
    return lines


def _figures(
    db: Connection, span: Mapping[str, Any], levels: Mapping[str, float]
) -> dict[str | None, Mapping[str, Any]]:
    """Per queue, and under None the total, which is there also for a span without calls."""
    figures = [f"{one.sql} AS {one.name}" for one in FIGURES]
    figures += [f"{one.sql} AS sl_{one.name}" for one in SERVICE_LEVELS]
    values = {"queues": list(levels), "ts": [float(t) for t in levels.values()], "default_t": DEFAULT_T}
    found = db.execute(text(_CALLS.format(figures=",\n       ".join(figures))), {**span, **values})
    return {None if row["total"] else row["queue"]: dict(row) for row in found.mappings()}


def _agents(db: Connection, span: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Per agent: legs by result, talk per leg, seconds in each state, and occupancy.

    Occupancy = (talk + wrap-up) / (talk + wrap-up + available); hold counts as talk, ringing as neither.
    """
    agents: dict[str, dict[str, Any]] = {}
    for row in db.execute(text(LEGS), span).mappings():
        line = {name: value for name, value in row.items() if name != "agent"}
        line["mean_talk_s"] = row["talk_s"] / row["answered"] if row["answered"] else None
        agents[row["agent"]] = line
    for agent, state, seconds in db.execute(text(_TIMES), span):
        line = agents.setdefault(agent, _no_legs())
        line.setdefault("states", {})[state] = seconds
    its = scores(db, span)
    for agent, line in agents.items():
        line["score"] = its.pop(agent, dict(NO_SCORE))
    for agent, score in its.items():
        agents[agent] = _no_legs() | {"score": score}
    for line in agents.values():
        states = line.setdefault("states", {})
        busy = sum(states.get(state, 0.0) for state in _BUSY)
        ready = busy + states.get("available", 0.0)
        line["occupancy"] = busy / ready if ready else None
    return dict(sorted(agents.items()))


def _no_legs() -> dict[str, Any]:
    counts: dict[str, Any] = dict.fromkeys(
        ("answered", "missed", "refused", "busy", "unreachable", "withdrawn", "transferred"), 0
    )
    return counts | {"talk_s": 0.0, "hold_s": 0.0, "mean_talk_s": None}
