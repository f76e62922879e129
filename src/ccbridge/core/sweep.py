"""The live sweep: core and Asterisk compared while calls go on.

Events tell everything, so the two agree, unless an event was lost. A snapshot of a running PBX is never
quite of one moment with what we know: what it shows otherwise may be under way. So a difference counts only
when a second sweep, some seconds later, finds it again with both sides standing as they stood. Then it is
*drift*: told, counted by kind, and mended as after a lost link.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ccbridge.core import inputs as i
from ccbridge.core import offers, reconcile, talks
from ccbridge.core.bridges import Bridges
from ccbridge.core.calls import Call, CallState, Offer, OfferState, round_of
from ccbridge.core.effects import Drift, MoveOut, SweepAgain
from ccbridge.core.world import Difference, World

KINDS = (
    "call_gone",  # we have the call, Asterisk has not
    "call_unknown",  # a caller of ours in Asterisk, in the fallback queue too, of whom we do not know
    "call_misplaced",  # he is in another place than the call's state says
    "call_waits_closed",  # he holds, and his account is closed
    "leg_gone",  # an agent's leg that we know, and Asterisk has not
    "leg_unknown",  # an agent's leg in Asterisk that we do not know
    "talk_unknown",  # caller and agent (or the fallback queue's member) are in one bridge
    "talk_over",  # they are not, and we think so
    "bridge_state",  # another channel is in another bridge than we think, or has ended in one
    "device_state",  # an agent's phone
)
# Where a call's channel is in each state. RELEASED: anywhere, on its way out.
_HOME: dict[CallState, tuple[str, ...]] = {
    CallState.FLOW: (reconcile.CONTEXT_IN,),
    CallState.QUEUED: (reconcile.CONTEXT_IN,),
    CallState.HOLDING: (reconcile.CONTEXT_HOLD,),
    CallState.OFFERED: (reconcile.CONTEXT_OFFER,),
    CallState.RETURNING: (reconcile.CONTEXT_OFFER,),
    CallState.LEAVING: (reconcile.CONTEXT_HOLD,),
    CallState.FALLBACK: (reconcile.CONTEXT_FALLBACK,),
}


class Seen:
    """A snapshot, by what is looked for in it."""

    def __init__(self, snapshot: i.Snapshot) -> None:
        self.places = {place.channel: place for place in snapshot.places}
        self.devices = snapshot.devices
        self.bridges = Bridges()
        self.bridges.see(snapshot.places)
        self.linked: dict[str, list[i.Place]] = defaultdict(list)
        for place in snapshot.places:
            if place.linked != place.channel:
                self.linked[place.linked].append(place)


def swept(w: World, sweep: i.Swept) -> None:
    """Mend what this sweep and the one before it found alike; what is new waits for the next."""
    if not w.link:
        return
    seen = Seen(sweep.snapshot)
    found = set(differences(w, seen))
    drift = sorted(found & w.suspects, key=lambda one: (KINDS.index(one.kind), one.subject))
    w.suspects = frozenset(found.difference(drift))
    for one in drift:
        _mend(w, one, seen)
    if w.suspects:
        w.emit(SweepAgain())


def differences(w: World, seen: Seen) -> Iterator[Difference]:
    for call in w.calls.values():
        place = seen.places.get(call.id)
        kind = "call_gone" if place is None else _stray(w, call, place, seen)
        if kind:
            shown = () if place is None else (place.context, place.exten, place.bridge)
            yield Difference(kind, call.id, repr((*offers.stand(w, call), call.offers, *shown)))
    for offer in w.offers.values():
        if offer.leg and not offer.leg_gone and offer.leg not in seen.places:
            yield Difference("leg_gone", offer.id, offer.state.value)
    for place in seen.places.values():
        if reconcile.is_unknown(w, place):
            yield Difference("call_unknown", place.channel, place.context)
        elif (
            place.context == reconcile.CONTEXT_HOLD
            and place.channel not in w.calls  # else he is back, and this is another call of his
            and w.closed.get(place.channel, "caller") != "caller"
        ):
            yield Difference("call_waits_closed", place.channel, "")
    for channel in w.bridges.where.keys() - seen.places.keys():
        if channel not in w.calls and channel not in w.legs:  # else it has a kind of its own
            yield Difference("bridge_state", channel, repr((w.bridges.where[channel], "")))
    for place in seen.places.values():
        known = w.bridges.where.get(place.channel, "")
        if place.bridge != known and place.channel not in w.calls and place.channel not in w.legs:
            yield Difference("bridge_state", place.channel, repr((known, place.bridge)))
    for agent in w.agents.values():
        state = seen.devices.get(agent.phone, "INVALID")
        if agent.device != state:
            # a busy phone may be caught in the middle of a change twice, but not of the same one
            yield Difference("device_state", agent.id, repr((agent.device, agent.device_since, state)))


def _stray(w: World, call: Call, place: i.Place, seen: Seen) -> str:
    """How a call's channel differs from what we know; "" when it does not."""
    home = _HOME.get(call.state)
    if home is not None and place.context not in home:
        return "call_misplaced"
    if call.state is CallState.FALLBACK:
        return "talk_unknown" if place.bridge and call.answered_at is None else ""
    return next(
        (kind for offer in talks.live(w, call) if (kind := _strayed(w, call, offer, place, seen))), ""
    )


