"""A time that has been, out of its records: who came when, with what talk and patience, who was at work.

Known of each caller are queue, moment and own priority; the talk (hold included) and the ringing before it,
if he was answered; his patience, if he hung up. The rest is drawn, by seed and for each caller by himself, so
that two configurations meet the same ones:

- patience of who was answered or went elsewhere: more than he needed, by ``patience.Patience`` of his queue;
  of all queues together where fewer than ``ENOUGH`` hung up;
- talk of who was not answered: that of one who was, in his queue (in any, if nobody was in his);
- the ringing before it: the mean of those who were answered.

A caller who is put into another queue by rule or by hand comes once, to the first one: what the core makes of
him is the simulation's business. Who is passed back into a queue after a talk comes again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from ccbridge.core import records as r
from ccbridge.core.plan import Plan
from ccbridge.simulate.arrivals import Arrival
from ccbridge.simulate.patience import Patience

ENOUGH = 20  # who hung up in a queue: with fewer, the patience of all queues together is taken
ELSEWHERE = "elsewhere"  # his phone was not there, or in use: no call could reach him


class NothingToDraw(Exception):
    """Nobody was answered in that time, so nothing is known of how long they talk."""


@dataclass(slots=True)
class Stay:
    """A caller in a queue, up to his end or to the next queue. Moments are epoch seconds."""

    call: str
    queue: str
    at: float
    priority: int
    offered: float | None = None
    answered: float | None = None
    until: float = 0.0  # the end of the wait, if nobody answered
    gave_up: bool = False
    talk: float = 0.0
    over: bool = False  # the talk's end is known, too

    @property
    def wait(self) -> float:
        return max(0.0, (self.until if self.answered is None else self.answered) - self.at)


@dataclass(frozen=True, slots=True)
class Duty:
    """What an agent does from ``at`` on, seconds since the opening. ``pause``: "" if he takes calls."""

    at: float
    agent: str
    there: bool
    pause: str = ""


class Past:
    """Give ``see`` the records of the time from ``since`` (epoch seconds) on, in their order, then ask.

    Of agents also their state at that moment, as an ``AgentEvent`` before it.
    """

    def __init__(self, since: float, until: float = float("inf")) -> None:
        self.since = since
        self.until = until
        self.stays: list[Stay] = []
        self.last = since  # the newest record's moment
        self._open: dict[str, Stay] = {}
        self._duties: list[Duty] = []

    def see(self, record: r.Record) -> None:
        if isinstance(record, r.CallEvent):
            self.last = max(self.last, record.at)
            self._call(record)
        elif isinstance(record, r.AgentEvent) and record.at < self.until:
            self.last = max(self.last, record.at)
            there, pause = duty(record.state, record.reason)
            self._duties.append(Duty(max(0.0, record.at - self.since), record.agent, there, pause))

    def _call(self, event: r.CallEvent) -> None:
        data, stay = event.data, self._open.get(event.call)
        if event.kind == "queued":
            if "why" in data and stay is not None:
                stay.until = 0.0  # he waits on
                return
            self._close(event.call, event.at)
            at = data.get("entered", data["since"])
            if self.since <= at < self.until and "why" not in data:
                own = data.get("brought", data["priority"])
                self._open[event.call] = Stay(event.call, data["queue"], at, own)
        elif stay is None:
            return
        elif event.kind == "offered":
            stay.offered = event.at
        elif event.kind in ("answered", "joined"):
            if stay.answered is None:
                stay.answered = event.at
        elif event.kind == "offer_ended" and data["result"] == "talked":
            stay.talk += data.get("talk_s", 0.0) + data.get("hold_s", 0.0)
        elif event.kind in ("abandoned", "overflowed", "left", "in_fallback"):
            stay.until, stay.gave_up = event.at, event.kind == "abandoned"
        elif event.kind == "ended":
            self._close(event.call, event.at)

    def _close(self, call: str, at: float, *, over: bool = True) -> None:
        stay = self._open.pop(call, None)
        if stay is not None:
            stay.until = stay.until or at
            stay.over = over
            self.stays.append(stay)

    def close(self) -> None:
        """No more records: who is there still has no end that is known."""
        for call in list(self._open):
            self._close(call, self.last, over=False)
        self.stays.sort(key=lambda stay: (stay.at, stay.call))
        self._duties.sort(key=lambda one: one.at)

    # -- after ``close``

    @property
    def queues(self) -> dict[str, int]:
        """Queue -> how many came into it."""
        found: dict[str, int] = {}
        for stay in self.stays:
            found[stay.queue] = found.get(stay.queue, 0) + 1
        return found

    @property
    def seconds(self) -> float:
        """From the opening to ``until``; to the last record where that is endless."""
        return (self.last if self.until == float("inf") else self.until) - self.since

    def arrivals(self, seed: int, plan: Plan) -> Iterator[Arrival]:
        """The callers in the order of time. Their ringing is shorter than their queue's ``ring``.

        Raises NothingToDraw.
        """
        draw = self._drawing()
        for number, stay in enumerate(self.stays):
            talk, patience, rings = draw(stay, Random(f"{seed}/{stay.call}/{number}"))
            most = plan.queues[stay.queue].ring - 1
            rings = min(rings, most)
            yield Arrival(stay.at - self.since, stay.queue, talk, patience, stay.priority, rings)

    def _drawing(self) -> Callable[[Stay, Random], tuple[float, float | None, float]]:
        talked = [stay for stay in self.stays if stay.answered is not None and stay.over]
        if not talked and self.stays:
            raise NothingToDraw
        talks: dict[str, list[float]] = {}
        for stay in talked:
            talks.setdefault(stay.queue, []).append(stay.talk)
        everybody = [stay.talk for stay in talked]
        ringing = [rang for stay in talked if (rang := _rang(stay)) is not None]
        mean = sum(ringing) / len(ringing) if ringing else 0.0
        patience = self._patience()

        def draw(stay: Stay, chance: Random) -> tuple[float, float | None, float]:
            lot, other = chance.random(), chance.random()
            of = talks.get(stay.queue, everybody)
            known = stay.answered is not None and stay.over
            talk = stay.talk if known else of[int(other * len(of))]
            waits = stay.wait if stay.gave_up else patience[stay.queue].beyond(stay.wait, lot)
            rang = _rang(stay)
            return talk, waits, mean if rang is None else rang

        return draw

    def _patience(self) -> Mapping[str, Patience]:
        of_all = Patience((stay.wait, stay.gave_up) for stay in self.stays)
        found = {}
        for queue in self.queues:
            own = Patience((stay.wait, stay.gave_up) for stay in self.stays if stay.queue == queue)
            found[queue] = own if own.gave_up >= ENOUGH else of_all
        return found

    def duties(self, plan: Plan) -> list[Duty]:
        """Who is at work when, in the order of time.

        An agent of whom nothing is known, because he is new in the plan, is there from the first log-in to
        the last log-out.
        """
        known = {one.agent for one in self._duties}
        there = [one.at for one in self._duties if one.there]
        if not there:
            return list(self._duties)
        first, last = min(there), self._last_there()
        fresh = [agent for agent in plan.agents if agent not in known]
        more = [one for agent in fresh for one in (Duty(first, agent, True), Duty(last, agent, False))]
        return sorted([*self._duties, *more], key=lambda one: one.at)

    def _last_there(self) -> float:
        at_work: set[str] = set()
        last = 0.0
        for one in self._duties:
            if one.there:
                at_work.add(one.agent)
            elif one.agent in at_work:
                at_work.remove(one.agent)
                last = one.at
        return self.seconds if at_work else last


def duty(state: str, reason: str) -> tuple[bool, str]:
    """Whether an agent in this state (``records.AGENT_STATES``) is logged in, and his pause."""
    if state == "logged_out":
        return False, ""
    if state in ("offered", "talking", "wrap_up"):  # the reason is what follows
        return (False, "") if reason == "logging_out" else (True, reason)
    if state == "paused":
        return True, reason
    if state == "busy_elsewhere" or (state == "unreachable" and reason == "not_registered"):
        return True, ELSEWHERE
    return True, ""


def _rang(stay: Stay) -> float | None:
    if stay.answered is None or stay.offered is None:
        return None
    return max(0.0, stay.answered - stay.offered)
