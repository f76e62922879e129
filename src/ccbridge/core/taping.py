"""Recordings in people's hands: paused while a caller says what must not be kept, and begun on demand.

A recording runs on the caller's channel, in Asterisk. While it is paused it writes silence for both sides, so
that its clock stays true. A pause has an end by itself, an absolute moment that is written before the pause
begins; a restart takes it up. It is over early when somebody says so, and when the recording ends. Its marks
are written before Asterisk is told: they may be some milliseconds early, never late.

Asterisk is told of an end only over a link. A pause whose end comes without one lasts until there is one, and
its mark says so; after each login every recording that was ever paused is told anew what it is to do.
"""

from __future__ import annotations

import time
from typing import Any

from ccbridge.core import inputs as i
from ccbridge.core.calls import Call, Offer, OfferState, Silence, channel_of
from ccbridge.core.effects import Append, MuteRecording, Reply, StartRecording
from ccbridge.core.inputs import Asked
from ccbridge.core.records import ControlEvent, RecordingEnded, RecordingStarted
from ccbridge.core.world import World

PAUSE, RESUME, START = COMMANDS = ("pause", "resume", "start")
WHAT = {PAUSE: "record_pause", RESUME: "record_resume", START: "record"}
ENDS = (
    "resumed",  # somebody has asked for it
    "time",
    "ended",  # with the recording
    "failed",  # Asterisk would not, or did not say
)


def path_of(w: World, call: Call, offer: str) -> str:
    """Of a recording that begins now: relative, without suffix, of nothing but our own ids."""
    return f"{time.strftime('%Y/%m/%d', time.gmtime(w.at))}/{call.account}-{offer}"


def started(w: World, call: Call, offer: Offer) -> None:
    w.emit(Append(RecordingStarted(call.account, offer.id, offer.agent, w.at, offer.recording)))


def ended(w: World, call: Call, recording: str) -> None:
    if call.silence is not None and call.silence.recording == recording:
        _unsilence(w, call, "ended")
    names = ("from", "to", "reason")
    pauses = [{key: one[key] for key in names} for one in call.silences if one["recording"] == recording]
    w.emit(Append(RecordingEnded(call.account, recording, w.at, True, pauses)))


# -- what people ask for


def command(w: World, c: i.RecordingCommand) -> None:
    if c.do not in COMMANDS:
        w.emit(Reply(c.request, False, f"a recording cannot be {c.do!r}"))
        return
    offer, refused = _talk(w, c)
    whom = "" if offer is None else offer.agent
    asked = Asked(f"r{w.run}x{c.request}", WHAT[c.do], c.who, c.by, whom, c.door, c.request)
    call = None if offer is None else w.calls[offer.call]
    _tell(w, call, asked, "asked")
    if offer is not None and call is not None:
        refused = _refusal(w, call, offer, c.do)
        if not refused:
            _begin(w, call, offer, c.do, asked)
            return
    _tell(w, call, asked, "refused", reason=refused)
    w.emit(Reply(c.request, False, refused))


def _talk(w: World, c: i.RecordingCommand) -> tuple[Offer | None, str]:
    """The talk that is meant, or why there is none."""
    if c.call:
        call = w.calls.get(channel_of(c.call)[0])
        if call is None or call.account != c.call:
            return None, f"there is no live call {c.call!r}"
        offer, nobody = w.offers.get(call.offer), f"nobody talks in {c.call}"
    else:
        agent = w.agents.get(c.agent)
        offer, nobody = w.offers.get(agent.offer) if agent is not None else None, f"{c.agent} does not talk"
    if offer is None or offer.state is not OfferState.TALKING:
        return None, nobody
    return offer, ""


def _refusal(w: World, call: Call, offer: Offer, do: str) -> str:
    recording = running(w, call)
    if not w.link:
        return "there is no link to Asterisk"
    if do == RESUME:
        return "" if call.silence is not None else f"{call.account} is not paused"
    if do == PAUSE:
        if call.silence is not None:
            return f"{call.account} is paused already"
        return "" if recording else f"{call.account} is not recorded"
    if recording or offer.recording:
        return f"{call.account} is recorded already"
    if not w.plan.recording or w.queue(offer.queue).recording == "never":
        return f"calls of {offer.queue} are not recorded"
    return f"to record {call.account} was tried already" if offer.taped else ""


