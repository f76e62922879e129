"""What a restart must know, folded from the records themselves.

The daemon applies each record as it is appended; the fold is the journal's checkpoint. So the state after
a restart is a function of what was written, and of nothing else.
"""

from __future__ import annotations

from typing import Any

from ccbridge.core.records import AgentEvent, CallClosed, CallEvent, CallOpened, Record

# which event kind leaves a call in which state
_STATE = {
    "queued": "queued",
    "holding": "holding",
    "offered": "offered",
    "answered": "talking",
    "in_fallback": "fallback",
}


# How many ended calls are remembered. The channel of one may live on for hours (transferred, overflowed):
# a restart must not take it for a new call.
CLOSED_KEPT = 10_000


class Memory:
    """Open calls, agents and the last ended calls, as JSON values.

    ``dump`` and ``Memory(dumped)`` are exact inverses.
    """

    def __init__(self, dumped: dict[str, Any] | None = None) -> None:
        dumped = dumped or {}
        self.calls: dict[str, dict[str, Any]] = dumped.get("calls", {})
        self.agents: dict[str, dict[str, Any]] = dumped.get("agents", {})
        self.closed: dict[str, str] = dumped.get("closed", {})  # call -> ended by whom
        self.last: float = dumped.get("last", 0.0)  # the latest moment that a record tells of

    def dump(self) -> dict[str, Any]:
        return {"calls": self.calls, "agents": self.agents, "closed": self.closed, "last": self.last}

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
                "talk": 0.0,
            }
        elif isinstance(record, CallClosed):
            self.calls.pop(record.call, None)
            self.closed[record.call] = record.ended_by
            if len(self.closed) > CLOSED_KEPT:
                del self.closed[next(iter(self.closed))]
        elif isinstance(record, AgentEvent):
            self._agent(record)
        elif isinstance(record, CallEvent) and record.call in self.calls:
            self._call(self.calls[record.call], record)

    def _agent(self, event: AgentEvent) -> None:
        known = self.agents.setdefault(event.agent, {})
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
                "dead_offers": event.data.get("dead_offers", 0),
            }
        )
        if event.state == "wrap_up" and event.call:
            known["last_call"] = event.call

    def _call(self, call: dict[str, Any], event: CallEvent) -> None:
        data = event.data
        call["state"] = _STATE.get(event.kind, call["state"])
        if event.kind == "customer":
            call["customer"] = data["customer"]
        elif event.kind == "queued":
            call.update(queue=data["queue"], priority=data["priority"], since=data["since"])
        elif event.kind == "offered":
            call["offers"] += 1
            call["offer"] = {
                "id": data["offer"],
                "agent": data["agent"],
                "at": event.at,
                "rang": False,
                "recording": data.get("recording", ""),
            }
        elif event.kind == "ringing":
            call["offer"]["rang"] = True
        elif event.kind == "answered":
            call.setdefault("answered_at", event.at)
            call.update(agent=data["agent"], talk_from=event.at)
            call["inferred"] |= bool(data.get("found"))
        elif event.kind == "fallback_answered":
            call["answered_at"] = event.at
        elif event.kind == "offer_ended":
            ended = call.pop("offer", None)
            if data["result"] == "talked":
                call["state"] = "released"
                call["talk"] += max(0.0, event.at - call.pop("talk_from", event.at))
                if ended is not None:
                    self.agents.setdefault(ended["agent"], {})["last_offer"] = ended["id"]
            elif call["state"] == "offered":
                call["state"] = "returning"
