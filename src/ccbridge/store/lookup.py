"""Who calls? Asked while the caller hears the greeting, so an answer that is late is no answer."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import structlog

from ccbridge.store.asked import Asked, NoAnswer

log = structlog.get_logger(__name__)

POOL = 3
QUEUE = 50  # lookups waiting for a connection; more is a storm, and those callers go unnamed
REST = 5.0  # seconds without a question after a failure

FIND = """
SELECT c.id, c.name, c.priority, coalesce(c.owner, '') AS owner, coalesce((
    SELECT agent FROM call
    WHERE customer_id = c.id AND agent IS NOT NULL AND answered_at > now() - make_interval(days => %s)
    ORDER BY answered_at DESC LIMIT 1), '') AS last_agent, coalesce(c.language, '') AS language
FROM phone_number p JOIN customer c ON c.id = p.customer_id WHERE p.e164 = %s"""


class Customer(NamedTuple):
    id: int
    name: str
    priority: int
    owner: str  # an agent's id, or ""
    last_agent: str  # who talked with him last, or ""
    language: str  # or ""


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
        self._asked = Asked(url, limit, most=POOL, waiting=QUEUE, name="lookup")

    async def open(self) -> None:
        """Start connecting in the background; returns at once, also when the database is away."""
        await self._asked.open()

    async def close(self) -> None:
        await self._asked.close()

    async def find_customer(self, e164: str, days: int) -> Customer | None:
        """None: unknown, or no answer in time. Faults raise nothing.

        Who talked with him more than ``days`` ago is not his last agent.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._resting_until:
            self.skipped += 1
            return None
        try:
            rows = await self._asked.rows(FIND, (days, e164), self.limit)
        except NoAnswer as error:
            self.failures += 1
            self._resting_until = loop.time() + self._rest
            log.warning("lookup_failed", reason=str(error), rest=self._rest)
            return None
        return Customer(*rows[0].values()) if rows else None
