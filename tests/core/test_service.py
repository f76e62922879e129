"""Who is given to whom, what a failed offer costs, and how calls end: small examples."""

from dataclasses import replace

import pytest
from scene import TWO, Scene, dropped, looks, moved_out, placed, records, replies, some
from simulator import EPOCH, plan_of

from ccbridge.core import inputs as i
from ccbridge.core.plan import QueuePlan
from ccbridge.core.records import CallClosed, CallEvent, CallOpened


def test_higher_priority_first_then_virtual_start() -> None:
    scene = Scene(agents="")
    for call, priority in (("first", 0), ("second", 0), ("urgent", 5)):
        assert scene.hold(call, priority=priority) is None
        scene.wait(1)
    served = []
    for agent in ("ann", "bob"):
        served.append(some(placed(scene.tell(i.LogIn, agent, 1))).call)
    assert served == ["urgent", "first"]


def test_virtual_start_counts_not_the_moment_of_holding() -> None:
    scene = Scene(agents="")
    scene.queue("early")
    scene.wait(1)
    scene.hold("late")
    scene.tell(i.CallHolding, "early", "sales", 0, 0.0)
    assert some(placed(scene.tell(i.LogIn, "ann", 1))).call == "early"


@pytest.mark.parametrize("came", [0.0, 8.0, -1.0, float("nan")])
def test_who_came_while_nobody_was_here_has_come_then(came: float) -> None:
    """The channel says when the PBX answered him; what cannot be is not believed."""
    scene = Scene(agents="")
    told = EPOCH + scene.t - came if came else 0.0
    (opened,) = records(scene.tell(i.CallArrived, "one", "100", "anonymous", None, "", "", told), CallOpened)
    (closed,) = records(scene.tell(i.ChannelGone, "one", 16), CallClosed)
    assert opened.at == closed.arrived == EPOCH + scene.t - (8.0 if came == 8.0 else 0.0)


def test_a_queue_adds_its_own_priority() -> None:
    plan = plan_of(
        {"a": QueuePlan("a", overflow="9"), "b": QueuePlan("b", overflow="9", priority=3)},
        {"ann": ("a", "b")},
    )
    scene = Scene(plan, agents="")
    scene.hold("plain", "a", priority=2)
    scene.wait(1)
    scene.hold("better", "b")
    assert some(placed(scene.tell(i.LogIn, "ann", 1))).call == "better"


def test_the_longest_idle_agent_is_taken() -> None:
    scene = Scene(agents="bob")
    scene.wait(1)
    scene.tell(i.LogIn, "ann", 1)
    assert some(scene.hold("c1")).devices == ("PJSIP/bob",)
    assert some(scene.hold("c2")).devices == ("PJSIP/ann",)


def test_the_phone_shows_name_queue_and_waiting_time() -> None:
    scene = Scene(agents="")
    scene.arrive("c1", "+4930")
    scene.tell(i.CustomerFound, "c1", 7, "Zoë")
    scene.tell(i.CallQueued, "c1", "sales", 0)
    scene.tell(i.CallHolding, "c1", "sales", 0, 0.0)
    scene.wait(65 - 10)
    assert some(placed(scene.tell(i.LogIn, "ann", 1))).display == "Zoë - sales 0:55"


@pytest.mark.parametrize(
    ("status", "cause", "result", "state", "pause"),
    [
        ("CHANUNAVAIL", 21, "refused", ("cooldown", "refused"), 10),
        ("BUSY", 17, "busy", ("cooldown", "refused"), 10),
        ("BUSY", 23, "refused", ("cooldown", "refused"), 10),  # it forwards: Dial does not follow it
        ("NOANSWER", 0, "missed", ("cooldown", "missed"), 10),
        ("CHANUNAVAIL", 1, "unreachable", ("unreachable", "dead"), 5),
    ],
)
def test_a_failed_offer_goes_to_the_next_agent(
    status: str, cause: int, result: str, state: tuple[str, str], pause: float
) -> None:
    scene = Scene()
    following = some(scene.fail(some(scene.hold("c1")), status, cause))
    assert following.devices == ("PJSIP/bob",)
    assert scene.results() == [result]
    assert scene.agent("ann") == state
    scene.tell(i.HangupAsked, "c1")
    scene.wait(pause - 0.1)
    assert scene.agent("ann") == state
    scene.wait(0.2)
    assert scene.agent("ann") == ("available", "")


def unreached(scene: Scene, call: str) -> None:
    """His phone is not registered: no dial event at all."""
    offer = some(scene.hold(call))
    scene.tell(i.OfferReached, call, offer.offer)
    scene.tell(i.OfferEnded, call, offer.offer, "CHANUNAVAIL", 3)
    scene.tell(i.HangupAsked, call)


