"""Calls that agents pass on, in the orders in which Asterisk 22 and 16 tell it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from scene import Scene, some
from simulator import EPOCH

from ccbridge.core import inputs as i
from ccbridge.core.bridges import Bridges

ANN, BOB, TRUNK = "PJSIP/ann-01", "PJSIP/bob-02", "PJSIP/carrier-03"
ONE, TWO = "Local/102@phones-01;1", "Local/102@phones-01;2"


def told(scene: Scene, *steps: tuple[Any, ...]) -> None:
    for kind, *rest in steps:
        scene.tell(kind, *rest)


def enter(channel: str, bridge: str, name: str, swap: str = "") -> tuple[Any, ...]:
    return (i.BridgeEntered, channel, bridge, name, swap)


def leave(channel: str, bridge: str) -> tuple[Any, ...]:
    return (i.BridgeLeft, channel, bridge)


def passed_on(leg: str, kind: str, target: str = "102") -> tuple[Any, ...]:
    return (i.ChannelTransferred, leg, kind, target)


def gone(channel: str, cause: int = 16) -> tuple[Any, ...]:
    return (i.ChannelGone, channel, cause)


def talking() -> tuple[Scene, str]:
    """ann has talked with c1 for ten seconds; bob is not at work, but his phone is there."""
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    leg = scene.ring(offer)
    told(scene, enter(leg, "b1", ANN), enter("c1", "b1", TRUNK))
    scene.wait(10)
    return scene, leg


def legs(scene: Scene) -> list[tuple[str, float, float, str]]:
    return [(leg["agent"], leg["talk_s"], leg["hold_s"], leg["end"]) for leg in scene.closed("c1").legs]


def bob_ends_it(scene: Scene, seconds: float = 7.0, *, leg: str = "m", bridge: str = "b2") -> None:
    """bob has the call, hangs up after ``seconds``, and the caller's channel ends."""
    assert (scene.state("c1"), scene.agent("bob")[0]) == ("talking", "talking")
    assert scene.agent("ann") == ("wrap_up", "")
    scene.wait(seconds)
    told(scene, leave(leg, bridge), leave("c1", bridge), gone(leg))
    assert scene.state("c1") == "released"
    scene.tell(i.ChannelGone, "c1", 16)
    account = scene.closed("c1")
    assert (account.disposition, account.ended_by, account.agent) == ("answered", "agent", "bob")
    assert account.talk == sum(leg["talk_s"] for leg in account.legs)
    assert not scene.oddities()
    assert not scene.board.world.offers
    assert not scene.board.world.bridges.where


BLIND = {
    "refer on 22": lambda leg: [
        (i.LegResumed, leg), leave("c1", "b1"), passed_on(leg, "blind"), leave(leg, "b1"), gone(leg),
    ],
    "keys": lambda leg: [
        (i.LegHeld, leg), (i.LegResumed, leg), passed_on(leg, "blind"), leave(leg, "b1"), leave("c1", "b1"),
        gone(leg),
    ],
    "ami": lambda leg: [passed_on(leg, "blind"), leave(leg, "b1"), leave("c1", "b1"), gone(leg)],
}  # fmt: skip


@pytest.mark.parametrize("order", BLIND)
def test_blind_to_another_agent(order: str) -> None:
    scene, leg = talking()
    told(scene, *BLIND[order](leg))
    assert (scene.state("c1"), scene.agent("ann")) == ("transferred", ("wrap_up", ""))
    scene.wait(3)
    told(scene, enter("m", "b2", BOB), enter("c1", "b2", TRUNK))
    bob_ends_it(scene)
    assert legs(scene) == [("ann", 10.0, 0.0, "blind"), ("bob", 7.0, 0.0, "agent")]
    assert scene.events("c1").count("transferred") == 1


@pytest.mark.parametrize("order", BLIND)
def test_blind_and_the_caller_hangs_up_while_it_rings(order: str) -> None:
    scene, leg = talking()
    told(scene, *BLIND[order](leg))
    scene.wait(3)
    told(scene, (i.HangupAsked, "c1"), gone("c1"))
    assert (scene.closed("c1").disposition, scene.closed("c1").ended_by) == ("answered", "caller")
    assert not scene.oddities()