def _strayed(w: World, call: Call, offer: Offer, place: i.Place, seen: Seen) -> str:
    if call.state is CallState.OFFERED and place.exten != round_of(offer.id) and place.exten.startswith("o"):
        return "call_misplaced"
    leg = seen.places.get(offer.leg) or reconcile.leg_of(w, offer, seen.linked[call.id])
    if leg is None:
        return ""  # not there yet, or ``leg_gone`` says it
    together = leg.channel in seen.bridges.around(call.id)
    if together != (offer.talk_from is not None):
        return "talk_unknown" if together else "talk_over"
    return "" if offer.leg else "leg_unknown"


def _mend(w: World, found: Difference, seen: Seen) -> None:
    ids = {"call": found.subject}
    match found.kind:
        case "device_state":
            agent = w.agents[found.subject]
            state = seen.devices.get(agent.phone, "INVALID")
            w.emit(Drift(found.kind, {"agent": agent.id, "was": agent.device, "is": state}))
            w.devices[agent.phone] = state
            w.phone_is(agent, state)
            return
        case "leg_gone":
            offer = w.offers.get(found.subject)
            if offer is None:
                return  # it went with its call, a moment ago
            w.emit(Drift(found.kind, {"call": offer.call, "offer": offer.id, "agent": offer.agent}))
            w.bridges.leave(offer.leg)
            _leg_gone(w, offer)
            return
        case "bridge_state":
            w.emit(Drift(found.kind, {"channel": found.subject}))
            _bridge_state(w, found.subject, seen)
            return
        case "call_waits_closed":
            w.emit(Drift(found.kind, ids))
            queue = seen.places[found.subject].variables.get("CCB_QUEUE", "")
            w.emit(MoveOut(found.subject, w.queue(queue).overflow or "none"))
            return
        case "call_unknown":
            reconcile.adopt(w, seen.places[found.subject])
    call = w.calls[found.subject]
    w.emit(Drift(found.kind, ids | {"state": call.state.value}))
    if found.kind == "call_gone":
        w.bridges.leave(call.id)
        reconcile.vanished(w, call)
    elif found.kind == "talk_over":
        w.bridges.see([seen.places[call.id], *seen.linked[call.id]])
        talks.follow(w, call, found=True)
    else:
        reconcile.settle(w, call, seen.places[call.id], seen.linked[call.id])


def _bridge_state(w: World, channel: str, seen: Seen) -> None:
    """Put it where it is, and see whom of our callers that concerns."""
    before = w.bridges.around(channel)
    if channel in seen.places:
        w.bridges.see([seen.places[channel]])
    else:
        w.bridges.leave(channel)
    for one in dict.fromkeys((*before, *w.bridges.around(channel))):
        if one in w.calls:
            talks.follow(w, w.calls[one], found=True)


def _leg_gone(w: World, offer: Offer) -> None:
    """As if its end were told now, without the cause."""
    offer.leg_gone = True
    if offer.state is OfferState.TALKING:
        talks.released(w, offer)
    elif offer.state is OfferState.OVER:
        offers.leg_off(w, offer)
    elif offer.state is OfferState.ENDING:
        offers.settle_by_evidence(w, offer)
    else:
        w.arm("offer", offer.id, w.now + 2.0)  # Dial returns in a moment
