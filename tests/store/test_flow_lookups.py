"""Look-ups of flows: an answer in time, or none; real PostgreSQL, real HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from pydantic import SecretStr

from ccbridge.config.lookups import Lookup
from ccbridge.core.expr import Value
from ccbridge.lab.database import Database
from ccbridge.lab.postgres import LabPostgres
from ccbridge.lookups import LONGEST_ANSWER, Lookups

pytestmark = pytest.mark.pg

LATE = 2.0  # seconds beyond a limit, on a busy machine


def sql(text: str, timeout: float = 2.0, url: str = "") -> Lookup:
    return Lookup(text, None, timeout, SecretStr(url))


class Crm(BaseHTTPRequestHandler):
    """A site's web service: what it answers is in the path."""

    asked: ClassVar[list[tuple[str, dict[str, list[str]], str | None]]] = []

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        Crm.asked.append((parts.path, parse_qs(parts.query), self.headers["Authorization"]))
        body = {
            "/found": json.dumps(
                {"name": "Zoë", "sum": -12, "vip": True, "rate": 1.5, "more": [1], "no": None}
            ),
            "/list": "[1]",
            "/garbage": "<html>",
            "/long": json.dumps({"x": "y" * LONGEST_ANSWER}),
        }.get(parts.path, "")
        status = {"/nobody": 404, "/none": 204, "/broken": 500, "/moved": 302}.get(parts.path, 200)
        self.send_response(status)
        if parts.path == "/slow":
            self.end_headers()
            for _ in range(40):  # a byte now and then: no single read is late
                time.sleep(0.1)
                try:
                    self.wfile.write(b" ")
                    self.wfile.flush()
                except OSError:
                    return
            return
        self.send_header("Location", "/found")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def crm() -> Iterator[str]:
    Crm.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Crm) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
async def lookups(db: Database) -> AsyncIterator[tuple[Lookups, dict[str, Lookup]]]:
    named: dict[str, Lookup] = {}
    one = Lookups(lambda: named, db.url)
    yield one, named
    await one.close()


Both = tuple[Lookups, dict[str, Lookup]]


async def test_a_row_its_types_and_none(lookups: Both) -> None:
    asked, named = lookups
    named["a"] = sql(
        "SELECT 1 AS one, 2.5 AS half, true AS yes, NULL AS nothing, %(n)s AS said, "
        "10^17::bigint AS much WHERE %(n)s <> 'nobody'"
    )
    found: dict[str, Value] | None = await asked.ask("a", {"n": "x' OR 'a'='a"})
    assert found == {
        "one": 1, "half": "2.5", "yes": True, "nothing": "", "said": "x' OR 'a'='a", "much": "1e+17"
    }  # fmt: skip
    assert await asked.ask("a", {"n": "nobody"}) == {}
    assert asked.longest("a") == 2.0


async def test_what_would_write_is_refused_and_faults_are_no_answer(lookups: Both, db: Database) -> None:
    asked, named = lookups
    named["write"] = sql("INSERT INTO customer (name, created_at) VALUES ('x', now()) RETURNING id")
    named["typo"] = sql("SELECT x FROM nowhere")
    named["late"] = sql("SELECT pg_sleep(5)", timeout=0.3)
    named["away"] = sql("SELECT 1", timeout=0.3, url="postgresql://nobody:secret@127.0.0.1:1/none")
    started = time.monotonic()
    for name in ("write", "typo", "late", "away", "nobody_has_named_it"):
        assert await asked.ask(name, {}) is None, name
    assert time.monotonic() - started < 0.6 + LATE + 2 * 2.0
    with psycopg.connect(db.url) as direct:
        assert direct.execute("SELECT count(*) FROM customer WHERE name = 'x'").fetchone() == (0,)


async def test_a_frozen_server_holds_nobody_and_the_next_is_answered(own_server: LabPostgres) -> None:
    named = {"a": sql("SELECT 7 AS n", timeout=0.4)}
    asked = Lookups(lambda: named, own_server.url)
    try:
        deadline = time.monotonic() + 20
        while await asked.ask("a", {}) is None:
            assert time.monotonic() < deadline
        own_server.pause()
        try:
            started = time.monotonic()
            answers = await asyncio.gather(*(asked.ask("a", {}) for _ in range(80)))
            assert answers == [None] * 80
            assert time.monotonic() - started < 0.4 + LATE
        finally:
            own_server.resume()
        deadline = time.monotonic() + 20
        while await asked.ask("a", {}) != {"n": 7}:
            assert time.monotonic() < deadline
    finally:
        await asked.close()


async def test_http(lookups: Both, crm: str) -> None:
    asked, named = lookups
    named["crm"] = Lookup(None, f"{crm}/found", 2.0, SecretStr("t0ken"))
    values: dict[str, Value] = {"n": "+30 &x=1", "vip": True}
    assert await asked.ask("crm", values) == {
        "name": "Zoë", "sum": -12, "vip": True, "rate": "1.5", "more": "", "no": ""
    }  # fmt: skip
    assert Crm.asked == [("/found", {"n": ["+30 &x=1"], "vip": ["True"]}, "Bearer t0ken")]
    for path in ("nobody", "none"):
        named["crm"] = Lookup(None, f"{crm}/{path}", 2.0, SecretStr(""))
        assert await asked.ask("crm", {}) == {}, path
    assert Crm.asked[-1][2] is None
    started = time.monotonic()
    for path in ("list", "garbage", "long", "broken", "moved", "slow"):
        named["crm"] = Lookup(None, f"{crm}/{path}", 0.8, SecretStr(""))
        assert await asked.ask("crm", {}) is None, path
    assert time.monotonic() - started < 6 * 0.8 + LATE
    named["crm"] = Lookup(None, "http://127.0.0.1:1/", 0.8, SecretStr(""))
    assert await asked.ask("crm", {}) is None
