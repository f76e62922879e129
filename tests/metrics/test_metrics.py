"""The page for Prometheus: what is on it, its conventions, its bounds, and the server behind it."""

from __future__ import annotations

import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ccbridge.core.plan import QueuePlan
from ccbridge.core.records import CallClosed, CallEvent
from ccbridge.metrics.families import FAMILIES, Seen
from ccbridge.metrics.server import AT_ONCE, MetricsServer, Pages
from ccbridge.metrics.tally import Spread, Tally

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"
QUEUES = {"sales": QueuePlan("sales", service_level=20.0)}
STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "asterisk_version": "22.5.2",
    "uptime_s": 12.0,
    "link": {"up": True},
    "ami": "live",
    "calls": {"states": {"talking": 2}},
    "agents": {"states": {"available": 1}},
    "agi_counts": {"sessions": 5},
    "ami_round_trip_s": None,
    "ami_clock_offset_s": -0.001,
    "drift": {"call_gone": 2},
    "drift_age_s": None,
    "journal_trouble": "",
    "ship_trouble": "",
    "draining": False,
} | dict.fromkeys(
    (
        *("loop_lag_s", "loop_silent_s", "inbox", "oddities", "ami_reconnects", "ami_events", "ami_timeouts"),
        *("ami_orphans", "agi_sessions", "journal_unwritten", "journal_dropped", "journal_faults"),
        *("ship_lag_records", "ship_lag_s", "ship_rejected", "cdr_unmapped"),
    ),
    0,
)
ROW = {"queue": "sales", "waiting": 3, "longest_wait_s": 61.5, "agents": {"states": {"paused": 1}}}


def closed(queue: str | None, wait: float | None, disposition: str = "answered") -> CallClosed:
    answered = 100.0 if disposition in ("answered", "fallback") else None
    return CallClosed(
        "1.1", 200.0, 90.0, "210", queue, 0, 91.0, answered, "anna", wait, 9.0, 1, None, disposition, "caller"
    )


@pytest.fixture
def pages() -> Pages:
    tally = Tally()
    for record in (
        closed("sales", 20.0),
        closed("sales", 20.1),
        closed("sales", 5.0, "abandoned"),
        closed("sales", 5.0, "fallback"),  # answered, by a member of the PBX's own queue
        closed(None, None, "menu_ended"),
        CallEvent("1.1", 1.0, "offer_ended", {"result": "missed"}),
        CallEvent("1.1", 1.0, "ringing"),
    ):
        tally.add(record, QUEUES)
    for value in (0.00005, 0.002, 0.002, 3.0):
        tally.decisions.add(value)
    one = Pages()
    one.publish(Seen(time.monotonic(), STATUS, (ROW,), tally.copy()))
    return one


def values(pages: Pages) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    code, kind, body = pages.page("/metrics")
    assert code == 200
    assert kind.startswith("text/plain; version=")
    families = text_string_to_metric_families(body.decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}


def test_what_was_seen_is_on_the_page(pages: Pages) -> None:
    found = values(pages)
    assert found["ccbridge_calls", (("state", "talking"),)] == 2
    assert found["ccbridge_calls", (("state", "holding"),)] == 0
    assert found["ccbridge_queue_waiting", (("queue", "sales"),)] == 3
    assert found["ccbridge_queue_longest_wait_seconds", (("queue", "sales"),)] == 61.5
    assert found["ccbridge_queue_agents", (("queue", "sales"), ("state", "paused"))] == 1
    assert found["ccbridge_queue_answered_in_time_total", (("queue", "sales"),)] == 1
    assert found["ccbridge_calls_ended_total", (("disposition", "answered"), ("queue", "sales"))] == 2
    assert found["ccbridge_calls_ended_total", (("disposition", "menu_ended"), ("queue", "none"))] == 1
    assert found["ccbridge_calls_ended_total", (("disposition", "overflowed"), ("queue", "sales"))] == 0
    assert found["ccbridge_offers_total", (("result", "missed"),)] == 1
    assert found["ccbridge_journal_records_total", (("type", "call_event"),)] == 2
    assert found["ccbridge_decision_seconds_bucket", (("le", "0.0025"),)] == 3
    assert found["ccbridge_decision_seconds_count", ()] == 4
    assert found["ccbridge_decision_seconds_sum", ()] == pytest.approx(3.00405)
    assert found["ccbridge_drift_total", (("kind", "call_gone"),)] == 2
    assert found["ccbridge_ami_up", ()] == 1
    assert found["ccbridge_build_info", (("asterisk", "22.5.2"), ("version", "0.1.0"))] == 1
    assert ("ccbridge_ami_round_trip_seconds", ()) not in found  # no ping yet
    assert any(name.startswith("process_") for name, _ in found)


