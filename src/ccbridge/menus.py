"""What a flow asks for beside the caller: who he is, the hour, the database's answers, look-ups."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from ccbridge.config import Site
from ccbridge.config.hours import holiday
from ccbridge.core.calls import Call
from ccbridge.core.expr import Value, number
from ccbridge.core.hours import Closing, standing
from ccbridge.core.ivr import FACTS
from ccbridge.core.world import World
from ccbridge.lookups import Lookups
from ccbridge.prompts.library import Library
from ccbridge.store.menus import ArrivalTables

log = structlog.get_logger(__name__)

CUSTOMER = frozenset(name for name in FACTS if name.startswith("customer."))
LOOK_EVERY = 0.02  # seconds
SLACK = 0.2  # seconds that a look-up's answer may take until the core knows it


class Speaking:
    """The voice of ``agi.flow``: what the library has, or can have spoken. ``zone``: the callers'."""

    def __init__(self, library: Library, zone: Callable[[], tzinfo | None]) -> None:
        self._library = library
        self._zone = zone

    async def prompt(self, name: str, language: str) -> str | None:
        return await self._library.prompt(name, language) if self._library.has(name, language) else None

    async def say(self, what: str, value: str, language: str) -> str | None:
        if what == "text":
            return await self._library.text(value, language)
        if what == "digits":
            return await self._library.say("digits", value, language)
        whole = number(value)
        if whole is None:
            return None
        if what == "number":
            return await self._library.say("number", whole, language)
        try:
            at = datetime.fromtimestamp(whole, UTC).astimezone(self._zone())
        except (OverflowError, ValueError, OSError):  # no moment that a calendar has
            return None
        if what == "opens":
            return await self._library.prompt("opens-at", language, when=at)
        return await self._library.say("date" if what == "date" else "time", at, language)

    async def waiting(self, position: int, minutes: int, language: str) -> tuple[str, ...]:
        """What tells a caller in line his place and his wait, 0 for what is not told; () if nothing can."""
        said = []
        if position:
            said.append(
                await (
                    self._library.prompt("next", language)
                    if position == 1
                    else self._library.prompt("position", language, n=position)
                )
            )
        if minutes:
            said.append(await self._library.prompt("wait", language, n=minutes))
        return tuple(one for one in said if one is not None) if all(said) else ()


class FlowSources:
    """The sources of ``agi.flow``, from what the daemon knows."""

    def __init__(
        self,
        world: Callable[[], World],
        tables: ArrivalTables,
        lookups: Lookups,
        closings: Callable[[], Mapping[str, dict[str, Any]]],
        site: Callable[[], Site],
    ) -> None:
        self.voice = Speaking(Library(lambda: site().wording), lambda: zone_of(site()))
        self._site = site
        self._world = world
        self._tables = tables
        self._lookups = lookups
        self._closings = closings

    def language(self, did: str) -> str:
        """Without speech the PBX's own holds, unless the number has one."""
        site = self._site()
        default = site.wording.default if site.wording.speech is not None else ""
        return site.number_language.get(did, default)

    def listed(self, e164: str | None) -> str:
        return self._tables.callers.get(e164 or "", "")

    async def facts(self, call: str, names: frozenset[str]) -> Mapping[str, Value]:
        known: dict[str, Value] = moment(datetime.now(UTC), zone_of(self._site()))
        found = await self._looked_up(call) if CUSTOMER & names else None
        if found is not None:
            known |= {
                "customer.known": found.customer is not None,
                "customer.language": found.language,
                "customer.name": found.name,
                "customer.priority": found.regard,
            }
        return {name: known[name] for name in names & known.keys()}

    async def _looked_up(self, call: str) -> Call | None:
        """The caller's call once he has been looked up, or that has had its time."""
        until = time.monotonic() + self._site().database.lookup_timeout + SLACK
        while True:
            found = self._world().calls.get(call)
            if (found is not None and found.looked_up) or time.monotonic() > until:
                return found
            await asyncio.sleep(LOOK_EVERY)

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
        closing = None if closed is None else Closing(**closed)
        # in a thread: a country's holidays take up to a second at their first use, a far look some ms
        now = await asyncio.to_thread(standing, found, time.time(), closing, holiday)
        return {"open": now.open, "why": now.why, "until": "" if now.until is None else int(now.until)}

    async def question(self, lookup: str, values: Mapping[str, Value]) -> Mapping[str, Value] | None:
        return await self._lookups.ask(lookup, values)

    def longest(self, lookup: str) -> float:
        return self._lookups.longest(lookup)


def zone_of(site: Site) -> tzinfo | None:
    """The callers' zone; None: the machine's own."""
    return None if site.callers.zone is None else ZoneInfo(site.callers.zone)


def moment(at: datetime, zone: tzinfo | None) -> dict[str, Value]:
    """What expressions call ``time``."""
    here = at.astimezone(zone)
    return {
        "time.now": int(here.timestamp()),
        "time.date": here.date().isoformat(),
        "time.hour": here.hour,
        "time.minute": here.minute,
        "time.weekday": here.isoweekday(),
    }
