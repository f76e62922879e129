"""Callers who wait for one agent: the owner of their customer, or the one with whom they talked last."""

from dataclasses import replace
from typing import Any

import pytest
from scene import Scene, placed, some
from simulator import plan_of

from ccbridge.core import explain, view
from ccbridge.core import inputs as i
from ccbridge.core.effects import Append, Effect, LookUpCustomer, PlaceOffer
from ccbridge.core.plan import QueuePlan, Rule
from ccbridge.core.records import CallEvent

NUMBER = "+302101234567"
PLAN = plan_of(
    {
        "sales": QueuePlan(
            "sales", ring=30, wrap_up=10, max_wait=120, overflow="900", owner=10, last_agent=20
        ),
        "help": QueuePlan("help", ring=30, wrap_up=10, max_wait=120, overflow="900"),
        "greek": QueuePlan(
            "greek", ring=30, wrap_up=10, max_wait=120, overflow="900", last_agent=20,
            rules=(Rule(0, {"greek": 5}), Rule(5)),
        ),
    },
    {"ann": ("sales", "help"), "bob": ("sales", "help", "greek"), "cyd": ("sales", "greek")},
    {"cyd": {"greek": 5}},
    last_agent_days=9,
)  # fmt: skip


def known(
    scene: Scene, call: str, queue: str = "sales", owner: str = "", last_agent: str = ""
) -> PlaceOffer | None:
    """A customer whom the lookup knows calls and holds; the offer that follows at once, if one does."""
    scene.arrive(call, NUMBER)
    scene.tell(i.CustomerFound, call, 7, "Zoë", 0, owner, last_agent)
    scene.tell(i.CallQueued, call, queue, 0)
    return placed(scene.tell(i.CallHolding, call, queue, 0, 0.0))


def busy(scene: Scene, *agents: str) -> None:
    """Each of them talks with somebody."""
    for agent in agents:
        offer = known(scene, f"of {agent}", last_agent=agent)
        assert who(scene, offer) == agent
        scene.answer(some(offer))


def who(scene: Scene, offer: PlaceOffer | None) -> str:
    return "" if offer is None else scene.board.world.rounds[offer.offer][0].agent


def over(scene: Scene, agent: str) -> list[Effect]:
    """His talk is over."""
    call, leg = f"of {agent}", scene.board.world.offers[scene.board.world.agents[agent].offer].leg
    said = scene.tell(i.HangupAsked, call)
    return said + scene.tell(i.ChannelGone, call, 16) + scene.tell(i.ChannelGone, leg, 16)


def events(said: list[Effect], kind: str) -> list[dict[str, Any]]:
    found = [x.record for x in said if isinstance(x, Append) and isinstance(x.record, CallEvent)]
    return [dict(one.data) for one in found if one.kind == kind]


def test_he_gets_his_caller_before_one_who_has_been_idle_longer() -> None:
    scene = Scene(PLAN, "ann")
    scene.wait(30)
    scene.tell(i.LogIn, "bob", 1)
    assert who(scene, known(scene, "c1", last_agent="bob")) == "bob"
    assert who(scene, scene.hold("c2")) == "ann"
    assert {x.days for x in scene.said if isinstance(x, LookUpCustomer)} == {9}


def test_the_owner_comes_first_and_then_the_last_agent_and_then_anybody() -> None:
    scene = Scene(PLAN, "ann bob cyd")
    busy(scene, "ann", "bob")
    assert known(scene, "c1", owner="ann", last_agent="bob") is None
    (told,) = events(scene.said, "waiting")
    assert told["wish"] == {"agent": "ann", "why": "owner", "left_s": 10.0}
    assert told["why"]["counts"] == {"talking": 2, "not_wished": 1}
    assert told["why"]["named"][-1] == {"agent": "cyd", "why": "not_wished"}
    assert placed(scene.wait(9.9)) is None
    (told,) = events(scene.wait(0.2), "waiting")
    assert told["wish"] == {"agent": "bob", "why": "last_agent", "left_s": 10.0}
    assert placed(scene.wait(9.8)) is None
    assert who(scene, placed(scene.wait(0.2))) == "cyd"


def test_when_his_agent_is_free_in_time_he_gets_him() -> None:
    scene = Scene(PLAN, "ann bob")
    busy(scene, "bob")
    assert known(scene, "c1", last_agent="bob") is None
    over(scene, "bob")
    assert scene.agent("bob")[0] == "wrap_up"
    assert who(scene, placed(scene.wait(10.1))) == "bob"