def test_the_back_off_of_a_dead_phone_grows_and_a_sign_of_life_lifts_it() -> None:
    scene = Scene(agents="ann")
    for n, pause in enumerate((5, 15, 60, 60)):
        unreached(scene, f"c{n}")
        scene.wait(pause - 0.1)
        assert scene.agent("ann") == ("unreachable", "dead")
        scene.wait(0.2)
        assert scene.agent("ann") == ("available", "")
    unreached(scene, "c9")
    scene.tell(i.ContactSeen, "PJSIP/ann")
    assert scene.agent("ann") == ("available", "")
    unreached(scene, "c10")
    scene.wait(5.1)  # the first step again
    assert scene.agent("ann") == ("available", "")


def test_a_phone_that_registers_again_is_no_longer_dead() -> None:
    scene = Scene(agents="ann")
    unreached(scene, "c1")
    scene.tell(i.DeviceChanged, "PJSIP/ann", "UNAVAILABLE")
    assert scene.agent("ann") == ("unreachable", "not_registered")
    scene.tell(i.DeviceChanged, "PJSIP/ann", "NOT_INUSE")
    assert scene.agent("ann") == ("available", "")


def test_a_miss_is_not_lifted_by_a_sign_of_life() -> None:
    scene = Scene(agents="ann")
    scene.fail(some(scene.hold("c1")), "NOANSWER", 0)
    scene.tell(i.ContactSeen, "PJSIP/ann")
    assert scene.agent("ann") == ("cooldown", "missed")


def test_a_leg_that_does_not_ring_is_dropped() -> None:
    scene = Scene()
    offer = some(scene.hold("c1"))
    scene.tell(i.OfferReached, "c1", offer.offer)
    scene.tell(i.LegDialled, "c1", offer.offer, "leg")
    assert dropped(scene.wait(TWO.reach_timeout - 0.1)) == []
    assert dropped(scene.wait(0.2)) == ["leg"]
    scene.tell(i.ChannelGone, "leg", 16)
    scene.tell(i.OfferEnded, "c1", offer.offer, "NOANSWER", 16)
    assert scene.results() == ["unreachable"]
    assert some(placed(scene.tell(i.CallHolding, "c1", "sales", 0, 0.0))).devices == ("PJSIP/bob",)


def test_a_ringing_phone_is_left_to_dial() -> None:
    scene = Scene(agents="ann")
    scene.ring(some(scene.hold("c1")))
    effects = scene.wait(14.9)
    assert not dropped(effects)
    assert not looks(effects)
    assert looks(scene.wait(0.2)) == ["c1"]  # longer than Dial would ring: asked, not acted upon


def test_wrap_up_after_a_talk() -> None:
    scene = Scene(agents="ann")
    leg = scene.answer(some(scene.hold("c1")))
    scene.wait(20)
    scene.tell(i.HangupAsked, "c1")
    scene.tell(i.ChannelGone, leg, 16)
    assert scene.closed("c1").talk == 20
    assert scene.hold("c2") is None
    scene.wait(9.9)
    assert scene.agent("ann") == ("wrap_up", "")
    assert some(placed(scene.wait(0.2))).call == "c2"
    assert scene.states("ann") == ["available", "offered", "talking", "wrap_up", "available", "offered"]


def test_he_is_not_offered_a_call_while_his_phone_asks_for_the_outcome() -> None:
    scene = Scene(agents="ann")
    leg = scene.answer(some(scene.hold("c1")))
    scene.tell(i.HangupAsked, "c1")
    scene.hold("c2")
    assert placed(scene.wait(15)) is None
    assert some(placed(scene.tell(i.ChannelGone, leg, 16))).call == "c2"


def test_max_wait_over_leads_to_the_overflow() -> None:
    scene = Scene(agents="")
    scene.hold("c1")
    assert moved_out(scene.wait(59.9)) == []
    assert moved_out(scene.wait(0.2)) == ["900"]
    scene.tell(i.CallExited, "c1", "900")
    assert scene.closed("c1").disposition == "overflowed"
    assert scene.closed("c1").wait == pytest.approx(60, abs=0.2)


