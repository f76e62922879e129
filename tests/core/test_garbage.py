"""Anything in any order: oddities are allowed, exceptions and a broken state are not."""

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulator import EPOCH, SITE, START
from watch import Watch

from ccbridge.core import inputs as i
from ccbridge.core.effects import Append, Effect, PlaceOffer
from ccbridge.core.memory import Memory
from ccbridge.core.records import ControlEvent
from ccbridge.core.switchboard import Switchboard

CALLS = st.sampled_from(["c1", "c2", "c3", ""])
LEGS = st.sampled_from(["l1", "l2", "c1"])
OFFERS = st.sampled_from(["or0x1", "or0x2", "or0x3", "or1x1", "nonsense", ""])
QUEUES = st.sampled_from(["sales", "help", "late", "none", ""])
AGENTS = st.sampled_from([*SITE.agents, "nobody"])
DEVICES = st.sampled_from([agent.device for agent in SITE.agents.values()] + ["PJSIP/x", ""])
BRIDGES = st.sampled_from(["b1", "b2", ""])
CHANNELS = CALLS | LEGS
SECONDS = st.sampled_from([0.0, -5.0, 1e12, float("inf"), float("nan"), EPOCH])
PLACES = st.builds(
    i.Place,
    channel=CHANNELS,
    name=DEVICES.map(lambda device: f"{device}-01"),
    linked=CALLS,
    context=st.sampled_from(
        ["ccbridge-in", "ccbridge-hold", "ccbridge-offer", "ccbridge-exit", "ccbridge-fallback", "internal"]
    ),
    exten=OFFERS,
    bridge=BRIDGES,
    seconds=st.just(3.0),
    up=st.booleans(),
    caller=st.sampled_from(["", "0301"]),
    variables=st.fixed_dictionaries(
        {"CCB_CALL": CHANNELS},
        optional={"CCB_QUEUE": QUEUES, "CCB_SINCE": st.sampled_from(["x", "nan", "1e999", ""])},
    ),
)
DEVICE_STATES = st.sampled_from(["NOT_INUSE", "UNAVAILABLE", "INUSE", "RINGING", "odd"])
AT = st.just(0.0)  # set when it is handed over
INPUTS: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        i.CallArrived,
        AT,
        CALLS,
        st.just("1"),
        st.just("e164"),
        st.none() | st.just("+49"),
        CALLS,
        CALLS,
        SECONDS,
    ),
    st.builds(i.MenuStepped, AT, CALLS, CALLS, CALLS),
    st.builds(i.CallQueued, AT, CALLS, QUEUES, st.integers(-9, 9)),
    st.builds(i.FlowEnded, AT, CALLS, st.just("hangup")),
    st.builds(i.CallHolding, AT, CALLS, QUEUES, st.integers(-9, 9), SECONDS, CALLS),
    st.builds(i.CallHolding, AT, CALLS, QUEUES, st.integers(-9, 9), SECONDS, CALLS),
    st.builds(i.CallExited, AT, CALLS, QUEUES),
    st.builds(i.CallInFallback, AT, CALLS),
    st.builds(i.OfferReached, AT, CALLS, OFFERS),
    st.builds(i.LegDialled, AT, CALLS, OFFERS, LEGS),
    st.builds(i.LegRinging, AT, LEGS),
    st.builds(
        i.OfferEnded,
        AT,
        CALLS,
        OFFERS,
        st.sampled_from(["ANSWER", "NOANSWER", "?"]),
        st.sampled_from([0, 21]),
    ),
    st.builds(i.BridgeEntered, AT, CHANNELS, BRIDGES),
    st.builds(i.BridgeLeft, AT, CHANNELS, BRIDGES),
    st.builds(i.LegHeld, AT, LEGS),
    st.builds(i.LegResumed, AT, LEGS),
    st.builds(i.ChannelTransferred, AT, CHANNELS, st.just("blind"), st.just("77")),
    st.builds(i.HangupAsked, AT, CHANNELS),
    st.builds(i.ChannelGone, AT, CHANNELS, st.sampled_from([0, 16, 21])),
    st.builds(i.DeviceChanged, AT, DEVICES, DEVICE_STATES),
    st.builds(i.ContactSeen, AT, DEVICES),
    st.builds(i.MoveFailed, AT, CALLS, OFFERS, st.just("why")),
    st.builds(i.CallLooked, AT, CALLS, st.none() | PLACES),
    st.builds(i.CustomerFound, AT, CALLS, st.none() | st.just(3), st.just("Zoë")),
    st.builds(i.LogIn, AT, AGENTS, st.just(1)),
    st.builds(i.LogOut, AT, AGENTS, st.just(1)),
    st.builds(i.LogIn, AT, AGENTS, st.just(1), DEVICES),
    st.builds(i.WrapUpEnd, AT, AGENTS, st.just(1)),
    st.builds(i.WrapUpExtend, AT, AGENTS, st.floats(1, 3600), st.just(1)),
    st.builds(i.Pause, AT, AGENTS, st.sampled_from(["break", "x"]), st.just(1)),
    st.builds(i.Unpause, AT, AGENTS, st.just(1)),
    st.builds(i.OutcomeKeyed, AT, st.sampled_from("19*"), st.just(1), OFFERS, DEVICES),
    st.builds(i.TicketTagged, AT, AGENTS, st.just("invoice"), st.just(1)),
    st.builds(
        i.RecordingCommand,
        AT,
        st.sampled_from(["pause", "resume", "start", "x"]),
        st.just("sue"),
        st.just("sue"),
        st.just("cli"),
        st.integers(0, 10**6),
        agent=AGENTS,
        call=CALLS,
    ),
    st.builds(
        i.RecorderAnswered,
        AT,
        CALLS,
        st.builds(
            i.Asked,
            st.just("r0x1"),
            st.sampled_from(["record", "record_pause", "record_resume"]),
            *(st.just("ann"),) * 4,
            st.just(1),
        ),
        OFFERS,
        st.booleans(),
        st.just(""),
    ),
    st.builds(i.FollowUpSet, AT, AGENTS, st.floats(0, 1e6), st.just(1)),
    st.builds(i.FollowUpDone, AT, AGENTS, CALLS, st.just(1)),
    st.builds(i.CustomerCalled, AT, AGENTS, CALLS, st.just(1)),
    st.builds(i.NoteAsked, AT, AGENTS, st.floats(0, 600), st.just(1)),
    st.builds(i.NoteSpoken, AT, AGENTS, CALLS, OFFERS, AT, st.just("x"), st.booleans(), st.just(1)),
    st.builds(i.LinkDown, AT, st.just("cut")),
    st.builds(
        i.LinkUp,
        AT,
        st.builds(
            i.Snapshot,
            st.lists(PLACES, max_size=4).map(tuple),
            st.dictionaries(DEVICES, DEVICE_STATES, max_size=4),
        ),
    ),
    st.builds(i.Tick, AT),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.001, 0.3, 2.0, 7.0, 70.0]), INPUTS, st.sampled_from([0.0, 0.0, -0.2])
    ),
    max_size=60,
)


