"""What happens to calls and offers: the actions that the tables in ``calls`` name.

Each takes the world, the call or offer concerned, and the input; it changes state and emits effects.
"""

from __future__ import annotations

import time
from typing import Any

from ccbridge.core import inputs as i
from ccbridge.core.acd import Pair
from ccbridge.core.agents import NO_PHONE, Agent
from ccbridge.core.calls import LEASE_MARGIN, OFFER_LIMIT, Call, CallState, Offer, OfferState
from ccbridge.core.effects import Append, DropLeg, LookAt, LookUpCustomer, MoveOut, PlaceOffer
from ccbridge.core.records import (
    CallClosed,
    CallOpened,
    RecordingEnded,
    RecordingStarted,
)
from ccbridge.core.world import World

# -- arrival and menu


def arrived(w: World, a: i.CallArrived, *, inferred: bool = False) -> Call:
    """A caller nobody knew: from the menu's door, or (inferred) found in the PBX."""
    w.arrivals += 1
    call = Call(a.call, a.at, a.did, a.caller_kind, w.arrivals, e164=a.e164, inferred=inferred)
    w.calls[call.id] = call
    w.call_state(call, CallState.FLOW)
    w.emit(Append(CallOpened(a.call, a.at, a.did, a.caller_kind, a.e164, a.raw, a.name, inferred)))
    data: dict[str, Any] = {"did": a.did, "caller_kind": a.caller_kind}
    if inferred:
        data["inferred"] = True
    w.event(call, "arrived", **data)
    if a.e164:
        w.emit(LookUpCustomer(call.id, a.e164))
    return call


def arrived_again(w: World, call: Call, a: i.CallArrived) -> None:
    w.event(call, "arrived", again=True)
    w.call_state(call, CallState.FLOW)
    if a.e164 and not call.name:
        w.emit(LookUpCustomer(call.id, a.e164))


def menu_stepped(w: World, call: Call, m: i.MenuStepped) -> None:
    w.event(call, "menu_step", step=m.step, result=m.result)


def customer_found(w: World, call: Call, c: i.CustomerFound) -> None:
    call.name = c.name
    if c.customer is not None and c.customer != call.customer:
        call.customer = c.customer
        w.event(call, "customer", customer=c.customer)


def flow_ended(w: World, call: Call, f: i.FlowEnded) -> None:
    w.event(call, "menu_step", step="", result=f.how)


# -- line


def queued(w: World, call: Call, q: i.CallQueued) -> None:
    _enter_queue(w, call, q.queue, q.priority, q.at)
    w.call_state(call, CallState.QUEUED)


def _enter_queue(w: World, call: Call, queue: str, priority: int, since: float) -> None:
    if queue not in w.plan.queues:
        w.oddity("unknown_queue", call=call.id, queue=queue)
    call.queue = queue
    call.priority = priority + w.queue(queue).priority
    call.since = call.queued_at = since
    w.event(call, "queued", queue=queue, priority=call.priority, since=since)


def holding(w: World, call: Call, h: i.CallHolding) -> None:
    w.event(call, "holding", queue=call.queue)
    w.line_up(call)


def holding_unannounced(w: World, call: Call, h: i.CallHolding) -> None:
    """The channel says that its menu ended in a queue, while nobody told us: we were away just then."""
    # a channel variable: what is not a moment before this one was not written by us
    since = h.since if 0.0 < h.since <= h.at else h.at
    _enter_queue(w, call, h.queue, h.priority, since)
    w.call_state(call, CallState.QUEUED)
    holding(w, call, h)


def max_wait_over(w: World, call: Call) -> None:
    target = w.queue(call.queue).overflow or "none"  # the dialplan sends an unknown one to the fallback
    w.call_state(call, CallState.LEAVING)
    w.emit(MoveOut(call.id, target))


def exited(w: World, call: Call, x: i.CallExited) -> None:
    """Left our control by our own doing: overflow, or the menu's transfer."""
    let_go(w, call)
    if call.queued_at is None:
        w.event(call, "transferred", how="menu", target=x.target)
        close(w, call, "left", "system")
    else:
        w.event(call, "overflowed", target=x.target)
        close(w, call, "overflowed", "system")


