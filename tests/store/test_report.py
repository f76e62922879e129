"""The day's report against its own definitions, and the check values of the trade."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import Connection

from ccbridge.lab.database import Database
from ccbridge.reports.day import bounds, day_report
from ccbridge.reports.metrics import FIGURES, SERVICE_LEVELS
from ccbridge.store.queries import reading

pytestmark = pytest.mark.pg

DAY = date(2026, 3, 4)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
NODE = "6f1f9a5e-0000-4000-8000-000000000002"

INSERT = """
INSERT INTO call (call_id, arrived_at, ended_at, did, queue, priority, queued_at, answered_at, agent, wait_s,
                  talk_s, offers, disposition, ended_by, inferred)
SELECT %(name)s || n, %(at)s, %(at)s, '100', %(queue)s, 0, NULL, NULL, NULL, %(wait)s, %(talk)s, %(offers)s,
       %(disposition)s, 'caller', false
FROM generate_series(1, %(count)s) n"""


def calls(
    db: psycopg.Connection,
    count: int,
    disposition: str,
    *,
    queue: str | None = "sales",
    wait: float | None = None,
    at: datetime = NOON,
) -> None:
    talked = disposition == "answered"
    db.execute(
        INSERT,
        {
            "name": f"{disposition}-{queue}-{wait}-{at:%d%H}-", "count": count, "queue": queue, "wait": wait,
            "at": at, "talk": 120.0 if talked else 0.0, "offers": int(talked), "disposition": disposition,
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def filled(db: Database) -> str:
    with psycopg.connect(db.url) as connection:
        calls(connection, 860, "answered", wait=10)
        calls(connection, 140, "answered", wait=30)
        calls(connection, 10, "abandoned", wait=4)
        calls(connection, 10, "abandoned", wait=15)
        calls(connection, 40, "abandoned", wait=40)
        calls(connection, 20, "overflowed", wait=600)
        calls(connection, 30, "menu_ended", queue=None)
        other_day = NOON - timedelta(days=1)
        calls(connection, 3, "answered", queue="support", wait=25, at=other_day)
        calls(connection, 1, "answered", queue="closed long ago", wait=25, at=other_day)
    return db.url


@pytest.fixture
def store(filled: str) -> Iterator[Connection]:
    with reading(filled) as connection:
        yield connection


def value(example: str) -> float:
    """The number after the arrow of a worked example."""
    words = example.rpartition("->")[2].split()
    return float(words[0]) / (100 if words[-1] == "%" else 1)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_definition_gives_its_own_example(store: Connection, figure: object) -> None:
    total = day_report(store, DAY, {"sales": 20})["total"]
    assert total[figure.name] == pytest.approx(value(figure.example), abs=0.005)  # type: ignore[attr-defined]


@pytest.mark.parametrize("level", SERVICE_LEVELS, ids=lambda level: level.name)
def test_every_service_level_gives_its_own_example(store: Connection, level: object) -> None:
    name, example = level.name, level.example  # type: ignore[attr-defined]
    report = day_report(store, DAY, {"sales": 20}, variant=name)
    assert report["total"]["service_level"] == pytest.approx(value(example), abs=0.0005)
    assert report["queues"]["sales"]["service_level"] == report["total"]["service_levels"][name]
    assert report["variant_formula"] == level.prose  # type: ignore[attr-defined]


def test_queues_have_their_own_threshold_and_a_line_without_calls(store: Connection) -> None:
    report = day_report(store, DAY - timedelta(days=1), {"sales": 20, "support": 30})
    assert list(report["queues"]) == ["closed long ago", "sales", "support"]
    assert (report["queues"]["support"]["t_s"], report["queues"]["support"]["service_level"]) == (30, 1.0)
    assert report["queues"]["closed long ago"]["service_level"] == 0.0  # T 20, it waited 25
    assert report["total"]["service_level"] == 0.75
    silent = report["queues"]["sales"]
    assert (silent["calls"], silent["asa_s"], silent["service_level"]) == (0, None, None)


def test_a_day_is_one_of_its_zone(store: Connection) -> None:
    start, stop = bounds(date(2026, 3, 29), "Europe/Athens")
    assert stop.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=23)
    assert (
        day_report(store, DAY, {}, zone="Pacific/Kiritimati")["total"]["calls"] == 4
    )  # UTC+14: the day before's noon
    assert day_report(store, DAY, {}, zone="Europe/Athens")["total"]["calls"] == 1110
    with pytest.raises(KeyError):
        day_report(store, DAY, {}, variant="best")


def test_agents_legs_and_occupancy(filled: str, db: Database) -> None:
    at = NOON + timedelta(days=40)
    event = "INSERT INTO call_event VALUES (%s, %s, %s, 'c1', %s, %s, %s::jsonb)"
    leg = '{{"offer": "{}", "agent": "anna", "result": "{}"}}'
    story = [
        (0, "offer_ended", leg.format("o1", "missed")),
        (10, "answered", leg.format("o2", "")),
        (100, "offer_ended", leg.format("o2", "talked")),
        (110, "answered", leg.format("o3", "")),
        (140, "offer_ended", leg.format("o3", "talked")),
        (150, "offer_ended", leg.format("o4", "busy")),
    ]
    intervals = [("available", 0, 180), ("talking", 180, 240), ("wrap_up", 240, 300), ("paused", 300, 900)]
    with psycopg.connect(db.url) as connection:
        for number, (seconds, kind, data) in enumerate(story):
            moment = at + timedelta(seconds=seconds)
            connection.execute(event, (moment.date(), NODE, 7000 + number, moment, kind, data))
        for state, low, high in intervals:
            connection.execute(
                "INSERT INTO agent_interval VALUES ('anna', %s, %s, %s, '', NULL)",
                (at + timedelta(seconds=low), at + timedelta(seconds=high), state),
            )
    with reading(filled) as store:
        anna = day_report(store, at.date(), {})["agents"]["anna"]
    assert anna["states"] == {"available": 180.0, "talking": 60.0, "wrap_up": 60.0, "paused": 600.0}
    assert anna["occupancy"] == 120 / 300
    del anna["states"], anna["occupancy"]
    assert anna == {
        "answered": 2, "missed": 1, "refused": 0, "busy": 1, "unreachable": 0, "withdrawn": 0,
        "transferred": 0,
        "talk_s": 120.0, "hold_s": 0.0, "mean_talk_s": 60.0,
        "score": {"cards": 0, "mean": None, "failed": 0},
    }  # fmt: skip


def test_intervals_are_cut_at_midnight_and_the_open_state_counts(filled: str, db: Database) -> None:
    day = date(2026, 5, 10)
    with psycopg.connect(db.url) as connection:
        connection.execute(
            "INSERT INTO agent_interval VALUES "
            "('bob', '2026-05-09 23:00Z', '2026-05-10 01:00Z', 'paused', '', NULL)"
        )
        connection.execute(
            "INSERT INTO agent_state VALUES ('bob', 'available', '', NULL, '2026-05-10 01:00Z', %s, 1)",
            (NODE,),
        )
    with reading(filled) as store:
        states = day_report(store, day, {})["agents"]["bob"]["states"]
    assert states == {"paused": 3600.0, "available": 23 * 3600.0}
