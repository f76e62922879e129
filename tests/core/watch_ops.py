"""What people at work asked for, folded from the records alone, and held against what is decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ccbridge.core import effects as e
from ccbridge.core import inputs as i
from ccbridge.core import records as r
from ccbridge.core.calls import Call, CallState
from ccbridge.core.world import World

COMMANDS = (
    i.QueuePause, i.QueueDrain, i.QueueResume, i.QueueSet,
    i.CallPull, i.CallMove, i.CallPriority, i.CallRedirect, i.CallHangup,
)  # fmt: skip
OF_A_CALL = {"pulled", "prioritised", "redirected", "dropped"}


class OpsWatch:
    def __init__(self, fault: Callable[[str], None]) -> None:
        self.fault = fault
        self.counts: Counter[str] = Counter()
        self.paused: set[str] = set()
        self.draining: set[str] = set()
        self.changed: dict[tuple[str, str], Any] = {}
        self.repriced: set[str] = set()  # queues whose own priority was another one: it counts when he comes
        self.turned_away: set[str] = set()  # calls whose queue was draining when they came
        self.priorities: dict[str, int] = {}  # call -> what was asked for, until he is in another queue

    def see(self, w: World, event: i.Input, effects: list[e.Effect]) -> None:
        """One decision."""
        asked = isinstance(event, COMMANDS)
        replies = [one for one in effects if isinstance(one, e.Reply)]
        if asked and len(replies) != 1:
            self.fault(f"{event} was answered {replies}")
        for effect in effects:
            if not isinstance(effect, e.Append):
                continue
            if isinstance(effect.record, r.QueueEvent):
                self._queue(effect.record)
            elif isinstance(effect.record, r.CallEvent):
                self._call(effect.record, event, effects)
        if asked and replies and not replies[0].ok and len(effects) > 1:
            told = [x.record for x in effects if isinstance(x, e.Append)]
            if any(getattr(one, "kind", "") in OF_A_CALL for one in told):
                self.fault(f"{event} was refused and done: {effects}")
        self._state(w)

    def _queue(self, event: r.QueueEvent) -> None:
        self.counts[event.kind] += 1
        if event.kind not in r.QUEUE_KINDS or not event.by:
            self.fault(f"what is {event}?")
        if event.kind == "resumed":
            self.paused.discard(event.queue)
            self.draining.discard(event.queue)
        elif event.kind in ("set", "unset"):
            self.changed.pop((event.queue, event.data["key"]), None)
            if event.data["key"] == "priority":
                self.repriced.add(event.queue)
            if event.kind == "set":
                self.changed[event.queue, event.data["key"]] = event.data["value"]
        else:
            {"paused": self.paused, "draining": self.draining}[event.kind].add(event.queue)

    def _call(self, event: r.CallEvent, told: i.Input, effects: list[e.Effect]) -> None:
        call, kind = event.call, event.kind
        if kind in OF_A_CALL:
            self.counts[kind] += 1
            if event.data["by"] != getattr(told, "by", ""):
                self.fault(f"{event} after {told}")
        if kind == "queued":
            self.turned_away.discard(call)
            self.priorities.pop(call, None)
            if event.data["queue"] in self.draining:
                self.turned_away.add(call)
                self.counts["turned away"] += 1
        elif kind == "prioritised" or (kind == "customer" and "priority" in event.data):
            self.priorities[call] = event.data["priority"]
        elif kind == "offered" and not event.data.get("found"):
            pulled = isinstance(told, i.CallPull) and (told.call, told.agent) == (call, event.data["agent"])
            if call in self.turned_away:
                self.fault(f"{event}, and his queue took no new callers")
            if event.data["queue"] in self.paused and not pulled:
                self.fault(f"{event}, and his queue is paused")
            if pulled != bool(event.data.get("pulled")):
                self.fault(f"{event} after {told}")
        elif kind == "redirected":
            if not any(isinstance(x, e.MoveOut) and x.target == event.data["target"] for x in effects):
                self.fault(f"{event} and nobody goes there")
        elif kind == "dropped" and not any(isinstance(x, e.DropCall) for x in effects):
            self.fault(f"{event} and nobody is hung up")

    def _state(self, w: World) -> None:
        for name, control in w.controls.items():
            if (control.paused, control.draining) != (name in self.paused, name in self.draining):
                self.fault(f"{name} is {control}")
        for name, queue in w.base.queues.items():
            now = w.plan.queues[name]
            for key in ("ring", "wrap_up", "max_wait", "priority", "strategy"):
                if getattr(now, key) != self.changed.get((name, key), getattr(queue, key)):
                    self.fault(f"{name}.{key} is {getattr(now, key)}, said was {self.changed}")
        for call in w.calls.values():
            if self.priorities.get(call.account, call.priority) != call.priority:
                self.fault(f"{call} has not the priority {self.priorities[call.account]}")

    def free_for_all(self, call: Call) -> bool:
        """His queue offers its calls, and took him."""
        return call.queue not in self.paused and call.account not in self.turned_away

    def closed(self, closed: r.CallClosed) -> None:
        self.turned_away.discard(closed.call)
        self.priorities.pop(closed.call, None)

    def lingers(self, call: Call) -> bool:
        """He is still there, and was to leave at once."""
        return call.account in self.turned_away and call.state is CallState.HOLDING and not call.hold_off
