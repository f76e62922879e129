"""After a lost link or a restart: end what is gone, adopt what is there, decide anew.

Everything here is idempotent, and nothing is resent: what the PBX shows is the truth, what we remember
only says what it means.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from ccbridge.core import inputs as i
from ccbridge.core import moves, offers, talks, taping
from ccbridge.core.bridges import Bridges
from ccbridge.core.calls import Call, CallState, Offer, OfferState, round_of
from ccbridge.core.effects import LookUpCustomer
from ccbridge.core.world import World

CONTEXT_IN = "ccbridge-in"
CONTEXT_HOLD = "ccbridge-hold"
CONTEXT_OFFER = "ccbridge-offer"
CONTEXT_EXIT = "ccbridge-exit"
CONTEXT_MESSAGE = "ccbridge-message"
CONTEXT_FALLBACK = "ccbridge-fallback"
UNANSWERED = (
    OfferState.PLACED, OfferState.REACHED, OfferState.DIALLED, OfferState.RINGING, OfferState.ASKED,
)  # fmt: skip
ON_THE_WAY_OUT = (CONTEXT_EXIT, CONTEXT_MESSAGE)
WITH_US = (CONTEXT_HOLD, CONTEXT_OFFER, CONTEXT_EXIT, CONTEXT_FALLBACK)


def link_up(w: World, up: i.LinkUp) -> None:
    w.link, w.link_since = True, w.now
    w.suspects = frozenset()
    places = {place.channel: place for place in up.snapshot.places}
    w.bridges = Bridges()
    w.devices = dict(up.snapshot.devices)
    for agent in w.agents.values():
        w.phone_is(agent, up.snapshot.devices.get(agent.phone, "INVALID"))
    for offer in list(w.offers.values()):
        if offer.leg and offer.leg not in places:
            offer.leg_gone = True  # its end went by unseen
            if offer.state is OfferState.OVER:
                offers.leg_off(w, offer)
    if up.snapshot.started is not None:
        _pbx_restarted(w, up.snapshot.started, places)
    w.bridges.see(places.values())
    for place in places.values():
        if is_unknown(w, place):
            adopt(w, place)
    for call in list(w.calls.values()):
        settle(w, call, places.get(call.id), places.values())
    for agent in w.agents.values():
        if agent.offer and agent.offer not in w.offers:
            w.oddity("offer_without_memory", agent=agent.id, offer=agent.offer)
            agent.offer, agent.talking = "", False
            w.refresh(agent)
    for call in w.calls.values():
        if call.e164 and not call.name:
            w.emit(LookUpCustomer(call.id, call.e164, w.plan.last_agent_days))
    taping.link_up(w)
    w.touched.update(w.lines)
    w.unstaffed.update(dict.fromkeys(w.lines))


def _pbx_restarted(w: World, started: float, places: Mapping[str, i.Place]) -> None:
    """End the calls that came before this run of the PBX, as of the last moment it was known to live.

    That it is another run is told by its start alone: so it is known also when we were away ourselves.
    """
    for call in list(w.calls.values()):
        if call.id not in places and call.arrived < started:
            w.remember_gone(call.id)
            with w.as_of(max(min(w.last_sign, started), call.answered_at or call.arrived)):
                moves.close(w, call, "pbx_restart", "system", inferred=True)


def is_unknown(w: World, place: i.Place) -> bool:
    """A caller of ours whom we do not remember: the journal is gone, or he came while we were away.

    Not while he is still at the door: his arrival comes, with his number, or he leaves unheard. Nor when he
    has left for the site's own dialplan.
    """
    ours = place.variables.get("CCB_CALL") == place.channel and place.context in WITH_US
    return ours and place.channel not in w.calls and place.channel not in w.closed


def adopt(w: World, place: i.Place) -> None:
    """Open the call of an unknown caller; where he is, ``settle`` sees to."""
    did, came = place.variables.get("CCB_DID", ""), _number(place.variables.get("CCB_CAME", ""))
    arrival = i.CallArrived(
        w.at,
        place.channel,
        did,
        place.caller_kind,
        place.e164,
        place.caller[:80],
        "",
        came or w.at - place.seconds,
    )
    moves.arrived(w, arrival, inferred=True)


def looked(w: World, call: Call, look: i.CallLooked) -> None:
    if look.place is not None and call.asked != offers.stand(w, call):
        return  # things have moved since the question was sent; the limit of the new state asks anew
    settle(w, call, look.place, None)


def settle(w: World, call: Call, place: i.Place | None, places: Iterable[i.Place] | None) -> None:
    """Bring one call to where its channel is. ``places`` is None when only this channel was looked at."""
    if place is not None:
        w.bridges.see([place, *(places or ())])
    if place is None and places is not None and call.state in (CallState.FLOW, CallState.QUEUED):
        offers.look(w, call)  # known from FastAGI: he may have come after the snapshot was taken
    elif place is None:
        vanished(w, call)
    elif places is not None and _may_have_come_since(call, place):
        offers.look(w, call)
    elif place.context == CONTEXT_HOLD:
        _found_holding(w, call, place.variables)
    elif place.context == CONTEXT_OFFER and not _passed_on(w, call):
        _found_offered(w, call, place, places)
    elif place.context == CONTEXT_FALLBACK:
        if call.state is not CallState.FALLBACK:
            _let_go(w, call)
            moves.in_fallback(w, call, i.CallInFallback(w.at, call.id))
        talks.follow(w, call)
    elif call.state is CallState.FALLBACK and place.context != CONTEXT_IN:
        moves.close(w, call, "fallback", "system", inferred=True)  # passed on by whoever answered him there
    elif place.context == CONTEXT_IN:
        if call.state not in (CallState.FLOW, CallState.QUEUED):  # the menu is left a moment after its end
            if call.state not in (CallState.OFFERED, *talks.OUT_OF_HAND, CallState.FALLBACK):
                w.oddity("back_in_menu", call=call.id, state=call.state.value)
            _let_go(w, call)  # of one who was offered: answered and passed on, all of it unseen
            w.call_state(call, CallState.FLOW)
    elif call.answered_at is not None and call.state is not CallState.FLOW:
        _found_passed_on(w, call, place, places)
    elif place.context in ON_THE_WAY_OUT or call.state is CallState.LEAVING or _due_out(w, call):
        moves.exited(w, call, i.CallExited(w.at, call.id, place.exten))
    else:
        # not by us: somebody else moved the caller away
        w.event(call, "transferred", how="unseen", target=talks.inside(w, place.exten))
        moves.close(w, call, "left", "unknown", inferred=True)


def _may_have_come_since(call: Call, place: i.Place) -> bool:
    """The snapshot shows him elsewhere than in the menu, of which FastAGI has told perhaps since."""
    in_menu = call.state in (CallState.FLOW, CallState.QUEUED) and not call.menu_end
    return call.unlinked and in_menu and place.context not in (CONTEXT_IN, CONTEXT_HOLD)


def _let_go(w: World, call: Call) -> None:
    """He is where no offer that we know of can have him; since when, nobody saw."""
    if talks.live(w, call):
        call.inferred = True
    moves.let_go(w, call)


def _passed_on(w: World, call: Call) -> bool:
    """Out of the hands of the agent to whom we gave him, wherever in the dialplan the channel stands."""
    offer = w.offers.get(call.offer)
    joined = offer is not None and not offer.ring
    return call.state is CallState.TRANSFERRED or (call.state is CallState.TALKING and joined)


def _found_passed_on(w: World, call: Call, place: i.Place, places: Iterable[i.Place] | None) -> None:
    """In the site's own dialplan, after a talk: passed on with the phone, perhaps while nobody watched."""
    known = talks.live(w, call)
    for offer in known:
        _find_leg(w, offer, places)
    talks.follow(w, call, found=True)
    for offer in known:
        _left_unseen(w, call, offer, place)
    # on his way out of the offer's context he is released, as one whom his agent left before our eyes
    if call.state is CallState.TRANSFERRED or (
        call.state is CallState.RELEASED and place.context != CONTEXT_OFFER
    ):
        w.call_state(call, CallState.TRANSFERRED)


