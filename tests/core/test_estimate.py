"""What a caller's wait is reckoned to be: small cases by hand, and what must hold of any."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scene import Scene, records, some
from simulator import plan_of

from ccbridge.core import estimate
from ccbridge.core import inputs as i
from ccbridge.core.effects import Announce as Told
from ccbridge.core.effects import Effect, PlaceOffer
from ccbridge.core.pace import FIRST_RING, Pace
from ccbridge.core.plan import Announce, Plan, QueuePlan, Rule
from ccbridge.core.records import CallEvent

TALK, WRAP_UP = 100.0, 20.0


def queue(name: str = "sales", **more: object) -> QueuePlan:
    given: dict[str, object] = {
        "ring": 10, "wrap_up": WRAP_UP, "max_wait": 9000, "overflow": "9", "expected_talk": TALK,
    }  # fmt: skip
    return QueuePlan(name, **(given | more))  # type: ignore[arg-type]


def site(agents: int, *queues: QueuePlan) -> Plan:
    queues = queues or (queue(),)
    names = tuple(one.name for one in queues)
    return plan_of({one.name: one for one in queues}, {f"a{n}": names for n in range(agents)})


def staffed(plan: Plan) -> Scene:
    return Scene(plan, " ".join(plan.agents))


def answer(scene: Scene, offer: PlaceOffer) -> None:
    leg = scene.ring(offer)
    for channel in (leg, offer.call):
        scene.tell(i.BridgeEntered, channel, f"b-{offer.call}")


def at_work(plan: Plan) -> Scene:
    """Everybody is logged in and has begun to talk, in his first queue."""
    scene = staffed(plan)
    for name, agent in plan.agents.items():
        answer(scene, some(scene.hold(f"talks-{name}", agent.queues[0])))
    return scene


def reckoned(scene: Scene, call: str) -> dict[str, object]:
    """The last estimate of this call that was written."""
    found = [one for one in records(scene.said, CallEvent) if one.call == call and one.kind == "estimated"]
    return dict(found[-1].data)


def wait(scene: Scene, call: str) -> float | None:
    scene.tell(i.Tick)
    return estimate.wait(scene.board.world, scene.board.world.calls[call])


def announced(effects: list[Effect]) -> list[tuple[int, int]]:
    return [(one.position, one.minutes) for one in effects if isinstance(one, Told)]


# -- by hand. Nothing has rung yet but for 0 s, so a ring is FIRST_RING less a tenth for each answer


def ring(agents: int) -> float:
    return FIRST_RING * max(0, 10 - agents) / 10


def test_one_agent_who_talks() -> None:
    """The rest of an exponential talk is a whole one, however long it has lasted; then his wrap-up."""
    scene = at_work(site(1))
    scene.hold("c1")
    assert reckoned(scene, "c1")["wait_s"] == pytest.approx(TALK + WRAP_UP + ring(1), abs=0.1)
    scene.wait(60)
    assert wait(scene, "c1") == pytest.approx(TALK + WRAP_UP + ring(1), abs=0.1)
    scene.hold("c2")
    cycle = ring(1) + TALK + WRAP_UP
    assert wait(scene, "c2") == pytest.approx(TALK + WRAP_UP + cycle + ring(1), abs=0.1)


@pytest.mark.parametrize("agents", [2, 10, 40])
def test_of_many_agents_the_first_is_free_soon(agents: int) -> None:
    scene = at_work(site(agents))
    cycle = ring(agents) + TALK + WRAP_UP
    for ahead in range(5):
        scene.hold(f"c{ahead}")
        free = WRAP_UP + TALK / agents + ahead * cycle / agents
        assert wait(scene, f"c{ahead}") == pytest.approx(free + ring(agents), rel=0.001)


def test_a_wrap_up_ends_when_it_ends() -> None:
    scene = at_work(site(1))
    scene.wait(30)
    scene.tell(i.ChannelGone, "talks-a0", 16)
    scene.tell(i.ChannelGone, "leg-or" + "x1", 16)
    scene.wait(5)
    assert scene.agent("a0")[0] == "wrap_up"
    scene.hold("c1")
    assert wait(scene, "c1") == pytest.approx(WRAP_UP - 5 + ring(1), abs=0.1)


def test_an_agents_own_wrap_up() -> None:
    plan = site(1)
    plan = replace(plan, agents={"a0": replace(plan.agents["a0"], wrap_up=3.0)})
    scene = at_work(plan)
    scene.hold("c1")
    assert wait(scene, "c1") == pytest.approx(TALK + 3.0 + ring(1), abs=0.1)


def test_nobody_is_there() -> None:
    scene = Scene(site(2), "")
    scene.hold("c1")
    assert reckoned(scene, "c1") == {
        "queue": "sales", "position": 1, "wait_s": None, "app_queue_s": None, "said": [0, 0],
    }  # fmt: skip


@pytest.mark.parametrize("away", ["paused", "logged out", "no phone", "another call"])
def test_who_is_away_counts_for_nothing(away: str) -> None:
    scene = staffed(site(1))
    if away == "paused":
        scene.tell(i.Pause, "a0", "break", 1)
    elif away == "logged out":
        scene.tell(i.LogOut, "a0", 1)
    else:
        scene.tell(i.DeviceChanged, "PJSIP/a0", "UNAVAILABLE" if away == "no phone" else "INUSE")
    scene.hold("c1")
    assert wait(scene, "c1") is None


def test_who_pauses_after_his_talk_serves_nobody() -> None:
    scene = at_work(site(1))
    scene.hold("c1")
    assert wait(scene, "c1") is not None
    scene.tell(i.Pause, "a0", "break", 1)
    assert wait(scene, "c1") is None


def test_those_ahead_have_their_own_skills() -> None:
    """Ten ahead in a queue that only others serve do not make him wait; the same ten in his own do."""
    agents = {"a0": ("mine",), "a1": ("other",)}
    plan = plan_of({"mine": queue("mine"), "other": queue("other", priority=9)}, agents)
    scene = at_work(plan)
    scene.hold("c", "mine")
    alone = wait(scene, "c")
    for n in range(10):
        scene.hold(f"o{n}", "other")
    assert wait(scene, "c") == alone
    both = plan_of(plan.queues, {"a0": ("mine", "other"), "a1": ("mine", "other")})
    scene = at_work(replace(both, queues={**plan.queues}))
    scene.hold("c", "mine")
    before = wait(scene, "c")
    assert before is not None
    for n in range(10):
        scene.hold(f"o{n}", "other")
    after = wait(scene, "c")
    assert after is not None
    assert after - before == pytest.approx(10 * (TALK + WRAP_UP + ring(2)) / 2, rel=0.05)


def test_a_rule_that_will_relax_is_waited_for() -> None:
    """An agent who is free but lacks the skill takes him once it is not asked for any more."""
    greek = queue(rules=(Rule(0, {"greek": 3}), Rule(50)))
    plan = plan_of({"sales": greek}, {"ann": ("sales",)})
    scene = staffed(plan)
    scene.hold("c1")
    assert reckoned(scene, "c1")["wait_s"] == pytest.approx(50 + ring(0), abs=0.1)
    scene.wait(20)
    assert wait(scene, "c1") == pytest.approx(30 + ring(0), abs=0.1)
    scene.hold("c2")  # has to let him go first, who is served for a whole cycle
    assert wait(scene, "c2") == pytest.approx(30 + (ring(0) + TALK + WRAP_UP) + ring(0), abs=0.5)


def test_the_mean_of_talks_is_learned() -> None:
    pace = Pace()
    plan = queue()
    assert pace.talk_now(plan) == TALK
    for _ in range(5):
        pace.talked(20.0)
    assert pace.talk_now(plan) == pytest.approx((5 * 20 + 5 * TALK) / 10)
    for _ in range(5):
        pace.talked(40.0)
    assert pace.talk_now(plan) == pytest.approx(30.0)
    for _ in range(2000):
        pace.talked(90.0)
    assert pace.talk_now(plan) == pytest.approx(90.0, rel=0.01)


def test_app_queue_is_as_in_its_source() -> None:
    pace = Pace()
    assert pace.app_queue(0.0) is None
    for seconds, hold in ((40.9, 40), (10.0, 32), (0.0, 24), (100.0, 43)):
        pace.answered(1.0, seconds)
        assert pace.hold == hold
    assert (pace.app_queue(0.0), pace.app_queue(40.0), pace.app_queue(100.0)) == (43, 3, 57)


# -- told


def test_what_is_told_and_when() -> None:
    plan = site(1, queue(announce=Announce(first=10, every=30, max_position=2)))
    scene = at_work(plan)
    assert announced([*scene.tell(i.Tick)]) == []
    for n in range(3):
        assert scene.hold(f"c{n}") is None
    assert announced(scene.said) == []  # reckoned, not told
    assert [reckoned(scene, f"c{n}")["position"] for n in range(3)] == [1, 2, 3]
    assert announced(scene.wait(9.9)) == []
    assert announced(scene.wait(0.2)) == [(1, 2), (2, 4), (0, 6)]  # a third place is not told
    assert announced(scene.wait(29.7)) == []
    assert announced(scene.wait(0.3)) == [(1, 2), (2, 4), (0, 6)]
    scene.tell(i.ChannelGone, "c0", 16)
    assert announced(scene.wait(30.1)) == [(1, 2), (2, 4)]


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (Announce(first=0), [(1, 2)]),
        (Announce(first=0, wait=False), [(1, 0)]),
        (Announce(first=0, position=False), [(0, 2)]),
        (Announce(first=0, position=False, wait=False), []),
    ],
)
def test_one_of_both(what: Announce, told: list[tuple[int, int]]) -> None:
    scene = at_work(site(1, queue(announce=what)))
    scene.queue("c")
    assert announced(scene.tell(i.CallHolding, "c", "sales", 0, 0.0)) == told


def test_a_wait_that_max_wait_ends_before_is_not_told() -> None:
    scene = at_work(site(1, queue(announce=Announce(first=0), max_wait=90)))
    scene.hold("c")
    assert announced(scene.said) == [(1, 0)]


def test_who_is_given_to_an_agent_is_told_no_more() -> None:
    plan = site(1, queue(announce=Announce(first=10, every=10)))
    scene = at_work(plan)
    scene.hold("c")
    assert len(announced(scene.wait(11))) == 1
    scene.tell(i.ChannelGone, "talks-a0", 16)
    scene.tell(i.ChannelGone, "leg-orx1", 16)
    scene.wait(WRAP_UP)
    assert scene.state("c") == "offered"
    assert announced(scene.wait(9)) == []


def test_without_a_link_nobody_is_told() -> None:
    scene = at_work(site(1, queue(announce=Announce(first=10, every=10))))
    scene.hold("c")
    scene.tell(i.LinkDown, "cut")
    assert announced(scene.wait(60)) == []
    scene.is_at("c", "ccbridge-hold")
    scene.is_at("talks-a0", "ccbridge-offer", "orx1", bridge="b-talks-a0")
    scene.is_at("leg-orx1", "", "", bridge="b-talks-a0", name="PJSIP/a0-1", linked="talks-a0")
    assert len(announced(scene.link_up())) == 1
    assert len(announced(scene.wait(9.9))) == 0
    assert len(announced(scene.wait(0.2))) == 1


def test_a_restart_goes_on_telling() -> None:
    scene = at_work(site(2, queue(announce=Announce(first=10, every=30))))
    scene.hold("c")
    assert len(announced(scene.wait(11))) == 1
    before = wait(scene, "c")
    paces = scene.board.world.paces
    scene.restart(away=1.0)
    assert scene.board.world.paces == paces
    for n in range(2):
        scene.is_at(f"talks-a{n}", "ccbridge-offer", f"orx{n + 1}", bridge=f"b-talks-a{n}")
        scene.is_at(
            f"leg-orx{n + 1}", "", "", bridge=f"b-talks-a{n}", name=f"PJSIP/a{n}-1", linked=f"talks-a{n}"
        )
    scene.is_at("c", "ccbridge-hold")
    effects = scene.link_up()
    assert [one.kind for one in records(effects, CallEvent) if one.call == "c"] == []
    assert wait(scene, "c") == before
    assert announced(scene.wait(27)) == []
    assert len(announced(scene.wait(2))) == 1


# -- whatever the line is like


@given(
    st.integers(1, 6),
    st.lists(st.tuples(st.sampled_from(["q", "r"]), st.integers(-2, 2)), min_size=1, max_size=12),
    st.lists(st.sampled_from([("q",), ("r",), ("q", "r")]), min_size=6, max_size=6),
    st.booleans(),
)
def test_who_comes_later_waits_no_shorter(
    agents: int, callers: list[tuple[str, int]], serve: list[tuple[str, ...]], relaxes: bool
) -> None:
    rules = (Rule(0, {"greek": 1}), Rule(30)) if relaxes else (Rule(),)
    queues = {"q": queue("q", rules=rules), "r": queue("r")}
    plan = plan_of(queues, {f"a{n}": serve[n] for n in range(agents)}, {"a0": {"greek": 1}})
    scene = at_work(plan) if not relaxes else staffed(plan)
    for n, (name, priority) in enumerate(callers):
        scene.hold(f"c{n}", name, priority)
    w = scene.board.world
    held = [call for call in w.calls.values() if call.state.value == "holding"]
    for name in queues:
        line = sorted((call for call in held if call.queue == name), key=w.place)
        assert [estimate.position(w, call) for call in line] == list(range(1, len(line) + 1))
        waits = [estimate.wait(w, call) for call in line]
        there = any(name in agent.plan.queues for agent in w.agents.values())
        assert all((one is not None) == there for one in waits)
        known = [one for one in waits if one is not None]
        assert all(one >= 0 for one in known)
        assert all(one <= other + 0.11 for one, other in pairwise(known))


def test_the_cost_is_bounded() -> None:
    """2,000 callers in 40 lines, 400 agents: an estimate looks at a part of them."""
    names = [f"q{n}" for n in range(20)]
    rules = (Rule(0, {"s": 3}), Rule(5, {"s": 2}), Rule(20))
    queues = {name: queue(name, rules=rules) for name in names}
    serve = {f"a{n}": tuple(names[(n + k) % 20] for k in (0, 7, 13)) for n in range(400)}
    plan = plan_of(queues, serve, {f"a{n}": {"s": n % 5} for n in range(400)})
    scene = staffed(plan)
    for n in range(400):
        scene.hold(f"talks-{n}", names[n % 20])
    scene.wait(21)
    for effect in [one for one in scene.said if isinstance(one, PlaceOffer)]:
        answer(scene, effect)
    talking = sum(scene.agent(name)[0] == "talking" for name in plan.agents)
    assert talking > 300
    for n in range(2000):
        scene.hold(f"c{n}", names[n % 20])
        if not n % 100:
            scene.wait(1.0)
    took = []
    for n in range(0, 2000, 50):
        begun = time.process_time()
        found = wait(scene, f"c{n}")
        took.append(time.process_time() - begun)
        assert found is not None
    print(f"an estimate: {sorted(took)[len(took) // 2] * 1000:.1f} ms, at most {max(took) * 1000:.1f}")
    assert sorted(took)[len(took) // 2] < 0.05
    # about what the rates say: each agent takes one every cycle
    last = wait(scene, "c1999")
    assert last == pytest.approx(2000 / talking * (TALK + WRAP_UP), rel=0.3)
