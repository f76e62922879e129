"""What is asked of a supervisor's session, by whichever door: resolved, judged, and told to ``sessions``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from ccbridge.core.calls import OfferState, channel_of
from ccbridge.core.world import World
from ccbridge.supervision import roles
from ccbridge.supervision.escalations import Escalations
from ccbridge.supervision.roles import BARGE, LISTEN, ON_DUTY, ROLES, TAKE_OVER, Asked, Supervisor
from ccbridge.supervision.sessions import NO_CALLER, RING, Effect, Session, Sessions, State, Talk

IN_USE = ("INUSE", "BUSY", "RINGING", "RINGINUSE", "ONHOLD")
AWAY = ("UNAVAILABLE", "INVALID")
NO_TALK = "nobody talks in a call of this id"  # whatever was typed is not kept


class Decided(NamedTuple):
    ok: bool
    text: str
    effects: list[Effect]


class Briefing(NamedTuple):
    """What a supervisor is told before he hears the call."""

    call: str
    number: str  # the caller's, E.164; "" is not known


class Desk:
    """The configured supervisors, and their sessions over one world of calls.

    ``world``, ``people``, ``notice`` and ``ring`` are asked each time: a reload changes them. ``run`` and
    ``notice`` as in ``Sessions``, ``ring`` as in ``Escalations``.
    """

    def __init__(
        self,
        world: Callable[[], World],
        people: Callable[[], Mapping[str, Supervisor]],
        run: str,
        notice: Callable[[], str],
        ring: Callable[[], float] = lambda: RING,
    ) -> None:
        self._world = world
        self._people = people
        self.sessions = Sessions(run, self._talk, self.refusal, notice)
        self.escalations = Escalations(run, self.sessions, self._talk, self.listening, self.on_duty, ring)
        self._judged = self._rules()

    def refusal(self, supervisor: Supervisor, agent: str, mode: str, device: str) -> str:
        """Why he may not, at this phone; "": he may."""
        world = self._world()
        plan = world.plan
        if agent not in plan.agents:
            return "not in the configuration"
        works_for = roles.works_for(plan.agents[agent].queues, plan.departments)
        return roles.refusal(supervisor, mode, works_for, device == world.agents[agent].phone)

    def monitor(self, asked: Asked, agent: str, mode: str, to: str, as_: str = "") -> Decided:
        """Ring the phone ``to`` and let it hear the agent, in ``as_``'s name (whose phone it is), or have
        his caller: ``mode`` is one of CONTROLS.

        Whoever listens to him already, at that phone, gets the other mode, or the caller.
        """
        people = self._people()
        phone = roles.found(to, people)
        who = phone if not as_ else people.get(as_)
        whom = agent if agent in self._world().plan.agents else ""
        if phone is None:
            why = "no supervisor has this name or extension"
        elif who is None:
            why = "there is no supervisor of this name"
        elif not whom:
            why = "there is no such agent"
        else:
            why = roles.acts_as(asked.by, who, people) or self.refusal(who, agent, mode, phone.device)
            session = self._at(phone.device)
            why = why or self._busy(session) or self._nobody(agent, mode)
            if not why and session is not None and (session.supervisor, session.agent) == (who, agent):
                why, effects = self.sessions.switch(asked.at, session, mode, asked.by, asked.door)
                return Decided(not why, why or f"{who.id} monitors {agent}: {mode}", effects)
            why = why or self._hindrance(phone, session)
            if not why:
                effects = self.sessions.begin(asked.at, who, phone.device, agent, mode, asked.by, asked.door)
                return Decided(True, f"{phone.device} is rung: {who.id} monitors {agent}, {mode}", effects)
        name = "" if who is None else who.id
        return Decided(False, why, self.sessions.refuse(*asked, "monitor", name, whom, why, mode))

    def dialled(self, asked: Asked, agent: str, mode: str, channel: str) -> Decided:
        """A code for this agent ("": none has the number) was dialled at the phone ``asked.by``.

        Its ``channel`` becomes the session, in the place of one that this phone has already.
        """
        who = roles.found(asked.by, self._people())
        if who is None:
            why = "no supervisor has this phone"
        elif not agent:
            why = "no agent has this number"
        else:
            why = self.refusal(who, agent, mode, who.device)
            why = why or self._busy(self._at(who.device)) or self._nobody(agent, mode)
            if not why and not self._world().link:
                why = "Asterisk is not connected"
        if who is None or why:
            name = "" if who is None else who.id
            return Decided(False, why, self.sessions.refuse(*asked, "monitor", name, agent, why, mode))
        former, effects = self._at(who.device), []
        if former is not None:
            effects = self.sessions.stop(asked.at, former, asked.by, asked.door)
        effects += self.sessions.dialled(asked.at, who, agent, mode, channel)
        return Decided(True, f"{who.id} monitors {agent}: {mode}", effects)

    def stop(self, asked: Asked, agent: str = "", to: str = "") -> Decided:
        """End the sessions over this agent, at this supervisor's phone; without either, all."""
        people = self._people()
        phone = roles.found(to, people) if to else None
        if to and phone is None:
            return Decided(False, "no supervisor has this name or extension", [])
        chosen = [
            one
            for one in self.sessions.all.values()
            if agent in ("", one.agent) and (phone is None or one.device == phone.device)
            if not one.takes_over  # who hangs him up hangs up a caller
        ]
        effects: list[Effect] = []
        for one in chosen:
            if why := roles.acts_as(asked.by, one.supervisor, people):
                effects += self.sessions.refuse(*asked, "stop", one.supervisor.id, one.agent, why)
                return Decided(False, why, effects)
            effects += self.sessions.stop(asked.at, one, asked.by, asked.door)
        return Decided(True, f"{len(chosen)} stopped" if chosen else "nobody monitors so", effects)

    def on_duty(self, agent: str, tried: Collection[str]) -> Supervisor | None:
        """Who is to be rung for this agent, and was not ``tried``: whose phone is free, in the order of the
        configuration, those of his departments before those who supervise everywhere."""
        may = (one for one in self._helpers(tried) if not self.refusal(one, agent, BARGE, one.device))
        return next((one for one in may if not self._hindrance(one, self._at(one.device))), None)

    def listening(self, agent: str, tried: Collection[str]) -> Session | None:
        """Which of them hears this agent at this moment: his phone is not free, but he is there."""
        hear = [
            one
            for one in self.sessions.all.values()
            if one.agent == agent and one.state is State.HEARING and not one.why
        ]
        his = ((who, one) for who in self._helpers(tried) for one in hear if one.supervisor.id == who.id)
        return next((one for who, one in his if not self.refusal(who, agent, BARGE, one.device)), None)

    def escalate(self, asked: Asked, agent: str) -> Decided:
        """Bring a supervisor into this agent's talk."""
        return Decided(*self.escalations.ask(asked, agent))

    def escalate_call(self, asked: Asked, account: str) -> Decided:
        """The same, by a call's id. A supervisor asks for it in his departments only."""
        w = self._world()
        call = w.calls.get(channel_of(account)[0])
        offer = w.offers.get(call.offer) if call is not None and call.account == account else None
        if offer is None:
            return Decided(False, NO_TALK, self.sessions.refuse(*asked, "escalate", "", "", NO_TALK))
        own = roles.own(asked.by, self._people())
        may_not = "" if own is None else self.refusal(own, offer.agent, LISTEN, "")
        return Decided(*self.escalations.ask(asked, offer.agent, may_not))

    def leave(self, asked: Asked, agent: str) -> Decided:
        """The agent goes out of a talk that a supervisor is in, whose the caller is then."""
        why, effects = self.escalations.leave(asked, agent)
        return Decided(not why, why, effects)

    def briefing(self, channel: str) -> Briefing | None:
        """For the supervisor on this channel, if he is to have one."""
        found = (one for one in self.escalations.all.values() if one.session.id == channel)
        one = next(found, None)
        if one is None or one.session.state is not State.BRIEFED:
            return None
        call = self._world().calls.get(channel_of(one.call)[0])
        return Briefing(one.call, "" if call is None else call.e164 or "")

    def look(self, at: float) -> list[Effect]:
        """The core has decided something, or has another plan: who may not listen any more is hung up."""
        effects: list[Effect] = []
        if any(one is not known for one, known in zip(self._rules(), self._judged, strict=True)):
            self._judged = self._rules()
            effects += self.sessions.reloaded(self._people())
        return effects + self.escalations.look(at) + self.sessions.look(at)

    # -- inside

    def _helpers(self, tried: Collection[str]) -> list[Supervisor]:
        people = sorted(self._people().values(), key=lambda one: ROLES[one.role].everywhere)
        return [one for one in people if one.role in ON_DUTY and one.id not in tried]

    def _rules(self) -> tuple[object, object]:
        return self._world().plan, self._people()

    def _at(self, device: str) -> Session | None:
        return next((one for one in self.sessions.all.values() if one.device == device), None)

    def _busy(self, session: Session | None) -> str:
        return f"{session.device} has a caller" if session is not None and session.takes_over else ""

    def _nobody(self, agent: str, mode: str) -> str:
        talk = self._talk(agent)
        return NO_CALLER if mode == TAKE_OVER and not (talk and talk.name) else ""

    def _hindrance(self, phone: Supervisor, session: Session | None) -> str:
        world = self._world()
        if session is not None:
            return f"{phone.device} monitors {session.agent} already"
        if not world.link:
            return "Asterisk is not connected"
        state = world.devices.get(phone.device, "")
        if state in IN_USE:
            return f"{phone.device} is in use"
        return f"{phone.device} is not reachable" if state in AWAY else ""

    def _talk(self, agent: str) -> Talk | None:
        world = self._world()
        one = world.agents.get(agent)
        offer = world.offers.get(one.offer) if one is not None and one.talking else None
        if offer is None or offer.state is not OfferState.TALKING or not offer.leg or offer.leg_gone:
            return None
        call = world.calls.get(offer.call)
        queue = "" if call is None else call.queue
        around = world.bridges.around(offer.leg)
        name = around[offer.leg] if offer.leg in around and offer.call in around else ""
        return Talk(offer.leg, world.account(offer.call), name, queue)
