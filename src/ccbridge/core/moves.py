"""What happens to a call: how it arrives, waits, moves on and ends.

The actions that ``calls.CALL_TABLE`` names, with some of ``OFFER_TABLE`` that end or move a call. Each takes
the world, the call or offer concerned, and the input; it changes state and emits effects.
"""

from __future__ import annotations

from typing import Any

from ccbridge.core import inputs as i
from ccbridge.core import offers, talks, wished
from ccbridge.core.calls import Call, CallState, Offer, OfferState, round_of
from ccbridge.core.effects import Append, LookUpCustomer, TellQueue
from ccbridge.core.plan import QueuePlan
from ccbridge.core.records import (
    CallClosed,
    CallOpened,
)
from ccbridge.core.world import World

LEAST_PRIORITY, MOST_PRIORITY = -100, 100
LATE_REPORT = 5.0  # seconds by which AMI may tell later than AGI

# -- arrival and menu


def arrived(w: World, a: i.CallArrived, *, inferred: bool = False) -> Call:
    """A caller nobody knew: from the menu's door, or (inferred) found in the PBX."""
    w.arrivals += 1
    # a channel variable: what is not a moment before this one is not believed
    came = a.came if 0.0 < a.came <= a.at else a.at
    call = Call(a.call, came, a.did, a.caller_kind, w.arrivals, e164=a.e164, inferred=inferred)
    call.nth, call.unlinked = w.nth_call(a.call), not w.link
    call.looked_up = not a.e164
    w.calls[call.id] = call
    w.call_state(call, CallState.FLOW)
    w.emit(Append(CallOpened(call.account, came, a.did, a.caller_kind, a.e164, a.raw, a.name, inferred)))
    w.event(call, "arrived", at=came, did=a.did, caller_kind=a.caller_kind)
    if a.e164:
        w.emit(LookUpCustomer(call.id, a.e164, w.plan.last_agent_days))
    return call


def arrived_again(w: World, call: Call, a: i.CallArrived) -> None:
    if call.state is CallState.FLOW and call.menu_end == "transfer":
        back_already(w, call, a)
        return
    if call.state is CallState.OFFERED or (talks.live(w, call) and not w.link):
        call.inferred = True  # what became of the offer, or when the talk ended, nobody saw
    if call.state is CallState.OFFERED:
        let_go(w, call)
    talks.pass_all(w, call, a.did)
    call.unlinked = not w.link
    w.event(call, "arrived", again=True)
    w.call_state(call, CallState.FLOW)
    if a.e164 and not call.name:
        w.emit(LookUpCustomer(call.id, a.e164, w.plan.last_agent_days))


def back_already(w: World, call: Call, a: i.CallArrived) -> None:
    """His way out led to one of our numbers, whose door (AGI) was faster than the way's own report (AMI)."""
    target = a.did if call.state is CallState.FLOW else call.way_to
    exited(w, call, i.CallExited(a.at, call.id, target))
    arrived(w, a).exit_told_by = w.now + LATE_REPORT


def menu_stepped(w: World, call: Call, m: i.MenuStepped) -> None:
    more: dict[str, Any] = {"flow": m.flow} if m.flow else {}  # version 0.1.0 did not tell it
    w.event(call, "menu_step", step=m.step, result=m.result, **more)


def customer_found(w: World, call: Call, c: i.CustomerFound) -> None:
    call.name, call.language, call.looked_up = c.name, c.language, True
    known = (call.customer, call.regard, call.owner, call.last_agent)
    if c.customer is None or known == (c.customer, c.priority, c.owner, c.last_agent):
        return
    call.customer, call.owner, call.last_agent = c.customer, c.owner, c.last_agent
    regarded(w, call, c.priority)
    wished.look_at(w, call)


def regarded(w: World, call: Call, priority: int) -> None:
    """Who he is, and what his customer's own priority makes of it; in line his place may change."""
    more: dict[str, Any] = {}
    line = w.leave_line(call)
    change, call.regard = priority - call.regard, priority
    if call.queued_at is not None and change:
        call.brought += change
        call.priority = total(call.brought, w.queue(call.queue))
        more = {"priority": call.priority, "brought": call.brought}
    if priority:
        more["regard"] = priority
    if call.owner:
        more["owner"] = call.owner
    if call.last_agent:
        more["last_agent"] = call.last_agent
    w.event(call, "customer", customer=call.customer, **more)
    if line is not None:
        w.insert(call)
        w.tell_in_time(call)


