"""Who waits for one agent alone, computed anew from what the documents say; the watch asks it."""

from __future__ import annotations

from collections.abc import Iterable

from ccbridge.core import inputs as i
from ccbridge.core.agents import Agent
from ccbridge.core.calls import Call
from ccbridge.core.plan import QueuePlan, Rule
from ccbridge.core.world import World

LATE = 0.5  # a deadline and a stamp are of two clocks
NO_PHONE = ("UNAVAILABLE", "INVALID")


class Wished:
    def __init__(self) -> None:
        self.agents: dict[str, tuple[str, str]] = {}  # call -> owner and last agent, as they were told

    def heard(self, w: World, event: i.CustomerFound) -> None:
        if event.call in w.calls and event.customer is not None:
            self.agents[w.account(event.call)] = (event.owner, event.last_agent)

    def wishes(self, w: World, call: Call, rules: Iterable[Rule]) -> set[str]:
        """The agent for whom alone he waits now, "" for anybody; several around the moment of a change.

        ``rules``: of his queue's, those that may be in force.
        """
        return {self._wish(w, call, rule, early) for rule in rules for early in (-LATE, 0.0, LATE)}

    def _wish(self, w: World, call: Call, rule: Rule, early: float) -> str:
        queue = w.plan.queues.get(call.queue) or QueuePlan(call.queue)
        waited = w.at - (call.queued_at or w.at) - early
        owner, last_agent = self.agents.get(call.account, ("", ""))
        for name, seconds in ((owner, queue.owner), (last_agent, queue.last_agent)):
            if seconds and waited < seconds and name in w.agents and takes(w.agents[name], call.queue, rule):
                return name
        return ""


def takes(agent: Agent, queue: str, rule: Rule) -> bool:
    """He is at work, and might have one of this queue's calls after what he is doing."""
    able = all(agent.plan.skills.get(skill, 0) >= level for skill, level in rule.require.items())
    dead = agent.cool_due is not None and agent.cool_why == "dead"
    phone = bool(agent.personal) or agent.device not in NO_PHONE
    return able and phone and not dead and agent.logged_in and not agent.pause and queue in agent.plan.queues
