"""The questions that flows ask: to a database or a web service of the site's, while the caller waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import structlog

from ccbridge.config.lookups import Lookup
from ccbridge.core.expr import LARGEST, Value
from ccbridge.store.asked import Asked, NoAnswer

log = structlog.get_logger(__name__)

AT_ONCE = 4  # questions to one database
WAITING = 50  # ... that wait for a connection; a caller beyond them takes the flow's way for failures
LONGEST_ANSWER = 65_536  # bytes of a web service's
LONGEST = 11.0  # seconds, of a connection: more than the configuration allows to any look-up


class Lookups:
    """``named()`` is asked for each question, so that a reload counts. ``url``: ccbridge's own database."""

    def __init__(self, named: Callable[[], Mapping[str, Lookup]], url: str) -> None:
        self._named = named
        self._url = url
        self._databases: dict[str, Asked] = {}
        self._web: httpx2.AsyncClient | None = None

    def longest(self, name: str) -> float:
        """Seconds that this question may take."""
        found = self._named().get(name)
        return 0.0 if found is None else found.timeout

    async def ask(self, name: str, values: Mapping[str, Value]) -> dict[str, Value] | None:
        """The first row's columns, or the answered object's members; none if nothing was found.

        None: no answer, which is told in the log without any value. Raises nothing.
        """
        found = self._named().get(name)
        try:
            if found is None:
                raise NoAnswer("a reload has taken it away")
            if found.sql is not None:
                row = await self._query(found, found.sql, values)
            else:
                row = await self._get(found, str(found.http), values)
        except NoAnswer as error:
            log.warning("lookup.no_answer", lookup=name, why=str(error))
            return None
        return {key: _value(one) for key, one in row.items()}

    async def close(self) -> None:
        for one in self._databases.values():
            await one.close()
        if self._web is not None:
            await self._web.aclose()

    async def _query(self, lookup: Lookup, sql: str, values: Mapping[str, Value]) -> Mapping[str, Any]:
        url = lookup.secret.get_secret_value() or self._url
        if url not in self._databases:
            self._databases[url] = Asked(
                url, LONGEST, most=AT_ONCE, waiting=WAITING, name="flows", read_only=True
            )
            await self._databases[url].open()
        rows = await self._databases[url].rows(sql, values, lookup.timeout, most=1)
        return rows[0] if rows else {}

    async def _get(self, lookup: Lookup, url: str, values: Mapping[str, Value]) -> Mapping[str, Any]:
        if self._web is None:
            self._web = httpx2.AsyncClient(follow_redirects=False)
        token = lookup.secret.get_secret_value()
        asked = {key: str(one) for key, one in values.items()}
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        try:
            # httpx counts each read by itself: a service that dribbles would never be too late
            async with (
                asyncio.timeout(lookup.timeout),
                self._web.stream("GET", url, params=asked, headers=headers, timeout=None) as answer,
            ):
                if answer.status_code in (204, 404):
                    return {}
                if answer.status_code != 200:
                    raise NoAnswer(f"status {answer.status_code}")
                body = b""
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > LONGEST_ANSWER:
                        raise NoAnswer(f"more than {LONGEST_ANSWER} bytes")
        except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise NoAnswer(type(error).__name__) from error
        try:
            found = json.loads(body)
        except ValueError as error:
            raise NoAnswer("no JSON") from error
        if not isinstance(found, dict):
            raise NoAnswer("no JSON object")
        return found


def _value(one: Any) -> Value:
    """As expressions know values: whole numbers, true and false, texts; anything else as its text."""
    if one is None or isinstance(one, dict | list):
        return ""
    if isinstance(one, bool) or (isinstance(one, int) and abs(one) <= LARGEST):
        return one
    return str(one)
