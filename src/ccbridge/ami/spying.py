"""Supervisors who listen, in AMI's words: events to what `sessions` takes, its effects to actions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ccbridge.supervision.roles import BARGE, WHISPER
from ccbridge.supervision.sessions import (
    Brief,
    Drop,
    GiveForm,
    Hear,
    Join,
    Notice,
    Rest,
    Ring,
    join_name,
    turn_name,
)

from .translate import redirect, set_variables
from .wire import Fields, values

CONTEXT = "ccbridge-monitor"
CONTEXT_TAKE_OVER = "ccbridge-takeover"
CONTEXT_NOTICE = "ccbridge-notice"
CONTEXT_SCORE = "ccbridge-score"
CONTEXT_BRIEF = "ccbridge-brief"
# Those that tell something; of the others nothing but the name is read.
EVENTS = frozenset({"UserEvent", "ChanSpyStart", "BridgeEnter", "Hangup", "OriginateResponse"})
# It becomes an argument of ChanSpy. Asterisk makes its uniqueids of these.
_UNIQUEID = re.compile(r"[A-Za-z0-9._-]{1,150}")
# It becomes one of BridgeAdd: that of an agent's leg, named after his endpoint.
_CHANNEL = re.compile(r"[A-Za-z0-9/_-]{1,100}(@[A-Za-z0-9_-]{1,100})?(;[12])?")
_HOW = {WHISPER: "w", BARGE: "B"}
_RANG_OUT = "3"


@dataclass(frozen=True, slots=True)
class Arrived:
    session: str


@dataclass(frozen=True, slots=True)
class Keyed:
    session: str
    key: str


@dataclass(frozen=True, slots=True)
class Spying:
    session: str
    turn: str


@dataclass(frozen=True, slots=True)
class Joined:
    session: str


@dataclass(frozen=True, slots=True)
class Parted:
    session: str


@dataclass(frozen=True, slots=True)
class Gone:
    session: str
    why: str


Told = Arrived | Keyed | Spying | Joined | Parted | Gone


def heard(message: Mapping[str, Any]) -> Told | None:
    """What an event tells of a session; of channels that are none as well."""
    match message.get("event"):
        # the channel that reports is the session: nobody can speak for another
        case "UserEvent" if message.get("userevent") == "CcbMonitor":
            return Arrived(message.get("uniqueid", ""))
        case "UserEvent" if message.get("userevent") == "CcbMonitorKey":
            return Keyed(message.get("uniqueid", ""), (values(message, "key") or [""])[-1])
        case "UserEvent" if message.get("userevent") == "CcbParted":
            return Parted(message.get("uniqueid", ""))
        case "BridgeEnter":
            return Joined(message.get("uniqueid", ""))
        case "ChanSpyStart":
            return Spying(message.get("spyeruniqueid", ""), message.get("spyerexten", ""))
        case "Hangup":
            return Gone(message.get("uniqueid", ""), "")
        case "OriginateResponse" if message.get("response") == "Failure":
            # one that never had a channel has no uniqueid
            if message.get("context") == CONTEXT:
                rang = message.get("reason", "") == _RANG_OUT
                return Gone(message.get("exten", ""), "no answer" if rang else "busy, refused or not reached")
    return None


def to_actions(effect: Ring | Hear | Notice | Join | Rest | Brief | GiveForm | Drop) -> list[Fields]:
    """The actions that perform it, to be sent in one write. Raises ValueError for a leg that cannot be."""
    match effect:
        case Ring():
            ring = {
                "Action": "Originate",
                "Channel": effect.device,
                "ChannelId": effect.session,
                "Context": CONTEXT,
                "Exten": effect.session,
                "Priority": "1",
                "CallerID": f'"{effect.shown}" <{CONTEXT}>',
                "Timeout": str(round(effect.seconds * 1000)),
                "Async": "true",
            }
            return [ring]
        case Hear() | Notice() if not _UNIQUEID.fullmatch(effect.leg):
            raise ValueError(f"no channel's uniqueid: {effect.leg!r}")
        case Notice():
            # one end of the Local channel plays the tone, the other one is a spy that whispers or barges
            how = _HOW[BARGE if effect.caller else WHISPER]
            notice = {
                "Action": "Originate",
                "Channel": f"Local/{'sorry' if effect.sorry else 'tone'}@{CONTEXT_NOTICE}/n",
                "Context": CONTEXT_NOTICE,
                "Exten": "spy",
                "Priority": "1",
                "Variable": f"CCB_SPY={effect.leg},CCB_HOW={how}",
                "Timeout": "5000",
                "Async": "true",
            }
            return [notice]
        case Hear():
            turn = turn_name(effect.turn)
            told = {
                f"CCB_SPY_{turn}": effect.leg,
                f"CCB_HOW_{turn}": _HOW.get(effect.mode, ""),
            }
            if effect.beep:
                told[f"CCB_BEEP_{turn}"] = "1"
            return [
                *set_variables(effect.session, told),
                redirect(effect.session, CONTEXT, turn),
            ]
        case Join():
            if not _CHANNEL.fullmatch(effect.beside):
                raise ValueError(f"no channel's name: {effect.beside!r}")
            turn = join_name(effect.turn)
            return [
                *set_variables(effect.session, {f"CCB_JOIN_{turn}": effect.beside}),
                redirect(effect.session, CONTEXT_TAKE_OVER, turn),
            ]
        case Rest():
            return [redirect(effect.session, CONTEXT, "wait")]
        case Brief():
            return [redirect(effect.session, CONTEXT_BRIEF, "s")]
        case GiveForm():
            return [redirect(effect.session, CONTEXT_SCORE, "s")]
        case Drop():
            return [{"Action": "Hangup", "Channel": effect.session, "Cause": "16"}]
