"""What the switchboard looks like at this moment, as JSON-ready dicts. Reads, and changes nothing.

``at`` is epoch seconds and ``now`` the monotonic clock that the switchboard is driven with. Keys that end
in ``_s`` are seconds; moments are ISO 8601 in UTC. None where there is nothing to say. The rows hold
callers' names and numbers: they are for people at work, never for the journal or a log.

Cost: one pass over the live calls for each function, over all agents for those about agents.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from ccbridge.core import estimate, talks
from ccbridge.core.agents import Agent
from ccbridge.core.calls import Call, CallState, channel_of
from ccbridge.core.switchboard import Switchboard
from ccbridge.core.world import World

# In line: queued and not yet with an agent. Who is being offered keeps his place until the answer.
WAITING = (CallState.QUEUED, CallState.HOLDING, CallState.OFFERED, CallState.RETURNING)

# Rows of calls in one answer: they are made in the thread that routes, 10 us each.
ROWS = 500
# ... and of them so many with an expected wait: one takes up to some milliseconds.
EXPECTED_ROWS = 10
# ... in one that is asked for each second, by each who looks on: more than a terminal is high.
SCREEN_ROWS = 200


def status(board: Switchboard, at: float, now: float) -> dict[str, Any]:
    """The whole in numbers: link, calls, agents. ``link.since`` is known only while the link is up."""
    w = board.world
    waiting = [call for call in w.calls.values() if call.state in WAITING]
    return {
        "link": {"up": w.link, "since": moment(at - (now - w.link_since)) if w.link else None},
        "plan": w.version,
        "queues": len(w.plan.queues),
        "calls": {
            "total": len(w.calls),
            "waiting": len(waiting),
            "longest_wait_s": _longest(waiting, at),
            "states": dict(Counter(call.state.value for call in w.calls.values())),
        },
        "agents": {
            "total": len(w.agents),
            "logged_in": sum(agent.logged_in for agent in w.agents.values()),
            "states": dict(Counter(agent.shown[0] for agent in w.agents.values())),
        },
    }


def queues(board: Switchboard, at: float) -> list[dict[str, Any]]:
    """One row for each queue by name, those included that a reload removed while callers are in them."""
    w = board.world
    by_queue: dict[str, list[Call]] = {name: [] for name in w.plan.queues}
    for call in w.calls.values():
        if call.queue:
            by_queue.setdefault(call.queue, []).append(call)
    return [_queue(w, name, by_queue[name], at) for name in sorted(by_queue)]


def queue(board: Switchboard, name: str, at: float, now: float, rows: int = ROWS) -> dict[str, Any] | None:
    """One queue with the first of its ``line``, in the order of service, and its ``members``.

    ``waiting`` counts the whole line. None: no such queue.
    """
    w = board.world
    calls = [call for call in w.calls.values() if call.queue == name]
    if name not in w.plan.queues and not calls:
        return None
    line = sorted((call for call in calls if call.state in WAITING), key=w.place)
    members = [agent for agent in w.agents.values() if name in agent.plan.queues]
    return {
        **_queue(w, name, calls, at),
        "line": [
            {"position": place, **_call(w, call, at), "expected_wait_s": _expected(w, call, place)}
            for place, call in enumerate(line[:rows], 1)
        ],
        "members": [_agent(w, agent, at, now) for agent in sorted(members, key=lambda agent: agent.id)],
    }


def line(board: Switchboard, at: float, rows: int = SCREEN_ROWS) -> dict[str, Any]:
    """Who waits, all queues together, in the order of service: the ``total``, and a row for the first.

    ``position`` is the place in the caller's own queue: the order of all is that in which agents who serve
    every queue would take them. The first few have an ``expected_wait_s``.
    """
    w = board.world
    waiting = [call for call in w.calls.values() if call.state in WAITING]
    places: Counter[str] = Counter()
    shown = []
    for nth, call in enumerate(heapq.nsmallest(rows, waiting, key=w.place), 1):
        places[call.queue] += 1
        expected = _expected(w, call, nth)
        shown.append({"position": places[call.queue], **_call(w, call, at), "expected_wait_s": expected})
    return {"total": len(waiting), "calls": shown}


def agents(board: Switchboard, at: float, now: float) -> list[dict[str, Any]]:
    """One row for each agent, by id."""
    w = board.world
    return [_agent(w, w.agents[name], at, now) for name in sorted(w.agents)]


def agent(board: Switchboard, name: str, at: float, now: float) -> dict[str, Any] | None:
    """One agent, with what explains his state; None: no such agent."""
    w = board.world
    one = w.agents.get(name)
    if one is None:
        return None
    return {
        **_agent(w, one, at, now),
        "phone_state": one.device,
        "dead_offers": one.dead_offers,
        "last_call": one.last_call or None,
    }


def works_at(board: Switchboard, device: str, at: float, now: float) -> dict[str, Any] | None:
    """The agent who works at this phone; None: nobody does."""
    one = board.world.agent_of(device)
    return _agent(board.world, one, at, now) if one is not None and one.at_work() else None


def calls(board: Switchboard, at: float, name: str = "", rows: int = ROWS) -> dict[str, Any]:
    """The ``total`` of live calls and a row for each of the oldest; with ``name`` of that queue only."""
    w = board.world
    chosen = [call for call in w.calls.values() if not name or call.queue == name]
    chosen.sort(key=lambda call: (call.arrived, call.number))
    return {"total": len(chosen), "calls": [_call(w, call, at) for call in chosen[:rows]]}


def call(board: Switchboard, name: str, at: float) -> dict[str, Any] | None:
    """One live call, with its place in line and its offer; None: no such call now."""
    w = board.world
    one = w.calls.get(channel_of(name)[0])
    if one is None or one.account != name:
        return None
    offer = w.offers.get(one.offer)
    return {
        **_call(w, one, at),
        "position": _position(w, one),
        "expected_wait_s": _expected(w, one),
        "inferred": one.inferred,
        "offer": None
        if offer is None
        else {
            "id": offer.id,
            "agent": offer.agent,
            "state": offer.state.value,
            "placed": moment(offer.placed),
            "for_s": _since(offer.placed, at),
            "ring_s": offer.ring,
            "recording": offer.recording or None,
        },
    }


def moment(at: float) -> str:
    """Epoch seconds as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


