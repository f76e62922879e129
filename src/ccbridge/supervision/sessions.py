"""Supervisors on the line, each listening to one agent: a state machine beside the routing core.

    ringing      his phone is rung; or he has dialled, and his channel is on its way here
    waiting      he is there, and the agent talks with no caller of ours: he hears music
    hearing      he has been put on the agent's leg
    joining      he takes the caller over, and is being put into the bridge of agent and caller
    in charge    he is in it: the core lets the agent go, and the caller is his
    scoring      he is off it, and fills in a score card by his keys: see ``score_desk``
    briefed      he has been rung for an agent who asks for him, and is told whose call it is

What is heard is the agent's leg of a caller's call, and nothing else: not a consultation on a second line,
not a call of his own. Whenever the core has decided something, ``look`` compares that leg with the one that
the supervisor is on, so that he follows the agent through transfers and from call to call. The phone's keys
come here, too: Asterisk tells them and goes on as before, and what a key means is decided here.

A session is its channel on the PBX: both have one id. It is one that we have originated, or on which the
supervisor has dialled. No session outlives the daemon; ``compare`` hangs up the channels that a former run
has left, but for one who has a caller.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from ccbridge.core.records import ControlEvent
from ccbridge.supervision.roles import (
    BARGE,
    LISTEN,
    MODES,
    NOTICES,
    TAKE_OVER,
    WHISPER,
    Asked,
    Supervisor,
)

RING = 30.0  # seconds, where nothing else is said
# Seconds after which a phone that was rung has been answered or given up, as we would have been told.
RING_LIMIT = 45.0
# ... and after which one who is being put on a leg, or into a bridge, is there, or will not be.
STEP_LIMIT = 5.0
# How many ended sessions are remembered: a snapshot may still show the channel of one.
ENDED_KEPT = 100
KEYS = {"4": LISTEN, "5": WHISPER, "6": BARGE, "7": TAKE_OVER}  # the first three are ChanSpy's own
SCORE_KEY = "9"
NO_CALLER = "the agent has no caller on the line"


class State(Enum):
    RINGING = "ringing"
    WAITING = "waiting"
    HEARING = "hearing"
    JOINING = "joining"
    IN_CHARGE = "in_charge"
    SCORING = "scoring"
    BRIEFED = "briefed"


ELSEWHERE = (State.SCORING, State.BRIEFED)  # on another page of the dialplan, from which he comes back
# Why he takes nobody over now: he is not yet here, or not back, with what that page has set on his channel.
NOT_YET = {
    State.RINGING: "he is being rung",
    State.SCORING: "he fills in a score card",
    State.BRIEFED: "he is being told whose call it is",
}


class Talk(NamedTuple):
    """An agent with a caller of ours."""

    leg: str  # the agent's channel
    call: str  # the account's id
    name: str = ""  # of that channel, while agent and caller hear each other
    queue: str = ""


# Who is talking at this moment; why a supervisor may not monitor an agent so, "" if he may.
Live = Callable[[str], Talk | None]
Refusal = Callable[[Supervisor, str, str, str], str]  # ... at this phone


@dataclass(frozen=True, slots=True)
class Ring:
    """Ring the supervisor's phone; when he answers, his channel reports with the session's id."""

    session: str
    device: str
    shown: str  # on its display
    seconds: float = RING


@dataclass(frozen=True, slots=True)
class Hear:
    """Put the supervisor on this leg."""

    session: str
    turn: int  # of this session, from 1: names the step, so that two on the way cannot be mixed up
    leg: str
    mode: str
    beep: bool = False  # he hears one first: it is not he who has asked for this mode


@dataclass(frozen=True, slots=True)
class Notice:
    """Let a tone be heard on this leg, and by its caller, too."""

    leg: str
    caller: bool
    sorry: bool = False  # another tone: what was asked for is not to be had


@dataclass(frozen=True, slots=True)
class Join:
    """Put the supervisor into the bridge that the channel ``beside`` is in."""

    session: str
    turn: int
    beside: str  # its name


@dataclass(frozen=True, slots=True)
class HandOver:
    """The supervisor is with agent and caller: have the core let the agent go."""

    session: str
    leg: str
    by: str


@dataclass(frozen=True, slots=True)
class Rest:
    """Take him off the leg; he stays on the line."""

    session: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Hang up the supervisor's phone."""

    session: str


