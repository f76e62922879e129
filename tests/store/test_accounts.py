"""Channel events in PostgreSQL, the accounts made of them, and the one account of each call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from ccbridge.core.records import CallClosed, CallEvent, CallOpened
from ccbridge.gaps import accounts
from ccbridge.gaps.copying import connect
from ccbridge.gaps.lines import CelRow
from ccbridge.lab.database import Database
from ccbridge.reports.day import day_report
from ccbridge.store.queries import call_by_id, calls, reading
from ccbridge.store.rows import Db, Numbered, store

pytestmark = pytest.mark.pg

T0 = 1795323828.0
DAY = date(2026, 11, 22)
AGENTS = {"PJSIP/1001": "anna"}
QUEUES = {"sales"}
NODE = UUID(int=9)


@pytest.fixture
def link(db: Database) -> Iterator[Db]:
    """The database without calls, tickets and customers."""
    with connect(db.admin_url) as owner:
        owner.execute("TRUNCATE customer, phone_number, call, call_opened, ticket, cel, cel_call")
    with connect(db.url) as connection:
        yield connection


def row(at: float, uniqueid: str, kind: str, context: str, linkedid: str = "", **more: Any) -> CelRow:
    channel = "PJSIP/1001-1" if linkedid else "PJSIP/carrier-1"
    base = CelRow(
        uuid4(), "pbx", T0 + at, kind, uniqueid, linkedid or uniqueid, channel, "", "", context, "", "", {}
    )
    return replace(base, **more)


def call(id_: str, at: float = 0.0, number: str = "2101234567", end: bool = True) -> list[CelRow]:
    """Answered by anna after 5 s, 20 s long."""
    leg = f"{id_}9"
    bridge = {"bridge_id": id_}
    told = [
        row(at, id_, "CHAN_START", "from-trunk", number=number, exten="100"),
        row(at + 1, id_, "APP_START", "ccbridge-in"),
        row(at + 4, leg, "CHAN_START", "from-phones", id_),
        row(at + 5, leg, "BRIDGE_ENTER", "from-phones", id_, extra=bridge),
        row(at + 5, id_, "BRIDGE_ENTER", "ccbridge-offer", extra=bridge),
    ]
    if end:
        told += [
            row(at + 25, id_, "BRIDGE_EXIT", "ccbridge-offer", extra=bridge),
            row(at + 25, leg, "BRIDGE_EXIT", "from-phones", id_, extra=bridge),
            row(at + 25, id_, "HANGUP", "ccbridge-offer", extra={"hangupsource": "PJSIP/carrier-1"}),
            row(at + 25, id_, "LINKEDID_END", "ccbridge-offer"),
        ]
    return told


def read(link: Db, rows: list[CelRow]) -> None:
    with link.transaction():
        accounts.store_cel(link, rows, AGENTS, QUEUES, "GR")


def opened(id_: str, at: float = 0.0) -> CallOpened:
    return CallOpened(id_, T0 + at, "100", "e164", "+302101234567", "2101234567", "")


def closed(id_: str, at: float = 0.0, **more: Any) -> CallClosed:
    values: dict[str, Any] = {
        "at": T0 + at + 60, "arrived": T0 + at, "did": "100", "queue": "sales", "priority": 0,
        "queued_at": T0 + at + 2, "answered_at": T0 + at + 5, "agent": "anna", "wait": 3.0, "talk": 55.0,
        "offers": 1, "customer": None, "disposition": "answered", "ended_by": "unknown", "inferred": True,
    }  # fmt: skip
    return CallClosed(id_, **(values | more))


def ship(link: Db, *records: Any) -> None:
    store(link, NODE, [Numbered(n, record) for n, record in enumerate(records, 1)])


def account(link: Db, id_: str) -> tuple[Any, ...]:
    query = "SELECT source, disposition, agent, talk_s, wait_s, ended_by FROM call_account WHERE call_id = %s"
    (found,) = link.execute(query, (id_,)).fetchall()  # exactly one
    return tuple(found)


def test_a_call_that_nobody_saw(link: Db, db: Database) -> None:
    read(link, call("pbx-1795323828.0"))
    assert account(link, "pbx-1795323828.0") == ("cel", "answered", "anna", 20.0, None, "caller")
    with reading(db.url) as reader:
        (found,) = calls(reader)
        assert (found["caller_e164"], found["did"]) == ("+302101234567", "100")
        shown = call_by_id(reader, "pbx-1795323828.0")
    assert shown is not None
    assert shown["source"] == "cel"


def test_the_daemons_account_is_better_where_it_saw_all(link: Db) -> None:
    read(link, call("pbx-1795323828.0"))
    ship(link, opened("pbx-1795323828.0"), closed("pbx-1795323828.0", inferred=False, talk=19.9))
    assert account(link, "pbx-1795323828.0") == ("events", "answered", "anna", 19.9, 3.0, "unknown")


@pytest.mark.parametrize(
    ("chosen", "by_events", "queue"),
    [
        ("sales", "never seen", "sales"), ("unknown", "never seen", None), ("sales", None, "sales"),
        ("sales", "support", "support"),
    ],
)  # fmt: skip
def test_the_queue_of_a_call_in_the_fallback(
    link: Db, chosen: str, by_events: str | None, queue: str | None
) -> None:
    """What the daemon's events say is better; a name that is no queue's is nobody's."""
    id_ = "pbx-1795323828.0"
    told = row(2, id_, "CCB_FALLBACK", "ccbridge-fallback", extra={"extra": f"ccbridge-fallback-{chosen}"})
    read(link, [*call(id_)[:2], told, *call(id_)[2:]])
    if by_events != "never seen":
        ship(link, opened(id_), closed(id_, queue=by_events, disposition="fallback"))
    query = "SELECT source, disposition, queue FROM call_account"
    assert link.execute(query).fetchall() == [("cel", "fallback", queue)]


