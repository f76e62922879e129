"""Calls missed in a row, and what a phone refuses by itself."""

from __future__ import annotations

from dataclasses import replace

from scene import TWO, Scene, placed, some

from ccbridge.core import inputs as i
from ccbridge.core.effects import PlaceOffer

STRICT = replace(TWO, misses=2, misses_within=60.0, misses_lift=30.0, miss_cooldown=5.0)


def miss(scene: Scene, offer: PlaceOffer) -> PlaceOffer | None:
    return scene.fail(offer, "NOANSWER", 0)


def test_two_misses_are_a_pause_that_lifts_itself_also_over_a_restart() -> None:
    scene = Scene(STRICT, agents="ann")
    miss(scene, some(scene.hold("c1")))
    assert scene.agent("ann") == ("cooldown", "missed")
    miss(scene, some(placed(scene.wait(5.1))))
    assert scene.agent("ann") == ("paused", "missed")
    scene.is_at("c1", "ccbridge-hold")
    scene.restart(10)
    scene.link_up()
    assert scene.agent("ann") == ("paused", "missed")
    assert placed(scene.wait(19)) is None
    some(placed(scene.wait(1.5)))
    assert scene.agent("ann") == ("offered", "")


def test_a_talk_forgives_and_so_does_time() -> None:
    scene = Scene(STRICT, agents="ann")
    miss(scene, some(scene.hold("c1")))
    leg = scene.answer(some(placed(scene.wait(5.1))))
    scene.tell(i.HangupAsked, "c1")
    scene.tell(i.ChannelGone, leg, 16)
    scene.wait(11)
    miss(scene, some(scene.hold("c2")))
    assert scene.agent("ann") == ("cooldown", "missed")
    scene.tell(i.HangupAsked, "c2")
    scene.wait(61)
    miss(scene, some(scene.hold("c3")))
    assert scene.agent("ann") == ("cooldown", "missed")


def test_who_pauses_once_more_is_forgiven_over_a_restart_too() -> None:
    scene = Scene(STRICT, agents="ann")
    offer = some(scene.hold("c1"))
    reason = next(iter(STRICT.pause_reasons))
    scene.tell(i.Pause, "ann", reason, 1)
    miss(scene, offer)
    assert len(scene.board.world.agents["ann"].missed) == 1
    scene.tell(i.Pause, "ann", reason, 2)
    assert scene.board.world.agents["ann"].missed == []
    scene.restart()
    assert scene.board.world.agents["ann"].missed == []


def test_who_has_logged_out_while_it_rang_has_missed_nothing_that_counts() -> None:
    scene = Scene(STRICT, agents="ann")
    offer = some(scene.hold("c1"))
    scene.tell(i.LogOut, "ann", 1)
    miss(scene, offer)
    ann = scene.board.world.agents["ann"]
    assert (scene.agent("ann"), ann.missed) == (("logged_out", ""), [])
    scene.tell(i.LogOut, "ann", 2)  # says that he was not logged in, and changes nothing
    scene.restart()
    assert scene.board.world.agents["ann"].missed == []


def test_a_pause_of_his_own_stays() -> None:
    scene = Scene(replace(STRICT, misses=1), agents="ann")
    offer = some(scene.hold("c1"))
    scene.tell(i.Pause, "ann", "lunch", 1)
    miss(scene, offer)
    assert scene.agent("ann") == ("paused", "lunch")
    scene.wait(100)
    assert scene.agent("ann") == ("paused", "lunch")


def test_a_phone_that_refuses_without_ringing_is_in_do_not_disturb() -> None:
    scene = Scene(replace(STRICT, misses=1), agents="ann")
    offer = some(scene.hold("c1"))
    scene.tell(i.OfferReached, "c1", offer.offer)
    scene.tell(i.LegDialled, "c1", offer.offer, "leg")
    scene.tell(i.ChannelGone, "leg", 17)
    scene.tell(i.OfferEnded, "c1", offer.offer, "BUSY", 17)
    assert scene.agent("ann") == ("cooldown", "dnd")
    assert scene.results() == ["busy"]
    scene.tell(i.CallHolding, "c1", "sales", 0, 0.0)
    some(placed(scene.wait(10.1)))  # it lifts itself
