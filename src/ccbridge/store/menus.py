"""What is kept in the database for callers who arrive: the answers of menus, VIPs and blocked numbers.

The daemon reads both whole, again and again, and goes on with what it read last while the database is away:
no caller waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from ccbridge.store.asked import Asked, NoAnswer

log = structlog.get_logger(__name__)

EVERY = 5.0  # seconds between two readings: so long a change takes at most
LIMIT = 2.0  # seconds for an answer
MOST = 100_000  # rows of either

_ANSWERS = "SELECT menu, key, queue FROM menu_answer"
_CALLERS = "SELECT e164, kind FROM caller_list"


class ArrivalTables:
    """``run()`` until cancelled. ``answers``: menu -> key -> queue; ``callers``: E.164 -> vip or block."""

    def __init__(self, url: str, every: float = EVERY) -> None:
        self.answers: Mapping[str, Mapping[str, str]] = {}
        self.callers: Mapping[str, str] = {}
        self._asked = Asked(url, LIMIT, most=1, waiting=2, name="arrivals")
        self._every = every
        self._away = False

    async def run(self) -> None:
        await self._asked.open()
        try:
            while True:
                await self._read()
                await asyncio.sleep(self._every)
        finally:
            await self._asked.close()

    async def _read(self) -> None:
        try:
            answers = await self._asked.rows(_ANSWERS, (), LIMIT, MOST)
            callers = await self._asked.rows(_CALLERS, (), LIMIT, MOST)
        except NoAnswer as error:
            if not self._away:
                log.warning("arrivals.away", why=str(error))
            self._away = True
            return
        self._away = False
        by_menu: dict[str, dict[str, str]] = {}
        for row in answers:
            by_menu.setdefault(row["menu"], {})[row["key"]] = row["queue"]
        self.answers = by_menu
        self.callers = {row["e164"]: row["kind"] for row in callers}
