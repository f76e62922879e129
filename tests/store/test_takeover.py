"""The journal is gone: what had been shipped is taken up as the journal itself would have told it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ccbridge.core.memory import Memory
from ccbridge.core.records import AgentEvent, CallClosed, CallEvent, CallOpened, PlanBegan, QueueEvent, Record
from ccbridge.lab.database import Database
from ccbridge.lab.postgres import LabPostgres
from ccbridge.store.journal import Journal
from ccbridge.store.rows import Numbered, store
from ccbridge.store.shipper import Shipper
from ccbridge.store.takeover import take_over

pytestmark = pytest.mark.pg

NOW = float(int(time.time()) - 100)  # whole seconds: the database keeps microseconds


def called(call: str, at: float) -> list[Record]:
    return [
        CallOpened(call, at, "100", "e164", "+302101234567", "2101234567", "Zoë"),
        CallEvent(call, at, "arrived", {"did": "100", "caller_kind": "e164"}),
    ]


def queued(call: str, at: float) -> list[Record]:
    return [
        *called(call, at),
        CallEvent(call, at + 2, "customer", {"customer": 7, "owner": "ben", "last_agent": "anna"}),
        CallEvent(call, at + 3, "queued", {"queue": "sales", "priority": 5, "since": at + 2.75}),
        CallEvent(call, at + 3, "holding", {"queue": "sales"}),
    ]


def offered(call: str, offer: str, agent: str, at: float) -> list[Record]:
    data = {"offer": offer, "agent": agent, "queue": "sales", "recording": f"2026/11/22/{call}-{offer}"}
    return [
        CallEvent(call, at, "offered", data),
        AgentEvent(agent, at, "offered", "", call, {"in": True, "offer": offer}),
        CallEvent(call, at + 1, "ringing", {"offer": offer, "agent": agent}),
    ]


def answered(call: str, offer: str, agent: str, at: float) -> list[Record]:
    return [
        *offered(call, offer, agent, at),
        CallEvent(call, at + 4, "answered", {"offer": offer, "agent": agent, "queue": "sales"}),
        AgentEvent(agent, at + 4, "talking", "", call, {"in": True, "offer": offer}),
    ]


def closed(call: str, at: float, ended_by: str = "caller") -> list[Record]:
    account = CallClosed(
        call, at, at - 60, "100", "sales", 5, at - 50, at - 40, "anna", 10.0, 40.0, 1, 7, "answered", ended_by
    )
    return [CallEvent(call, at, "ended", {"disposition": "answered", "ended_by": ended_by}), account]


IN = {"in": True}
HISTORY: list[Record] = [
    QueueEvent("sales", NOW - 30, "paused", "sue"),
    QueueEvent("sales", NOW - 29, "set", "sue", {"key": "ring", "value": 9.0, "before": 15.0, "file": 15.0}),
    QueueEvent("help", NOW - 28, "draining", "sue"),
    QueueEvent("help", NOW - 27, "resumed", "sue"),
    PlanBegan(NOW - 20, "aaaaaaaaaa", {"queues": {}}),
    PlanBegan(NOW - 10, "bbbbbbbbbb", {"queues": {}}),
    *(AgentEvent(one, NOW - 9, "available", "", None, IN) for one in ("anna", "ben", "chloe", "dan")),
    AgentEvent("dan", NOW - 8, "paused", "lunch", None, {"in": True, "pause": "lunch"}),
    AgentEvent("eve", NOW - 7, "logged_out", "", None, {"in": False}),
    AgentEvent("fay", NOW - 7, "unreachable", "dead", None, IN | {"until": NOW + 60, "dead_offers": 2}),
    *called("menu", NOW),
    *queued("waits", NOW),
    *queued("rings", NOW + 1),
    *offered("rings", "o1", "ben", NOW + 5),
    *queued("talks", NOW + 2),
    *answered("talks", "o2", "chloe", NOW + 6),
    *queued("was", NOW + 3),
    *answered("was", "o3", "anna", NOW + 7),
    CallEvent("was", NOW + 20, "offer_ended", {
        "offer": "o3", "agent": "anna", "result": "talked", "from": NOW + 11, "to": NOW + 20, "talk_s": 9.0,
        "hold_s": 0.0, "end": "caller",
    }),
    AgentEvent("anna", NOW + 20, "wrap_up", "", "was", {"in": True, "until": NOW + 90.5}),
    *closed("was", NOW + 20),
    *queued("fell back", NOW + 4),
    CallEvent("fell back", NOW + 40, "in_fallback", {}),
    CallEvent("fell back", NOW + 50, "fallback_answered", {}),
]  # fmt: skip


def ship(db: Database, records: list[Record], first: int = 1, node: uuid.UUID | None = None) -> None:
    node = node or uuid.uuid4()
    with psycopg.connect(db.url) as at:
        numbered = [Numbered(seq, record) for seq, record in enumerate(records, first)]
        store(at, node, numbered)
        at.execute("INSERT INTO ship_position VALUES (%s, %s, now())", (node, numbered[-1].seq))


def folded(records: list[Record]) -> Memory:
    memory = Memory()
    for record in records:
        memory.apply(record)
    return memory


@pytest.fixture
def fresh(pg_server: str) -> Iterator[Database]:
    with Database(pg_server) as database:
        yield database


async def test_an_empty_database_knows_nothing(fresh: Database) -> None:
    memory, last = await take_over(fresh.url, 5.0)
    assert (memory.dump(), last) == (Memory().dump(), 0)


async def test_the_rows_add_up_to_what_the_journal_would_have_told(fresh: Database) -> None:
    ship(fresh, HISTORY)
    memory, last = await take_over(fresh.url, 5.0)
    assert last == len(HISTORY)
    assert memory.dump() == folded(HISTORY).dump()
    assert memory.controls["sales"] == {"paused": True, "draining": False, "set": {"ring": [9.0, 15.0]}}
    assert memory.plan == "bbbbbbbbbb"
    pace = memory.queues["sales"]
    assert (pace["talks"], pace["talk"], pace["answers"], pace["ring"]) == (1, 9.0, 2, 4.0)
    assert set(memory.calls) == {"menu", "waits", "rings", "talks", "fell back"}
    assert memory.calls["rings"]["offer"]["rang"]
    assert memory.agents["anna"]["last_offer"] == "o3"
    assert (memory.agents["anna"]["talks"], memory.agents["anna"]["turns"]) == (1, {"sales": NOW + 7})


async def test_over_two_journals_the_numbers_keep_the_order(fresh: Database) -> None:
    """A call that began in a journal which is gone, and went on in the next one."""
    ship(fresh, HISTORY, node=uuid.UUID(int=2))
    rest: list[Record] = [
        CallEvent("rings", NOW + 30, "offer_ended", {"offer": "o1", "agent": "ben", "result": "missed"}),
        AgentEvent("ben", NOW + 30, "cooldown", "missed", None, {"in": True, "until": NOW + 95}),
        CallEvent("rings", NOW + 31, "holding", {"queue": "sales"}),
    ]
    ship(fresh, rest, first=1_000_100, node=uuid.UUID(int=1))
    memory, last = await take_over(fresh.url, 5.0)
    assert last == 1_000_102
    assert memory.dump() == folded(HISTORY + rest).dump()


async def test_an_old_log_in_is_still_one(fresh: Database) -> None:
    """What an agent is doing counts however long ago he began."""
    ago = NOW - 20 * 86_400
    records: list[Record] = [
        AgentEvent("anna", ago, "available", "", None, {"in": True}),
        AgentEvent("anna", ago + 60, "paused", "lunch", None, {"in": True, "pause": "lunch"}),
    ]
    ship(fresh, records)
    memory, _ = await take_over(fresh.url, 5.0)
    assert (memory.agents["anna"]["pause"], memory.agents["anna"]["at"]) == ("lunch", ago + 60)


async def test_a_frozen_database_is_not_waited_for(own_server: LabPostgres) -> None:
    with Database(own_server.url) as database:
        own_server.pause()
        begun = time.monotonic()
        with pytest.raises(psycopg.Error):
            await take_over(database.url, 1.0)
        assert time.monotonic() - begun < 8.0
        own_server.resume()


async def test_a_journal_that_goes_on_for_another(db: Database, tmp_path: Path) -> None:
    memory = folded(HISTORY)
    journal = Journal.open(tmp_path, checkpoint=memory.dump)
    assert journal.recover() == (None, [])
    journal.resume(2_000_000)
    shipper = Shipper(journal, db.url)
    assert shipper.lag_records == 0
    event = AgentEvent("gus", NOW, "available", "", None, {"in": True})
    memory.apply(event)
    assert journal.append([event]) == 2_000_001
    assert shipper.lag_records == 1
    task = asyncio.create_task(shipper.run())
    while shipper.lag_records:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    journal.close()
    with psycopg.connect(db.url) as at:
        assert at.execute("SELECT seq FROM agent_event WHERE agent = 'gus'").fetchall() == [(2_000_001,)]
        assert at.execute("SELECT seq FROM ship_position").fetchall() == [(2_000_001,)]
    again = Journal.open(tmp_path)
    state, records = again.recover()
    assert state == folded(HISTORY).dump()
    assert records == [event]
    assert (again.base, again.last_seq) == (2_000_000, 2_000_001)
    assert Shipper(again, db.url).lag_records == 0
    again.close()


def test_a_journal_with_records_goes_on_for_no_other(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.append([AgentEvent("anna", NOW, "available")])
    with pytest.raises(ValueError, match="records of its own"):
        journal.resume(100)
    journal.close()