@pytest.mark.parametrize("ends", [i.HangupAsked, i.ChannelGone])
@pytest.mark.parametrize(
    ("stage", "disposition"),
    [
        ("menu", "menu_ended"),
        ("queued", "abandoned"),
        ("holding", "abandoned"),
        ("placed", "abandoned"),
        ("ringing", "abandoned"),
        ("returning", "abandoned"),
        ("talking", "answered"),
    ],
)
def test_a_caller_may_hang_up_at_any_stage(stage: str, disposition: str, ends: type) -> None:
    scene = Scene(agents="" if stage == "holding" else "ann")
    leg = ""
    if stage == "menu":
        scene.arrive("c1")
    elif stage == "queued":
        scene.queue("c1")
    else:
        offer = scene.hold("c1")
        if stage == "ringing":
            leg = scene.ring(some(offer))
        elif stage == "talking":
            leg = scene.answer(some(offer))
        elif stage == "returning":
            scene.tell(i.OfferReached, "c1", some(offer).offer)
            scene.tell(i.OfferEnded, "c1", some(offer).offer, "CHANUNAVAIL", 3)
    scene.tell(ends, "c1", *([16] if ends is i.ChannelGone else []))
    assert (scene.closed("c1").disposition, scene.closed("c1").ended_by) == (disposition, "caller")
    if leg:
        scene.tell(i.ChannelGone, leg, 16)
    scene.tell(i.ChannelGone, "c1", 16)
    scene.wait(61)
    scene.tell(i.LogIn, "ann", 1)
    assert scene.agent("ann") == ("available", "")
    assert not scene.board.world.offers
    assert not scene.oddities()


def test_a_withdrawn_offer_costs_the_agent_nothing() -> None:
    scene = Scene(agents="ann")
    leg = scene.ring(some(scene.hold("c1")))
    scene.tell(i.HangupAsked, "c1")
    assert scene.agent("ann") == ("offered", "")  # his phone stops ringing in a moment
    scene.tell(i.ChannelGone, leg, 16)
    assert scene.agent("ann") == ("available", "")
    assert scene.results() == ["withdrawn"]


def test_the_agent_hangs_up_first() -> None:
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    leg = scene.answer(offer)
    scene.wait(5)
    scene.tell(i.BridgeLeft, leg, "b")
    scene.tell(i.BridgeLeft, "c1", "b")
    scene.tell(i.ChannelGone, leg, 16)
    scene.tell(i.OfferEnded, "c1", offer.offer, "ANSWER", 16)
    scene.tell(i.ChannelGone, "c1", 16)
    assert (scene.closed("c1").disposition, scene.closed("c1").ended_by) == ("answered", "agent")
    assert scene.closed("c1").talk == 5
    assert not scene.oddities()


@pytest.mark.parametrize("he_asks", [False, True])
def test_an_agent_who_hangs_up_before_they_are_connected(he_asks: bool) -> None:
    """Dial has an answer, and there is no bridge: the dialplan lets the caller go."""
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    leg = scene.ring(offer)
    scene.tell(i.HangupAsked, leg)
    scene.tell(i.OfferEnded, "c1", offer.offer, "ANSWER", 16)
    scene.tell(i.ChannelGone, leg, 16)
    if he_asks:
        scene.tell(i.HangupAsked, "c1")
    scene.tell(i.ChannelGone, "c1", 16)
    closed = scene.closed("c1")
    assert (closed.disposition, closed.ended_by) == ("abandoned", "caller" if he_asks else "agent")
    assert scene.agent("ann") == ("available", "")
    assert not scene.oddities()


def test_the_last_step_of_a_channel_that_has_hung_up_is_no_oddity() -> None:
    scene = Scene()
    scene.queue("c1")
    scene.tell(i.HangupAsked, "c1")
    assert scene.tell(i.CallHolding, "c1", "sales", 0, 0.0) == []


def test_a_caller_who_is_gone_before_his_arrival_is_told() -> None:
    """AMI and FastAGI are two sockets."""
    scene = Scene()
    scene.tell(i.ChannelGone, "c1", 16)
    scene.arrive("c1")
    assert scene.closed("c1").disposition == "menu_ended"


@pytest.mark.parametrize(("digit", "outcome"), [("1", "resolved"), ("4", "open")])
def test_the_outcome_of_a_call(digit: str, outcome: str) -> None:
    scene = Scene(agents="ann")
    offer = some(scene.hold("c1"))
    leg = scene.answer(offer)
    assert replies(scene.tell(i.OutcomeKeyed, digit, 5, device="PJSIP/ann")) == [(True, outcome)]
    scene.tell(i.HangupAsked, "c1")
    assert replies(scene.tell(i.OutcomeKeyed, digit, 5, offer=offer.offer)) == [(True, outcome)]
    assert not replies(scene.tell(i.OutcomeKeyed, "9", 5, offer=offer.offer))[0][0]
    scene.tell(i.ChannelGone, leg, 16)
    assert replies(scene.tell(i.OutcomeKeyed, digit, 5, device="PJSIP/ann")) == [(True, outcome)]
    scene.wait(10.1)
    assert not replies(scene.tell(i.OutcomeKeyed, digit, 5, device="PJSIP/ann"))[0][0]
    assert replies(scene.tell(i.OutcomeKeyed, digit, 5, device="PJSIP/x")) == [
        (False, "no agent has this phone")
    ]


