"""One agent's figures of today, as he hears them at his phone: those of the day's report."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, time, timedelta
from typing import NamedTuple

import psycopg
import structlog

from ccbridge.reports.legs import LEGS
from ccbridge.store import urls
from ccbridge.store.cut import cut_after

log = structlog.get_logger(__name__)

LIMIT = 3.0  # seconds for an answer, the login's five not counted
AT_ONCE = 2

_OF_ONE = f"SELECT answered, missed, talk_s FROM ({LEGS}) AS his WHERE agent = :agent"
_PLACES = re.compile(r"(?<!:):(\w+)")  # SQLAlchemy's names of values; psycopg writes them otherwise


class Own(NamedTuple):
    """Calls taken, offers missed, seconds of talk; of what has ended."""

    answered: int
    missed: int
    talk_s: float


class OwnFigures:
    """Asks the database, a few at a time. ``url`` is that of ``database.url``."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._asking = asyncio.Semaphore(AT_ONCE)

    async def today(self, agent: str) -> Own | None:
        """Since midnight on this machine; None: no answer in time. Raises nothing."""
        now = datetime.now().astimezone()
        start, stop = (
            datetime.combine(now.date() + timedelta(days=more), time()).astimezone() for more in (0, 1)
        )
        try:
            async with self._asking:
                return await own(self._url, agent, start, stop, LIMIT)
        except (psycopg.Error, OSError, ValueError) as error:
            log.warning("figures.away", agent=agent, why=type(error).__name__)
            return None


async def own(url: str, agent: str, start: datetime, stop: datetime, limit: float) -> Own:
    """What ended from ``start`` on and before ``stop``.

    Raises psycopg.Error, also when the answer takes longer than ``limit`` seconds, and ValueError for what is
    no URL of a database.
    """
    async with await psycopg.AsyncConnection.connect(
        urls.for_libpq(url), **urls.keepalive(limit), autocommit=True
    ) as db:
        with cut_after(db, limit):
            values = {"agent": agent, "start": start, "stop": stop}
            row = await (await db.execute(_PLACES.sub(r"%(\1)s", _OF_ONE).encode(), values)).fetchone()
    return Own(int(row[0]), int(row[1]), float(row[2])) if row else Own(0, 0, 0.0)
