"""Talks: who is with the caller, for how long, and how he is passed on from one to the next.

A *leg* is an agent's channel with a caller: the one that our own offer dialled, or one on which somebody
passed the caller to him with a phone (``join``). Its *talk* is the time in one bridge with the caller, hold
subtracted; its *hold* is the rest of the time from the answer to the leg's end, a consultation included.
``follow`` looks anew after each change of a bridge.
"""

from __future__ import annotations

from typing import Any

from ccbridge.core import inputs as i
from ccbridge.core import offers, taping
from ccbridge.core.agents import Agent
from ccbridge.core.calls import Call, CallState, Offer, OfferState
from ccbridge.core.effects import DropLeg
from ccbridge.core.world import World

PASSED_ON = ("blind", "attended", "blonde", "park", "unseen", "taken_over")
LONGEST_EXTENSION = 6  # characters
# Where a caller may be put through to somebody by others than us.
OUT_OF_HAND = (CallState.TALKING, CallState.RELEASED, CallState.TRANSFERRED)


def live(w: World, call: Call) -> list[Offer]:
    """The offers that bind the call: one, or two for the moment in which one agent follows another."""
    return [w.offers[offer] for offer in (*call.others, call.offer) if offer]


def follow(w: World, call: Call, *, found: bool = False) -> None:
    """See who is with the caller now. ``found``: since some time ago."""
    around = w.bridges.around(call.id)
    for offer in live(w, call):
        if offer.leg and offer.leg in around:
            _together(w, call, offer, found)
        else:
            if found and offer.talk_from is not None:
                call.inferred = True  # they have parted some time ago
            stop_talk(w, offer)
    if call.state is CallState.FALLBACK and around and call.answered_at is None:
        # in the PBX's own queue: none of our agents' business, but an answer
        call.answered_at = w.at
        w.event(call, "fallback_answered")
    if call.state not in OUT_OF_HAND:
        return
    for channel, name in around.items():
        if channel == call.id:
            continue
        call.reached = True
        if channel not in w.legs:
            agent = w.agent_of(name.rpartition("-")[0])
            # one who has a call of ours already talks to this caller as anybody outside would
            if agent is not None and not agent.offer:
                _join(w, call, agent, channel, found)


def look_round(w: World, agent: Agent) -> None:
    """His offer is over: he may be with a caller whom somebody has passed on to him meanwhile."""
    for channel in w.bridges.of_device(agent.phone):
        for one in w.bridges.around(channel):
            if one in w.calls and channel not in w.legs:
                follow(w, w.calls[one], found=True)


def _together(w: World, call: Call, offer: Offer, found: bool) -> None:
    """Talking is both in one bridge, never DialEnd alone."""
    if offer.talk_from is not None:
        return
    offer.talk_from = _since(w, offer)
    if offer.state is not OfferState.TALKING:
        answered(w, call, offer, found)


def answered(w: World, call: Call, offer: Offer, found: bool) -> None:
    """Agent and caller are, or were, in one bridge. ``found``: since some time ago."""
    if not found and offer.queue:
        w.pace(offer.queue).answered(w.at - offer.placed, w.at - (call.queued_at or w.at))
    if call.answered_at is None:
        call.answered_at = w.at
    call.bind(offer)
    _begin(w, call, offer, "answered", found, queue=call.queue)
    for other in offers.companions(w, offer):
        if other.leg or found:
            offers.withdraw(w, call, other, "elsewhere")
        else:
            offers.settle_unanswered(w, other, "unreachable")  # his phone was never rung
    if offer.recording:
        taping.started(w, call, offer)
    w.refresh(w.agents[offer.agent])


