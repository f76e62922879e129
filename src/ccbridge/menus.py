"""What a flow asks for beside the caller: who he is, the hour, the database's answers, look-ups."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from ccbridge.config.hours import holiday
from ccbridge.core.expr import Value
from ccbridge.core.hours import Closing, standing
from ccbridge.core.world import World
from ccbridge.lookups import Lookups
from ccbridge.store.menus import ArrivalTables

log = structlog.get_logger(__name__)


class AsterisksOwn:
    """No speech is set up: prompts are sounds of the PBX, numbers are said in its own sounds."""

    async def prompt(self, name: str, language: str) -> str | None:
        return None

    async def say(self, what: str, value: str, language: str) -> str | None:
        return None


class FlowSources:
    """The sources of ``agi.flow``, from what the daemon knows."""

    def __init__(
        self,
        world: Callable[[], World],
        tables: ArrivalTables,
        lookups: Lookups,
        closings: Callable[[], Mapping[str, dict[str, Any]]],
    ) -> None:
        self.voice = AsterisksOwn()
        self._world = world
        self._tables = tables
        self._lookups = lookups
        self._closings = closings

    def language(self, did: str) -> str:
        return ""

    def listed(self, e164: str | None) -> str:
        return self._tables.callers.get(e164 or "", "")

    async def facts(self, call: str, did: str, names: frozenset[str]) -> Mapping[str, Value]:
        known: dict[str, Value] = {"did": did, **moment(datetime.now(UTC))}
        found = self._world().calls.get(call)
        if found is not None:
            known |= {
                "caller.kind": found.caller_kind,
                "caller.number": found.e164 or "",
                "caller.vip": self.listed(found.e164) == "vip",
                "customer.known": found.customer is not None,
                "customer.name": found.name,
                "customer.priority": found.regard,
            }
        return {name: known[name] for name in names & known.keys()}

    async def answers(self, table: str) -> Mapping[str, Value]:
        """A queue that the configuration has not is none."""
        queues = self._world().plan.queues
        found = self._tables.answers.get(table, {})
        for key, queue in found.items():
            if queue not in queues:
                log.error("menu.no_such_queue", menu=table, key=key, queue=queue)
        return {key: queue for key, queue in found.items() if queue in queues}

    async def is_open(self, hours: str) -> Mapping[str, Value]:
        """Hours that a reload has taken away are open."""
        found = self._world().plan.hours.get(hours)
        if found is None:
            log.error("menu.no_such_hours", hours=hours)
            return {"open": True}
        closed = self._closings().get(hours)
        now = standing(found, time.time(), None if closed is None else Closing(**closed), holiday)
        return {"open": now.open, "why": now.why, "until": "" if now.until is None else int(now.until)}

    async def question(self, lookup: str, values: Mapping[str, Value]) -> Mapping[str, Value] | None:
        return await self._lookups.ask(lookup, values)

    def longest(self, lookup: str) -> float:
        return self._lookups.longest(lookup)


def moment(at: datetime) -> dict[str, Value]:
    """What expressions call ``time``, by the machine's own zone."""
    here = at.astimezone()
    return {
        "time.now": int(here.timestamp()),
        "time.date": here.date().isoformat(),
        "time.hour": here.hour,
        "time.minute": here.minute,
        "time.weekday": here.isoweekday(),
    }