@dataclass(frozen=True, slots=True)
class Brief:
    """Tell him whose call it is; then he is back."""

    session: str


@dataclass(frozen=True, slots=True)
class GiveForm:
    """Take him off the leg, and have his phone ask for a form."""

    session: str


Effect = ControlEvent | Ring | Hear | Notice | Join | HandOver | Rest | Brief | GiveForm | Drop


@dataclass(slots=True)
class Listened:
    """A call of the agent's that the supervisor has heard, and for how many seconds, in whatever mode."""

    call: str
    queue: str
    seconds: float = 0.0


class Before(NamedTuple):
    """The mode to which he goes back when this call is over, and who asked for that one."""

    call: str
    mode: str
    switched: tuple[str, str] | None


def turn_name(turn: int) -> str:
    """Its extension in the dialplan."""
    return f"a{turn}"


def join_name(turn: int) -> str:
    return f"t{turn}"


@dataclass(slots=True)
class Session:
    id: str
    supervisor: Supervisor
    agent: str
    mode: str  # one of CONTROLS
    by: str
    door: str
    device: str  # that is rung, or has dialled
    since: float  # when it was asked for, epoch seconds
    dialled: bool = False
    state: State = State.RINGING
    up: float | None = None  # when he answered
    talk: Talk | None = None  # that he has been put on
    turns: int = 0
    switched: tuple[str, str] | None = None  # who asked for the present mode, and by which door
    before: Before | None = None  # the present mode is for one call alone
    heard: tuple[str, str, float] | None = None  # (mode, call, since when) of what he is heard to hear
    noticed: str = ""  # the last leg on which the tone was heard for him
    sent: float = 0.0  # since when he is on his way, HEARING or JOINING
    taker: tuple[str, str] | None = None  # who asked him to take over, and by which door, if not at once
    listened: Listened | None = None  # the last call that he has heard
    sought: bool = False  # a snapshot has shown him back from elsewhere, and no event has told it
    brought: bool = False  # for an agent who asks for him: he is told whose call it is before he hears it
    why: str = ""  # we hang him up, and for this
    end: str = ""  # why his channel is gone

    @property
    def turn(self) -> str:
        return turn_name(self.turns)

    @property
    def takes_over(self) -> bool:
        return self.state in (State.JOINING, State.IN_CHARGE)


