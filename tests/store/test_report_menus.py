"""Where callers leave the menus, from the events that calls have left in a real PostgreSQL."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb

from ccbridge.lab.database import Database
from ccbridge.reports.menus import menus_report
from ccbridge.store.queries import reading

pytestmark = pytest.mark.pg

DAY = date(2026, 3, 4)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
NODE = uuid.UUID("6f1f9a5e-0000-4000-8000-00000000000d")

# (flow, step, result) of each event, and how the call ended: by whom, and as what
HELLO = [("main", "", "hello"), ("main", "hello", "choose")]
CALLS = [
    ([*HELLO, ("main", "choose", "to-sales")], "caller", "answered"),
    ([*HELLO], "caller", "menu_ended"),
    ([*HELLO, ("main", "choose", "time_out"), ("main", "choose", "invalid")], "caller", "menu_ended"),
    ([*HELLO, ("main", "choose", "bye"), ("", "", "hangup")], "system", "menu_ended"),
    ([*HELLO, ("main", "choose", "flow other"), ("other", "", "ask")], "caller", "menu_ended"),
    ([*HELLO, ("main", "choose", "queue sales")], "caller", "abandoned"),
    ([("", "greeting", "choose")], "caller", "menu_ended"),  # of version 0.1.0: no flow
]


def test_where_callers_went_and_hung_up(db: Database) -> None:
    seq = 0
    with psycopg.connect(db.url) as store:
        store.execute("SELECT ccbridge_add_partitions('2026-03-01', 1)")
        for number, (events, ended_by, disposition) in enumerate(CALLS):
            at = NOON + timedelta(minutes=number)
            store.execute(
                "INSERT INTO call (call_id, arrived_at, ended_at, did, priority, wait_s, talk_s, offers, "
                "disposition, ended_by, inferred) VALUES (%s, %s, %s, '1', 0, 0, 0, 0, %s, %s, false)",
                (f"c{number}", at, at, disposition, ended_by),
            )
            for flow, step, result in events:
                seq += 1
                data = {"step": step, "result": result, **({"flow": flow} if flow else {})}
                store.execute(
                    "INSERT INTO call_event (day, node, seq, call_id, at, kind, data) "
                    "VALUES (%s, %s, %s, %s, %s, 'menu_step', %s)",
                    (DAY, NODE, seq, f"c{number}", at, Jsonb(data)),
                )
    with reading(db.url) as store:
        found = menus_report(store, DAY, zone="Europe/Athens")
        assert menus_report(store, DAY - timedelta(days=1), zone="Europe/Athens")["flows"] == {}

    def line(came: int, time_out: int = 0, invalid: int = 0, left: int = 0) -> dict[str, int]:
        return {"came": came, "time_out": time_out, "invalid": invalid, "left": left}

    assert found["flows"]["other"] == {"ask": line(1, left=1)}
    assert found["flows"]["main"] == {
        "hello": line(6),
        "choose": line(6, time_out=1, invalid=1, left=2),
        "to-sales": line(1),
        "bye": line(1),
    }