def test_tags_of_a_call() -> None:
    scene = Scene(agents="ann")
    assert replies(scene.tell(i.TicketTagged, "ann", "order", 5)) == [(False, "ann has no call in wrap-up")]
    assert replies(scene.tell(i.TicketTagged, "zoe", "order", 5)) == [(False, "no agent zoe")]
    leg = scene.answer(some(scene.hold("c1")))
    assert replies(scene.tell(i.TicketTagged, "ann", "order", 5)) == [(True, "order")]
    scene.tell(i.HangupAsked, "c1")
    scene.tell(i.ChannelGone, leg, 16)
    scene.tell(i.ChannelGone, "c1", 16)
    for tag in ("invoice", "order"):
        assert replies(scene.tell(i.TicketTagged, "ann", tag, 5)) == [(True, tag)]
    said = records(scene.said, CallEvent)
    tags = [(e.call, e.data["tag"]) for e in said if e.kind == "tagged"]
    assert tags == [("c1", "order"), ("c1", "invoice"), ("c1", "order")]
    scene.wait(10.1)
    assert not replies(scene.tell(i.TicketTagged, "ann", "order", 5))[0][0]


def test_pause_and_log_out_wait_for_the_end_of_the_call() -> None:
    scene = Scene(agents="ann bob")
    leg = scene.answer(some(scene.hold("c1")))
    scene.tell(i.Pause, "ann", "break", 1)
    assert scene.agent("ann") == ("talking", "break")
    other = scene.answer(some(scene.hold("c2")))
    scene.tell(i.LogOut, "bob", 1)
    assert scene.agent("bob") == ("talking", "logging_out")
    for call, channel in (("c1", leg), ("c2", other)):
        scene.tell(i.HangupAsked, call)
        scene.tell(i.ChannelGone, channel, 16)
    assert scene.agent("ann") == ("wrap_up", "break")
    assert scene.agent("bob") == ("logged_out", "")
    scene.wait(10)
    assert scene.agent("ann") == ("paused", "break")
    scene.tell(i.Unpause, "ann", 1)
    assert scene.agent("ann") == ("available", "")


def test_commands_are_answered() -> None:
    scene = Scene(agents="")
    assert replies(scene.tell(i.LogIn, "zed", 1)) == [(False, "no agent 'zed' in the configuration")]
    assert replies(scene.tell(i.Pause, "ann", "break", 1)) == [(False, "ann is not logged in")]
    assert replies(scene.tell(i.LogIn, "ann", 1)) == [(True, "ann is logged in")]
    assert replies(scene.tell(i.Pause, "ann", "fishing", 1))[0][0] is False
    assert replies(scene.tell(i.Pause, "ann", "lunch", 1)) == [(True, "ann is paused: lunch")]


def test_a_reload_changes_no_live_agent() -> None:
    scene = Scene(agents="ann bob")
    leg = scene.answer(some(scene.hold("c1")))
    smaller = plan_of({"sales": TWO.queues["sales"]}, {"cyd": ("sales",)})
    scene.tell(i.PlanLoaded, smaller)
    assert scene.agent("ann") == ("talking", "logging_out")
    assert "bob" not in scene.board.world.agents
    assert scene.states("bob")[-1] == "logged_out"
    scene.hold("c2")
    assert some(placed(scene.tell(i.LogIn, "cyd", 1))).call == "c2"
    scene.tell(i.HangupAsked, "c1")
    scene.tell(i.ChannelGone, leg, 16)
    assert scene.agent("ann") == ("logged_out", "")
    assert scene.closed("c1").disposition == "answered"


def test_a_reload_may_give_an_agent_another_phone() -> None:
    scene = Scene(agents="ann")
    scene.tell(i.DeviceChanged, "PJSIP/ann", "UNAVAILABLE")
    scene.tell(i.DeviceChanged, "PJSIP/new", "NOT_INUSE")
    agents = {"ann": plan_of({}, {"new": ("sales",)}).agents["new"]}
    moved = plan_of({"sales": TWO.queues["sales"]}, {})
    fresh = type(agents["ann"])("ann", "Ann", "PJSIP/new", ("sales",))
    scene.tell(i.PlanLoaded, type(moved)(moved.queues, {"ann": fresh}, {}, {}, ""))
    assert scene.agent("ann") == ("available", "")


def test_an_agents_own_wrap_up_counts_instead_of_the_queues() -> None:
    ann = replace(TWO.agents["ann"], wrap_up=3.0)
    scene = Scene(replace(TWO, agents={**TWO.agents, "ann": ann}), agents="ann")
    leg = scene.answer(some(scene.hold("c1")))
    scene.tell(i.HangupAsked, "c1")
    scene.tell(i.ChannelGone, leg, 16)
    scene.wait(2.9)
    assert scene.agent("ann") == ("wrap_up", "")
    scene.wait(0.2)
    assert scene.agent("ann") == ("available", "")
