"""Each difference of a day, with its reason; and nothing where all agrees."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb

from ccbridge.gaps.copying import Followed, connect, copy_piece
from ccbridge.gaps.reconcile import Difference, counts, differences
from ccbridge.lab.database import Database
from ccbridge.store.queries import reading
from ccbridge.store.rows import Db

pytestmark = pytest.mark.pg

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
START, STOP, NOW = NOON - timedelta(hours=12), NOON + timedelta(hours=12), NOON + timedelta(hours=3)
NODE = "6f1f9a5e-0000-4000-8000-000000000003"


@pytest.fixture
def db(pg_server: str) -> Iterator[Database]:
    with Database(pg_server) as database:
        yield database


@pytest.fixture
def link(db: Database) -> Iterator[Db]:
    with connect(db.url) as connection:
        yield connection


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    for name in ("cdr.csv", "cel.csv"):
        (tmp_path / name).touch()
    return {"CDRs": tmp_path / "cdr.csv", "channel events": tmp_path / "cel.csv"}


def found(db: Database, tmp_path: Path, files: dict[str, Path], now: datetime = NOW) -> list[Difference]:
    with reading(db.url) as reader:
        return differences(reader, START, STOP, now, tmp_path, "pbx", files)


def call(
    link: Db,
    id_: str,
    *talks: tuple[str, float, float],
    inferred: bool = False,
    disposition: str = "answered",
) -> None:
    """``talks``: agent, seconds of talk, of hold; by the daemon's events."""
    legs = [
        {"offer": f"o{n}", "agent": agent, "talk_s": talk, "hold_s": hold}
        for n, (agent, talk, hold) in enumerate(talks)
    ]
    link.execute(
        "INSERT INTO call (call_id, arrived_at, ended_at, did, priority, talk_s, offers, disposition, "
        "ended_by, inferred, legs) VALUES (%s, %s, %s, '100', 0, %s, 1, %s, 'caller', %s, %s)",
        (
            id_, NOON, NOON + timedelta(minutes=1), sum(leg[1] for leg in talks), disposition, inferred,
            Jsonb(legs),
        ),
    )  # fmt: skip


def cel_call(link: Db, id_: str, *talks: tuple[str | None, float]) -> None:
    """``talks``: agent and seconds."""
    legs = [{"agent": agent, "begun": 0, "ended": seconds} for agent, seconds in talks]
    link.execute(
        "INSERT INTO cel_call (call_id, system, arrived_at, ended_at, did, caller_kind, talk_s, disposition, "
        "ended_by, source, legs) VALUES (%s, 'pbx', %s, %s, '100', 'anonymous', %s, 'answered', 'caller', "
        "'cel', %s)",
        (id_, NOON, NOON + timedelta(minutes=1), sum(seconds for _, seconds in talks), Jsonb(legs)),
    )


def cdr(link: Db, id_: str, context: str = "ccbridge-offer", sequence: int = 1) -> None:
    link.execute(
        "INSERT INTO cdr (system, uniqueid, sequence, linkedid, at, fields) VALUES ('pbx', %s, %s, %s, %s, "
        "jsonb_build_object('DestinationContext', %s::text))",
        (id_, sequence, id_, NOON, context),
    )


def recording(link: Db, id_: str, state: str, path: str, size: int = 100, error: str | None = None) -> None:
    link.execute(
        "INSERT INTO recording (call_id, offer, agent, started_at, ended_at, path, state, bytes, error) "
        "VALUES (%s, 'o1', 'anna', %s, %s, %s, %s, %s, %s)",
        (id_, NOON, NOON + timedelta(minutes=1), path, state, size, error),
    )


def kinds(differences: list[Difference]) -> dict[str, tuple[str, bool]]:
    return {one.what: (one.kind, one.explained) for one in differences}


def test_all_agrees(db: Database, link: Db, tmp_path: Path, files: dict[str, Path]) -> None:
    call(link, "1.0", ("anna", 20, 5), ("ben", 3, 0))
    cel_call(link, "1.0", ("anna", 25.9), ("ben", 2.1))
    cdr(link, "1.0")
    assert found(db, tmp_path, files) == []
    with reading(db.url) as reader:
        assert counts(reader, START, STOP) == {"calls": 1, "cdrs": 1, "recordings": 0}


def test_two_calls_of_one_channel_agree_with_what_asterisk_tells_of_it(
    db: Database, link: Db, tmp_path: Path, files: dict[str, Path]
) -> None:
    call(link, "1.0", ("anna", 20, 0))
    call(link, "1.0~2", ("anna", 5, 0), ("ben", 10, 0))
    cel_call(link, "1.0", ("anna", 20), ("anna", 5), ("ben", 10))
    cdr(link, "1.0")
    assert found(db, tmp_path, files) == []


