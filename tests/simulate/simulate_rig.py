"""One queue with equal agents, and a queue without any core: what the simulation is held against."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import NamedTuple

from ccbridge.core.plan import AgentPlan, Plan, QueuePlan
from ccbridge.core.records import CallClosed, Record
from ccbridge.simulate.arrivals import Arrival, synthetic
from ccbridge.simulate.driver import OPENING, play
from ccbridge.simulate.spec import QueueLoad, Spec


class Ending(NamedTuple):
    at: float  # arrival, seconds since the opening
    wait: float
    answered: bool


def one_queue(agents: int, **queue: float) -> Plan:
    queue = {"wrap_up": 0.0, "max_wait": 86_400.0, "service_level": 20.0} | queue
    people = {f"a{n}": AgentPlan(f"a{n}", f"A{n}", f"PJSIP/a{n}", ("q",)) for n in range(agents)}
    return Plan({"q": QueuePlan("q", overflow="9", **queue)}, people, {}, {}, "")  # type: ignore[arg-type]


def load(calls: float, hours: float, talk: float, patience: float | None = None) -> Spec:
    return Spec(hours, 0.0, {"q": QueueLoad(calls=calls, talk=talk, patience=patience)})


def simulated(plan: Plan, spec: Spec, seed: int) -> list[Ending]:
    """How each caller fared with the core, in the order of arrival."""
    endings: list[Ending] = []

    def see(record: Record) -> None:
        if isinstance(record, CallClosed):
            assert record.wait is not None
            endings.append(
                Ending(record.arrived - OPENING, record.wait, record.disposition == "answered"),
            )

    play(plan, synthetic(spec, seed), see, answer=spec.answer, seed=seed)
    return sorted(endings)


def ideal(agents: int, arrivals: Iterable[Arrival]) -> list[Ending]:
    """First come, first served: each has the agent who is free first, if his patience is longer than that.

    After J. Kiefer and J. Wolfowitz, "On the theory of queues with many servers", 1955.
    """
    free = [0.0] * agents  # when each agent is, with those in line before served
    endings = []
    for one in arrivals:
        wait = max(0.0, free[0] - one.at)
        if one.patience is not None and one.patience < wait:
            endings.append(Ending(one.at, one.patience, False))
        else:
            endings.append(Ending(one.at, wait, True))
            heapq.heapreplace(free, one.at + wait + one.talk)
    return endings
