"""Codes that agents and supervisors dial: what was dialled is understood by the site's table, done, and
confirmed or refused aloud in Asterisk's own sounds.

A phone stands for the agent who works at it, and for the supervisor who is configured for it. A PIN is keyed
after a prompt, checked in a thread, and kept nowhere.
"""

from __future__ import annotations

import asyncio
import enum
import functools
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import structlog

from ccbridge import pins
from ccbridge.codes import Dialled, understood
from ccbridge.core import inputs as i
from ccbridge.core.effects import Reply
from ccbridge.supervision.roles import CONTROLS

from .attempts import Attempts
from .server import AgiServer
from .session import AgiSession, CommandRefused
from .sounds import extend, say

log = structlog.get_logger(__name__)

DEVICE = re.compile(r"PJSIP/[A-Za-z0-9_-]{1,40}")
# The dialplan takes the phone back so long after a step's beginning, should we freeze.
STEP_LIMIT = 60.0
KEY_WAIT_MS = 5_000  # between two digits
# One more than a number or a PIN has: it ends with its #, which must not be taken for the next answer.
MOST_KEYS = 11
PIN_TRIES = 3
CHECKS = 2  # at a time: each takes a processor for a while

LOGGED_IN = "agent-loginok"
LOGGED_OUT = "agent-loggedoff"
ASK_NUMBER = "agent-user"
ASK_PIN = "agent-pass"
ASK_PIN_AGAIN = "auth-incorrect"
WRONG_LOGIN = "vm-incorrect"
LATER = "please-try-call-later"
DONE = "auth-thankyou"
INVALID = "pm-invalid-option"
NOBODY = ("im-sorry", LOGGED_OUT)
NOT_NOW = ("im-sorry", "feature-not-avail-line")
PAUSED = ("do-not-disturb", "activated")
RECORDING = {
    "record_pause": ("pause", "dictate/paused"),
    "record_resume": ("resume", "dictate/record_mode"),
    "record": ("start", "dictate/record_mode"),
}
NOT_PAUSED = ("do-not-disturb", "de-activated")
PERSONAL = ("call-fwd-unconditional", "activated")
# What only asks. All others control something, and a try where nobody works is told in the audit, by what the
# audit calls it.
QUESTIONS = {"state", "figures", "follow_ups"}
AUDITED_AS = {"colleague": "call_colleague", "supervisor": "call_supervisor"}
NOT_PERSONAL = ("call-fwd-unconditional", "de-activated")

Ask = Callable[[Callable[[int], i.Input]], Awaitable[Reply]]
# device, agent ("": no such number), mode, the channel's uniqueid; whether he may
Monitor = Callable[[str, str, str, str], bool]
Row = Mapping[str, Any]  # an agent, as ``core.view`` shows him
# What a supervisor (his name) has dialled at his phone, after his PIN.
DoAsSupervisor = Callable[[AgiSession, Dialled, str, str], Awaitable[None]]
# What an agent who works at the phone has dialled; where the dialplan is to go on, if anywhere.
Do = Callable[[AgiSession, Dialled, Row], Awaitable[str | None]]


class Note(Protocol):
    """Tell the audit what was done at a phone, to whom; the words are those of ``supervision.attendance``."""

    def __call__(
        self, device: str, what: str, result: str, whom: str, *, who: str = "", reason: str = ""
    ) -> None: ...


class Verdict(enum.Enum):
    RIGHT = enum.auto()
    WRONG = enum.auto()
    LATER = enum.auto()  # locked, or not to be checked now


@dataclass(frozen=True, slots=True)
class PhonePlan:
    """What the site's configuration says of phones."""

    codes: Mapping[str, str]
    numbers: Mapping[str, str]  # what an agent keys at the log-in -> agent
    reasons: tuple[str, ...]
    extend_by: float  # seconds
    pins: Path
    tries: int
    lock: float  # seconds
    personal: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # agent -> his devices' names
    supervisors: Mapping[str, str] = field(default_factory=dict)  # phone -> supervisor