def test_calls(db: Database, link: Db, tmp_path: Path, files: dict[str, Path]) -> None:
    cel_call(link, "unseen")
    call(link, "half seen", inferred=True)
    cel_call(link, "half seen")
    call(link, "cut off", inferred=True, disposition="pbx_restart")
    call(link, "lost", inferred=True, disposition="lost")
    for id_ in ("unseen", "half seen", "lost"):
        cdr(link, id_)
    call(link, "no cdr")
    told = found(db, tmp_path, files)
    assert sorted((one.what, one.kind, one.explained) for one in told) == [
        ("cut off", "cut_off_call", True),
        ("cut off", "no_cdr", True),
        ("half seen", "half_seen_call", True),
        ("lost", "inferred_call", True),
        ("no cdr", "no_cdr", False),
        ("unseen", "unseen_call", True),
    ]
    assert [one.explained for one in told] == sorted(one.explained for one in told)  # the others first


@pytest.mark.parametrize(
    ("cel", "joined", "said"),
    [
        ([("anna", 5)], [], ["anna is 20.0 s by the daemon's events, 5.0 s by CEL: events were lost"]),
        ([("anna", 28)], [], ["anna is 20.0 s by the daemon's events, 28.0 s by CEL: events were lost"]),
        # an agent of whom the account knows nothing, whoever was passed on to whom
        (
            [("anna", 20), ("ben", 9)], ["o0"],
            ["ben is 0.0 s by the daemon's events, 9.0 s by CEL: events were lost"],
        ),
        ([("anna", 20), (None, 9)], [], []),
        (
            [], ["o0"],
            ["anna is 20.0 s by the daemon's events, 0.0 s by CEL: the caller was passed on to him"],
        ),
        ([("anna", 28)], ["o0"], ["anna is 20.0 s by the daemon's events, 28.0 s by CEL: events were lost"]),
    ],
)  # fmt: skip
def test_talk(
    db: Database,
    link: Db,
    tmp_path: Path,
    files: dict[str, Path],
    cel: list[tuple[str | None, float]],
    joined: list[str],
    said: list[str],
) -> None:
    call(link, "1.0", ("anna", 20, 5))
    cel_call(link, "1.0", *cel)
    cdr(link, "1.0")
    for seq, offer in enumerate(joined, 1):
        link.execute(
            "INSERT INTO call_event VALUES (%s, %s, %s, '1.0', %s, 'joined', %s)",
            (NOON.date(), NODE, seq, NOON, Jsonb({"offer": offer})),
        )
    told = found(db, tmp_path, files)
    assert [one.reason for one in told] == [f"talk with {one}" for one in said]
    assert [one.explained for one in told] == ["passed on" in one for one in said]


def test_taken_over_by_one_who_was_there_before(
    db: Database, link: Db, tmp_path: Path, files: dict[str, Path]
) -> None:
    """Asterisk has filed all of it under the supervisor's channel since."""
    call(link, "2.0", ("anna", 20, 0))
    cel_call(link, "2.0")
    cdr(link, "2.0")
    for seq, (result, control) in enumerate((("asked", "1.0"), ("done", "1.0"), ("failed", "3.0")), 1):
        link.execute(
            "INSERT INTO control_audit (node, seq, control, at, what, result, who, by, whom, door, call_id,"
            " reason) VALUES (%s, %s, %s, %s, 'take_over', %s, 'sue', 'sue', 'anna', 'phone', '2.0', '')",
            (NODE, seq, control, NOON, result),
        )
    cdr(link, "1.0", "ccbridge-hold")
    cdr(link, "3.0", "ccbridge-hold")
    assert kinds(found(db, tmp_path, files)) == {
        "2.0": ("talk", True),
        "1.0 (1 CDRs)": ("no_call", True),
        "3.0 (1 CDRs)": ("no_call", False),
    }


def test_open_calls(db: Database, link: Db, tmp_path: Path, files: dict[str, Path]) -> None:
    opened = "INSERT INTO call_opened VALUES (%s, %s, '100', 'anonymous', NULL, '', '', NULL, false)"
    for id_ in ("live", "stuck"):
        link.execute(opened, (id_, NOON))
    cel_call(link, "stuck")
    told = found(db, tmp_path, files)
    assert kinds(told) == {"live": ("open_call", True), "stuck": ("open_call", False)}
    assert "does the daemon run" in told[0].reason


