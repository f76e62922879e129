"""An agent's own telephone as the core has it: picked up is not answered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scene import TWO, Scene, dropped, placed, records, replies, some

from ccbridge.core import inputs as i
from ccbridge.core.effects import Append, PlaceOffer
from ccbridge.core.plan import QueuePlan
from ccbridge.core.records import AgentEvent, ControlEvent, PlanBegan

ALL = replace(TWO, queues={"sales": QueuePlan("sales", ring=10, overflow="900", strategy="ring_all")})
MISSES = replace(TWO, misses=1)


def use(scene: Scene, agent: str = "ann", device: str = "mobile") -> list[tuple[bool, str]]:
    return replies(scene.tell(i.UsePersonal, agent, device, "sue", "cli", 1))


def pick_up(scene: Scene, offer: PlaceOffer) -> str:
    leg = scene.ring(offer)
    scene.tell(i.LegAsked, leg)
    return leg


def not_taken(scene: Scene, offer: PlaceOffer, leg: str) -> PlaceOffer | None:
    """As the dialplan ends it for whatever reason."""
    scene.tell(i.ChannelGone, leg, 16)
    effects = scene.tell(i.OfferEnded, offer.call, offer.offer, "BUSY", 16)
    return placed(effects + scene.tell(i.CallHolding, offer.call, "sales", 0, 0.0))


def test_picked_up_is_not_answered() -> None:
    scene = Scene(agents="ann")
    assert use(scene) == [(True, "ann is called at mobile")]
    offer = some(scene.hold("c"))
    assert (offer.devices, offer.confirm, offer.desk) == (("PJSIP/+ann@carrier",), TWO.confirm, "PJSIP/ann")
    leg = pick_up(scene, offer)
    scene.wait(8)
    assert (scene.agent("ann"), scene.state("c")) == (("offered", ""), "offered")
    scene.tell(i.BridgeEntered, leg, "b")
    scene.tell(i.BridgeEntered, "c", "b")
    assert (scene.agent("ann"), scene.state("c")) == (("talking", ""), "talking")
    assert scene.events("c")[-4:] == ["dialled", "ringing", "asked", "answered"]
    scene.tell(i.HangupAsked, "c")
    assert scene.closed("c").wait == pytest.approx(8, abs=0.1)
    assert scene.oddities() == []


@pytest.mark.parametrize(
    ("key", "result", "why"), [(False, "not_confirmed", "missed"), (True, "refused", "refused")]
)
def test_the_next_agent_gets_who_was_not_taken(key: bool, result: str, why: str) -> None:
    scene = Scene()
    use(scene)
    offer = some(scene.hold("c"))
    leg = pick_up(scene, offer)
    if key:
        scene.tell(i.LegDeclined, leg)
    following = some(not_taken(scene, offer, leg))
    assert (following.devices, following.confirm, following.desk) == (("PJSIP/bob",), None, "")
    assert scene.results() == [result]
    assert scene.agent("ann") == ("cooldown", why)


def test_what_nobody_takes_is_a_miss() -> None:
    scene = Scene(MISSES, agents="ann")
    use(scene)
    offer = some(scene.hold("c"))
    not_taken(scene, offer, pick_up(scene, offer))
    assert scene.agent("ann") == ("paused", "missed")


def test_nobody_is_asked_for_one_who_has_gone() -> None:
    scene = Scene(agents="ann")
    use(scene)
    leg = pick_up(scene, some(scene.hold("c")))
    assert dropped(scene.tell(i.HangupAsked, "c")) == [leg]
    scene.tell(i.ChannelGone, leg, 16)
    assert scene.agent("ann") == ("available", "")
    # picked up in the same moment
    offer = some(scene.hold("d"))
    leg = scene.ring(offer)
    assert dropped(scene.tell(i.HangupAsked, "d")) == []
    assert dropped(scene.tell(i.LegAsked, leg)) == [leg]
    assert scene.results() == ["withdrawn", "withdrawn"]
    assert scene.oddities() == []


def test_a_mobile_may_take_its_time_and_needs_no_phone() -> None:
    scene = Scene(agents="ann")
    scene.tell(i.DeviceChanged, "PJSIP/ann", "UNAVAILABLE")
    assert scene.agent("ann") == ("unreachable", "not_registered")
    use(scene)
    assert scene.agent("ann") == ("available", "")
    offer = some(scene.hold("c"))
    scene.tell(i.OfferReached, "c", offer.offer)
    scene.tell(i.LegDialled, "c", offer.offer, "leg")
    assert dropped(scene.wait(9)) == []  # a phone that does not ring for so long is dead
    scene.tell(i.LegRinging, "leg")
    scene.tell(i.ChannelGone, "leg", 0)
    scene.tell(i.OfferEnded, "c", offer.offer, "NOANSWER", 0)
    assert scene.results() == ["missed"]
    use(scene, device="")
    scene.wait(30)
    assert scene.agent("ann") == ("unreachable", "not_registered")
    scene.tell(i.DeviceChanged, "PJSIP/ann", "INUSE")
    use(scene)
    assert scene.agent("ann") == ("busy_elsewhere", "")


def test_restarts_and_reloads() -> None:
    scene = Scene(agents="ann")
    use(scene)
    offer = some(scene.hold("c"))
    leg = pick_up(scene, offer)
    scene.is_at("c", "ccbridge-offer", offer.offer)
    scene.is_at(leg, "from-trunk", name="PJSIP/carrier-1", linked="c")
    scene.restart()
    scene.link_up()
    (one,) = scene.board.world.offers.values()
    assert (one.state.value, one.leg, one.personal) == ("asked", leg, "mobile")
    assert dropped(scene.wait(10)) == []
    following = some(not_taken(scene, offer, leg) or placed(scene.wait(11)))
    assert following.devices == ("PJSIP/+ann@carrier",)
    without = {name: replace(agent, personal={}) for name, agent in TWO.agents.items()}
    said = scene.tell(i.PlanLoaded, replace(TWO, agents=without))
    assert ["personal" in one.data for one in records(said, AgentEvent) if one.agent == "ann"] == [False]
    assert scene.board.world.agents["ann"].personal == ""
    scene.tell(i.PlanLoaded, TWO)
    scene.restart()
    assert scene.board.world.agents["ann"].personal == ""
    assert "not_confirmed" in scene.results()


def test_a_log_out_ends_it_and_refusals_are_told() -> None:
    scene = Scene(agents="ann")
    assert use(scene, "bob") == [(False, "bob is not logged in")]
    assert use(scene, device="boat") == [(False, "ann has no personal device 'boat'")]
    assert use(scene) == [(True, "ann is called at mobile")]
    assert use(scene) == [(True, "ann is called at mobile already")]
    scene.tell(i.LogOut, "ann", 1)
    scene.tell(i.LogIn, "ann", 2)
    assert some(scene.hold("c")).devices == ("PJSIP/ann",)
    audit = [(one.result, one.whom, one.by, one.reason) for one in records(scene.said, ControlEvent)]
    assert audit[:4] == [
        ("asked", "bob", "sue", "mobile"),
        ("refused", "bob", "sue", "is not logged in"),
        ("asked", "ann", "sue", "boat"),
        ("refused", "ann", "sue", "has no personal device 'boat'"),
    ]


def test_its_end_is_told() -> None:
    """By a log-out, by another who logs in at his phone, by a configuration without the number, then or while
    nobody was here."""
    without = replace(TWO, agents={n: replace(agent, personal={}) for n, agent in TWO.agents.items()})
    scene = Scene()
    use(scene)
    scene.tell(i.LogOut, "ann", 1)
    scene.tell(i.LogIn, "ann", 2)
    use(scene)
    scene.wait(1)
    scene.tell(i.LogIn, "bob", 3, "PJSIP/ann")
    scene.tell(i.LogIn, "ann", 4, "PJSIP/ann")
    use(scene)
    scene.wait(1)
    scene.tell(i.PlanLoaded, without)
    scene.tell(i.PlanLoaded, TWO)
    use(scene)
    for plan in (without, TWO):  # the second one has nothing more to tell
        scene.plan = plan
        scene.restart()
        scene.link_up()
    assert scene.board.world.agents["ann"].personal == ""
    ended = [one for one in records(scene.said, ControlEvent) if one.result == "ended"]
    assert [(one.what, one.whom, one.who, one.by, one.door) for one in ended] == [
        ("personal", "ann", "", "", "")
    ] * 4
    assert [one.reason for one in ended] == [
        "logged out", "logged out", "not configured any more", "not configured any more",
    ]  # fmt: skip
    assert len({one.control for one in ended}) == 4


def test_ring_all_rings_him_alone_and_last() -> None:
    scene = Scene(ALL)
    use(scene)
    first = some(scene.hold("c"))
    assert first.devices == ("PJSIP/bob",)
    assert some(scene.hold("d")).devices == ("PJSIP/+ann@carrier",)


def test_no_number_is_kept() -> None:
    scene = Scene(agents="ann")
    use(scene)
    pick_up(scene, some(scene.hold("c")))
    kept = [one.record for one in scene.said if isinstance(one, Append)]
    assert any(isinstance(one, PlanBegan) for one in kept)
    assert "+ann" not in str(kept)
