"""What a restart must know, folded from the records themselves.

The daemon applies each record as it is appended; the fold is the journal's checkpoint. So the state after
a restart is a function of what was written, and of nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from ccbridge.core.calls import round_of
from ccbridge.core.pace import Pace
from ccbridge.core.records import (
    AgentEvent,
    CallClosed,
    CallEvent,
    CallOpened,
    ControlEvent,
    PlanBegan,
    QueueEvent,
    Record,
    RecordingEnded,
    RecordingStarted,
)

# which event kind leaves a call in which state
_STATE = {
    "queued": "queued",
    "holding": "holding",
    "offered": "offered",
    "answered": "talking",
    "joined": "talking",
    "arrived": "menu",
    "in_fallback": "fallback",
}


# How many ended calls are remembered. The channel of one may live on for hours (transferred, overflowed):
# a restart must not take it for a new call.
CLOSED_KEPT = 10_000
# Wrong PINs: of so many phones and agents, and so many of each, which is more than any site lets pass.
WRONG_KEPT, WRONG_EACH = 10_000, 20


LEG = ("offer", "agent", "from", "to", "talk_s", "hold_s", "end")  # of an offer_ended: the leg's account


class Memory:
    """Open calls, agents and the last ended calls, as JSON values.

    ``dump`` and ``Memory(dumped)`` are exact inverses.
    """

    def __init__(self, dumped: dict[str, Any] | None = None) -> None:
        dumped = dumped or {}
        self.calls: dict[str, dict[str, Any]] = dumped.get("calls", {})
        for call in self.calls.values():
            _up_to_date(call)
        self.agents: dict[str, dict[str, Any]] = dumped.get("agents", {})
        self.closed: dict[str, str] = dumped.get("closed", {})  # call -> ended by whom
        self.queues: dict[str, dict[str, Any]] = dumped.get("queues", {})  # the fields of each one's Pace
        self.last: float = dumped.get("last", 0.0)  # the latest moment that a record tells of
        self.plan: str = dumped.get("plan", "")  # version of the plan in force
        # what was changed of a queue while it runs: paused, draining, set {key: [value, file's]}
        self.controls: dict[str, dict[str, Any]] = dumped.get("controls", {})
        # when a PIN was wrong, since the last right one: phone (PJSIP/1001) or agent -> moments
        self.wrong: dict[str, list[float]] = dumped.get("wrong", {})

        # hours that are closed by somebody: name -> by, until (None: until it is lifted), reason
        self.closings: dict[str, dict[str, Any]] = dumped.get("closings", {})

    def dump(self) -> dict[str, Any]:
        return {
            "calls": self.calls, "agents": self.agents, "closed": self.closed, "last": self.last,
            "plan": self.plan,
            "queues": self.queues,
            "controls": self.controls,
            "wrong": self.wrong,
            "closings": self.closings,
        }  # fmt: skip

    def apply(self, record: Record) -> None:
        self.last = max(self.last, record.at)
        if isinstance(record, CallOpened):
            self.calls[record.call] = {
                "arrived": record.at,
                "did": record.did,
                "kind": record.caller_kind,
                "e164": record.e164,
                "inferred": record.inferred,
                "state": "menu",
                "offers": 0,
                "others": [],
                "legs": [],
                "stints": [],
                "recordings": [],
                "silences": [],
            }
        elif isinstance(record, CallClosed):
            self.calls.pop(record.call, None)
            self.closed[record.call] = record.ended_by
            if len(self.closed) > CLOSED_KEPT:
                del self.closed[next(iter(self.closed))]
        elif isinstance(record, AgentEvent):
            self._agent(record)
        elif isinstance(record, PlanBegan):
            self.plan = record.version
        elif isinstance(record, QueueEvent):
            self._queue(record)
        elif isinstance(record, ControlEvent):
            self._control(record)
        elif isinstance(record, RecordingStarted | RecordingEnded):
            open_ones = self.calls.get(record.call, {}).get("recordings", [])
            if isinstance(record, RecordingStarted):
                open_ones.append(record.offer)
                if offer := _open(self.calls.get(record.call, {"others": ()}), record.offer):
                    offer["recording"] = record.path  # one that was begun on demand
            elif record.offer in open_ones:
                open_ones.remove(record.offer)
        elif isinstance(record, CallEvent) and record.call in self.calls:
            self._call(self.calls[record.call], record)

    def _agent(self, event: AgentEvent) -> None:
        known = self.agents.setdefault(event.agent, {})
        if event.data.get("in") and not known.get("in"):
            known.update(talks=0, talk_s=0.0, turns={})
        if event.state == "available":
            known["idle"] = event.at
        known.update(
            {
                "state": event.state,
                "reason": event.reason,
                "at": event.at,
                "in": bool(event.data.get("in")),
                "pause": event.data.get("pause", ""),
                "until": event.data.get("until"),
                "lift": event.data.get("lift"),
                "seat": event.data.get("device", ""),
                "personal": event.data.get("personal", ""),
                "missed": list(event.data.get("missed", ())),
                "dead_offers": event.data.get("dead_offers", 0),
            }
        )
        if event.state == "wrap_up" and event.call:
            known["last_call"], known["last_end"] = event.call, event.at

    def _queue(self, event: QueueEvent) -> None:
        known = self.controls.setdefault(event.queue, {"paused": False, "draining": False, "set": {}})
        if event.kind == "resumed":
            known.update(paused=False, draining=False)
        elif event.kind == "set":
            known["set"][event.data["key"]] = [event.data["value"], event.data["file"]]
        elif event.kind == "unset":
            known["set"].pop(event.data["key"], None)
        elif event.kind in known:
            known[event.kind] = True
        if not any(known.values()):
            del self.controls[event.queue]

    def _control(self, event: ControlEvent) -> None:
        if event.what == "pin":
            for name in filter(None, (event.by, event.whom)):
                self.wrong[name] = [*self.wrong.pop(name, []), event.at][-WRONG_EACH:]
                if len(self.wrong) > WRONG_KEPT:
                    del self.wrong[next(iter(self.wrong))]
        elif event.what in ("close_hours", "open_hours") and event.result == "done":
            self._closing(event)
        elif (event.what, event.door) == ("log_in", "phone") or (
            (event.what, event.result) == ("unlock", "done")
        ):
            self.wrong.pop(event.whom, None)

    def _closing(self, event: ControlEvent) -> None:
        if event.door == "phone":  # with his PIN, which was right: ``pins.of``
            self.wrong.pop(f"supervisor/{event.who}", None)
        if event.what == "open_hours":
            self.closings.pop(event.whom, None)
            return
        until = None if event.seconds is None else round(event.at + event.seconds, 3)
        by = event.who or event.by
        self.closings[event.whom] = {"by": by, "until": until, "reason": event.reason}

    def _call(self, call: dict[str, Any], event: CallEvent) -> None:
        data = event.data
        call["state"] = _STATE.get(event.kind, call["state"])
        call["inferred"] |= bool(data.get("inferred"))
        if event.kind == "holding":
            call.pop("way_out", None)
        if event.kind == "customer":
            call.update(customer=data["customer"], regard=data.get("regard", 0))
            call.update(owner=data.get("owner", ""), last_agent=data.get("last_agent", ""))
            if "brought" in data:
                call.update(brought=data["brought"], priority=data["priority"])
        elif event.kind == "queued":
            call.update(queue=data["queue"], priority=data["priority"], since=data["since"])
            # told only where they differ; version 0.1.0 told neither
            call["brought"] = data.get("brought", data["priority"])
            call["queued_at"] = data.get("entered", data["since"])
            call["turned_away"] = bool(data.get("draining"))
            call.pop("answered_at", None)
            call.pop("told", None)
            if "stint" in data:
                call["stints"].append(data["stint"])
        elif event.kind == "offered":
            call["offers"] += 1
            if "queue" in data:  # version 0.1.0 did not say so
                self.agents.setdefault(data["agent"], {}).setdefault("turns", {})[data["queue"]] = event.at
            if "offer" in call and round_of(call["offer"]["id"]) == round_of(data["offer"]):
                call["others"].append(call["offer"])  # rung at the same time
            call["offer"] = {
                "id": data["offer"],
                "agent": data["agent"],
                "at": event.at,
                "rang": False,
                "recording": data.get("recording", ""),
            }
            call["offer"] |= {key: data[key] for key in ("queue", "personal") if key in data}
        elif event.kind == "estimated":
            call["told"] = event.at
        elif event.kind in ("ringing", "asked"):
            _open(call, data["offer"])["rang"] = True
        elif event.kind in ("answered", "joined"):
            mine = _open(call, data["offer"])
            if event.kind == "answered" and not data.get("found") and mine.get("queue"):
                wait = event.at - call.get("queued_at", event.at)
                self._pace(mine["queue"], lambda pace: pace.answered(event.at - mine["at"], wait))
            call.setdefault("answered_at", event.at)
            call["agent"] = data["agent"]
            if event.kind == "joined":
                if "offer" in call:
                    call["others"].append(call["offer"])  # both have him until the first one leaves
                call["offer"] = {"id": data["offer"], "agent": data["agent"], "at": event.at, "rang": True}
                call["offer"] |= {"recording": "", "joined": True}
            _bind(call, data["offer"])
            call["offer"] |= {"answered_at": event.at, "talk_from": event.at, "talk": 0.0, "held": False}
            call["offer"]["leg"] = data.get("leg", "")
            call["inferred"] |= bool(data.get("found"))
        elif event.kind in ("redirected", "dropped"):
            call["way_out"] = event.kind
        elif event.kind == "prioritised":
            call.update(priority=data["priority"], brought=data["brought"])
        elif event.kind == "fallback_answered":
            call["answered_at"] = event.at
        elif event.kind == "transferred":
            alone = not call["others"]  # else the next one has him already
            if alone and call.get("offer", {}).get("agent") == data.get("agent"):
                call["state"] = "transferred"
        elif event.kind in ("held", "resumed"):
            offer = _open(call, data["offer"])
            if offer:
                if not offer["held"]:
                    offer["talk"] += max(0.0, event.at - offer["talk_from"])
                offer.update(talk_from=max(event.at, offer["answered_at"]), held=event.kind == "held")
        elif event.kind == "offer_ended":
            offer = _open(call, data["offer"])
            if offer in call["others"]:
                call["others"].remove(offer)
            elif offer:
                del call["offer"]
                if call["others"]:
                    call["offer"] = call["others"].pop()
            if data["result"] == "talked":
                call["legs"].append(_leg(data, offer, event.at))
                if offer.get("queue") and "from" in data:
                    self._pace(offer["queue"], lambda pace: pace.talked(data["to"] - data["from"]))
                agent = self.agents.setdefault(data["agent"], {})
                agent["last_offer"] = data["offer"]
                agent["talks"] = agent.get("talks", 0) + 1
                agent["talk_s"] = round(agent.get("talk_s", 0.0) + data.get("talk_s", 0.0), 3)
                if call["state"] == "talking" and "offer" not in call:
                    call["state"] = "released"
            elif call["state"] == "offered" and "offer" not in call:
                call["state"] = "returning"
        elif event.kind == "recording_asked":
            _open(call, data["recording"])["taped"] = data["path"]
        elif event.kind == "recording_paused":
            call["silence"] = {**data, "since": event.at}
        elif event.kind == "recording_resumed":
            call.pop("silence", None)
            call["silences"].append(dict(data))
        elif event.kind == "parked" and call["legs"]:
            call["legs"][-1]["end"] = "park"

    def _pace(self, queue: str, told: Callable[[Pace], None]) -> None:
        pace = Pace(**self.queues.get(queue, {}))
        told(pace)
        self.queues[queue] = asdict(pace)


def _open(call: Mapping[str, Any], offer: str) -> dict[str, Any]:
    """The call's open offer with this id; empty for one that is not known."""
    ours = (*call["others"], call.get("offer", {}))
    return next((one for one in ours if one.get("id") == offer), {})


