"""Ranking: who gets whom. Pure functions over plain values.

One order for everyone: effective priority (higher first), then virtual start (earlier first), then the
order of arrival. Each caller in that order takes, of the free agents who serve his queue, the one who
has been idle longest. One pass over all queues that a change touched.

Why touched queues suffice: a pair (caller, free agent) that was possible before the change would have been
made then, so a new pair needs a new caller or a newly free agent, and both touch their queues.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Waiting(NamedTuple):
    """A caller's place in line; sorts in the order of service."""

    rank: int  # minus the effective priority
    since: float  # virtual start, epoch seconds
    arrival: int  # order of arrival, breaks ties
    call: str
    queue: str


class Free(NamedTuple):
    """A free agent; sorts longest idle first."""

    idle_since: float
    agent: str
    queues: tuple[str, ...]


class Pair(NamedTuple):
    call: str
    queue: str
    agent: str
    candidates: int  # free agents who served this queue when the caller's turn came


def match(waiting: Mapping[str, Sequence[Waiting]], free: Iterable[Free]) -> list[Pair]:
    """Pair callers with agents. ``waiting`` maps a queue to its callers, sorted.

    Cost: proportional to the pairs made plus the queues, not to the callers who wait: a queue is left as
    soon as nobody free serves it.
    """
    serving: dict[str, list[Free]] = {}
    for agent in sorted(free):
        for queue in agent.queues:
            if waiting.get(queue):
                serving.setdefault(queue, []).append(agent)
    taken: set[str] = set()
    pairs: list[Pair] = []
    heads = [(waiting[queue][0], 0) for queue in serving]
    heapq.heapify(heads)
    while heads:
        caller, index = heapq.heappop(heads)
        candidates = [one for one in serving[caller.queue] if one.agent not in taken]
        if not candidates:
            continue
        serving[caller.queue] = candidates
        taken.add(candidates[0].agent)
        pairs.append(Pair(caller.call, caller.queue, candidates[0].agent, len(candidates)))
        line = waiting[caller.queue]
        if index + 1 < len(line):
            heapq.heappush(heads, (line[index + 1], index + 1))
    return pairs
