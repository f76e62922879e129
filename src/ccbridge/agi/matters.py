"""Codes by which agents say at their phones what a call was about."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from ccbridge.codes import Dialled
from ccbridge.core import inputs as i

from .phone import DONE, INVALID, NOT_NOW, Ask, PhoneCodes
from .session import AgiSession
from .sounds import play

log = structlog.get_logger(__name__)


class Matters:
    """What is dialled while he talks or is in wrap-up. ``tags``: digits -> tag, asked anew each time."""

    def __init__(self, ask: Ask, tags: Callable[[], Mapping[str, str]]) -> None:
        self._ask = ask
        self._tags = tags

    def open(self, codes: PhoneCodes) -> None:
        codes.add("tag", self._tag)

    async def _tag(self, session: AgiSession, code: Dialled, agent: Mapping[str, Any]) -> None:
        tag, name = self._tags().get(code.digits), agent["agent"]
        if tag is None:
            await play(session, INVALID)
            return
        reply = await self._ask(lambda request: i.TicketTagged(time.time(), name, tag, request))
        if not reply.ok:
            log.info("code.refused", why=reply.text)
        for sound in (DONE,) if reply.ok else NOT_NOW:
            await play(session, sound)
