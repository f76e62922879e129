"""What people at work ask of a queue, and of a caller who waits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scene import Scene, moved_out, placed, records, replies, some
from simulator import EPOCH, plan_of

from ccbridge.core import effects as effects_of
from ccbridge.core import inputs as i
from ccbridge.core.controls import SETTABLE
from ccbridge.core.effects import DropCall, Effect, TellQueue
from ccbridge.core.plan import Announce, QueuePlan
from ccbridge.core.records import CallClosed, CallEvent, PlanBegan, QueueEvent

QUEUES = {
    "sales": QueuePlan("sales", ring=10, wrap_up=10, max_wait=60, overflow="900", priority=2),
    "help": QueuePlan("help", ring=10, max_wait=50, overflow="901"),
}
PLAN = plan_of(QUEUES, {"ann": ("sales",), "bob": ("help",)})
SUE = ("sue", 7)


def said(effects: list[Effect]) -> str:
    (reply,) = replies(effects)
    return f"{'+' if reply[0] else '-'} {reply[1]}"


def kinds(effects: list[Effect]) -> list[tuple[str, str]]:
    return [(event.kind, event.by) for event in records(effects, QueueEvent)]


# -- queues


def test_a_paused_queue_offers_nothing_and_its_callers_wait_and_overflow() -> None:
    scene = Scene(PLAN, "ann bob")
    effects = scene.tell(i.QueuePause, "sales", *SUE)
    assert said(effects) == "+ sales is paused: its calls are offered to nobody"
    assert kinds(effects) == [("paused", "sue")]
    assert said(scene.tell(i.QueuePause, "sales", *SUE)).endswith("already")
    assert scene.hold("c1") is None
    waiting = next(e for e in records(scene.said, CallEvent) if e.kind == "waiting")
    assert waiting.data["why"] == {"queue": "paused"}
    assert moved_out(scene.wait(60)) == ["900"]
    assert scene.hold("c2") is None
    scene.restart()
    scene.is_at("c2", "ccbridge-hold")
    assert placed(scene.link_up()) is None
    effects = scene.tell(i.QueueResume, "sales", *SUE)
    assert kinds(effects) == [("resumed", "sue")]
    assert some(placed(effects)).call == "c2"
    assert kinds(scene.tell(i.QueueResume, "sales", *SUE)) == []


def test_a_pause_leaves_the_phone_that_rings() -> None:
    scene = Scene(PLAN, "ann")
    offer = some(scene.hold("c1"))
    scene.tell(i.QueuePause, "sales", *SUE)
    scene.answer(offer)
    assert scene.agent("ann") == ("talking", "")


def test_a_draining_queue_serves_who_is_there_and_sends_away_who_comes() -> None:
    scene = Scene(PLAN, "")
    scene.hold("c1")
    assert kinds(scene.tell(i.QueueDrain, "sales", *SUE)) == [("draining", "sue")]
    before = len(scene.said)
    scene.hold("c2")
    assert moved_out(scene.said[before:]) == ["900"]
    scene.tell(i.CallExited, "c2", "900")
    (overflowed,) = [e for e in records(scene.said, CallEvent) if e.kind == "overflowed"]
    assert overflowed.data == {"target": "900", "reason": "draining"}
    assert some(placed(scene.tell(i.LogIn, "ann", 1))).call == "c1"
    # over a restart the queue drains on, and who was to leave still is
    scene.queue("c3")
    scene.restart()
    scene.is_at("c3", "ccbridge-hold")
    scene.link_up()
    scene.wait(0)
    assert moved_out(scene.said) == ["900", "900"]
    scene.tell(i.QueueResume, "sales", *SUE)
    scene.hold("c4")
    assert moved_out(scene.wait(5)) == []


def test_a_value_that_was_set_holds_until_it_is_set_back() -> None:
    scene = Scene(PLAN, "ann")
    effects = scene.tell(i.QueueSet, "sales", "ring", 25.0, *SUE)
    assert said(effects) == "+ sales.ring is 25, was 10"
    (event,) = records(effects, QueueEvent)
    assert event.data == {"key": "ring", "value": 25.0, "before": 10, "file": 10}
    (began,) = records(effects, PlanBegan)
    assert began.version == event.plan == scene.board.world.version
    scene.restart()
    assert records(scene.link_up(), PlanBegan) == []
    assert some(scene.hold("c1")).ring == 25
    effects = scene.tell(i.QueueSet, "sales", "ring", None, *SUE)
    assert said(effects) == "+ sales.ring is 10, as the file says"
    assert kinds(effects) == [("unset", "sue")]
    assert kinds(scene.tell(i.QueueSet, "sales", "ring", 10.0, *SUE)) == []
    assert scene.board.world.plan == PLAN


def test_another_max_wait_counts_for_those_who_wait() -> None:
    scene = Scene(PLAN, "")
    scene.hold("c1")
    scene.wait(20)
    assert moved_out(scene.tell(i.QueueSet, "sales", "max_wait", 15.0, *SUE) + scene.wait(0)) == ["900"]


def test_a_reload_ends_what_it_says_otherwise_and_keeps_the_rest() -> None:
    scene = Scene(PLAN, "ann")
    scene.tell(i.QueueSet, "sales", "ring", 25.0, *SUE)
    scene.tell(i.QueueSet, "sales", "priority", 9, *SUE)
    scene.tell(i.QueuePause, "sales", *SUE)
    scene.tell(i.QueueDrain, "help", *SUE)
    fresh = replace(PLAN, queues={"sales": replace(QUEUES["sales"], ring=12, wrap_up=1)})
    scene.plan = fresh
    effects = scene.tell(i.PlanLoaded, fresh)
    told = [(e.queue, e.kind, e.by, e.data.get("key")) for e in records(effects, QueueEvent)]
    assert told == [("sales", "unset", "reload", "ring"), ("help", "resumed", "reload", None)]
    queue = scene.board.world.queue("sales")
    assert (queue.ring, queue.wrap_up, queue.priority) == (12, 1, 9)
    assert scene.board.world.is_paused("sales")
    # a start with another file is a reload, too
    scene.plan = replace(fresh, queues={"sales": replace(fresh.queues["sales"], priority=1)})
    scene.restart()
    told = [(e.queue, e.kind, e.by, e.data.get("key")) for e in records(scene.link_up(), QueueEvent)]
    assert told == [("sales", "unset", "reload", "priority")]
    assert scene.board.world.queue("sales").priority == 1


def test_what_cannot_be_is_refused() -> None:
    scene = Scene(PLAN, "")
    assert said(scene.tell(i.QueuePause, "nowhere", *SUE)) == "- no queue 'nowhere' in the configuration"
    for key, value in (("name", "x"), ("ring", "long"), ("rules", 3), ("strategy", 4.5)):
        assert said(scene.tell(i.QueueSet, "sales", key, value, *SUE)).startswith(f"- sales.{key} cannot")
    assert records(scene.said, QueueEvent) == []
    assert {
        "ring",
        "wrap_up",
        "max_wait",
        "service_level",
        "priority",
        "strategy",
        "overflow",
    } <= SETTABLE.keys()


# -- a caller who waits


def test_a_call_is_pulled_out_of_turn_by_whoever_is_free() -> None:
    scene = Scene(PLAN, "")
    scene.hold("c1")
    scene.hold("c2")
    scene.tell(i.LogIn, "bob", 1)  # who does not serve sales
    effects = scene.tell(i.CallPull, "c2", "bob", *SUE)
    assert said(effects) == "+ c2 is offered"
    assert some(placed(effects)).devices == ("PJSIP/bob",)
    pulled, offered = records(effects, CallEvent)[:2]
    assert (pulled.kind, pulled.data) == ("pulled", {"agent": "bob", "by": "sue"})
    assert offered.data["pulled"] is True
    scene.answer(some(placed(effects)))
    assert scene.agent("bob") == ("talking", "")
    for call, agent, why in (
        ("c2", "ann", "- c2 is talking with bob"),
        ("c1", "bob", "- c1 stays: bob is talking"),
        ("c1", "ann", "- c1 stays: ann is logged_out"),
        ("c1", "zed", "- c1 stays: there is no agent 'zed'"),
        ("c9", "ann", "- there is no live call 'c9'"),
    ):
        assert said(scene.tell(i.CallPull, call, agent, *SUE)) == why


def test_a_call_is_moved_and_keeps_the_time_that_it_has_waited() -> None:
    scene = Scene(PLAN, "")
    scene.hold("c1")
    scene.wait(20)
    effects = scene.tell(i.CallMove, "c1", "help", *SUE)
    assert said(effects) == "+ c1 is moved"
    queued = next(e for e in records(effects, CallEvent) if e.kind == "queued")
    assert (queued.data["why"], queued.data["by"], queued.data["since"]) == ("moved", "sue", EPOCH + 2)
    assert said(scene.tell(i.CallMove, "c1", "help", *SUE)) == "- c1 stays: it is in help already"
    assert said(scene.tell(i.CallMove, "c1", "nowhere", *SUE)) == "- c1 stays: there is no queue 'nowhere'"
    scene.tell(i.QueueDrain, "sales", *SUE)
    assert said(scene.tell(i.CallMove, "c1", "sales", *SUE)) == "- c1 stays: sales takes no new callers"


def test_a_priority_moves_a_caller_in_line_and_outlives_a_restart() -> None:
    scene = Scene(PLAN, "")
    scene.hold("c1")
    scene.hold("c2")
    effects = scene.tell(i.CallPriority, "c2", 50, *SUE)
    assert [x for x in effects if isinstance(x, TellQueue)] == [TellQueue("c2", "sales", 48, EPOCH + 2)]
    scene.restart()
    for call in ("c1", "c2"):
        scene.is_at(call, "ccbridge-hold")
    scene.link_up()
    assert some(placed(scene.tell(i.LogIn, "ann", 1))).call == "c2"


def test_a_caller_is_sent_to_an_extension() -> None:
    scene = Scene(PLAN, "")
    scene.hold("c1")
    effects = scene.tell(i.CallRedirect, "c1", "77", *SUE)
    assert (said(effects), moved_out(effects)) == ("+ c1 is sent there", ["77"])
    assert said(scene.tell(i.CallRedirect, "c1", "78", *SUE)) == "- c1 is on its way out of the line"
    scene.tell(i.CallExited, "c1", "77")
    assert scene.closed("c1").disposition == "left"
    assert scene.events("c1")[-3:] == ["redirected", "left", "ended"]


def test_a_caller_is_hung_up() -> None:
    scene = Scene(PLAN, "")
    scene.hold("c1")
    effects = scene.tell(i.CallHangup, "c1", *SUE)
    assert [x for x in effects if isinstance(x, DropCall)] == [DropCall("c1")]
    scene.tell(i.ChannelGone, "c1", 16)
    closed = scene.closed("c1")
    assert (closed.disposition, closed.ended_by) == ("left", "system")
    # who hangs up in the same moment did it himself
    scene.hold("c2")
    scene.tell(i.CallHangup, "c2", *SUE)
    scene.tell(i.HangupAsked, "c2")
    assert scene.closed("c2").disposition == "abandoned"


COMMANDS = [
    (i.CallPull, "ann"),
    (i.CallMove, "help"),
    (i.CallPriority, 5),
    (i.CallRedirect, "77"),
    (i.CallHangup,),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0].__name__)
def test_nothing_is_done_to_a_call_in_any_other_state(command: tuple[type, ...]) -> None:
    kind, *more = command
    scene = Scene(PLAN, "ann")

    def refused(why: str) -> None:
        before = scene.state("c1")
        effects = scene.tell(kind, "c1", *more, *SUE)
        assert said(effects) == f"- c1 {why}"
        assert (scene.state("c1"), len(effects)) == (before, 1)

    scene.arrive("c1")
    refused("is in the menu")
    scene.tell(i.CallQueued, "c1", "sales", 0)
    refused("is on the way into the line: try again")
    offer = some(placed(scene.tell(i.CallHolding, "c1", "sales", 0, 0.0)))
    refused("is offered to ann")
    leg = scene.answer(offer)
    refused("is talking with ann")
    scene.tell(i.LinkDown, "cut")
    refused("cannot be reached: there is no link to Asterisk")
    scene.is_at("c1", "ccbridge-offer", offer.offer, bridge="b")
    scene.is_at(leg, "phones", name="PJSIP/ann-1", linked="c1", bridge="b")
    scene.link_up()
    scene.tell(i.BridgeLeft, leg, "b")
    scene.tell(i.ChannelGone, leg, 16)
    refused("has ended its talk")
    scene.tell(i.ChannelGone, "c1", 16)
    effects = scene.tell(kind, "c1", *more, *SUE)
    assert said(effects) == "- there is no live call 'c1'"
    assert records(scene.said, CallClosed) == [scene.closed("c1")]


@pytest.mark.parametrize("how", ["priority", "customer"])
def test_another_priority_does_not_silence_the_announcements(how: str) -> None:
    plan = replace(PLAN, queues={**QUEUES, "sales": replace(QUEUES["sales"], announce=Announce(first=5))})
    scene = Scene(plan, "")
    scene.hold("c1")
    scene.wait(1)
    if how == "priority":
        scene.tell(i.CallPriority, "c1", 50, *SUE)
    else:
        scene.tell(i.CustomerFound, "c1", 7, "", 9)
    assert [x.position for x in scene.wait(5) if isinstance(x, effects_of.Announce)] == [1]
