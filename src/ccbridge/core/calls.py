"""Calls and offers: their states, and the table of what may happen in each.

Theory
------
A *call* is a caller's channel from its arrival to its end. It is always in one of these places:

    FLOW       in the menu, over FastAGI
    QUEUED     the menu has ended in a queue; the hold loop has not reported yet
    HOLDING    in the hold loop: can be given to an agent
    OFFERED    under way to an agent, from the Redirect to the answer
    RETURNING  an offer has failed; the hold loop has not reported yet
    TALKING    with an agent
    RELEASED   the agent has hung up, perhaps before they were connected; the caller's channel is about to end
    TRANSFERRED  passed on by the agent: parked, ringing somewhere, or with somebody who is no agent of ours
    LEAVING    under way out of his queue, to an extension or a message
    FALLBACK   in the PBX's own fallback queue: ours to watch, never to redirect

An *offer* is one attempt to give a call to an agent; it lives on its own because its end and the call's
come in either order, and because the agent's leg may outlive both:

    PLACED     Redirect sent; "Success" means queued, not done
    REACHED    the offer context has reported
    DIALLED    the agent's leg exists: that is not ringing yet (a dead phone gets this far)
    RINGING    his phone rings
    ASKED      his personal device was picked up, perhaps by a voicemail: who has it is asked to press 1,
               and the caller still hears that it rings
    TALKING    both legs entered one bridge
    ENDING     Dial has returned unanswered; the leg's own Hangup, which says why, is still to come
    OVER       nothing left to decide; the leg is still on the line, or may yet appear

The caller hanging up ends the call in every state, at once. Every state waits for something, so every
state has a limit; on expiry we *look* where the channel is and decide anew, we never act blindly. The only
exceptions act by design: HOLDING (max_wait: move out) and DIALLED (a phone that does not ring: drop the leg).

A pair (state, input) without a cell is an ``Oddity``: reported with ids, counted, the state unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ccbridge.core import inputs as i
from ccbridge.core.inputs import Asked


class CallState(Enum):
    FLOW = "menu"
    QUEUED = "queued"
    HOLDING = "holding"
    OFFERED = "offered"
    RETURNING = "returning"
    TALKING = "talking"
    RELEASED = "released"
    TRANSFERRED = "transferred"
    LEAVING = "leaving"
    FALLBACK = "fallback"


class OfferState(Enum):
    PLACED = "placed"
    REACHED = "reached"
    DIALLED = "dialled"
    RINGING = "ringing"
    ASKED = "asked"
    TALKING = "talking"
    ENDING = "ending"
    OVER = "over"


def account_id(channel: str, nth: int) -> str:
    """The id of a channel's n-th call: most have one. No uniqueid ends like this: see ``channel_of``."""
    return channel if nth == 1 else f"{channel}~{nth}"


def round_of(offer: str) -> str:
    """The Redirect that an offer belongs to: its own, or the one that rings several agents at once.

    The offers of a round have its id with ``.1``, ``.2`` ...; the dialplan knows only the round.
    """
    return offer.partition(".")[0]


def channel_of(account: str) -> tuple[str, int]:
    """The caller's channel, and which of its calls this is."""
    channel, _, nth = account.rpartition("~")
    return (channel, int(nth)) if channel and nth.isdecimal() else (account, 1)


@dataclass(frozen=True, slots=True)
class Wish:
    """A caller in line waits for this agent alone: see ``core.wished``."""

    agent: str
    why: str  # owner | last_agent
    until: float  # epoch seconds


@dataclass(frozen=True, slots=True)
class Silence:
    """The pause of a recording: see ``core.taping``."""

    recording: str
    since: float  # epoch seconds
    until: float  # ... by itself, at the latest
    asked: Asked


