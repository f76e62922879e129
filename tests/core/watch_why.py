"""What a decision says of its reasons, held against the agents as they stand: an independent look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ccbridge.core import effects as e
from ccbridge.core import inputs as i
from ccbridge.core import records as r
from ccbridge.core.calls import Call
from ccbridge.core.plan import QueuePlan, Rule
from ccbridge.core.world import World

# of two free agents the later one has ... than the chosen one
LESS = ("preferred", "longest_idle", "most_skilled", "round_robin")


class WhyWatch:
    """``see`` each decision: sentences about what it told wrongly, or failed to tell."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}  # call in line -> the rule it was told to wait under
        self.seen: Counter[str] = Counter()  # reasons by name

    def see(
        self, w: World, event: i.Input, effects: list[e.Effect], waiting: Iterable[Call]
    ) -> Iterator[str]:
        if isinstance(event, i.LinkUp | i.LinkDown | i.PlanLoaded):
            self.told.clear()
        if isinstance(event, i.PlanLoaded):
            return  # who was offered a call may have another plan now
        in_line = {call.account: call for call in waiting}
        held = set()
        for effect in effects:
            if not isinstance(effect, e.Append) or not isinstance(effect.record, r.CallEvent):
                continue
            one = effect.record
            if one.kind == "holding":
                held.add(one.call)
            elif one.kind == "offered" and not {"found", "pulled"} & one.data.keys():
                round_, _, n = one.data["offer"].partition(".")
                if n in ("", "1"):  # of several who are rung at once the first one's says it for all
                    yield from self._offered(w, one, round_)
            elif one.kind == "waiting":
                held.discard(one.call)
                self.told[one.call] = one.data.get("rule")
                if one.call not in in_line:
                    yield f"{one}, and he is not in line"
                yield from self._waits(w, one)
        for call in held & in_line.keys():
            yield f"{call} got in line, and nothing says why he waits"
        self.told = {call: rule for call, rule in self.told.items() if call in in_line}
        for name, rule in self.told.items():
            call = in_line[name]
            rules = (w.plan.queues.get(call.queue) or QueuePlan(call.queue)).rules
            current = [at_work(w, call, rules, early).after for early in (-0.5, 0.0, 0.5)]
            if rule and rule["after"] not in current:
                yield f"{name} waits under another rule than was told: {rule}"

    def _waits(self, w: World, one: r.CallEvent) -> Iterator[str]:
        why = one.data["why"]
        if why == {"link": False}:
            if w.link:
                yield f"{one}, and the link is up"
            return
        if why == {"queue": "paused"}:
            if not w.is_paused(one.data["queue"]):
                yield f"{one}, and it is not"
            return
        required = one.data.get("rule", {}).get("require", {})
        wished = one.data.get("wish", {})
        stand: Counter[str] = Counter()
        truth: dict[str, str] = {}
        for agent in w.agents.values():
            if one.data["queue"] in agent.plan.queues:
                lacks = [s for s, level in required.items() if agent.plan.skills.get(s, 0) < level]
                truth[agent.id] = "skill" if lacks else agent.state()[0]
                if truth[agent.id] == "available" and agent.id != wished.get("agent", agent.id):
                    truth[agent.id] = "not_wished"
                stand[truth[agent.id]] += 1
        self.seen.update(stand)
        if why["counts"] != dict(stand):
            yield f"{one}: they stand {dict(stand)}"
        if stand["available"]:
            yield f"{one}: somebody is free"
        if len(why["named"]) != min(10, len(truth)):
            yield f"{one} names {len(why['named'])} of {len(truth)}"
        for named in why["named"]:
            agent = w.agents[named["agent"]]
            if named["why"] != truth.get(agent.id):
                yield f"{one} says {named}: it is {truth.get(agent.id)}"
            for skill, (has, needs) in named.get("missing", {}).items():
                if (agent.plan.skills.get(skill, 0), required[skill]) != (has, needs) or has >= needs:
                    yield f"{one} says {named}: that is not so"
            ends = {"wrap_up": agent.wrap_due, "paused": agent.lift_due}
            due = ends.get(agent.state()[0], agent.cool_due)
            if "left_s" in named and (due is None or abs(max(0.0, due - w.now) - named["left_s"]) > 0.1):
                yield f"{one} says {named}: it ends at {due}"

    def _offered(self, w: World, one: r.CallEvent, round_: str) -> Iterator[str]:
        why, queue = one.data["why"], one.data["queue"]
        people = [a for a in w.agents.values() if queue in a.plan.queues]
        self.seen.update(why["counts"])
        chosen = {o.agent for o in w.rounds.get(round_, ())} or {one.data["agent"]}
        if sum(why["counts"].values()) != len(people) or why["counts"].get("chosen") != len(chosen):
            yield f"{one}: the queue has {len(people)} agents"
        if why["counts"].get("behind", 0) != one.data["candidates"] - len(chosen):
            yield f"{one}: the chosen one and those behind him are not the candidates"
        if len(why["named"]) != min(10, len(people) - len(chosen)):
            yield f"{one} names {len(why['named'])} of {len(people) - len(chosen)}"
        for named in why["named"]:
            if named["agent"] in chosen:
                yield f"{one} names the chosen one among the others"
            if named["why"] == "behind" and named["by"] not in ("random", "personal"):
                self.seen[f"behind by {named['by']}"] += 1
                has, best = named["has"], named["chosen"]
                if None not in (has, best) and (has > best if named["by"] in LESS else has < best):
                    yield f"{one} says {named}: then he would have been first"


# Stamps are of two clocks, so a rule may seem to be in force a little early or late.
def at_work(w: World, call: Call, rules: Iterable[Rule], early: float) -> Rule:
    waited = w.at - (call.queued_at or w.at) - early
    return [rule for rule in rules if rule.after <= max(waited, 0.0)][-1]
