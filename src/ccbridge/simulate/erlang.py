"""Erlang C and Erlang A: what theory says of one queue with equal agents, to hold the simulation against.

Both take Poisson arrivals, exponential talk times, first come first served. Nobody rings and nobody wraps up:
an agent is free as soon as his talk is over. All times are in one unit, here seconds.

- Erlang C (M/M/n): callers wait for ever. A. K. Erlang, "Solution of some problems in the theory of
  probabilities of significance in automatic telephone exchanges", 1917.
- Erlang A (M/M/n+M): each hangs up when his own patience is over, which is exponential. C. Palm, "Research on
  telephone traffic carried by full availability groups", Tele 1, 1957; O. Garnett, A. Mandelbaum, M. Reiman,
  "Designing a call center with impatient customers", M&SOM 4 (2002), 208-227.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

NEGLIGIBLE = 1e-15  # of a sum: further terms change nothing
STEPS = 2_000  # of Simpson's rule, even


@dataclass(frozen=True, slots=True)
class Theory:
    """A queue in its steady state. Shares are 0 to 1, of all callers; times in seconds."""

    wait_probability: float  # did not get an agent at once
    abandonment: float  # hung up unanswered
    mean_wait: float  # of all callers, those who hung up included
    occupancy: float  # of an agent: talking
    served_within: float  # answered within ``within`` seconds


def erlang_b(agents: int, load: float) -> float:
    """Share of callers who find all agents busy when nobody may wait (M/M/n/n).

    ``load`` in erlangs, > 0; ``agents`` >= 1. By the recursion B(n) = a B(n-1) / (n + a B(n-1)), which
    neither overflows nor cancels. Raises ValueError outside these ranges.
    """
    if agents < 1 or load <= 0:
        raise ValueError(f"needs at least one agent and a load above 0, not {agents} and {load}")
    blocked = 1.0
    for n in range(1, agents + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c(rate: float, talk: float, agents: int, within: float = 0.0) -> Theory:
    """``rate`` callers a second with talks of ``talk`` seconds in the mean, served by ``agents``.

    P(wait) = B / (1 - rho (1 - B)) with Erlang's B and rho = rate talk / agents; a wait, if any, is
    exponential with mean talk / (agents - rate talk). Raises ValueError when rho >= 1: the line grows
    for ever.
    """
    load = rate * talk
    blocked = erlang_b(agents, load)
    occupancy = load / agents
    if occupancy >= 1:
        raise ValueError(f"{load:g} erlangs are too much for {agents} agents who wait for every caller")
    waits = blocked / (1 - occupancy * (1 - blocked))
    spare = (agents - load) / talk
    return Theory(waits, 0.0, waits / spare, occupancy, 1 - waits * math.exp(-spare * within))


def erlang_a(rate: float, talk: float, agents: int, patience: float, within: float = 0.0) -> Theory:
    """As ``erlang_c``, with callers who hang up after ``patience`` seconds in the mean. Any load will do.

    The number of callers is a birth-and-death process: with j in line, one leaves at the rate
    n mu + j theta (mu = 1/talk, theta = 1/patience). With p the share of time with all agents busy and
    nobody in line, 1/p = 1/B - 1 + the sum over j >= 0 of the products of rate / (n mu + i theta), i = 1 to j
    (Palm; Garnett and others). P(abandon) = theta E(line) / rate, E(wait) = E(line) / rate.
    Raises ValueError for a patience of 0 or less.

    The wait that a caller of endless patience would have has the density
    p n mu exp(-n mu v + rate/theta (1 - exp(-theta v))) (F. Baccelli, G. Hebuterne, "On queues with impatient
    customers", 1981); whoever is answered has had more patience than that, which has chance exp(-theta v).
    """
    if patience <= 0:
        raise ValueError(f"patience must be above 0 s, not {patience}")
    busy_rate, theta = agents / talk, 1 / patience
    blocked = erlang_b(agents, rate * talk)
    term, total, line, waiting = 1.0, 1.0, 0.0, 0
    while term > NEGLIGIBLE * total or waiting * theta + busy_rate < rate:
        waiting += 1
        term *= rate / (busy_rate + waiting * theta)
        total += term
        line += waiting * term
    just_full = 1 / (1 / blocked - 1 + total)
    waits, line = total * just_full, line * just_full
    abandonment = theta * line / rate

    def answered_at(v: float) -> float:
        left = -math.expm1(-theta * v)
        return just_full * busy_rate * math.exp(-(busy_rate + theta) * v + rate / theta * left)

    served = 1 - waits + _integral(answered_at, within)
    return Theory(waits, abandonment, line / rate, rate * (1 - abandonment) / busy_rate, served)


def _integral(function: Callable[[float], float], end: float) -> float:
    """From 0 to ``end``, by Simpson's rule."""
    step = end / STEPS
    inner = sum((4 if n % 2 else 2) * function(n * step) for n in range(1, STEPS))
    return step / 3 * (function(0.0) + inner + function(end))