class Rough(Watch):
    """With inputs at random an account of the stream makes no sense, but for what must never be."""

    def _call_event(self, event: Any, w: Any) -> None:
        self.told.event(w, event)

    def _effect(self, w: Any, event: i.Input, effect: Any) -> None:
        # the recorder answers what nobody has asked
        if isinstance(effect, Append) and not isinstance(effect.record, ControlEvent):
            self._record(effect.record, w)
        if isinstance(effect, PlaceOffer) and not self.link:
            self.fault(f"{effect} while the link is down")


def start() -> tuple[Switchboard, Rough, Memory]:
    board, watch, memory = Switchboard(SITE, "r0"), Rough(fair=False), Memory()
    first: list[i.Input] = [
        i.LinkUp(EPOCH, i.Snapshot((), {agent.device: "NOT_INUSE" for agent in SITE.agents.values()})),
        *(i.LogIn(EPOCH, agent, 1) for agent in ("ann", "bob")),
    ]
    for event in first:
        effects = board.handle(event, START)
        remember(memory, effects)
        watch.decision(board, event, effects, START)
    return board, watch, memory


def remember(memory: Memory, effects: list[Effect]) -> None:
    for effect in effects:
        if isinstance(effect, Append):
            memory.apply(effect.record)


@settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS, st.integers(0, 60))
def test_garbage_is_survived(steps: list[tuple[float, Any, float]], restart_at: int) -> None:
    board, watch, memory = start()
    t = 0.0
    for n, (delay, event, skew) in enumerate(steps):
        t += delay
        event = replace(event, at=EPOCH + t + skew)
        if n == restart_at:
            board = Switchboard(SITE, "r1")
            board.restore(memory, EPOCH + t, START + t)
            watch.link = False
        effects = board.handle(event, START + t)
        remember(memory, effects)
        watch.decision(board, event, effects, START + t)
        assert not watch.faults, "\n".join(watch.faults)
    # nothing is there any more: all accounts are closed, and everybody is free in the end
    for _ in range(2):
        t += 100.0
        nothing = i.LinkUp(EPOCH + t, i.Snapshot((), {}))
        watch.decision(board, nothing, board.handle(nothing, START + t), START + t)
        for call in list(board.world.calls):
            gone = i.CallLooked(EPOCH + t, call, None)
            watch.decision(board, gone, board.handle(gone, START + t), START + t)
    for _ in range(4):
        t += 100.0
        watch.decision(board, i.Tick(EPOCH + t), board.handle(i.Tick(EPOCH + t), START + t), START + t)
    assert not watch.faults, "\n".join(watch.faults)
    assert not board.world.calls
    assert not board.world.offers
    assert watch.opened.keys() == watch.closed.keys()
