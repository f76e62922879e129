"""What is counted as it happens, in the routing loop: plain additions, read by the publisher in that loop.

Labels are queue names of the configuration and the enumerations of ``core``: never a caller, an agent, an id.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ccbridge.core.plan import QueuePlan
from ccbridge.core.records import CallClosed, CallEvent, Record, name_of

NO_QUEUE = "none"  # a call that ended before it had one
DECISION_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0)  # seconds
LAG_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)  # seconds


class Spread:
    """A histogram: how many values were up to each bound (seconds), and above the last."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def copy(self) -> Spread:
        one = Spread(self.bounds)
        one.counts, one.sum = list(self.counts), self.sum
        return one


class Tally:
    """Since the daemon's start. ``add`` is called with every record that is written."""

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()  # type
        self.offers: Counter[str] = Counter()  # result
        self.closed: Counter[tuple[str, str]] = Counter()  # queue, disposition
        self.in_time: Counter[str] = Counter()  # queue: answered within its service level
        self.decisions = Spread(DECISION_BOUNDS)
        self.lag = Spread(LAG_BOUNDS)

    def add(self, record: Record, queues: Mapping[str, QueuePlan]) -> None:
        self.records[name_of(record)] += 1
        if isinstance(record, CallEvent) and record.kind == "offer_ended":
            self.offers[record.data["result"]] += 1
        elif isinstance(record, CallClosed):
            self.closed[record.queue or NO_QUEUE, record.disposition] += 1
            queue = queues.get(record.queue or "")
            # not who has an ``answered_at``: the PBX's fallback queue, or a former one, may have answered
            wait = record.wait if record.disposition == "answered" else None
            if queue is not None and wait is not None and wait <= queue.service_level:
                self.in_time[queue.name] += 1

    def since_start(self, queue: str) -> dict[str, Any]:
        """One queue's calls that are over, for the control socket.

        ``service_level`` is 0 to 1, the variant "answered" of ``reports.metrics``: answered in time /
        answered; None as long as nobody was answered. A call that was in several queues counts in the last.
        """
        answered = self.closed[queue, "answered"]
        return {
            "answered": answered,
            "abandoned": self.closed[queue, "abandoned"],
            "in_time": self.in_time[queue],
            "service_level": round(self.in_time[queue] / answered, 4) if answered else None,
        }

    def copy(self) -> Tally:
        """As it stands, for another thread."""
        one = Tally()
        for name in ("records", "offers", "closed", "in_time"):
            setattr(one, name, getattr(self, name).copy())
        one.decisions, one.lag = self.decisions.copy(), self.lag.copy()
        return one
