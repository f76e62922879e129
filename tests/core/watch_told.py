"""What callers in line are told, and what is reckoned for them, held against the line itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ccbridge.core import effects as e
from ccbridge.core import records as r
from ccbridge.core.calls import Call, CallState
from ccbridge.core.plan import QueuePlan, Rule
from ccbridge.core.world import World

LATE = 1.0  # seconds: a deadline is on another clock than the stamps


def waits(call: Call) -> bool:
    return call.state is CallState.HOLDING and not (call.hold_off or call.offer or call.turned_away)


class Told:
    """Folded from the effects alone; the state is looked at for who waits and who is there."""

    def __init__(self, fault: Callable[[str], None]) -> None:
        self.fault = fault
        self.queued: dict[str, float] = {}
        self.last: dict[str, r.CallEvent] = {}  # call -> its last estimate
        self.rule: dict[str, float] = {}  # queue -> app_queue's holdtime, as its source has it
        self.estimates: list[r.CallEvent] = []  # of the decision that is being looked at

    def event(self, w: World, event: r.CallEvent) -> None:
        if event.kind == "queued":
            self.queued[event.call] = event.data.get("entered", event.data["since"])
            self.last.pop(event.call, None)
        elif event.kind == "answered" and not event.data.get("found"):
            new = int(max(0.0, event.at - self.queued.get(event.call, event.at)))
            old = self.rule.get(event.data["queue"])
            self.rule[event.data["queue"]] = new if old is None else ((old << 2) - old + new) >> 2
        elif event.kind == "estimated":
            self._often_enough(w, event)
            rule = self.rule.get(event.data["queue"])
            waited = max(0.0, event.at - self.queued.get(event.call, event.at))
            other = None if rule is None else round(abs(rule - waited), 1)
            if event.data["app_queue_s"] != other:
                self.fault(f"{event}: app_queue would say {other}")
            self.last[event.call] = event
            self.estimates.append(event)

    def _often_enough(self, w: World, event: r.CallEvent) -> None:
        """The first as soon as he waits, the next when his queue tells, and no sooner."""
        last = self.last.get(event.call)
        if last is None:
            return
        plan = w.queue(event.data["queue"]).announce
        if plan is None:
            self.fault(f"{event} a second time, and his queue tells nothing")
            return
        first = self.queued[event.call] + plan.first
        due = first if last.at < first else last.at + plan.every
        if event.at < due - LATE:
            self.fault(f"{event} before {due}, after {last}")

    def announced(self, w: World, effect: e.Announce, holds: set[str]) -> None:
        account = w.account(effect.call)
        if account not in holds:
            self.fault(f"{effect} to a call that does not hold")
        last = self.last.get(account)
        if last is None or last.at != w.at or last.data["said"] != [effect.position, effect.minutes]:
            self.fault(f"{effect}, and {last} is what was reckoned")

    def after(self, w: World) -> None:
        """One decision is made: each estimate against the line as it stands now."""
        estimates, self.estimates = self.estimates, []
        for event in estimates:
            call = next((one for one in w.calls.values() if one.account == event.call), None)
            if call is None or not waits(call):
                self.fault(f"{event} of one who does not wait: {call}")
                continue
            self._right(w, call, event.data)
        waiting = [call for call in w.calls.values() if waits(call)]
        if w.link:
            for call in waiting:
                if call.account not in self.last and call.id not in w.untold:
                    self.fault(f"{call.id} waits, and nobody has reckoned how long")

    def _right(self, w: World, call: Call, data: Any) -> None:
        others = [one for one in w.calls.values() if waits(one) and one.queue == call.queue]
        place = 1 + sum(self._turn(w, one) < self._turn(w, call) for one in others)
        if data["position"] != place:
            self.fault(f"{call.id} has place {place}, not {data['position']}")
        queue = w.plan.queues.get(call.queue) or QueuePlan(call.queue)
        waited = max(0.0, w.at - (call.queued_at or w.at))
        rules = [one for one in queue.rules if one.after >= waited - LATE]  # to come
        now = [one for one in queue.rules if one.after <= waited][-1:]
        there = [
            agent
            for agent in w.agents.values()
            if call.queue in agent.plan.queues and any(self._meets(agent, rule) for rule in (*now, *rules))
        ]
        # in his place until now, or as soon as his talk is over: neither pauses nor leaves after it
        serving = [
            agent
            for agent in there
            if agent.logged_in and not agent.pause
            and agent.state()[0] in ("available", "talking", "offered", "wrap_up", "cooldown")
        ]  # fmt: skip
        wait = data["wait_s"]
        if (wait is None) != (not serving):
            self.fault(f"{call.id} is to wait {wait} s; there are {[one.id for one in serving]}")
        if wait is not None and not 0 <= wait < 1e6:
            self.fault(f"{call.id} is to wait {wait} s")
        plan = queue.announce
        place, minutes = data["said"]
        if place and (plan is None or not plan.position or place > plan.max_position):
            self.fault(f"{data} was told in {queue}")
        if minutes and (
            plan is None or not plan.wait or wait is None or abs(60 * minutes - wait) > 30.001
            or waited + wait > queue.max_wait
        ):  # fmt: skip
            self.fault(f"{data} was told in {queue}")

    def _turn(self, w: World, call: Call) -> tuple[float, float, int]:
        aged = (w.at - call.since) / w.plan.ageing if w.plan.ageing else 0.0
        return -round(call.priority + aged, 6), call.since, call.number

    def _meets(self, agent: Any, rule: Rule) -> bool:
        return all(agent.plan.skills.get(skill, 0) >= level for skill, level in rule.require.items())