class PhoneCodes:
    """The route ``code`` of the FastAGI server: ``code,<what was dialled>,<device>``.

    ``plan`` is asked anew for each call, so that a reload counts. ``who_works_at`` gives the agent at a
    phone, None for nobody. ``wrong``: PINs that were wrong in a former run, phone or agent -> when.
    """

    def __init__(
        self,
        plan: Callable[[], PhonePlan],
        ask: Ask,
        who_works_at: Callable[[str], Row | None],
        monitor: Monitor,
        note: Note,
        wrong: Mapping[str, Iterable[float]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._plan = plan
        self._ask = ask
        self._who_works_at = who_works_at
        self._monitor = monitor
        self._note = note
        self._clock = clock
        self._checks = asyncio.Semaphore(CHECKS)
        self._attempts = Attempts(wrong)
        self._others: dict[str, Do] = {}
        self._guarded: dict[str, DoAsSupervisor] = {}

    def open(self, server: AgiServer) -> None:
        server.add_route("code", self.code)

    def add(self, code: str, do: Do) -> None:
        """Have ``do`` what an agent wants who is logged in at the phone; it confirms or refuses aloud."""
        self._others[code] = do

    def guard(self, code: str, do: DoAsSupervisor) -> None:
        """Have ``do`` what a supervisor wants whose phone it is, and whose PIN was right. It is handed the
        phone and his name, and confirms or refuses aloud."""
        self._guarded[code] = do

    def unlock(self, name: str) -> bool:
        """Lift the lock of a phone (``PJSIP/1001``), an agent or a supervisor (``pins.of``); whether a wrong
        PIN was counted."""
        return self._attempts.forget(name)

    async def code(self, session: AgiSession) -> None:
        await extend(session, STEP_LIMIT)
        dialled, device = (*session.args, "", "")[:2]
        plan, status = self._plan(), "done"
        code = understood(dialled, plan.codes)
        if code is None or not DEVICE.fullmatch(device):
            log.info("code.not_understood", dialled=dialled[:3], device=device[:50])
            await say(session, INVALID)
        elif code.name == "log_in":
            await self._log_in(session, plan, code.digits, device)
        elif code.name == "outcome":
            await self._outcome(session, code, device)
        elif code.name in self._guarded:
            await self._proven(session, plan, code, device)
        elif code.name in CONTROLS:
            status = await self._supervise(session, plan, code, device)
        else:
            status = await self._at_work(session, plan, code, device) or status
        await session.set_variable("CCB_STATUS", status)

    # -- the codes

    async def _at_work(self, session: AgiSession, plan: PhonePlan, code: Dialled, device: str) -> str:
        """A code of somebody who is logged in at this phone."""
        row = self._who_works_at(device)
        if row is None:
            await self._nobody(session, code, device)
            return ""
        if code.name in self._others:
            return await self._others[code.name](session, code, row) or ""
        agent, now = row["agent"], time.time()
        match code.name:
            case "log_out":
                reply = await self._do(session, lambda request: i.LogOut(now, agent, request), LOGGED_OUT)
                self._told(device, "log_out", agent, reply)
            case "pause":
                place = int(code.digits or "1")
                if not 1 <= place <= len(plan.reasons):
                    await say(session, INVALID)
                    return ""
                reason = plan.reasons[place - 1]
                await self._do(session, lambda request: i.Pause(now, agent, reason, request), *PAUSED)
            case "unpause" if not row["pause"]:
                await say(session, *NOT_NOW)
            case "unpause":
                await self._do(session, lambda request: i.Unpause(now, agent, request), *NOT_PAUSED)
            case "finish":
                await self._do(session, lambda request: i.WrapUpEnd(now, agent, request), DONE)
            case "extend":
                by = plan.extend_by
                reply = await self._do(session, lambda request: i.WrapUpExtend(now, agent, by, request), DONE)
                if reply.ok:
                    await self._tell_left(session, device)
            case "personal":
                his = plan.personal.get(agent, ())
                await self._personal(session, agent, his, int(code.digits or "1"), device)
            case "record_pause" | "record_resume" | "record":
                await self._record(session, agent, code.name, device)
            case "state":
                await self._tell_state(session, plan, row, device)
        return ""

    async def _do(self, session: AgiSession, make: Callable[[int], i.Input], *sounds: str) -> Reply:
        reply = await self._ask(make)
        if not reply.ok:
            log.info("code.refused", why=reply.text)
        await say(session, *(sounds if reply.ok else NOT_NOW))
        return reply

    def _told(self, device: str, what: str, agent: str, reply: Reply) -> None:
        result, reason = ("done", "") if reply.ok else ("refused", reply.text)
        self._note(device, what, result, agent, who=agent, reason=reason)

    async def _record(self, session: AgiSession, agent: str, name: str, device: str) -> None:
        """Whoever dials has his caller on hold meanwhile."""
        do, sound = RECORDING[name]
        now = time.time()
        await self._do(
            session,
            lambda request: i.RecordingCommand(now, do, agent, device, "phone", request, agent=agent),
            sound,
        )

    async def _nobody(self, session: AgiSession, code: Dialled, device: str) -> None:
        """Nobody works at this phone."""
        if code.name not in QUESTIONS:
            what = AUDITED_AS.get(code.name, code.name)
            self._note(device, what, "refused", "", reason="nobody is logged in at this phone")
        await say(session, *((LOGGED_OUT,) if code.name == "state" else NOBODY))

    async def _outcome(self, session: AgiSession, code: Dialled, device: str) -> None:
        if self._who_works_at(device) is None:
            await self._nobody(session, code, device)
            return
        digit = code.digits
        await self._do(
            session, lambda request: i.OutcomeKeyed(time.time(), digit, request, device=device), DONE
        )

    async def _supervise(self, session: AgiSession, plan: PhonePlan, code: Dialled, device: str) -> str:
        """Where the channel goes on: to the agent's calls, if he may."""
        agent = plan.numbers.get(code.digits, "")
        if self._monitor(device, agent, code.name, session.uniqueid):
            return "monitor"
        await say(session, *(NOT_NOW if agent else (INVALID,)))
        return "done"

    async def _personal(
        self, session: AgiSession, agent: str, his: tuple[str, ...], place: int, at: str
    ) -> None:
        """``place``: of the device that is to ring, from 1 on; 0: his phone."""
        if place > len(his):
            why = f"has no personal device {place}" if his else "has no personal device"
            self._note(at, "personal", "refused", agent, who=agent, reason=why)
            await say(session, *((INVALID,) if his else NOT_NOW))
            return
        device, now = his[place - 1] if place else "", time.time()
        said = PERSONAL if place else NOT_PERSONAL
        await self._do(
            session, lambda request: i.UsePersonal(now, agent, device, at, "phone", request, agent), *said
        )

    async def _tell_state(self, session: AgiSession, plan: PhonePlan, row: Row, device: str) -> None:
        await say(session, LOGGED_IN if row["logged_in"] else LOGGED_OUT)
        if row["pause"]:
            await say(session, *PAUSED)
            if row["pause"] in plan.reasons:
                await say_number(session, plan.reasons.index(row["pause"]) + 1)
        else:
            await self._tell_left(session, device)

    async def _tell_left(self, session: AgiSession, device: str) -> None:
        row = self._who_works_at(device)
        if row is not None and row["left_s"] is not None:
            await say_number(session, round(row["left_s"]))
            await say(session, "seconds")

    # -- log-in

    async def _log_in(self, session: AgiSession, plan: PhonePlan, number: str, device: str) -> None:
        if await self._is_locked(session, plan, device):
            return
        number = number or await _keyed(session, ASK_NUMBER)
        agent = plan.numbers.get(number, "")
        if await self._has_pin(session, plan, agent, device):
            make = functools.partial(i.LogIn, time.time(), agent, device=device)
            self._told(device, "log_in", agent, await self._do(session, make, LOGGED_IN))

    async def _proven(self, session: AgiSession, plan: PhonePlan, code: Dialled, device: str) -> None:
        """A code of the supervisor whose phone this is, with his PIN."""
        who = plan.supervisors.get(device, "")
        if not who:
            self._note(device, code.name, "refused", "", reason="no supervisor has this phone")
            await say(session, *NOT_NOW)
        elif await self._is_locked(session, plan, device):
            return
        elif await self._has_pin(session, plan, pins.of(who), device):
            await self._guarded[code.name](session, code, device, who)

    async def _is_locked(self, session: AgiSession, plan: PhonePlan, device: str) -> bool:
        """Whether this phone takes no PIN now; that is said."""
        if not self._attempts.locked(device, self._clock(), plan.tries, plan.lock):
            return False
        log.warning("code.locked", device=device)
        await say(session, LATER)
        return True

    async def _has_pin(self, session: AgiSession, plan: PhonePlan, whose: str, device: str) -> bool:
        """Ask for the PIN, and say why not if it is not right."""
        for turn in range(PIN_TRIES):
            pin = await _keyed(session, ASK_PIN_AGAIN if turn else ASK_PIN)
            if not pin:
                break
            match await self._judge(plan, whose, pin, device):
                case Verdict.LATER:
                    await say(session, LATER)
                    return False
                case Verdict.RIGHT:
                    return True
        await say(session, WRONG_LOGIN)
        return False

    async def _judge(self, plan: PhonePlan, agent: str, pin: str, device: str) -> Verdict:
        """Counted as wrong before it is checked: who tries many at once has no more tries for that."""
        async with self._checks:
            now, names = self._clock(), [device, *([agent] if agent else [])]
            if any(self._attempts.locked(name, now, plan.tries, plan.lock) for name in names):
                log.warning("code.locked", device=device, agent=agent or None)
                return Verdict.LATER
            for name in names:
                self._attempts.failed(name, now, plan.lock)
            try:
                right = await asyncio.to_thread(pins.matches, plan.pins, agent, pin)
            except pins.PinsUnreadable as error:
                log.error("pins.unreadable", why=str(error))
                for name in names:
                    self._attempts.take_back(name)
                return Verdict.LATER
            if not right:
                log.warning("code.wrong_pin", device=device, agent=agent or None)
                self._note(device, "pin", "failed", agent)
                for name in names:
                    if self._attempts.count(name, plan.lock) == plan.tries:
                        self._note(device, "lock", "done", name)
                return Verdict.WRONG
            self._attempts.take_back(device)
            self._attempts.forget(agent)
            return Verdict.RIGHT


async def _keyed(session: AgiSession, prompt: str) -> str:
    """What he keys after the prompt, up to ``#``; also when the prompt's sound is missing."""
    await extend(session, STEP_LIMIT)
    try:
        return (await session.get_data(prompt, KEY_WAIT_MS, MOST_KEYS)).digits
    except CommandRefused as refused:
        log.warning("agi.prompt_not_played", sound=prompt, why=str(refused))
        return (await session.get_data("beep", KEY_WAIT_MS, MOST_KEYS)).digits


async def say_number(session: AgiSession, number: int) -> None:
    await session.exec("SayNumber", str(number))