def _join(w: World, call: Call, agent: Agent, leg: str, found: bool) -> None:
    """One of our agents has the caller, by somebody else's doing or his own: a leg without an offer."""
    offer = Offer(w.offer_id(), call.id, agent.id, call.queue, w.at, 0.0)
    w.add_offer(offer)
    offers.note_leg(w, offer, leg)
    call.bind(offer)
    agent.offer = offer.id
    offer.talk_from = w.at
    _begin(w, call, offer, "joined", found)
    w.refresh(agent)


def _begin(w: World, call: Call, offer: Offer, kind: str, found: bool, **data: Any) -> None:
    agent = w.agents[offer.agent]
    offers.offer_state(w, offer, OfferState.TALKING)
    w.call_state(call, CallState.TALKING)
    offer.answered_at = w.at
    call.agent = agent.id
    agent.talking = True
    agent.dead_offers, agent.missed = 0, []
    if found:
        call.inferred = data["found"] = True
    w.event(call, kind, offer=offer.id, agent=agent.id, leg=offer.leg, **data)
    if offer.held:
        w.event(call, "held", offer=offer.id, agent=agent.id)


def stop_talk(w: World, offer: Offer) -> None:
    """The leg is not with the caller any more, for now or for good."""
    if offer.talk_from is not None:
        _bank(w, offer)
        offer.talk_from = None


def _bank(w: World, offer: Offer) -> None:
    """Count the open stretch, and begin the next."""
    if offer.talk_from is not None:
        if not offer.held:
            offer.talk += max(0.0, w.at - offer.talk_from)
        offer.talk_from = _since(w, offer)


def _since(w: World, offer: Offer) -> float:
    """Now; of a talk that was found not before that: events kept beside the snapshot have earlier stamps."""
    return w.at if offer.answered_at is None else max(w.at, offer.answered_at)


def held(w: World, offer: Offer, h: i.LegHeld) -> None:
    """Also before the talk: a phone may hold as it answers, and is in the bridge before the caller."""
    if not offer.held:
        _bank(w, offer)
        offer.held = True
        if offer.state is OfferState.TALKING:
            w.event(w.calls[offer.call], "held", offer=offer.id, agent=offer.agent)


def resumed(w: World, offer: Offer, h: i.LegResumed) -> None:
    if offer.held:  # a transfer sends one without a hold before it
        _bank(w, offer)
        offer.held = False
        if offer.state is OfferState.TALKING:
            w.event(w.calls[offer.call], "resumed", offer=offer.id, agent=offer.agent)


# -- passed on


def transferred(w: World, offer: Offer, t: i.ChannelTransferred) -> None:
    """The agent has passed the caller on with his phone."""
    call = w.calls[offer.call]
    company = _company(w, call, offer.agent)
    kind = "blonde" if t.kind == "attended" and not company else t.kind  # to one who was still being rung
    pass_on(w, offer, kind, t.target or company.partition("/")[2])


def taken_over(w: World, offer: Offer, t: i.LegTaken) -> None:
    """His caller has a supervisor now, and he goes. A caller who has just gone leaves all as it was."""
    call = w.calls[offer.call]
    name = w.bridges.around(call.id).get(t.channel)
    if name is not None:
        extension = name.rpartition("-")[0].partition("/")[2]
        pass_on(w, offer, "taken_over", extension, by=t.by)
        w.emit(DropLeg(offer.leg))


def _company(w: World, call: Call, agent: str) -> str:
    """The device of somebody who is with the caller, beside this agent's own; "" for nobody."""
    around = w.bridges.around(call.id)
    own = [offer.leg for offer in w.offers.values() if offer.agent == agent]
    devices = (name.rpartition("-")[0] for channel, name in around.items() if channel not in (call.id, *own))
    return next((device for device in devices if device != w.agents[agent].phone), "")


def pass_on(w: World, offer: Offer, kind: str, target: str, **more: Any) -> None:
    """The leg is over, even if its channel lives on for a moment; the call goes on without the agent."""
    call = w.calls[offer.call]
    w.event(call, "transferred", how=kind, target=inside(w, target), agent=offer.agent, **more)
    finish_talk(w, offer, kind)
    call.reached = bool(_company(w, call, offer.agent))
    if call.state is CallState.TALKING and not call.offer:
        w.call_state(call, CallState.TRANSFERRED)


