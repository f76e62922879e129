"""How near the expected waits were to the real ones, and how near ``app_queue``'s formula would have been.

Each ``estimated`` event of a call has what was reckoned and what ``app_queue`` would have said at that
moment. The real wait is from then to the answer in the same stay; who was not answered has none (he might
have waited for longer than anybody knows), and is counted apart. Only estimates are compared that both have
made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

# Near is what helps a caller to decide: off by no more than this, or by no more than the share of the real
# wait.
NEAR_S = 60.0
NEAR_SHARE = 0.5

# The next of these ends the stay that an estimate belongs to. ``seq`` is the order of a call's events;
# ``day`` leaves other months' partitions alone. An answer that was only found later has no moment.
_EXPECTED = """
WITH told AS (
    SELECT e.data ->> 'queue' AS queue, (e.data ->> 'wait_s')::float AS ours,
           (e.data ->> 'app_queue_s')::float AS theirs,
           CASE WHEN n.kind = 'answered' AND n.data ->> 'found' IS NULL
                THEN extract(epoch FROM n.at - e.at)::float END AS waited
    FROM call_account c
    JOIN call_event e ON e.call_id = c.call_id AND e.kind = 'estimated'
         AND e.day BETWEEN CAST(:start AS date) - 1 AND CAST(:stop AS date) + 1
    LEFT JOIN LATERAL (
        SELECT kind, at, data FROM call_event
        WHERE call_id = e.call_id AND seq > e.seq AND day BETWEEN e.day AND e.day + 1
          AND kind IN ('answered', 'queued', 'arrived', 'in_fallback', 'ended')
        ORDER BY seq LIMIT 1
    ) n ON true
    WHERE c.arrived_at >= :start AND c.arrived_at < :stop
), compared AS (
    SELECT *, waited IS NOT NULL AND ours IS NOT NULL AND theirs IS NOT NULL AS fit,
           greatest(:near, :share * waited) AS near
    FROM told
)
SELECT queue, grouping(queue) = 1 AS total,
       count(*) FILTER (WHERE fit) AS compared,
       count(*) FILTER (WHERE waited IS NULL) AS unanswered,
       avg(ours - waited) FILTER (WHERE fit) AS error_s,
       avg(abs(ours - waited)) FILTER (WHERE fit) AS off_s,
       avg((abs(ours - waited) <= near)::int::float) FILTER (WHERE fit) AS near,
       avg(theirs - waited) FILTER (WHERE fit) AS app_queue_error_s,
       avg(abs(theirs - waited)) FILTER (WHERE fit) AS app_queue_off_s,
       avg((abs(theirs - waited) <= near)::int::float) FILTER (WHERE fit) AS app_queue_near
FROM compared GROUP BY GROUPING SETS ((queue), ())"""

NONE: Mapping[str, Any] = {"compared": 0, "unanswered": 0} | dict.fromkeys(
    ("error_s", "off_s", "near", "app_queue_error_s", "app_queue_off_s", "app_queue_near")
)


def expected_waits(db: Connection, span: Mapping[str, Any]) -> dict[str | None, dict[str, Any]]:
    """Per queue with estimates, and under None the total, for the calls that arrived from ``start`` to
    ``stop``.

    Seconds, the real wait subtracted; shares are 0 to 1; None where nothing was compared.
    """
    found = db.execute(text(_EXPECTED), {**span, "near": NEAR_S, "share": NEAR_SHARE}).mappings()
    return {None if row["total"] else row["queue"]: {name: row[name] for name in NONE} for row in found}
