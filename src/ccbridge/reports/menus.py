"""Where callers go in the menus, and where they leave: from each call's events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, text

from ccbridge.core.ivr import STAYS
from ccbridge.reports.day import bounds

# Events of calls that arrived on the day; one may last into the next. Version 0.1.0 told no flow.
_EVENTS = """
WITH ended AS (
    SELECT call_id, disposition, ended_by FROM call_account
    WHERE arrived_at >= :start AND arrived_at < :stop
), step AS (
    SELECT e.call_id, e.node, e.seq, coalesce(e.data ->> 'flow', '') AS flow, e.data ->> 'step' AS step,
           e.data ->> 'result' AS result
    FROM call_event e JOIN ended USING (call_id)
    WHERE e.kind = 'menu_step' AND e.at >= :start AND e.at < :stop + interval '1 day'
)"""
_STEPS = f"{_EVENTS} SELECT flow, step, result, count(*) AS times FROM step GROUP BY 1, 2, 3"
_LEFT = f"""{_EVENTS}
SELECT flow, step, result, count(*) AS calls FROM (
    SELECT DISTINCT ON (call_id) call_id, flow, step, result FROM step ORDER BY call_id, node, seq DESC
) last JOIN ended USING (call_id)
WHERE disposition = 'menu_ended' AND ended_by = 'caller' AND flow <> ''
GROUP BY 1, 2, 3"""


def menus_report(db: Connection, day: date, *, zone: str) -> dict[str, Any]:
    """Of each flow's steps: ``came`` (how often callers came to it), ``time_out``, ``invalid``, ``left`` (who
    hung up there). ``day`` and its bounds are of ``zone``.
    """
    start, stop = bounds(day, zone)
    during = {"start": start, "stop": stop}
    flows: dict[str, dict[str, dict[str, int]]] = {}
    for row in map(dict, db.execute(text(_STEPS), during).mappings()):
        if row["flow"] and _moves(row):
            _line(flows, row["flow"], row["result"])["came"] += row["times"]
        if row["step"] and row["result"] in ("time_out", "invalid"):
            _line(flows, row["flow"], row["step"])[row["result"]] += row["times"]
    for row in map(dict, db.execute(text(_LEFT), during).mappings()):
        _line(flows, row["flow"], _at(row))["left"] += row["calls"]
    return {"day": day.isoformat(), "zone": zone, "flows": flows}


def _at(row: Mapping[str, Any]) -> str:
    """The step at which the caller is after this event."""
    return str(row["result"] if _moves(row) else row["step"])


def _moves(row: Mapping[str, Any]) -> bool:
    """Whether its result is a step of the same flow: no name of a step has a blank."""
    return row["result"] not in (*STAYS, "too_long", "back", "return") and " " not in row["result"]


def _line(flows: dict[str, dict[str, dict[str, int]]], flow: str, step: str) -> dict[str, int]:
    empty = {"came": 0, "time_out": 0, "invalid": 0, "left": 0}
    return flows.setdefault(flow, {}).setdefault(step, empty)
