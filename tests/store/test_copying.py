"""Asterisk's own files -> PostgreSQL: exactly once, beside the shipper, through kills and rotations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from ccbridge import jobs
from ccbridge.core.records import CdrRow
from ccbridge.gaps import copying, follow, lines
from ccbridge.gaps.copying import Followed, connect, copy_piece, position
from ccbridge.lab.database import Database
from ccbridge.store.rows import Db, Numbered, store, store_cdrs

pytestmark = pytest.mark.pg

NODE = UUID(int=7)
T0 = 1795323830


def line(number: int, clid: str = '""Zoë"" <1>') -> str:
    return (
        f'"pbx","pbx-{number}.0","{number}","pbx-{number}.0","{T0 + number}.25","","+3069{number:08d}",'
        f'"menu","ccbridge-in","{clid}","PJSIP/carrier-1","","AGI","agi://x","a","b","c","2","2","ANSWERED",'
        '"DOCUMENTATION",""\n'
    )


@pytest.fixture
def db(pg_server: str) -> Iterator[Database]:
    with Database(pg_server) as database:
        yield database


@pytest.fixture
def link(db: Database) -> Iterator[Db]:
    with connect(db.url) as connection:
        yield connection


def followed(path: Path) -> Followed[CdrRow]:
    return Followed(path, "pbx", lines.cdr, lambda db, rows: store_cdrs(db, rows, "file"))


def read_all(link: Db, path: Path) -> None:
    while copy_piece(link, followed(path), time.time()):
        pass


def rows(link: Db, query: str) -> list[Any]:
    return link.execute(query).fetchall()  # type: ignore[call-overload, no-any-return]


async def until_cdrs(link: Db, count: int) -> None:
    deadline = time.monotonic() + 20
    while rows(link, "SELECT count(*) FROM cdr") != [(count,)]:
        found = {one[0] for one in rows(link, "SELECT sequence FROM cdr")}
        assert time.monotonic() < deadline, sorted(set(range(1, count + 1)) - found)[:20]
        await asyncio.sleep(0.02)


CDRS = """
SELECT system, uniqueid, sequence, linkedid, at, c.fields, p.fields
FROM cdr c JOIN cdr_party p USING (system, uniqueid, sequence) ORDER BY sequence"""


def test_the_same_row_whoever_comes_first(link: Db, tmp_path: Path) -> None:
    path = tmp_path / "ccbridge.csv"
    path.write_text(line(1) + line(2))
    row = lines.cdr(line(1).strip().encode(), "pbx")
    store(link, NODE, [Numbered(1, row)])
    before = rows(link, CDRS)
    read_all(link, path)
    assert rows(link, CDRS)[:1] == before
    assert rows(link, "SELECT sequence, source FROM cdr ORDER BY 1") == [(1, "ami"), (2, "file")]
    other = lines.cdr(line(2).strip().encode(), "pbx")
    after = rows(link, CDRS)
    store(link, NODE, [Numbered(2, other)])
    assert rows(link, CDRS) == after
    assert rows(link, "SELECT count(*) FROM cdr") == [(2,)]


def test_who_was_erased_stays_erased(link: Db, tmp_path: Path) -> None:
    """The file may be read again, and the shipper may ship again: a party that is gone does not come back."""
    path = tmp_path / "ccbridge.csv"
    path.write_text(line(1))
    read_all(link, path)
    link.execute("DELETE FROM cdr_party")
    link.execute("UPDATE file_position SET byte = 0, head_size = 0")
    read_all(link, path)
    store(link, NODE, [Numbered(1, lines.cdr(line(1).strip().encode(), "pbx"))])
    assert rows(link, "SELECT count(*) FROM cdr_party") == [(0,)]


def test_bad_lines_are_kept_with_their_place(link: Db, tmp_path: Path) -> None:
    path = tmp_path / "ccbridge.csv"
    nul, far = line(4, clid="nul \0"), line(5).replace('"5"', '"2147483648"', 1)
    path.write_text(line(1) + "nonsense\n" + line(2) + "\n" + line(3)[:40] + "\n" + nul + far + line(6))
    read_all(link, path)
    assert rows(link, "SELECT sequence FROM cdr ORDER BY 1") == [(1,), (2,), (6,)]
    found = rows(link, "SELECT line, file, error, text FROM file_reject ORDER BY line")
    assert [(number, Path(file).name) for number, file, _, _ in found] == [
        (number, "ccbridge.csv") for number in (2, 5, 6, 7)
    ]
    assert "1 fields, not 22" in found[0][2]
    assert found[0][3] == "nonsense"
    assert "\\0" in found[2][3]
    stand = position(link, "pbx", path)
    assert stand is not None
    assert (stand.line, stand.byte) == (8, path.stat().st_size)


def test_killed_between_the_rows_and_the_position(
    link: Db, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each statement of a piece in turn: nothing half, and the next start does the whole."""
    path = tmp_path / "ccbridge.csv"
    path.write_text("".join(map(line, range(1, 4))) + "nonsense\n")

    class Killed(BaseException):
        pass

    copy_piece(link, followed(path), time.time())  # begun, nothing read yet
    before = position(link, "pbx", path)
    real = psycopg.Cursor.execute
    for step in range(4):  # the lock, the position, the bad line, the new position
        count = 0

        def execute(self: Any, *args: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count > step:  # noqa: B023
                raise Killed
            return real(self, *args, **more)

        with connect(db.url) as victim, monkeypatch.context() as patch:
            patch.setattr(psycopg.Cursor, "execute", execute)
            with pytest.raises(Killed):
                copy_piece(victim, followed(path), time.time())
        counts = "SELECT (SELECT count(*) FROM cdr), (SELECT count(*) FROM file_reject)"
        assert rows(link, counts) == [(0, 0)], step
        assert position(link, "pbx", path) == before
    read_all(link, path)
    assert rows(link, counts) == [(3, 1)]


async def test_the_jobs_beside_the_shipper_through_kills_and_rotations(
    db: Database, link: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both bring the same rows at the same time; connections are cut; the file is rotated twice."""
    path = tmp_path / "ccbridge.csv"
    count = 900
    monkeypatch.setattr(follow, "SETTLED", 0.2)

    def ship() -> None:
        with psycopg.connect(db.url, autocommit=True) as other:
            for first in range(1, count + 1, 50):
                batch = [lines.cdr(line(n).strip().encode(), "pbx") for n in range(first, first + 50, 2)]
                with other.transaction():
                    store(other, NODE, [Numbered(row.sequence, row) for row in reversed(batch)])

    task = asyncio.create_task(jobs.catch_up(db.url, [followed(path)], poll=0.01))
    shipping = asyncio.create_task(asyncio.to_thread(ship))
    for number in range(1, count + 1):
        with path.open("a") as file:
            file.write(line(number))
        if number == 300:
            path.rename(tmp_path / "ccbridge.csv.2")
        if number == 600:
            (tmp_path / "ccbridge.csv.1").write_bytes(path.read_bytes())
            path.write_bytes(b"")
        if number % 200 == 0:
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            task = asyncio.create_task(jobs.catch_up(db.url, [followed(path)], poll=0.01))
    await shipping
    await until_cdrs(link, count)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rows(link, "SELECT count(*), count(DISTINCT uniqueid) FROM cdr") == [(count, count)]
    assert rows(link, "SELECT count(*) FROM cdr_party") == [(count,)]
    assert rows(link, "SELECT count(*) FROM file_reject") == [(0,)]


async def test_a_file_that_may_not_be_read_is_said_once_and_waited_for(
    db: Database, link: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ccbridge.csv"
    path.mkdir()  # no right of ours could be taken from a root who runs the tests
    said: list[dict[str, Any]] = []
    monkeypatch.setattr(jobs, "AWAY", 0.05)
    monkeypatch.setattr(jobs.log, "warning", lambda event, **more: said.append(more))
    task = asyncio.create_task(jobs.catch_up(db.url, [followed(path)], poll=0.01))
    await asyncio.sleep(0.5)  # several attempts
    path.rmdir()
    path.write_text(line(1))
    await until_cdrs(link, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(said) == 1
    assert "Is a directory" in said[0]["reason"]


def test_longest(link: Db, tmp_path: Path) -> None:
    path = tmp_path / "ccbridge.csv"
    path.write_text("x" * 10_000 + "\n")
    read_all(link, path)
    assert rows(link, "SELECT length(text) FROM file_reject") == [(copying.LONGEST,)]
