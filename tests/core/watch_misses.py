"""Who has missed so many calls in a row is paused, and nobody else for that; counted from records alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from ccbridge.core import records as r
from ccbridge.core.world import World


class Misses:
    def __init__(self, fault: Callable[[str], None]) -> None:
        self.fault = fault
        self.paused = 0  # how often
        self.missed: dict[str, list[float]] = defaultdict(list)  # agent -> in a row
        self.pause: dict[str, str] = {}

    def call_event(self, event: r.CallEvent) -> None:
        if event.kind in ("answered", "joined"):
            self.missed.pop(event.data["agent"], None)
        elif event.kind == "offer_ended" and event.data["result"] in ("missed", "not_confirmed"):
            self.missed[event.data["agent"]].append(event.at)

    def agent_event(self, event: r.AgentEvent, w: World) -> None:
        was, now = self.pause.get(event.agent, ""), event.data.get("pause", "")
        self.pause[event.agent] = now
        if now == w.plan.misses_reason != was:
            self.paused += 1
            if len(self._lately(event.agent, event.at, w)) < w.plan.misses:
                self.fault(f"{event} after {self.missed[event.agent]}")
        if not event.data.get("in") or bool(was) != bool(now):
            self.missed.pop(event.agent, None)

    def look(self, w: World) -> None:
        """After a decision."""
        for agent in w.agents.values():
            lately = self._lately(agent.id, w.at, w)
            if w.plan.misses and agent.logged_in and not agent.pause and len(lately) >= w.plan.misses:
                self.fault(f"{agent.id} has missed {lately} and is {agent.state()}")
            if agent.lift_due is not None and not agent.pause:
                self.fault(f"{agent.id} has a pause to end and none")

    def _lately(self, agent: str, at: float, w: World) -> list[float]:
        return [one for one in self.missed[agent] if one > at - w.plan.misses_within]
