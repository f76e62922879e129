"""Who waits for one agent: the owner of his customer, or the one with whom he talked last.

A queue may keep a caller for that agent during the first seconds of his stay: ``owner`` seconds for the
owner, ``last_agent`` seconds for the last agent, both from the start of the stay. The owner comes first. One
waits only for an agent who might take him soon: he serves the queue, qualifies by the rule in force, is
logged in, not paused, and has a phone. That he talks, is in wrap-up, is offered another call, cools down or
has his phone in use is what one waits through.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ccbridge.core import skills
from ccbridge.core.agents import Agent
from ccbridge.core.calls import Call, Wish
from ccbridge.core.plan import QueuePlan

if TYPE_CHECKING:
    from ccbridge.core.world import World


def wish(call: Call, queue: QueuePlan, rule: int, agents: Mapping[str, Agent], at: float) -> Wish | None:
    """For whom this caller waits at ``at``, with the queue's ``rule`` in force; None: for anybody."""
    queued_at = at if call.queued_at is None else call.queued_at
    both = ((call.owner, "owner", queue.owner), (call.last_agent, "last_agent", queue.last_agent))
    for name, why, seconds in both:
        agent = agents.get(name)
        if agent is None or at - queued_at >= seconds - skills.ROUNDING:
            continue
        serves = queue.name in agent.plan.queues
        if serves and agent.is_here() and skills.qualifies(agent.plan.skills, queue.rules[rule]):
            return Wish(name, why, queued_at + seconds)
    return None


def look_at(w: World, call: Call) -> None:
    """Line him up anew when he is to wait for somebody else now, or for nobody."""
    if call.waits_in_line and call.wish != wish(call, w.queue(call.queue), call.rule, w.agents, w.at):
        w.line_up(call)


def look_again(w: World) -> None:
    """After an input: agents have come or gone, and those who wish for them wait for them or do not."""
    changed, w.changed = w.changed, {}
    queues = (queue for name in changed if name in w.agents for queue in w.agents[name].plan.queues)
    for queue in dict.fromkeys(queues):
        if not (w.queue(queue).owner or w.queue(queue).last_agent):
            continue
        in_queue = (w.calls[place.call] for place in w.in_line(queue))
        theirs = [call for call in in_queue if call.owner in changed or call.last_agent in changed]
        for call in sorted(theirs, key=w.place):
            look_at(w, call)
