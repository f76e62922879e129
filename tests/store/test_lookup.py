"""The lookup's promise: an answer or none, but never late."""

from __future__ import annotations

import asyncio
import time

import psycopg
import pytest

from ccbridge.lab.database import Database
from ccbridge.lab.postgres import LabPostgres
from ccbridge.store.lookup import CustomerLookup

pytestmark = pytest.mark.pg

NUMBER = "+302101234567"
LATE = 2.0  # what a lookup with a limit of 0.5 s may take on a busy machine; the faults last longer


async def ready(lookup: CustomerLookup) -> None:
    deadline = time.monotonic() + 20
    while await lookup.find_customer(NUMBER) is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def timed(lookup: CustomerLookup, number: str = NUMBER) -> tuple[tuple[int, str, int] | None, float]:
    started = time.monotonic()
    found = await lookup.find_customer(number)
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
            assert await lookup.find_customer(NUMBER) == (7, "Zoë", 9)
            assert await lookup.find_customer("+15550100") is None
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
    assert await lookup.find_customer(NUMBER) is None
    assert await lookup.find_customer(NUMBER) is None
    assert (lookup.failures, lookup.skipped) == (1, 1)
    await lookup.close()
    assert time.monotonic() - started < 10
