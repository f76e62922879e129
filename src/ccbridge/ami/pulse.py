"""Whether a link lives: a ping with a timed answer, and what its answer tells about time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from .errors import AmiError
from .link import Link, Request


class Pulse:
    """Pings a link every `interval` seconds; one without an answer in `timeout` seconds is cut."""

    def __init__(self, interval: float, timeout: float) -> None:
        self.interval = interval
        self.timeout = timeout
        self.round_trip: float | None = None  # seconds, of the last answered ping
        self.clock_offset: float | None = None  # seconds, Asterisk's wall clock minus ours

    async def keep(self, link: Link, on_beat: Callable[[], None]) -> None:
        """Until the link is gone. `on_beat` is called at each answer."""
        while not link.closed:
            await asyncio.sleep(self.interval)
            if link.occupied:  # deaf for the ring time of an Originate without Async; that has its own limit
                continue
            if await self._answered(link):
                on_beat()
            else:
                link.cut("ping not answered")

    async def _answered(self, link: Link) -> bool:
        sent_at = asyncio.get_running_loop().time()
        asked = asyncio.ensure_future(self.ping(link, 2 * self.timeout))
        try:
            done, _ = await asyncio.wait({asked}, timeout=self.timeout)
            # After a standstill of our own the answer may lie behind a heap of events: whatever came since
            # proves a living peer, and gets it a second term.
            if not done and link.last_heard <= sent_at:
                return False
            await asked
        except AmiError:
            return False
        finally:
            asked.cancel()
        return True

    async def ping(self, link: Link, limit: float) -> float:
        """Round trip in seconds. Raises ActionTimeout after `limit` seconds, or LinkLost."""
        begun, wall = time.monotonic(), time.time()
        answer = await link.send(Request({"Action": "Ping"}), limit=limit)
        self.round_trip = taken = time.monotonic() - begun
        try:
            self.clock_offset = float(answer.get("timestamp", "")) - (wall + taken / 2)
        except (TypeError, ValueError):
            self.clock_offset = None
        return taken
