"""What happens to an offer: from the Redirect to the answer or the refusal, and to the end of its leg.

Actions that ``calls.OFFER_TABLE`` names. Each takes the world, the offer (or its call) and the input; it
changes state and emits effects. The talk itself stands in ``talks``, how a call moves and ends in ``moves``.
"""

from __future__ import annotations

from typing import Any

from ccbridge.core import inputs as i
from ccbridge.core import taping, why
from ccbridge.core.acd import Pair
from ccbridge.core.agents import Agent
from ccbridge.core.calls import LEASE_MARGIN, OFFER_LIMIT, Call, CallState, Offer, OfferState, round_of
from ccbridge.core.effects import DropLeg, LookAt, PlaceOffer
from ccbridge.core.world import World

DISPLAY_LENGTH = 60  # characters; longer names are cut by phones where they like
REDIRECTED = 23  # Q.850: "redirected to new destination"
# A phone's state comes 0.2 to 0.5 ms after its leg's Hangup; more than this is another call.
OWN_CALL_FADES = 1.0
# Q.850 causes of a leg that Asterisk itself hangs up: the ring time is over, withdrawn, answered elsewhere.
BY_DIAL = (0, 16, 26)

# -- placing and ringing


def place_offer(w: World, pair: Pair, **reasons: Any) -> None:
    """One Redirect, and an offer for each agent whose phone it is to ring.

    ``reasons``: why he is rung, where it is not that his turn has come.
    """
    call, plan = w.calls[pair.call], w.queue(pair.queue)
    turn, recording = w.offer_id(), ""
    if w.plan.recording and plan.recording == "always":
        recording = taping.path_of(w, call, turn)
    census = {state: count for state, count in w.census.get(call.queue, {}).items() if count}
    reasons = reasons or why.choice(w, pair)
    w.call_state(call, CallState.OFFERED)
    agents = [w.agents[name] for name in pair.agents]
    for n, agent in enumerate(agents, 1):
        offer = Offer(
            turn if len(agents) == 1 else f"{turn}.{n}", call.id, agent.id, call.queue, w.at, plan.ring
        )
        offer.recording = recording  # of the caller's channel: whoever answers is on it
        offer.personal = agent.personal
        w.add_offer(offer)
        call.bind(offer)
        agent.offer = offer.id
        call.offers += 1
        agent.turns[call.queue] = w.at
        more: dict[str, Any] = {"personal": offer.personal} if offer.personal else {}
        w.event(
            call, "offered", offer=offer.id, agent=agent.id, queue=call.queue,
            candidates=pair.candidates, agents=census, recording=recording, **more,
            **(reasons if n == 1 else {}),
        )  # fmt: skip
        w.refresh(agent)
        offer_state(w, offer, OfferState.PLACED)
    waited = max(0, int(w.at - call.since))
    display = f"{call.queue} {waited // 60}:{waited % 60:02d}"
    confirm = w.plan.confirm if any(agent.personal for agent in agents) else None
    if call.name and confirm is None:  # a customer's name is not for the networks outside
        # a long name gives way: queue and waiting time are what the agent cannot know otherwise
        display = f"{call.name[: max(0, DISPLAY_LENGTH - 3 - len(display))]} - {display}"
    devices = tuple(agent.rings for agent in agents)
    desk = agents[0].phone if confirm is not None else ""  # a personal device is rung alone
    ring = max(1, round(plan.ring))
    w.emit(PlaceOffer(call.id, turn, devices, ring, display, recording or None, confirm, desk))


def companions(w: World, offer: Offer) -> list[Offer]:
    """Of the same round, those that are still open."""
    return [
        one for one in w.rounds[round_of(offer.id)] if one is not offer and one.state is not OfferState.OVER
    ]


def offer_state(w: World, offer: Offer, state: OfferState) -> None:
    offer.state = state
    limit = OFFER_LIMIT[state]
    if state is OfferState.DIALLED and not offer.personal:
        limit = w.plan.reach_timeout
    elif state in (OfferState.DIALLED, OfferState.RINGING):  # a mobile may be looked for until the end
        limit = offer.ring + LEASE_MARGIN
    elif state is OfferState.ASKED:
        limit = w.plan.confirm.seconds + LEASE_MARGIN
    assert limit is not None
    w.arm("offer", offer.id, w.now + limit)