@pytest.mark.parametrize("late", [False, True])
def test_attended_by_refer(late: bool) -> None:
    """The consultation is a call of its own; the caller takes the place of ann's second leg in it."""
    scene, leg = talking()
    told(scene, (i.LegHeld, leg), enter("a2", "b2", "PJSIP/ann-09"))
    scene.wait(2)
    told(scene, enter("m", "b2", BOB))
    scene.wait(4)
    assert scene.agent("bob") == ("logged_out", "")  # a call of his own, as yet
    both = [enter("c1", "b2", TRUNK, "a2"), passed_on(leg, "attended")]
    told(
        scene, (i.LegResumed, leg), (i.LegResumed, "a2"), leave("c1", "b1"),
        *([] if late else [leave("a2", "b2")]), *both, leave(leg, "b1"), gone(leg), gone("a2"),
    )  # fmt: skip
    bob_ends_it(scene)
    assert legs(scene) == [("ann", 10.0, 6.0, "attended"), ("bob", 7.0, 0.0, "agent")]


def consult_by_keys(scene: Scene, leg: str, *, answered: bool = True) -> None:
    told(
        scene, (i.LegHeld, leg), enter("l1", "b2", ONE), leave(leg, "b1"), enter(leg, "b2", ANN),
    )  # fmt: skip
    scene.wait(3)
    if answered:
        told(scene, enter("m", "b3", BOB), enter("l2", "b3", TWO))
        scene.wait(2)
    assert scene.state("c1") == "talking"
    assert scene.agent("ann")[0] == "talking"