# -- rows


def _queue(w: World, name: str, calls: Iterable[Call], at: float) -> dict[str, Any]:
    plan = w.queue(name)
    waiting = [call for call in calls if call.state in WAITING]
    census = {state: count for state, count in w.census.get(name, Counter()).items() if count}
    states = Counter(call.state for call in calls)
    return {
        "queue": name,
        "configured": name in w.plan.queues,
        "departments": [one for one, queues in w.plan.departments.items() if name in queues],
        "paused": w.is_paused(name),
        "draining": w.is_draining(name),
        "waiting": len(waiting),
        "longest_wait_s": _longest(waiting, at),
        "offered": states[CallState.OFFERED],
        "talking": states[CallState.TALKING],
        "fallback": states[CallState.FALLBACK],
        "agents": {
            "total": sum(census.values()),
            "logged_in": sum(census.values()) - census.get("logged_out", 0),
            "states": census,
        },
        "plan": {
            "ring_s": plan.ring,
            "wrap_up_s": plan.wrap_up,
            "max_wait_s": plan.max_wait,
            "overflow": plan.overflow,
            "service_level_s": plan.service_level,
            "priority": plan.priority,
            "strategy": plan.strategy,
        },
        # what was set while it runs: key -> its value, and the file's
        "set": {
            key: {"value": change.value, "file": change.file}
            for key, change in (w.controls[name].changes.items() if name in w.controls else ())
        },
    }


def _agent(w: World, agent: Agent, at: float, now: float) -> dict[str, Any]:
    state, reason = agent.shown
    offer = w.offers.get(agent.offer or agent.leg)
    call = agent.last_call if state == "wrap_up" else ""
    if offer is not None and offer.id != agent.last_offer:
        call = w.account(offer.call)
    due = {
        "wrap_up": agent.wrap_due,
        "unreachable": agent.cool_due,
        "cooldown": agent.cool_due,
        "paused": agent.lift_due,
    }.get(state)
    return {
        "agent": agent.id,
        "name": agent.plan.name,
        "device": agent.phone,
        "personal": agent.personal or None,
        "queues": list(agent.plan.queues),
        "state": state,
        "reason": reason or None,
        "since": moment(agent.shown_at) if agent.shown_at else None,
        "for_s": _since(agent.shown_at, at) if agent.shown_at else None,
        "left_s": None if due is None else round(max(0.0, due - now), 1),
        "logged_in": agent.logged_in,
        "pause": agent.pause or None,
        "call": call or None,
    }


def _call(w: World, call: Call, at: float) -> dict[str, Any]:
    with_him = sorted(offer.agent for offer in talks.live(w, call))
    talk = sum(leg["talk_s"] for leg in call.legs)
    for one in talks.live(w, call):
        running = one.talk_from is not None and not one.held
        talk += one.talk + (max(0.0, at - one.talk_from) if running and one.talk_from is not None else 0.0)
    wait = None
    if call.queued_at is not None:
        wait = _since(call.queued_at, at if call.answered_at is None else call.answered_at)
    return {
        "call": call.account,
        "state": call.state.value,
        "did": call.did,
        "caller": call.e164,
        "caller_kind": call.caller_kind,
        "name": call.name or None,
        "customer": call.customer,
        "queue": call.queue or None,
        "priority": call.priority,
        "agent": ", ".join(with_him) or call.agent or None,
        "arrived": moment(call.arrived),
        "for_s": _since(call.arrived, at),
        "wait_s": wait,
        "talk_s": round(talk, 1),
        "offers": call.offers,
    }


def _position(w: World, call: Call) -> int | None:
    if call.state not in WAITING:
        return None
    mine = w.place(call)[:3]
    others = (one for one in w.calls.values() if one.queue == call.queue and one.state in WAITING)
    return 1 + sum(w.place(one)[:3] < mine for one in others)


def _expected(w: World, call: Call, place: int = 1) -> float | None:
    """Seconds until he is answered, as of the last input; None where that cannot be said, or need not."""
    return estimate.wait(w, call) if call.state is CallState.HOLDING and place <= EXPECTED_ROWS else None


def _longest(waiting: Iterable[Call], at: float) -> float | None:
    return max((_since(call.queued_at, at) for call in waiting if call.queued_at is not None), default=None)


def _since(start: float, at: float) -> float:
    # two clocks: Asterisk's stamps may be a little ahead of ours
    return round(max(0.0, at - start), 1)
