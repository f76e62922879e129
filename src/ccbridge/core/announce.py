"""When a waiting caller's wait is reckoned, and what he is told of it.

Once when he is new in line and nobody has taken him at once, told or not: so every wait has an estimate that
the report can hold against it. Then ``first`` seconds after he was queued and each ``every`` seconds, as his
queue's ``announce`` says. Each is an ``estimated`` event, and has beside it what ``app_queue`` would have
said.

An estimate takes up to some milliseconds of the thread that routes. So none is made in a decision about
anything else, and one in each ``Tick``: those come when there is nothing else to decide.
"""

from __future__ import annotations

from ccbridge.core import estimate
from ccbridge.core.calls import Call
from ccbridge.core.effects import Announce
from ccbridge.core.world import World

MINUTE = 60.0


def due(w: World, call: Call) -> None:
    """The moment has come at which his queue tells him, should he still wait at the next ``Tick``."""
    w.untold[call.id] = None


def tell_one(w: World) -> None:
    """The first of those who are new in line, or due."""
    call = w.calls[next(iter(w.untold))]
    del w.untold[call.id]
    announce = w.queue(call.queue).announce
    _estimate(w, call, aloud=announce is not None and (call.told is not None or not announce.first))


def _estimate(w: World, call: Call, *, aloud: bool) -> None:
    place, wait = estimate.position(w, call), estimate.wait(w, call)
    waited = max(0.0, w.at - (call.queued_at or w.at))
    other = w.pace(call.queue).app_queue(waited)
    said = _said(w, call, place, wait, waited) if aloud else (0, 0)
    w.event(
        call, "estimated", queue=call.queue, position=place, wait_s=wait,
        app_queue_s=None if other is None else round(other, 1), said=list(said),
    )  # fmt: skip
    call.told = w.at
    w.tell_in_time(call)
    if any(said):
        w.emit(Announce(call.id, *said))


def _said(w: World, call: Call, place: int, wait: float | None, waited: float) -> tuple[int, int]:
    """Place and minutes as he hears them; 0 for what is not told.

    No wait under half a minute, nor one that ``max_wait`` will end before.
    """
    plan = w.queue(call.queue)
    if plan.announce is None:
        return 0, 0
    minutes = 0
    if plan.announce.wait and wait is not None and waited + wait < plan.max_wait:
        minutes = int(wait / MINUTE + 0.5)
    return place if plan.announce.position and place <= plan.announce.max_position else 0, minutes
