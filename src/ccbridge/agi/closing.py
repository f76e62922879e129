"""Codes by which a supervisor closes opening hours at his phone, and opens them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from ccbridge.codes import Dialled

from .phone import INVALID, NOT_NOW, NOT_PAUSED, PAUSED, PhoneCodes, say_number
from .session import AgiSession
from .sounds import say

log = structlog.get_logger(__name__)

CLOSE, OPEN = "close_hours", "open_hours"


class Do(Protocol):
    """Close or open (``what``) these hours in the supervisor's name; whether that was done, and why not."""

    def __call__(self, what: str, hours: str, device: str, who: str) -> tuple[bool, str]: ...


class ClosingCodes:
    """``hours()``: digits -> name; asked each time, so that a reload counts."""

    def __init__(self, hours: Callable[[], Mapping[str, str]], do: Do) -> None:
        self._hours = hours
        self._do = do

    def open(self, codes: PhoneCodes) -> None:
        for code in (CLOSE, OPEN):
            codes.guard(code, self._dialled)

    async def _dialled(self, session: AgiSession, code: Dialled, device: str, who: str) -> None:
        hours = self._hours().get(code.digits)
        if hours is None:
            await say(session, INVALID)
            return
        ok, text = self._do(code.name, hours, device, who)
        if not ok:
            log.info("code.refused", why=text)
            await say(session, *NOT_NOW)
            return
        await say(session, "number")
        await say_number(session, int(code.digits))
        await say(session, *(PAUSED if code.name == CLOSE else NOT_PAUSED))
