"""A reload changes what comes next, and nothing of what goes on."""

from __future__ import annotations

from dataclasses import replace

from scene import TWO, Scene, moved_out, placed, some
from simulator import plan_of

from ccbridge.core import inputs as i
from ccbridge.core.effects import Append, PlaceOffer
from ccbridge.core.plan import Plan, QueuePlan, Rule
from ccbridge.core.records import AgentEvent, CallEvent

PEOPLE = {name: ("sales",) for name in ("ann", "bob", "cyd", "dan", "eva")}
SALES = QueuePlan("sales", ring=10, wrap_up=10, max_wait=60, overflow="900")
OLD = plan_of({"sales": SALES}, PEOPLE)


def changed(plan: Plan) -> Plan:
    """Everything that may be otherwise, is."""
    sales = replace(
        SALES, ring=20, wrap_up=99, max_wait=300, overflow="901", priority=7, strategy="linear",
        rules=(Rule(0, {"greek": 1}), Rule(30)),
    )  # fmt: skip
    agents = {
        name: replace(agent, name="X", skills={"greek": 2}, number=9 - agent.number)
        for name, agent in plan.agents.items()
    }
    return replace(plan, queues={"sales": sales}, agents=agents, miss_cooldown=1.0, ageing=3.0)


def busy() -> tuple[Scene, dict[str, str]]:
    """ann talks, bob rings, cyd is in wrap-up, dan is paused, eva is logged out; two callers hold."""
    scene = Scene(OLD, "")
    legs = {}
    for agent, call in (("ann", "c1"), ("cyd", "c2")):
        scene.tell(i.LogIn, agent, 1)
        legs[agent] = scene.answer(some(scene.hold(call)))
    scene.tell(i.HangupAsked, "c2")
    scene.tell(i.ChannelGone, "c2", 16)
    scene.tell(i.ChannelGone, legs["cyd"], 16)
    scene.tell(i.LogIn, "dan", 1)
    scene.tell(i.Pause, "dan", "lunch", 1)
    scene.tell(i.LogIn, "bob", 1)
    legs["bob"] = scene.ring(some(scene.hold("c3")))
    assert scene.hold("c4") is scene.hold("c5") is None
    return scene, legs


def test_nothing_that_goes_on_changes() -> None:
    scene, legs = busy()
    people = ("ann", "bob", "cyd", "dan", "eva")
    before = {name: scene.agent(name) for name in people}
    assert [state for state, _ in before.values()] == [
        "talking", "offered", "wrap_up", "paused", "logged_out",
    ]  # fmt: skip
    calls = {name: scene.state(name) for name in ("c1", "c3", "c4", "c5")}
    wrap_up = scene.board.world.agents["cyd"].wrap_due
    effects = scene.tell(i.PlanLoaded, changed(OLD))
    told = [x.record for x in effects if isinstance(x, Append)]
    assert not [one for one in told if isinstance(one, CallEvent | AgentEvent)]
    assert not [x for x in effects if isinstance(x, PlaceOffer)]
    assert {name: scene.agent(name) for name in people} == before
    assert {name: scene.state(name) for name in calls} == calls
    assert scene.board.world.agents["cyd"].wrap_due == wrap_up
    # the phone that rings has its own ten seconds, and its lease
    offer = scene.board.world.offers[scene.board.world.calls["c3"].offer]
    assert offer.ring == 10
    # the talk goes on to its end, and the wrap-up that follows is the new one
    scene.tell(i.HangupAsked, "c1")
    scene.tell(i.ChannelGone, "c1", 16)
    scene.tell(i.ChannelGone, legs["ann"], 16)
    assert scene.closed("c1").disposition == "answered"
    due = scene.board.world.agents["ann"].wrap_due
    assert due is not None
    assert due - scene.board.world.now == 99
    # cyd's runs as it was begun; he then takes the first of those who wait, in the old order
    (first,) = [x for x in scene.wait(10.1) if isinstance(x, PlaceOffer)]
    assert (first.call, first.devices, first.ring) == ("c4", ("PJSIP/cyd",), 20)
    # the last one has the new limit of waiting
    scene.tell(i.LogOut, "ann", 1)
    assert moved_out(scene.wait(60)) == []
    assert moved_out(scene.wait(235)) == ["901"]


def test_an_answer_in_the_moment_of_the_reload_counts() -> None:
    scene, legs = busy()
    scene.tell(i.PlanLoaded, changed(OLD))
    scene.tell(i.BridgeEntered, legs["bob"], "b3")
    scene.tell(i.BridgeEntered, "c3", "b3")
    assert scene.agent("bob") == ("talking", "")
    assert scene.state("c3") == "talking"


def test_who_waits_keeps_his_place() -> None:
    scene, _ = busy()
    scene.tell(i.PlanLoaded, changed(OLD))
    scene.tell(i.Unpause, "dan", 1)
    assert placed(scene.said[-6:]) is not None
    assert scene.state("c4") == "offered"
    assert scene.state("c5") == "holding"


def test_who_was_taken_out_while_the_daemon_was_away_is_logged_out() -> None:
    scene = Scene()
    scene.plan = replace(TWO, agents={"ann": TWO.agents["ann"]})
    scene.restart()
    scene.link_up()
    assert scene.states("bob") == ["available", "logged_out"]
    scene.tell(i.PlanLoaded, TWO)
    assert scene.agent("bob") == ("logged_out", "")
    assert scene.states("bob") == ["available", "logged_out"]
    scene.restart()
    scene.link_up()
    assert scene.states("bob") == ["available", "logged_out"]
