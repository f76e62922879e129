"""The driver: the core's callers fare as theory says, call by call, and what a phone or a queue adds."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from simulate_rig import ideal, load, one_queue, simulated

from ccbridge.core.plan import AgentPlan, Plan, QueuePlan
from ccbridge.core.records import AgentEvent, CallClosed, CallEvent, Record
from ccbridge.simulate.arrivals import Arrival, synthetic
from ccbridge.simulate.driver import OPENING, NotPlayed, play
from ccbridge.simulate.spec import QueueLoad, Spec


def played(plan: Plan, arrivals: Iterable[Arrival], answer: float = 0.0) -> list[Record]:
    records: list[Record] = []
    play(plan, arrivals, records.append, answer=answer)
    return records


def closed(records: list[Record]) -> list[CallClosed]:
    found = [one for one in records if isinstance(one, CallClosed)]
    return sorted(found, key=lambda one: one.arrived)


def states(records: list[Record], agent: str) -> list[tuple[float, str]]:
    """Seconds since the opening, and what he does from then on."""
    return [
        (one.at - OPENING, one.state)
        for one in records
        if isinstance(one, AgentEvent) and one.agent == agent and one.at > OPENING
    ]


@pytest.mark.parametrize("patience", [None, 90.0], ids=["endless", "finite"])
def test_each_caller_waits_as_in_an_ideal_queue(patience: float | None) -> None:
    """With agents who need no time beside the talk: first come, first served, to the millisecond."""
    spec = load(200, 5, 180, patience)
    found, expected = simulated(one_queue(12), spec, 3), ideal(12, synthetic(spec, 3))
    assert len(found) == len(expected) > 900
    assert sum(one.wait > 0 for one in expected) > 100
    assert [one.answered for one in found] == [one.answered for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.at == pytest.approx(other.at, abs=1e-6)
        assert one.wait == pytest.approx(other.wait, abs=0.0006)


def test_a_phone_rings_before_it_is_answered_and_a_talk_is_followed_by_wrap_up() -> None:
    plan = one_queue(1, wrap_up=10.0)
    records = played(plan, [Arrival(0.0, "q", 100.0, None), Arrival(50.0, "q", 20.0, None)], answer=4.0)
    first, second = closed(records)
    assert (first.wait, first.talk, first.ended_by) == (4.0, 100.0, "caller")
    assert (second.wait, second.talk) == (114.0 - 50.0 + 4.0, 20.0)
    assert states(records, "a0") == [
        (4.0, "talking"), (104.0, "wrap_up"), (114.0, "available"), (114.0, "offered"),
        (118.0, "talking"), (138.0, "wrap_up"), (148.0, "available"),
    ]  # fmt: skip


def test_who_hangs_up_while_a_phone_rings_for_him_leaves_its_agent_free_and_blameless() -> None:
    records = played(one_queue(1), [Arrival(0, "q", 9, 3.0), Arrival(5, "q", 9, None)], answer=4.0)
    gone, served = closed(records)
    assert (gone.disposition, gone.wait, gone.offers) == ("abandoned", 3.0, 1)
    assert (served.disposition, served.wait) == ("answered", 4.0)
    results = [
        one.data["result"] for one in records if isinstance(one, CallEvent) and one.kind == "offer_ended"
    ]
    assert results == ["withdrawn", "talked"]


def test_patience_ends_with_the_answer() -> None:
    (call,) = closed(played(one_queue(1), [Arrival(0, "q", 500, 5.0)], answer=4.0))
    assert (call.disposition, call.talk) == ("answered", 500)


def test_who_waits_too_long_goes_to_the_overflow() -> None:
    records = played(one_queue(1, max_wait=60.0), [Arrival(0, "q", 200, None), Arrival(1, "q", 9, 100.0)])
    assert [(one.disposition, one.wait) for one in closed(records)] == [
        ("answered", 0.0),
        ("overflowed", 60.0),
    ]


def test_a_talk_of_hours() -> None:
    """The core looks after its callers once a talk has lasted an hour, and finds them well."""
    (call,) = closed(played(one_queue(1), [Arrival(0, "q", 9000, None)]))
    assert (call.talk, call.disposition, call.inferred) == (9000, "answered", False)


def test_the_core_decides_by_priority_and_over_all_queues_of_an_agent() -> None:
    plan = Plan(
        {name: QueuePlan(name, wrap_up=0, max_wait=900, overflow="9") for name in ("low", "high")},
        {"ann": AgentPlan("ann", "Ann", "PJSIP/ann", ("low", "high"))},
        {}, {}, "",
    )  # fmt: skip
    callers = [Arrival(0, "low", 100, None), Arrival(1, "low", 7, None), Arrival(2, "high", 5, None, 3)]
    assert [(one.queue, one.wait) for one in closed(played(plan, callers))] == [
        ("low", 0.0), ("low", 104.0), ("high", 98.0),
    ]  # fmt: skip


def test_what_is_not_simulated_is_said() -> None:
    with pytest.raises(NotPlayed, match="unknown_queue"):
        played(one_queue(1), [Arrival(0, "elsewhere", 10, None)])


# -- the load


def test_same_seed_same_callers() -> None:
    spec = load(100, 2, 180, 60)
    assert list(synthetic(spec, 1)) == list(synthetic(spec, 1))
    assert list(synthetic(spec, 1)) != list(synthetic(spec, 2))


def test_what_is_changed_is_changed_alone() -> None:
    """Two loads with one difference have the same chance otherwise."""
    one = {"a": QueueLoad(60, 100, patience=50), "b": QueueLoad(60, 100, patience=50)}
    other = {**one, "a": QueueLoad(60, 200, patience=50)}
    before, after = (list(synthetic(Spec(3, 0, queues), 1)) for queues in (one, other))
    assert [(x.at, x.queue, x.patience) for x in before] == [(x.at, x.queue, x.patience) for x in after]
    for x, y in zip(before, after, strict=True):
        assert y.talk == pytest.approx(2 * x.talk if x.queue == "a" else x.talk)


@pytest.mark.parametrize(
    ("law", "spread", "deviation"), [("exponential", 1, 100), ("constant", 1, 0), ("lognormal", 0.5, 50)]
)
def test_laws_have_their_mean_and_deviation(law: str, spread: float, deviation: float) -> None:
    queue = QueueLoad(calls=1000, talk=100, law=law, spread=spread, patience=40)
    callers = list(synthetic(Spec(20, 0, {"q": queue}), 1))
    assert len(callers) == pytest.approx(20_000, rel=0.03)
    talks = [one.talk for one in callers]
    mean = sum(talks) / len(talks)
    assert mean == pytest.approx(100, rel=0.03)
    variance = sum((talk - mean) ** 2 for talk in talks) / len(talks)
    assert variance**0.5 == pytest.approx(deviation, rel=0.05)
    assert sum(one.patience or 0 for one in callers) / len(callers) == pytest.approx(40, rel=0.03)
