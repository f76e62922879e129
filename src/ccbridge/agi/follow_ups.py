"""The code by which an agent has his due follow-ups read out, calls the customers, and marks them done.

A customer is called through the site's own context alone, with a number of our database that is a valid one
and begins with a prefix of the site's. Without ``CallBack`` nobody is.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from ccbridge.codes import Dialled
from ccbridge.core import inputs as i

from .phone import DONE, LATER, NOT_NOW, Ask, Note, PhoneCodes, Row
from .session import AgiSession
from .sounds import extend, say

log = structlog.get_logger(__name__)

READ = 2  # questions at a time to a database that may be slow
STEP_LIMIT = 60.0  # seconds, for one follow-up
KEY_WAIT_MS = 6_000
KEYS = "123"  # call him, done, the next one
MOMENT = "ABd 'digits/at' IMp"  # of SAY DATETIME: weekday, month, day, time
E164 = re.compile(r"\+[0-9]{3,15}")
GROUP = "follow-up"
CALL_BACK = "call_back"  # in the audit
HOUR = 3600.0  # seconds: of the cap


@dataclass(frozen=True, slots=True)
class Due:
    """An agent's due follow-ups, and how many customers he has called within ``HOUR``, as was written."""

    follow_ups: Sequence[Mapping[str, Any]]
    called: int


Find = Callable[[str], Due | None]


@dataclass(frozen=True, slots=True)
class CallBack:
    """How customers are called."""

    context: str  # of the site's dialplan; the number is the extension
    prefixes: tuple[str, ...]  # of E.164
    at_once: int
    an_hour: int  # by one agent
    longest: float  # seconds


class FollowUps:
    """``find`` gives an agent's due follow-ups, None when it cannot; it blocks, within a limit.

    ``is_number`` says of an E.164 number whether it is a valid one. ``note`` tells the audit of each customer
    who is called, or is not: what is written counts for the cap after a restart, too.
    """

    def __init__(
        self,
        ask: Ask,
        find: Find,
        call_back: Callable[[], CallBack | None],
        is_number: Callable[[str], bool],
        note: Note,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._find = find
        self._call_back = call_back
        self._is_number = is_number
        self._note = note
        self._clock = clock
        self._reading = asyncio.Semaphore(READ)
        self._called: dict[str, deque[float]] = {}  # agent -> when, of the last hour

    def open(self, codes: PhoneCodes) -> None:
        codes.add("follow_ups", self._read_out)

    async def _read_out(self, session: AgiSession, code: Dialled, agent: Row) -> str:
        name = agent["agent"]
        async with self._reading:
            due = await asyncio.to_thread(self._find, name)
        if due is None:
            await say(session, "im-sorry", LATER)
            return ""
        await say(session, "vm-youhave")
        await session.exec("SayNumber", str(len(due.follow_ups)))
        for one in due.follow_ups:
            match await self._offer(session, one):
                case "1" if await self._connect(session, agent, one, due.called):
                    return "call"
                case "2":
                    call = one["call_id"]
                    reply = await self._ask(self._done(name, call))
                    await say(session, *((DONE,) if reply.ok else NOT_NOW))
                case "":
                    break
        return ""

    def _done(self, agent: str, call: str) -> Callable[[int], i.Input]:
        return lambda request: i.FollowUpDone(time.time(), agent, call, request)

    async def _offer(self, session: AgiSession, one: Mapping[str, Any]) -> str:
        """Whose it is and when it was due; the key that he presses, or ""."""
        await extend(session, STEP_LIMIT)
        number = one["number"] or ""
        key = ""
        if E164.fullmatch(number):
            key = await session.say_digits(number[1:], KEYS)
        key = key or await session.say_moment(round(one["due_at"].timestamp()), MOMENT, KEYS)
        return key or await session.wait_for_digit(KEY_WAIT_MS)

    async def _connect(self, session: AgiSession, row: Row, one: Mapping[str, Any], called: int) -> bool:
        """Whether the dialplan is to call him: all that it needs is set then. A refusal is said."""
        agent = row["agent"]
        why = await self._why_not(session, agent, one["number"] or "", called)
        if not why:
            call = one["call_id"]
            reply = await self._ask(lambda request: i.CustomerCalled(time.time(), agent, call, request))
            why = "" if reply.ok else reply.text
        result = "refused" if why else "done"
        self._note(row["device"], CALL_BACK, result, agent, who=agent, reason=why)
        if why:
            log.info("follow_up.not_called", agent=agent, call=one["call_id"], why=why)
            await say(session, *NOT_NOW)
        return not why

    async def _why_not(self, session: AgiSession, agent: str, number: str, written: int) -> str:
        how = self._call_back()
        if how is None:
            return "tickets.call_back is not configured"
        if not (E164.fullmatch(number) and self._is_number(number) and number.startswith(how.prefixes)):
            return "no number that may be called"
        now = self._clock()
        called = self._called.setdefault(agent, deque())
        while called and called[0] <= now - HOUR:
            called.popleft()
        # a former run's are known from the database alone, and this one's may not be there yet
        if (count := max(len(called), written)) >= how.an_hour:
            return f"{count} calls in an hour"
        there = await session.get_variable(f"DIALPLAN_EXISTS({how.context},{number},1)")
        if there != "1":
            return f"[{how.context}] does not take the number"
        await session.set_variable("GROUP(ccbridge)", GROUP)
        running = await session.get_variable(f"GROUP_COUNT({GROUP}@ccbridge)") or ""
        if not running.isdecimal() or int(running) > how.at_once:
            await session.set_variable("GROUP(ccbridge)", "")
            return f"{how.at_once} calls at once"
        called.append(now)
        await session.set_variable("CCB_OUT_CONTEXT", how.context)
        await session.set_variable("CCB_OUT_NUMBER", number)
        await session.set_variable("CCB_OUT_LIMIT", round(how.longest))
        return ""
