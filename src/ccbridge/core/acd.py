"""Ranking: who gets whom. Pure functions over plain values.

One order for everyone: effective priority (higher first), then virtual start (earlier first), then the
order of arrival. Each caller in that order takes the first of the free agents who may take him, in the
order of his queue's strategy; or all of them, when the queue rings all. One pass over all lines of the
queues that a change touched.

A *line* is those callers of a queue for whom the same rule of skills is in force: the same agents may take
them. Whoever waits longer than a rule says moves to the next line, which touches the queue. Those who wait
for one agent alone are a line, too.

Why touched queues suffice: a pair (caller, free agent) that was possible before the change would have been
made then, so a new pair needs a new caller, one with a new rule, or a newly free agent, and each of these
touches its queues.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

NAMED = 10  # candidates at most whom a decision names


class Line(NamedTuple):
    queue: str
    rule: int  # index of the queue's rule that is in force
    only: str = ""  # its callers wait for this agent alone: core.wished


class Waiting(NamedTuple):
    """A caller's place in line; sorts in the order of service."""

    rank: float  # minus the effective priority
    since: float  # virtual start, epoch seconds
    arrival: int  # order of arrival, breaks ties
    call: str
    line: Line


class Pair(NamedTuple):
    call: str
    queue: str
    agents: tuple[str, ...]  # one, or all who are rung at once
    candidates: int  # free agents who might have taken him when his turn came
    rule: int = 0  # index of the queue's rule that was in force
    behind: tuple[str, ...] = ()  # the first of the other candidates, best first
    only: str = ""  # the caller waited for this agent alone


def match(
    waiting: Mapping[Line, Sequence[Waiting]],
    free: Mapping[Line, Sequence[str]],
    most: Mapping[Line, int],
    alone: Set[str] = frozenset(),
) -> list[Pair]:
    """Pair callers with agents. ``waiting``: each line's callers, sorted; ``free``: its agents, best first;
    ``most``: how many of them a caller takes at once; ``alone``: who is rung beside nobody, and only when
    nobody else is free.

    Cost: proportional to the pairs made plus the lines, not to the callers who wait: a line is left as
    soon as nobody free serves it.
    """
    serving = {line: agents for line, agents in free.items() if agents}
    taken: set[str] = set()
    pairs: list[Pair] = []
    heads = [(waiting[line][0], 0) for line in serving]
    heapq.heapify(heads)
    while heads:
        caller, index = heapq.heappop(heads)
        candidates = [agent for agent in serving[caller.line] if agent not in taken]
        if not candidates:
            continue
        serving[caller.line] = candidates
        chosen = tuple(candidates[: most[caller.line]])
        if len(chosen) > 1 and not alone.isdisjoint(chosen):
            together = [agent for agent in candidates if agent not in alone]
            chosen = tuple(together[: most[caller.line]]) or chosen[:1]
        taken.update(chosen)
        queue, rule, only = caller.line
        behind = tuple([agent for agent in candidates if agent not in chosen][:NAMED])
        pairs.append(Pair(caller.call, queue, chosen, len(candidates), rule, behind, only))
        line = waiting[caller.line]
        if index + 1 < len(line):
            heapq.heappush(heads, (line[index + 1], index + 1))
    return pairs
