"""The report's expected waits: the example of docs/reports.md, stays, and who was not answered."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from ccbridge.core.records import CallClosed, CallEvent, CallOpened, Record
from ccbridge.lab.database import Database
from ccbridge.lab.lab import PROJECT
from ccbridge.reports.day import day_report
from ccbridge.reports.expected import NEAR_S, NONE
from ccbridge.store.queries import reading
from ccbridge.store.rows import Numbered, store

pytestmark = pytest.mark.pg

DAY = date(2026, 7, 8)
NOON = datetime(2026, 7, 8, 12, tzinfo=UTC).timestamp()


def estimate(
    call: str, at: float, wait: float | None, other: float | None, queue: str = "sales"
) -> CallEvent:
    data = {"queue": queue, "position": 1, "wait_s": wait, "app_queue_s": other, "said": [0, 0]}
    return CallEvent(call, at, "estimated", data)


def came(call: str, at: float) -> list[Record]:
    return [
        CallOpened(call, at, "100", "anonymous", None, "", ""),
        CallEvent(call, at, "arrived", {"did": "100", "caller_kind": "anonymous"}),
        CallEvent(call, at, "queued", {"queue": "sales", "priority": 0, "since": at}),
    ]


def ended(call: str, at: float, answered: float | None, queue: str = "sales") -> list[Record]:
    how = "abandoned" if answered is None else "answered"
    wait = 1.0 if answered is None else answered
    account = CallClosed(
        call,
        at + 500,
        at,
        "100",
        queue,
        0,
        at,
        answered and at + answered,
        None,
        wait,
        0.0,
        1,
        None,
        how,
        "caller",
    )
    return [CallEvent(call, at + 500, "ended", {"disposition": how, "ended_by": "caller"}), account]


def answer(call: str, at: float, **more: bool) -> CallEvent:
    return CallEvent(call, at, "answered", {"offer": "o1", "agent": "anna", "queue": "sales", **more})


def told(db: Database, records: list[Record], day: date = DAY) -> dict[str, dict[str, float]]:
    with psycopg.connect(db.url) as at:
        (last,) = at.execute("SELECT coalesce(max(seq), 0) FROM call_event").fetchone() or (0,)
        store(at, uuid.uuid4(), [Numbered(seq, record) for seq, record in enumerate(records, last + 1)])
    with reading(db.url) as connection:
        report = day_report(connection, day, {"sales": 20, "help": 20})
    return {name: line["expected_wait"] for name, line in (*report["queues"].items(), ("", report["total"]))}


def test_the_example_of_the_page(db: Database) -> None:
    records: list[Record] = []
    for n, (wait, real) in enumerate(((120.0, 100), (40.0, 130), (300.0, 200))):
        call, at = f"e{n}", NOON + n
        records += [
            *came(call, at),
            estimate(call, at, wait, 90.0),
            answer(call, at + real),
            *ended(call, at, real),
        ]
    found = told(db, records)
    page = (PROJECT / "docs" / "reports.md").read_text()
    rows = dict(re.findall(r"^\| ([a-z_]+) \| [^|]+ \| [^|]*?([\d.]+)(?: s)? \|$", page, re.M))
    for name in ("compared", "unanswered", "error_s", "off_s", "near"):
        assert found["sales"][name] == pytest.approx(float(rows[name]), abs=0.001), name
    assert found["sales"]["app_queue_error_s"] == pytest.approx(-53.33, abs=0.01)
    assert found["sales"]["app_queue_off_s"] == pytest.approx(53.33, abs=0.01)
    assert found["sales"]["app_queue_near"] == pytest.approx(2 / 3)
    assert found[""] == found["sales"]
    assert found["help"] == NONE
    assert NEAR_S == 60


def test_each_estimate_counts_for_its_own_stay(db: Database) -> None:
    at = NOON + 86_400
    moved = {"queue": "help", "priority": 0, "since": at + 50}
    records: list[Record] = [
        *came("s1", at),
        estimate("s1", at, 100.0, 10.0),
        estimate("s1", at + 30, 70.0, 20.0),  # told once more
        CallEvent("s1", at + 50, "queued", moved),  # not answered in that stay
        estimate("s1", at + 50, 30.0, 40.0, "help"),
        answer("s1", at + 80),
        *ended("s1", at, 30, "help"),
        *came("s2", at + 1),  # hung up
        estimate("s2", at + 1, 60.0, 60.0),
        *ended("s2", at + 1, None),
        *came("s3", at + 2),  # nobody was there to reckon with, or had been answered yet
        estimate("s3", at + 2, None, 60.0),
        estimate("s3", at + 3, 60.0, None),
        answer("s3", at + 9),
        *ended("s3", at + 2, 7),
        *came("s4", at + 3),  # nobody saw when he was answered
        estimate("s4", at + 3, 60.0, 60.0),
        answer("s4", at + 99, found=True),
        *ended("s4", at + 3, 96),
    ]
    found = told(db, records, DAY + timedelta(days=1))
    assert (found["sales"]["compared"], found["sales"]["unanswered"]) == (0, 4)
    assert found["sales"]["error_s"] is None
    assert (found["help"]["compared"], found["help"]["unanswered"]) == (1, 0)
    assert (found["help"]["error_s"], found["help"]["app_queue_error_s"]) == (0.0, 10.0)
    assert (found[""]["compared"], found[""]["unanswered"]) == (1, 4)
