"""Which agents have a follow-up that is due: for the lamps of their phones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
import structlog

from ccbridge.store import urls
from ccbridge.store.cut import cut_after

log = structlog.get_logger(__name__)

EVERY = 10.0  # seconds between two looks
LIMIT = 2.0  # seconds for an answer, the login's five not counted

_DUE = b"""
SELECT DISTINCT agent FROM ticket WHERE state = 'follow_up' AND due_at <= now() AND agent IS NOT NULL"""


class DueFollowUps:
    """``run()`` until cancelled: asks the database while ``on()`` is true, and calls ``told`` at a change.

    While the database is away ``agents`` are those of the last answer.
    """

    def __init__(self, url: str, on: Callable[[], bool], told: Callable[[], None]) -> None:
        self.agents: frozenset[str] = frozenset()
        self._url = url
        self._on = on
        self._told = told
        self._away = False

    async def run(self) -> None:
        while True:
            if self._on():
                await self._look()
            await asyncio.sleep(EVERY)

    async def _look(self) -> None:
        try:
            found = await agents_due(self._url, LIMIT)
        except (psycopg.Error, OSError) as error:
            if not self._away:
                log.warning("follow_ups.away", why=type(error).__name__)
            self._away = True
            return
        self._away = False
        if found != self.agents:
            self.agents = found
            self._told()


async def agents_due(url: str, limit: float) -> frozenset[str]:
    """Those with a follow-up that is due now.

    Raises psycopg.Error, also when the answer takes longer than ``limit`` seconds.
    """
    async with await psycopg.AsyncConnection.connect(
        urls.for_libpq(url), **urls.keepalive(limit), autocommit=True
    ) as db:
        with cut_after(db, limit):
            return frozenset(str(agent) for (agent,) in await (await db.execute(_DUE)).fetchall())
