"""A lost link, a restart, and looks: what is there is taken up, what is gone is ended, nothing is resent."""

from dataclasses import replace

import pytest
from scene import Scene, looks, placed, records, some
from simulator import EPOCH

from ccbridge.core import inputs as i
from ccbridge.core.effects import Append, MoveOut, PlaceOffer
from ccbridge.core.records import CallClosed, CallOpened, RecordingStarted


def acts(effects: list[object]) -> list[object]:
    return [x for x in effects if isinstance(x, PlaceOffer | MoveOut)]


def test_nothing_is_done_while_the_link_is_down() -> None:
    scene = Scene(agents="ann")
    scene.tell(i.LinkDown, "cut")
    scene.queue("c1")
    assert not acts(scene.wait(100))
    scene.is_at("c1", "ccbridge-hold")
    assert some(placed(scene.link_up())).call == "c1"  # although max_wait is over: an agent is there


def test_a_restart_takes_up_who_holds_in_their_order() -> None:
    scene = Scene(agents="")
    for call in ("c1", "c2", "c3"):
        scene.hold(call)
        scene.is_at(call, "ccbridge-hold")
        scene.wait(1)
    scene.restart()
    scene.link_up()
    assert [some(placed(scene.tell(i.LogIn, agent, 1))).call for agent in ("ann", "bob")] == ["c1", "c2"]
    assert not scene.oddities()


def test_a_restart_in_the_menu() -> None:
    scene = Scene(agents="ann")
    scene.arrive("c1", "+4930")
    scene.is_at("c1", "ccbridge-in", "menu")
    scene.restart()
    scene.link_up()
    assert scene.state("c1") == "menu"
    scene.arrive("c1", "+4930")  # the dialplan asks for the menu anew
    scene.tell(i.CallQueued, "c1", "sales", 0)
    assert placed(scene.tell(i.CallHolding, "c1", "sales", 0, 0.0))
    assert scene.events("c1").count("arrived") == 2
    assert not scene.oddities()


def test_a_caller_at_the_door_is_left_to_his_own_arrival() -> None:
    scene = Scene()
    scene.restart()
    scene.is_at("c1", "ccbridge-in", "menu")
    scene.link_up()
    assert not scene.board.world.calls
    scene.arrive("c1", "+4930")
    assert scene.board.world.calls["c1"].e164 == "+4930"


def test_a_redirect_that_went_with_the_daemon() -> None:
    """Written, and killed before it was sent: the caller still holds, and nobody overtakes him."""
    scene = Scene(agents="ann")
    scene.hold("c1")
    scene.hold("c2")
    for call in ("c1", "c2"):
        scene.is_at(call, "ccbridge-hold")
    scene.restart()
    assert some(placed(scene.link_up())).call == "c1"
    assert scene.results() == ["lost"]
    assert not scene.oddities()


def test_a_restart_while_a_phone_rings() -> None:
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    leg = scene.ring(offer)
    scene.is_at("c1", "ccbridge-offer", offer.offer)
    scene.is_at(leg, "phones", name="PJSIP/ann-2", linked="c1", up=False)
    scene.restart()
    assert not acts(scene.link_up() + scene.wait(9))
    assert scene.agent("ann") == ("offered", "")
    scene.tell(i.BridgeEntered, leg, "b")
    scene.tell(i.BridgeEntered, "c1", "b")
    assert scene.agent("ann") == ("talking", "")
    assert not scene.oddities()


@pytest.mark.parametrize("agent_first", [True, False])
def test_a_restart_during_a_talk(agent_first: bool) -> None:
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    leg = scene.answer(offer)
    scene.is_at("c1", "ccbridge-offer", offer.offer, bridge="b")
    scene.is_at(leg, "phones", name="PJSIP/ann-2", linked="c1", bridge="b")
    scene.wait(10)
    scene.restart(away=5)
    scene.link_up()
    assert scene.agent("ann") == ("talking", "")
    scene.wait(5)
    if agent_first:
        scene.tell(i.ChannelGone, leg, 16)
        scene.tell(i.OfferEnded, "c1", offer.offer, "ANSWER", 16)
    scene.tell(i.ChannelGone, "c1", 16)
    assert scene.closed("c1").talk == 20
    assert scene.closed("c1").ended_by == ("agent" if agent_first else "caller")
    assert scene.agent("ann") == ("wrap_up", "")
    assert not scene.oddities()


def test_a_restart_in_wrap_up_keeps_its_end() -> None:
    scene = Scene(agents="ann")
    leg = scene.answer(some(scene.hold("c1")))
    scene.tell(i.HangupAsked, "c1")
    scene.tell(i.ChannelGone, leg, 16)
    scene.restart(away=4)
    scene.link_up()
    assert scene.agent("ann") == ("wrap_up", "")
    scene.wait(5.9)
    assert scene.agent("ann") == ("wrap_up", "")
    scene.wait(0.2)
    assert scene.agent("ann") == ("available", "")