OPTIMISED = {
    "the caller moves": [
        leave("c1", "b1"), leave("l2", "b3"), enter("c1", "b3", TRUNK, "l2"), leave("l1", "b1"), gone("l1"),
        gone("l2"),
    ],
    "the target moves": [
        leave("m", "b3"), leave("l1", "b1"), enter("m", "b1", BOB, "l1"), gone("l1"), leave("l2", "b3"),
        gone("l2"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("way", OPTIMISED)
def test_attended_by_keys(way: str) -> None:
    """The two are joined over a Local pair at once, which counts as together; it goes some 400 ms later."""
    scene, leg = talking()
    consult_by_keys(scene, leg)
    told(
        scene, (i.HangupAsked, leg), leave("l1", "b2"), enter("l1", "b1", ONE), leave(leg, "b2"),
        passed_on(leg, "attended"), gone(leg),
    )  # fmt: skip
    assert scene.agent("bob")[0] == "talking"
    scene.wait(0.4)
    told(scene, *OPTIMISED[way])
    bob_ends_it(scene, 6.6, bridge="b3" if way == "the caller moves" else "b1")
    assert legs(scene) == [("ann", 10.0, 5.0, "attended"), ("bob", 7.0, 0.0, "agent")]


def test_blonde_by_keys() -> None:
    """ann hangs up while bob's phone rings; Asterisk tells the end of her channel only when he answers."""
    scene, leg = talking()
    consult_by_keys(scene, leg, answered=False)
    told(
        scene, (i.HangupAsked, leg), leave(leg, "b2"), leave("l1", "b2"), enter("l1", "b1", ONE),
        passed_on(leg, "attended", ""),
    )  # fmt: skip
    assert (scene.state("c1"), scene.agent("ann")) == ("transferred", ("wrap_up", ""))
    scene.wait(4)
    told(scene, enter("m", "b3", BOB), enter("l2", "b3", TWO), gone(leg), *OPTIMISED["the target moves"])
    bob_ends_it(scene, bridge="b1")
    assert legs(scene) == [("ann", 10.0, 3.0, "blonde"), ("bob", 7.0, 0.0, "agent")]


@pytest.mark.parametrize("order", ["22", "16"])
def test_blonde_by_refer(order: str) -> None:
    scene, leg = talking()
    told(scene, (i.LegHeld, leg))
    scene.wait(1)
    told(scene, (i.LegResumed, leg), passed_on(leg, "attended"))
    out = [leave("c1", "b1"), leave(leg, "b1"), gone(leg)]
    told(scene, *(out if order == "22" else [leave(leg, "b1"), gone(leg), leave("c1", "b1")]), gone("a2"))
    scene.wait(2)
    told(scene, enter("m", "b2", BOB), enter("c1", "b2", TRUNK))
    bob_ends_it(scene)
    assert legs(scene) == [("ann", 10.0, 1.0, "blonde"), ("bob", 7.0, 0.0, "agent")]


def test_a_consultation_that_is_cancelled() -> None:
    scene, leg = talking()
    consult_by_keys(scene, leg)
    told(
        scene, leave("m", "b3"), gone("m"), leave("l2", "b3"), gone("l2"), leave("l1", "b2"),
        leave(leg, "b2"), enter(leg, "b1", ANN), (i.LegResumed, leg), gone("l1"),
    )  # fmt: skip
    scene.wait(4)
    told(scene, (i.HangupAsked, "c1"), leave("c1", "b1"), gone("c1"), gone(leg))
    assert legs(scene) == [("ann", 14.0, 5.0, "caller")]
    assert "transferred" not in scene.events("c1")
    assert not scene.oddities()


@pytest.mark.parametrize("answered", [False, True])
def test_the_caller_hangs_up_during_a_consultation(answered: bool) -> None:
    scene, leg = talking()
    consult_by_keys(scene, leg, answered=answered)
    told(scene, (i.HangupAsked, "c1"), leave("c1", "b1"), gone("c1"))
    assert legs(scene) == [("ann", 10.0, 5.0 if answered else 3.0, "caller")]
    assert scene.agent("ann") == ("wrap_up", "")
    told(scene, leave("l1", "b2"), leave(leg, "b2"), gone("l1"), gone("l2"), gone(leg), gone("m"))
    assert not scene.oddities()
    assert not scene.board.world.bridges.members


def test_hold_is_no_talk() -> None:
    scene, leg = talking()
    scene.tell(i.LegHeld, leg)
    scene.wait(5)
    scene.tell(i.LegResumed, leg)
    scene.wait(3)
    told(scene, (i.HangupAsked, leg), leave(leg, "b1"), leave("c1", "b1"), gone("c1"), gone(leg))
    assert legs(scene) == [
        ("ann", 13.0, 5.0, "agent")
    ]  # heard to hang up, though the caller's end came first
    assert scene.closed("c1").ended_by == "agent"


PARK = {
    "blind first": lambda leg: [passed_on(leg, "blind", "700"), (i.CallParked, "c1", "701")],
    "parked first": lambda leg: [(i.CallParked, "c1", "701"), passed_on(leg, "blind", "700")],
    "by the key": lambda leg: [(i.CallParked, "c1", "701")],
}


@pytest.mark.parametrize("order", PARK)
@pytest.mark.parametrize("back", ["bob takes him", "ann is rung", "nobody"])
def test_park(order: str, back: str) -> None:
    scene, leg = talking()
    told(scene, *PARK[order](leg), leave("c1", "b1"), enter("c1", "lot", TRUNK))
    scene.wait(2)  # ann hears where he is
    told(scene, leave(leg, "b1"), gone(leg))
    assert (scene.state("c1"), scene.agent("ann")) == ("transferred", ("wrap_up", ""))
    scene.wait(20)
    told(scene, leave("c1", "lot"))
    if back == "nobody":
        told(scene, (i.HangupAsked, "c1"), gone("c1"))
        assert legs(scene) == [("ann", 10.0, 0.0, "park")]
        assert scene.closed("c1").ended_by == "caller"
        return
    agent, name = ("bob", BOB) if back == "bob takes him" else ("ann", ANN)
    told(scene, enter("c1", "b3", TRUNK), enter("m", "b3", name))
    assert scene.agent(agent)[0] == "talking"
    scene.wait(4)
    told(scene, (i.HangupAsked, "c1"), gone("c1"), gone("m"))
    assert legs(scene) == [("ann", 10.0, 0.0, "park"), (agent, 4.0, 0.0, "caller")]
    assert scene.events("c1").count("transferred") == 1
    assert not scene.oddities()


def test_two_parked_callers_do_not_talk_with_each_other() -> None:
    scene, leg = talking()
    told(scene, (i.CallParked, "c1", "701"), enter("c1", "lot", TRUNK), leave(leg, "b1"), gone(leg))
    told(scene, enter("x", "lot", "PJSIP/carrier-77"))
    assert scene.state("c1") == "transferred"
    assert not scene.board.world.offers


@pytest.mark.parametrize("agi_first", [False, True])
def test_back_into_a_queue(agi_first: bool) -> None:
    """One of our own numbers: the same call, another stint. FastAGI and AMI have no order between them."""
    scene, leg = talking()
    ami = [passed_on(leg, "blind", "100"), leave(leg, "b1"), leave("c1", "b1"), gone(leg)]
    agi = [(i.CallArrived, "c1", "100", "anonymous", None, "", ""), (i.CallQueued, "c1", "sales", 3)]
    told(scene, *(agi + ami if agi_first else ami + agi))
    assert scene.state("c1") == "queued"
    scene.tell(i.CallHolding, "c1", "sales", 3, 0.0)
    scene.wait(20)  # ann's wrap-up ends on the way
    assert scene.state("c1") == "offered"
    told(scene, (i.HangupAsked, "c1"), gone("c1"))
    account = scene.closed("c1")
    assert (account.disposition, account.wait, account.priority) == ("abandoned", 20.0, 3)
    assert account.talk == 10.0
    (stint,) = account.stints
    assert stint == {"queue": "sales", "answered": True, "wait_s": 0.0, "talk_s": 10.0, "offers": 1}
    assert scene.events("c1").count("transferred") == 1
    assert not scene.oddities()


def test_straight_into_the_hold_loop() -> None:
    scene, leg = talking()
    told(scene, passed_on(leg, "blind"), leave(leg, "b1"), leave("c1", "b1"), gone(leg))
    scene.tell(i.CallHolding, "c1", "sales", 0, 0.0)
    assert scene.state("c1") == "holding"
    assert len(scene.board.world.calls["c1"].stints) == 1


@pytest.mark.parametrize(
    ("cause", "reached", "ended_by", "reason"),
    [
        (3, False, "system", "nobody_reached"),
        (17, False, "system", "nobody_reached"),
        (16, True, "target", None),
    ],
)
def test_who_ended_a_call_that_was_passed_on(
    cause: int, reached: bool, ended_by: str, reason: str | None
) -> None:
    scene, leg = talking()
    told(scene, passed_on(leg, "blind", "+302101234567"), leave(leg, "b1"), leave("c1", "b1"), gone(leg))
    if reached:
        told(scene, enter("x", "b2", "PJSIP/carrier-9"), enter("c1", "b2", TRUNK))
        assert scene.state("c1") == "transferred"
        told(scene, leave("x", "b2"), leave("c1", "b2"))
    effects = scene.tell(i.ChannelGone, "c1", cause)
    assert scene.closed("c1").ended_by == ended_by
    data = [x.record.data for x in effects if getattr(getattr(x, "record", None), "kind", "") == "ended"]
    assert data[0].get("reason") == reason
    assert "+302101234567" not in str(scene.said)  # a number outside is somebody's


def test_a_restart_keeps_what_was_passed_on() -> None:
    scene, leg = talking()
    told(scene, *BLIND["ami"](leg))
    scene.is_at("c1", "phones", "102")
    scene.restart()
    scene.link_up()
    assert scene.state("c1") == "transferred"
    told(scene, enter("m", "b2", BOB), enter("c1", "b2", TRUNK))
    scene.wait(2)
    scene.is_at("c1", "phones", "102", bridge="b2")
    scene.is_at("m", "phones", name=BOB, linked="c1", bridge="b2")
    scene.restart()
    scene.link_up()
    bob_ends_it(scene, 4.0)
    assert legs(scene) == [("ann", 10.0, 0.0, "blind"), ("bob", 7.0, 0.0, "agent")]


def test_an_agent_whom_a_reload_removed_finishes_his_call_over_a_restart() -> None:
    scene, leg = talking()
    plan = replace(scene.plan, agents={"bob": scene.plan.agents["bob"]})
    scene.tell(i.PlanLoaded, plan)
    scene.plan = plan
    offer = scene.board.world.calls["c1"].offer
    scene.is_at("c1", "ccbridge-offer", offer, bridge="b1")
    scene.is_at(leg, "phones", name=ANN, linked="c1", bridge="b1")
    scene.restart()
    scene.link_up()
    assert scene.state("c1") == "talking"
    told(scene, leave(leg, "b1"), leave("c1", "b1"), gone(leg), gone("c1"))
    assert legs(scene)[0][0] == "ann"
    scene.tell(i.PlanLoaded, plan)
    assert "ann" not in scene.board.world.agents
    assert not scene.oddities()


def test_bridges() -> None:
    bridges = Bridges()
    bridges.enter("c", "b1", TRUNK)
    bridges.enter("l1", "b1", ONE)
    assert bridges.around("c") == {"c": TRUNK}
    bridges.enter("l2", "b2", TWO)
    bridges.enter("m", "b2", BOB)
    assert bridges.around("c") == bridges.around("m") == {"c": TRUNK, "m": BOB}
    bridges.enter("m", "b1", BOB, "l1")
    bridges.leave("m", "b2")  # told late
    bridges.leave("l2")
    assert bridges.around("c") == {"c": TRUNK, "m": BOB}
    bridges.leave("m")
    bridges.leave("c", "b1")
    assert (bridges.where, bridges.members, bridges.local) == ({}, {}, {})
    assert bridges.around("nobody") == {}


def two_with_one_caller() -> tuple[Scene, str]:
    """bob has joined (leg ``m``), and ann is still there."""
    scene, leg = talking()
    scene.tell(i.LogIn, "bob", 2)
    told(scene, enter("m", "b1", BOB))
    assert (scene.agent("ann")[0], scene.agent("bob")[0]) == ("talking", "talking")
    scene.wait(3)
    return scene, leg


def all_in_one_bridge(scene: Scene, leg: str, *gone: str) -> None:
    scene.places.clear()
    scene.is_at("c1", "ccbridge-offer", leg.removeprefix("leg-"), bridge="b1")
    for channel, name in ((leg, ANN), ("m", BOB)):
        if channel not in gone:
            scene.is_at(channel, "phones", name=name, linked="c1", bridge="b1")


@pytest.mark.parametrize("first", ["ann", "bob"])
def test_the_first_of_two_leaves_and_then_comes_a_restart(first: str) -> None:
    scene, leg = two_with_one_caller()
    leaves, stays = (leg, "m") if first == "ann" else ("m", leg)
    told(scene, leave(leaves, "b1"), gone(leaves))
    scene.wait(4)
    all_in_one_bridge(scene, leg, leaves)
    scene.restart()
    scene.link_up()
    other = "bob" if first == "ann" else "ann"
    assert (scene.state("c1"), scene.agent(other)[0]) == ("talking", "talking")
    scene.wait(5)
    told(scene, (i.HangupAsked, stays), leave(stays, "b1"), leave("c1", "b1"), gone(stays), gone("c1"))
    seconds = {"ann": 13.0, "bob": 3.0}
    assert legs(scene) == [(first, seconds[first], 0.0, "agent"), (other, seconds[other] + 10, 0.0, "agent")]
    assert scene.agent(other)[0] == "wrap_up"
    assert not scene.oddities()


@pytest.mark.parametrize("left", ["", "ann", "bob", "both"])
def test_a_restart_while_two_agents_have_one_caller(left: str) -> None:
    scene, leg = two_with_one_caller()
    out = {"": (), "ann": (leg,), "bob": ("m",), "both": (leg, "m")}[left]
    all_in_one_bridge(scene, leg, *out)
    scene.restart()
    scene.link_up()
    for agent, channel in (("ann", leg), ("bob", "m")):
        assert scene.agent(agent)[0] == ("wrap_up" if channel in out else "talking")
    scene.wait(2)
    told(scene, (i.HangupAsked, "c1"), gone("c1"), gone(leg), gone("m"))
    assert {leg["agent"] for leg in scene.closed("c1").legs} == {"ann", "bob"}
    assert all(leg["talk_s"] <= 16.0 for leg in scene.closed("c1").legs)
    assert not scene.oddities()
    assert not scene.board.world.offers


def test_who_is_parked_beside_a_phone_of_ours_does_not_talk_with_it() -> None:
    """One lot is one bridge for all; Asterisk says of it that it only holds."""
    scene, leg = talking()
    scene.tell(i.LogIn, "bob", 2)
    told(scene, (i.CallParked, "c1", "701"), leave("c1", "b1"), leave(leg, "b1"), gone(leg))
    scene.is_at("c1", "ccbridge-offer", leg.removeprefix("leg-"), parked=True)
    scene.is_at("m", "phones", name=BOB, linked="m", parked=True)
    scene.link_up()
    assert scene.state("c1") == "transferred"
    assert scene.agent("bob")[0] == "available"
    effects = scene.tell(i.ChannelGone, "c1", 16)
    assert scene.closed("c1").ended_by == "system"  # nobody was reached
    assert effects


def test_parked_while_nobody_watched() -> None:
    scene, leg = talking()
    scene.is_at("c1", "ccbridge-offer", leg.removeprefix("leg-"), parked=True)
    scene.restart()
    scene.link_up()
    assert (scene.state("c1"), scene.agent("ann")[0]) == ("transferred", "wrap_up")
    told(scene, enter("c1", "b3", TRUNK), enter("m", "b3", BOB))
    bob_ends_it(scene, bridge="b3")


def joined(scene: Scene, leg: str) -> str:
    """ann has passed c1 on to bob, asking him first: his channel still stands at her offer."""
    (offered,) = scene.board.world.offers
    told(
        scene, enter("m", "b2", BOB), leave("c1", "b1"), enter("c1", "b2", TRUNK), passed_on(leg, "attended"),
        leave(leg, "b1"), gone(leg),
    )  # fmt: skip
    assert (scene.state("c1"), scene.agent("bob")[0]) == ("talking", "talking")
    return offered


@pytest.mark.parametrize(
    ("where", "state"),
    [
        ("ccbridge-offer", "released"),
        ("parked", "transferred"),
        ("with another", "transferred"),
        ("phones", "transferred"),
    ],
)
@pytest.mark.parametrize("restarted", ["", "before", "after"])
def test_who_had_joined_leaves_while_nobody_watches(restarted: str, where: str, state: str) -> None:
    """The caller is on his way out, or was passed on: a restart finds no other thing than a lost link."""
    scene, leg = talking()
    offered = joined(scene, leg)
    scene.tell(i.LinkDown, "cut")
    scene.wait(5)
    context = where if where == "phones" else "ccbridge-offer"
    exten = "103" if where == "phones" else offered
    bridge = "b3" if where == "with another" else ""
    scene.is_at("c1", context, exten, name=TRUNK, parked=where == "parked", bridge=bridge)
    if bridge:
        scene.is_at("x", "carrier", bridge=bridge, name="PJSIP/carrier-9", linked="c1")
    if restarted == "before":
        scene.restart()
    scene.link_up()
    if restarted == "after":
        scene.restart()
        scene.link_up()
    assert (scene.state("c1"), scene.board.world.offers) == (state, {})
    scene.tell(i.ChannelGone, "c1", 16)
    assert [leg["agent"] for leg in scene.closed("c1").legs] == ["ann", "bob"]
    assert scene.closed("c1").inferred
    assert (scene.closed("c1").ended_by == "agent") is (state == "released")
    assert not scene.oddities()


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("kept", ["moved between bridges", "held for a moment"])
def test_a_talk_that_was_found_is_not_longer_for_events_kept_beside_the_snapshot(
    kept: str, restarted: bool
) -> None:
    """They tell of moments before the link was up, from which on the talk is told."""
    scene, leg = talking()
    told(scene, passed_on(leg, "blind"), leave(leg, "b1"), leave("c1", "b1"), gone(leg))
    scene.tell(i.LinkDown, "cut")
    scene.wait(1)
    before = EPOCH + scene.t
    events: list[i.Input] = [i.LegHeld(before, "m"), i.LegResumed(before, "m")]
    if kept == "moved between bridges":
        events = [i.BridgeLeft(before, "c1", "b2"), i.BridgeEntered(before, "c1", "b2", TRUNK)]
    scene.wait(0.2)
    scene.is_at("c1", "phones", "102", bridge="b2", name=TRUNK)
    scene.is_at("m", "phones", bridge="b2", name=BOB, linked="c1")
    scene.link_up()
    for event in events:
        scene._take(event)
    assert scene.agent("bob")[0] == "talking"
    if restarted:
        scene.restart(away=0)
        scene.link_up()
    scene.wait(3)
    told(scene, leave("m", "b2"), leave("c1", "b2"), gone("m"), gone("c1"))
    assert legs(scene)[1:] == [("bob", 3.0, 0.0, "agent")]
