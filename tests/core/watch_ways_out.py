"""Who may not stay in a line, computed anew from what the documents say; the watch asks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ccbridge.core import records as r
from ccbridge.core.calls import Call, CallState
from ccbridge.core.flows import ToQueue
from ccbridge.core.world import World

MOST = 10  # times that a call may go on to another queue unanswered
IN_LINE = (CallState.HOLDING, CallState.OFFERED, CallState.RETURNING)


def staff(w: World, queue: str) -> list[str]:
    """Of the queue's agents who are logged in: why each takes no calls, "" for one who does."""
    return [agent.pause for agent in w.agents.values() if agent.logged_in and queue in agent.plan.queues]


def why_absent(w: World, queue: str) -> str:
    here = staff(w, queue)
    return "nobody" if not here else "paused" if all(here) else ""


def in_line(call: Call) -> bool:
    """He has a place in the line, whether or not he may be offered at this moment."""
    return call.state in IN_LINE and not call.turned_away


class WaysOut:
    def __init__(self, fault: Callable[[str], None]) -> None:
        self.fault = fault
        self.counts: Counter[str] = Counter()
        self.known: set[tuple[str, int]] = set()  # stays that were in line after a decision
        self.in_line: dict[str, set[str]] = {}  # queue -> who was, after the last one

    def see(self, event: r.CallEvent, w: World) -> None:
        """An ``overflowed`` or ``queued``: its reason must be true."""
        if event.kind == "overflowed":
            self.counts[event.data["reason"]] += 1
            return
        why, stint = event.data.get("why"), event.data.get("stint")
        if stint is None or why is None:
            return
        self.counts[f"{why} to a queue"] += 1
        if event.data["since"] > event.at - stint["wait_s"] + 0.1:
            self.fault(f"{event} loses his place")
        queue = w.queue(stint["queue"])
        call = next((one for one in w.calls.values() if one.account == event.call), None)
        if (
            call is not None
            and sum(not one["answered"] for one in call.stints) > MOST
            and why not in ("key", "moved")
        ):
            self.fault(f"{event}, and has been sent round {len(call.stints)} times")
        if why == "time" and stint["wait_s"] < queue.max_wait - 1.0:
            self.fault(f"{event} after {stint['wait_s']} s")
        if why in ("nobody", "paused") and why_absent(w, queue.name) != why:
            self.fault(f"{event}: {staff(w, queue.name)}")

    def look(self, w: World, waiting: list[Call]) -> None:
        """After a decision with the link up: nobody waits whom his queue sends away."""
        for call in waiting:
            queue = w.queue(call.queue)
            rounds = sum(not stint["answered"] for stint in call.stints)
            why = why_absent(w, call.queue)
            to = queue.overflow_to.get(why)
            if to is not None and not (isinstance(to, ToQueue) and rounds >= MOST):
                self.fault(f"{call.id} waits in {call.queue}: {why}")
            to = queue.overflow_to.get("full")
            if (call.account, len(call.stints)) in self.known or (isinstance(to, ToQueue) and rounds >= MOST):
                continue
            there = self.in_line.get(call.queue, set()) - {call.account}
            still = [one for one in w.calls.values() if one.account in there and one.queue == call.queue]
            if queue.max_waiting and sum(in_line(one) for one in still) >= queue.max_waiting:
                self.fault(f"{call.id} came into {call.queue}, which is full: {sorted(there)}")
        self._note(w)

    def _note(self, w: World) -> None:
        self.in_line = {}
        for call in w.calls.values():
            if in_line(call):
                self.known.add((call.account, len(call.stints)))
                self.in_line.setdefault(call.queue, set()).add(call.account)

    def restarted(self, w: World) -> None:
        """Whoever was in line as far as was written is not looked at as one who comes."""
        self._note(w)