def test_cdrs_without_a_call(db: Database, link: Db, tmp_path: Path, files: dict[str, Path]) -> None:
    cdr(link, "internal", "internal")
    cdr(link, "internal", "internal", 2)
    cdr(link, "code", "ccbridge-agent")
    cdr(link, "mx1", "ccbridge-monitor")
    cdr(link, "ours", "ccbridge-hold")
    differences = found(db, tmp_path, files)
    assert kinds(differences) == {
        "internal (2 CDRs)": ("no_call", True),
        "code (1 CDRs)": ("no_call", True),
        "mx1 (1 CDRs)": ("no_call", True),
        "ours (1 CDRs)": ("no_call", False),
    }
    reasons = {one.what: one.reason for one in differences}
    assert reasons["mx1 (1 CDRs)"] == "a supervisor listened to an agent: no caller"
    # what has just happened is not held against anybody
    assert found(db, tmp_path, files, NOON + timedelta(seconds=30)) == []


def test_recordings(db: Database, link: Db, tmp_path: Path, files: dict[str, Path]) -> None:
    day = tmp_path / "2026/03/04"
    day.mkdir(parents=True)
    for name, size in (("ok", 100), ("short", 60), ("stray", 100), ("unanswered-r", 44)):
        (day / f"{name}.wav").write_bytes(b"x" * size)
        os.utime(day / f"{name}.wav", (NOON.timestamp(),) * 2)
    for name, state in (
        ("ok", "ready"), ("short", "ready"), ("gone", "ready"), ("writing", "writing"), ("waits", "ended"),
        ("failed", "failed"), ("empty", "empty"),
    ):  # fmt: skip
        call(link, name)
        cdr(link, name)
        recording(link, name, state, f"2026/03/04/{name}", error="no sound" if state == "failed" else None)
    told = {
        one.what.rpartition(" ")[2].rpartition("/")[2]: (one.kind, one.explained)
        for one in found(db, tmp_path, files)
    }
    assert told == {
        "short": ("changed_recording", False),
        "gone": ("no_recording_file", False),
        "writing": ("open_recording", False),
        "waits": ("unfinished_recording", False),
        "failed": ("failed_recording", False),
        "stray.wav": ("file_without_row", False),
        "unanswered-r.wav": ("file_without_row", True),
    }
    soon = {one.kind: one.explained for one in found(db, tmp_path, files, NOON + timedelta(minutes=3))}
    assert soon["unfinished_recording"]
    assert soon["file_without_row"]


def test_what_was_refused_or_not_read(db: Database, link: Db, tmp_path: Path, files: dict[str, Path]) -> None:
    link.execute(
        "INSERT INTO file_reject (system, file, line, found_at, text, error) "
        "VALUES ('pbx', '/x/ccbridge.csv', 17, %s, 'x', 'it has 1 fields')",
        (NOON,),
    )
    link.execute("INSERT INTO ship_reject VALUES (%s, 3, %s, '{}', 'no such outcome')", (NODE, NOON))
    files["CDRs"].write_text("a line\n")
    files["channel events"].unlink()
    told = {one.what: one.reason for one in found(db, tmp_path, files)}
    assert told["/x/ccbridge.csv:17"].endswith("was no row: it has 1 fields")
    assert told[f"journal {NODE} seq 3"].endswith("no such outcome")
    assert told[str(files["CDRs"])].startswith("7 bytes of the CDRs are not read yet")
    assert "is not there" in told[str(files["channel events"])]
    assert len(told) == 4


def test_the_file_of_another_pbx_is_not_ours(
    db: Database, link: Db, tmp_path: Path, files: dict[str, Path]
) -> None:
    """Two PBXs on two machines have the same path for it."""
    files["CDRs"].write_text("a line\n")
    for system, unread in (("other", ["unread"]), ("pbx", [])):
        followed = Followed(files["CDRs"], system, lambda line, _: line, lambda db, rows: None)
        while copy_piece(link, followed, NOW.timestamp()):
            pass
        assert [one.kind for one in found(db, tmp_path, files)] == unread


def test_a_folder_that_cannot_be_read(db: Database, tmp_path: Path, files: dict[str, Path]) -> None:
    (tmp_path / "2026/03").mkdir(parents=True)
    (tmp_path / "2026/03/04").touch()
    (told,) = found(db, tmp_path, files)
    assert (told.kind, told.what, told.explained) == ("unreadable", str(tmp_path / "2026/03/04"), False)