@dataclass(slots=True)
class Call:
    id: str  # of the caller's channel, which has one call at a time
    arrived: float
    did: str
    caller_kind: str
    number: int  # order of arrival here: breaks ties in the line
    e164: str | None = None
    state: CallState = CallState.FLOW
    queue: str = ""
    rule: int = 0  # of his queue's rules: the one in force while he is in line
    brought: int = 0  # his own priority, to which each queue adds its own
    regard: int = 0  # for his customer's sake: a part of what he brings
    priority: int = 0  # the sum, within -100..100
    since: float = 0.0  # virtual start: he may have brought it from another queue
    queued_at: float | None = None  # start of his stay in this queue
    answered_at: float | None = None
    told: float | None = None  # when his wait was reckoned last in this stay
    agent: str = ""  # the last one who talked with him
    offers: int = 0
    offer: str = ""
    # offers beside it: of colleagues who are rung with him, or who still talk
    others: list[str] = field(default_factory=list)
    legs: list[dict[str, Any]] = field(default_factory=list)  # accounts of the talks that are over
    stints: list[dict[str, Any]] = field(default_factory=list)  # his former stays in queues
    recordings: list[str] = field(default_factory=list)  # offers whose recording outlives their leg
    silence: Silence | None = None  # the pause of the one that runs
    silences: list[dict[str, Any]] = field(default_factory=list)  # ... of all, that are over
    reached: bool = True  # passed on: somebody was there
    unlinked: bool = False  # his menu began while there was no link: a snapshot may be older
    menu_end: str = ""  # once the menu is over without a queue: transfer, hangup
    exit_told_by: float = 0.0  # loop's clock: the way out that led here may still be told until then
    customer: int | None = None
    owner: str = ""  # the customer's own agent
    last_agent: str = ""  # who talked with the customer last
    wish: Wish | None = None  # while he is in line: for whom he waits, if not for anybody
    name: str = ""  # the customer's: for the phone's display only, never in an event
    language: str = ""  # the customer's: for his flow only
    looked_up: bool = False  # whoever he is: it was asked, or there is no number to ask with
    way_out: str = ""  # under way out of his queue: why, as in ``overflow``, and where to
    way_to: str = ""
    turned_away: bool = False  # his queue was draining when he came
    hold_off: bool = False  # the last Redirect was lost: not moved again before a second has passed
    nth: int = 1  # of the channel's calls: who comes back to our numbers after the end of one is a new call
    asked: tuple[str, str, str] | None = None  # what we knew when we last asked where the channel is
    inferred: bool = False
    inferred_told: bool = False  # an event says so: a restart must know

    @property
    def account(self) -> str:
        """Its id in all records, and for people."""
        return account_id(self.id, self.nth)

    @property
    def waits_in_line(self) -> bool:
        """He holds, and nothing stands against offering him."""
        return self.state is CallState.HOLDING and not (self.hold_off or self.offer or self.turned_away)

    @property
    def between_offers(self) -> bool:
        """He has his place in line, and may not be offered at this moment: an offer has just failed."""
        if self.state is CallState.RETURNING:
            return True
        return self.state is CallState.HOLDING and not (self.turned_away or self.waits_in_line)

    def bind(self, offer: Offer) -> None:
        """This offer is the call's now; what was stands beside it."""
        if offer.id in self.others:
            self.others.remove(offer.id)
        if self.offer and self.offer != offer.id:
            self.others.append(self.offer)
        self.offer = offer.id

    def unbind(self, offer: Offer) -> None:
        """This offer is over; another beside it, if any, is the call's now."""
        if self.offer == offer.id:
            self.offer = self.others.pop() if self.others else ""
        elif offer.id in self.others:
            self.others.remove(offer.id)


