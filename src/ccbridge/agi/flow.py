"""A flow on a live channel: what its conversation asks for is played, said, heard or looked up here.

Nothing that fails here ends a call: a prompt that is missing is skipped, a look-up without an answer takes
the flow's own way for that.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import structlog

from ccbridge.core import ivr
from ccbridge.core.expr import Value
from ccbridge.core.flows import Ending

from .session import AgiSession, CommandRefused
from .sounds import PROMPT_LIMIT, play

log = structlog.get_logger(__name__)

ANY_KEY = "0123456789*#"
# Of Asterisk's SAY DATETIME, by the PBX's clock: Monday the 5th of May 2027; 14 30; both.
MOMENTS = {"date": "ABdY", "time": "R", "opens": "ABdYR"}


class Voice(Protocol):
    """Prompts in languages. Each is answered as STREAM FILE is given it; None: Asterisk's own is played."""

    async def prompt(self, name: str, language: str) -> str | None: ...

    async def say(self, what: str, value: str, language: str) -> str | None:
        """``what``: as in ``flows.Say``."""
        ...


class Sources(Protocol):
    """What a flow asks for beside the caller. None of these raises."""

    @property
    def voice(self) -> Voice: ...

    def language(self, did: str) -> str:
        """In which a caller of this number is spoken to at first; "": the PBX's own."""
        ...

    def listed(self, e164: str | None) -> str:
        """Whether the number is on a list: vip, block or ""."""
        ...

    async def facts(self, call: str, names: frozenset[str]) -> Mapping[str, Value]:
        """What is known of these names now; ``call``: the channel's uniqueid."""
        ...

    async def answers(self, table: str) -> Mapping[str, Value]:
        """Keys and their queues."""
        ...

    async def is_open(self, hours: str) -> Mapping[str, Value]: ...

    async def question(self, lookup: str, values: Mapping[str, Value]) -> Mapping[str, Value] | None: ...

    def longest(self, lookup: str) -> float:
        """Seconds that this question may take."""
        ...


class Performer:
    """One caller's conversation. ``caller``: what is known of him by himself, in the names of ``ivr.FACTS``;
    ``limit(seconds)`` gives the channel so long for the next command; ``stepped`` keeps a step.
    """

    def __init__(
        self,
        session: AgiSession,
        caller: Mapping[str, Value],
        sources: Sources,
        limit: Callable[[float], Awaitable[None]],
        stepped: Callable[[ivr.Stepped], None],
    ) -> None:
        self._session = session
        self._caller = caller
        self._language = sources.language(str(caller["did"]))
        self._sources = sources
        self._limit = limit
        self._stepped = stepped

    async def run(self, talk: ivr.Conversation) -> Ending:
        reply: ivr.Reply = None
        if self._language:
            await self._session.set_variable("CHANNEL(language)", self._language)
        try:
            request = next(talk)
            while True:
                reply = await self._perform(request)
                request = talk.send(reply)
        except StopIteration as stop:
            ending: Ending = stop.value
            return ending

    async def _perform(self, request: ivr.Request) -> ivr.Reply:
        match request:
            case ivr.PlayPrompt():
                await self._limit(PROMPT_LIMIT)  # first: what was never spoken is made now
                sound = await self._sources.voice.prompt(request.sound, self._language) or request.sound
                return await play(self._session, sound, ANY_KEY if request.keys else "")
            case ivr.SayValue():
                return await self._say(request.what, request.value, ANY_KEY if request.keys else "")
            case ivr.WaitForKey():
                await self._limit(request.seconds)
                return await self._session.wait_for_digit(round(request.seconds * 1000))
            case ivr.Stepped():
                self._stepped(request)
            case ivr.Speak():
                self._language = request.language
                await self._session.set_variable("CHANNEL(language)", request.language)
            case ivr.Recall():
                known = {"language": self._language, **self._caller}
                if others := request.names - known.keys():
                    known |= await self._sources.facts(self._session.uniqueid, others)
                return known
            case ivr.Answers():
                return await self._sources.answers(request.table)
            case ivr.IsOpen():
                return await self._sources.is_open(request.hours)
            case ivr.Question():
                await self._limit(self._sources.longest(request.lookup))
                return await self._sources.question(request.lookup, request.values)
        return ""

    async def _say(self, what: str, value: str, keys: str) -> str:
        if not value:
            return ""
        await self._limit(PROMPT_LIMIT)
        sound = await self._sources.voice.say(what, value, self._language)
        if sound is not None:
            return await play(self._session, sound, keys)
        try:
            return await self._say_plainly(what, value, keys)
        except CommandRefused as refused:
            log.warning("agi.not_said", what=what, call=self._session.uniqueid, why=str(refused))
            return ""

    async def _say_plainly(self, what: str, value: str, keys: str) -> str:
        """In Asterisk's own sounds."""
        if what == "digits" and re.fullmatch(r"[0-9*#]{1,100}", value):
            return await self._session.say_digits(value, keys)
        if what in ("number", *MOMENTS) and re.fullmatch(r"-?[0-9]{1,15}", value):
            if what == "number":
                return await self._session.say_number(int(value), keys)
            return await self._session.say_moment(int(value), MOMENTS[what], keys)
        log.warning("agi.not_said", what=what, call=self._session.uniqueid, why="no speech is set up for it")
        return ""
