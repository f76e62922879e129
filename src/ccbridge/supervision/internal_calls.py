"""Calls that an agent dials by code: to a colleague, and to the supervisor on duty.

The dialplan rings the device that we name, and asks for the next one when that has not been answered. They
are no calls of the centre's: nobody's talk, and whoever is in one is busy elsewhere by his phone's state.

| what | whom | asked, then |
|---|---|---|
| call_colleague | the agent | refused, failed, or done and ended |
| call_supervisor | the supervisor | refused; failed for each who has not answered; done and ended |
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ccbridge.core.agents import NO_PHONE
from ccbridge.core.records import ControlEvent
from ccbridge.core.world import World
from ccbridge.supervision.roles import Supervisor

COLLEAGUE, SUPERVISOR = "call_colleague", "call_supervisor"
COLLEAGUE_RING = 30.0  # seconds
NO_NUMBER, LOGGED_OUT = "no agent has this number", "he is not logged in"
HIMSELF, NOT_THERE = "it is his own number", "his phone is not reachable"
NOBODY, NOBODY_LEFT = "no supervisor is there", "no supervisor has answered"
# Seconds: one that is younger may have begun after the list of all channels was made.
SETTLED = 10.0
WHY_NOT = {"NOANSWER": "no answer", "BUSY": "busy"}

# Of this agent, and not one of these: who is to be rung, None for nobody.
OnDuty = Callable[[str, Collection[str]], Supervisor | None]


class Callee(NamedTuple):
    device: str
    ring: float  # seconds


@dataclass(slots=True)
class Dialled:
    """One such call, on its caller's channel."""

    control: str
    what: str
    agent: str  # who has dialled
    device: str
    whom: str  # who is rung
    since: float
    tried: set[str] = field(default_factory=set)  # supervisors
    up: float | None = None  # since when they talk


class InternalCalls:
    """``world``, ``numbers`` (what is dialled -> agent) and ``ring`` (seconds, for each supervisor) are asked
    each time: a reload changes them. ``keep`` writes a record."""

    def __init__(
        self,
        world: Callable[[], World],
        numbers: Callable[[], Mapping[str, str]],
        on_duty: OnDuty,
        ring: Callable[[], float],
        keep: Callable[[ControlEvent], None],
    ) -> None:
        self._world = world
        self._numbers = numbers
        self._on_duty = on_duty
        self._ring = ring
        self._keep = keep
        self._count = itertools.count(1)
        self.all: dict[str, Dialled] = {}  # by channel

    def colleague(
        self, at: float, agent: str, device: str, number: str, channel: str
    ) -> tuple[Callee | None, str]:
        """Whom ``agent`` calls with this number, or why nobody."""
        world = self._world()
        name = self._numbers().get(number, "")
        other = world.agents.get(name)
        one = Dialled(self._id(), COLLEAGUE, agent, device, "" if other is None else name, at)
        self._tell(one, at, "asked")
        if other is None:
            why = NO_NUMBER
        elif name == agent:
            why = HIMSELF
        elif not other.logged_in:
            why = LOGGED_OUT
        elif world.devices.get(other.phone, "") in NO_PHONE:
            why = NOT_THERE
        else:
            self.all[channel] = one
            return Callee(other.phone, COLLEAGUE_RING), ""
        self._tell(one, at, "refused", reason=why)
        return None, why

    def supervisor(self, at: float, agent: str, device: str, channel: str) -> Callee | None:
        """Who is rung first for this agent."""
        one = Dialled(self._id(), SUPERVISOR, agent, device, "", at)
        self._tell(one, at, "asked")
        callee = self._next(one)
        if callee is None:
            self._tell(one, at, "refused", reason=NOBODY)
        else:
            self.all[channel] = one
        return callee

    def next(self, at: float, channel: str, status: str) -> Callee | None:
        """Who was rung has not answered, by Dial's ``status``: whom to ring now."""
        one = self.all.get(channel)
        if one is None:
            return None
        self._tell(one, at, "failed", reason=WHY_NOT.get(status, "not reached"))
        callee = self._next(one) if one.what == SUPERVISOR else None
        if callee is None:
            del self.all[channel]
            if one.what == SUPERVISOR:
                one.whom = ""
                self._tell(one, at, "failed", reason=NOBODY_LEFT)
        return callee

    # -- what the PBX tells

    def joined(self, at: float, channel: str) -> None:
        """It is in a bridge."""
        one = self.all.get(channel)
        if one is not None and one.up is None:
            one.up = at
            self._tell(one, at, "done")

    def gone(self, at: float, channel: str) -> None:
        one = self.all.pop(channel, None)
        if one is None:
            return
        if one.up is None:
            self._tell(one, at, "failed", reason="hung up")
        else:
            self._tell(one, at, "ended", seconds=at - one.up)

    def compare(self, at: float, channels: Collection[str]) -> None:
        """All that are there: of the others no event has told the end."""
        for channel, one in list(self.all.items()):
            if channel not in channels and at - one.since > SETTLED:
                self.gone(at, channel)

    # -- inside

    def _next(self, one: Dialled) -> Callee | None:
        found = self._on_duty(one.agent, one.tried)
        if found is None:
            return None
        one.whom = found.id
        one.tried.add(found.id)
        return Callee(found.device, self._ring())

    def _id(self) -> str:
        return f"c{self._world().run}x{next(self._count)}"

    def _tell(
        self, one: Dialled, at: float, result: str, *, reason: str = "", seconds: float | None = None
    ) -> None:
        lasted = None if seconds is None else round(max(0.0, seconds), 3)
        self._keep(
            ControlEvent(
                one.control, at, one.what, result, one.agent, one.device, one.whom, "phone",
                seconds=lasted, reason=reason,
            )
        )  # fmt: skip
