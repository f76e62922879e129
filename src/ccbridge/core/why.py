"""Why this agent, and why nobody: what stood for and against each agent of a queue at a decision.

A decision stores how many of the queue's agents stood where (``counts``), and names at most ``NAMED`` of
them, the nearest first: who was free and came later in the order, who is free and lacks a skill, who is free
again soonest, then everybody else. Reasons are the states of an agent (``records.AGENT_STATES``), and these:

    chosen   he was given the call
    behind   free, and later in the order: ``by`` says by what, ``has`` his figure and ``chosen`` the other's
    not_wished  free, and the caller waits for another agent alone
    skill    lacks what the rule in force requires (``missing``: skill -> what he has, what it takes)

Ids only: what is told here stands in events. Cost: one pass over the queue's agents; for callers who get in
the same line at the same moment it is made once.
"""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Any

from ccbridge.core import strategies
from ccbridge.core.acd import NAMED, Line, Pair
from ccbridge.core.agents import Agent
from ccbridge.core.calls import Call, OfferState
from ccbridge.core.plan import QueuePlan, Rule
from ccbridge.core.world import World

NOT_WISHED = "not_wished"
UNFIT = 4  # so much further is who lacks a skill, too
# How near a state is to taking a call, when no deadline says so.
FURTHER = {"wrap_up": 2, "offered": 2, "talking": 2, "busy_elsewhere": 2, "logged_out": 9}


def choice(w: World, pair: Pair) -> dict[str, Any]:
    """What an ``offered`` event says beside who got whom: of several who are rung at once, the first one's.

    To be asked before the agents are bound.
    """
    line = Line(pair.queue, pair.rule, pair.only)
    queue, chosen = w.queue(pair.queue), w.agents[pair.agents[0]]
    counts, others = _look(w, line, NAMED - len(pair.behind))
    counts["chosen"] = len(pair.agents)
    counts["behind"] = counts.pop("available", len(pair.agents)) - len(pair.agents)
    behind = [_behind(w, queue, pair.rule, chosen, w.agents[name]) for name in pair.behind]
    kept = wish(w.calls[pair.call], w.at) if pair.only else {}
    return {**in_force(queue, pair.rule), "why": {"counts": dict(+counts), "named": behind + others}, **kept}


def tell_who_waits(w: World) -> None:
    """An event for each caller who has just got in line, and whom nobody can take now."""
    newcomers, w.newcomers = w.newcomers, []
    told: dict[Line, dict[str, Any]] = {}
    for name in dict.fromkeys(newcomers):  # who went from queue to queue at this moment is there twice
        call = w.calls.get(name)
        if call is None or not call.waits_in_line:
            continue
        line = w.line(call)
        if line not in told:
            told[line] = waits(w, line)
        w.event(call, "waiting", queue=call.queue, **told[line], **_relaxes(w, call), **wish(call, w.at))


def waits(w: World, line: Line) -> dict[str, Any]:
    """Why nobody takes the callers of this line at this moment."""
    if not w.link:
        return {"why": {"link": False}}
    if w.is_paused(line.queue):
        return {"why": {"queue": "paused"}}
    counts, others = _look(w, line, NAMED)
    return {**in_force(w.queue(line.queue), line.rule), "why": {"counts": dict(counts), "named": others}}


def in_force(queue: QueuePlan, rule: int) -> dict[str, Any]:
    """The rule of skills, for a queue that has any."""
    if queue.rules == (Rule(),):
        return {}
    one = queue.rules[rule]
    return {"rule": {"after": one.after, "require": dict(one.require), "prefer": dict(one.prefer)}}


def _relaxes(w: World, call: Call) -> dict[str, float]:
    rules = w.queue(call.queue).rules
    if call.rule + 1 == len(rules):
        return {}
    return {"relaxes_s": until_rule(call, rules[call.rule + 1], w.at)}


def wish(call: Call, at: float) -> dict[str, Any]:
    """For whom alone he waits, why, and how many seconds more, if for anybody."""
    one = call.wish
    if one is None:
        return {}
    return {"wish": {"agent": one.agent, "why": one.why, "left_s": round(max(0.0, one.until - at), 1)}}


def until_rule(call: Call, rule: Rule, at: float) -> float:
    """Seconds until this rule is in force for a caller who waits: rules count from the start of his stint."""
    queued_at = at if call.queued_at is None else call.queued_at
    return round(max(0.0, queued_at + rule.after - at), 1)


