"""The switchboard: inputs in, effects out. Everything the product decides about calls passes here.

Plain synchronous code: no clock, random, logging, I/O. ``now`` is the monotonic clock, in seconds, and
drives deadlines; an input's own ``at`` (epoch seconds) is what the records say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ccbridge.core import (
    acd,
    announce,
    attendance,
    matters,
    moves,
    offers,
    overflow,
    reconcile,
    strategies,
    supervise,
    sweep,
    talks,
    taping,
    why,
    wished,
)
from ccbridge.core import inputs as i
from ccbridge.core.agents import Agent
from ccbridge.core.calls import CALL_TABLE, OFFER_TABLE, Call, CallState, Offer, round_of
from ccbridge.core.effects import Effect
from ccbridge.core.memory import Memory
from ccbridge.core.plan import Plan
from ccbridge.core.restore import log_out, take_up
from ccbridge.core.world import World


def _actions(table: Mapping[Any, Mapping[type, str]]) -> dict[str, Callable[[World, Any, Any], None]]:
    """The functions that a table names, from the room each stands in."""
    rooms = (moves, offers, overflow, reconcile, talks)
    names = {name for cells in table.values() for name in cells.values()}
    return {name: next(getattr(room, name) for room in rooms if hasattr(room, name)) for name in names}


_CALL_ACTIONS = _actions(CALL_TABLE)
_OFFER_ACTIONS = _actions(OFFER_TABLE)
# ids of offers are made by us alone; a leg may be that of any channel of the PBX
_BY_OFFER = (i.OfferReached, i.LegDialled, i.OfferEnded)
_BY_CHANNEL = (i.HangupAsked, i.ChannelGone, i.ChannelTransferred)
_BY_LEG = (i.LegRinging, i.LegAsked, i.LegDeclined, i.LegHeld, i.LegResumed, i.LegTaken)


class Switchboard:
    """All calls, offers and agents of one PBX.

    ``run`` is a short alphanumeric word, different at each start: it makes offer ids unique.
    """

    def __init__(self, plan: Plan, run: str) -> None:
        self.world = World(plan, run)
        for agent_plan in plan.agents.values():
            self.world.add_agent(Agent(agent_plan))

    # -- the three calls of the loop

    def handle(self, event: i.Input, now: float) -> list[Effect]:
        """Take one input; return what is to be done, in order. Never raises on anything from outside."""
        w = self.world
        w.at, w.now = event.at, now
        w.tell_plan()
        self._fire_timers()
        self._dispatch(event)
        while w.parted:
            agent = w.agents.get(w.parted.pop())
            if agent is not None:
                talks.look_round(w, agent)
        wished.look_again(w)
        while w.link and (w.touched or w.entered or w.unstaffed):
            if w.touched:
                self._match()
            overflow.sort_out(w)  # which may put callers into other queues
        if w.newcomers:
            why.tell_who_waits(w)
        if w.link and w.untold and isinstance(event, i.Tick):
            announce.tell_one(w)
        out, w.out = w.out, []
        return out

    def next_deadline(self) -> float | None:
        """When ``handle(Tick)`` is due at the latest, on the clock of ``now``; None: nothing waits."""
        w = self.world
        return w.now if w.link and w.untold else w.next_deadline()

    def restore(self, memory: Memory, at: float, now: float) -> None:
        """Take up what a former run knew. The first ``LinkUp`` compares it with the PBX."""
        w = self.world
        w.at, w.now = at, now
        take_up(w, memory)
        w.out.clear()  # all this is in the journal already
        w.newcomers.clear()
        self._put_in_force(w.base)
        for agent in w.agents.values():
            # but not what time has ended since: it is told with the first input
            w.refresh(agent, again=attendance.check_personal(w, agent))
        for name, known in memory.agents.items():
            if name not in w.agents:
                log_out(w, name, known)
        attendance.part(w)
        w.changed.clear()  # the lines were made with all of this known

    # -- inside

    def _fire_timers(self) -> None:
        w = self.world
        while (key := w.pop_due()) is not None:
            kind, name = key
            if kind == "agent":
                self._agent_due(w.agents[name])
            elif kind == "call":
                overflow.call_due(w, w.calls[name])
            elif kind == "say":
                announce.due(w, w.calls[name])
            elif kind == "mute":
                taping.due(w, w.calls[name])
            else:
                offers.offer_due(w, w.offers[name])

    def _agent_due(self, agent: Agent) -> None:
        w = self.world
        if agent.wrap_due is not None and agent.wrap_due <= w.now:
            agent.wrap_due = None
        if agent.cool_due is not None and agent.cool_due <= w.now:
            agent.cool_due = None
        if agent.lift_due is not None and agent.lift_due <= w.now:
            agent.unpause()
        if agent.fade_due is not None and agent.fade_due <= w.now:
            agent.fade_due = None
        w.refresh(agent)

    def _dispatch(self, event: i.Input) -> None:
        w = self.world
        match event:
            case i.Tick():
                pass
            case i.CallArrived() if event.call not in w.calls:
                # one who has hung up was asked once more by the dialplan, and AGI is slower than AMI
                if w.closed.get(event.call) != "caller":
                    call = moves.arrived(w, event)
                    if event.call in w.gone:
                        moves.close(w, call, "menu_ended", "caller")
            case i.CallHolding() | i.CallInFallback() if event.call not in w.calls:
                self._unknown_call(event)
            case i.BridgeEntered():
                before = w.bridges.around(event.channel)
                w.bridges.enter(event.channel, event.bridge, event.name, event.swap)
                self._follow(event.channel, before)
            case i.BridgeLeft():
                before = w.bridges.around(event.channel)
                w.bridges.leave(event.channel, event.bridge)
                self._follow(event.channel, before)
            case i.ChannelGone():
                before = w.bridges.around(event.channel)
                w.bridges.leave(event.channel)
                self._follow(event.channel, before)
                self._to_tables(event)
            case i.LinkUp():
                reconcile.link_up(w, event)
            case i.LinkDown():
                w.link, w.last_sign = False, event.at
            case i.Swept():
                sweep.swept(w, event)
            case i.DeviceChanged():
                self._device_changed(event)
            case i.ContactSeen():
                for agent in w.agents_at(event.device):
                    if not agent.personal:
                        w.phone_back(agent)
            case i.PlanLoaded():
                self._plan_loaded(event.plan)
            case _ if isinstance(event, attendance.AgentCommand):
                attendance.agent_command(w, event)
            case i.QueuePause() | i.QueueDrain() | i.QueueResume() | i.QueueSet():
                supervise.queue_command(w, event)
            case i.CallPull() | i.CallMove() | i.CallPriority() | i.CallRedirect() | i.CallHangup():
                supervise.call_command(w, event)
            case i.OutcomeKeyed():
                matters.outcome_keyed(w, event)
            case i.TicketTagged():
                matters.tagged(w, event)
            case i.RecordingCommand():
                taping.command(w, event)
            case i.RecorderAnswered():
                taping.answered(w, event)
            case i.FollowUpSet() | i.FollowUpDone() | i.CustomerCalled():
                matters.follow_up(w, event)
            case i.NoteAsked() | i.NoteSpoken():
                matters.note(w, event)
            case _:
                self._to_tables(event)

    def _follow(self, channel: str, before: Iterable[str]) -> None:
        """A change of a bridge: it concerns whoever was or is connected with this channel."""
        w = self.world
        # each once, and in an order that a replay has, too
        for one in dict.fromkeys((*before, *w.bridges.around(channel), channel)):
            if one in w.calls:
                talks.follow(w, w.calls[one])

    def _to_tables(self, event: Any) -> None:
        """Inputs about calls and offers: the tables say what follows."""
        w = self.world
        offer: Offer | None = None
        call: Call | None = None
        if isinstance(event, _BY_OFFER) or (isinstance(event, i.MoveFailed) and event.offer):
            rung = self._rung(event)
            for one in rung:
                self._act(OFFER_TABLE[one.state], _OFFER_ACTIONS, one, event)
            if not (rung or self._is_over(event) or self._fresh_link()):
                w.oddity("offer_not_known", call=event.call, offer=event.offer, input=type(event).__name__)
            return
        if isinstance(event, _BY_CHANNEL):
            offer = w.legs.get(event.channel)
            call = w.calls.get(event.channel)
        elif isinstance(event, _BY_LEG):
            offer = w.legs.get(event.leg)
        elif isinstance(event, i.ChannelCut):
            call = w.calls.get(event.channel)  # an agent's leg tells its own end
        else:
            call = w.calls.get(event.call)
        if offer is not None:
            self._act(OFFER_TABLE[offer.state], _OFFER_ACTIONS, offer, event)
        elif call is not None:
            self._act(CALL_TABLE[call.state], _CALL_ACTIONS, call, event)
        if offer is None and isinstance(event, i.ChannelGone):
            w.remember_gone(event.channel)

    def _rung(self, event: Any) -> list[Offer]:
        """The offers of the round that it tells of; of several the one with the leg's device."""
        rung = list(self.world.rounds.get(event.offer, ()))
        if len(rung) > 1 and isinstance(event, i.LegDialled):
            # no device: one whom a reload has removed, and a restart has found in the middle of it
            device = {offer.id: self.world.agents[offer.agent].phone for offer in rung}
            return [offer for offer in rung if device[offer.id] in (event.device, "")]
        return rung

    def _is_over(self, event: Any) -> bool:
        """It tells of an offer that has ended: perhaps long ago, as Dial returns only with the caller."""
        w = self.world
        call = w.calls.get(event.call)
        passed_on = call is not None and any(round_of(leg["offer"]) == event.offer for leg in call.legs)
        return passed_on or event.offer in w.closed or event.call in w.closed

    def _act(
        self,
        cells: Mapping[type, str],
        actions: Mapping[str, Callable[[World, Any, Any], None]],
        thing: Call | Offer,
        event: Any,
    ) -> None:
        name = cells.get(type(event))
        if name is not None:
            actions[name](self.world, thing, event)
            return
        if self._fresh_link():
            return
        kind = "call" if isinstance(thing, Call) else "offer"
        self.world.oddity(
            "unexpected", **{kind: thing.id}, state=thing.state.value, input=type(event).__name__
        )

    def _fresh_link(self) -> bool:
        """The events buffered during a snapshot come right after it and may tell what it showed already."""
        return self.world.now - self.world.link_since < 1.0

    def _unknown_call(self, event: i.CallHolding | i.CallInFallback) -> None:
        """A channel of ours that we do not know reports: adopt it, unless it has just ended."""
        w = self.world
        if not event.call:
            w.oddity("nameless_call", input=type(event).__name__)
        elif w.closed.get(event.call) == "caller":
            pass  # he has hung up, and his channel took one more step before it went
        elif event.call in w.gone:
            w.oddity("event_after_end", call=event.call, input=type(event).__name__)
        else:  # also who was passed on, and is back with us: a call of its own
            arrival = i.CallArrived(
                event.at,
                event.call,
                event.did,
                event.caller_kind,
                event.e164,
                event.caller[:80],
                "",
                event.came,
            )
            moves.arrived(w, arrival, inferred=True)
            self._to_tables(event)

    def _match(self) -> None:
        w = self.world
        touched, w.touched = w.touched, set()
        waiting = {
            line: w.waiting[line]
            for queue in touched
            if not w.is_paused(queue)
            for line in w.lines.get(queue, ())
        }
        if not waiting:
            return
        free = {line: self._free(line) for line in waiting}
        most = {line: strategies.at_once(w.queue(line.queue)) for line in waiting}
        # who picks up first silences the others before he has pressed 1
        alone = {agent for agent in w.free if w.agents[agent].personal}
        for pair in acd.match(waiting, free, most, alone):
            offers.place_offer(w, pair)
        w.touched -= touched

    def _free(self, line: acd.Line) -> list[str]:
        """Who is free to take this line's callers, best first."""
        w = self.world
        agents = [w.agents[agent] for agent in w.free & w.may_take(line)]
        if len(agents) > 1:
            agents.sort(key=strategies.key(w.queue(line.queue), line.rule, w.offers_made))
        return [agent.id for agent in agents]

    # -- agents

    def _device_changed(self, change: i.DeviceChanged) -> None:
        w = self.world
        if not change.device.startswith("Local/"):  # no phone, and there are as many as numbers are dialled
            w.devices[change.device] = change.state
        for agent in w.agents_at(change.device):
            w.phone_is(agent, change.state)

    # -- the plan

    def _plan_loaded(self, plan: Plan) -> None:
        """A reload never changes what an agent is doing now: only what he is offered next."""
        w = self.world
        for queue in list(w.lines):
            w.clear_lines(queue)
        self._put_in_force(plan)
        bound = {offer.agent for offer in w.offers.values()}
        for agent in list(w.agents.values()):
            fresh = plan.agents.get(agent.id)
            if fresh is None and agent.id not in bound:
                agent.logged_in = False
                agent.unpause()
                w.refresh(agent)
                w.drop_agent(agent)
            elif fresh is None:
                agent.logged_in = False  # leaves at the next reload, when his call is over
                agent.unpause()
                w.refresh(agent)
            elif fresh != agent.plan:
                self._replan(agent, fresh)
        for agent_id, fresh in plan.agents.items():
            if agent_id not in w.agents:
                w.add_agent(Agent(fresh, device=w.devices.get(fresh.device, "UNKNOWN")))
        for call in list(w.calls.values()):
            talks.follow(w, call, found=True)  # somebody who is an agent now may have him
        for call in w.calls.values():
            if call.state is CallState.HOLDING:
                w.line_up(call)
        w.newcomers.clear()  # they have waited before; thousands of them at once would hold up the loop

    def _put_in_force(self, plan: Plan) -> None:
        w = self.world
        gone = supervise.let_go_of(w, plan)
        w.put_in_force(plan)
        w.tell_plan()
        for event in gone:
            supervise.tell(w, *event)

    def _replan(self, agent: Agent, fresh: Any) -> None:
        w = self.world
        due, personal = agent.due(), agent.personal
        w.drop_agent(agent)
        attendance.replan(w, agent, fresh)
        w.add_agent(agent)
        w.arm("agent", agent.id, due)
        w.refresh(agent, again=agent.personal != personal)
