"""The expected wait of everybody who has to wait against how long he did, and what app_queue would say."""

from __future__ import annotations

from statistics import mean
from typing import NamedTuple

import pytest
from simulate_rig import load, one_queue

from ccbridge.core.plan import AgentPlan, Plan, QueuePlan, Rule
from ccbridge.core.records import CallEvent, Record
from ccbridge.simulate.arrivals import synthetic
from ccbridge.simulate.driver import play
from ccbridge.simulate.spec import QueueLoad, Spec

SEED = 2
WARM_UP = 200  # callers who waited, until both know the queue


class Wait(NamedTuple):
    queue: str
    expected: float
    app_queue: float
    real: float


def waits(plan: Plan, spec: Spec) -> list[Wait]:
    """Of all who had to wait and were answered: as it was reckoned when they entered the line."""
    open_: dict[str, CallEvent] = {}
    found: list[Wait] = []

    def see(record: Record) -> None:
        if not isinstance(record, CallEvent):
            return
        if record.kind == "estimated":
            open_.setdefault(record.call, record)
        elif record.kind == "answered" and record.call in open_:
            told = open_.pop(record.call)
            if told.data["app_queue_s"] is not None and told.data["wait_s"] is not None:
                real = record.at - told.at
                found.append(
                    Wait(told.data["queue"], told.data["wait_s"], told.data["app_queue_s"], real),
                )

    play(plan, synthetic(spec, SEED), see, answer=spec.answer, seed=SEED)
    return found[WARM_UP:]


def skilled() -> tuple[Plan, Spec]:
    """Two queues that share agents; in one skills are asked for, and relax."""
    rules = (Rule(0, {"greek": 3}), Rule(60, {"greek": 1}), Rule(180))
    queues = {
        "sales": QueuePlan("sales", overflow="9", max_wait=86_400, wrap_up=20, rules=rules),
        "help": QueuePlan("help", overflow="9", max_wait=86_400, wrap_up=40),
    }
    serve = [("sales",)] * 3 + [("help",)] * 3 + [("sales", "help")] * 6
    agents = {
        f"a{n}": AgentPlan(f"a{n}", f"A{n}", f"PJSIP/a{n}", queues, {"greek": n % 5}, n)
        for n, queues in enumerate(serve)
    }
    loads = {"sales": QueueLoad(calls=85, talk=180), "help": QueueLoad(calls=70, talk=180)}
    return Plan(queues, agents, {}, {}, ""), Spec(30, 4.0, loads)


CASES = {
    "M/M/12": (one_queue(12), load(200, 25, 180)),
    "M/M/2": (one_queue(2), load(32, 150, 180)),
    "wrap-up": (one_queue(15, wrap_up=60.0), load(200, 25, 180)),
    "skills": skilled(),
}


@pytest.mark.parametrize("case", CASES)
def test_nearer_than_app_queue(case: str) -> None:
    found = waits(*CASES[case])
    assert len(found) > 500
    for queue in {one.queue for one in found}:
        mine = [one for one in found if one.queue == queue]
        wait = mean(one.real for one in mine)
        error = mean(one.expected - one.real for one in mine)
        size = mean(abs(one.expected - one.real) for one in mine)
        other = mean(abs(one.app_queue - one.real) for one in mine)
        bias = mean(one.app_queue - one.real for one in mine)
        print(
            f"{case} {queue}: {len(mine)} waited {wait:.0f} s; error {error:+.0f} s, {size:.0f} s in size; "
            f"app_queue {bias:+.0f} s, {other:.0f} s"
        )
        assert abs(error) < 0.15 * wait
        assert size < 0.85 * other