def _find_leg(w: World, offer: Offer, places: Iterable[i.Place] | None) -> None:
    """Note the leg of an offer that talks, or that it is gone; only a snapshot of everything tells."""
    if places is None:
        return
    leg = leg_of(w, offer, places)
    if leg is None:
        offer.leg_gone = True
    elif offer.leg != leg.channel:
        offers.note_leg(w, offer, leg.channel)


def _left_unseen(w: World, call: Call, offer: Offer, place: i.Place) -> None:
    """End a talk that nobody saw end. Who is only away from the caller is asking somebody else."""
    if offer.talk_from is not None or offer.state is not OfferState.TALKING:
        return
    if offer.leg_gone and call.offer == offer.id and not offer.ring and not _in_hands(w, call, place):
        call.inferred = True
        talks.released(w, offer)  # the last one, to whom the caller had been passed on
    elif offer.leg_gone or (offer.ring and place.context != CONTEXT_OFFER):
        call.inferred = True
        talks.pass_on(w, offer, "unseen", place.exten)


def _in_hands(w: World, call: Call, place: i.Place) -> bool:
    """Parked, or with somebody: whoever has left him has passed him on."""
    return place.parked or len(w.bridges.around(call.id)) > 1


def _due_out(w: World, call: Call) -> bool:
    """On his way out anyway: by the menu's transfer, or to the overflow, perhaps sent by a former run."""
    if call.queued_at is None or call.state is CallState.FLOW:
        return True
    return w.at - call.queued_at >= w.queue(call.queue).max_wait