def test_a_wrap_up_that_ended_meanwhile_is_told() -> None:
    scene = Scene(agents="ann")
    leg = scene.answer(some(scene.hold("c1")))
    scene.tell(i.HangupAsked, "c1")
    scene.tell(i.ChannelGone, leg, 16)
    scene.restart(away=40)
    scene.tell(i.Tick)
    assert scene.states("ann")[-1] == "available"


def test_a_pause_during_a_talk_outlives_a_restart() -> None:
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    scene.answer(offer)
    scene.tell(i.Pause, "ann", "lunch", 1)
    scene.restart(away=1)
    scene.link_up()  # the caller has gone meanwhile
    assert scene.closed("c1").disposition == "answered"
    scene.wait(11)
    assert scene.agent("ann") == ("paused", "lunch")


def test_whoever_has_gone_is_ended_and_his_agent_freed() -> None:
    scene = Scene(agents="ann bob")
    scene.answer(some(scene.hold("c1")))
    scene.ring(some(scene.hold("c2")))
    scene.hold("c3")
    scene.tell(i.LinkDown, "cut")
    scene.link_up()
    assert [scene.closed(call).disposition for call in ("c1", "c2", "c3")] == ["answered", "lost", "lost"]
    assert all(scene.closed(call).inferred for call in ("c1", "c2", "c3"))
    scene.wait(10.1)
    assert scene.agent("ann") == scene.agent("bob") == ("available", "")


def test_a_leg_that_ended_unseen_does_not_bind_its_agent() -> None:
    scene = Scene(agents="ann")
    scene.answer(some(scene.hold("c1")))
    scene.tell(i.HangupAsked, "c1")
    scene.tell(i.LinkDown, "cut")
    scene.wait(11)
    scene.link_up()
    assert scene.agent("ann") == ("available", "")


def test_who_came_after_the_snapshot_was_taken_is_looked_for() -> None:
    scene = Scene()
    scene.tell(i.LinkDown, "cut")
    scene.arrive("c1")  # by FastAGI, which has no order with the snapshot
    assert looks(scene.link_up()) == ["c1"]
    assert scene.state("c1") == "menu"


def test_unknown_callers_are_adopted() -> None:
    """The journal is gone: the channel's own variables say enough."""
    scene = Scene(agents="ann")
    scene.places["c1"] = i.Place(
        "c1", "PJSIP/trunk-1", "c1", "ccbridge-hold", "s", "", 30.0,
        variables={"CCB_CALL": "c1", "CCB_QUEUE": "sales", "CCB_PRIORITY": "2", "CCB_SINCE": "nan"},
    )  # fmt: skip
    scene.is_at("c2", "ccbridge-fallback")
    scene.places["c3"] = i.Place("c3", "PJSIP/trunk-3", "c3", "internal", "77", "")
    assert some(placed(scene.link_up())).call == "c1"
    assert scene.board.world.calls["c1"].inferred
    assert scene.state("c2") == "fallback"
    assert "c3" not in scene.board.world.calls


def test_who_reached_the_fallback_while_nobody_was_here_is_known_by_his_number() -> None:
    scene = Scene()
    came = EPOCH + scene.t - 12.0
    (opened,) = records(scene.tell(i.CallInFallback, "c1", "+4930", "e164", "+4930", "100", came), CallOpened)
    assert (opened.at, opened.did, opened.e164, opened.raw) == (came, "100", "+4930", "+4930")
    assert opened.inferred


@pytest.mark.parametrize("again", [False, True])
def test_a_talk_that_began_unseen_is_inferred(again: bool) -> None:
    """Also when we are killed once more before its end."""
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    leg = scene.ring(offer)
    scene.is_at("c1", "ccbridge-offer", offer.offer, bridge="b")
    scene.is_at(leg, "phones", name="PJSIP/ann-2", linked="c1", bridge="b")
    for _ in range(1 + again):
        scene.restart()
        scene.link_up()
    (closed,) = records(scene.tell(i.ChannelGone, "c1", 16), CallClosed)
    assert (closed.disposition, closed.inferred) == ("answered", True)


def test_a_talk_whose_end_went_by_unseen_is_inferred() -> None:
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    leg = scene.answer(offer)
    scene.is_at("c1", "ccbridge-offer", offer.offer)
    scene.restart()
    scene.link_up()
    assert leg not in scene.board.world.legs
    (closed,) = records(scene.tell(i.ChannelGone, "c1", 16), CallClosed)
    assert (closed.disposition, closed.ended_by, closed.inferred) == ("answered", "agent", True)


