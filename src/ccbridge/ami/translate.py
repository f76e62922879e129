"""The only file that speaks both languages: AMI message -> input, effect -> AMI actions."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from panoramisk.message import Message

from ccbridge.core import inputs as i
from ccbridge.core.effects import (
    Announce,
    DropCall,
    DropLeg,
    MoveOut,
    MuteRecording,
    PlaceOffer,
    PlayOut,
    TellQueue,
)
from ccbridge.core.reconcile import CONTEXT_EXIT, CONTEXT_MESSAGE, CONTEXT_OFFER
from ccbridge.core.records import CdrRow

from .wire import Fields, values

# Control characters would end a header; a phone's display has no use for more than this either.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")
# An action line holds 1,024 bytes; four a character at the most.
DISPLAY_LIMIT = 200
# A stamp after this (epoch seconds, year 5138) is none: no calendar could show it.
LATEST = 1e11

# Devices of ours that stand for lamps: what they show is our own doing, and tells us nothing.
LAMP = "Custom:ccb-"
SOFTHANGUP_SHUTDOWN = 1 << 2  # channel.h: the PBX is being stopped
# A bridge in which nobody hears another: all who are parked in one lot are in one, and so is BridgeWait().
HOLDING_BRIDGE = "holding_bridge"
# A caller's number: what kind it is, and E.164 if it is one.
Parse = Callable[[str], tuple[str, str | None]]
Seen = TypeVar("Seen", bound=i.CallHolding | i.CallInFallback | i.Place)

_CDR_KEYS = ("event", "privilege", "timestamp", "systemname", "uniqueid", "sequence", "linkedid", "endstamp")


def stamp(message: Mapping[str, Any], heard: float) -> float:
    """The event's own time; our clock where the PBX does not send one (``timestampevents`` is off)."""
    at = _number(message.get("timestamp"), 0.0)
    return at if 0.0 < at < LATEST else heard


def to_input(message: Message, heard: float) -> i.Input | None:
    """What an event means to the core; None when it means nothing. ``heard``: when it came, epoch seconds."""
    translate = _EVENTS.get(message.event)  # of most events nothing but the name is read
    return translate(message, stamp(message, heard)) if translate is not None else None


def to_inbox(message: Message, heard: float, system: str, parse: Parse) -> i.Input | CdrRow | None:
    """An event as the routing loop takes it: a record, an input with its number read, or None."""
    if message.event == "Cdr":
        return cdr(message, system, heard)
    event = to_input(message, heard)
    return named(event, parse) if isinstance(event, i.CallHolding | i.CallInFallback) else event


def named(seen: Seen, parse: Parse) -> Seen:
    """With the caller's number parsed: the core adopts a caller it does not know by it."""
    kind, e164 = parse(seen.caller)
    return dataclasses.replace(seen, caller_kind=kind, e164=e164)


def cdr(message: Mapping[str, Any], system: str, heard: float) -> CdrRow:
    """A ``Cdr`` event as a record. ``system`` is used where the PBX has no systemname."""
    fields = {key: str(value) for key, value in message.items() if key.lower() not in _CDR_KEYS and value}
    # the CDR's own end, as the PBX's file has it: the same row, whichever of the two comes first
    at = _number(message.get("endstamp"), 0.0) or stamp(message, heard)
    return CdrRow(
        at=at,
        system=message.get("systemname") or system,
        uniqueid=message.get("uniqueid", ""),
        # without the mapping of cdr_manager the number is missing: any other that keeps the rows apart
        sequence=int(_number(message.get("sequence"), at * 1000 % 2_000_000_000)),
        linkedid=message.get("linkedid") or message.get("uniqueid", ""),
        fields=fields,
    )


def language_of(call: str) -> Fields:
    """Asks for the language of a channel."""
    return {"Action": "Getvar", "Channel": call, "Variable": "CHANNEL(language)"}


