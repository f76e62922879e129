"""Score cards in the database: what is kept, asked for and reported."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Connection

from ccbridge.core.records import ScoreCard
from ccbridge.lab.database import Database
from ccbridge.reports.day import day_report
from ccbridge.store import queries
from ccbridge.store.rows import Numbered, store

pytestmark = pytest.mark.pg

NODE = UUID("6f1f9a5e-0000-4000-8000-000000000001")
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp()
ITEM = {"group": "g", "item": "i", "points": 70, "weight": 1, "group_weight": 1, "critical": 0}


def card(call: str, agent: str, who: str, total: float, at: float = NOON, failed: int = 0) -> ScoreCard:
    return ScoreCard(call, at, agent, who, "", "calls", "v", total, failed, [ITEM], 60.5, 20.25)


CARDS = [
    card("1.1", "anna", "sue", 70.0),
    card("1.1", "anna", "sue", 80.0, NOON + 60),  # thought better of
    card("1.1", "anna", "tom", 40.0),
    card("1.1", "ben", "sue", 90.0),  # to whom the call was passed
    card("1.2", "anna", "sue", 0.0, NOON + 120, 1),
    card("1.3", "anna", "sue", 100.0, NOON + 86_400),
]


@pytest.fixture(scope="module")
def full(db: Database) -> Database:
    for _ in range(2):  # shipped twice, kept once
        with psycopg.connect(db.url) as connection:
            store(connection, NODE, [Numbered(seq, one) for seq, one in enumerate(CARDS, 1)])
    return db


@pytest.fixture
def asked(full: Database) -> Iterator[Connection]:
    with queries.reading(full.url) as db:
        yield db


def test_the_last_card_stands(asked: Connection) -> None:
    rows = queries.score_cards(asked, agent="anna")
    assert [(one["call_id"], one["who"], one["total"], one["stands"]) for one in rows] == [
        ("1.3", "sue", 100.0, True),
        ("1.2", "sue", 0.0, True),
        ("1.1", "sue", 80.0, True),
        ("1.1", "tom", 40.0, True),
        ("1.1", "sue", 70.0, False),
    ]
    assert rows[0]["items"] == [ITEM]
    assert (rows[0]["queue"], rows[0]["listened_s"], rows[0]["took_s"]) == (None, 60.5, 20.25)
    assert {one["agent"] for one in queries.score_cards(asked, call_id="1.1")} == {"anna", "ben"}
    assert len(queries.score_cards(asked, who="tom")) == 1
    assert len(queries.score_cards(asked, limit=2)) == 2


def test_the_day_report(asked: Connection) -> None:
    agents = day_report(asked, date(2026, 3, 4), {})["agents"]
    assert agents["anna"]["score"] == {"cards": 3, "mean": 40.0, "failed": 1}  # (80 + 40 + 0) / 3
    assert agents["ben"]["score"] == {"cards": 1, "mean": 90.0, "failed": 0}
    assert agents["ben"]["answered"] == 0
    assert day_report(asked, date(2026, 3, 6), {})["agents"] == {}