def test_answered_and_passed_on_while_nobody_watched() -> None:
    """Somebody whose phone is no agent's is in one bridge with him, and the agent's leg has gone."""
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    scene.ring(offer)
    scene.tell(i.LinkDown, "cut")
    scene.is_at("c1", "ccbridge-offer", offer.offer, bridge="b2")
    scene.is_at("x1", "phones", name="PJSIP/guest-1", linked="c1", bridge="b2")
    scene.link_up()
    assert (scene.state("c1"), scene.agent("ann")) == ("transferred", ("wrap_up", ""))
    assert [kind for kind in scene.events("c1") if kind in ("answered", "transferred")] == [
        "answered", "transferred",
    ]  # fmt: skip
    scene.tell(i.CallParked, "c1", "701")
    scene.tell(i.ChannelGone, "c1", 16)
    closed = scene.closed("c1")
    assert (closed.disposition, closed.agent, closed.inferred) == ("answered", "ann", True)
    assert not scene.oddities()


def test_a_closed_call_whose_channel_lives_on_is_not_opened_again() -> None:
    scene = Scene(agents="")
    scene.hold("c1")
    scene.tell(i.CallExited, "c1", "900")
    scene.is_at("c1", "internal", "900")
    scene.restart()
    scene.link_up()
    assert scene.closed("c1").disposition == "overflowed"
    assert not scene.board.world.calls


def test_a_lost_redirect_is_noticed_and_tried_again() -> None:
    scene = Scene(agents="ann")
    scene.hold("c1")
    assert looks(scene.wait(3.1)) == ["c1"]
    scene.is_at("c1", "ccbridge-hold")
    scene.tell(i.CallLooked, "c1", scene.places["c1"])
    assert scene.oddities() == ["offer_lost"]
    assert some(placed(scene.wait(1.1))).call == "c1"


def test_an_answer_that_is_out_of_date_is_not_believed() -> None:
    """He was seen in hold, but the Redirect arrived before the answer did: a second one would cut him off."""
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    assert looks(scene.tell(i.MoveFailed, "c1", offer.offer, "no answer in time")) == ["c1"]
    scene.ring(offer)
    scene.is_at("c1", "ccbridge-hold")
    scene.tell(i.CallLooked, "c1", scene.places["c1"])
    assert scene.agent("ann") == ("offered", "")
    assert not acts(scene.wait(5))


def test_a_second_word_of_the_same_hold_does_not_undo_the_offer() -> None:
    scene = Scene(agents="ann")
    scene.hold("c1")
    assert scene.tell(i.CallHolding, "c1", "sales", 0, 0.0) == []
    assert scene.state("c1") == "offered"


def test_a_talking_caller_who_turns_up_in_the_fallback_frees_his_agent() -> None:
    scene = Scene(agents="ann")
    leg = scene.answer(some(scene.hold("c1")))
    scene.is_at("c1", "ccbridge-fallback")
    scene.tell(i.LinkDown, "cut")
    scene.link_up()
    assert leg
    assert scene.agent("ann") == ("wrap_up", "")
    assert scene.results() == ["talked"]


def test_who_was_moved_away_by_somebody_else_has_left() -> None:
    scene = Scene(agents="")
    scene.hold("c1")
    scene.is_at("c1", "elsewhere", "12")
    scene.tell(i.LinkDown, "cut")
    scene.link_up()
    assert scene.closed("c1").disposition == "left"


def test_a_leg_that_went_unseen_while_the_result_is_to_come() -> None:
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    scene.ring(offer)
    scene.is_at("c1", "ccbridge-offer", offer.offer)
    scene.tell(i.LinkDown, "cut")
    scene.link_up()
    scene.tell(i.OfferEnded, "c1", offer.offer, "NOANSWER", 0)
    scene.tell(i.CallHolding, "c1", "sales", 0, 0.0)
    assert scene.results() == ["missed"]
    assert scene.state("c1") == "holding"


@pytest.mark.parametrize("noted", ["2026/11/22/c1-o7", "2026/11/22/c1-o6", ""])
def test_a_talk_of_which_nothing_is_known_is_adopted_with_its_recording(noted: str) -> None:
    """Journal and database are gone: the caller's channel tells it; an earlier offer's is not this one's."""
    scene = Scene(agents="ann")
    scene.is_at("c1", "ccbridge-offer", "o7", bridge="b")
    scene.is_at("leg", "phones", name="PJSIP/ann-2", linked="c1", bridge="b")
    more = {"CCB_CALL": "c1", "CCB_QUEUE": "sales", "CCB_REC": noted}
    scene.places["c1"] = replace(scene.places["c1"], variables=more)
    scene.link_up()
    assert scene.agent("ann") == ("talking", "")
    scene.tell(i.ChannelGone, "leg", 16)
    scene.tell(i.ChannelGone, "c1", 16)
    records = [x.record for x in scene.said if isinstance(x, Append)]
    started = [one.path for one in records if isinstance(one, RecordingStarted)]
    assert started == ([noted] if noted.endswith("o7") else [])
    assert scene.closed("c1").disposition == "answered"