def pass_all(w: World, call: Call, target: str) -> None:
    """The caller turned up somewhere else while he was talking: AMI is a moment behind, and tells how."""
    for offer in live(w, call):
        if offer.state is OfferState.TALKING:
            pass_on(w, offer, "blind", target)


def parked(w: World, call: Call, p: i.CallParked) -> None:
    offer = w.offers.get(call.offer)
    if offer is not None:
        pass_on(w, offer, "park", p.space)
    else:  # by a transfer to the parking extension, which was told first
        w.event(call, "parked", space=p.space)
        if call.legs:
            call.legs[-1]["end"] = "park"


def inside(w: World, target: str) -> str:
    """An extension of the house as it is; a number outside is somebody's and has no place in an event."""
    return target if len(target) <= LONGEST_EXTENSION or target in w.plan.numbers else "outside"


# -- the end of a talk


def hanging_up(w: World, offer: Offer, h: i.HangupAsked) -> None:
    """The caller's channel may be told to be gone before his is."""
    offer.hung_up = True


def talk_returned(w: World, offer: Offer, e: i.OfferEnded) -> None:
    """Dial has returned after a talk: the agent has left, the caller is still there."""
    released(w, offer)


def leg_gone_talking(w: World, offer: Offer, g: i.ChannelGone) -> None:
    offer.leg_gone, offer.leg_cause = True, g.cause
    released(w, offer)


def released(w: World, offer: Offer) -> None:
    call = w.calls[offer.call]
    finish_talk(w, offer, "agent")
    if call.state is CallState.TALKING and not call.offer:
        w.call_state(call, CallState.RELEASED)


def finish_talk(w: World, offer: Offer, end: str) -> None:
    """The talk on this leg is over: agent in wrap-up, leg perhaps still on the line.

    ``end``: who hung up (agent, caller, system), or how the caller was passed on.
    """
    stop_talk(w, offer)
    agent = w.agents[offer.agent]
    call = w.calls[offer.call]
    since = w.at if offer.answered_at is None else offer.answered_at
    leg: dict[str, Any] = {
        "offer": offer.id,
        "agent": agent.id,
        "from": since,
        "to": max(w.at, since),  # of a talk that was found the end may be told with an earlier stamp
        "talk_s": round(offer.talk, 3),
        "hold_s": round(max(0.0, w.at - since - offer.talk), 3),
        "end": end,
    }
    call.legs.append(leg)
    call.unbind(offer)
    w.event(call, "offer_ended", result="talked", **leg)
    if offer.recording and end not in PASSED_ON:
        taping.ended(w, call, offer.id)
    elif offer.recording:
        call.recordings.append(offer.id)  # it is the caller's channel that records, and that lives on
    agent.offer, agent.talking = "", False
    agent.last_call, agent.last_offer, agent.last_end = call.account, offer.id, w.at
    agent.talks += 1
    agent.talk_s = round(agent.talk_s + leg["talk_s"], 3)
    if offer.ring and offer.queue:  # not one who was put through to him by somebody else
        w.pace(offer.queue).talked(w.at - since)
    own = agent.plan.wrap_up
    wrap_up = w.queue(offer.queue).wrap_up if own is None else own
    agent.wrap_due = w.now + wrap_up if wrap_up > 0 else None
    offers.part(w, offer)
    if offer.personal:
        w.parted.append(agent.id)  # at his phone somebody may be with another caller
    w.refresh(agent)


def end_recordings(w: World, call: Call) -> None:
    """Those of legs that passed the caller on: he is at his end, or with the next agent's recording."""
    for offer in call.recordings:
        taping.ended(w, call, offer)
    call.recordings.clear()
