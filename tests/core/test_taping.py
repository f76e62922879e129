"""Recordings that are paused, resumed and begun on demand: each rule by an example."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from scene import TWO, Scene, records, replies, some

from ccbridge.core import inputs as i
from ccbridge.core.effects import Effect, MuteRecording, StartRecording
from ccbridge.core.plan import QueuePlan
from ccbridge.core.records import CallEvent, ControlEvent, RecordingEnded, RecordingStarted

PLAN = replace(TWO, recording_pause=30.0)
ON_DEMAND = replace(
    PLAN, queues={"sales": QueuePlan("sales", ring=10, wrap_up=0, overflow="900", recording="on_demand")}
)
NEVER = replace(
    PLAN, queues={"sales": QueuePlan("sales", ring=10, wrap_up=0, overflow="900", recording="never")}
)


class Talk(Scene):
    """One caller, whom ann has."""

    def __init__(self, plan: Any = PLAN) -> None:
        super().__init__(plan)
        self.offer = some(self.hold("c"))
        self.leg = self.answer(self.offer)

    def ask(self, do: str, agent: str = "ann", request: int = 5, **more: Any) -> list[Effect]:
        return self.tell(
            i.RecordingCommand, do, agent, f"PJSIP/{agent}", "phone", request, agent=agent, **more
        )

    def answered(self, effects: list[Effect], why: str = "") -> list[Effect]:
        """The recorder's answer to what was asked of it just now."""
        (one,) = to_recorder(effects)
        assert one.asked is not None
        return self.tell(i.RecorderAnswered, one.call, one.asked, one.recording, not why, why)

    def pause(self) -> None:
        self.answered(self.ask("pause"))

    def here(self) -> None:
        """The truth, for the next snapshot: they talk."""
        self.is_at("c", "ccbridge-offer", self.offer.offer, bridge="b")
        self.is_at(self.leg, "phones", name="PJSIP/ann-1", linked="c", bridge="b")


def to_recorder(effects: list[Effect]) -> list[MuteRecording | StartRecording]:
    return [one for one in effects if isinstance(one, MuteRecording | StartRecording)]


def told(effects: list[Effect]) -> list[bool]:
    return [one.on for one in effects if isinstance(one, MuteRecording)]


def over(effects: list[Effect]) -> list[tuple[str, float]]:
    """Reason and length of the pauses that have ended."""
    found = [one.data for one in records(effects, CallEvent) if one.kind == "recording_resumed"]
    return [(one["reason"], one["to"] - one["from"]) for one in found]


def steps(effects: list[Effect]) -> list[tuple[str, str, str]]:
    return [(one.what, one.result, one.reason) for one in records(effects, ControlEvent)]


def test_a_pause_is_written_before_asterisk_is_told_and_ends_by_itself() -> None:
    scene = Talk()
    effects = scene.ask("pause")
    kinds = [type(one).__name__ for one in effects]
    assert kinds == ["Append", "Append", "MuteRecording"]
    assert told(effects) == [True]
    assert replies(effects) == []  # not before Asterisk has answered
    done = scene.answered(effects)
    assert (replies(done), steps(done)) == (
        [(True, "c is not recorded for 30 s, or until it is resumed")],
        [("record_pause", "done", "")],
    )
    assert scene.wait(29.9) == []
    effects = scene.wait(1.0)
    assert (told(effects), over(effects)) == ([False], [("time", 30.0)])
    (last,) = records(effects, ControlEvent)
    assert (last.result, last.seconds, last.who, last.whom, last.call) == ("ended", 30.0, "ann", "ann", "c")


def test_a_pause_is_over_when_somebody_says_so() -> None:
    scene = Talk()
    scene.pause()
    scene.wait(4)
    effects = scene.ask("resume", request=6)
    assert (told(effects), over(effects)) == ([False], [("resumed", 4.0)])
    assert steps(effects) == [("record_resume", "asked", ""), ("record_pause", "ended", "resumed")]
    assert replies(scene.answered(effects)) == [(True, "c is recorded")]
    assert over(scene.wait(60)) == []
    scene.pause()
    assert scene.board.world.calls["c"].silence is not None


@pytest.mark.parametrize("who", ["caller", "agent"])
def test_a_pause_ends_with_its_recording(who: str) -> None:
    scene = Talk()
    scene.pause()
    scene.wait(3)
    effects = scene.tell(i.ChannelGone, "c" if who == "caller" else scene.leg, 16)
    assert over(effects) == [("ended", 3.0)]
    assert told(effects) == []
    (ended,) = records(effects, RecordingEnded)
    assert [one["reason"] for one in ended.pauses] == ["ended"]
    assert over(scene.wait(60)) == []


def test_a_pause_goes_on_when_the_caller_is_passed_on() -> None:
    """It is the caller's channel that records: the next one's, too, who may end it."""
    scene = Talk()
    scene.pause()
    scene.tell(i.ChannelTransferred, scene.leg, "blind", "102")
    scene.tell(i.BridgeLeft, scene.leg, "b")
    scene.tell(i.BridgeLeft, "c", "b")
    scene.tell(i.ChannelGone, scene.leg, 16)
    assert scene.board.world.calls["c"].silence is not None
    assert replies(scene.ask("resume", request=7)) == [(False, "ann does not talk")]
    scene.tell(i.BridgeEntered, "bobs", "b2", "PJSIP/bob-1")
    scene.tell(i.BridgeEntered, "c", "b2", "PJSIP/trunk-1")
    effects = scene.ask("resume", "bob", 8)
    assert over(effects) == [("resumed", 0.0)]
    assert replies(scene.answered(effects)) == [(True, "c is recorded")]


