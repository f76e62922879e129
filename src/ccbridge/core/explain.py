"""Why at this moment: what keeps a live caller waiting, and what keeps an agent without a call.

JSON-ready dicts, as ``view`` makes them; ``at`` and ``now`` are its clocks. Reads, and changes nothing.
Cost: one pass over the agents of a queue, or over the callers in line for an agent's queues.
"""

from __future__ import annotations

from typing import Any

from ccbridge.core import skills, view, why
from ccbridge.core.acd import Waiting
from ccbridge.core.agents import Agent
from ccbridge.core.calls import Call, CallState, channel_of
from ccbridge.core.switchboard import Switchboard
from ccbridge.core.world import World

NAMED = 10  # callers of a queue at most whom an agent may not take


def call(board: Switchboard, name: str, at: float, now: float) -> dict[str, Any] | None:
    """A live call as ``view.call`` has it, with ``now``: why nobody takes it, while it is in line.

    None: no such call now.
    """
    row = view.call(board, name, at)
    if row is None:
        return None
    w = board.world
    one = w.calls[channel_of(name)[0]]
    return {**row, "now": _waits(w, one, at, now) if one.waits_in_line else None}


def agent(board: Switchboard, name: str, at: float, now: float) -> dict[str, Any] | None:
    """An agent as ``view.agent`` has him, with ``link_up``, and for each queue that he ``serves`` who waits.

    Of a queue: whether it is ``paused``, how many are in line (``waiting``), how many of these he ``fits``,
    those ``with_others`` (call, agent: being offered), and the first of those he does not fit (``beyond``:
    call, what is ``missing``, after how many seconds a rule lets him, if one will, and for whom alone the
    caller waits, if for anybody: ``wish``). None: no such agent.
    """
    row = view.agent(board, name, at, now)
    if row is None:
        return None
    w = board.world
    one = w.agents[name]
    serves = [_queue(w, one, queue, at) for queue in one.plan.queues]
    return {**row, "link_up": w.link, "serves": serves}


def _waits(w: World, one: Call, at: float, now: float) -> dict[str, Any]:
    found = why.waits(w, w.line(one)) | why.wish(one, at)
    for named in found["why"].get("named", ()):
        if "left_s" in named:  # as of the last input
            named["left_s"] = round(max(0.0, named["left_s"] - (now - w.now)), 1)
    rules = w.queue(one.queue).rules
    if one.rule + 1 < len(rules):
        found["relaxes_s"] = why.until_rule(one, rules[one.rule + 1], at)
    return found


def _queue(w: World, who: Agent, queue: str, at: float) -> dict[str, Any]:
    fits = 0
    beyond: list[Waiting] = []
    for line in w.lines.get(queue, ()):
        places = w.waiting[line]
        if who.id in w.may_take(line):
            fits += len(places)
        else:
            beyond += places
    with_others = [
        {"call": one.account, "agent": w.offers[offer].agent}
        for one in w.calls.values()
        if one.queue == queue and one.state is CallState.OFFERED
        for offer in (one.offer, *one.others)
        if offer in w.offers
    ]
    return {
        "queue": queue,
        "paused": w.is_paused(queue),
        "waiting": fits + len(beyond),
        "fits": fits,
        "with_others": with_others[:NAMED],
        "beyond": [_beyond(w, who, w.calls[place.call], at) for place in sorted(beyond)[:NAMED]],
    }


def _beyond(w: World, who: Agent, one: Call, at: float) -> dict[str, Any]:
    rules = w.queue(one.queue).rules
    later = (rule for rule in rules[one.rule + 1 :] if skills.qualifies(who.plan.skills, rule))
    lets = next(later, None)
    return {
        "call": one.account,
        "missing": why.missing(who, rules[one.rule]),
        "relaxes_s": None if lets is None else why.until_rule(one, lets, at),
        **why.wish(one, at),
    }