def in_fallback(w: World, call: Call, f: i.CallInFallback) -> None:
    let_go(w, call)
    w.event(call, "in_fallback")
    w.call_state(call, CallState.FALLBACK)


# -- offers


def place_offer(w: World, pair: Pair) -> None:
    call, agent = w.calls[pair.call], w.agents[pair.agent]
    plan = w.queue(pair.queue)
    w.offers_made += 1
    offer = Offer(f"o{w.run}x{w.offers_made}", call.id, agent.id, call.queue, w.at, plan.ring)
    if w.plan.recording:
        offer.recording = f"{time.strftime('%Y/%m/%d', time.gmtime(w.at))}/{call.id}-{offer.id}"
    census = {state: count for state, count in w.census[call.queue].items() if count}
    w.call_state(call, CallState.OFFERED)
    call.offer, agent.offer = offer.id, offer.id
    call.offers += 1
    w.offers[offer.id] = offer
    w.event(
        call, "offered", offer=offer.id, agent=agent.id, queue=call.queue,
        candidates=pair.candidates, agents=census, recording=offer.recording,
    )  # fmt: skip
    w.refresh(agent)
    offer_state(w, offer, OfferState.PLACED)
    waited = max(0, int(w.at - call.since))
    display = f"{call.queue} {waited // 60}:{waited % 60:02d}"
    if call.name:
        display = f"{call.name} - {display}"
    w.emit(
        PlaceOffer(
            call.id, offer.id, agent.plan.device, max(1, round(plan.ring)), display, offer.recording or None
        )
    )


def offer_state(w: World, offer: Offer, state: OfferState) -> None:
    offer.state = state
    limit = OFFER_LIMIT[state]
    if state is OfferState.DIALLED:
        limit = w.plan.reach_timeout
    elif state is OfferState.RINGING:
        limit = offer.ring + LEASE_MARGIN
    assert limit is not None
    w.arm("offer", offer.id, w.now + limit)


def offer_due(w: World, offer: Offer) -> None:
    """The offer's limit is over."""
    if offer.state is OfferState.ENDING:
        _settle_by_evidence(w, offer)
    elif offer.state is OfferState.OVER:
        leg_off(w, offer)
    elif offer.state is OfferState.DIALLED and not offer.dropped and not offer.leg_gone and w.link:
        offer.dropped = True
        w.arm("offer", offer.id, w.now + LEASE_MARGIN)
        w.emit(DropLeg(offer.leg))
    else:
        w.arm("offer", offer.id, w.now + LEASE_MARGIN)
        look(w, w.calls[offer.call])


def reached(w: World, offer: Offer, r: i.OfferReached) -> None:
    offer_state(w, offer, OfferState.REACHED)


def dialled(w: World, offer: Offer, d: i.LegDialled) -> None:
    _note_leg(w, offer, d.leg)
    w.event(w.calls[offer.call], "dialled", offer=offer.id, agent=offer.agent)
    offer_state(w, offer, OfferState.DIALLED)


def _note_leg(w: World, offer: Offer, leg: str) -> None:
    offer.leg = leg
    w.legs[leg] = offer


def ringing(w: World, offer: Offer, r: i.LegRinging) -> None:
    offer.rang = True
    w.event(w.calls[offer.call], "ringing", offer=offer.id, agent=offer.agent)
    offer_state(w, offer, OfferState.RINGING)


def leg_bridged(w: World, offer: Offer, b: i.BridgeEntered) -> None:
    offer.bridge = b.bridge
    _talk_if_together(w, offer)


def leg_unbridged(w: World, offer: Offer, b: i.BridgeLeft) -> None:
    _stop_talk(w, offer)
    offer.bridge = ""


def caller_bridged(w: World, call: Call, b: i.BridgeEntered) -> None:
    call.bridge = b.bridge
    if call.offer:
        _talk_if_together(w, w.offers[call.offer])


def caller_unbridged(w: World, call: Call, b: i.BridgeLeft) -> None:
    if call.offer:
        _stop_talk(w, w.offers[call.offer])
    call.bridge = ""


