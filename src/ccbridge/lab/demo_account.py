"""What the demo's calls came to: figures from the database, and the recordings heard."""

import math
import time
import wave
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ccbridge.lab.tones import FRAME, SHARE, share

SETTLE_LIMIT_S = 20.0
#: of a recording's frames: so many hold the tone that belongs there, the rest is its first and last breath
MOSTLY = 0.8

# From "this caller holds" to the ringing of the offer that this very moment made, because an agent was free.
# Both are Asterisk's own stamps; offers that began with an agent becoming free have another moment.
ROUTES = """
SELECT extract(epoch FROM rang.at - held.at)::float * 1000 AS ms
FROM call_event offered
JOIN call_event held ON held.call_id = offered.call_id AND held.kind = 'holding' AND held.at = offered.at
JOIN call_event rang ON rang.call_id = offered.call_id AND rang.kind = 'ringing'
     AND rang.data ->> 'offer' = offered.data ->> 'offer'
WHERE offered.kind = 'offered'"""

FIGURES = """
SELECT (SELECT count(*) FROM call WHERE disposition = 'answered') AS calls_answered,
       (SELECT count(*) FROM call WHERE disposition = 'abandoned') AS calls_abandoned,
       (SELECT count(*) FROM cdr) AS cdrs,
       (SELECT count(*) FROM customer WHERE created_by_call IS NOT NULL) AS customers_created,
       (SELECT count(*) FROM ticket) AS tickets,
       (SELECT count(*) FROM recording WHERE state = 'ready') AS recordings"""

UNSETTLED = """
SELECT (SELECT count(*) FROM call) AS calls,
       (SELECT count(*) FROM call_opened) AS open,
       (SELECT count(*) FROM cdr) AS cdrs,
       (SELECT count(*) FROM recording WHERE state IN ('writing', 'ended')) AS unfinished"""

CALLS = """
SELECT c.call_id, c.arrived_at, coalesce(customer.name, c.caller_e164, c.caller_kind) AS caller,
       c.queue, c.agent, c.offers, c.wait_s, c.talk_s, c.disposition, c.ended_by,
       t.state AS ticket, t.outcome_set
FROM call c LEFT JOIN customer ON customer.id = c.customer_id LEFT JOIN ticket t USING (call_id)
ORDER BY c.arrived_at"""

RECORDINGS = """
SELECT r.path, r.agent, coalesce(c.caller_e164, 'anonymous') AS caller
FROM recording r JOIN call c USING (call_id) WHERE r.state = 'ready' ORDER BY r.started_at"""


class Account:
    """Reads the demo's database as its owner."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """All rows of a query."""
        with psycopg.connect(self._url, row_factory=dict_row) as db:
            return db.execute(sql).fetchall()

    def add_customers(self, known: Mapping[str, str]) -> None:
        """Customers whom the site knew before: E.164 number and name."""
        with psycopg.connect(self._url) as db:
            for number, name in known.items():
                db.execute(
                    "WITH one AS (INSERT INTO customer (name, created_at) VALUES (%s, now()) RETURNING id)"
                    " INSERT INTO phone_number (e164, customer_id) SELECT %s, id FROM one",
                    (name, number),
                )

    def settle(self, placed: int, cdr_file: Path, lag: Callable[[], int]) -> str:
        """Until all rows and recordings of ``placed`` calls have arrived; what is missing then, or ""."""
        deadline = time.monotonic() + SETTLE_LIMIT_S
        while True:
            state = self.rows(UNSETTLED)[0]
            written = len(cdr_file.read_text().splitlines())
            behind = lag()
            if (state["calls"], state["open"], state["unfinished"], state["cdrs"], behind) == (
                placed, 0, 0, written, 0,
            ):  # fmt: skip
                return ""
            if time.monotonic() > deadline:
                return (
                    f"after {SETTLE_LIMIT_S:.0f} s: {state['calls']} of {placed} calls, "
                    f"{state['open']} open, {state['cdrs']} of {written} CDRs, "
                    f"{state['unfinished']} recordings unfinished, {behind} records to ship"
                )
            time.sleep(0.1)

    def figures(self) -> dict[str, Any]:
        """The summary's figures that stand in the database."""
        times = sorted(row["ms"] for row in self.rows(ROUTES))
        return {**self.rows(FIGURES)[0], "route_ms": {"p50": _rank(times, 0.5), "p99": _rank(times, 0.99)}}

    def verified(
        self, recordings: Path, agent_tones: Mapping[str, int], caller_tones: Mapping[str, int]
    ) -> int:
        """How many recordings have the caller's tone on the left only, and the agent's on the right only."""
        return sum(
            _sides_right(
                recordings / f"{row['path']}.wav", caller_tones[row["caller"]], agent_tones[row["agent"]]
            )
            for row in self.rows(RECORDINGS)
        )


def _rank(ordered: list[float], part: float) -> float | None:
    """The nearest-rank percentile, in ms to the microsecond; None of nothing."""
    return round(ordered[max(0, math.ceil(part * len(ordered)) - 1)], 3) if ordered else None


def _sides_right(path: Path, caller: int, agent: int) -> bool:
    with wave.open(str(path), "rb") as sound:
        if sound.getnchannels() != 2:
            return False
        both = array("h", sound.readframes(sound.getnframes()))
    left, right = both[0::2], both[1::2]
    return (
        _part(left, caller) > MOSTLY
        and _part(right, agent) > MOSTLY
        and _part(left, agent) == 0
        and _part(right, caller) == 0
    )


def _part(data: "array[int]", frequency: int) -> float:
    """The part of the frames that hold the tone."""
    frames = [data[start : start + FRAME] for start in range(0, len(data) - FRAME + 1, FRAME)]
    return sum(share(frame, frequency) > SHARE for frame in frames) / max(1, len(frames))