def total(own: int, queue: QueuePlan) -> int:
    return max(LEAST_PRIORITY, min(MOST_PRIORITY, own + queue.priority))


def flow_ended(w: World, call: Call, f: i.FlowEnded) -> None:
    call.menu_end = f.how
    w.event(call, "menu_step", step="", result=f.how)


# -- line


def queued(w: World, call: Call, q: i.CallQueued) -> None:
    _enter_queue(w, call, q.queue, q.priority + call.regard, q.at)
    w.call_state(call, CallState.QUEUED)


def in_line(call: Call) -> bool:
    """He holds, and nothing of an offer is under way: he may be put elsewhere."""
    return call.state is CallState.HOLDING and not call.offer


def requeue(
    w: World,
    call: Call,
    queue: str,
    why: str,
    *,
    priority: int | None = None,
    end: str = "left",
    **more: Any,
) -> None:
    """Put a caller who is ``in_line`` into another queue of the plan, while the link is up.

    He stays in the hold loop, the same call with a new stint: wait, ``max_wait`` and rules of skills begin
    anew. His virtual start stays, so that he does not lose his place to those who came later. ``priority``
    is his own from now on (None: as it was); the new queue's is added. ``end`` is the disposition of the
    stay that ends here: left or overflowed. ``why`` and ``more`` stand in the event.
    """
    w.leave_line(call)
    own = call.brought if priority is None else priority
    _enter_queue(w, call, queue, own, w.at, since=call.since, end=end, why=why, **more)
    w.event(call, "holding", queue=queue)
    w.emit(TellQueue(call.id, queue, call.brought - call.regard, call.since))
    w.entered[call.id] = None
    w.line_up(call)


def _enter_queue(
    w: World,
    call: Call,
    queue: str,
    priority: int,
    at: float,
    since: float | None = None,
    end: str = "",
    **more: Any,
) -> None:
    if queue not in w.plan.queues:
        w.oddity("unknown_queue", call=call.id, queue=queue)
    if call.queued_at is not None:
        # again: a stint of its own, whose wait is counted anew
        more["stint"] = _stint(w, call) | ({"end": end} if end else {})
        call.stints.append(more["stint"])
        talks.end_recordings(w, call)
    call.answered_at = call.told = None
    call.turned_away = w.is_draining(queue)
    if call.turned_away:
        more["draining"] = True
    call.queue, call.wish = queue, None
    call.brought = priority
    call.priority = total(priority, w.queue(queue))
    call.queued_at = at
    call.since = at if since is None else since
    if call.brought != call.priority:
        more["brought"] = call.brought
    if call.since != call.queued_at:
        more["entered"] = call.queued_at
    w.event(call, "queued", queue=queue, priority=call.priority, since=call.since, **more)


def _stint(w: World, call: Call) -> dict[str, Any]:
    """His stay in the queue that he leaves for another, with what belongs to it alone."""
    assert call.queued_at is not None
    end = w.at if call.answered_at is None else call.answered_at
    return {
        "queue": call.queue,
        "answered": call.answered_at is not None,
        "wait_s": round(max(0.0, end - call.queued_at), 3),
        "talk_s": round(_sum(call, "talk_s") - sum(one["talk_s"] for one in call.stints), 3),
        "offers": call.offers - sum(one["offers"] for one in call.stints),
    }


def _sum(call: Call, part: str) -> float:
    return round(sum((float(leg[part]) for leg in call.legs), 0.0), 3)


def holding(w: World, call: Call, h: i.CallHolding) -> None:
    w.event(call, "holding", queue=call.queue)
    w.line_up(call)


def holding_unannounced(w: World, call: Call, h: i.CallHolding) -> None:
    """The channel says that its menu ended in a queue, while nobody told us: we were away just then."""
    # a channel variable: what is not a moment before this one was not written by us
    since = h.since if 0.0 < h.since <= h.at else h.at
    _enter_queue(w, call, h.queue, h.priority + call.regard, since)
    w.call_state(call, CallState.QUEUED)
    holding(w, call, h)


def holding_again(w: World, call: Call, h: i.CallHolding) -> None:
    """Put back into a queue without a menu."""
    talks.pass_all(w, call, "")
    holding_unannounced(w, call, h)


