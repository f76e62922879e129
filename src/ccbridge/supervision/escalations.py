"""An agent brings the supervisor on duty into his talk.

Who listens to him already is heard by both from now on, and nobody is rung. Else one after another is, until
somebody answers; he alone is told whose call it is, and then hears and is heard by both (``sessions``, mode
barge). The agent may leave: the supervisor takes the caller over first. Nobody stays on the line for this
alone when the talk is over; who listened before listens on.

| what | result | whom |
|---|---|---|
| escalate | asked; refused, with the reason | |
| | failed: he has not answered, or has hung up at once; the next one is rung | the supervisor |
| | failed: the talk is over, or nobody is left | |
| | done: he hears the call; ended, with all seconds from there on | the supervisor |
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ccbridge.core.records import ControlEvent
from ccbridge.supervision.internal_calls import NOBODY, NOBODY_LEFT, OnDuty
from ccbridge.supervision.roles import BARGE, TAKE_OVER, Asked
from ccbridge.supervision.sessions import NO_CALLER, Effect, Live, Notice, Session, Sessions, State

# Of this agent, and not one of these: who hears him at this moment, and may be heard.
Listening = Callable[[str, Collection[str]], Session | None]

WHAT = "escalate"
OVER = "the talk is over"
NOT_HERE = "no supervisor is in the talk"


@dataclass(slots=True)
class Escalation:
    id: str
    asked: Asked
    agent: str
    call: str  # the account's id
    session: Session  # of him who is rung, or is there
    tried: set[str] = field(default_factory=set)
    up: float | None = None  # since when he hears the call


class Escalations:
    """``ring``: for how many seconds each one's phone is rung. ``run`` and ``live`` as in ``Sessions``."""

    def __init__(
        self,
        run: str,
        sessions: Sessions,
        live: Live,
        listening: Listening,
        on_duty: OnDuty,
        ring: Callable[[], float],
    ) -> None:
        # By agent and call: of one that he has left the supervisor may be in charge while he has the next.
        self.all: dict[tuple[str, str], Escalation] = {}
        self._run = run
        self._sessions = sessions
        self._live = live
        self._listening = listening
        self._on_duty = on_duty
        self._ring = ring
        self._numbers = itertools.count(1)

    def ask(self, asked: Asked, agent: str, why: str = "") -> tuple[bool, str, list[Effect]]:
        """Bring somebody in. ``why``: whoever asks may not. Whether it is done, and a word on it."""
        id_ = f"e{self._run}x{next(self._numbers)}"
        talk = self._live(agent)
        call = None if talk is None else talk.call
        there = None if talk is None else self.all.get((agent, talk.call))
        if talk is None:
            why = why or NO_CALLER
        elif there is not None:
            why = why or f"{there.session.supervisor.id} is asked already"
        tried: set[str] = set()
        session, effects = (None, []) if why or talk is None else self._brought(asked, agent, tried)
        why = why or ("" if session is not None else NOBODY)
        told: list[Effect] = [_told(id_, asked, agent, asked.at, "asked", call=call)]
        if session is None or talk is None:
            refused = _told(id_, asked, agent, asked.at, "refused", call=call, reason=why)
            return False, why, [*told, refused]
        one = self.all[agent, talk.call] = Escalation(id_, asked, agent, talk.call, session, tried)
        who = session.supervisor.id
        text = f"{who} is rung for {agent}" if session.brought else f"{who}, who listens, is heard by {agent}"
        return True, text, [*told, *effects, *self._look(one, asked.at)]

    def leave(self, asked: Asked, agent: str) -> tuple[str, list[Effect]]:
        """The agent goes, and the supervisor has the caller."""
        talk = self._live(agent)
        one = None if talk is None else self.all.get((agent, talk.call))
        if one is None or one.session.state is not State.HEARING or one.up is None:
            return NOT_HERE, self._sessions.refuse(*asked, TAKE_OVER, "", agent, NOT_HERE)
        return self._sessions.switch(asked.at, one.session, TAKE_OVER, asked.by, asked.door)

    def look(self, at: float) -> list[Effect]:
        """Something has happened to his session, or to the talk."""
        effects: list[Effect] = []
        for one in list(self.all.values()):
            effects += self._look(one, at)
        return effects

    # -- inside

    def _look(self, one: Escalation, at: float) -> list[Effect]:
        session, talk = one.session, self._live(one.agent)
        over = talk is None or talk.call != one.call
        effects: list[Effect] = []
        if one.up is None and session.heard is not None and session.heard[1] == one.call:
            one.up = at
            effects.append(self._tell(one, at, "done"))
        here = session.id in self._sessions.all
        if here and (not over or session.takes_over or session.why):
            return effects
        if here and session.brought:
            return effects + self._sessions.drop(session, OVER)
        end = OVER if here else session.end
        if one.up is not None:
            del self.all[one.agent, one.call]
            return [*effects, self._tell(one, at, "ended", seconds=at - one.up, reason=end)]
        effects.append(self._tell(one, at, "failed", reason=end))
        if not over and not session.why:
            later, rings = self._brought(one.asked._replace(at=at), one.agent, one.tried)
            if later is not None:
                one.session = later
                return effects + rings
        del self.all[one.agent, one.call]
        if not session.why:
            reason = OVER if over else NOBODY_LEFT
            effects.append(_told(one.id, one.asked, one.agent, at, "failed", call=one.call, reason=reason))
        if talk is not None and not over:
            effects.append(Notice(talk.leg, False, sorry=True))
        return effects

    def _brought(self, asked: Asked, agent: str, tried: set[str]) -> tuple[Session | None, list[Effect]]:
        there = self._listening(agent, tried)
        if there is not None:
            tried.add(there.supervisor.id)
            return there, self._sessions.switch_once(asked, there, BARGE)
        found = self._on_duty(agent, tried)
        if found is None:
            return None, []
        tried.add(found.id)
        return self._sessions.bring(asked, found, agent, BARGE, self._ring())

    def _tell(
        self, one: Escalation, at: float, result: str, *, seconds: float | None = None, reason: str = ""
    ) -> ControlEvent:
        whom = one.session.supervisor.id
        return _told(one.id, one.asked, one.agent, at, result, whom, one.call, seconds, reason)


def _told(
    id_: str,
    asked: Asked,
    agent: str,
    at: float,
    result: str,
    whom: str = "",
    call: str | None = None,
    seconds: float | None = None,
    reason: str = "",
) -> ControlEvent:
    lasted = None if seconds is None else round(max(0.0, seconds), 3)
    return ControlEvent(id_, at, WHAT, result, agent, asked.by, whom, asked.door, call, lasted, reason)