@pytest.mark.parametrize("order", ["cel first", "shipper first"])
def test_a_call_whose_end_it_did_not_see(link: Db, db: Database, order: str) -> None:
    id_ = "pbx-1795323828.0"
    if order == "cel first":
        read(link, call(id_))
    ship(link, opened(id_), closed(id_))
    if order == "shipper first":
        assert account(link, id_) == ("inferred", "answered", "anna", 55.0, 3.0, "unknown")
        read(link, call(id_))
    assert account(link, id_) == ("cel", "answered", "anna", 20.0, 3.0, "caller")
    with reading(db.url) as reader:
        report = day_report(reader, DAY, {"sales": 20})
    assert (report["total"]["calls"], report["queues"]["sales"]["answered"]) == (1, 1)
    assert report["agents"]["anna"] | {"states": None} == {
        "answered": 1, "missed": 0, "refused": 0, "busy": 0, "unreachable": 0, "withdrawn": 0,
        "transferred": 0,
        "talk_s": 20.0, "hold_s": 0.0,
        "mean_talk_s": 20.0, "occupancy": None, "states": None,
        "score": {"cards": 0, "mean": None, "failed": 0},
    }  # fmt: skip


@pytest.mark.parametrize(("source", "disposition"), [("PJSIP/carrier-1", "answered"), ("", "pbx_restart")])
def test_who_had_hung_up_before_the_pbx_was_started_anew(link: Db, source: str, disposition: str) -> None:
    """The daemon was away meanwhile and took him to be cut off; the PBX's own end may say so, too."""
    id_ = "pbx-1795323828.0"
    rows = [
        replace(one, extra={"hangupsource": source}) if one.kind == "HANGUP" else one for one in call(id_)
    ]
    read(link, rows)
    ship(link, opened(id_), closed(id_, disposition="pbx_restart", ended_by="system"))
    assert account(link, id_)[:2] == ("cel", disposition)


def test_an_agents_talk_is_not_counted_twice(link: Db, db: Database) -> None:
    """The events of the call tell of a talk, too: one that lasts until the daemon was back."""
    id_ = "pbx-1795323828.0"
    leg = {"offer": "o1", "agent": "ben"}
    ship(
        link,
        opened(id_),
        CallEvent(id_, T0 + 5, "answered", leg),
        CallEvent(id_, T0 + 60, "offer_ended", {**leg, "result": "talked"}),
        CallEvent(id_, T0 + 4, "offer_ended", {"offer": "o0", "agent": "ben", "result": "missed"}),
        closed(id_),
    )
    with link.transaction():
        accounts.store_cel(link, call(id_), {"PJSIP/1001": "ben"}, QUEUES, "GR")
    with reading(db.url) as reader:
        ben = day_report(reader, DAY, {})["agents"]["ben"]
    assert (ben["answered"], ben["missed"], ben["talk_s"]) == (1, 1, 20.0)


def test_an_open_call_is_no_account_yet(link: Db) -> None:
    ship(link, opened("pbx-1795323828.0"))
    read(link, call("pbx-1795323828.0"))
    assert link.execute("SELECT count(*) FROM call_account").fetchone() == (0,)