def exited(w: World, call: Call, x: i.CallExited) -> None:
    """Left our control by our own doing: overflow, or the menu's transfer."""
    due_out = call.state is CallState.LEAVING or call.menu_end == "transfer"
    if w.now < call.exit_told_by and not due_out:
        call.exit_told_by = 0.0  # that of the channel's call before this one
        return
    if call.queued_at is None or call.state is CallState.FLOW:
        w.event(call, "transferred", how="menu", target=x.target)
        close(w, call, "left" if call.answered_at is None else "answered", "system")
    else:
        let_go(w, call)
        why = call.way_out or "time"  # sent by a former run, which did not say why
        if why in ("key", "redirected"):
            w.event(call, "left", how=why, target=x.target)
        else:
            w.event(call, "overflowed", target=x.target, reason=why)
        close(w, call, "left" if why in ("key", "redirected") else "overflowed", "system")


def in_fallback(w: World, call: Call, f: i.CallInFallback) -> None:
    let_go(w, call)
    w.event(call, "in_fallback")
    w.call_state(call, CallState.FALLBACK)


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

    No wonder if the offer is older than the link: Redirect or result went with the former one. Then there
    is nothing to keep from spinning, and a pause would let the next in line overtake.
    """
    older = offer.placed <= w.at - (w.now - w.link_since)
    if not older and not offer.refused:
        w.oddity("offer_lost", call=call.id, offer=round_of(offer.id), state=offer.state.value)
    call.hold_off = not older
    for one in talks.live(w, call):
        one.leg_gone = True
    let_go(w, call)


def let_go(w: World, call: Call) -> None:
    """The caller turned up where no offer of ours can have him: whatever agent was bound is freed."""
    for offer in talks.live(w, call):
        if offer.state is OfferState.TALKING:
            talks.finish_talk(w, offer, "system")
        else:
            offers.settle_unanswered(w, offer, "lost")


# -- the end of a call


def caller_gone(w: World, call: Call, g: i.HangupAsked | i.ChannelGone) -> None:
    state = call.state
    if state is CallState.FALLBACK:
        # who hangs up is heard to ask for it first; else it was the PBX's own queue that ended the call
        close(w, call, "fallback", "caller" if isinstance(g, i.HangupAsked) else "system")
    elif call.answered_at is not None:
        hung_up = any(offer.hung_up for offer in talks.live(w, call))
        ended_by = "agent" if hung_up or state is CallState.RELEASED else "caller"
        if state is CallState.TRANSFERRED and isinstance(g, i.ChannelGone):
            # his own hanging up would have been heard before
            ended_by = "target" if call.reached else "system"
        # no such extension, or busy, or not answered: Asterisk does not tell these apart
        close(w, call, "answered", ended_by, reason="nobody_reached" if ended_by == "system" else "")
    elif state is CallState.LEAVING and call.way_out == "dropped" and isinstance(g, i.ChannelGone):
        close(w, call, "left", "system", reason="dropped")
    elif state is CallState.FLOW:
        close(w, call, "menu_ended", "system" if call.menu_end in ("hangup", "blocked") else "caller")
    else:
        # a phone took the call and hung up before any bridge: the dialplan let him go, he did not ask for it
        let_go = state is CallState.RELEASED and isinstance(g, i.ChannelGone)
        w.event(call, "abandoned", queue=call.queue, state=state.value)
        close(w, call, "abandoned", "agent" if let_go else "caller")


def caller_cut(w: World, call: Call, c: i.ChannelCut) -> None:
    """The PBX is being stopped: nobody hung up."""
    close(w, call, "pbx_restart", "system")


def close(
    w: World, call: Call, disposition: str, ended_by: str, *, inferred: bool = False, reason: str = ""
) -> None:
    """End a call: its account is written here, once, and nowhere else."""
    for offer in talks.live(w, call):
        if offer.state is OfferState.TALKING:
            talks.finish_talk(w, offer, ended_by)
        else:
            offers.withdraw(w, call, offer)
    talks.end_recordings(w, call)
    wait = None
    if call.queued_at is not None:
        end_of_wait = w.at if call.answered_at is None else call.answered_at
        wait = round(max(0.0, end_of_wait - call.queued_at), 3)
    more: dict[str, Any] = {"reason": reason} if reason else {}
    w.event(call, "ended", disposition=disposition, ended_by=ended_by, **more)
    w.emit(
        Append(
            CallClosed(
                call.account, w.at, call.arrived, call.did, call.queue or None, call.priority, call.queued_at,
                call.answered_at, call.agent or None, wait, _sum(call, "talk_s"), call.offers, call.customer,
                disposition, ended_by, inferred or call.inferred, _sum(call, "hold_s"),
                list(call.legs), list(call.stints),
            )
        )
    )  # fmt: skip
    w.forget(call, ended_by)


def ignore(w: World, call: Call, what: Any) -> None:
    """Legal and of no consequence here."""
