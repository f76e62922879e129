"""What makes the daemon unhealthy, what only degraded, and what neither."""

from __future__ import annotations

from typing import Any

import pytest

from ccbridge.health import DRIFT_KEPT, SHIP_LAG, STALLED_AFTER, judge

WELL: dict[str, Any] = {
    "link": {"up": True},
    "ami": "live",
    "loop_silent_s": 1.9,
    "journal_trouble": "",
    "journal_unwritten": 0,
    "journal_dropped": 0,
    "draining": False,
    "ship_trouble": "",
    "ship_lag_s": 0.4,
    "ship_rejected": 0,
    "inbox": 3,
    "cdr_unmapped": 0,
    "drift_age_s": None,
}


def test_well() -> None:
    assert judge(WELL).as_dict() == {"health": "healthy", "reasons": []}
    assert judge(WELL, STALLED_AFTER - 2).word == "healthy"
    assert judge(WELL | {"drift_age_s": DRIFT_KEPT}).word == "healthy"


@pytest.mark.parametrize(
    ("word", "change", "reason"),
    [
        (
            "unhealthy",
            {"link": {"up": False}, "ami": "connecting"},
            "no link to Asterisk (AMI is connecting)",
        ),
        ("unhealthy", {"journal_trouble": "no room on the disk"}, "not being written: no room on the disk"),
        ("unhealthy", {"journal_unwritten": 7}, "7 records of the journal wait"),
        ("unhealthy", {"loop_silent_s": STALLED_AFTER + 1}, "stood still for 7 s"),
        ("degraded", {"draining": True}, "`ccbridge drain --off`"),
        ("degraded", {"ship_trouble": "connection refused"}, "database is away: connection refused"),
        ("degraded", {"ship_lag_s": SHIP_LAG + 1}, "61 s behind"),
        ("degraded", {"ship_rejected": 2}, "ship_reject"),
        ("degraded", {"journal_dropped": 5}, "5 records were lost"),
        ("degraded", {"drift_age_s": 12.4}, "difference from Asterisk 12 s ago"),
        ("degraded", {"inbox": 5000}, "5000 inputs wait"),
        ("degraded", {"cdr_unmapped": 1}, "cdr_manager.conf"),
    ],
)
def test_each_reason(word: str, change: dict[str, Any], reason: str) -> None:
    health = judge(WELL | change)
    assert health.word == word
    assert reason in health.reasons[0]
    assert len(health.reasons) == 1


def test_the_worst_word_counts_and_every_reason_is_told() -> None:
    health = judge(WELL | {"draining": True, "link": {"up": False}}, stale=30.0)
    assert health.word == "unhealthy"
    assert [reason.split()[0] for reason in health.reasons] == ["the", "no", "draining:"]