def offer_due(w: World, offer: Offer) -> None:
    """The offer's limit is over."""
    if offer.state is OfferState.ENDING:
        settle_by_evidence(w, offer)
    elif offer.state is OfferState.OVER:
        leg_off(w, offer)
    elif offer.state is OfferState.DIALLED and not (
        offer.personal or offer.dropped or offer.leg_gone or not w.link
    ):
        offer.dropped = True
        w.arm("offer", offer.id, w.now + LEASE_MARGIN)
        w.emit(DropLeg(offer.leg))
    elif offer.leg_gone and companions(w, offer):
        settle_unanswered(w, offer, "lost")  # Dial goes on with the others: only the leg could say why
    elif not offer.leg and any(one.leg for one in companions(w, offer)):
        settle_unanswered(w, offer, "unreachable")  # Dial has made the others' legs, and none for him
    else:
        w.arm("offer", offer.id, w.now + LEASE_MARGIN)
        look(w, w.calls[offer.call])


def reached(w: World, offer: Offer, r: i.OfferReached) -> None:
    offer_state(w, offer, OfferState.REACHED)


def dialled(w: World, offer: Offer, d: i.LegDialled) -> None:
    note_leg(w, offer, d.leg)
    w.event(w.calls[offer.call], "dialled", offer=offer.id, agent=offer.agent)
    offer_state(w, offer, OfferState.DIALLED)


def note_leg(w: World, offer: Offer, leg: str) -> None:
    """An offer has one leg; what happens to one that it had before is nothing of ours."""
    w.legs.pop(offer.leg, None)
    offer.leg = leg
    w.legs[leg] = offer


def ringing(w: World, offer: Offer, r: i.LegRinging) -> None:
    offer.rang = True
    w.event(w.calls[offer.call], "ringing", offer=offer.id, agent=offer.agent)
    offer_state(w, offer, OfferState.RINGING)


def asked(w: World, offer: Offer, a: i.LegAsked) -> None:
    """Picked up: not answered before he has pressed 1."""
    offer.asked = offer.rang = True
    w.event(w.calls[offer.call], "asked", offer=offer.id, agent=offer.agent)
    offer_state(w, offer, OfferState.ASKED)


def declined(w: World, offer: Offer, d: i.LegDeclined) -> None:
    offer.declined = True


def leg_asked_late(w: World, offer: Offer, a: i.LegAsked) -> None:
    """The caller has gone in the same moment: nobody is to be asked for him."""
    if w.link and not offer.leg_gone and offer.answered_at is None:
        w.emit(DropLeg(offer.leg))


def move_failed(w: World, offer: Offer, m: i.MoveFailed) -> None:
    """Refused or unknown: the caller may hang up this moment, or live on. Look before deciding anew."""
    offer.refused = True
    look(w, w.calls[offer.call])


# -- the end without an answer


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
        settle_by_evidence(w, offer)


def leg_gone_early(w: World, offer: Offer, g: i.ChannelGone) -> None:
    """The leg ended before Dial has told its result, which follows at once; or goes on with the others."""
    offer.leg_gone, offer.leg_cause = True, g.cause
    if (offer.dropped or g.cause not in BY_DIAL) and companions(w, offer):
        settle_by_evidence(w, offer)
    else:
        w.arm("offer", offer.id, w.now + 2.0)


def leg_gone_ending(w: World, offer: Offer, g: i.ChannelGone) -> None:
    offer.leg_gone, offer.leg_cause = True, g.cause
    settle_by_evidence(w, offer)


def verdict(offer: Offer) -> str:
    """Why an offer came to nothing, read from the agent leg's own end (Q.850 causes)."""
    cause = offer.dial_cause if offer.leg_cause is None else offer.leg_cause
    if offer.declined:
        return "refused"
    if offer.asked and offer.dial_status not in ("ANSWER", "CANCEL"):
        return "not_confirmed"  # the dialplan tells Dial that he is busy, and the leg's cause tells nothing
    if offer.dropped or not offer.leg:
        return "unreachable"
    if cause in (17, 19, 21) and offer.dial_status != "CANCEL":
        return "busy" if cause == 17 else "refused"
    if forwards(offer):
        return "refused"
    if offer.dial_status == "ANSWER" or cause in (16, 26):
        return "withdrawn"
    if offer.dial_status == "NOANSWER" and offer.rang:
        return "missed"
    return "unreachable"


def forwards(offer: Offer) -> bool:
    """His phone would have sent the caller elsewhere (302); Dial's ``i`` does not, and calls it busy."""
    if offer.asked:
        return False
    if offer.leg_cause == REDIRECTED:
        return True
    alone = offer.id == round_of(offer.id)  # else it may be a colleague's phone that was busy
    return alone and offer.dial_status == "BUSY" and offer.leg_cause not in (None, 17)