@dataclass(slots=True)
class Offer:
    id: str
    call: str
    agent: str
    queue: str
    placed: float
    ring: float
    state: OfferState = OfferState.PLACED
    leg: str = ""
    leg_cause: int | None = None
    leg_gone: bool = False
    rang: bool = False
    answered_at: float | None = None
    talk_from: float | None = None  # start of the open stretch in one bridge
    talk: float = 0.0  # seconds in one bridge before that, hold subtracted
    held: bool = False
    hung_up: bool = False  # the agent was heard to
    dial_status: str = ""
    dial_cause: int = 0
    dropped: bool = False  # we hung the leg up because it did not ring
    personal: str = ""  # which of his personal devices it rings; "": his phone
    asked: bool = False  # it was picked up, and who did so was asked to press 1
    declined: bool = False  # ... and pressed another key
    refused: bool = False  # the Redirect: its caller is hanging up, mostly
    recording: str = ""
    taped: str = ""  # asked for on demand: its path


# What may happen, and the name of the action that follows: see ``moves``, ``offers`` and ``reconcile``.
# A change of a bridge is not here: ``talks.follow`` looks who is with the caller, whatever the state.
CALL_TABLE: dict[CallState, dict[type, str]] = {
    CallState.FLOW: {
        i.CallArrived: "arrived_again",  # the daemon was away: he is asked anew; or a transfer led here
        i.MenuStepped: "menu_stepped",
        i.CallQueued: "queued",
        i.FlowEnded: "flow_ended",
        i.CallHolding: "holding_unannounced",
        i.CallExited: "exited",
    },
    CallState.QUEUED: {
        i.CallHolding: "holding",
        i.FlowEnded: "ignore",
        i.CallExited: "exited",
    },
    CallState.HOLDING: {
        i.CallHolding: "ignore",  # a look or the snapshot was faster
        i.KeyPressed: "key_pressed",
        i.CallExited: "exited",
        i.FlowEnded: "ignore",
    },
    CallState.OFFERED: {
        i.CallHolding: "offer_bounced",
        i.CallExited: "exited",
        i.CallArrived: "arrived_again",  # answered, and passed on to one of our numbers: AMI is late, or away
    },
    CallState.RETURNING: {
        i.CallHolding: "holding",
    },
    CallState.TALKING: {},
    CallState.RELEASED: {},
    CallState.TRANSFERRED: {},
    CallState.LEAVING: {
        i.CallArrived: "back_already",  # the overflow is one of our numbers
        i.CallHolding: "ignore",  # the Redirect went astray, or a look was faster: the limit asks
        i.CallExited: "exited",
        i.MoveFailed: "look",
    },
    CallState.FALLBACK: {
        i.CallInFallback: "ignore",
        # what a menu has still to say that a frozen daemon wakes up with
        i.MenuStepped: "ignore",
        i.CallQueued: "ignore",
        i.FlowEnded: "ignore",
        i.CallArrived: "arrived_again",  # passed on to one of our numbers by whoever answered him there
        i.CallHolding: "look",  # or straight into the hold loop; or this is told late, and he may be talking
    },
}
for _state in (CallState.TALKING, CallState.RELEASED, CallState.TRANSFERRED):
    CALL_TABLE[_state] |= {
        i.CallParked: "parked",
        i.CallArrived: "arrived_again",  # passed on to one of our own numbers
        i.CallHolding: "holding_again",  # or straight into the hold loop
        i.CallExited: "ignore",  # by the way out to the site's own extensions
    }
for _cells in CALL_TABLE.values():
    _cells[i.HangupAsked] = "caller_gone"
    _cells[i.ChannelGone] = "caller_gone"
    _cells[i.ChannelCut] = "caller_cut"
    _cells.setdefault(i.CallInFallback, "in_fallback")
    _cells.setdefault(i.KeyPressed, "ignore")  # he has left the line in the same moment
    _cells[i.CustomerFound] = "customer_found"
    _cells[i.CallLooked] = "looked"
    _cells[i.ChannelTransferred] = "ignore"  # the caller passes our agent on: his own end follows

