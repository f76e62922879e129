"""Callers to come: each with his queue, the talk he needs and the patience he has.

The driver takes any iterable of them in the order of time, wherever it comes from.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from random import Random

from ccbridge.simulate.spec import QueueLoad, Spec


@dataclass(frozen=True, slots=True)
class Arrival:
    """A caller who enters a queue. Times in seconds."""

    at: float  # since the opening
    queue: str
    talk: float  # how long he talks if he is answered
    patience: float | None  # hangs up after so long in the queue, ringing included; None: never
    priority: int = 0  # of the menu; the queue's own is added
    answer: float | None = None  # an agent's phone rings so long before he takes the call; None: as all do


def synthetic(spec: Spec, seed: int) -> Iterator[Arrival]:
    """The callers of a made-up load: Poisson arrivals for ``spec.hours``, in the order of time.

    Each queue's arrivals, talks and patience have a stream of chance of their own, drawn from ``seed``: who
    changes one of them meets the same others again, so two runs differ by what was changed alone.
    """
    streams = [_of(name, load, spec.hours * 3600, seed) for name, load in spec.queues.items()]
    return heapq.merge(*streams, key=attrgetter("at"))


def _of(queue: str, load: QueueLoad, seconds: float, seed: int) -> Iterator[Arrival]:
    gaps, talks, patience = (Random(f"{seed}/{queue}/{what}") for what in ("gaps", "talks", "patience"))
    talk = _law(load, talks)
    at = gaps.expovariate(load.calls / 3600)
    while at < seconds:
        waits = None if load.patience is None else patience.expovariate(1 / load.patience)
        yield Arrival(at, queue, talk(), waits, load.priority)
        at += gaps.expovariate(load.calls / 3600)


def _law(load: QueueLoad, chance: Random) -> Callable[[], float]:
    if load.law == "constant":
        return lambda: load.talk
    if load.law == "exponential":
        return lambda: chance.expovariate(1 / load.talk)
    # mean m and deviation s m: the logarithm has variance ln(1 + s^2) and mean ln m - half of that
    variance = math.log1p(load.spread**2)
    mean, deviation = math.log(load.talk) - variance / 2, math.sqrt(variance)
    return lambda: chance.lognormvariate(mean, deviation)
