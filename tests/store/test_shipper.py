"""Journal -> PostgreSQL, exactly once, through every kind of absence of the database."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from ccbridge.core.records import (
    AgentEvent,
    CallClosed,
    CallEvent,
    CallOpened,
    CdrRow,
    Record,
    RecordingEnded,
    RecordingStarted,
    TicketOutcome,
)
from ccbridge.lab.database import Database
from ccbridge.lab.postgres import LabPostgres
from ccbridge.logs import logging_to_stderr
from ccbridge.store import journal as journal_module
from ccbridge.store.journal import Journal, Line, Reader
from ccbridge.store.rows import Numbered, store
from ccbridge.store.shipper import Shipper, backoff

pytestmark = pytest.mark.pg

T0 = 1763774000.0


def opened(call: str, e164: str | None = "+302101234567", at: float = T0, **more: Any) -> CallOpened:
    kind = "e164" if e164 else "anonymous"
    return CallOpened(call, at, "100", kind, e164, "2101234567", "Zoë Παπαδοπούλου", **more)


def closed(call: str, **more: Any) -> CallClosed:
    values: dict[str, Any] = {
        "at": T0 + 60, "arrived": T0, "did": "100", "queue": "sales", "priority": 0, "queued_at": T0 + 5,
        "answered_at": T0 + 20, "agent": "anna", "wait": 15.0, "talk": 40.0, "offers": 1, "customer": None,
        "disposition": "answered", "ended_by": "caller",
    }  # fmt: skip
    return CallClosed(call, **(values | more))


def whole_call(call: str, e164: str | None = "+302101234567") -> list[Record]:
    return [
        opened(call, e164),
        CallEvent(call, T0, "arrived", {"did": "100"}),
        AgentEvent("anna", T0 + 10, "offered", call=call),
        RecordingStarted(call, "o1", "anna", T0 + 10, f"{call}/o1"),
        AgentEvent("anna", T0 + 20, "talking", call=call),
        CallEvent(call, T0 + 20, "answered", {"agent": "anna", "offer": "o1"}),
        RecordingEnded(call, "o1", T0 + 60, answered=True),
        AgentEvent("anna", T0 + 60, "wrap_up", call=call),
        CallEvent(call, T0 + 60, "ended", {"disposition": "answered"}),
        closed(call),
        CdrRow(T0 + 60, "pbx", call, 1, call, {"Source": "2101234567", "Disposition": "ANSWERED"}),
        TicketOutcome(call, "anna", T0 + 65, "resolved"),
        AgentEvent("anna", T0 + 70, "available"),
    ]


def quick() -> Iterator[float]:
    while True:
        yield 0.05


async def until(true: Callable[[], bool], limit: float = 20.0) -> None:
    deadline = time.monotonic() + limit
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def running(shipper: Shipper) -> AsyncIterator[None]:
    task = asyncio.create_task(shipper.run())
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def ship(journal: Journal, url: str) -> Shipper:
    shipper = Shipper(journal, url, delays=quick)
    async with running(shipper):
        await until(lambda: shipper.lag_records == 0)
    return shipper


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal.open(tmp_path / "journal")
    yield made
    made.close()


@pytest.fixture
def base(pg_server: str) -> Iterator[Database]:
    with Database(pg_server) as database:
        yield database


@pytest.fixture
def rows(base: Database) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    with psycopg.connect(base.url, autocommit=True) as db:
        yield lambda query: db.execute(query).fetchall()


TABLES = (
    "customer", "phone_number", "call_opened", "call", "ticket", "call_event", "agent_event", "agent_state",
    "agent_interval", "cdr", "cdr_party", "recording", "ship_reject",
)  # fmt: skip


def everything(rows: Callable[[str], list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    return {table: sorted(rows(f"SELECT t::text FROM {table} t")) for table in TABLES}


async def test_a_call_becomes_its_rows(journal: Journal, base: Database, rows: Any) -> None:
    journal.append(whole_call("1.1"))
    shipper = await ship(journal, base.url)
    assert (shipper.shipped, shipper.lag_records, shipper.lag_seconds) == (13, 0, 0.0)
    assert rows("SELECT name, created_by_call FROM customer") == [("+302101234567", "1.1")]
    assert rows("SELECT count(*) FROM call_opened") == [(0,)]
    assert rows(
        "SELECT caller_e164, caller_raw, caller_name, queue, agent, wait_s, talk_s, disposition, "
        "extract(epoch FROM answered_at - arrived_at)::float FROM call"
    ) == [("+302101234567", "2101234567", "Zoë Παπαδοπούλου", "sales", "anna", 15.0, 40.0, "answered", 20.0)]
    assert rows("SELECT state, outcome_set, agent, queue FROM ticket") == [
        ("resolved", True, "anna", "sales")
    ]
    assert rows("SELECT kind FROM call_event ORDER BY seq") == [("arrived",), ("answered",), ("ended",)]
    assert rows(
        "SELECT state, extract(epoch FROM ended_at - started_at)::float FROM agent_interval "
        "ORDER BY started_at"
    ) == [("offered", 10.0), ("talking", 40.0), ("wrap_up", 10.0)]
    assert rows("SELECT agent, state, call_id FROM agent_state") == [("anna", "available", None)]
    assert rows("SELECT state, answered, path FROM recording") == [("ended", True, "1.1/o1")]
    assert rows(
        "SELECT c.fields, p.fields FROM cdr c JOIN cdr_party p USING (system, uniqueid, sequence)"
    ) == [({"Disposition": "ANSWERED"}, {"Source": "2101234567"})]


async def test_the_same_records_twice_are_the_same_rows(journal: Journal, base: Database, rows: Any) -> None:
    journal.append([*whole_call("1.1"), *whole_call("1.2", None), opened("1.3")])
    await ship(journal, base.url)
    before = everything(rows)
    with psycopg.connect(base.url, autocommit=True) as db:
        db.execute("UPDATE ship_position SET seq = 0")
    again = await ship(journal, base.url)
    assert again.rejected == 0
    assert everything(rows) == before
    assert rows("SELECT call_id FROM call_opened") == [("1.3",)]
    assert len(before["customer"]) == 1


async def test_text_that_no_row_can_hold_costs_a_caller_only_that(
    journal: Journal, base: Database, rows: Any
) -> None:
    journal.append([CallOpened("1", T0, "100", "e164", "+302101234567", "\0" + "21", "Zo\ud800e")])
    assert (await ship(journal, base.url)).rejected == 0
    assert rows("SELECT caller_raw, caller_name FROM call_opened") == [("\ufffd21", "Zo\ufffde")]


async def test_unknown_and_known_callers(journal: Journal, base: Database, rows: Any) -> None:
    journal.append([opened("1"), opened("2"), opened("3", None), opened("4", "+447700900123")])
    await ship(journal, base.url)
    assert rows(
        "SELECT c.name, count(*) FROM customer c JOIN ticket t ON t.customer_id = c.id GROUP BY 1"
    ) == [
        ("+302101234567", 2),
        ("+447700900123", 1),
    ]
    assert rows("SELECT customer_id, outcome_set, state FROM ticket WHERE call_id = '3'") == [
        (None, False, "open")
    ]


async def test_two_pbx_with_the_same_new_caller_make_one_customer(base: Database, rows: Any) -> None:
    """The second waits for the first one's transaction, then takes its customer."""

    def insert(node: int) -> None:
        with psycopg.connect(base.url) as db:
            store(db, UUID(int=node), [Numbered(1, opened(f"n{node}"))])

    with psycopg.connect(base.url) as first:
        store(first, UUID(int=1), [Numbered(1, opened("n1"))])
        second = asyncio.create_task(asyncio.to_thread(insert, 2))
        await until(lambda: rows("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)])
        first.commit()
        await second
    assert rows("SELECT count(*), min(name) FROM customer") == [(1, "+302101234567")]
    assert rows("SELECT count(DISTINCT customer_id), count(*) FROM ticket") == [(1, 2)]


async def test_bad_records_are_set_aside_with_the_reason(journal: Journal, base: Database, rows: Any) -> None:
    journal.append(
        [
            opened("1.1"),
            CallEvent("1.1", T0, "arrived", {"text": "nul \x00"}),
            CallEvent("1.1", T0, "menu_step", {}),
            CallEvent("1.1", float("1e300"), "queued", {}),
            TicketOutcome("1.1", "anna", T0, "no such outcome"),
            AgentEvent("anna", T0, "available"),
            AgentEvent("anna", T0 + 1, "pau\ud800sed"),
            AgentEvent("anna", T0 + 2, "paused"),
            RecordingEnded("1.1", "never started", T0, answered=False),
            closed("1.1"),
        ]
    )
    shipper = await ship(journal, base.url)
    assert shipper.rejected == 5
    found = rows(r"""SELECT seq, substring(record from '"t": "(\w+)"'), error FROM ship_reject ORDER BY 1""")
    assert [(seq, kind) for seq, kind, _ in found] == [
        (2, "call_event"), (4, "call_event"), (5, "ticket_outcome"), (7, "agent_event"),
        (9, "recording_ended"),
    ]  # fmt: skip
    assert "ck_ticket_state" in found[2][2]
    assert "UnknownRecording" in found[4][2]
    assert rows("SELECT kind FROM call_event") == [("menu_step",)]
    assert rows("SELECT disposition FROM call") == [("answered",)]
    assert rows("SELECT state, ended_at - started_at = '2 s' FROM agent_interval") == [("available", True)]
    journal.append([CallEvent("1.1", T0, "ended", {})])
    assert (await ship(journal, base.url)).rejected == 0


async def test_a_clock_that_runs_backwards_makes_no_overlap(
    journal: Journal, base: Database, rows: Any
) -> None:
    states = ("available", "paused", "available", "talking", "wrap_up")
    times = (0.0, 10.0, 5.0, 12.0, 12.0)
    journal.append([AgentEvent("a", T0 + at, state) for at, state in zip(times, states, strict=True)])
    assert (await ship(journal, base.url)).rejected == 0
    assert rows(
        f"SELECT extract(epoch FROM started_at)::float - {T0}, "
        f"extract(epoch FROM ended_at)::float - {T0}, state FROM agent_interval ORDER BY 1"
    ) == [(0.0, 10.0, "available"), (10.0, 12.0, "available")]
    assert rows("SELECT state FROM agent_state") == [("wrap_up",)]


async def test_the_loop_goes_on_while_the_database_is_frozen(tmp_path: Path, own_server: LabPostgres) -> None:
    """SIGSTOP: connections stay open and say nothing. Then kill -9, then a fast stop; then all rows once."""
    with Database(own_server.url) as base:
        journal = Journal.open(tmp_path / "journal", 20_000)
        shipper = Shipper(journal, base.url, delays=quick, batch_limit=1.0)
        worst = 0.0

        async def call(count: int) -> None:
            nonlocal worst
            for _ in range(count):
                before = time.monotonic()
                journal.append(whole_call(f"c{journal.last_seq}"))
                await asyncio.sleep(0.001)
                worst = max(worst, time.monotonic() - before)

        async with running(shipper):
            await call(20)
            await until(lambda: shipper.lag_records == 0)
            own_server.pause()
            try:
                await call(20)
                await until(lambda: shipper.trouble != "" and shipper.reconnects >= 1)
                await until(lambda: shipper.lag_records == 20 * 13 and shipper.lag_seconds > 0.3)
            finally:
                own_server.resume()
            await until(lambda: shipper.lag_records == 0)
            for halt in (own_server.kill, own_server.halt):
                await asyncio.to_thread(halt)
                await call(20)
                await until(lambda: shipper.trouble != "")
                await asyncio.to_thread(own_server.start)
                await until(lambda: shipper.lag_records == 0)
                assert shipper.trouble == ""
        assert worst < 0.9  # the batch limit is 1 s, a login's 5 s: neither was the loop's
        with psycopg.connect(base.url) as db:
            count = db.execute("SELECT count(*), count(DISTINCT seq) FROM call_event").fetchone()
            assert count == (80 * 3, 80 * 3)
            assert db.execute("SELECT count(*) FROM call").fetchone() == (80,)
            assert db.execute("SELECT count(*) FROM agent_event").fetchone() == (80 * 4,)
            assert db.execute("SELECT seq FROM ship_position").fetchone() == (journal.last_seq,)
        journal.close()


async def test_killed_at_any_moment_it_ships_the_rest_later(
    tmp_path: Path, base: Database, rows: Any
) -> None:
    journal = Journal.open(tmp_path / "journal", 30_000)
    for number in range(200):
        journal.append(whole_call(f"c{number}", f"+30210{number:07d}"))
    while True:
        shipper = Shipper(journal, base.url, delays=quick)
        async with running(shipper):
            before = shipper.shipped
            await until(lambda before=before, shipper=shipper: shipper.shipped > before)  # type: ignore[misc]
            with psycopg.connect(base.admin_url, autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'ccbridge' AND datname = current_database()"
                )
            await asyncio.sleep(0.02)
        journal.close()
        journal = Journal.open(tmp_path / "journal", 30_000)
        if shipper.shipped == journal.last_seq:
            break
    assert rows("SELECT count(*), count(DISTINCT seq) FROM call_event") == [(600, 600)]
    assert rows("SELECT count(*) FROM call JOIN ticket USING (call_id) WHERE state = 'resolved'") == [(200,)]
    assert rows("SELECT count(*) FROM customer") == [(200,)]
    assert rows("SELECT count(*) FROM ship_reject") == [(0,)]
    journal.close()


async def test_no_database_at_the_start(tmp_path: Path, own_server: LabPostgres) -> None:
    with Database(own_server.url) as base:
        own_server.halt()
        journal = Journal.open(tmp_path / "journal")
        journal.append(whole_call("1"))
        shipper = Shipper(journal, base.url, delays=quick)
        async with running(shipper):
            await until(lambda: shipper.reconnects > 1)
            assert shipper.lag_records == 13
            await until(lambda: shipper.lag_seconds > 0)
            await asyncio.to_thread(own_server.start)
            await until(lambda: shipper.lag_records == 0)
        journal.close()


async def test_an_old_schema_is_waited_for_and_named(journal: Journal, pg: str, base: Database) -> None:
    journal.append(whole_call("1"))
    shipper = Shipper(journal, pg, delays=quick)
    async with running(shipper):
        await until(lambda: "run `ccbridge db init`" in shipper.trouble)
    assert shipper.shipped == 0


async def test_a_journal_that_was_set_back_is_not_mixed_up(
    tmp_path: Path, journal: Journal, base: Database
) -> None:
    journal.append(whole_call("1"))
    await ship(journal, base.url)
    with psycopg.connect(base.url, autocommit=True) as db:
        db.execute("UPDATE ship_position SET seq = 5000")
    shipper = Shipper(journal, base.url, delays=quick)
    async with running(shipper):
        await until(lambda: "was set back" in shipper.trouble)


@pytest.mark.parametrize("fault", ["descriptors", "head", "gone", "ours"])
async def test_nothing_about_the_journals_folder_ends_it(
    journal: Journal,
    base: Database,
    rows: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: str,
) -> None:
    """The same failure meets it again while it is telling the first one."""
    journal.append(whole_call("1"))
    segment = journal.folder / "00000001.jsonl"
    content = segment.read_bytes()
    wrong = {"descriptors": "Too many open files", "head": "damaged", "gone": "gone", "ours": "unforeseen"}
    real = Reader.read

    def no_descriptors(self: Reader, limit: int = 500) -> list[Line]:
        if fault == "ours":
            raise LookupError("unforeseen")
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    if fault == "head":
        segment.write_bytes(b"x" * content.index(b"\n") + content[content.index(b"\n") :])
    elif fault == "gone":
        segment.rename(segment.with_suffix(".away"))
    else:
        monkeypatch.setattr(Reader, "read", no_descriptors)
    shipper = Shipper(journal, base.url, delays=quick)
    async with running(shipper):
        await until(lambda: shipper.reconnects > 2)
        assert wrong[fault] in shipper.trouble
        assert (shipper.lag_records, shipper.lag_seconds) == (13, 0.0)
        if fault == "head":
            segment.write_bytes(content)
        elif fault == "gone":
            segment.with_suffix(".away").rename(segment)
        monkeypatch.setattr(Reader, "read", real)
        await until(lambda: shipper.lag_records == 0 and shipper.trouble == "")
    told = capsys.readouterr().out
    assert told.count("shipper_waits") == 1
    assert "error" in told
    assert rows("SELECT count(*) FROM call") == [(1,)]


async def test_after_a_boot_nothing_waits_and_a_stop_is_quick(
    tmp_path: Path, base: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = tmp_path / "boot_id"
    boot.write_text("first")
    monkeypatch.setattr(journal_module, "BOOT_ID", boot)
    first = Journal.open(tmp_path / "journal")
    first.append(whole_call("1"))
    await ship(first, base.url)
    first.close()
    boot.write_text("second")
    second = Journal.open(tmp_path / "journal")
    looks = 0
    shipper = Shipper(second, base.url, delays=quick)
    real = Reader.read

    def counted(self: Reader, limit: int = 500) -> list[Line]:
        nonlocal looks
        looks += 1
        return real(self, limit)

    monkeypatch.setattr(Reader, "read", counted)
    assert (shipper.shipped, shipper.lag_records) == (13, 0)
    async with running(shipper):
        await until(lambda: looks > 1)
        assert shipper.lag_records == 0
        looks = 0
    assert looks < 5  # it did not go round until the limit of a stop
    second.append(whole_call("2"))
    assert shipper.lag_records == 13
    async with running(shipper):
        await until(lambda: shipper.lag_records == 0)
    assert shipper.shipped == second.last_seq
    second.close()


def test_a_torn_hint_is_none(journal: Journal) -> None:
    for content in (b"", b"\0\0\0", b"\xff\xfe", b"12x"):
        (journal.folder / "shipped").write_bytes(content)
        assert Shipper(journal, "postgresql://nobody@127.0.0.1/x").shipped == 0


def test_backoff_ends_at_ten_seconds() -> None:
    delays = backoff()
    assert [next(delays) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


async def test_catching_up_is_fast_enough(journal: Journal, base: Database, rows: Any) -> None:
    """Bound, not benchmark: an hour of a hundred calls a minute must not take an hour."""
    for number in range(300):
        journal.append(whole_call(f"c{number}"))
    started = time.monotonic()
    await ship(journal, base.url)
    print(f"{300 * 13 / (time.monotonic() - started):.0f} records/s")
    assert rows("SELECT count(*) FROM call") == [(300,)]


async def test_its_words_go_the_way_of_all_logs(journal: Journal, capfd: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr("json", "info"):
        shipper = Shipper(journal, "postgresql://nobody@127.0.0.1:1/none", delays=quick)
        async with running(shipper):
            await until(lambda: shipper.trouble != "")
    told = capfd.readouterr()
    assert [json.loads(line)["event"] for line in told.err.splitlines()] == ["shipper_waits"]
    assert told.out == ""