def _look(w: World, line: Line, room: int) -> tuple[Counter[str], list[dict[str, Any]]]:
    """How many stand where, and ``room`` of them by name: not who is free to take it."""
    able, rule = w.may_take(Line(line.queue, line.rule)), w.queue(line.queue).rules[line.rule]
    counts: Counter[str] = Counter()
    near: dict[int, list[Agent]] = {}
    for agent in w.members(line.queue):
        state, fits = agent.shown[0], agent.id in able
        if fits and _not_wished(agent, line.only):
            state = NOT_WISHED
        counts[state if fits else "skill"] += 1
        if state != "available" or not fits:
            near.setdefault(_distance(agent, state, fits), []).append(agent)
    named: list[Agent] = []
    for distance in sorted(near):
        if len(named) == room:
            break
        named += heapq.nsmallest(room - len(named), near[distance], key=_free_sooner)
    return counts, [against(w, agent, rule, agent.id in able, line.only) for agent in named]


def _not_wished(agent: Agent, only: str) -> bool:
    """Free, and the caller waits for another one alone."""
    return agent.shown[0] == "available" and only not in ("", agent.id)


def _distance(agent: Agent, state: str, fits: bool) -> int:
    """How near he is to taking the call, the nearest being 0."""
    if state == "available":
        return 0
    known = 1 if frees(agent) is not None else FURTHER.get(state, 3)
    return known if fits else known + UNFIT


def _free_sooner(agent: Agent) -> tuple[float, str]:
    """Among those who are equally near."""
    due = frees(agent)
    return (agent.shown_at if due is None else due), agent.id


def frees(agent: Agent) -> float | None:
    """When what keeps him ends by itself, on the loop's clock; None: nobody knows."""
    match agent.shown:
        case ("wrap_up", _):
            return agent.wrap_due
        case ("cooldown", _) | ("unreachable", "dead"):
            return agent.cool_due
        case ("paused", _):
            return agent.lift_due
    return None


def against(w: World, agent: Agent, rule: Rule, able: bool, only: str) -> dict[str, Any]:
    """What keeps this agent from a call now: his reason, with what belongs to it."""
    state, more = agent.shown
    if able and _not_wished(agent, only):
        return {"agent": agent.id, "why": NOT_WISHED}
    said: dict[str, Any] = {"agent": agent.id, "why": state if able else "skill"}
    if not able:
        said["state"] = state
        said["missing"] = missing(agent, rule)
    if more:
        said["reason"] = more
    due = frees(agent)
    if due is not None:
        said["left_s"] = round(max(0.0, due - w.now), 1)
    offer = w.offers.get(agent.offer)
    if offer is not None:
        said["call"] = w.account(offer.call)
        if state == "offered":
            said["rings"] = offer.state in (OfferState.RINGING, OfferState.ASKED)
    return said


def missing(agent: Agent, rule: Rule) -> dict[str, list[int]]:
    """Skill -> the level he has and the one that the rule requires, for those that he lacks."""
    has = agent.plan.skills
    return {
        skill: [has.get(skill, 0), level]
        for skill, level in rule.require.items()
        if has.get(skill, 0) < level
    }


def _behind(w: World, queue: QueuePlan, rule: int, chosen: Agent, other: Agent) -> dict[str, Any]:
    """By what a free agent came after the chosen one."""
    said: dict[str, Any] = {"agent": other.id, "why": "behind"}
    if queue.strategy == "ring_all" and other.personal and not chosen.personal:
        return {**said, "by": "personal"}
    key = strategies.key(queue, rule, w.offers_made)
    first, second = key(chosen), key(other)
    if first[0] != second[0]:
        return {**said, "by": "preferred", "has": -int(second[0]), "chosen": -int(first[0])}
    if queue.strategy == "random":
        return {**said, "by": "random"}
    same = queue.strategy == "ring_all" or first[1] == second[1]
    by = "longest_idle" if same else queue.strategy
    return {**said, "by": by, "has": _figure(w, queue, other, by), "chosen": _figure(w, queue, chosen, by)}


def _figure(w: World, queue: QueuePlan, agent: Agent, by: str) -> float | None:
    """What a strategy looks at: seconds, talks, sums of levels, or the place in the configuration."""
    if by == "longest_idle":
        return round(max(0.0, w.at - agent.idle_since), 1)
    if by == "round_robin":  # seconds since his last turn; None: not since his log-in
        turn = agent.turns.get(queue.name)
        return None if turn is None else round(max(0.0, w.at - turn), 1)
    value = strategies.STRATEGIES[by](agent, queue, 0)
    return round(abs(value), 1)
