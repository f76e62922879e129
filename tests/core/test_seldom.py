"""Meetings of events that are seldom, and must not end the loop or tell a call twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from scene import Scene, looks, moved_out, placed, some
from simulator import EPOCH, plan_of
from test_passed_on import ANN, BOB, TRUNK, enter, gone, leave, legs, passed_on, talking, told

from ccbridge.core import inputs as i
from ccbridge.core import view
from ccbridge.core.calls import channel_of
from ccbridge.core.plan import QueuePlan


def test_a_talk_that_was_passed_on_is_one_leg_over_a_restart() -> None:
    """The caller's channel still stands at the first agent's offer: it is not adopted a second time."""
    scene, leg = talking()
    (offered,) = scene.board.world.offers
    told(scene, passed_on(leg, "attended"), leave(leg, "b1"), gone(leg), enter("m", "b1", BOB))
    scene.wait(5)
    scene.is_at("c1", "ccbridge-offer", offered, bridge="b1", name=TRUNK)
    scene.is_at("m", "phones", "102", bridge="b1", name=BOB, linked="c1")
    scene.restart(away=1)
    scene.link_up()
    assert (scene.state("c1"), scene.agent("bob")[0]) == ("talking", "talking")
    scene.wait(5)
    told(scene, leave("m", "b1"), leave("c1", "b1"), gone("m"), gone("c1"))
    assert legs(scene) == [("ann", 10.0, 0.0, "blonde"), ("bob", 11.0, 0.0, "agent")]
    assert len({leg["offer"] for leg in scene.closed("c1").legs}) == 2


def test_a_leg_that_is_gone_while_another_of_his_is_linked() -> None:
    """The other is another call of his: it is not taken for the leg that has ended."""
    scene, _ = talking()
    (offered,) = scene.board.world.offers
    scene.is_at("c1", "ccbridge-offer", offered, bridge="b1", name=TRUNK)
    scene.is_at("a2", "phones", "102", name="PJSIP/ann-09", linked="c1")
    scene.sweep()
    scene.wait(2)
    scene.sweep()
    assert scene.drift() == ["leg_gone"]
    assert (scene.state("c1"), scene.agent("ann")[0]) == ("released", "wrap_up")


def test_an_offer_that_ends_unanswered_after_another_agent_has_joined() -> None:
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    scene.ring(offer)
    scene.tell(i.OfferEnded, "c1", offer.offer, "ANSWER", 16)
    told(scene, enter("m", "b1", BOB), enter("c1", "b1", TRUNK))
    scene.wait(90)  # the offer is settled, and its leg forgotten
    assert (scene.state("c1"), scene.agent("bob")[0]) == ("talking", "talking")
    told(scene, leave("m", "b1"), leave("c1", "b1"), gone("m"), gone("c1"))
    assert legs(scene) == [("bob", 90.0, 0.0, "agent")]


def test_a_reload_removes_an_agent_only_after_the_last_of_his_legs() -> None:
    scene, leg = talking()
    told(scene, passed_on(leg, "blind"), leave(leg, "b1"), leave("c1", "b1"))
    told(scene, enter("a2", "b2", ANN), enter("c1", "b2", TRUNK))
    told(scene, passed_on("a2", "blind"), leave("c1", "b2"), gone("a2"))
    without_ann = plan_of(scene.plan.queues, {"bob": ("sales",)})
    scene.tell(i.PlanLoaded, without_ann)
    told(scene, gone(leg))
    scene.tell(i.PlanLoaded, without_ann)
    assert list(scene.board.world.agents) == ["bob"]


def test_back_from_the_fallback_by_one_of_our_numbers() -> None:
    """Whoever answered him there passes him on: he is served as any caller, swept or not."""
    scene = Scene(agents="ann")
    scene.tell(i.CallInFallback, "c1")
    told(scene, enter("m", "b9", "PJSIP/desk-77"), enter("c1", "b9", TRUNK))
    told(scene, leave("m", "b9"), leave("c1", "b9"), gone("m"))
    scene.arrive("c1")
    scene.is_at("c1", "ccbridge-in")
    scene.sweep()
    scene.wait(2)
    scene.sweep()
    scene.tell(i.CallQueued, "c1", "sales", 0)
    scene.answer(some(placed(scene.tell(i.CallHolding, "c1", "sales", 0, 0.0))))
    scene.wait(5)
    scene.tell(i.HangupAsked, "c1")
    assert (scene.closed("c1").disposition, scene.closed("c1").ended_by) == ("answered", "caller")
    assert not scene.oddities()


def test_a_hold_that_is_told_late_takes_nobody_out_of_the_fallback() -> None:
    scene = Scene(agents="ann")
    scene.tell(i.CallInFallback, "c1")
    effects = scene.tell(i.CallHolding, "c1", "sales", 0, 0.0)
    assert (looks(effects), placed(effects), moved_out(effects)) == (["c1"], None, [])
    scene.is_at("c1", "ccbridge-fallback")
    scene.tell(i.CallLooked, "c1", scene.places["c1"])
    assert scene.state("c1") == "fallback"
    scene.is_at("c1", "ccbridge-hold")
    scene.tell(i.CallHolding, "c1", "sales", 0, 0.0)
    holds = replace(scene.places["c1"], variables={"CCB_CALL": "c1", "CCB_QUEUE": "sales"})
    assert placed(scene.tell(i.CallLooked, "c1", holds)) is not None


def test_dialled_numbers_are_not_kept_as_devices() -> None:
    scene = Scene()
    scene.tell(i.DeviceChanged, "Local/5550100@outside", "INUSE")
    assert not [device for device in scene.board.world.devices if device.startswith("Local/")]


def test_who_is_joined_does_not_depend_on_chance() -> None:
    """Several callers in one bridge: a replay, another process, must follow them in the same order."""
    scene = Scene(agents="ann")
    calls = [f"c{n}" for n in range(8)]
    for call in calls:
        leg = scene.answer(some(scene.hold(call)))
        told(scene, passed_on(leg, "blind"), leave(leg, "b"), leave(call, "b"), gone(leg))
        told(scene, enter(call, "conference", TRUNK))
        scene.wait(11)
    told(scene, enter("m", "conference", BOB))
    assert [call for call in calls if scene.state(call) == "talking"] == ["c0"]


def test_a_phone_that_holds_as_it_answers() -> None:
    """It is in the bridge, and holds, a moment before the caller is there: hold from the first moment."""
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    leg = scene.ring(offer)
    told(scene, enter(leg, "b1", ANN))
    scene.tell(i.LegHeld, leg)
    told(scene, enter("c1", "b1", TRUNK))
    scene.restart(away=0)
    scene.is_at("c1", "ccbridge-offer", offer.offer, bridge="b1", name=TRUNK)
    scene.is_at(leg, "phones", "102", bridge="b1", name=ANN, linked="c1")
    scene.link_up()
    scene.wait(2)
    scene.tell(i.LegResumed, leg)
    scene.wait(5)
    told(scene, leave(leg, "b1"), leave("c1", "b1"), gone(leg), gone("c1"))
    assert legs(scene) == [("ann", 5.0, 2.0, "agent")]
    assert scene.events("c1")[-5:] == ["answered", "held", "resumed", "offer_ended", "ended"]
    assert not scene.oddities()


def overflowed(scene: Scene) -> None:
    scene.hold("c1")
    scene.wait(61)
    told(scene, (i.CallExited, "c1", "900"))
    assert scene.closed("c1").disposition == "overflowed"


@pytest.mark.parametrize("restarted", [False, True])
def test_who_comes_back_from_the_overflow_is_a_new_call(restarted: bool) -> None:
    """The overflow leads to one of our numbers: the same channel, and a call of its own."""
    scene = Scene(agents="")
    overflowed(scene)
    if restarted:
        scene.is_at("c1", "internal", "900")
        scene.restart()
        scene.link_up()
    scene.tell(i.LogIn, "ann", 1)
    offer = some(scene.hold("c1"))
    assert offer.call == "c1"  # the channel is what Asterisk knows
    leg = scene.answer(offer)
    if restarted:
        scene.is_at("c1", "ccbridge-offer", offer.offer, bridge="b")
        scene.is_at(leg, "phones", name=ANN, linked="c1", bridge="b")
        scene.restart()
        scene.link_up()
    scene.wait(5)
    row = view.call(scene.board, "c1~2", EPOCH + scene.t)
    assert row is not None
    assert row["call"] == "c1~2"
    assert view.call(scene.board, "c1", EPOCH + scene.t) is None
    told(scene, (i.HangupAsked, "c1"), gone("c1"), gone(leg))
    first, second = scene.closed("c1"), scene.closed("c1~2")
    assert (first.disposition, first.talk, first.stints) == ("overflowed", 0.0, [])
    assert (second.disposition, second.agent, second.offers) == ("answered", "ann", 1)
    assert second.arrived >= first.at
    assert scene.board.world.agents["ann"].last_call == "c1~2"
    assert not scene.oddities()


@pytest.mark.parametrize("told_late", [1, 2])
@pytest.mark.parametrize("way", ["overflow", "menu"])
def test_he_is_back_before_his_way_out_is_told(way: str, told_late: int) -> None:
    """FastAGI's door is faster than AMI's report: it comes while he is in the menu, or queued already."""
    scene = Scene(agents="")
    if way == "menu":
        scene.arrive("c1")
        scene.tell(i.FlowEnded, "c1", "transfer")
    else:
        scene.hold("c1")
        scene.wait(61)
    back: list[tuple[Any, ...]] = [
        (i.CallArrived, "c1", "100", "anonymous", None, "", ""),
        (i.CallQueued, "c1", "sales", 0),
    ]
    back.insert(told_late, (i.CallExited, "c1", "100"))
    told(scene, *back, (i.CallHolding, "c1", "sales", 0, 0.0))
    assert scene.closed("c1").disposition == ("left" if way == "menu" else "overflowed")
    assert scene.state("c1") == "holding"
    assert scene.board.world.account("c1") == "c1~2"
    told(scene, (i.CallExited, "c1", "900"))  # this one is his own
    assert scene.closed("c1~2").disposition == "overflowed"
    assert not scene.oddities()


def test_back_in_the_hold_loop_without_the_door_he_is_a_new_call() -> None:
    scene = Scene(agents="")
    overflowed(scene)
    scene.tell(i.LogIn, "ann", 1)
    offer = some(placed(scene.tell(i.CallHolding, "c1", "sales", 0, 0.0)))
    scene.answer(offer)
    told(scene, (i.HangupAsked, "c1"), gone("c1"))
    second = scene.closed("c1~2")
    assert (second.disposition, second.agent, second.inferred) == ("answered", "ann", True)
    assert not scene.oddities()


def test_a_sweep_leaves_one_alone_who_waits_anew() -> None:
    scene = Scene(agents="")
    overflowed(scene)
    scene.hold("c1")
    scene.is_at("c1", "ccbridge-hold")
    scene.sweep()
    scene.wait(2)
    assert moved_out(scene.sweep()) == []
    assert scene.state("c1") == "holding"
    assert not scene.drift()


def test_each_return_is_one_call_more() -> None:
    scene = Scene(agents="")
    for _ in range(3):
        scene.hold("c1")
        told(scene, (i.CallExited, "c1", "900"))
    assert [scene.closed(call).disposition for call in ("c1", "c1~2", "c1~3")] == ["overflowed"] * 3
    assert channel_of("c1~3") == ("c1", 3)
    assert channel_of("site~5-170.4") == ("site~5-170.4", 1)


def test_an_arrival_that_is_told_after_the_callers_end_is_none() -> None:
    scene = Scene(agents="")
    scene.arrive("c1")
    told(scene, (i.HangupAsked, "c1"), gone("c1"))
    scene.arrive("c1")
    assert not scene.board.world.calls
    assert scene.oddities() == []


def test_who_came_back_and_hung_up_before_his_arrival_is_told() -> None:
    scene = Scene(agents="")
    overflowed(scene)
    told(scene, gone("c1"))
    scene.arrive("c1")
    assert not scene.board.world.calls
    assert scene.closed("c1~2").disposition == "menu_ended"
    assert not scene.oddities()


def test_what_is_over_leaves_no_deadline() -> None:
    """A limit is up to an hour off: on a busy day those of past calls would be most of the memory."""
    scene = Scene(agents="")
    for n in range(300):
        scene.arrive(f"c{n}")
        scene.tell(i.HangupAsked, f"c{n}")
    assert len(scene.board.world._heap) < 150


def test_a_menu_that_speaks_after_its_caller_went_to_the_fallback() -> None:
    """A daemon that wakes from a freeze is told what the menu had still to say."""
    scene = Scene(agents="ann")
    scene.arrive("c1")
    scene.tell(i.CallInFallback, "c1")
    scene.tell(i.MenuStepped, "c1", "choose", "time_out")
    scene.tell(i.CallQueued, "c1", "sales", 0)
    scene.tell(i.FlowEnded, "c1", "hangup")
    assert scene.state("c1") == "fallback"
    assert not scene.oddities()


def test_the_way_out_of_the_second_call_is_not_taken_for_that_of_the_first() -> None:
    """The link was down when he left the first time: that report never comes, and he leaves again at once."""
    scene = Scene(agents="")
    scene.arrive("c1")
    scene.tell(i.FlowEnded, "c1", "transfer")
    scene.tell(i.LinkDown, "cut")
    scene.wait(1)
    scene.arrive("c1")
    scene.is_at("c1", "ccbridge-in", "menu")
    scene.link_up()
    scene.wait(1)
    told(scene, (i.FlowEnded, "c1", "transfer"), (i.CallExited, "c1", "55"))
    assert (scene.closed("c1").disposition, scene.closed("c1~2").disposition) == ("left", "left")
    assert not scene.board.world.calls
    assert not scene.oddities()


def test_back_in_a_queue_by_the_menu_while_nobody_was_here() -> None:
    """His agent had passed him on to one of our numbers: he waits anew, as he chose this time."""
    scene, leg = talking()
    told(scene, passed_on(leg, "blind", "100"), leave(leg, "b1"), leave("c1", "b1"), gone(leg))
    scene.arrive("c1")
    scene.wait(20)
    chosen = {"CCB_CALL": "c1", "CCB_QUEUE": "sales", "CCB_PRIORITY": "3", "CCB_SINCE": str(EPOCH + scene.t)}
    scene.is_at("c1", "ccbridge-hold")
    scene.places["c1"] = replace(scene.places["c1"], variables=chosen)
    scene.restart(away=4)
    scene.link_up()
    call = scene.board.world.calls["c1"]
    assert (scene.state("c1"), call.brought, call.answered_at) == ("offered", 3, None)
    assert call.queued_at == EPOCH + scene.t - 4
    assert [(one["queue"], one["answered"], one["talk_s"]) for one in call.stints] == [("sales", True, 10.0)]
    assert not scene.oddities()


@pytest.mark.parametrize("restarted", [False, True])
def test_out_of_the_menu_into_which_his_agent_passed_him_while_nobody_watched(restarted: bool) -> None:
    """A talk, then our own number, whose menu leads to an extension: AMI was away all the time."""
    scene = Scene()
    leg = scene.answer(some(scene.hold("c1")))
    scene.tell(i.LinkDown, "cut")
    scene.wait(10)
    scene.arrive("c1")
    scene.tell(i.FlowEnded, "c1", "transfer")
    scene.places.clear()
    scene.is_at("c1", "internal", "55")
    if restarted:
        scene.restart()
    scene.link_up()
    closed = scene.closed("c1")
    assert (closed.disposition, closed.agent, closed.ended_by) == ("answered", "ann", "system")
    assert leg not in scene.board.world.legs
    assert not scene.oddities()


def test_a_second_leg_of_an_offer_takes_the_place_of_the_first() -> None:
    """No Asterisk says so; the fuzzer did, and the first leg's end was that of an offer that was gone."""
    scene = Scene()
    offer = some(scene.hold("c1"))
    scene.tell(i.OfferReached, "c1", offer.offer)
    told(scene, (i.HangupAsked, "c1"), gone("c1"))
    told(
        scene,
        (i.LegDialled, "c1", offer.offer, "leg-1"),
        (i.LegDialled, "c1", offer.offer, "leg-2"),
        gone("leg-2"),
        gone("leg-1"),
    )
    assert scene.board.world.offers == scene.board.world.legs == {}
    assert scene.agent("ann")[0] == "available"


