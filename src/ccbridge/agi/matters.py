"""Codes by which agents say at their phones what a call was about: tags, a spoken note, a follow-up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from ccbridge.codes import Dialled
from ccbridge.core import inputs as i

from .phone import DONE, INVALID, NOT_NOW, Ask, PhoneCodes
from .session import AgiSession, ChannelLeft
from .sounds import extend, say

log = structlog.get_logger(__name__)

HOUR = 3600.0  # seconds
NOTE_MARGIN = 30.0  # seconds: beep, and what is said after the note
LEAST = 0.5  # seconds of sound that make a note
NOTHING = ("im-sorry", "vm-tooshort")


@dataclass(frozen=True, slots=True)
class MatterPlan:
    """What the site's configuration says of it. Times in seconds."""

    tags: Mapping[str, str]  # digits -> tag
    follow_up_after: float
    note_max: float
    note_within: float  # a note may be spoken so long after the talk
    recordings: Path


class Matters:
    """What is dialled while the agent talks or is in wrap-up.

    ``plan`` is asked anew each time. ``sound`` tells in how many seconds of a file there is something to
    hear; it blocks, and may raise OSError.
    """

    def __init__(self, ask: Ask, plan: Callable[[], MatterPlan], sound: Callable[[Path], float]) -> None:
        self._ask = ask
        self._plan = plan
        self._sound = sound

    def open(self, codes: PhoneCodes) -> None:
        codes.add("tag", self._tag)
        codes.add("note", self._note)
        codes.add("follow_up", self._follow_up)

    async def _tag(self, session: AgiSession, code: Dialled, agent: Mapping[str, Any]) -> str:
        tag, name = self._plan().tags.get(code.digits), agent["agent"]
        if tag is None:
            await say(session, INVALID)
        else:
            await self._do(session, lambda request: i.TicketTagged(time.time(), name, tag, request))
        return ""

    async def _follow_up(self, session: AgiSession, code: Dialled, agent: Mapping[str, Any]) -> str:
        after = int(code.digits) * HOUR if code.digits else self._plan().follow_up_after
        name = agent["agent"]
        await self._do(session, lambda request: i.FollowUpSet(time.time(), name, after, request))
        return ""

    async def _note(self, session: AgiSession, code: Dialled, agent: Mapping[str, Any]) -> str:
        """Its file's name is made of our own ids. The PBX writes it as the agent's side of a recording."""
        plan, name, began = self._plan(), agent["agent"], time.time()
        asked = await self._ask(lambda request: i.NoteAsked(began, name, plan.note_within, request))
        if not asked.ok:
            log.info("code.refused", why=asked.text)
            await say(session, *NOT_NOW)
            return ""
        call, _, note = asked.text.partition(" ")
        path = f"{time.strftime('%Y/%m/%d', time.gmtime(began))}/{call}-{note}"
        file = plan.recordings / f"{path}-t.wav"
        limit = plan.note_max + NOTE_MARGIN
        await extend(session, limit)
        try:
            await session.exec("Record", f"{file},0,{plan.note_max:.0f},k", limit=limit)
        except ChannelLeft:
            log.debug("note.hung_up", call=call)  # which ends it as well as any key
        kept = await asyncio.to_thread(self._heard, file)
        await self._ask(
            lambda request: i.NoteSpoken(time.time(), name, call, note, began, path, kept, request)
        )
        await say(session, *((DONE,) if kept else NOTHING))
        return ""

    def _heard(self, file: Path) -> bool:
        try:
            return self._sound(file) >= LEAST
        except OSError as error:  # what cannot be judged is kept
            log.warning("note.not_read", why=str(error))
            return True

    async def _do(self, session: AgiSession, make: Callable[[int], i.Input]) -> None:
        reply = await self._ask(make)
        if not reply.ok:
            log.info("code.refused", why=reply.text)
        await say(session, *((DONE,) if reply.ok else NOT_NOW))