def to_actions(
    effect: PlaceOffer | MoveOut | PlayOut | TellQueue | Announce | DropCall | DropLeg | MuteRecording,
) -> list[Fields]:
    """The AMI actions that perform an effect, to be sent in one write and in this order.

    A channel is named by its uniqueid: its name may change under a transfer, that does not.
    """
    if isinstance(effect, DropLeg | DropCall):
        channel = effect.leg if isinstance(effect, DropLeg) else effect.call
        return [{"Action": "Hangup", "Channel": channel, "Cause": "16"}]
    if isinstance(effect, MuteRecording):
        state = "1" if effect.on else "0"
        return [{"Action": "MixMonitorMute", "Channel": effect.call, "Direction": "both", "State": state}]
    if isinstance(effect, Announce):
        # one variable, so that the hold loop never finds half of it
        value = "&".join(effect.sounds) or f"{effect.position}-{effect.minutes}"
        return [{"Action": "Setvar", "Channel": effect.call, "Variable": "CCB_SAY", "Value": value}]
    if isinstance(effect, MoveOut):
        return [redirect(effect.call, CONTEXT_EXIT, effect.target)]
    if isinstance(effect, PlayOut):
        sounds = {"CCB_SOUNDS": "&".join(effect.sounds)}
        return [*set_variables(effect.call, sounds), redirect(effect.call, CONTEXT_MESSAGE, "s")]
    if isinstance(effect, TellQueue):
        told = {
            "CCB_QUEUE": effect.queue,
            "CCB_PRIORITY": str(effect.priority),
            "CCB_SINCE": f"{effect.since:.3f}",
        }
        return set_variables(effect.call, told)
    # a dialplan that does not know of personal devices finds nobody to ring, and never one unasked
    rung = "DEVICE" if effect.confirm is None else "PERSONAL"
    values = {
        f"CCB_{rung}_{effect.offer}": "&".join(effect.devices),
        f"CCB_RING_{effect.offer}": str(effect.ring),
        "CALLERID(name)": _UNPRINTABLE.sub(" ", effect.display)[:DISPLAY_LIMIT],
    }
    if effect.confirm is not None:
        ask = f"{effect.confirm.seconds:.0f}^{'&'.join(effect.confirm.prompts)}"
        values[f"CCB_CONFIRM_{effect.offer}"] = ask
        values[f"CCB_DESK_{effect.offer}"] = effect.desk.removeprefix("PJSIP/")
    if effect.recording is not None:
        # under one name, too: a daemon that knows nothing any more reads it from the snapshot
        values[f"CCB_REC_{effect.offer}"] = values["CCB_REC"] = effect.recording
    return [*set_variables(effect.call, values), redirect(effect.call, CONTEXT_OFFER, effect.offer)]


def set_variables(channel: str, values: Mapping[str, str]) -> list[Fields]:
    """One action each."""
    return [
        {"Action": "Setvar", "Channel": channel, "Variable": name, "Value": value}
        for name, value in values.items()
    ]


def redirect(channel: str, context: str, exten: str) -> Fields:
    """To priority 1."""
    return {
        "Action": "Redirect",
        "Channel": channel,
        "Context": context,
        "Exten": exten,
        "Priority": "1",
    }


def _number(value: Any, default: float) -> float:
    """A finite number: "nan" and "inf" are none."""
    if not value:
        return default
    try:
        number = float(value)
    except (TypeError, ValueError):
        return default
    return number if math.isfinite(number) else default


def device_of(channel: str) -> str:
    """``PJSIP/1001`` of ``PJSIP/1001-0000002a``."""
    return channel.rpartition("-")[0]


def _user_event(m: Mapping[str, Any], at: float) -> i.Input | None:
    # An event of another channel cannot speak for a call: ours send their own uniqueid as call id.
    call = m.get("uniqueid", "")
    match m.get("userevent"):
        case "CcbHold":
            # every UserEvent tells of its channel's place in the dialplan first, as Priority, too
            priority = int(_number((values(m, "priority") or [""])[-1], 0.0))
            since = _number(m.get("since"), 0.0)
            return i.CallHolding(at, call, m.get("queue", ""), priority, since, **_who(m))
        case "CcbOffering":
            return i.OfferReached(at, call, m.get("offer", ""))
        case "CcbOffer":
            cause = int(_number(m.get("cause"), 0))
            return i.OfferEnded(at, call, m.get("offer", ""), m.get("dialstatus", ""), cause)
        case "CcbAsked":
            return i.LegAsked(at, call)  # these two are told by the agent's leg
        case "CcbDeclined":
            return i.LegDeclined(at, call)
        case "CcbExit":
            return i.CallExited(at, call, m.get("target", ""))
        case "CcbKey":
            return i.KeyPressed(at, call, m.get("key", ""))
        case "CcbFallback":
            return i.CallInFallback(at, call, **_who(m))
    return None