def test_a_queue_since_the_start() -> None:
    tally = Tally()
    assert tally.since_start("sales") == {
        "answered": 0, "abandoned": 0, "in_time": 0, "service_level": None
    }  # fmt: skip
    for wait in (3.0, 20.0, 20.1):
        tally.add(closed("sales", wait), QUEUES)
    tally.add(closed("sales", 40.0, "abandoned"), QUEUES)
    assert tally.since_start("sales") == {
        "answered": 3, "abandoned": 1, "in_time": 2, "service_level": 0.6667
    }  # fmt: skip


def test_names_follow_the_conventions() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert re.fullmatch(r"ccbridge(_[a-z]+)+", family.name), family.name
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name
        assert not re.search(r"_(ms|milliseconds|minutes|kb|count|sum|bucket)(_|$)", family.name)
        assert set(family.labels) <= {"queue", "state", "disposition", "result", "kind", "event", "type",
                                      "version", "asterisk"}, family.name  # fmt: skip


def test_the_page_has_the_table() -> None:
    lines = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for family in FAMILIES:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{family.name}` | {family.kind} | {labels} | {family.meaning} |")
    found = re.search(r"<!-- table: metrics -->\n(.*?)<!-- end -->", DOCS.read_text(), re.DOTALL)
    assert found is not None
    assert found[1].splitlines() == lines, "the code's own table is:\n" + "\n".join(lines)


def test_the_alert_rules_name_what_there_is() -> None:
    (rules,) = re.findall(r"^```yaml alerts\n(.*?)^```$", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"\bccbridge_[a-z_]+", rules))
    known = {family.name for family in FAMILIES}
    known |= {
        f"{f.name}{suffix}" for f in FAMILIES if f.kind == "histogram" for suffix in ("_bucket", "_count")
    }
    assert len(named) >= 8
    assert named <= known


def test_a_spread() -> None:
    spread = Spread((0.1, 1.0))
    for value in (0.1, 0.11, 1.0, 1.01):
        spread.add(value)
    assert spread.counts == [1, 2, 1]
    other = spread.copy()
    other.add(0.0)
    assert spread.counts == [1, 2, 1]


# -- the server


@pytest.fixture
def server(pages: Pages) -> Iterator[MetricsServer]:
    one = MetricsServer("127.0.0.1", 0, pages)
    yield one
    one.stop()


def get(server: MetricsServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_server(server: MetricsServer) -> None:
    code, text = get(server, "/metrics")
    assert code == 200
    assert "ccbridge_ami_up 1.0\n" in text
    assert get(server, "/healthz") == (200, "healthy\n")
    assert get(server, "/") == (404, "/metrics and /healthz are here\n")


def test_healthz_tells_what_the_loop_cannot(server: MetricsServer, pages: Pages) -> None:
    """A loop that hangs publishes nothing more; a database that is away is no reason to be replaced."""
    seen = Seen(time.monotonic(), STATUS | {"ship_trouble": "refused"}, (ROW,), Tally())
    pages.publish(seen)
    assert get(server, "/healthz") == (200, "degraded\nthe database is away: refused\n")
    pages.publish(Seen(time.monotonic() - 30, STATUS, (ROW,), Tally()))
    assert get(server, "/healthz") == (503, "unhealthy\nthe routing loop has stood still for 30 s\n")
    server.pages = Pages()
    assert get(server, "/healthz") == (503, "unhealthy\nthe daemon is starting\n")
    assert "ccbridge_" not in get(server, "/metrics")[1]


def test_strangers_are_bounded(server: MetricsServer) -> None:
    """Peers that say nothing take a thread each, up to a number; garbage and a cut line take nothing."""
    before = threading.active_count()
    held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(AT_ONCE + 12)]
    deadline = time.monotonic() + 10
    closed_at_once = 0
    while closed_at_once < 12 and time.monotonic() < deadline:
        closed_at_once = 0
        for one in held:
            one.settimeout(0.01)
            try:
                closed_at_once += one.recv(1) == b""
            except ConnectionResetError:
                closed_at_once += 1
            except TimeoutError:
                pass
    assert closed_at_once == 12
    assert threading.active_count() <= before + AT_ONCE
    for one in held:
        one.close()
    while get_or_none(server) is None:
        assert time.monotonic() < deadline
    with socket.create_connection(("127.0.0.1", server.port)) as garbage:
        garbage.sendall(b"\x00\xff" * 40_000)
    assert get(server, "/healthz")[0] == 200


def get_or_none(server: MetricsServer) -> tuple[int, str] | None:
    try:
        return get(server, "/healthz")
    except OSError:
        return None
