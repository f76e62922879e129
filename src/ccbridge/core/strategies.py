"""Which of several free agents gets the caller: one sort key for each strategy of a queue, lowest first.

Who has more of the preferred skills comes first under every strategy; whoever the strategy leaves equal, the
one who has been idle longest; then by id, so that equal histories give equal choices.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from ccbridge.core import skills
from ccbridge.core.agents import Agent
from ccbridge.core.plan import QueuePlan

# Agents rung at once at the most: their devices are one variable, and an AMI line holds 1,024 bytes.
RING_ALL_MOST = 15

Key = tuple[float, float, float, str]


def longest_idle(agent: Agent, queue: QueuePlan, draw: int) -> float:
    return agent.idle_since


def round_robin(agent: Agent, queue: QueuePlan, draw: int) -> float:
    """Whose last turn in this queue since his log-in, taken or not, is longest ago; none yet: first."""
    return agent.turns.get(queue.name, 0.0)


def fewest_calls(agent: Agent, queue: QueuePlan, draw: int) -> float:
    """Talks since his log-in, in all queues."""
    return agent.talks


def least_talk(agent: Agent, queue: QueuePlan, draw: int) -> float:
    """Seconds of talk since his log-in, in all queues."""
    return agent.talk_s


def linear(agent: Agent, queue: QueuePlan, draw: int) -> float:
    """The order in which the agents stand in the configuration."""
    return agent.plan.number


def drawn(agent: Agent, queue: QueuePlan, draw: int) -> float:
    """By lot. ``draw`` is another number for each decision; the same one gives the same order."""
    return zlib.crc32(f"{draw} {agent.id}".encode())


def most_skilled(agent: Agent, queue: QueuePlan, draw: int) -> float:
    """Highest sum of levels in the skills that the queue's rules name."""
    return -skills.level(agent.plan.skills, queue.rules)


STRATEGIES: dict[str, Callable[[Agent, QueuePlan, int], float]] = {
    "longest_idle": longest_idle,
    "round_robin": round_robin,
    "fewest_calls": fewest_calls,
    "least_talk": least_talk,
    "linear": linear,
    "random": drawn,
    "most_skilled": most_skilled,
    "ring_all": longest_idle,  # who comes first matters only when they are too many
}


def at_once(queue: QueuePlan) -> int:
    """How many agents are rung for one caller at the same time."""
    return RING_ALL_MOST if queue.strategy == "ring_all" else 1


def key(queue: QueuePlan, rule: int, draw: int) -> Callable[[Agent], Key]:
    """The sort key of this queue's agents while that rule is in force."""
    wanted, of = queue.rules[rule], STRATEGIES[queue.strategy]
    return lambda agent: (
        -skills.preferred(agent.plan.skills, wanted),
        of(agent, queue, draw),
        agent.idle_since,
        agent.id,
    )
