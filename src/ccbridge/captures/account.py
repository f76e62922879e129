"""What a history comes to: one row a call, one an agent."""

from __future__ import annotations

from dataclasses import dataclass, field

from ccbridge.core import records as r


@dataclass(slots=True)
class CallAccount:
    """One call. Times are epoch seconds, durations seconds."""

    call: str
    arrived: float | None = None  # None: it came before the history begins, and has not ended
    caller: str = ""
    did: str = ""
    queue: str = ""
    offers: list[str] = field(default_factory=list)  # "anna talked", one an offer that has ended
    transfers: list[str] = field(default_factory=list)  # "blind 1002"
    closed: r.CallClosed | None = None


@dataclass(slots=True)
class AgentAccount:
    """One agent. ``way``: from when he was in which state."""

    agent: str
    offers: dict[str, int] = field(default_factory=dict)  # result -> how many
    way: list[tuple[float, str]] = field(default_factory=list)

    def spent(self, state: str, until: float) -> float:
        """Seconds in a state, up to ``until``."""
        ends = [at for at, _ in self.way[1:]] + [until]
        return sum(
            end - at for (at, told), end in zip(self.way, ends, strict=True) if told.split()[0] == state
        )


class Accounts:
    """Folded from records, in their order."""

    def __init__(self) -> None:
        self.calls: dict[str, CallAccount] = {}
        self.agents: dict[str, AgentAccount] = {}
        self.last = 0.0  # the newest record's time

    def add(self, record: r.Record) -> None:
        self.last = max(self.last, record.at)
        match record:
            case r.CallOpened():
                call = self._call(record.call)
                call.arrived, call.did = record.at, record.did
                call.caller = record.e164 or record.caller_kind
            case r.CallEvent():
                self._event(self._call(record.call), record)
            case r.CallClosed():
                call = self._call(record.call)
                call.closed, call.arrived, call.did = record, record.arrived, record.did
                call.queue = record.queue or ""
            case r.AgentEvent():
                self._agent(record.agent).way.append((record.at, f"{record.state} {record.reason}".strip()))

    def _event(self, call: CallAccount, event: r.CallEvent) -> None:
        data = event.data
        if event.kind == "queued":
            call.queue = data["queue"]
        elif event.kind == "offer_ended":
            call.offers.append(f"{data['agent']} {data['result']}")
            offers = self._agent(data["agent"]).offers
            offers[data["result"]] = offers.get(data["result"], 0) + 1
        elif event.kind == "transferred":
            call.transfers.append(" ".join(str(data[key]) for key in ("how", "target") if data.get(key)))

    def _call(self, call: str) -> CallAccount:
        return self.calls.setdefault(call, CallAccount(call))

    def _agent(self, agent: str) -> AgentAccount:
        return self.agents.setdefault(agent, AgentAccount(agent))