OFFER_TABLE: dict[OfferState, dict[type, str]] = {
    OfferState.PLACED: {
        i.OfferReached: "reached",
        i.LegDialled: "dialled",
        i.OfferEnded: "dial_returned",
        i.MoveFailed: "move_failed",
    },
    OfferState.REACHED: {
        i.LegDialled: "dialled",
        i.OfferEnded: "dial_returned",
        i.MoveFailed: "offer_ignore",  # the answer was late or lost: the Redirect has worked
        i.OfferReached: "offer_ignore",  # a look was faster
    },
    OfferState.DIALLED: {
        i.LegRinging: "ringing",
        i.LegAsked: "asked",
        i.LegHeld: "held",
        i.LegResumed: "resumed",
        i.OfferEnded: "dial_returned",
        i.HangupAsked: "offer_ignore",
        i.ChannelGone: "leg_gone_early",
    },
    OfferState.RINGING: {
        i.LegRinging: "offer_ignore",
        i.LegAsked: "asked",
        i.LegHeld: "held",
        i.LegResumed: "resumed",
        i.OfferEnded: "dial_returned",
        i.HangupAsked: "offer_ignore",
        i.ChannelGone: "leg_gone_early",
    },
    OfferState.ASKED: {
        i.LegRinging: "offer_ignore",
        i.LegAsked: "offer_ignore",  # a look was faster
        i.LegDeclined: "declined",
        i.LegHeld: "held",
        i.LegResumed: "resumed",
        i.OfferEnded: "dial_returned",
        i.HangupAsked: "offer_ignore",
        i.ChannelGone: "leg_gone_early",
    },
    OfferState.TALKING: {
        i.LegRinging: "offer_ignore",
        i.LegAsked: "offer_ignore",
        i.LegHeld: "held",
        i.LegResumed: "resumed",
        i.LegTaken: "taken_over",
        i.ChannelTransferred: "transferred",
        i.OfferEnded: "talk_returned",
        i.HangupAsked: "hanging_up",
        i.ChannelGone: "leg_gone_talking",
    },
    OfferState.ENDING: {
        i.LegRinging: "offer_ignore",
        i.LegAsked: "offer_ignore",
        i.LegDeclined: "offer_ignore",
        i.HangupAsked: "offer_ignore",
        i.ChannelGone: "leg_gone_ending",
    },
    OfferState.OVER: {
        i.OfferReached: "offer_ignore",
        i.LegDialled: "leg_late",
        i.LegRinging: "offer_ignore",
        i.LegAsked: "leg_asked_late",
        i.LegDeclined: "offer_ignore",
        i.OfferEnded: "offer_ignore",
        i.MoveFailed: "offer_ignore",
        i.LegHeld: "offer_ignore",
        i.LegResumed: "offer_ignore",
        i.LegTaken: "offer_ignore",
        i.ChannelTransferred: "offer_ignore",
        i.HangupAsked: "offer_ignore",
        i.ChannelGone: "leg_gone_over",
    },
}

# How long each state may last, in seconds, before we look. None: see the theory above, and below.
CALL_LIMIT: dict[CallState, float | None] = {
    CallState.FLOW: 1800.0,
    CallState.QUEUED: 15.0,
    CallState.HOLDING: None,  # the queue's max_wait
    CallState.OFFERED: None,  # its offer's
    CallState.RETURNING: 5.0,
    CallState.TALKING: None,  # its offer's
    CallState.RELEASED: 30.0,
    CallState.TRANSFERRED: 300.0,
    CallState.LEAVING: 5.0,
    CallState.FALLBACK: 300.0,
}
OFFER_LIMIT: dict[OfferState, float | None] = {
    OfferState.PLACED: 3.0,
    OfferState.REACHED: 3.0,
    OfferState.DIALLED: None,  # the plan's reach_timeout, then the lease
    OfferState.RINGING: None,  # the lease: the queue's ring time plus LEASE_MARGIN
    OfferState.ASKED: None,  # the plan's time to press 1 plus LEASE_MARGIN
    OfferState.TALKING: 3600.0,
    OfferState.ENDING: 1.0,
    OfferState.OVER: 60.0,  # the outcome prompt of the dialplan is over long before
}
# The ring time-out is Dial's alone; the lease is longer, so that the two never race.
LEASE_MARGIN = 5.0
