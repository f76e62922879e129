"""What is known of past callers and agents, and what is drawn."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from ccbridge.core.plan import AgentPlan, Plan, QueuePlan
from ccbridge.core.records import AGENT_STATES, AgentEvent, CallEvent
from ccbridge.simulate.past import ELSEWHERE, Duty, NothingToDraw, Past, duty
from ccbridge.simulate.patience import Patience

T = 1_700_000_000.0
# Remission of 21 patients in weeks, and whether it ended (E. J. Freireich and others, Blood 21, 1963): the
# example by which the estimate is taught.
WEEKS = (
    (6, True), (6, True), (6, True), (6, False), (7, True), (9, False), (10, True), (10, False), (11, False),
    (13, True), (16, True), (17, False), (19, False), (20, False), (22, True), (23, True), (25, False),
    (32, False), (32, False), (34, False), (35, False),
)  # fmt: skip
PLAN = Plan(
    {"sales": QueuePlan("sales", ring=15), "help": QueuePlan("help", ring=5)},
    {name: AgentPlan(name, name, f"PJSIP/{name}", ("sales",)) for name in ("ann", "bob", "new")},
    {}, {}, "",
)  # fmt: skip


@pytest.mark.parametrize(
    ("week", "share"),
    [(5, 1.0), (6, 0.857), (7, 0.807), (10, 0.753), (13, 0.690), (16, 0.627), (22, 0.538), (40, 0.448)],
)
def test_the_product_limit_is_the_published_one(week: float, share: float) -> None:
    assert Patience(WEEKS).more_than(week) == pytest.approx(share, abs=0.0006)


def test_patience_beyond_a_wait() -> None:
    patience = Patience(WEEKS)
    assert patience.gave_up == 9
    assert patience.beyond(0, 0.999) == 6
    assert patience.beyond(6, 0.95) == 7  # 0.857 of all are left: 0.95 of these is 0.814, reached at 7
    assert patience.beyond(0, 0.5) == 23
    assert patience.beyond(0, 0.1) is None  # 0.448 had more than anybody was seen to have
    assert patience.beyond(23, 0.9) is None
    assert Patience([]).beyond(5, 0.5) is None


def test_patience_is_found_again_under_censoring() -> None:
    """Exponential patience of 100 s, of which half is cut off by an answer: the quarters come out right."""
    chance = Random(3)
    true = [chance.expovariate(1 / 100) for _ in range(4000)]
    cut = [chance.expovariate(1 / 100) for _ in true]
    patience = Patience((min(pair), pair[0] < pair[1]) for pair in zip(true, cut, strict=True))
    for seconds, share in ((28.8, 0.75), (69.3, 0.5), (138.6, 0.25)):
        assert patience.more_than(seconds) == pytest.approx(share, abs=0.03)


def event(at: float, call: str, kind: str, **data: Any) -> CallEvent:
    return CallEvent(call, T + at, kind, data)


def queued(at: float, call: str, queue: str = "sales", **more: Any) -> CallEvent:
    return event(at, call, "queued", queue=queue, priority=5, since=T + at, **more)


def talk(at: float, call: str, seconds: float = 60.0, hold: float = 0.0) -> list[CallEvent]:
    """Offered, answered after 4 s of ringing, and the agent's part ended."""
    end = event(at + 4 + seconds, call, "offer_ended", result="talked", talk_s=seconds - hold, hold_s=hold)
    return [event(at, call, "offered"), event(at + 4, call, "answered"), end]


def past(*events: CallEvent | AgentEvent, until: float = 3600.0) -> Past:
    found = Past(T, T + until)
    for one in events:
        found.see(one)
    found.close()
    return found


def test_what_is_known_of_a_caller_is_kept() -> None:
    found = past(
        queued(10, "a", brought=2), *talk(20, "a", 60, hold=15), event(84, "a", "ended"),
        queued(30, "b"), event(75, "b", "abandoned"), event(75, "b", "ended"),
    )  # fmt: skip
    one, two = found.arrivals(1, PLAN)
    assert (one.at, one.queue, one.talk, one.priority, one.answer) == (10, "sales", 60, 2, 4)
    assert one.patience == 45.0  # he had more than 14 s; the only one who gave up had 45
    assert (two.at, two.talk, two.patience, two.priority, two.answer) == (30, 60, 45, 5, 4)


