"""Lists of callers and answers of menus: changed by commands, known to the daemon within one reading."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import psycopg
import pytest

from ccbridge.lab.database import Database
from ccbridge.lab.postgres import LabPostgres
from ccbridge.store import queries
from ccbridge.store.menus import ArrivalTables

pytestmark = pytest.mark.pg

VIP, BAD = "+302101234567", "+302107654321"


async def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_what_changes_is_read_and_kept_while_the_database_is_away(own_server: LabPostgres) -> None:
    with Database(own_server.url) as base:
        tables = ArrivalTables(base.url, every=0.1)
        task = asyncio.create_task(tables.run())
        try:
            with queries.reading(base.url) as db:
                assert queries.list_caller(db, VIP, "vip", "good", "ops") == ""
                assert queries.list_caller(db, BAD, "block", "", "ops") == ""
                queries.answer_menu(db, "main", "1", "sales", "ops")
                queries.answer_menu(db, "main", "1", "support", "ops")
                queries.answer_menu(db, "other", "#", "sales", "ops")
            lists, answers = {VIP: "vip", BAD: "block"}, {"main": {"1": "support"}, "other": {"#": "sales"}}
            await until(lambda: tables.callers == lists and tables.answers == answers)
            own_server.pause()
            try:
                await asyncio.sleep(0.5)
                assert tables.callers == {VIP: "vip", BAD: "block"}
            finally:
                own_server.resume()
            with queries.reading(base.url) as db:
                assert queries.list_caller(db, VIP, "block", "", "ops") == "vip"  # on one list at most
                assert queries.unlist_caller(db, BAD, "block")
                assert not queries.unlist_caller(db, BAD, "block")
                assert queries.unanswer_menu(db, "main", "1")
                assert not queries.unanswer_menu(db, "main", "1")
            fewer = {"other": {"#": "sales"}}
            await until(lambda: tables.callers == {VIP: "block"} and tables.answers == fewer)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def test_what_the_tables_refuse(db: Database) -> None:
    for statement in (
        "INSERT INTO caller_list (e164, kind) VALUES ('210', 'vip')",
        "INSERT INTO caller_list (e164, kind) VALUES ('+302101234567', 'friend')",
        "INSERT INTO menu_answer (menu, key, queue) VALUES ('main', '12', 'sales')",
    ):
        with psycopg.connect(db.url) as direct, pytest.raises(psycopg.errors.CheckViolation):
            direct.execute(statement)