def _begin(w: World, call: Call, offer: Offer, do: str, asked: Asked) -> None:
    recording = running(w, call)
    if do == PAUSE:
        until = w.at + w.plan.recording_pause
        call.silence = Silence(recording, w.at, until, asked)
        data: dict[str, Any] = {
            "recording": recording, "until": until, "control": asked.id, "who": asked.who,
            "by": asked.by, "agent": asked.whom, "door": asked.door,
        }  # fmt: skip
        w.event(call, "recording_paused", **data)
        w.arm("mute", call.id, w.now + until - w.at)
        w.emit(MuteRecording(call.id, True, asked, recording))
    elif do == RESUME:
        _unsilence(w, call, "resumed")
        w.emit(MuteRecording(call.id, False, asked, recording))
    else:
        path = offer.taped = path_of(w, call, offer.id)
        w.event(call, "recording_asked", recording=offer.id, path=path, who=asked.who, by=asked.by)
        w.emit(StartRecording(call.id, path, asked, offer.id))


def running(w: World, call: Call) -> str:
    """The recording on the caller's channel; "" for none."""
    for name in (call.offer, *call.others):
        offer = w.offers.get(name)
        if offer is not None and offer.recording and offer.state is OfferState.TALKING:
            return offer.id
    return call.recordings[-1] if call.recordings else ""


# -- what becomes of it


def answered(w: World, a: i.RecorderAnswered) -> None:
    call = w.calls.get(a.call)
    what, ok, why = a.asked.what, a.ok, a.why
    if call is not None and what == WHAT[PAUSE] and not ok:
        if call.silence is not None and call.silence.asked.id == a.asked.id:
            _unsilence(w, call, "failed")
        unmute(w, call)
    elif what == WHAT[START]:
        ok = _taped(w, a)
        why = why or ("" if ok else "the talk was over before it began")
    _tell(w, call, a.asked, "done" if ok else "failed", reason=why)
    w.emit(Reply(a.asked.request, ok, why or _said(w, a)))


def _said(w: World, a: i.RecorderAnswered) -> str:
    account = w.account(a.call)
    if a.asked.what == WHAT[PAUSE]:
        return f"{account} is not recorded for {w.plan.recording_pause:g} s, or until it is resumed"
    return f"{account} is recorded"


def _taped(w: World, a: i.RecorderAnswered) -> bool:
    """Whether a recording has begun; not when the talk was over by then, and it with it."""
    offer = w.offers.get(a.recording)
    if offer is None or offer.state is not OfferState.TALKING or not offer.taped:
        return False
    if a.ok and not offer.recording:
        offer.recording = offer.taped
        started(w, w.calls[offer.call], offer)
    return a.ok


def due(w: World, call: Call) -> None:
    """The pause has lasted long enough; without a link ``link_up`` sees to it."""
    if w.link and call.silence is not None:
        _unsilence(w, call, "time")
        unmute(w, call)


def link_up(w: World) -> None:
    for call in w.calls.values():
        if call.silence is not None and call.silence.until > w.at:
            w.arm("mute", call.id, w.now + call.silence.until - w.at)
            w.emit(MuteRecording(call.id, True))
        elif call.silence is not None:
            due(w, call)
        elif call.silences:
            unmute(w, call)


def unmute(w: World, call: Call) -> None:
    if w.link and call.silence is None and running(w, call):
        w.emit(MuteRecording(call.id, False))


# -- inside


def _unsilence(w: World, call: Call, reason: str) -> None:
    """The pause is over: its second mark."""
    silence = call.silence
    assert silence is not None
    call.silence = None
    w.arm("mute", call.id, None)
    end = max(w.at, silence.since)  # two clocks: Asterisk's stamps and ours
    past: dict[str, Any] = {
        "recording": silence.recording,
        "from": silence.since,
        "to": end,
        "reason": reason,
    }
    call.silences.append(past)
    w.event(call, "recording_resumed", **past)
    _tell(w, call, silence.asked, "ended", reason=reason, seconds=round(end - silence.since, 3))


def _tell(
    w: World,
    call: Call | None,
    asked: Asked,
    result: str,
    *,
    reason: str = "",
    seconds: float | None = None,
) -> None:
    account = None if call is None else call.account
    w.emit(
        Append(
            ControlEvent(
                asked.id, w.at, asked.what, result, asked.who, asked.by, asked.whom, asked.door,
                account, seconds, reason,
            )
        )
    )  # fmt: skip