def _talk_if_together(w: World, offer: Offer) -> None:
    """Talking is both legs in one bridge, never DialEnd alone."""
    call = w.calls.get(offer.call)
    if call is None or not offer.bridge or offer.bridge != call.bridge or offer.talk_from is not None:
        return
    offer.talk_from = w.at
    if offer.state is OfferState.TALKING:
        return
    agent = w.agents[offer.agent]
    offer_state(w, offer, OfferState.TALKING)
    w.call_state(call, CallState.TALKING)
    if call.answered_at is None:
        call.answered_at = w.at
    call.agent = agent.id
    agent.talking = True
    agent.dead_offers = 0
    w.event(call, "answered", offer=offer.id, agent=agent.id, queue=call.queue)
    if offer.recording:
        w.emit(Append(RecordingStarted(call.id, offer.id, agent.id, w.at, offer.recording)))
    w.refresh(agent)


def _stop_talk(w: World, offer: Offer) -> None:
    if offer.talk_from is not None:
        call = w.calls.get(offer.call)
        if call is not None:
            call.talk += max(0.0, w.at - offer.talk_from)
        offer.talk_from = None


def held(w: World, offer: Offer, h: i.LegHeld) -> None:
    w.event(w.calls[offer.call], "held", offer=offer.id, agent=offer.agent)


def resumed(w: World, offer: Offer, h: i.LegResumed) -> None:
    w.event(w.calls[offer.call], "resumed", offer=offer.id, agent=offer.agent)


# -- an offer's end without an answer


def dial_returned(w: World, offer: Offer, e: i.OfferEnded) -> None:
    call = w.calls[offer.call]
    offer.dial_status, offer.dial_cause = e.status, e.cause
    if e.status == "ANSWER":
        # answered and gone within a breath, before any bridge: the dialplan lets the caller go
        w.call_state(call, CallState.RELEASED)
    else:
        w.call_state(call, CallState.RETURNING)
    if offer.leg and not offer.leg_gone:
        offer_state(w, offer, OfferState.ENDING)
    else:
        _settle_by_evidence(w, offer)


def leg_gone_early(w: World, offer: Offer, g: i.ChannelGone) -> None:
    """The leg ended before Dial has told its result, which follows at once."""
    offer.leg_gone, offer.leg_cause = True, g.cause
    w.arm("offer", offer.id, w.now + 2.0)


def leg_gone_ending(w: World, offer: Offer, g: i.ChannelGone) -> None:
    offer.leg_gone, offer.leg_cause = True, g.cause
    _settle_by_evidence(w, offer)


def verdict(offer: Offer) -> str:
    """Why an offer came to nothing, read from the agent leg's own end (Q.850 causes)."""
    cause = offer.dial_cause if offer.leg_cause is None else offer.leg_cause
    if offer.dropped or not offer.leg:
        return "unreachable"
    if cause in (17, 19, 21) and offer.dial_status != "CANCEL":
        return "busy" if cause == 17 else "refused"
    if offer.dial_status == "ANSWER" or cause in (16, 26):
        return "withdrawn"
    if offer.dial_status == "NOANSWER" and offer.rang:
        return "missed"
    return "unreachable"


def _settle_by_evidence(w: World, offer: Offer) -> None:
    _settle(w, offer, verdict(offer))


def _settle(w: World, offer: Offer, result: str) -> None:
    """An unanswered offer is over: the agent is freed or cools down, the call may go to the next one."""
    call = w.calls.get(offer.call)
    agent = w.agents[offer.agent]
    if call is not None:
        call.offer = ""
        w.event(
            call, "offer_ended", offer=offer.id, agent=agent.id, result=result,
            status=offer.dial_status, cause=offer.dial_cause if offer.leg_cause is None else offer.leg_cause,
        )  # fmt: skip
    agent.offer = ""
    if result == "unreachable":
        steps = w.plan.unreachable_backoff
        _cool(w, agent, steps[min(agent.dead_offers, len(steps) - 1)], "dead")
        agent.dead_offers += 1
    elif result == "missed":
        _cool(w, agent, w.plan.miss_cooldown, "missed")
    elif result in ("refused", "busy"):
        _cool(w, agent, w.plan.refuse_cooldown, "refused")
    _part(w, offer)
    w.refresh(agent)
    if call is not None and call.state is CallState.HOLDING:
        w.line_up(call)


