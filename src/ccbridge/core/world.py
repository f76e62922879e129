"""The switchboard's memory while it runs, and the few verbs that every action shares."""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from ccbridge.core import skills, wished
from ccbridge.core.acd import Line, Waiting
from ccbridge.core.agents import NO_PHONE, Agent
from ccbridge.core.bridges import Bridges
from ccbridge.core.calls import CALL_LIMIT, Call, CallState, Offer, account_id, channel_of, round_of
from ccbridge.core.controls import Control, in_force
from ccbridge.core.effects import Append, Effect, Oddity
from ccbridge.core.memory import CLOSED_KEPT
from ccbridge.core.pace import Pace
from ccbridge.core.plan import Plan, QueuePlan
from ccbridge.core.records import AgentEvent, CallEvent, ControlEvent, PlanBegan
from ccbridge.core.version import told, version_of

# How many ended channels are remembered: a caller may be gone before his arrival is told here.
GONE_KEPT = 1_000
# How many deadlines that hold no more lie about, beside as many as hold: a call's last is often an hour off.
VOID_KEPT = 100
# Of all callers together so many a second are told their place at most: an estimate takes some milliseconds
# of the thread that routes. Where more are here, each is told less often.
TOLD_A_SECOND = 50


class Difference(NamedTuple):
    """Something that Asterisk shows otherwise than the core has it.

    ``stand`` is what both said of it: a difference with another stand is another one.
    """

    kind: str
    subject: str  # a call's, offer's or agent's id
    stand: str


