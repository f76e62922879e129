"""What supervisors gave an agent: the score cards that were filled in within a span."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

# Of one call, agent and supervisor the last card of the span stands.
_SCORES = """
SELECT agent, count(*) AS cards, avg(total) AS mean, count(*) FILTER (WHERE failed > 0) AS failed
FROM (SELECT DISTINCT ON (call_id, agent, who) agent, total, failed FROM score_card
      WHERE at >= :start AND at < :stop
      ORDER BY call_id, agent, who, at DESC, seq DESC) one
GROUP BY agent ORDER BY agent"""

NONE: Mapping[str, Any] = {"cards": 0, "mean": None, "failed": 0}


def scores(db: Connection, span: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Per agent: ``cards``; ``mean``, their totals / cards, 0-100; ``failed``, those with a critical item."""
    rows = db.execute(text(_SCORES), span).mappings()
    return {row["agent"]: {name: row[name] for name in NONE} for row in rows}