class Sessions:
    """Those who listen now. ``run``: a short word of letters and digits, other at each start.

    ``notice``: one of NOTICES, as it is at the moment.
    """

    def __init__(self, run: str, live: Live, refusal: Refusal, notice: Callable[[], str]) -> None:
        self.all: dict[str, Session] = {}
        self._run = run
        self._live = live
        self._refusal = refusal
        self._notice = notice
        self._numbers = itertools.count(1)
        self._ended: deque[str] = deque(maxlen=ENDED_KEPT)
        self._out: list[Effect] = []

    def refuse(
        self, at: float, by: str, door: str, what: str, who: str, whom: str, why: str, mode: str = ""
    ) -> list[Effect]:
        """It was asked for, and is not done."""
        control = self._id()
        self._out += [
            ControlEvent(control, at, what, result, who, by, whom, door, reason=reason)
            for result, reason in (("asked", mode), ("refused", why))
        ]
        return self._done()

    def begin(
        self, at: float, supervisor: Supervisor, device: str, agent: str, mode: str, by: str, door: str
    ) -> list[Effect]:
        """Ring this phone for this supervisor, who may: that was asked before."""
        session = Session(self._id(), supervisor, agent, mode, by, door, device, at)
        self.all[session.id] = session
        self._tell(session, at, "monitor", "asked", reason=mode)
        self._out.append(Ring(session.id, device, f"{mode}: {agent}"))
        return self._done()

    def bring(
        self, asked: Asked, supervisor: Supervisor, agent: str, mode: str, ring: float
    ) -> tuple[Session, list[Effect]]:
        """Ring his phone, for so many seconds, because this agent asks for him."""
        id_ = self._id()
        session = Session(
            id_, supervisor, agent, mode, asked.by, asked.door, supervisor.device, asked.at, brought=True
        )
        self.all[id_] = session
        self._tell(session, asked.at, "monitor", "asked", reason=mode)
        self._out.append(Ring(id_, supervisor.device, f"help: {agent}", ring))
        return session, self._done()

    def drop(self, session: Session, why: str) -> list[Effect]:
        self._drop(session, why)
        return self._done()

    def dialled(self, at: float, supervisor: Supervisor, agent: str, mode: str, channel: str) -> list[Effect]:
        """He has dialled a code at his phone, and may: his channel (its uniqueid) is the session."""
        device = supervisor.device
        session = Session(channel, supervisor, agent, mode, device, "phone", device, at, dialled=True)
        self.all[channel] = session
        self._tell(session, at, "monitor", "asked", reason=mode)
        return self._done()

    def switch(
        self, at: float, session: Session, mode: str, by: str, door: str, *, beep: bool = False
    ) -> tuple[str, list[Effect]]:
        """Another mode, if his role has it, or the caller himself. Why not, "" if it is done."""
        if mode == session.mode or session.takes_over:
            return "", []
        self._tell(session, at, mode, "asked", by=by, door=door)
        why = self._refusal(session.supervisor, session.agent, mode, session.device)
        if mode == TAKE_OVER:
            why = why or ("he is being hung up" if session.why else NOT_YET.get(session.state, ""))
        if why:
            self._tell(session, at, mode, "refused", by=by, door=door, reason=why)
        elif mode == TAKE_OVER:
            session.taker = by, door
            why = self._take(session, at)
        else:
            self._silence(session, at)
            session.mode, session.switched, session.before = mode, (by, door), None
            if session.talk is not None:
                self._hear(session, session.talk, at, beep=beep)
        return why, self._done()

    def switch_once(self, asked: Asked, session: Session, mode: str) -> list[Effect]:
        """Another mode for the call that he hears, and no other; a beep tells him."""
        before, talk = Before("", session.mode, session.switched), session.talk
        effects = self.switch(asked.at, session, mode, asked.by, asked.door, beep=True)[1]
        if talk is not None and before.mode != session.mode:
            session.before = before._replace(call=talk.call)
        return effects

    def key(self, at: float, id_: str, key: str) -> list[Effect]:
        """He pressed a key. Asterisk has put him back where he was."""
        session = self.all.get(id_)
        if session is not None and not session.why and key == SCORE_KEY:
            return self._score(at, session)
        if session is None or session.why or key not in KEYS:
            return []
        return self.switch(at, session, KEYS[key], session.device, "phone")[1]

    def stop(self, at: float, session: Session, by: str, door: str) -> list[Effect]:
        self._tell(session, at, "stop", "asked", by=by, door=door)
        self._tell(session, at, "stop", "done", by=by, door=door)
        self._drop(session, f"stopped by {by}")
        return self._done()

    # -- what the PBX tells

    def arrived(self, at: float, id_: str) -> list[Effect]:
        """His phone was answered, his channel that has dialled is with us, or he is back from elsewhere."""
        self._arrived(at, id_, told=True)
        return self._done()

    def spying(self, at: float, id_: str, turn: str) -> list[Effect]:
        """He hears the leg of this turn now."""
        session = self.all.get(id_)
        if session is not None and session.talk is not None and session.turn == turn and not session.heard:
            session.heard = session.mode, session.talk.call, at
            if session.listened is None or session.listened.call != session.talk.call:
                session.listened = Listened(session.talk.call, session.talk.queue)
            self._tell(session, at, session.mode, "done", call=session.talk.call)
            if session.noticed != session.talk.leg and self._notice() != NOTICES[0]:
                session.noticed = session.talk.leg
                self._out.append(Notice(session.talk.leg, self._notice() == NOTICES[2]))
        return self._done()

    def joined(self, at: float, id_: str) -> list[Effect]:
        """He is in a bridge."""
        session = self.all.get(id_)
        if session is not None and session.state is State.JOINING and session.talk is not None:
            session.state, session.heard = State.IN_CHARGE, (TAKE_OVER, session.talk.call, at)
            self._tell(session, at, TAKE_OVER, "done", call=session.talk.call)
            self._out.append(HandOver(id_, session.talk.leg, session.supervisor.id))
        return self._done()

    def parted(self, at: float, id_: str) -> list[Effect]:
        """He is back out of it, or has never been in it."""
        session = self.all.get(id_)
        if session is None:
            self._left_over(at, id_)
        elif session.state is State.JOINING:
            self._not_joined(session, at, "the caller could not be reached")
        elif session.state is State.IN_CHARGE:
            self._drop(session, "the caller has gone")
        return self._done()

    def gone(self, at: float, id_: str, why: str = "") -> list[Effect]:
        """His channel has ended, or never came to be."""
        self._gone(at, id_, why)
        return self._done()

    def compare(self, at: float, channels: Collection[str], ours: Iterable[str]) -> list[Effect]:
        """After a login: all channels by id, and those in our context."""
        for id_ in [one for one in self.all if one not in channels]:
            self._gone(at, id_, "not there after a lost link")
        for session in self.all.values():
            # what was sent while the link was lost has not arrived
            if session.why:
                self._hang_up(session.id)
            elif session.state is State.JOINING:
                self._not_joined(session, at, "the link was lost")
            elif session.state is State.IN_CHARGE:
                pass  # the caller is his, link or not
            elif session.talk is not None:
                self._hear(session, session.talk, at)
            elif session.state is State.WAITING:
                self._out.append(Rest(session.id))
        for id_ in ours:
            self._arrived(at, id_)
        return self._done()

    def swept(self, at: float, channels: Collection[str], ours: Iterable[str]) -> list[Effect]:
        """The same while events go on: what none of them has told. A phone is rung for a while at most."""
        for session in list(self.all.values()):
            rings = session.state is State.RINGING and at - session.since < RING_LIMIT
            late = at - session.sent > STEP_LIMIT
            if session.id not in channels:
                if not rings:
                    self._gone(at, session.id, "its end was not told")
            elif session.why:
                self._hang_up(session.id)
            elif session.state is State.JOINING and late:
                self._not_joined(session, at, "it was not told")
            elif session.state is State.HEARING and late and session.talk is not None and not session.heard:
                self._hear(session, session.talk, at)
        for id_ in ours:
            self._arrived(at, id_)
        return self._done()

    # -- what the core and the configuration tell

    def look(self, at: float) -> list[Effect]:
        """Something was decided: everybody goes where his agent is."""
        for session in self.all.values():
            if session.state in (State.WAITING, State.HEARING) and not session.why:
                self._follow(session, at)
        return self._done()

    def reloaded(self, supervisors: Mapping[str, Supervisor]) -> list[Effect]:
        """Who may not do any more what he does is hung up."""
        for session in self.all.values():
            fresh = supervisors.get(session.supervisor.id)
            why = "not in the configuration" if fresh is None else ""
            if fresh is not None:
                session.supervisor = fresh
                why = self._refusal(fresh, session.agent, session.mode, session.device)
            if why and not session.why and not session.takes_over:  # a caller is not dropped for this
                self._drop(session, why)
        return self._done()

    # -- inside

    def _id(self) -> str:
        return f"m{self._run}x{next(self._numbers)}"

    def _score(self, at: float, session: Session) -> list[Effect]:
        """The call that he hears, or else the last one that he has heard."""
        if session.state not in (State.WAITING, State.HEARING):
            return []
        self._silence(session, at)
        session.talk, session.state, session.sought = None, State.SCORING, False
        self._out.append(GiveForm(session.id))
        return self._done()

    def _arrived(self, at: float, id_: str, *, told: bool = False) -> None:
        """``told`` by an event; else a snapshot shows his channel."""
        session = self.all.get(id_)
        if session is None:
            self._left_over(at, id_)
        elif session.state is State.RINGING:
            session.state, session.up = State.WAITING, at
            self._tell(session, at, "monitor", "done", reason=session.mode)
            if session.why:
                self._hang_up(id_)  # his phone may have rung before that was possible
            elif session.mode == TAKE_OVER:
                self._take(session, at)
            elif session.brought:
                session.state = State.BRIEFED
                self._out.append(Brief(session.id))
            else:
                self._follow(session, at)
        elif session.why:
            self._hang_up(id_)
        elif session.state in ELSEWHERE and not (told or session.sought):
            session.sought = True  # he may be on his way there
        elif session.state in ELSEWHERE:
            session.state = State.WAITING
            self._follow(session, at)

    def _take(self, session: Session, at: float) -> str:
        """Why there is nobody to be taken, "" if there is."""
        talk = self._live(session.agent)
        if talk is None or not talk.name:
            self._not_joined(session, at, NO_CALLER)
            return NO_CALLER
        self._silence(session, at)
        session.talk, session.state, session.sent = talk, State.JOINING, at
        session.turns += 1
        self._out.append(Join(session.id, session.turns, talk.name))
        return ""

    def _not_joined(self, session: Session, at: float, why: str) -> None:
        """The caller stays with his agent; who has come for him alone is hung up, another hears on."""
        self._tell(session, at, TAKE_OVER, "failed", reason=why)
        if session.mode == TAKE_OVER:
            session.state = State.WAITING
            self._drop(session, why)
        elif session.state is State.JOINING:
            self._goes_to(session, self._live(session.agent), at)

    def _gone(self, at: float, id_: str, why: str) -> None:
        session = self.all.pop(id_, None)
        if session is None:
            return
        self._ended.append(id_)
        if session.state is State.JOINING:
            self._tell(session, at, TAKE_OVER, "failed", reason="hung up")
        self._silence(session, at)
        if session.up is None:
            unheard = "hung up" if session.dialled else "no answer"
            session.end = session.why or why or unheard
            self._tell(session, at, "monitor", "failed", reason=session.end)
        else:
            session.end = session.why or why or "hung up"
            self._tell(session, at, "monitor", "ended", reason=session.end, seconds=at - session.up)

    def _follow(self, session: Session, at: float) -> None:
        talk = self._live(session.agent)
        if _leg(talk) == _leg(session.talk):
            return
        self._silence(session, at)
        self._goes_to(session, talk, at)

    def _goes_to(self, session: Session, talk: Talk | None, at: float) -> None:
        before = session.before
        if before is not None and (talk is None or talk.call != before.call):
            session.mode, session.switched, session.before = before.mode, before.switched, None
        if talk is None:
            session.talk, session.state = None, State.WAITING
            self._out.append(Rest(session.id))
        else:
            self._hear(session, talk, at)

    def _hear(self, session: Session, talk: Talk, at: float, *, beep: bool = False) -> None:
        session.talk, session.state, session.sent = talk, State.HEARING, at
        session.turns += 1
        self._out.append(Hear(session.id, session.turns, talk.leg, session.mode, beep))

    def _silence(self, session: Session, at: float) -> None:
        """The end of a stretch: another mode, another call, or nothing more."""
        if session.heard is not None:
            mode, call, since = session.heard
            session.heard = None
            if session.listened is not None and session.listened.call == call:
                session.listened.seconds += max(0.0, at - since)
            self._tell(session, at, mode, "ended", call=call, seconds=at - since)

    def _drop(self, session: Session, why: str) -> None:
        session.why = why
        self._hang_up(session.id)

    def _hang_up(self, id_: str) -> None:
        drop = Drop(id_)
        if drop not in self._out:  # a snapshot may show twice that he is still there
            self._out.append(drop)

    def _left_over(self, at: float, id_: str) -> None:
        if id_ not in self._ended:  # one of this run's has its end in the audit
            why = "left by a daemon that has ended"
            self._out.append(ControlEvent(id_, at, "monitor", "ended", "", "", "", "", reason=why))
        self._hang_up(id_)

    def _tell(
        self,
        session: Session,
        at: float,
        what: str,
        result: str,
        *,
        by: str = "",
        door: str = "",
        call: str | None = None,
        seconds: float | None = None,
        reason: str = "",
    ) -> None:
        asked = session.switched if what in MODES else session.taker if what == TAKE_OVER else None
        asked = asked or (session.by, session.door)
        self._out.append(
            ControlEvent(
                session.id,
                at,
                what,
                result,
                session.supervisor.id,
                by or asked[0],
                session.agent,
                door or asked[1],
                call=call,
                seconds=None if seconds is None else round(max(0.0, seconds), 3),
                reason=reason,
            )
        )

    def _done(self) -> list[Effect]:
        out, self._out = self._out, []
        return out


def _leg(talk: Talk | None) -> tuple[str, str] | None:
    return None if talk is None else (talk.leg, talk.call)


def rows(sessions: Iterable[Session], at: float) -> list[dict[str, object]]:
    """For people: who listens to whom."""
    return [
        {
            "session": one.id,
            "supervisor": one.supervisor.id,
            "agent": one.agent,
            "mode": one.mode,
            "state": one.state.value,
            "call": None if one.talk is None else one.talk.call,
            "for_s": round(max(0.0, at - (one.up or one.since)), 1),
            "by": one.by,
        }
        for one in sessions
    ]
