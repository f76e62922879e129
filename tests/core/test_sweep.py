"""The live sweep: what an event that was lost would have said is found out; nothing else is taken for it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from scene import Scene, moved_out, placed, some
from simulator import Simulator, Weather
from test_histories import BUSY, CALM, CHANGING, CRASHED, KILLED, LINK_LOST

from ccbridge.core import inputs as i
from ccbridge.core.effects import Drift, SweepAgain
from ccbridge.core.sweep import KINDS

PHONES = ("answer", "answer", "answer", "ring_out", "refuse")
FEW = Weather(callers=4, span=20.0, phones=PHONES, transfer=0.3, sweeps=3.0)


@pytest.mark.parametrize("weather", [CALM, BUSY, CHANGING, LINK_LOST, KILLED, CRASHED])
def test_no_drift_where_nothing_is_lost(weather: Weather) -> None:
    seen = 0
    for seed in range(2):
        sim = Simulator(seed, replace(weather, sweeps=0.5)).run()
        assert not sim.watch.faults, "\n".join(sim.watch.faults)
        seen += sim.watch.counts["SweepAgain"]
    assert seen  # differences, which were none


def test_each_event_of_a_history_is_lost_in_turn() -> None:
    lost, drift = set(), set()
    for seed in range(4):
        for k in range(1, Simulator(seed, FEW).run().events + 1):
            sim = Simulator(seed, replace(FEW, drop=k)).run()
            assert not sim.watch.faults, f"seed {seed} without {sim.lost}:\n" + "\n".join(sim.watch.faults)
            lost.add(type(sim.lost).__name__)
            drift |= {one.kind for one in sim.drift}
    assert lost >= {
        "CallHolding", "OfferReached", "LegDialled", "LegRinging", "BridgeEntered", "BridgeLeft",
        "OfferEnded", "HangupAsked", "ChannelGone", "DeviceChanged",
    }  # fmt: skip
    assert drift >= {"leg_unknown", "talk_unknown", "device_state"}
    assert drift <= set(KINDS)


def test_the_docs_name_every_kind() -> None:
    page = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
    table = page[page.index("| drift |") :].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| (\w+_\w+) \|", table, re.MULTILINE)) == KINDS


def twice(scene: Scene, wait: float = 2.0) -> list[str]:
    """Two sweeps; the drift that they tell."""
    assert scene.sweep() == [SweepAgain()]
    assert not scene.drift()
    scene.wait(wait)
    return [x.kind for x in scene.sweep() if isinstance(x, Drift)]


def test_a_difference_seen_once_is_none() -> None:
    scene = Scene(agents="")
    scene.hold("c1")
    assert scene.sweep() == [SweepAgain()]
    scene.is_at("c1", "ccbridge-hold")
    assert scene.sweep() == []
    assert scene.state("c1") == "holding"


def test_a_difference_that_changes_is_another_one() -> None:
    scene = Scene(agents="ann")
    for state in ("INUSE", "NOT_INUSE", "RINGING", "INUSE"):
        scene.devices["PJSIP/ann"] = state
        scene.sweep()
        scene.tell(i.DeviceChanged, "PJSIP/ann", state)
    assert not scene.drift()


def test_without_a_link_nothing_is_compared() -> None:
    scene = Scene(agents="")
    scene.hold("c1")
    scene.sweep()
    scene.tell(i.LinkDown, "cut")
    assert scene.sweep() == []
    scene.is_at("c1", "ccbridge-hold")
    scene.link_up()
    assert not scene.drift()


@pytest.mark.parametrize("state", ["menu", "queued", "holding", "ringing", "talking", "fallback"])
def test_a_caller_who_is_gone(state: str) -> None:
    scene = Scene(agents="ann")
    leg = ""
    match state:
        case "menu":
            scene.arrive("c1")
        case "queued":
            scene.queue("c1")
        case "holding":
            scene.tell(i.Pause, "ann", "lunch", 1)
            scene.hold("c1")
        case "ringing":
            leg = scene.ring(some(scene.hold("c1")))
        case "talking":
            leg = scene.answer(some(scene.hold("c1")))
        case "fallback":
            scene.tell(i.CallInFallback, "c1")
    assert set(twice(scene)) == ({"call_gone", "leg_gone"} if leg else {"call_gone"})
    disposition = {"talking": "answered", "fallback": "fallback"}.get(state, "lost")
    assert (scene.closed("c1").disposition, scene.closed("c1").inferred) == (disposition, True)
    scene.wait(11)
    assert scene.agent("ann") == (("paused", "lunch") if state == "holding" else ("available", ""))
    assert scene.sweep() == []


@pytest.mark.parametrize("place", ["ccbridge-hold", "ccbridge-fallback"])
def test_a_caller_whom_we_do_not_know(place: str) -> None:
    scene = Scene(agents="ann")
    scene.is_at("c1", place)
    scene.places["c1"].variables["CCB_QUEUE"] = "sales"  # type: ignore[index]
    scene.is_at("c2", "ccbridge-in", "menu")  # still at the door
    scene.is_at("c3", "internal", "77")  # somebody else's, or long closed
    assert scene.sweep() == [SweepAgain()]
    scene.wait(2)
    effects = scene.sweep()
    assert scene.drift() == ["call_unknown"]
    assert scene.board.world.calls["c1"].inferred
    assert (placed(effects) is not None) == (place == "ccbridge-hold")


def test_a_caller_in_the_fallback_is_watched_and_never_moved() -> None:
    scene = Scene(agents="ann")
    scene.tell(i.Pause, "ann", "lunch", 1)
    scene.hold("c1")
    scene.is_at("c1", "ccbridge-fallback")
    assert twice(scene) == ["call_misplaced"]
    assert scene.state("c1") == "fallback"
    scene.is_at("c1", "ccbridge-fallback", bridge="b")
    scene.sweep()
    scene.wait(2)
    effects = scene.sweep()
    assert scene.drift() == ["call_misplaced", "talk_unknown"]
    scene.tell(i.Unpause, "ann", 1)
    assert placed(effects + scene.wait(700)) is None
    scene.tell(i.HangupAsked, "c1")
    assert (scene.closed("c1").disposition, scene.closed("c1").ended_by) == ("fallback", "caller")
    assert scene.closed("c1").answered_at is not None
    assert scene.closed("c1").agent is None


def test_a_leg_and_a_talk_that_nobody_told_of() -> None:
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    scene.tell(i.OfferReached, "c1", offer.offer)
    scene.is_at("c1", "ccbridge-offer", offer.offer)
    scene.is_at("leg", "phones", name="PJSIP/ann-2", linked="c1", up=False)
    assert twice(scene) == ["leg_unknown"]
    scene.is_at("c1", "ccbridge-offer", offer.offer, bridge="b")
    scene.is_at("leg", "phones", name="PJSIP/ann-2", linked="c1", bridge="b")
    scene.sweep()
    scene.wait(2)
    scene.sweep()
    assert scene.drift() == ["leg_unknown", "talk_unknown"]
    assert scene.agent("ann") == ("talking", "")
    assert scene.sweep() == []


def test_a_talk_that_is_over() -> None:
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    leg = scene.answer(offer)
    scene.is_at("c1", "ccbridge-offer", offer.offer)
    scene.is_at(leg, "phones", name="PJSIP/ann-2", linked="c1")
    scene.wait(5)
    assert twice(scene) == ["talk_over"]
    assert scene.board.world.offers[offer.offer].talk == 7  # up to what is known
    del scene.places[leg]
    assert scene.sweep() == [SweepAgain()]
    scene.wait(2)
    scene.sweep()
    assert scene.drift() == ["talk_over", "leg_gone"]
    assert scene.agent("ann") == ("wrap_up", "")


def test_a_phone_that_is_there_again() -> None:
    scene = Scene(agents="ann")
    scene.tell(i.DeviceChanged, "PJSIP/ann", "UNAVAILABLE")
    scene.hold("c1")
    scene.is_at("c1", "ccbridge-hold")
    scene.sweep()
    scene.wait(2)
    assert some(placed(scene.sweep())).devices == ("PJSIP/ann",)
    assert scene.drift() == ["device_state"]


def test_a_caller_who_holds_although_his_account_is_closed() -> None:
    scene = Scene(agents="")
    scene.hold("c1")
    scene.wait(61)
    scene.tell(i.CallExited, "c1", "900")
    scene.is_at("c1", "ccbridge-hold")
    scene.sweep()
    scene.wait(2)
    assert moved_out(scene.sweep()) == ["none"]
    assert scene.drift() == ["call_waits_closed"]


def test_channels_whose_end_nobody_told_do_not_pile_up() -> None:
    scene = Scene(agents="")
    for n in range(50):
        scene.tell(i.BridgeEntered, f"x{n}", f"b{n // 2}", f"PJSIP/stranger-{n}")
    scene.is_at("x1", "internal", linked="x0", bridge="b0")
    assert twice(scene) == ["bridge_state"] * 49
    assert scene.board.world.bridges.where == {"x1": "b0"}
    assert scene.sweep() == []


@pytest.mark.parametrize("told", ["entered", "left"])
def test_a_colleague_of_whose_bridge_nobody_told(told: str) -> None:
    """The caller was passed on to bob, whose channel we know by its bridge alone."""
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    leg = scene.answer(offer)
    scene.tell(i.ChannelTransferred, leg, "blind", "102")
    for channel in ("c1", leg):
        scene.tell(i.BridgeLeft, channel, "b")
    scene.tell(i.ChannelGone, leg, 16)
    scene.tell(i.BridgeEntered, "c1", "b2", "PJSIP/carrier-1")
    scene.is_at("c1", "phones", "102", bridge="b2")
    if told == "entered":
        scene.is_at("m", "phones", name="PJSIP/bob-1", linked="c1", bridge="b2")
    else:
        scene.tell(i.BridgeEntered, "m", "b7", "PJSIP/bob-1")
        assert scene.state("c1") == "transferred"
        scene.is_at("m", "phones", name="PJSIP/bob-1", linked="c1", bridge="b2")
    assert twice(scene) == ["bridge_state"]
    assert (scene.state("c1"), scene.agent("bob")[0]) == ("talking", "talking")
    assert scene.board.world.calls["c1"].inferred
    assert scene.sweep() == []
