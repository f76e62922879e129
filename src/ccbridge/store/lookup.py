"""Who calls? Asked while the caller hears the greeting, so an answer that is late is no answer."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, NamedTuple

import psycopg
import structlog
from psycopg_pool import AsyncConnectionPool

from ccbridge.store import urls
from ccbridge.store.cut import cut

log = structlog.get_logger(__name__)

POOL = 3
QUEUE = 50  # lookups waiting for a connection; more is a storm, and those callers go unnamed
REST = 5.0  # seconds without a question after a failure

FIND = """
SELECT c.id, c.name, c.priority, coalesce(c.owner, ''), coalesce((
    SELECT agent FROM call
    WHERE customer_id = c.id AND agent IS NOT NULL AND answered_at > now() - make_interval(days => %s)
    ORDER BY answered_at DESC LIMIT 1), '')
FROM phone_number p JOIN customer c ON c.id = p.customer_id WHERE p.e164 = %s"""


class Customer(NamedTuple):
    id: int
    name: str
    priority: int
    owner: str  # an agent's id, or ""
    last_agent: str  # who talked with him last, or ""


class CustomerLookup:
    """Finds customers by number, within ``limit`` seconds each. ``open`` and ``close`` it in one loop.

    A database that is away or frozen costs one lookup its limit; for the next ``REST`` seconds every
    other is answered with "unknown" at once.
    """

    def __init__(self, url: str, limit: float = 0.3, *, rest: float = REST) -> None:
        self.limit = limit
        self.failures = 0
        self.skipped = 0
        self._rest = rest
        self._resting_until = 0.0
        self._abandoned: set[asyncio.Task[Any]] = set()
        self._pool = AsyncConnectionPool(
            urls.for_libpq(url),
            min_size=1,
            max_size=POOL,
            max_waiting=QUEUE,
            max_idle=60.0,
            reconnect_timeout=20.0,
            kwargs={"autocommit": True, **urls.keepalive(limit)},
            open=False,
            name="lookup",
        )

    async def open(self) -> None:
        """Start connecting in the background; returns at once, also when the database is away."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        for task in self._abandoned:
            task.cancel()
        await self._pool.close(timeout=1.0)

    async def find_customer(self, e164: str, days: int) -> Customer | None:
        """None: unknown, or no answer in time. Faults raise nothing.

        Who talked with him more than ``days`` ago is not his last agent.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._resting_until:
            self.skipped += 1
            return None
        task = asyncio.create_task(self._ask(e164, days))
        # not wait_for: a cancelled query of a frozen server would hold us for as long as it likes
        try:
            done, _ = await asyncio.wait({task}, timeout=self.limit)
        except asyncio.CancelledError:
            self._abandon(task)
            raise
        try:
            if done:
                return task.result()
            self._abandon(task)
            reason = "no answer in time"
        except (psycopg.Error, OSError) as error:  # PoolTimeout and TooManyRequests are psycopg errors
            reason = type(error).__name__
        self.failures += 1
        self._resting_until = loop.time() + self._rest
        log.warning("lookup_failed", reason=reason, rest=self._rest)
        return None

    async def _ask(self, e164: str, days: int) -> Customer | None:
        loop = asyncio.get_running_loop()
        limit = loop.time() + self.limit
        async with self._pool.connection(timeout=self.limit) as db:
            # the pool throws the connection away and makes another in the background
            timer = loop.call_at(limit, cut, db)
            try:
                row = await (await db.execute(FIND, (days, e164))).fetchone()
            finally:
                timer.cancel()
        return Customer(*row) if row else None

    def _abandon(self, task: asyncio.Task[Any]) -> None:
        """Let it end by itself (its connection is cut at this moment), without anybody waiting."""
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)
        task.add_done_callback(_read)


def _read(task: asyncio.Task[Any]) -> None:
    """Fetch the outcome of an abandoned question, so that asyncio does not report it as forgotten."""
    with contextlib.suppress(asyncio.CancelledError, psycopg.Error, OSError):
        task.result()