def test_events_twice_and_in_pieces_are_the_same(link: Db) -> None:
    rows = call("pbx-1795323828.0")
    for first in range(len(rows)):
        read(link, rows[first : first + 1])
    before = link.execute("SELECT * FROM cel_call").fetchall()
    read(link, rows)
    assert link.execute("SELECT * FROM cel_call").fetchall() == before
    assert link.execute("SELECT count(*) FROM cel").fetchone() == (len(rows),)


def test_asterisk_was_killed(link: Db) -> None:
    """Its channels are counted from 0 again: what was open then is cut off, and said to be inferred."""
    read(link, call("pbx-1795323828.40", end=False))
    read(link, call("pbx-1795323828.60"))
    assert link.execute("SELECT count(*) FROM cel_call").fetchone() == (1,)
    read(link, [row(100, "pbx-1795323928.0", "CHAN_START", "from-trunk")])
    assert account(link, "pbx-1795323828.40")[:2] == ("inferred", "pbx_restart")
    assert account(link, "pbx-1795323828.60")[:2] == ("cel", "answered")
    # and if its end is told after all, that is better
    read(link, call("pbx-1795323828.40")[5:])
    assert account(link, "pbx-1795323828.40")[:2] == ("cel", "answered")


def test_asterisk_was_killed_and_back_within_a_second(link: Db) -> None:
    read(link, call("pbx-1795323828.40", end=False))
    read(link, [row(1, "pbx-1795323829.0", "CHAN_START", "from-trunk")])
    assert account(link, "pbx-1795323828.40")[:2] == ("inferred", "pbx_restart")


def test_two_channels_of_one_moment_in_the_wrong_order_are_no_restart(link: Db) -> None:
    read(link, call("pbx-1795323828.40", end=False))  # his agent's leg is 409
    read(link, [row(1, "pbx-1795323829.408", "CHAN_START", "from-trunk")])
    read(link, [row(50, "someone-else-2", "CHAN_START", "from-trunk")])
    assert link.execute("SELECT count(*) FROM cel_call").fetchone() == (0,)


def test_unseen_calls_get_customer_and_ticket_when_the_shipper_has_had_its_time(link: Db) -> None:
    read(link, call("pbx-1795323828.0"))
    read(link, call("pbx-1795323838.4", at=10, number="anonymous"))
    now = datetime.now(UTC).timestamp()
    assert accounts.open_tickets(link, now - T0 + 3600) == 0
    assert accounts.open_tickets(link, now - T0 - 3600) == 2
    assert accounts.open_tickets(link, now - T0 - 3600) == 0
    tickets = link.execute("SELECT call_id, state, customer_id IS NULL FROM ticket ORDER BY 1").fetchall()
    assert tickets == [("pbx-1795323828.0", "open", False), ("pbx-1795323838.4", "open", True)]
    owner = link.execute("SELECT customer_id FROM cel_call WHERE caller_kind = 'e164'").fetchone()
    assert owner == link.execute("SELECT id FROM customer").fetchone()
    # the journal brings the call after all: nothing twice
    ship(link, opened("pbx-1795323828.0"), closed("pbx-1795323828.0", inferred=False))
    assert link.execute("SELECT count(*) FROM ticket").fetchone() == (2,)
    assert link.execute("SELECT count(*) FROM customer").fetchone() == (1,)
    assert account(link, "pbx-1795323828.0")[0] == "events"


def test_old_events_go_and_the_only_account_stays(link: Db) -> None:
    read(link, call("pbx-1795323828.0"))
    read(link, call("pbx-1795323838.4", at=10))
    ship(link, opened("pbx-1795323838.4", 10), closed("pbx-1795323838.4", 10, inferred=False))
    days = (datetime.now(UTC) - datetime.fromtimestamp(T0, UTC)).days
    accounts.prune(link, days + 2)
    assert link.execute("SELECT count(*) FROM cel_call").fetchone() == (2,)
    link.execute("UPDATE cel_call SET ended_at = ended_at - interval '30 days'")
    read(link, [row(-30 * 86_400, "old", "CHAN_START", "from-trunk")])
    accounts.prune(link, days + 2)
    assert link.execute("SELECT call_id FROM cel_call").fetchall() == [("pbx-1795323828.0",)]
    assert link.execute("SELECT count(*) FROM cel WHERE uniqueid = 'old'").fetchone() == (0,)