SMALL = plan_of(
    {"sales": QueuePlan("sales", ring=10, max_wait=60, overflow="900", max_waiting=1)}, {"ann": ("sales",)}
)


@pytest.mark.parametrize("how", ["lost", "refused by his phone", "its end is still to be told"])
def test_who_is_between_two_offers_is_in_line_for_a_queue_that_may_be_full(how: str) -> None:
    """No offer may take him at this moment, and he has not left."""
    scene = Scene(SMALL, agents="ann")
    offer = some(scene.hold("c1"))
    if how == "lost":
        scene.wait(3)  # nothing is heard of the Redirect
        scene.is_at("c1", "ccbridge-hold")
        scene.tell(i.CallLooked, "c1", scene.places["c1"])
        assert scene.board.world.calls["c1"].hold_off
    else:
        leg = scene.ring(offer)
        scene.tell(i.OfferEnded, "c1", offer.offer, "CHANUNAVAIL", 21)
        if how == "refused by his phone":
            told(scene, gone(leg, 21))
            assert scene.state("c1") == "returning"
        else:
            scene.tell(i.CallHolding, "c1", "sales", 0, 0.0)
            assert scene.state("c1") == "holding"
    scene.tell(i.LogOut, "ann", 2)
    scene.queue("c2")
    assert moved_out(scene.tell(i.CallHolding, "c2", "sales", 0, 0.0)) == ["900"]
    scene.wait(10)  # he gets on with it, and is counted once
    told(scene, (i.HangupAsked, "c1"), gone("c1"))
    scene.queue("c3")
    assert moved_out(scene.tell(i.CallHolding, "c3", "sales", 0, 0.0)) == []
    assert not scene.board.world.between


