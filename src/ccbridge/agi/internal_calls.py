"""Codes by which an agent calls a colleague, or the supervisor on duty, or brings him into his talk.

What is dialled never becomes a part of what the PBX dials: it is told a device of the configuration.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from ccbridge.codes import Dialled
from ccbridge.supervision.internal_calls import LOGGED_OUT, NO_NUMBER, NOT_THERE, Callee, InternalCalls

from . import phone
from .phone import PhoneCodes, Row
from .server import AgiServer
from .session import AgiSession
from .sounds import extend, say

log = structlog.get_logger(__name__)

STEP_LIMIT = 60.0  # seconds
NO_ANSWER = ("number-not-answering",)
REFUSED = {NO_NUMBER: (phone.INVALID,), LOGGED_OUT: (phone.LOGGED_OUT,), NOT_THERE: NO_ANSWER}
RING = "ring"  # where the dialplan goes on: to ``[ccbridge-ring]``


class Calling:
    """``rung`` is the route by which the dialplan asks whom to ring next. ``escalate``, of the phone's device
    and the agent, says whether a supervisor is rung for his talk."""

    def __init__(self, calls: InternalCalls, escalate: Callable[[str, str], bool]) -> None:
        self._calls = calls
        self._escalated = escalate

    def open(self, codes: PhoneCodes, server: AgiServer) -> None:
        codes.add("colleague", self._colleague)
        codes.add("supervisor", self._supervisor)
        codes.add("escalate", self._escalate)
        server.add_route("rung", self.rung)

    async def _colleague(self, session: AgiSession, code: Dialled, row: Row) -> str:
        callee, why = self._calls.colleague(
            time.time(), row["agent"], row["device"], code.digits, session.uniqueid
        )
        if callee is None:
            log.info("code.refused", why=why)
            await say(session, *REFUSED.get(why, phone.NOT_NOW))
            return ""
        return await _ring(session, callee)

    async def _supervisor(self, session: AgiSession, code: Dialled, row: Row) -> str:
        callee = self._calls.supervisor(time.time(), row["agent"], row["device"], session.uniqueid)
        if callee is None:
            await say(session, *NO_ANSWER)
            return ""
        return await _ring(session, callee)

    async def _escalate(self, session: AgiSession, code: Dialled, row: Row) -> str:
        done = self._escalated(row["device"], row["agent"])
        await say(session, *((phone.DONE,) if done else phone.NOT_NOW))
        return ""

    async def rung(self, session: AgiSession) -> None:
        await extend(session, STEP_LIMIT)
        callee = self._calls.next(time.time(), session.uniqueid, session.args[0] if session.args else "")
        if callee is None:
            await say(session, *NO_ANSWER)
        status = "done" if callee is None else await _ring(session, callee)
        await session.set_variable("CCB_STATUS", status)


async def _ring(session: AgiSession, callee: Callee) -> str:
    await session.set_variable("CCB_TO", callee.device)
    await session.set_variable("CCB_RING", round(callee.ring))
    return RING
