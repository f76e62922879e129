"""Is the daemon well? One word and the reasons, from what ``status`` tells.

*unhealthy*: calls are not routed, or what is decided is not kept; somebody should get up at night.
*degraded*: calls are routed and kept, but something needs a look. *healthy*: neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Word = Literal["healthy", "degraded", "unhealthy"]

STALLED_AFTER = 6.0  # seconds without a sign of life of the routing loop, which gives one each 2 s
SHIP_LAG = 60.0  # seconds that the database may be behind: a restart of PostgreSQL is shorter
DRIFT_KEPT = 300.0  # seconds that a difference from Asterisk is told; it is mended at once
INBOX = 2_000  # inputs waiting: a second of decisions at the highest rate


@dataclass(frozen=True, slots=True)
class Health:
    """``reasons`` is empty when healthy; the first ones are those that made the word."""

    word: Word
    reasons: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {"health": self.word, "reasons": list(self.reasons)}


def judge(status: Mapping[str, Any], stale: float = 0.0) -> Health:
    """``status`` is the data of the daemon's answer; ``stale`` is its age in seconds."""
    bad = list(_unhealthy(status, stale))
    weak = list(_degraded(status))
    word: Word = "unhealthy" if bad else "degraded" if weak else "healthy"
    return Health(word, (*bad, *weak))


def _unhealthy(status: Mapping[str, Any], stale: float) -> Iterator[str]:
    silent = stale + status["loop_silent_s"]
    if silent > STALLED_AFTER:
        yield f"the routing loop has stood still for {silent:.0f} s"
    if not status["link"]["up"]:
        yield f"no link to Asterisk (AMI is {status['ami']}): no call is routed"
    if status["journal_trouble"]:
        yield f"the journal is not being written: {status['journal_trouble']}"
    elif status["journal_unwritten"]:
        yield f"{status['journal_unwritten']} records of the journal wait for the disk"


def _degraded(status: Mapping[str, Any]) -> Iterator[str]:
    if status["draining"]:
        yield "draining: new callers go to the fallback queue (`ccbridge drain --off` ends it)"
    if status["ship_trouble"]:
        yield f"the database is away: {status['ship_trouble']}"
    elif status["ship_lag_s"] > SHIP_LAG:
        yield f"the database is {status['ship_lag_s']:.0f} s behind"
    if status["inbox"] > INBOX:
        yield f"{status['inbox']} inputs wait to be decided"
    drift = status["drift_age_s"]
    if drift is not None and drift < DRIFT_KEPT:
        yield f"a sweep found a difference from Asterisk {drift:.0f} s ago (the log says `drift`)"
    if status["journal_dropped"]:
        yield f"{status['journal_dropped']} records were lost while the disk was full"
    if status["ship_rejected"]:
        yield f"the database refused {status['ship_rejected']} records (table ship_reject)"
    if status["cdr_unmapped"]:
        yield "CDRs come without their sequence: include cdr_manager_ccbridge.conf in cdr_manager.conf"