def _who(m: Mapping[str, Any]) -> dict[str, Any]:
    caller = m.get("calleridnum", "").replace("<unknown>", "")
    return {"caller": caller, "did": m.get("did", ""), "came": _number(m.get("came"), 0.0)}


def _dial_begin(m: Mapping[str, Any], at: float) -> i.Input | None:
    if m.get("context") != CONTEXT_OFFER:
        return None
    leg, device = m.get("destuniqueid", ""), device_of(m.get("destchannel", ""))
    return i.LegDialled(at, m.get("uniqueid", ""), m.get("exten", ""), leg, device)


def _dial_state(m: Mapping[str, Any], at: float) -> i.Input | None:
    # PROGRESS: a carrier that lets the called network be heard instead of telling that it rings
    if m.get("dialstatus") not in ("RINGING", "PROGRESS") or m.get("context") != CONTEXT_OFFER:
        return None
    return i.LegRinging(at, m.get("destuniqueid", ""))


def _transfer(m: Mapping[str, Any], at: float) -> i.Input | None:
    if m.get("result") != "Success":
        return None
    if m.get("event") == "BlindTransfer":
        return i.ChannelTransferred(at, m.get("transfereruniqueid", ""), "blind", m.get("extension", ""))
    # the target's channel: PJSIP/1002-0000000b, or Local/1002@phones-00000000;1 for who is rung by Asterisk
    target = device_of(m.get("transfertargetchannel", "")).partition("/")[2].partition("@")[0]
    target = target or m.get("secondtransfererexten", "")
    return i.ChannelTransferred(at, m.get("origtransfereruniqueid", ""), "attended", target)


def _bridge_enter(m: Mapping[str, Any], at: float) -> i.Input | None:
    channel = m.get("uniqueid", "")
    if m.get("bridgetechnology") == HOLDING_BRIDGE:
        return i.BridgeLeft(at, channel, "")
    bridge, name = m.get("bridgeuniqueid", ""), m.get("channel", "")
    return i.BridgeEntered(at, channel, bridge, name, m.get("swapuniqueid", ""))


def _cut(m: Mapping[str, Any], at: float) -> i.Input | None:
    """Asterisk hangs a channel up; ``Cause`` holds its reasons, as bits."""
    if not int(_number(m.get("cause"), 0)) & SOFTHANGUP_SHUTDOWN:
        return None
    return i.ChannelCut(at, m.get("uniqueid", ""))


def _device_changed(m: Mapping[str, Any], at: float) -> i.Input | None:
    device = m.get("device", "")
    return None if device.startswith(LAMP) else i.DeviceChanged(at, device, m.get("state", ""))


def _contact_status(m: Mapping[str, Any], at: float) -> i.Input | None:
    if m.get("contactstatus") not in ("Created", "NonQualified", "Reachable"):
        return None
    return i.ContactSeen(at, f"PJSIP/{m.get('endpointname', '')}")


_EVENTS: Mapping[str, Callable[[Mapping[str, Any], float], i.Input | None]] = {
    "UserEvent": _user_event,
    "DialBegin": _dial_begin,
    "DialState": _dial_state,
    "BridgeEnter": _bridge_enter,
    "BridgeLeave": lambda m, at: i.BridgeLeft(at, m.get("uniqueid", ""), m.get("bridgeuniqueid", "")),
    "SoftHangupRequest": _cut,
    "HangupRequest": lambda m, at: i.HangupAsked(at, m.get("uniqueid", "")),
    "Hangup": lambda m, at: i.ChannelGone(at, m.get("uniqueid", ""), int(_number(m.get("cause"), 0))),
    "Hold": lambda m, at: i.LegHeld(at, m.get("uniqueid", "")),
    "Unhold": lambda m, at: i.LegResumed(at, m.get("uniqueid", "")),
    "BlindTransfer": _transfer,
    "AttendedTransfer": _transfer,
    "ParkedCall": lambda m, at: i.CallParked(at, m.get("parkeeuniqueid", ""), m.get("parkingspace", "")),
    "DeviceStateChange": _device_changed,
    "ContactStatus": _contact_status,
}