def vanished(w: World, call: Call) -> None:
    w.remember_gone(call.id)
    if call.state is CallState.FALLBACK:
        moves.close(w, call, "fallback", "unknown", inferred=True)
    elif call.answered_at is not None:
        moves.close(w, call, "answered", "unknown", inferred=True)
    else:
        moves.close(w, call, "lost", "unknown", inferred=True)


def _found_holding(w: World, call: Call, variables: Mapping[str, str]) -> None:
    offer = w.offers.get(call.offer)
    settled = offer is None or offer.state is OfferState.ENDING
    if settled and call.state is CallState.HOLDING:
        return
    elsewhere = (CallState.FLOW, *talks.OUT_OF_HAND, CallState.FALLBACK)
    again = call.queued_at is None or call.state in elsewhere
    if offer is not None and not settled and not again:
        w.call_state(call, CallState.RETURNING)
        moves.lose_offer(w, call, offer)
    if call.state is CallState.LEAVING:
        call.hold_off = True  # the Redirect was lost or refused: not another one at once
    if again:
        _let_go(w, call)
        queue = variables.get("CCB_QUEUE", "")
        priority = _number(variables.get("CCB_PRIORITY", ""))
        since = _number(variables.get("CCB_SINCE", ""))
        moves.queued(w, call, i.CallQueued(since or w.at, call.id, queue, int(priority)))
    w.event(call, "holding", queue=call.queue, found=True)
    w.line_up(call)


def _found_offered(w: World, call: Call, place: i.Place, places: Iterable[i.Place] | None) -> None:
    if not place.exten.startswith("o"):
        return  # in h or i, on his way out: the limit asks again
    offer = w.offers.get(call.offer)
    if offer is None or round_of(offer.id) != place.exten:
        if call.state is CallState.RELEASED or (offer is None and call.state is CallState.RETURNING):
            return  # on his way out of the offer context: the limit asks again
        _let_go(w, call)
        if not _adopt_offers(w, call, place, places):
            w.oddity("unknown_offer", call=call.id, offer=place.exten)
            w.call_state(call, CallState.RETURNING)
            return
    legs: dict[str, i.Place | None] = {}
    for one in _open_ones(w, place):
        if one.state is OfferState.PLACED:
            offers.offer_state(w, one, OfferState.REACHED)
        legs[one.id] = leg = leg_of(w, one, places) if places is not None else None
        if leg is not None and one.leg != leg.channel:
            offers.note_leg(w, one, leg.channel)
    talks.follow(w, call, found=True)
    for one in _open_ones(w, place):
        if any(legs.values()) and legs.get(one.id) is None and offers.companions(w, one):
            offers.settle_unanswered(w, one, "lost")  # the others' phones ring, or one of them has him
        else:
            _found_leg(w, call, one, place, legs.get(one.id), everything=places is not None)