@pytest.mark.parametrize("menu_over", [False, True])
@pytest.mark.parametrize("way", ["from his agent", "from whom his agent had passed him on to"])
def test_in_the_menu_since_after_the_snapshot_was_taken(way: str, menu_over: bool) -> None:
    """FastAGI's door told of him before the link was up: what AMI showed is older, and its events follow."""
    scene, leg = talking()
    (offered,) = scene.board.world.offers
    if way == "from his agent":
        scene.is_at("c1", "ccbridge-offer", offered, bridge="b1", name=TRUNK)
        scene.is_at(leg, "phones", bridge="b1", name=ANN, linked="c1")
        kept = [passed_on(leg, "blind", "100"), leave(leg, "b1"), leave("c1", "b1"), gone(leg)]
    else:
        told(scene, passed_on(leg, "blind", "77"), leave(leg, "b1"), leave("c1", "b1"), gone(leg))
        scene.is_at("c1", "internal", "77", bridge="b2", name=TRUNK)
        scene.is_at("x", "carrier", bridge="b2", name="PJSIP/carrier-9", linked="c1")
        kept = [leave("x", "b2"), leave("c1", "b2"), gone("x")]
    scene.tell(i.LinkDown, "cut")
    scene.arrive("c1")
    if menu_over:
        scene.tell(i.CallQueued, "c1", "sales", 3)
    assert looks(scene.link_up()) == ["c1"]
    told(scene, *kept)
    scene.places.clear()
    scene.is_at("c1", "ccbridge-in", "menu")
    scene.tell(i.CallLooked, "c1", scene.places["c1"])
    scene.wait(2)
    if not menu_over:
        told(scene, (i.MenuStepped, "c1", "top", "1"), (i.CallQueued, "c1", "sales", 3))
    scene.tell(i.CallHolding, "c1", "sales", 3, 0.0)
    assert (scene.state("c1"), scene.board.world.calls["c1"].brought) == ("holding", 3)
    assert scene.board.world.account("c1") == "c1"
    assert [leg["talk_s"] for leg in scene.board.world.calls["c1"].legs] == [10.0]
    assert not scene.oddities()
