"""What the dialplan asks us for: the menu for callers, and the outcome for agents whose caller hung up.

Each ends with ``CCB_STATUS`` set on the channel; a session that fails or dies leaves it unset, and the
dialplan knows.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from ccbridge.core import inputs as i
from ccbridge.core import ivr
from ccbridge.core.effects import Reply
from ccbridge.core.expr import Value
from ccbridge.core.flows import Flow, HangUp, ToQueue, Transfer
from ccbridge.core.plan import Plan

from .flow import ANY_KEY, Performer, Sources
from .server import AgiServer
from .session import AgiSession
from .sounds import extend, play

log = structlog.get_logger(__name__)

WRONG_KEY = "pm-invalid-option"
# On top of what a step takes, where nobody renews the limit.
FREEZE_MARGIN = 4.0
# A caller in the menu is let go by Asterisk after this many seconds without a renewal over AMI: so long can
# a frozen daemon hold him, however long the prompt.
HELD = 10.0
BLOCKED = "#blocked"  # no flow of a site can have this name
OUTCOME_TRIES = 2
OUTCOME_WAIT_MS = 8000

Post = Callable[[i.Input], None]
Ask = Callable[[Callable[[int], i.Input]], Awaitable[Reply]]
Parse = Callable[[str], tuple[str, str | None]]


class Renewals(Protocol):
    """Who keeps callers in the menu while we are alive, by renewing their limit over AMI."""

    def hold(self, call: str, seconds: float) -> None:
        """Renew from now on the limit that is about to be set to so many seconds."""

    async def release(self, call: str) -> None:
        """Renew no more; returns when no renewal is under way that could still reach the channel."""

    @property
    def working(self) -> bool:
        """Whether renewals reach the PBX now."""


class Doors:
    """The routes of the FastAGI server. ``plan`` is asked anew for each call, so that a reload counts.

    While ``takes_calls()`` is false new callers are refused with ``CCB_REFUSED=draining``; agents' outcomes
    are taken all the same.
    """

    def __init__(
        self,
        plan: Callable[[], Plan],
        post: Post,
        ask: Ask,
        parse: Parse,
        renewals: Renewals,
        takes_calls: Callable[[], bool],
        sources: Sources,
    ) -> None:
        self._plan = plan
        self._post = post
        self._ask = ask
        self._parse = parse
        self._renewals = renewals
        self._takes_calls = takes_calls
        self._sources = sources

    def open(self, server: AgiServer) -> None:
        server.add_route("menu", self.menu)
        server.add_route("outcome", self.outcome)

    async def menu(self, session: AgiSession) -> None:
        """A caller: arrival, the flow of the number he dialled, and where that leads."""
        if not self._takes_calls():
            await session.set_variable("CCB_REFUSED", "draining")
            return
        call = session.uniqueid
        did, came = (*session.args, "", "")[:2]
        self._renewals.hold(call, HELD)
        try:
            await extend(session, HELD)
            await self._converse(session, call, did, _moment(came))
        finally:
            await self._renewals.release(call)

    async def _converse(self, session: AgiSession, call: str, did: str, came: float) -> None:
        kind, e164 = self._parse(session.callerid)
        self._post(
            i.CallArrived(
                time.time(), call, did, kind, e164, session.callerid[:80], session.calleridname[:80], came
            )
        )
        plan = self._plan()
        talk = ivr.converse(plan.flow_for(did), plan.flows, plan.steps)
        listed, how = self._sources.listed(e164), "hangup"
        if listed == "block":
            talk, how = ivr.converse(blocked(plan.blocked)), "blocked"
        caller: dict[str, Value] = {
            "did": did,
            "caller.kind": kind,
            "caller.number": e164 or "",
            "caller.vip": listed == "vip",
        }
        ending = await Performer(
            session,
            caller,
            self._sources,
            lambda seconds: self._extend_step(session, seconds),
            lambda step: self._stepped(call, step),
        ).run(talk)
        # from here on the dialplan may lift the limit at any moment: no late renewal may set it again
        await self._renewals.release(call)
        now = time.time()
        match ending:
            case ToQueue():
                priority = ending.priority + plan.number_priority.get(did, 0)
                priority += plan.vip_priority if listed == "vip" else 0
                await session.set_variable("CCB_QUEUE", ending.queue)
                await session.set_variable("CCB_PRIORITY", priority)
                await session.set_variable("CCB_SINCE", f"{now:.3f}")
                await session.set_variable("CCB_STATUS", "queue")
                self._post(i.CallQueued(now, call, ending.queue, priority))
            case Transfer():
                await session.set_variable("CCB_TARGET", ending.extension)
                await session.set_variable("CCB_STATUS", "transfer")
                self._post(i.FlowEnded(now, call, "transfer"))
            case HangUp():
                await session.set_variable("CCB_STATUS", "hangup")
                self._post(i.FlowEnded(now, call, how))

    def _stepped(self, call: str, step: ivr.Stepped) -> None:
        self._post(i.MenuStepped(time.time(), call, step.step, step.result, step.flow))

    async def _extend_step(self, session: AgiSession, seconds: float) -> None:
        limit = HELD if self._renewals.working else seconds + FREEZE_MARGIN
        self._renewals.hold(session.uniqueid, limit)
        await extend(session, limit)

    async def outcome(self, session: AgiSession) -> None:
        """The agent stays on the line after his caller has hung up: one key says how the matter ended."""
        offer = session.args[0] if session.args else ""
        await extend(session, OUTCOME_TRIES * (OUTCOME_WAIT_MS / 1000 + FREEZE_MARGIN))
        digit = ""
        for _ in range(OUTCOME_TRIES):
            digit = digit or await play(session, "beep", ANY_KEY)
            digit = digit or await session.wait_for_digit(OUTCOME_WAIT_MS)
            if not digit or await self._set_outcome(session, digit, offer):
                break
            digit = await play(session, WRONG_KEY, ANY_KEY)
        await session.set_variable("CCB_STATUS", "done")

    async def _set_outcome(self, session: AgiSession, digit: str, offer: str) -> bool:
        reply = await self._ask(lambda request: i.OutcomeKeyed(time.time(), digit, request, offer=offer))
        if not reply.ok:
            log.info("outcome.refused", offer=offer, why=reply.text)
        else:
            await play(session, "auth-thankyou")
        return reply.ok


def blocked(prompts: tuple[str, ...]) -> Flow:
    """What a blocked number gets instead of its flow. Its name stands in the call's events."""
    return Flow(BLOCKED, "sorry", {"sorry": HangUp(prompts)})


def _moment(text: str) -> float:
    """Epoch seconds as the dialplan tells them; 0.0 for what is no number."""
    try:
        return float(text)
    except ValueError:
        return 0.0