def settle_by_evidence(w: World, offer: Offer) -> None:
    settle_unanswered(w, offer, verdict(offer))


def settle_unanswered(w: World, offer: Offer, result: str) -> None:
    """An unanswered offer is over: the agent is freed or cools down, the call may go to the next one."""
    call = w.calls.get(offer.call)
    agent = w.agents[offer.agent]
    if call is not None:
        call.unbind(offer)
        more: dict[str, Any] = {"reason": "forwarded"} if result == "refused" and forwards(offer) else {}
        w.event(
            call, "offer_ended", offer=offer.id, agent=agent.id, result=result, status=offer.dial_status,
            cause=offer.dial_cause if offer.leg_cause is None else offer.leg_cause, **more,
        )  # fmt: skip
    agent.offer = ""
    w.parted.append(agent.id)
    if result == "unreachable":
        steps = w.plan.unreachable_backoff
        _cool(w, agent, steps[min(agent.dead_offers, len(steps) - 1)], "dead")
        agent.dead_offers += 1
    elif result in ("missed", "not_confirmed"):
        _cool(w, agent, w.plan.miss_cooldown, "missed")
        _missed(w, agent)
    elif result in ("refused", "busy"):
        # people let it ring before they refuse: a phone that refuses by itself is in do-not-disturb
        by_itself = not offer.rang and not forwards(offer)
        _cool(w, agent, w.plan.refuse_cooldown, "dnd" if by_itself else "refused")
    part(w, offer)
    w.refresh(agent)
    if call is not None and call.state is CallState.HOLDING:
        w.line_up(call)


def _cool(w: World, agent: Agent, seconds: float, why: str) -> None:
    if seconds > 0:
        agent.cool_due, agent.cool_why = w.now + seconds, why


def _missed(w: World, agent: Agent) -> None:
    """One more call that he has missed; so many in a row within the plan's time are a pause.

    Who has logged out while it rang has missed nothing that counts.
    """
    if not (w.plan.misses and agent.logged_in):
        return
    agent.missed = [*(at for at in agent.missed if at > w.at - w.plan.misses_within), w.at]
    if len(agent.missed) >= w.plan.misses and not agent.pause:
        agent.pause, agent.missed = w.plan.misses_reason, []
        agent.lift_due = w.now + w.plan.misses_lift if w.plan.misses_lift else None


def withdraw(w: World, call: Call, offer: Offer, result: str = "withdrawn") -> None:
    """The caller has gone, or has been answered elsewhere: Asterisk itself cancels the ringing."""
    call.unbind(offer)
    w.event(call, "offer_ended", offer=offer.id, agent=offer.agent, result=result)
    if offer.state is OfferState.ASKED and not offer.leg_gone and w.link:
        w.emit(DropLeg(offer.leg))  # Dial ends only when he has been asked
    offer_state(w, offer, OfferState.OVER)
    if offer.leg and offer.leg_gone:
        leg_off(w, offer)
    else:
        # his phone stops ringing in a moment, or the leg is still to appear: reserved until then
        w.arm("offer", offer.id, w.now + 2.0)


# -- the leg, after the offer


def part(w: World, offer: Offer) -> None:
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
    w.drop_offer(offer)
    agent = w.agents[offer.agent]
    if agent.leg == offer.id:
        agent.leg = ""
    if offer.leg:
        agent.fade_due = w.now + OWN_CALL_FADES
    if agent.offer == offer.id:  # withdrawn while the leg was still to come
        agent.offer = ""
        w.parted.append(agent.id)
    w.refresh(agent)


def leg_late(w: World, offer: Offer, d: i.LegDialled) -> None:
    """The caller went in the same moment: the leg appeared nevertheless and is being cancelled."""
    note_leg(w, offer, d.leg)


def leg_gone_over(w: World, offer: Offer, g: i.ChannelGone) -> None:
    offer.leg_gone, offer.leg_cause = True, g.cause
    leg_off(w, offer)


def offer_ignore(w: World, offer: Offer, what: Any) -> None:
    """Legal and of no consequence here."""


# -- looking


def look(w: World, call: Call, m: Any = None) -> None:
    if w.link and LookAt(call.id) not in w.out:  # several offers of a round ask as one
        call.asked = stand(w, call)
        w.emit(LookAt(call.id))


def stand(w: World, call: Call) -> tuple[str, str, str]:
    """How far call and offer have come. An answer to a question asked before that is out of date."""
    offer = w.offers.get(call.offer)
    return call.state.value, call.offer, "" if offer is None else offer.state.value