def _bind(call: dict[str, Any], offer: str) -> None:
    """Of those who were rung at the same time, this one has answered."""
    if call["offer"]["id"] != offer:
        taken = _open(call, offer)
        call["others"].remove(taken)
        call["others"].append(call["offer"])
        call["offer"] = taken


def _leg(data: Mapping[str, Any], offer: Mapping[str, Any], at: float) -> dict[str, Any]:
    """Of an ``offer_ended``; version 0.1.0 told no more than that it ended: the talk ran from the answer."""
    if "from" in data:
        return {name: data[name] for name in LEG}
    since = offer.get("answered_at", at)
    leg = {"from": since, "to": at, "talk_s": round(max(0.0, at - since), 3), "hold_s": 0.0, "end": "unknown"}
    return {"offer": data["offer"], "agent": data["agent"], **leg}


def _up_to_date(call: dict[str, Any]) -> None:
    """A call as an older version remembered it; in 0.1.0 one talk, told by its start."""
    for name in ("others", "legs", "stints", "recordings", "silences"):
        call.setdefault(name, [])
    call.pop("talk", None)
    if "since" in call:
        call.setdefault("brought", call["priority"])
        call.setdefault("queued_at", call["since"])
    talk_from = call.pop("talk_from", None)
    if talk_from is not None and "offer" in call:
        call["offer"] |= {"answered_at": talk_from, "talk_from": talk_from, "talk": 0.0, "held": False}
