"""What people ask, over rows that the shipper made."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from ccbridge.core.records import (
    CallClosed,
    CallEvent,
    CallOpened,
    Record,
    RecordingEnded,
    RecordingStarted,
    TicketOutcome,
)
from ccbridge.lab.database import Database
from ccbridge.store import queries
from ccbridge.store.journal import Journal
from ccbridge.store.shipper import Shipper

pytestmark = pytest.mark.pg

T0 = 1763774000.0
KNOWN, NEW = "+302101234567", "+447700900123"


def a_call(call: str, e164: str | None, at: float, **more: Any) -> list[Record]:
    values: dict[str, Any] = {
        "at": at + 60, "arrived": at, "did": "100", "queue": "sales", "priority": 0, "queued_at": at + 5,
        "answered_at": at + 20, "agent": "anna", "wait": 15.0, "talk": 40.0, "offers": 1, "customer": None,
        "disposition": "answered", "ended_by": "caller",
    }  # fmt: skip
    return [
        CallOpened(call, at, "100", "e164" if e164 else "anonymous", e164, e164 or "anonymous", ""),
        CallEvent(call, at, "arrived", {"did": "100"}),
        RecordingStarted(call, "o1", "anna", at + 20, f"{call}/o1"),
        RecordingEnded(call, "o1", at + 60, answered=True),
        CallEvent(call, at + 60, "ended", {}),
        CallClosed(call, **(values | more)),
    ]


@pytest.fixture(scope="module")
def shipped(db: Database, tmp_path_factory: pytest.TempPathFactory) -> str:
    with queries.reading(db.url) as store:
        queries.save_customer(store, KNOWN, "Zoë")
    journal = Journal.open(tmp_path_factory.mktemp("journal") / "j")
    journal.append(a_call("1.1", KNOWN, T0))
    journal.append([TicketOutcome("1.1", "anna", T0 + 61, "resolved")])
    journal.append(a_call("1.2", NEW, T0 + 100, agent="bob", queue="support"))
    journal.append(a_call("1.3", None, T0 + 200, agent=None, disposition="abandoned", talk=0.0))
    journal.append([CallOpened("1.4", T0 + 300, "100", "e164", KNOWN, KNOWN, "")])

    async def ship() -> None:
        shipper = Shipper(journal, db.url)
        task = asyncio.create_task(shipper.run())
        deadline = time.monotonic() + 20
        while True:
            if shipper.lag_records == 0 or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.02)
        assert shipper.lag_records == 0
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ship())
    journal.close()
    return db.url


@pytest.fixture
def store(shipped: str) -> Any:
    with queries.reading(shipped) as connection:
        yield connection


def ids(rows: list[queries.Row]) -> list[str]:
    return [row["call_id"] for row in rows]


def test_a_customer_with_his_history(store: Connection) -> None:
    zoe = queries.customer_by_number(store, KNOWN)
    assert zoe is not None
    assert (zoe["name"], zoe["numbers"]) == ("Zoë", [KNOWN])
    assert ids(zoe["calls"]) == ["1.4", "1.1"]  # the open one first
    assert [(t["call_id"], t["state"], t["outcome_set"]) for t in zoe["tickets"]] == [
        ("1.4", "open", False),
        ("1.1", "resolved", True),
    ]
    other = queries.customer_by_number(store, NEW)
    assert other is not None
    assert other["name"] == NEW
    assert queries.customer_by_number(store, "+15550100") is None


def test_naming_a_customer_keeps_him(store: Connection) -> None:
    before = queries.save_customer(store, NEW, "Ada")
    assert queries.save_customer(store, NEW, "Ada B") == before
    found = queries.customer_by_number(store, NEW)
    assert found is not None
    assert (found["id"], found["name"]) == (before, "Ada B")
    store.rollback()


def test_lists_and_their_filters(store: Connection) -> None:
    assert ids(queries.calls(store)) == ["1.3", "1.2", "1.1"]
    assert ids(queries.calls(store, queue="support")) == ["1.2"]
    assert ids(queries.calls(store, agent="anna")) == ["1.1"]
    assert ids(queries.calls(store, disposition="abandoned")) == ["1.3"]
    assert ids(queries.calls(store, limit=1)) == ["1.3"]
    moment = queries.calls(store)[1]["arrived_at"]
    assert ids(queries.calls(store, since=moment)) == ["1.3", "1.2"]
    assert ids(queries.calls(store, until=moment)) == ["1.1"]
    assert ids(queries.open_calls(store)) == ["1.4"]
    assert ids(queries.tickets(store)) == ["1.4", "1.3", "1.2", "1.1"]
    assert ids(queries.tickets(store, state="resolved")) == ["1.1"]
    assert ids(queries.tickets(store, agent="bob")) == ["1.2"]


def test_one_call_and_one_ticket(store: Connection) -> None:
    one = queries.call_by_id(store, "1.1")
    assert one is not None
    assert (one["customer"], one["caller_e164"], one["wait_s"]) == ("Zoë", KNOWN, 15.0)
    assert [event["kind"] for event in one["events"]] == ["arrived", "ended"]
    assert [found["path"] for found in one["recordings"]] == ["1.1/o1"]
    ticket = queries.ticket_by_id(store, one["ticket"]["id"])
    assert ticket is not None
    assert (ticket["customer"], ticket["caller_e164"], ticket["call"]["call_id"]) == ("Zoë", KNOWN, "1.1")
    going_on = queries.call_by_id(store, "1.4")
    assert going_on is not None
    assert "ended_at" not in going_on
    assert queries.call_by_id(store, "9.9") is None
    assert queries.ticket_by_id(store, 10**6) is None


def test_recordings_by_number_and_by_call(store: Connection) -> None:
    of_call = queries.recordings_of(store, "1.2")
    assert [found["agent"] for found in of_call] == ["anna"]
    assert queries.recordings_of(store, str(of_call[0]["id"])) == of_call
    assert queries.recordings_of(store, "9" * 30) == []
    assert len(queries.recordings(store, state="ended")) == 3


def test_a_database_that_is_away_is_one_sentence(pg: str, tmp_path: Path) -> None:
    with (
        pytest.raises(queries.StoreAway, match=r"127\.0\.0\.1:1/none does not answer") as caught,
        queries.reading("postgresql://u:secret@127.0.0.1:1/none") as db,
    ):
        queries.calls(db)
    assert "secret" not in str(caught.value)
    with pytest.raises(queries.StoreAway, match="db status"), queries.reading(pg) as db:
        queries.calls(db)
    with pytest.raises(queries.StoreAway, match=r"database\.url"), queries.reading(""):
        pass
