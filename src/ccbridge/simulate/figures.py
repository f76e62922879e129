"""What a simulated time comes to, folded from the core's own records. Definitions: ``reports.metrics``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil

from ccbridge.core import records as r
from ccbridge.core.plan import Plan
from ccbridge.reports.metrics import SHORT
from ccbridge.simulate.driver import OPENING

BUSY = ("talking", "wrap_up")
OFFERED = ("answered", "abandoned", "overflowed", "left")


@dataclass(slots=True)
class Counted:
    """Calls, or the stays in one queue, by how they ended. Times in seconds."""

    by_end: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OFFERED, 0))
    answered_in_time: int = 0  # within the T of their queue
    abandoned_in_time: int = 0
    short_abandoned: int = 0
    answered_wait: float = 0.0  # of all answered together
    waits: list[float] = field(default_factory=list)  # of all offered

    def add(self, end: str, wait: float, t: float) -> None:
        self.by_end[end] += 1
        self.waits.append(wait)
        if end == "answered":
            self.answered_wait += wait
            self.answered_in_time += wait <= t
        elif end == "abandoned":
            self.abandoned_in_time += wait <= t
            self.short_abandoned += wait <= SHORT

    @property
    def offered(self) -> int:
        return len(self.waits)

    def service_levels(self) -> dict[str, float | None]:
        """Every variant of ``reports.metrics.SERVICE_LEVELS``, 0 to 1; None without a divisor."""
        a, b = self.by_end["answered"], self.by_end["abandoned"]
        in_time, gone_in_time = self.answered_in_time, self.abandoned_in_time
        return {
            "answered": share(in_time, a),
            "offered": share(in_time, a + b),
            "excl_short": share(in_time, a + b - self.short_abandoned),
            "late_abandons": share(in_time, a + b - gone_in_time),
            "inclusive": share(in_time + gone_in_time, a + b),
        }

    def figures(self, t: float | None, variant: str) -> dict[str, float | None]:
        levels = self.service_levels()
        waits = sorted(self.waits)
        return {
            "offered": self.offered,
            **self.by_end,
            "service_level": levels[variant],
            "t_s": t,
            "asa_s": share(self.answered_wait, self.by_end["answered"]),
            "mean_wait_s": share(sum(waits), len(waits)),
            "p95_wait_s": waits[ceil(0.95 * len(waits)) - 1] if waits else None,
            "longest_wait_s": waits[-1] if waits else None,
        }


@dataclass(slots=True)
class Agent:
    """What one agent did while callers came."""

    state: str = ""
    since: float = OPENING
    talks: int = 0
    seconds: dict[str, float] = field(default_factory=dict)  # in each state


class Figures:
    """Give ``see`` all records of a run, then ask. ``seconds``: for so long after the opening callers come.

    Calls count whenever they end. Agents' times are cut at the closing: what they still do for those who wait
    then says nothing about how busy they were.
    """

    def __init__(self, plan: Plan, seconds: float) -> None:
        self.plan = plan
        self.closing = OPENING + seconds
        self.total = Counted()
        self.queues = {name: Counted() for name in plan.queues}
        self.agents = {name: Agent() for name in plan.agents}

    def see(self, record: r.Record) -> None:
        if isinstance(record, r.CallClosed):
            self._closed(record)
        elif isinstance(record, r.AgentEvent):
            self._changed(self.agents[record.agent], record.state, record.at)

    def _closed(self, call: r.CallClosed) -> None:
        for stint in call.stints:
            end = "answered" if stint["answered"] else stint.get("end", "left")
            self.queues[stint["queue"]].add(end, stint["wait_s"], self._t(stint["queue"]))
        if call.queue is not None and call.wait is not None and call.disposition in OFFERED:
            t = self._t(call.queue)
            self.queues[call.queue].add(call.disposition, call.wait, t)
            self.total.add(call.disposition, call.wait, t)
        for leg in call.legs:
            self.agents[leg["agent"]].talks += 1

    def _t(self, queue: str) -> float:
        return self.plan.queues[queue].service_level

    def _changed(self, agent: Agent, state: str, at: float) -> None:
        spent = min(at, self.closing) - min(max(agent.since, OPENING), self.closing)
        if spent > 0:
            agent.seconds[agent.state] = agent.seconds.get(agent.state, 0.0) + spent
        agent.state, agent.since = state, at

    def result(self, variant: str = "answered") -> Result:
        """The figures of the whole run; ``variant`` is a name of ``reports.metrics.SERVICE_LEVELS``."""
        for agent in self.agents.values():
            self._changed(agent, agent.state, max(agent.since, self.closing))
        queues = {}
        for name, counted in self.queues.items():
            serving = [self.agents[one.id] for one in self.plan.agents.values() if name in one.queues]
            queues[name] = counted.figures(self._t(name), variant) | {"occupancy": occupancy(serving)}
        total = self.total.figures(None, variant) | {"occupancy": occupancy(self.agents.values())}
        agents = {
            name: {
                "talks": agent.talks,
                "talk_s": agent.seconds.get("talking", 0.0),
                "wrap_up_s": agent.seconds.get("wrap_up", 0.0),
                "available_s": agent.seconds.get("available", 0.0),
                "occupancy": occupancy([agent]),
            }
            for name, agent in self.agents.items()
        }
        return Result(queues, total, agents)


@dataclass(frozen=True, slots=True)
class Result:
    """Figures by name; names that end in ``_s`` are seconds, shares are 0 to 1, None without a divisor."""

    queues: Mapping[str, Mapping[str, float | None]]
    total: Mapping[str, float | None]
    agents: Mapping[str, Mapping[str, float | None]]


def occupancy(agents: Iterable[Agent]) -> float | None:
    """(talk + hold + wrap-up) / (talk + hold + wrap-up + available), of all of them together."""
    busy = ready = 0.0
    for agent in agents:
        busy += sum(agent.seconds.get(state, 0.0) for state in BUSY)
        ready += agent.seconds.get("available", 0.0)
    return share(busy, busy + ready)


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
