"""Recordings and their pauses, folded from the records alone, and held against what Asterisk was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ccbridge.core import inputs as i
from ccbridge.core import records as r
from ccbridge.core import taping
from ccbridge.core.world import World

if TYPE_CHECKING:
    from simulator import Simulator

SLACK = 0.5  # seconds by which events' stamps may differ from our clock


class TapingWatch:
    def __init__(self, fault: Callable[[str], None], counts: Counter[str]) -> None:
        self.fault = fault
        self.counts = counts
        self.running: dict[tuple[str, str], str] = {}  # (call, recording) -> path
        self.silent: dict[str, dict[str, Any]] = {}  # call -> its pause
        self.past: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.controls: dict[str, list[str]] = {}
        self.paths: set[str] = set()

    def record(self, record: r.Record) -> None:
        match record:
            case r.RecordingStarted():
                key = (record.call, record.offer)
                if key in self.running or record.path in self.paths:
                    self.fault(f"{record} is there already")
                self.running[key] = record.path
                self.paths.add(record.path)
            case r.RecordingEnded():
                key = (record.call, record.offer)
                if self.running.pop(key, None) is None:
                    self.fault(f"{record} was never started")
                if self.silent.get(record.call, {}).get("recording") == record.offer:
                    self.fault(f"{record} while it is paused")
                if list(record.pauses) != self.past.get(key, []):
                    self.fault(f"{record} had the pauses {self.past.get(key)}")
            case r.CallEvent() if record.kind == "recording_paused":
                self._paused(record)
            case r.CallEvent() if record.kind == "recording_resumed":
                self._resumed(record)
            case r.ControlEvent():
                self._control(record)
            case r.CallClosed():
                if record.call in self.silent:
                    self.fault(f"{record.call} ended and is paused: {self.silent[record.call]}")

    def _paused(self, event: r.CallEvent) -> None:
        if event.call in self.silent:
            self.fault(f"{event} while it is paused: {self.silent[event.call]}")
        if (event.call, event.data["recording"]) not in self.running:
            self.fault(f"{event} of what is not recorded: {self.running}")
        self.silent[event.call] = {**event.data, "at": event.at}
        self.counts["recording paused"] += 1

    def _resumed(self, event: r.CallEvent) -> None:
        pause = self.silent.pop(event.call, None)
        data = event.data
        if pause is None or (data["recording"], data["from"]) != (pause["recording"], pause["at"]):
            self.fault(f"{event} of the pause {pause}")
            return
        if data["reason"] not in taping.ENDS or data["to"] < data["from"]:
            self.fault(f"what is {event}?")
        if data["reason"] == "time" and data["to"] < pause["until"] - 0.001:
            self.fault(f"{event} is too early: {pause}")
        self.past.setdefault((event.call, data["recording"]), []).append(
            {key: data[key] for key in ("from", "to", "reason")}
        )
        self.counts[f"pause over: {data['reason']}"] += 1

    def _control(self, event: r.ControlEvent) -> None:
        known = self.controls.setdefault(event.control, [])
        known.append(event.result)
        self.counts[f"{event.what} {event.result}"] += 1
        if (event.what, event.result) == ("personal", "ended"):  # by a log-out or a reload: nobody has asked
            if len(known) > 1 or not (event.whom and event.reason) or event.who or event.by or event.door:
                self.fault(f"what is {event}?")
            return
        settled = [one for one in known if one in ("refused", "done", "failed")]
        if known[0] != "asked" or len(settled) > 1 or known.count("ended") > 1:
            self.fault(f"{event} after {known}")
        if event.what == "personal":  # whoever may open the control socket may ask, a supervisor or not
            right = bool(event.whom)
        else:
            right = bool(event.who) and event.what in taping.WHAT.values()
        if not (right and event.by and event.door):
            self.fault(f"what is {event}?")

    def state(self, w: World, event: i.Input) -> None:
        """After each decision: no pause stands longer than it may, as long as Asterisk can be told."""
        for call in w.calls.values():
            silence = call.silence
            if (silence is None) != (call.account not in self.silent):
                self.fault(f"{call.account} is paused: {silence}, as was said: {self.silent}")
            if w.link and silence is not None and silence.until < w.at - SLACK:
                self.fault(f"{call.account} is paused since {silence.since} until {silence.until}, at {w.at}")

    def truth(self, sim: Simulator) -> None:
        """All that was sent has arrived: Asterisk writes silence where a pause is known, and nowhere else."""
        for caller in sim.callers.values():
            call = sim.board.world.calls.get(caller.id)
            if call is None or caller.dying or not taping.running(sim.board.world, call):
                continue
            self.counts["recording compared"] += 1
            if caller.taped and caller.muted != (call.silence is not None):
                self.fault(f"{call.account} is muted: {caller.muted}, its pause is {call.silence}")

    def drained(self) -> None:
        if self.silent or self.running:
            self.fault(f"never ended: {self.silent} {self.running}")
