"""The lookup's promise: an answer or none, but never late."""

from __future__ import annotations

import asyncio
import time

import psycopg
import pytest

from ccbridge.lab.database import Database
from ccbridge.lab.postgres import LabPostgres
from ccbridge.store.lookup import FIND, Customer, CustomerLookup

pytestmark = pytest.mark.pg

NUMBER = "+302101234567"
DAYS = 30
LATE = 2.0  # what a lookup with a limit of 0.5 s may take on a busy machine; the faults last longer


async def ready(lookup: CustomerLookup) -> None:
    deadline = time.monotonic() + 20
    while await lookup.find_customer(NUMBER, DAYS) is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def timed(lookup: CustomerLookup, number: str = NUMBER) -> tuple[Customer | None, float]:
    started = time.monotonic()
    found = await lookup.find_customer(number, DAYS)
    return found, time.monotonic() - started


async def test_known_unknown_frozen_dead_and_back(own_server: LabPostgres) -> None:
    with Database(own_server.url) as base:
        with psycopg.connect(base.url) as db:
            db.execute("INSERT INTO customer (id, name, created_at, priority) VALUES (7, 'Zoë', now(), 9)")
            db.execute("INSERT INTO phone_number VALUES (%s, 7)", (NUMBER,))
        lookup = CustomerLookup(base.url, 0.5, rest=0.2)
        await lookup.open()
        try:
            await ready(lookup)
            assert await lookup.find_customer(NUMBER, DAYS) == (7, "Zoë", 9, "", "", "")
            assert await lookup.find_customer("+15550100", DAYS) is None
            assert lookup.failures == 0

            own_server.pause()
            try:
                answers = await asyncio.gather(*(timed(lookup) for _ in range(60)))
                assert {found for found, _ in answers} == {None}
                assert max(seconds for _, seconds in answers) < LATE
                assert lookup.failures > 0
                skipped = lookup.skipped
                assert (await timed(lookup))[0] is None
                assert lookup.skipped == skipped + 1
            finally:
                own_server.resume()
            await ready(lookup)

            await asyncio.to_thread(own_server.kill)
            await asyncio.sleep(0.25)  # the rest of the last failure is over
            found, seconds = await timed(lookup)
            assert (found, seconds < LATE) == (None, True)
            await asyncio.to_thread(own_server.start)
            await ready(lookup)
        finally:
            await lookup.close()


async def test_a_database_that_never_was() -> None:
    lookup = CustomerLookup("postgresql://nobody:x@127.0.0.1:1/none", 0.2)
    started = time.monotonic()
    await lookup.open()
    assert await lookup.find_customer(NUMBER, DAYS) is None
    assert await lookup.find_customer(NUMBER, DAYS) is None
    assert (lookup.failures, lookup.skipped) == (1, 1)
    await lookup.close()
    assert time.monotonic() - started < 10


CALLS = """
INSERT INTO call (call_id, arrived_at, ended_at, did, customer_id, queue, priority, queued_at, answered_at,
                  agent, talk_s, offers, disposition, ended_by, inferred)
SELECT 'c' || n, t, t, '100', 7 + n %% %(customers)s, 'sales', 0, t, CASE WHEN n %% 3 > 0 THEN t END,
       CASE WHEN n %% 3 > 0 THEN 'agent' || n %% 50 END, 5, 1, 'answered', 'caller', false
FROM generate_series(1, %(calls)s) n, LATERAL (SELECT now() - make_interval(mins => n) AS t) moment"""


async def test_the_owner_and_the_last_agent(db: Database) -> None:
    """Of 20,000 calls, a third of them with nobody's answer: found by the index, not by reading them."""
    with psycopg.connect(db.url, autocommit=True) as base:
        base.execute("INSERT INTO customer (id, name, created_at) VALUES (7, '7', now()), (8, '8', now())")
        base.execute("INSERT INTO customer (id, name, created_at) VALUES (9, '9', now())")
        base.execute("INSERT INTO phone_number VALUES (%s, 7), ('+15550100', 9)", (NUMBER,))
        base.execute(CALLS, {"customers": 2, "calls": 20_000})
        base.execute("UPDATE customer SET owner = 'anna' WHERE id = 7")
        lookup = CustomerLookup(db.url, 0.5)
        await lookup.open()
        try:
            await ready(lookup)
            # his calls are those with an even number; of these 2 is the latest that was answered
            assert await lookup.find_customer(NUMBER, DAYS) == (7, "7", 0, "anna", "agent2", "")
            assert await lookup.find_customer("+15550100", DAYS) == (9, "9", 0, "", "", "")
            base.execute("UPDATE call SET customer_id = 9 WHERE call_id = 'c2000'")  # a day and a half ago
            assert (await lookup.find_customer("+15550100", 2)) == (9, "9", 0, "", "agent0", "")
            assert (await lookup.find_customer("+15550100", 1)) == (9, "9", 0, "", "", "")
        finally:
            await lookup.close()
    with psycopg.connect(db.admin_url, autocommit=True) as owner:
        owner.execute("ANALYZE")
        plan = owner.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {FIND}", (DAYS, NUMBER)).fetchone()
        assert plan is not None
        assert "ix_call_customer_id_answered_at" in str(plan[0])
        assert plan[0][0]["Execution Time"] < 50  # milliseconds; reading all of them takes longer than 1