def _open_ones(w: World, place: i.Place) -> list[Offer]:
    """The offers of the round in whose context the caller is."""
    return [one for one in w.rounds.get(place.exten, ()) if one.state is not OfferState.OVER]


def _found_leg(
    w: World, call: Call, offer: Offer, place: i.Place, leg: i.Place | None, *, everything: bool
) -> None:
    """``everything``: all channels were looked at, so a ``leg`` that was not seen is not there."""
    if offer.talk_from is not None:
        return
    if offer.state is OfferState.TALKING:
        # he may be asking somebody else, while the caller waits alone in the bridge
        over = not place.bridge or offer.leg_gone or (everything and leg is None)
        if over:
            call.inferred = True  # the talk was over some time ago
            if _in_hands(w, call, place):
                talks.pass_on(w, offer, "unseen", "")
            else:
                talks.released(w, offer)
    elif leg is not None and leg.up and place.bridge and offer.state in UNANSWERED:
        talks.answered(w, call, offer, True)  # and now he asks somebody else, while the caller waits
    elif leg is not None and leg.up and offer.personal and offer.state in UNANSWERED:
        if offer.state is not OfferState.ASKED:
            offers.asked(w, offer, i.LegAsked(w.at, leg.channel))
    elif leg is not None and offer.state in (OfferState.PLACED, OfferState.REACHED, OfferState.DIALLED):
        offers.offer_state(w, offer, OfferState.DIALLED)
        if not leg.up:
            # his phone may well be ringing since before we looked: do not drop the leg for silence
            offer.rang = True
            offers.offer_state(w, offer, OfferState.RINGING)
    elif everything and leg is None and place.bridge and offer.state in UNANSWERED:
        # somebody is with him: the agent has answered, and passed him on
        talks.answered(w, call, offer, True)
        talks.pass_on(w, offer, "unseen", "")
        talks.follow(w, call, found=True)
    elif everything and offer.leg_gone:
        w.arm("offer", offer.id, w.now + 2.0)  # Dial returns in a moment


def leg_of(w: World, offer: Offer, places: Iterable[i.Place]) -> i.Place | None:
    if offer.leg:  # another one on his device is another call, or how he asks somebody else
        return next((p for p in places if p.channel == offer.leg), None)
    # "" for one whom a reload has removed; the trunk's channel is anybody's, and one of this call is his
    device = "" if offer.personal else w.agents[offer.agent].phone
    return next(
        (
            p for p in places
            if p.linked == offer.call and p.channel != offer.call and device in (p.device, "")
        ),
        None,
    )  # fmt: skip


def _adopt_offers(w: World, call: Call, place: i.Place, places: Iterable[i.Place] | None) -> bool:
    """A round that the journal does not know: read agents and legs from the PBX. False: there are none."""
    found = [
        (agent, leg)
        for leg in places or ()
        if leg.linked == call.id
        and leg.channel != call.id
        and (agent := w.agent_of(leg.device)) is not None
        and not agent.offer
    ]
    if found and call.queued_at is None:
        queue = place.variables.get("CCB_QUEUE", "")
        since = _number(place.variables.get("CCB_SINCE", "")) or w.at
        moves.queued(w, call, i.CallQueued(since, call.id, queue, 0))
    recording = place.variables.get("CCB_REC", "")
    recording = recording if recording.endswith(f"-{place.exten}") else ""  # else an earlier round's
    for n, (agent, _) in enumerate(found, 1):
        name = place.exten if len(found) == 1 else f"{place.exten}.{n}"
        offer = Offer(name, call.id, agent.id, call.queue, w.at, w.queue(call.queue).ring)
        offer.recording = recording
        w.add_offer(offer)
        call.bind(offer)
        agent.offer = offer.id
        w.call_state(call, CallState.OFFERED)
        offers.offer_state(w, offer, OfferState.PLACED)
        w.event(
            call, "offered", offer=offer.id, agent=agent.id, queue=call.queue, recording=offer.recording,
            found=True,
        )  # fmt: skip
        w.refresh(agent)
    return bool(found)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0