def _cool(w: World, agent: Agent, seconds: float, why: str) -> None:
    if seconds > 0:
        agent.cool_due, agent.cool_why = w.now + seconds, why


def _part(w: World, offer: Offer) -> None:
    """The offer no longer binds call or agent; it stays only while its leg is on the line."""
    agent = w.agents[offer.agent]
    if offer.leg and not offer.leg_gone:
        agent.leg = offer.id
        offer_state(w, offer, OfferState.OVER)
    else:
        leg_off(w, offer)


def leg_off(w: World, offer: Offer) -> None:
    w.arm("offer", offer.id, None)
    w.legs.pop(offer.leg, None)
    w.offers.pop(offer.id, None)
    w.remember_closed(offer.id)
    agent = w.agents[offer.agent]
    if agent.leg == offer.id:
        agent.leg = ""
    if agent.offer == offer.id:  # withdrawn while the leg was still to come
        agent.offer = ""
    w.refresh(agent)


def leg_late(w: World, offer: Offer, d: i.LegDialled) -> None:
    """The caller went in the same moment: the leg appeared nevertheless and is being cancelled."""
    _note_leg(w, offer, d.leg)


def leg_gone_over(w: World, offer: Offer, g: i.ChannelGone) -> None:
    offer.leg_gone, offer.leg_cause = True, g.cause
    leg_off(w, offer)


def move_failed(w: World, offer: Offer, m: i.MoveFailed) -> None:
    """Refused or unknown: the caller may hang up this moment, or live on. Look before deciding anew."""
    offer.refused = True
    look(w, w.calls[offer.call])


def offer_bounced(w: World, call: Call, h: i.CallHolding) -> None:
    """Back in the hold loop without a result of the offer."""
    offer = w.offers[call.offer]
    if offer.state is OfferState.PLACED:
        # nobody comes back who was not there: this tells of the hold that a look or the snapshot had shown
        # already. Lost he may be nevertheless; a second Redirect now could meet the first.
        return
    w.call_state(call, CallState.RETURNING)
    lose_offer(w, call, offer)
    holding(w, call, h)


def lose_offer(w: World, call: Call, offer: Offer) -> None:
    """The Redirect went astray. Not the agent's doing; a pause of a second keeps this from spinning.

    No wonder if the offer is older than the link: Redirect or result went with the former one.
    """
    older = offer.placed <= w.at - (w.now - w.link_since)
    if not older and not offer.refused:
        w.oddity("offer_lost", call=call.id, offer=offer.id, state=offer.state.value)
    call.hold_off = True
    offer.leg_gone = True
    let_go(w, call)


def let_go(w: World, call: Call) -> None:
    """The caller turned up where no offer of ours can have him: whatever agent was bound is freed."""
    if not call.offer:
        return
    offer = w.offers[call.offer]
    if offer.state is OfferState.TALKING:
        finish_talk(w, offer)
    else:
        _settle(w, offer, "lost")


# -- phones


def phone_is(w: World, agent: Agent, state: str) -> None:
    """The agent's device is in this state now."""
    was, agent.device = agent.device, state
    if was in NO_PHONE and state not in NO_PHONE:
        phone_back(w, agent)
    w.refresh(agent)


def phone_back(w: World, agent: Agent) -> None:
    """A sign of life from the phone itself lifts the back-off for dead phones, and only that."""
    if agent.cool_why == "dead":
        agent.cool_due = None
    agent.dead_offers = 0
    w.refresh(agent)


# -- the end of a talk


def talk_returned(w: World, offer: Offer, e: i.OfferEnded) -> None:
    """Dial has returned after a talk: the agent has left, the caller is still there."""
    released(w, offer)


def leg_gone_talking(w: World, offer: Offer, g: i.ChannelGone) -> None:
    offer.leg_gone, offer.leg_cause = True, g.cause
    released(w, offer)


def released(w: World, offer: Offer) -> None:
    call = w.calls[offer.call]
    finish_talk(w, offer)
    w.call_state(call, CallState.RELEASED)