def test_who_is_put_into_another_queue_comes_once_who_is_passed_back_twice() -> None:
    found = past(
        queued(0, "moved"), event(30, "moved", "overflowed", reason="time", queue="help"),
        queued(30, "moved", "help", why="time", stint={}),
        event(50, "moved", "abandoned"), event(50, "moved", "ended"),
        queued(5, "back"), *talk(10, "back"), queued(80, "back", "help", stint={}), *talk(90, "back", 30),
        event(130, "back", "ended"),
    )  # fmt: skip
    assert [(stay.call, stay.queue, stay.wait, stay.gave_up, stay.talk) for stay in found.stays] == [
        ("moved", "sales", 50, True, 0), ("back", "sales", 9, False, 60), ("back", "help", 14, False, 30),
    ]  # fmt: skip
    assert found.queues == {"sales": 2, "help": 1}
    assert [one.answer for one in found.arrivals(1, PLAN)] == [4, 4, 4]


def test_an_end_that_is_not_known_is_drawn() -> None:
    """He talks still, or waits still; another one went to the overflow."""
    found = past(
        queued(0, "whole"), *talk(5, "whole", 100), event(109, "whole", "ended"),
        queued(10, "talks"), event(12, "talks", "offered"), event(15, "talks", "answered"),
        queued(20, "waits"), queued(25, "out"),
        event(85, "out", "left", how="key"), event(90, "out", "ended"),
    )  # fmt: skip
    assert [(stay.over, stay.gave_up) for stay in found.stays] == [
        (True, False), (False, False), (False, False), (True, False),
    ]  # fmt: skip
    assert [(one.talk, one.patience) for one in found.arrivals(1, PLAN)] == [(100, None)] * 4
    with pytest.raises(NothingToDraw):
        list(past(queued(20, "waits")).arrivals(1, PLAN))
    assert list(past().arrivals(1, PLAN)) == []


def test_ringing_is_shorter_than_the_queue_lets_ring() -> None:
    long = [event(5, "a", "offered"), event(13, "a", "answered"), event(14, "a", "ended")]
    (one,) = past(queued(0, "a", "help"), *long).arrivals(1, PLAN)
    assert one.answer == 4.0


def test_only_who_came_in_that_time_counts() -> None:
    found = past(
        event(1, "before", "offered"), queued(-5, "early"), queued(10, "in"), queued(70, "late"), until=60
    )
    assert [stay.call for stay in found.stays] == ["in"]
    assert found.seconds == 60


def test_one_draw_does_not_depend_on_the_others() -> None:
    """Two plans, or a queue more, meet the same callers."""
    calls = [one for n in range(50) for one in (
        queued(n, f"g{n}"), event(n + 7 * n % 40, f"g{n}", "abandoned"), event(90, f"g{n}", "ended"),
        queued(n, f"a{n}"), *talk(n + 3, f"a{n}", 30 + n), event(200, f"a{n}", "ended"),
    )]  # fmt: skip
    first = list(past(*calls).arrivals(1, PLAN))
    assert first == list(past(*calls).arrivals(1, PLAN))
    assert first != list(past(*calls).arrivals(2, PLAN))


@pytest.mark.parametrize(
    ("state", "reason", "there", "pause"),
    [
        ("logged_out", "", False, ""),
        ("available", "", True, ""),
        ("talking", "lunch", True, "lunch"),
        ("wrap_up", "logging_out", False, ""),
        ("offered", "", True, ""),
        ("paused", "break", True, "break"),
        ("unreachable", "not_registered", True, ELSEWHERE),
        ("unreachable", "dead", True, ""),
        ("cooldown", "missed", True, ""),
        ("busy_elsewhere", "", True, ELSEWHERE),
    ],
)
def test_duty(state: str, reason: str, there: bool, pause: str) -> None:
    assert state in AGENT_STATES
    assert duty(state, reason) == (there, pause)


def test_agents_are_there_as_they_were_and_a_new_one_as_long_as_anybody() -> None:
    found = past(
        AgentEvent("ann", T, "logged_out"), AgentEvent("bob", T, "available"),
        AgentEvent("ann", T + 100, "available"), AgentEvent("bob", T + 200, "paused", "lunch"),
        AgentEvent("bob", T + 300, "logged_out"), AgentEvent("ann", T + 900, "logged_out"),
        AgentEvent("ann", T + 4000, "available"),
    )  # fmt: skip
    assert found.duties(PLAN) == [
        Duty(0, "ann", False), Duty(0, "bob", True), Duty(0, "new", True), Duty(100, "ann", True),
        Duty(200, "bob", True, "lunch"), Duty(300, "bob", False), Duty(900, "ann", False),
        Duty(900, "new", False),
    ]  # fmt: skip
    assert past().duties(PLAN) == []
