"""Ways out of a line: after some time, when it is full, when nobody is there to take calls, by a key.

Each leads to an extension of the site's, to another queue, or to a message that ends the call. Reasons:

    time     he has waited for the queue's max_wait
    full     max_waiting callers were in line before him
    nobody   none of the queue's agents is logged in
    paused   some are logged in, and all of those are paused
    draining the queue took no new callers when he came: as ``time``, and at once

``full`` is looked at once for each stint, when he begins to hold and nobody was free for him; ``nobody`` and
``paused`` whenever somebody comes into the line, or an agent of the queue changes. ``nobody`` and ``paused``
count only where the queue names a target for them.

From queue to queue a call goes at most ``HOPS`` times without an answer. Then only ``time`` counts, and leads
to the queue's extension: so no circle of queues keeps a caller for ever.
"""

from __future__ import annotations

from collections import Counter

from ccbridge.core import inputs as i
from ccbridge.core import moves, offers
from ccbridge.core.calls import Call, CallState
from ccbridge.core.effects import MoveOut, PlayOut
from ccbridge.core.flows import Ending, HangUp, ToQueue, Transfer
from ccbridge.core.plan import QueuePlan
from ccbridge.core.world import World

HOPS = 10
LATER = 1.0  # seconds until a way out is tried again that is closed at this moment
MESSAGE = "message"  # what the dialplan calls the way out by a message


def target(queue: QueuePlan, why: str) -> Ending | None:
    """Where a caller goes for this reason; None: it is no reason here."""
    extension = Transfer(queue.overflow or "none")  # the dialplan sends an unknown one to the fallback
    if why == "full" and not queue.max_waiting:
        return None
    return queue.overflow_to.get(why, extension if why in ("time", "full") else None)


def sort_out(w: World) -> None:
    """After a decision: those in line for whom a reason holds leave. The link is up."""
    for call in _too_many(w):
        _leave_if(w, call, "full")
    unstaffed, w.unstaffed = w.unstaffed, {}
    for name in unstaffed:
        queue = w.queue(name)
        if "nobody" not in queue.overflow_to and "paused" not in queue.overflow_to:
            continue
        why = absence(w, name)
        if why in queue.overflow_to:
            for place in sorted(w.in_line(name)):
                _leave_if(w, w.calls[place.call], why)


def absence(w: World, queue: str) -> str:
    """``nobody`` or ``paused`` when none of the queue's agents takes calls now or after this one; else ""."""
    here = [agent for agent in w.agents.values() if agent.logged_in and queue in agent.plan.queues]
    if not here:
        return "nobody"
    return "paused" if all(agent.pause for agent in here) else ""


def _too_many(w: World) -> list[Call]:
    """Of those who have just come those who found their queue full, in the order in which they came."""
    entered, w.entered = w.entered, {}
    full: list[Call] = []
    after: Counter[str] = Counter()  # queue -> how many came after the one who is looked at
    for call_id in reversed(entered):
        call = w.calls.get(call_id)
        if call is None:
            continue
        if moves.in_line(call) and _full(w, call, after[call.queue]):
            full.append(call)
        after[call.queue] += _counts(call)
    return full[::-1]


def _counts(call: Call) -> bool:
    """He has a place in his queue's line."""
    return call.state in (CallState.HOLDING, CallState.OFFERED, CallState.RETURNING) and not call.turned_away


def _full(w: World, call: Call, after: int) -> bool:
    """So many are in line before him. ``after``: how many of those who are there came after him."""
    most = w.queue(call.queue).max_waiting
    if not most:
        return False
    holding = sum(len(w.waiting[line]) for line in w.lines.get(call.queue, ()))
    holding += sum(w.calls[one].queue == call.queue for one in w.between)
    rung = {offer.call for offer in w.offers.values() if offer.queue == call.queue}
    ringing = sum(w.calls[one].state is CallState.OFFERED for one in rung if one in w.calls)
    return holding + ringing - _counts(call) - after >= most


def _leave_if(w: World, call: Call, why: str) -> None:
    to = target(w.queue(call.queue), why)
    if to is not None and not (isinstance(to, ToQueue) and hops(call) >= HOPS):
        leave(w, call, why, to)


def hops(call: Call) -> int:
    return sum(not stint["answered"] for stint in call.stints)


def leave(w: World, call: Call, why: str, to: Ending) -> None:
    """Take a caller who is ``moves.in_line`` out of it. To another queue he is the same call."""
    if isinstance(to, ToQueue):
        if why == "key":
            w.event(call, "left", how=why, queue=to.queue)
        else:
            w.event(call, "overflowed", reason=why, queue=to.queue)
        own = call.brought + to.priority
        moves.requeue(w, call, to.queue, why, priority=own, end="left" if why == "key" else "overflowed")
        return
    call.way_out = why
    w.call_state(call, CallState.LEAVING)
    if isinstance(to, HangUp):
        call.way_to = MESSAGE
        w.emit(PlayOut(call.id, to.prompts))
    else:
        call.way_to = to.extension
        w.emit(MoveOut(call.id, to.extension))


def key_pressed(w: World, call: Call, pressed: i.KeyPressed) -> None:
    """A key that his queue knows takes him out of the line; any other does nothing."""
    to = w.queue(call.queue).keys.get(pressed.key)
    if to is not None and w.link and moves.in_line(call):
        leave(w, call, "key", to)


def max_wait_over(w: World, call: Call, why: str) -> None:
    queue = w.queue(call.queue)
    to = target(queue, "time")
    if to is None or (isinstance(to, ToQueue) and hops(call) >= HOPS):
        to = Transfer(queue.overflow or "none")
    leave(w, call, why, to)


def call_due(w: World, call: Call) -> None:
    """The limit of the call's state is over."""
    if call.state is not CallState.HOLDING:
        w.call_state(call, call.state)  # the same state, its limit anew
        offers.look(w, call)
        return
    queued_at = call.queued_at or w.at
    if call.hold_off:
        call.hold_off = False
        w.line_up(call)
    elif call.turned_away or w.at - queued_at >= w.queue(call.queue).max_wait - 0.001:
        if w.link and moves.in_line(call):
            max_wait_over(w, call, "draining" if call.turned_away else "time")
        else:  # no link, or his last offer's result is a moment away
            if call.waits_in_line:
                w.line_up(call)  # rules relax and wishes end all the same
            w.arm("call", call.id, w.now + LATER)
    else:
        w.line_up(call)