class World:
    """All live calls, offers and agents, their timers, and the effects of the input being handled."""

    def __init__(self, plan: Plan, run: str) -> None:
        self.base = plan  # the file's
        self.controls: dict[str, Control] = {}  # what was changed of it while it runs
        self.plan = plan  # what holds
        self.version = version_of(plan)  # stands on every event
        self.told_version = ""  # the last one of which the journal has the plan
        self.run = run  # makes offer ids unique across restarts
        self.calls: dict[str, Call] = {}
        # ended calls, their channels, and ended offers -> ended by whom
        self.closed: OrderedDict[str, str] = OrderedDict()
        self.gone: OrderedDict[str, None] = OrderedDict()
        self.offers: dict[str, Offer] = {}
        self.rounds: dict[str, list[Offer]] = {}  # those that one Redirect has made
        self.legs: dict[str, Offer] = {}
        self.bridges = Bridges()
        self.agents: dict[str, Agent] = {}
        self.seats: dict[str, dict[str, Agent]] = {}  # device -> whose phone it is, by id
        self.devices: dict[str, str] = {}  # every device's state, as told: a reload may give it to an agent
        self.waiting: dict[Line, list[Waiting]] = {}
        self.lines: dict[str, dict[Line, None]] = {}  # queue -> its lines that have callers
        self.between: dict[str, None] = {}  # calls between two offers: in no ``waiting``, and yet in line
        self.free: set[str] = set()  # agents who are available
        self.changed: dict[str, None] = {}  # agents for whom one waits now, or does not any more
        # who may take its calls, now or by a later rule too, and who serves the queue at all; all made
        # anew when asked for
        self.qualified: dict[Line, frozenset[str]] = {}
        self.prospects: dict[Line, frozenset[str]] = {}
        self.serving: dict[str, tuple[Agent, ...]] = {}
        self.newcomers: list[str] = []  # calls that have just got in line, or into another
        self.census: dict[str, Counter[str]] = {}  # queue -> how many of its agents are in which state
        self.touched: set[str] = set()
        self.parted: list[str] = []  # agents who may be with a caller now: no offer any more, another phone
        # since ``overflow`` looked last: who came into a line, and queues whose line or agents changed
        self.entered: dict[str, None] = {}
        self.unstaffed: dict[str, None] = {}
        self.paces: dict[str, Pace] = {}  # queue -> how fast it is served
        self.untold: dict[str, None] = {}  # calls new in line, or due: their wait is to be reckoned
        self.link = False
        self.link_since = 0.0  # monotonic
        self.last_sign = 0.0  # epoch: while there is no link, the PBX is known to have lived up to here
        self.suspects: frozenset[Difference] = frozenset()  # what the last sweep found for the first time
        self.out: list[Effect] = []
        self.at = 0.0
        self.now = 0.0
        self.arrivals = 0
        self.offers_made = 0
        self._due: dict[tuple[str, str], float] = {}
        self._heap: list[tuple[float, tuple[str, str]]] = []

    def offer_id(self) -> str:
        self.offers_made += 1
        return f"o{self.run}x{self.offers_made}"

    def add_offer(self, offer: Offer) -> None:
        self.offers[offer.id] = offer
        self.rounds.setdefault(round_of(offer.id), []).append(offer)

    def drop_offer(self, offer: Offer) -> None:
        del self.offers[offer.id]
        rest = self.rounds[round_of(offer.id)]
        rest.remove(offer)
        if not rest:
            del self.rounds[round_of(offer.id)]
            self.remember_closed(round_of(offer.id))

    # -- effects

    def emit(self, effect: Effect) -> None:
        self.out.append(effect)

    def event(self, call: Call, kind: str, at: float | None = None, **data: Any) -> None:
        if call.inferred and not call.inferred_told:
            call.inferred_told = data["inferred"] = True
        self.account_event(call.account, kind, data, at)

    def account_event(
        self, account: str, kind: str, data: Mapping[str, Any], at: float | None = None
    ) -> None:
        """Of a call that may have ended."""
        self.emit(Append(CallEvent(account, self.at if at is None else at, kind, data, self.version)))

    def oddity(self, kind: str, **ids: str) -> None:
        self.emit(Oddity(kind, ids))

    @contextmanager
    def as_of(self, at: float) -> Iterator[None]:
        """What is decided inside is stamped and timed as of ``at``, a moment that has passed unseen."""
        kept = self.at, self.now
        back = max(0.0, self.at - at)
        self.at, self.now = self.at - back, self.now - back
        try:
            yield
        finally:
            self.at, self.now = kept

    # -- timers: one per call, offer or agent; the latest setting counts

    def arm(self, kind: str, key: str, due: float | None) -> None:
        """Set (or with None clear) the deadline of one thing, on the monotonic clock."""
        if due is None:
            self._due.pop((kind, key), None)
        elif self._due.get((kind, key)) != due:
            self._due[kind, key] = due
            heapq.heappush(self._heap, (due, (kind, key)))
            if len(self._heap) > 2 * len(self._due) + VOID_KEPT:
                self.pile()

    def pile(self) -> None:
        """Order the deadlines that hold, and no others."""
        self._heap = [(due, key) for key, due in self._due.items()]
        heapq.heapify(self._heap)

    def next_deadline(self) -> float | None:
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self) -> tuple[str, str] | None:
        """Take the earliest thing whose deadline has come."""
        if not self._heap or self._heap[0][0] > self.now:
            return None  # before every input: what may be void in the heap need not be looked at yet
        due = self.next_deadline()
        if due is None or due > self.now:
            return None
        key = heapq.heappop(self._heap)[1]
        del self._due[key]
        return key

    # -- the plan

    def put_in_force(self, base: Plan) -> None:
        """The file's plan, with what was set on top of it. To be followed by ``tell_plan``."""
        self.base, plan = base, in_force(base, self.controls)
        if plan is not self.plan:
            self.plan, self.version = plan, version_of(plan)
        self.people_changed()

    def tell_plan(self) -> None:
        """Before the first event that bears its version."""
        if self.told_version != self.version:
            self.told_version = self.version
            self.emit(Append(PlanBegan(self.at, self.version, told(self.plan))))

    def is_paused(self, queue: str) -> bool:
        return queue in self.controls and self.controls[queue].paused

    def is_draining(self, queue: str) -> bool:
        return queue in self.controls and self.controls[queue].draining

    def queue(self, name: str) -> QueuePlan:
        """The queue's plan; plain defaults for one that a reload has removed while callers wait in it."""
        return self.plan.queues.get(name) or QueuePlan(name)

    # -- calls

    def call_state(self, call: Call, state: CallState) -> None:
        """Move a call to a state and arm that state's limit. HOLDING is entered by ``line_up``."""
        self.leave_line(call)
        call.state = state
        self._note_between(call)
        limit = CALL_LIMIT[state]
        self.arm("call", call.id, None if limit is None else self.now + limit)

    def line_up(self, call: Call) -> None:
        """The call holds: put it in the line of the rule that is in force, if nothing stands against it."""
        was = self.leave_line(call)
        if call.state is CallState.QUEUED:
            self.entered[call.id] = None
        if call.state is not CallState.HOLDING:
            self.call_state(call, CallState.HOLDING)
        self._note_between(call)
        queue = self.queue(call.queue)
        queued_at = self.at if call.queued_at is None else call.queued_at
        due = self.now + queued_at + queue.max_wait - self.at
        if call.hold_off:
            due = self.now + 1.0
        elif call.turned_away:
            due = min(due, self.now)
        elif not call.offer:
            call.rule = skills.rule_at(queue.rules, self.at - queued_at)
            if call.rule + 1 < len(queue.rules):
                due = min(due, self.now + queued_at + queue.rules[call.rule + 1].after - self.at)
            call.wish = wished.wish(call, queue, call.rule, self.agents, self.at)
            if call.wish is not None:
                due = min(due, self.now + call.wish.until - self.at)
            self.insert(call)
            self.touched.add(call.queue)
            if was != self.line(call):
                self.newcomers.append(call.id)
            self.unstaffed[call.queue] = None
            self.tell_in_time(call)
        self.arm("call", call.id, due)

    def _note_between(self, call: Call) -> None:
        if call.between_offers:
            self.between[call.id] = None
        else:
            self.between.pop(call.id, None)

    def tell_in_time(self, call: Call) -> None:
        """Have his wait reckoned when it is time: at once when he is new in line, then as his queue tells."""
        announce = self.queue(call.queue).announce
        if call.told is None:
            self.untold[call.id] = None
        elif announce is not None:
            first = (call.queued_at or call.told) + announce.first
            again = call.told + max(announce.every, len(self.calls) / TOLD_A_SECOND)
            due = first if call.told < first else again
            self.arm("say", call.id, self.now + due - self.at)

    def in_line(self, queue: str) -> Iterator[Waiting]:
        """All who stand in a line of this queue, line by line."""
        for line in self.lines.get(queue, ()):
            yield from self.waiting[line]

    def insert(self, call: Call) -> None:
        """Into its line, by the order of service."""
        place = self.place(call)
        insort(self.waiting.setdefault(place.line, []), place)
        self.lines.setdefault(call.queue, {})[place.line] = None

    def leave_line(self, call: Call) -> Line | None:
        """Out of the line that it was in, if any."""
        if call.state is not CallState.HOLDING:
            return None
        self.arm("say", call.id, None)
        self.untold.pop(call.id, None)
        place = self.place(call)
        line = self.waiting.get(place.line)
        if line:
            index = bisect_left(line, place)
            if index < len(line) and line[index] == place:
                del line[index]
                if not line:
                    self.drop_line(place.line)
                return place.line
        return None

    def drop_line(self, line: Line) -> None:
        """Nobody is in it any more: there may be one for each agent, so empty ones are not kept."""
        del self.waiting[line], self.lines[line.queue][line]
        if not self.lines[line.queue]:
            del self.lines[line.queue]

    def clear_lines(self, queue: str) -> None:
        """Nobody is in line: where they are depends on the plan, and that is about to change."""
        for line in self.lines.pop(queue, ()):
            del self.waiting[line]

    def line(self, call: Call) -> Line:
        """Where it waits, or would."""
        return Line(call.queue, call.rule, "" if call.wish is None else call.wish.agent)

    def place(self, call: Call) -> Waiting:
        """Where it is, or would be, in the order of service."""
        rank = -float(call.priority)
        if self.plan.ageing:
            # all age alike, so that the order of two never changes: (waited now) may be left out
            rank += call.since / self.plan.ageing
        return Waiting(rank, call.since, call.number, call.id, self.line(call))

    def may_take(self, line: Line) -> frozenset[str]:
        """The agents who serve this line's queue and qualify by its rule, whatever they do now.

        Of a line whose callers wait for one of them, that one alone.
        """
        if line.only:
            return self.may_take(Line(line.queue, line.rule)) & {line.only}
        if line not in self.qualified:
            rule = self.queue(line.queue).rules[line.rule]
            self.qualified[line] = frozenset(
                agent.id
                for agent in self.agents.values()
                if line.queue in agent.plan.queues and skills.qualifies(agent.plan.skills, rule)
            )
        return self.qualified[line]

    def may_ever_take(self, line: Line) -> frozenset[str]:
        """The agents who qualify by this line's rule or by a later one of its queue."""
        if line not in self.prospects:
            rules = range(line.rule, len(self.queue(line.queue).rules))
            self.prospects[line] = frozenset().union(*(self.may_take(Line(line.queue, n)) for n in rules))
        return self.prospects[line]

    def members(self, queue: str) -> tuple[Agent, ...]:
        """The agents who serve this queue, whatever they do now."""
        if queue not in self.serving:
            self.serving[queue] = tuple(a for a in self.agents.values() if queue in a.plan.queues)
        return self.serving[queue]

    def people_changed(self) -> None:
        """Who serves which queue, or with which skills, is to be asked anew."""
        self.qualified.clear()
        self.prospects.clear()
        self.serving.clear()

    def forget(self, call: Call, ended_by: str) -> None:
        self.leave_line(call)
        self.arm("call", call.id, None)
        self.arm("mute", call.id, None)
        self.between.pop(call.id, None)
        del self.calls[call.id]
        self.remember_call(call.account, ended_by)

    def remember_call(self, account: str, ended_by: str) -> None:
        """An ended call, by its own id and by that of its channel, of which it is the last one."""
        self.remember_closed(account, ended_by)
        self.remember_closed(channel_of(account)[0], ended_by)

    def nth_call(self, channel: str) -> int:
        """Which of the channel's calls one that begins now is."""
        nth = 1
        while account_id(channel, nth) in self.closed:
            nth += 1
        return nth

    def account(self, channel: str) -> str:
        """The id of the call that this channel has now."""
        call = self.calls.get(channel)
        return channel if call is None else call.account

    def remember_closed(self, key: str, ended_by: str = "") -> None:
        """An ended call or offer: its late events are no oddity."""
        self.closed.pop(key, None)
        self.closed[key] = ended_by
        while len(self.closed) > CLOSED_KEPT:
            self.closed.popitem(last=False)

    def remember_gone(self, channel: str) -> None:
        """A channel has ended that is none of an agent's legs."""
        self.gone[channel] = None
        while len(self.gone) > GONE_KEPT:
            self.gone.popitem(last=False)

    def pace(self, queue: str) -> Pace:
        return self.paces.setdefault(queue, Pace())

    # -- agents

    def add_agent(self, agent: Agent) -> None:
        self.agents[agent.id] = agent
        self.seats.setdefault(agent.phone, {})[agent.id] = agent
        self.people_changed()
        if agent.shown[0] == "available":
            self.free.add(agent.id)
        for queue in agent.plan.queues:
            self.census.setdefault(queue, Counter())[agent.shown[0]] += 1

    def drop_agent(self, agent: Agent) -> None:
        for queue in agent.plan.queues:
            self.census[queue][agent.shown[0]] -= 1
        self.arm("agent", agent.id, None)
        self.free.discard(agent.id)
        self.people_changed()
        self._leave_phone(agent)
        del self.agents[agent.id]

    def _leave_phone(self, agent: Agent) -> None:
        whose = self.seats.get(agent.phone, {})
        whose.pop(agent.id, None)
        if not whose:
            self.seats.pop(agent.phone, None)

    def agent_of(self, device: str) -> Agent | None:
        """Whose phone it is: of him who works at it, else of its own agent unless he works elsewhere."""
        here = self.agents_at(device)
        return next((agent for agent in here if agent.at_work()), here[0] if here else None)

    def agents_at(self, device: str) -> list[Agent]:
        """All whose phone it is or would be; at most one of them is at work."""
        return list(self.seats.get(device, {}).values())

    def sit(self, agent: Agent, seat: str) -> None:
        """He has this phone from now on; "": his own. Either phone may be with a caller of ours."""
        left = agent.phone
        self._leave_phone(agent)
        agent.seat = seat
        self.seats.setdefault(agent.phone, {})[agent.id] = agent
        agent.device = self.devices.get(agent.phone, "INVALID")
        agent.fade_due = None
        for device in (left, agent.phone):
            whose = self.agent_of(device)
            if whose is not None:
                self.parted.append(whose.id)

    def phone_is(self, agent: Agent, state: str) -> None:
        """The agent's device is in this state now."""
        was, agent.device, agent.device_since = agent.device, state, self.now
        agent.fade_due = None
        if was in NO_PHONE and state not in NO_PHONE and not agent.personal:
            self.phone_back(agent)
        self.refresh(agent)

    def phone_back(self, agent: Agent) -> None:
        """A sign of life from the phone itself lifts the back-off for dead phones, and only that."""
        if agent.cool_why == "dead":
            agent.cool_due = None
        agent.dead_offers = 0
        self.refresh(agent)

    def end_personal(self, agent: Agent, why: str) -> None:
        """His phone rings again. Nobody has asked for that, so the audit is told."""
        if not agent.personal:
            return
        agent.personal = ""
        control = f"p{self.run}e{self.at:.3f}-{agent.id}"
        ended = ControlEvent(control, self.at, "personal", "ended", "", "", agent.id, "", reason=why)
        self.emit(Append(ended))

    def refresh(self, agent: Agent, at: float | None = None, *, again: bool = False) -> None:
        """Derive the agent's state anew; a change is an event, and may make him a candidate.

        ``again``: the state is the same, and what is told with it is not.
        """
        self.arm("agent", agent.id, agent.due())
        if agent.state()[0] == "logged_out":
            self.end_personal(agent, "logged out")
            if agent.seat:
                self.sit(agent, "")
        if agent.here != agent.is_here():
            agent.here = not agent.here
            self.changed[agent.id] = None
        shown = agent.state()
        if shown == agent.shown and not again:
            return
        self.unstaffed.update(dict.fromkeys(agent.plan.queues))
        for queue in agent.plan.queues:
            self.census[queue][agent.shown[0]] -= 1
            self.census[queue][shown[0]] += 1
        agent.shown = shown
        if shown[0] == "available":
            self.free.add(agent.id)
        else:
            self.free.discard(agent.id)
        # stamps of two clocks must not make an interval of negative length
        agent.shown_at = max(self.at if at is None else at, agent.shown_at)
        if shown[0] == "available":
            agent.idle_since = agent.shown_at
            self.touched.update(agent.plan.queues)
        data: dict[str, Any] = {"in": agent.logged_in}
        if agent.pause:
            data["pause"] = agent.pause
        if agent.seat:
            data["device"] = agent.seat
        if agent.personal:
            data["personal"] = agent.personal
        due = agent.wrap_due if shown[0] == "wrap_up" else agent.cool_due
        if due is not None:
            data["until"] = round(self.at + due - self.now, 3)
        if agent.lift_due is not None:
            data["lift"] = round(self.at + agent.lift_due - self.now, 3)
        if agent.missed:
            data["missed"] = list(agent.missed)
        if agent.dead_offers:
            data["dead_offers"] = agent.dead_offers
        offer = self.offers.get(agent.offer or agent.leg or agent.last_offer)
        call = agent.last_call
        if offer is not None and offer.id != agent.last_offer:
            call = self.account(offer.call)
        in_call = shown[0] in ("offered", "talking", "wrap_up")
        if in_call and agent.offer:
            data["offer"] = agent.offer
        self.emit(
            Append(
                AgentEvent(
                    agent.id,
                    agent.shown_at,
                    shown[0],
                    shown[1],
                    call if in_call and call else None,
                    data,
                    self.version,
                )
            )
        )