@pytest.mark.parametrize(
    "goes",
    [(i.Pause, "bob", "lunch", 1), (i.LogOut, "bob", 1), (i.DeviceChanged, "PJSIP/bob", "UNAVAILABLE")],
)
def test_when_his_agent_goes_nobody_waits_for_him(goes: tuple[Any, ...]) -> None:
    """Also in the middle of a talk."""
    scene = Scene(PLAN, "ann bob")
    busy(scene, "bob")
    assert known(scene, "c1", last_agent="bob") is None
    scene.wait(3)
    assert who(scene, placed(scene.tell(*goes))) == "ann"


@pytest.mark.parametrize("last_agent", ["bob", "cyd", "dan"])
def test_nobody_waits_for_one_who_is_not_there(last_agent: str) -> None:
    """Paused, logged out, unknown."""
    scene = Scene(PLAN, "ann bob")
    scene.tell(i.Pause, "bob", "lunch", 1)
    assert who(scene, known(scene, "c1", last_agent=last_agent)) == "ann"


def test_when_his_agent_comes_he_waits_for_him() -> None:
    scene = Scene(PLAN, "bob ann")
    busy(scene, "ann", "bob")
    scene.tell(i.Pause, "bob", "lunch", 1)
    assert known(scene, "c1", last_agent="bob") is None
    assert "wish" not in events(scene.said, "waiting")[-1]
    (told,) = events(scene.tell(i.Unpause, "bob", 1), "waiting")
    assert told["wish"]["agent"] == "bob"


def test_a_queue_that_does_not_ask_for_it_waits_for_nobody() -> None:
    scene = Scene(PLAN, "ann bob")
    busy(scene, "bob")
    assert who(scene, known(scene, "c1", "help", owner="bob", last_agent="bob")) == "ann"


def test_one_waits_only_for_an_agent_who_qualifies() -> None:
    scene = Scene(PLAN, "bob cyd")
    busy(scene, "cyd")
    assert known(scene, "c1", "greek", last_agent="bob") is None
    assert "wish" not in events(scene.said, "waiting")[-1]
    assert who(scene, placed(scene.wait(5.1))) == "bob"


def test_a_lookup_that_is_late_lines_him_up_anew() -> None:
    scene = Scene(PLAN, "ann bob")
    busy(scene, "ann", "bob")
    scene.hold("c1")
    scene.tell(i.CustomerFound, "c1", 7, "Zoë", 0, "", "bob")
    over(scene, "ann")
    assert placed(scene.wait(15)) is None
    assert who(scene, placed(scene.wait(5.1))) == "ann"


def test_a_restart_keeps_him_waiting() -> None:
    scene = Scene(PLAN, "ann bob")
    busy(scene, "bob")
    assert known(scene, "c1", last_agent="bob") is None
    scene.is_at("c1", "ccbridge-hold")
    scene.is_at("of bob", "ccbridge-offer", bridge="b")
    leg = scene.board.world.offers[scene.board.world.agents["bob"].offer].leg
    scene.is_at(leg, "ccbridge-agent", name="PJSIP/bob-1", linked="of bob", bridge="b")
    scene.restart()
    assert placed(scene.link_up()) is None
    assert who(scene, placed(scene.wait(20))) == "ann"


def test_what_people_are_told_of_it() -> None:
    scene = Scene(PLAN, "ann bob")
    busy(scene, "bob")
    known(scene, "c1", last_agent="bob")
    scene.wait(4)
    at, now = 1_700_000_000.0 + scene.t, 5_000.0 + scene.t
    live = explain.call(scene.board, "c1", at, now)
    assert live is not None
    assert live["now"]["wish"] == {"agent": "bob", "why": "last_agent", "left_s": 16.0}
    ann = explain.agent(scene.board, "ann", at, now)
    assert ann is not None
    (sales,) = (one for one in ann["serves"] if one["queue"] == "sales")
    assert (sales["waiting"], sales["fits"]) == (1, 0)
    assert sales["beyond"][0]["wish"]["agent"] == "bob"
    row = view.queue(scene.board, "sales", at, now)
    assert row is not None
    assert row["line"][0]["position"] == 1
    assert row["line"][0]["expected_wait_s"] > 10  # ann is free, and not asked before that


def test_the_wish_ends_in_time_also_when_there_is_no_link_to_send_him_elsewhere() -> None:
    scene = Scene(replace(PLAN, queues={"sales": replace(PLAN.queues["sales"], max_wait=5.0)}), "ann bob")
    busy(scene, "bob")
    assert known(scene, "c1", last_agent="bob") is None
    scene.tell(i.LinkDown, "cut")
    scene.wait(30)
    call = scene.board.world.calls["c1"]
    assert (call.state.value, call.wish) == ("holding", None)