def test_what_is_refused_is_told_and_written() -> None:
    scene = Talk()
    for do, agent, why in (
        ("resume", "ann", "c is not paused"),
        ("start", "ann", "c is recorded already"),
        ("pause", "bob", "bob does not talk"),
        ("pause", "nobody", "nobody does not talk"),
    ):
        effects = scene.ask(do, agent)
        assert replies(effects) == [(False, why)]
        assert [one[1:] for one in steps(effects)] == [("asked", ""), ("refused", why)]
    scene.pause()
    assert replies(scene.ask("pause")) == [(False, "c is paused already")]
    assert replies(scene.ask("erase")) == [(False, "a recording cannot be 'erase'")]
    by_call = scene.tell(i.RecordingCommand, "pause", "sue", "root", "cli", 9, call="c~2")
    assert replies(by_call) == [(False, "there is no live call 'c~2'")]
    scene.hold("d")
    by_call = scene.tell(i.RecordingCommand, "pause", "sue", "root", "cli", 9, call="d")
    assert replies(by_call) == [(False, "nobody talks in d")]
    scene.tell(i.LinkDown, "cut")
    assert replies(scene.ask("resume")) == [(False, "there is no link to Asterisk")]


def test_nothing_is_recorded_where_that_is_never_done() -> None:
    scene = Talk(NEVER)
    assert scene.offer.recording is None
    assert replies(scene.ask("pause")) == [(False, "c is not recorded")]
    assert replies(scene.ask("start")) == [(False, "calls of sales are not recorded")]
    off = Talk(replace(ON_DEMAND, recording=False))
    assert replies(off.ask("start")) == [(False, "calls of sales are not recorded")]


def test_a_pause_that_asterisk_refuses_is_none() -> None:
    scene = Talk()
    effects = scene.answered(scene.ask("pause"), "no such channel")
    assert (replies(effects), over(effects)) == ([(False, "no such channel")], [("failed", 0.0)])
    assert ("record_pause", "failed", "no such channel") in steps(effects)
    assert told(effects) == [False]  # it may have been done all the same
    scene.pause()


def test_a_late_failure_does_not_lift_the_next_pause() -> None:
    scene = Talk()
    first = scene.ask("pause")
    scene.answered(scene.ask("resume", request=6))
    scene.answered(scene.ask("pause", request=7))
    effects = scene.answered(first, "no answer in time")
    assert (told(effects), over(effects)) == ([], [])


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("away", [5.0, 40.0])
def test_a_pause_outlives_link_and_daemon(killed: bool, away: float) -> None:
    """It is not lifted early, nor before Asterisk can be told."""
    scene = Talk()
    scene.pause()
    scene.here()
    scene.tell(i.LinkDown, "cut")
    if killed:
        scene.restart(away)
    else:
        assert over(scene.wait(away)) == []
    effects = scene.link_up()
    if away < 30:
        assert (told(effects), over(effects)) == ([True], [])
        effects = scene.wait(30 - away)
        assert (told(effects), over(effects)) == ([False], [("time", 30.0)])
    else:
        assert (told(effects), over(effects)) == ([False], [("time", 40.0)])


def test_what_was_resumed_is_told_again_after_a_lost_link() -> None:
    """The action may have been lost with it."""
    scene = Talk()
    scene.pause()
    effects = scene.ask("resume", request=6)
    assert replies(scene.answered(effects, "the link was lost")) == [(False, "the link was lost")]
    scene.here()
    scene.tell(i.LinkDown, "cut")
    assert told(scene.link_up()) == [False]


def test_a_recording_begins_on_demand() -> None:
    scene = Talk(ON_DEMAND)
    assert scene.offer.recording is None
    scene.wait(3)
    effects = scene.ask("start")
    (start,) = to_recorder(effects)
    assert isinstance(start, StartRecording)
    assert records(effects, RecordingStarted) == []
    done = scene.answered(effects)
    (begun,) = records(done, RecordingStarted)
    assert (begun.path, begun.agent, begun.offer) == (start.path, "ann", scene.offer.offer)
    assert start.path.endswith(f"/c-{scene.offer.offer}")
    scene.here()
    scene.restart()
    scene.link_up()
    assert replies(scene.ask("start")) == [(False, "c is recorded already")]
    scene.pause()
    scene.wait(2)
    (ended,) = records(scene.tell(i.ChannelGone, "c", 16), RecordingEnded)
    assert len(ended.pauses) == 1


def test_a_recording_that_fails_or_comes_too_late_is_none() -> None:
    scene = Talk(ON_DEMAND)
    effects = scene.answered(scene.ask("start"), "no recorder")
    assert replies(effects) == [(False, "no recorder")]
    assert replies(scene.ask("start")) == [(False, "to record c was tried already")]
    late = Talk(ON_DEMAND)
    effects = late.ask("start")
    late.tell(i.ChannelGone, "c", 16)
    effects = late.answered(effects)
    assert replies(effects) == [(False, "the talk was over before it began")]
    assert records(late.said, RecordingStarted) == []