def finish_talk(w: World, offer: Offer) -> None:
    """The talk on this leg is over: recording closed, agent in wrap-up, leg perhaps still on the line."""
    _stop_talk(w, offer)
    agent = w.agents[offer.agent]
    call = w.calls.get(offer.call)
    if call is not None:
        call.offer = ""
        w.event(call, "offer_ended", offer=offer.id, agent=agent.id, result="talked")
    if offer.recording:
        w.emit(Append(RecordingEnded(offer.call, offer.id, w.at, answered=True)))
    agent.offer, agent.talking = "", False
    agent.last_call, agent.last_offer = offer.call, offer.id
    wrap_up = w.queue(offer.queue).wrap_up
    agent.wrap_due = w.now + wrap_up if wrap_up > 0 else None
    _part(w, offer)
    w.refresh(agent)


def transferred(w: World, offer: Offer, t: i.ChannelTransferred) -> None:
    """The agent has passed the caller on with his phone: closed honestly, and he is free of him."""
    call = w.calls[offer.call]
    w.event(call, "transferred", how=t.kind, target=t.target, agent=offer.agent)
    close(w, call, "answered", "agent")


# -- the end of a call


def caller_gone(w: World, call: Call, g: i.HangupAsked | i.ChannelGone) -> None:
    state = call.state
    if state is CallState.FALLBACK:
        close(w, call, "fallback", "caller")
    elif call.answered_at is not None:
        close(w, call, "answered", "agent" if state is CallState.RELEASED else "caller")
    elif state is CallState.FLOW:
        close(w, call, "menu_ended", "caller")
    else:
        w.event(call, "abandoned", queue=call.queue, state=state.value)
        close(w, call, "abandoned", "caller")


def close(w: World, call: Call, disposition: str, ended_by: str, *, inferred: bool = False) -> None:
    """End a call: its account is written here, once, and nowhere else."""
    if call.offer:
        offer = w.offers[call.offer]
        if offer.state is OfferState.TALKING:
            finish_talk(w, offer)
        else:
            _withdraw(w, call, offer)
    wait = None
    if call.queued_at is not None:
        end_of_wait = w.at if call.answered_at is None else call.answered_at
        wait = round(max(0.0, end_of_wait - call.queued_at), 3)
    w.event(call, "ended", disposition=disposition, ended_by=ended_by)
    w.emit(
        Append(
            CallClosed(
                call.id, w.at, call.arrived, call.did, call.queue or None, call.priority, call.queued_at,
                call.answered_at, call.agent or None, wait, round(call.talk, 3), call.offers, call.customer,
                disposition, ended_by, inferred or call.inferred,
            )
        )
    )  # fmt: skip
    w.forget(call, ended_by)


def _withdraw(w: World, call: Call, offer: Offer) -> None:
    """The caller has gone while an agent was being rung: Asterisk itself cancels the ringing."""
    agent = w.agents[offer.agent]
    call.offer = ""
    w.event(call, "offer_ended", offer=offer.id, agent=agent.id, result="withdrawn")
    offer_state(w, offer, OfferState.OVER)
    if offer.leg and offer.leg_gone:
        leg_off(w, offer)
    else:
        # his phone stops ringing in a moment, or the leg is still to appear: reserved until then
        w.arm("offer", offer.id, w.now + 2.0)


# -- looking


def look(w: World, call: Call, m: Any = None) -> None:
    if w.link:
        call.asked = stand(w, call)
        w.emit(LookAt(call.id))


def stand(w: World, call: Call) -> tuple[str, str, str]:
    """How far call and offer have come. An answer to a question asked before that is out of date."""
    offer = w.offers.get(call.offer)
    return call.state.value, call.offer, "" if offer is None else offer.state.value


def call_due(w: World, call: Call) -> None:
    if call.state is not CallState.HOLDING:
        w.call_state(call, call.state)  # the same state, its limit anew
        look(w, call)
        return
    queued_at = call.queued_at or w.at
    if w.at - queued_at >= w.queue(call.queue).max_wait - 0.001:
        if w.link and not call.offer:
            max_wait_over(w, call)
        else:  # no link, or his last offer's result is a moment away
            w.arm("call", call.id, w.now + 1.0)
    else:
        call.hold_off = False
        w.line_up(call)


def ignore(w: World, call: Call, what: Any) -> None:
    """Legal and of no consequence here."""


def offer_ignore(w: World, offer: Offer, what: Any) -> None:
    """Legal and of no consequence here."""
