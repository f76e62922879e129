"""Questions to a database while a caller waits for the answer: in time, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from ccbridge.store import urls
from ccbridge.store.cut import cut


class NoAnswer(Exception):
    """The database did not answer in time, or with an error; the message is a word for the log."""


class Asked:
    """A few connections to one database. ``open`` and ``close`` it in one loop.

    ``limit``: the longest that any question may take, seconds. ``most``: questions at the same time; beyond
    ``waiting`` more none waits for a connection. ``read_only``: the server itself refuses what would write.
    """

    def __init__(
        self, url: str, limit: float, *, most: int, waiting: int, name: str, read_only: bool = False
    ) -> None:
        settings = urls.keepalive(limit)
        if read_only:
            settings["options"] += " -c default_transaction_read_only=on"
        self._abandoned: set[asyncio.Task[Any]] = set()
        self._pool = AsyncConnectionPool(
            urls.for_libpq(url),
            min_size=1,
            max_size=most,
            max_waiting=waiting,
            max_idle=60.0,
            reconnect_timeout=20.0,
            kwargs={"autocommit": True, **settings},
            open=False,
            name=name,
        )

    async def open(self) -> None:
        """Start connecting in the background; returns at once, also when the database is away."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        for task in self._abandoned:
            task.cancel()
        await self._pool.close(timeout=1.0)

    async def rows(
        self, query: str, values: Sequence[Any] | Mapping[str, Any], limit: float, most: int = 1000
    ) -> list[dict[str, Any]]:
        """The first ``most`` rows, each by its columns' names. Raises NoAnswer."""
        task = asyncio.create_task(self._rows(query, values, limit, most))
        # not wait_for: a cancelled query of a frozen server would hold us for as long as it likes
        try:
            done, _ = await asyncio.wait({task}, timeout=limit)
        except asyncio.CancelledError:
            self._abandon(task)
            raise
        if not done:
            self._abandon(task)
            raise NoAnswer("no answer in time")
        try:
            return task.result()
        except (psycopg.Error, OSError) as error:  # PoolTimeout and TooManyRequests are psycopg errors
            raise NoAnswer(type(error).__name__) from error

    async def _rows(
        self, query: str, values: Sequence[Any] | Mapping[str, Any], limit: float, most: int
    ) -> list[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        ends = loop.time() + limit
        async with self._pool.connection(timeout=limit) as db:
            # the pool throws the connection away and makes another in the background
            timer = loop.call_at(ends, cut, db)
            try:
                # a site's own query is text of its configuration, and what a caller keyed is bound to it
                cursor = await db.execute(query.encode(), values)
                names = [column.name for column in cursor.description or ()]
                found = await cursor.fetchmany(most) if names else []
            finally:
                timer.cancel()
        return [dict(zip(names, row, strict=True)) for row in found]

    def _abandon(self, task: asyncio.Task[Any]) -> None:
        """Let it end by itself (its connection is cut at this moment), without anybody waiting."""
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)
        task.add_done_callback(_read)


def _read(task: asyncio.Task[Any]) -> None:
    """Fetch the outcome of an abandoned question, so that asyncio does not report it as forgotten."""
    with contextlib.suppress(asyncio.CancelledError, psycopg.Error, OSError):
        task.result()
