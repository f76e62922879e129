"""What must be true of every decision, checked as it is made: on the state, on the stream of effects, and
against the truth that the simulator knows."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from watch_misses import Misses
from watch_ops import OpsWatch
from watch_seats import Seats
from watch_taping import TapingWatch
from watch_told import Told
from watch_ways_out import WaysOut
from watch_why import WhyWatch
from watch_wished import Wished

from ccbridge.ami.translate import device_of
from ccbridge.core import effects as e
from ccbridge.core import inputs as i
from ccbridge.core import reconcile, sweep
from ccbridge.core import records as r
from ccbridge.core.agents import Agent
from ccbridge.core.calls import CALL_LIMIT, Call, CallState, OfferState, channel_of, round_of
from ccbridge.core.controls import Control
from ccbridge.core.memory import Memory
from ccbridge.core.pace import Pace
from ccbridge.core.plan import QueuePlan, Rule
from ccbridge.core.switchboard import Switchboard
from ccbridge.core.world import Difference, World

if TYPE_CHECKING:
    from simulator import Caller, Phone, Simulator

WHILE_DOWN = (e.Append, e.Reply, e.Oddity, e.LookAt, e.LookUpCustomer)
# Seconds from a Redirect to its arrival: of 18,000 on a real Asterisk the slowest took 0.046.
SLOWEST_REDIRECT = 0.1
# A rule's deadline is on another clock than the wait: so much early is not early. In seconds.
EARLY = 0.001
LONGEST_WRAP_UP = 15.0 + 61.0  # the longest of the site, or a leg that stays for the outcome
STEADY = (
    CallState.FLOW, CallState.HOLDING, CallState.TALKING, CallState.TRANSFERRED, CallState.FALLBACK,
)  # fmt: skip


def eligible(call: Call) -> bool:
    return call.state is CallState.HOLDING and not (call.hold_off or call.offer or call.turned_away)


def turn(w: World, call: Call) -> tuple[float, float, int]:
    """The documented order of service: who waits ages, alike in all queues."""
    aged = (w.at - call.since) / w.plan.ageing if w.plan.ageing else 0.0
    return -round(call.priority + aged, 6), call.since, call.number


def asked(w: World, call: Call, early: float = 0.0) -> Rule:
    """The rule of his queue that is in force, was `early` seconds ago, or (below 0) will be."""
    waited = w.at - (call.queued_at or w.at) - early
    queue = w.plan.queues.get(call.queue) or QueuePlan(call.queue)
    return [rule for rule in queue.rules if rule.after <= max(waited, 0.0) + EARLY][-1]


def fits(w: World, agent: Agent, call: Call) -> bool:
    """He may take him, and might have half a second ago: a rule's deadline and a stamp are of two clocks."""
    has = agent.plan.skills
    rules = {id(rule): rule for rule in (asked(w, call), asked(w, call, 0.5))}.values()
    return call.queue in agent.plan.queues and all(
        has.get(skill, 0) >= level for rule in rules for skill, level in rule.require.items()
    )


def favour(w: World, agent: Agent, call: Call) -> list[float]:
    """What the documents say of whom his queue takes first: the smaller the sooner."""
    queue, has = w.queue(call.queue), agent.plan.skills
    named = {skill for rule in queue.rules for skill in (*rule.require, *rule.prefer)}
    liked = sum(has.get(skill, 0) >= level for skill, level in asked(w, call).prefer.items())
    by = {
        "longest_idle": agent.idle_since,
        "round_robin": agent.turns.get(queue.name, 0.0),
        "fewest_calls": agent.talks,
        "least_talk": agent.talk_s,
        "linear": list(w.plan.agents).index(agent.id) if agent.id in w.plan.agents else 0,
        "random": 0.0,
        "ring_all": 0.0,
        "most_skilled": -sum(level for skill, level in has.items() if skill in named),
    }[queue.strategy]
    return [-liked, by, 0.0 if queue.strategy == "random" else agent.idle_since]


class Watch:
    """``faults`` is empty as long as all is well."""

    def __init__(self, sim: Simulator | None = None, *, fair: bool = True) -> None:
        self.sim = sim
        self.fair = sim.weather.fair if sim is not None else fair
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        # folded from the stream of effects alone
        self.opened: dict[str, r.CallOpened] = {}
        self.closed: dict[str, r.CallClosed] = {}
        self.live_offer: dict[str, set[str]] = {}  # call -> its offers, more than one only while they talk
        self.offer_of: dict[str, str] = {}  # agent -> offer
        self.talking: dict[str, set[str]] = {}  # call -> its offers
        self.holds: set[str] = set()  # calls that hold as far as was said
        self.agent_said: dict[str, r.AgentEvent] = {}
        self.taping = TapingWatch(self.fault, self.counts)
        self.turns: dict[tuple[str, str], float] = {}  # agent, queue -> when he was offered one last
        self.standing: dict[Difference, float] = {}
        self.astray: Counter[tuple[str, float]] = Counter()
        self.link = False  # as it was told
        self.latest = 0.0  # stamp that was told: an event may tell of a moment before it
        self.why = WhyWatch()
        self.results: dict[str, str] = {}  # agent -> of the last offer that he did not take
        self.rests: dict[str, tuple[float, str]] = {}  # agent -> until when, why
        self.ways = WaysOut(self.fault)
        self.misses = Misses(self.fault)
        self.regard: dict[str, int] = {}  # call -> his customer's priority, as it was told
        self.cut_short: Counter[str] = Counter()  # channel -> its talks whose end FastAGI told before AMI
        # calls under way to an agent when we came back, and no leg: one may have answered and passed him on
        # in that time to somebody whose phone rings yet, and only a sweep can tell that it is answered
        self.unseen: set[str] = set()
        self.linked_at = -9.0
        self.entered: dict[str, float] = {}  # channel -> when it came into the bridge it is in
        self.parted: dict[str, float] = {}  # agent -> the end of his last offer
        # channel -> seconds with agents who had another call of ours meanwhile
        self.joined_late: defaultdict[str, float] = defaultdict(float)
        self.told = Told(self.fault)
        self.ops = OpsWatch(self.fault)
        self.wished = Wished()
        self.seats = Seats(self.fault, self.counts)

    def fault(self, text: str) -> None:
        self.faults.append(text)

    # -- one decision

    def see(self, event: i.Input, effects: list[e.Effect]) -> None:
        assert self.sim is not None
        self.decision(self.sim.board, event, effects, self.sim.now)

    def decision(self, board: Switchboard, event: i.Input, effects: list[e.Effect], now: float) -> None:
        before = len(self.faults)
        w = board.world
        self.latest = max(self.latest, w.at)
        self._heard(w, event)
        for effect in effects:
            self._effect(w, event, effect)
        self.ops.see(w, event, effects)
        self.seats.see(w, event, effects)
        self.taping.state(w, event)
        self._state(w, event, effects, now)
        self.faults += self.why.see(w, event, effects, [c for c in w.calls.values() if eligible(c)])
        if len(self.faults) > before:
            self.faults.append(f"... after {event}, giving {effects}")

    def _heard(self, w: World, event: i.Input) -> None:
        """What the core was told of: the link, and what ends an agent's pause after a failed offer."""
        match event:
            case i.CustomerFound() if event.call in w.calls and event.customer is not None:
                self.regard[w.account(event.call)] = event.priority
                self.wished.heard(w, event)
            case i.CallArrived() if w.account(event.call) in self.talking:
                self.cut_short[event.call] += 1
            case i.CallQueued() if event.call in w.calls and not w.calls[event.call].stints:
                brought = event.priority + self.regard.get(w.account(event.call), 0)
                if w.calls[event.call].state is CallState.QUEUED and w.calls[event.call].brought != brought:
                    self.fault(f"{w.calls[event.call]} brings {brought}")
            case i.BridgeEntered():
                self.entered[event.channel] = event.at
                self._busy_guest(w, event.channel)
            case i.LinkUp():
                self.link, self.linked_at = True, event.at
                self.rests.clear()
                legs = {place.linked for place in event.snapshot.places if place.channel != place.linked}
                under_way = {one.call for one in w.offers.values() if one.state in reconcile.UNANSWERED}
                self.unseen |= under_way - legs
            case i.LinkDown():
                self.link = False
            case i.LogOut():
                self.rests.pop(event.agent, None)
            case i.LogIn() if event.device:
                self.rests.clear()  # he, and whoever worked there, begins anew
            case i.ContactSeen() | i.DeviceChanged():
                for agent in w.agents.values():
                    if agent.phone == event.device and self.rests.get(agent.id, (0.0, ""))[1] == "dead":
                        del self.rests[agent.id]

    def _at_the_door(self, call: str) -> bool:
        """He hung up while the link was down, and FastAGI told of him when it was up again: his end was told
        to nobody."""
        opened = next((one for one in self.opened.values() if channel_of(one.call)[0] == call), None)
        return opened is not None and opened.at - self.linked_at < 1.0

    def _busy_guest(self, w: World, channel: str) -> None:
        """A caller was passed on to an agent to whom another call is under way: for as long as that lives, he
        is with him as anybody outside would be. How long that is shows in no account."""
        around = w.bridges.around(channel)
        agents = [agent for name in around.values() if (agent := w.agent_of(device_of(name))) is not None]
        busy = {self.offer_of[agent.id] for agent in agents if agent.id in self.offer_of}
        for call in around.keys() & w.calls.keys():
            if busy - self.live_offer.get(w.calls[call].account, set()):
                self.joined_late[call] = float("inf")

    def _effect(self, w: World, event: i.Input, effect: e.Effect) -> None:
        self.counts[type(effect).__name__] += 1
        if not self.link and not isinstance(event, i.LinkDown) and not isinstance(effect, WHILE_DOWN):
            self.fault(f"{effect} while the link is down")
        match effect:
            case e.Append():
                self._record(effect.record, w)
            case e.Drift("talk_unknown", {"call": call}) if call in self.unseen:
                pass
            case e.Drift("call_gone", {"call": call}) if self._at_the_door(call):
                pass
            case e.Oddity() | e.Drift() if self.fair:
                self.fault(f"{effect} although all behaved well")
            case e.PlaceOffer():
                rung = self.live_offer.get(w.account(effect.call), set())
                if {round_of(offer) for offer in rung} != {effect.offer} or len(rung) != len(effect.devices):
                    self.fault(
                        f"{effect}, but the call's offer is {self.live_offer.get(w.account(effect.call))}"
                    )
                if w.account(effect.call) in self.talking:
                    self.fault(f"{effect} for a call that is talking")
                if w.account(effect.call) not in self.holds:
                    self.fault(f"{effect} for a call that does not hold")
                self.holds.discard(w.account(effect.call))
            case e.TellQueue():
                if w.account(effect.call) not in self.holds:
                    self.fault(f"{effect} for a call that does not hold")
            case e.Announce():
                self.told.announced(w, effect, self.holds)
            case e.MoveOut() | e.PlayOut() | e.DropCall():
                if w.account(effect.call) in self.live_offer:
                    self.fault(f"{effect} for a call that is offered or talking")
                if w.account(effect.call) not in self.holds and self.fair:
                    self.fault(f"{effect} for a call that does not hold")
                self.holds.discard(w.account(effect.call))

    def _record(self, record: r.Record, w: World) -> None:
        self.taping.record(record)
        match record:
            case r.CallOpened():
                if record.call in self.opened:
                    self.fault(f"{record.call} was opened twice")
                self.opened[record.call] = record
            case r.CallClosed():
                if record.call in self.closed:
                    self.fault(f"{record.call} was closed twice")
                if record.call not in self.opened:
                    self.fault(f"{record.call} was closed and never opened")
                if record.call in self.live_offer:
                    self.fault(f"{record.call} was closed with its offer alive")
                if record.disposition not in r.DISPOSITIONS:
                    self.fault(f"what is {record.disposition}?")
                self._account(record)
                self.ops.closed(record)
                self.closed[record.call] = record
                self.holds.discard(record.call)
            case r.CallEvent():
                self._call_event(record, w)
            case r.AgentEvent():
                self._agent_event(record, w)
                self.seats.agent_event(record)
                self.misses.agent_event(record, w)

    def _account(self, closed: r.CallClosed) -> None:
        """What it adds up to."""
        for leg in closed.legs:
            if leg["talk_s"] < 0 or leg["hold_s"] < 0 or leg["to"] < leg["from"]:
                self.fault(f"{closed.call} has the leg {leg}")
            if leg["talk_s"] > leg["to"] - leg["from"] + 0.002:
                self.fault(f"{closed.call} talked longer than the leg lasted: {leg}")
        for part in ("talk", "hold"):
            whole = sum(leg[f"{part}_s"] for leg in closed.legs)
            if abs(whole - getattr(closed, part)) > 0.002:
                self.fault(f"{closed.call}: {part} is {getattr(closed, part)}, its legs' {whole}")
        if any(
            stint["wait_s"] < 0 or stint["talk_s"] < -0.002 or stint["offers"] < 0 for stint in closed.stints
        ):
            self.fault(f"{closed.call} has the stints {closed.stints}")
        if (closed.wait is not None and closed.wait < 0) or closed.offers < 0:
            self.fault(f"{closed}")

    def _call_event(self, event: r.CallEvent, w: World) -> None:
        call, kind, offer = event.call, event.kind, event.data.get("offer", "")
        self.told.event(w, event)
        self.misses.call_event(event)
        if kind not in r.CALL_KINDS:
            self.fault(f"what is {kind}?")
        if call not in self.opened:
            self.fault(f"{event} of a call that was never opened")
        if call in self.closed and kind != "outcome":
            self.fault(f"{event} of a closed call")
        if kind == "holding":
            self.holds.add(call)
        elif kind == "left":
            self.counts["left by key"] += 1
        elif kind in ("queued", "overflowed"):
            self.ways.see(event, w)
        elif kind == "offered":
            agent = event.data["agent"]
            beside = self.live_offer.setdefault(call, set())
            if any(round_of(one) != round_of(offer) for one in beside) or call in self.talking:
                self.fault(f"{call} was offered by {offer} while {beside} lives")
            if agent in self.offer_of:
                self.fault(f"{agent} got {offer} while {self.offer_of[agent]} lives")
            said = self.agent_said.get(agent)
            if not event.data.get("found") and (said is None or said.state != "available"):
                self.fault(f"{agent} got {offer} while {said}")
            if event.at < self.rests.get(agent, (0.0, ""))[0]:
                self.fault(f"{agent} got {offer} at {event.at}, before {self.rests[agent]}")
            beside.add(offer)
            self.offer_of[agent] = offer
        elif kind == "answered":
            if call in self.talking:
                self.fault(f"{call} has two winners: {self.talking[call]} and {offer}")
            if offer not in self.live_offer.get(call, ()):
                self.fault(f"{call} was answered by {offer}, its offer is {self.live_offer.get(call)}")
            self.talking[call] = {offer}
        elif kind == "joined":
            agent = event.data["agent"]
            self.counts["joined"] += 1
            if agent in self.offer_of:
                self.fault(f"{agent} joined {call} while {self.offer_of[agent]} lives")
            if self.live_offer.get(call, set()) != self.talking.get(call, set()):
                self.fault(f"{agent} joined {call}, which is being offered")
            if event.data.get("found") and self.parted.get(agent) == event.at:
                # until then he was with this caller as anybody outside would be
                since = self.entered.get(event.data["leg"], event.at)
                self.joined_late[channel_of(call)[0]] += event.at - since
            self.live_offer.setdefault(call, set()).add(offer)
            self.talking.setdefault(call, set()).add(offer)
            self.offer_of[agent] = offer
        elif kind == "transferred":
            self.counts[f"passed on {event.data['how']}"] += 1
            if "agent" in event.data and self.offer_of.get(event.data["agent"]) not in self.talking.get(
                call, ()
            ):
                self.fault(f"{event} by somebody who does not talk with him")
        elif kind == "offer_ended":
            if offer not in self.live_offer.get(call, ()):
                self.fault(f"{offer} of {call} ended twice, or never was")
            if (event.data["result"] == "talked") != (offer in self.talking.get(call, ())):
                self.fault(f"{event}: talking are {self.talking.get(call)}")
            for offers in (self.live_offer, self.talking):
                offers.get(call, set()).discard(offer)
                if not offers.get(call, True):
                    del offers[call]
            self.offer_of.pop(event.data["agent"], None)
            self.parted[event.data["agent"]] = event.at
            result = event.data["result"]
            self.counts[result] += 1
            if result != "talked":
                self.results[event.data["agent"]] = result
            if result == "elsewhere" and round_of(offer) not in map(round_of, self.talking.get(call, ())):
                self.fault(f"{event}, and nobody of this round talks with him")
            rest = {
                "missed": w.plan.miss_cooldown,
                "not_confirmed": w.plan.miss_cooldown,
                "refused": w.plan.refuse_cooldown,
                "busy": w.plan.refuse_cooldown,
                "unreachable": w.plan.unreachable_backoff[0],
            }.get(result)
            if rest is not None:  # stamps are the PBX's, deadlines ours: a second apart at most
                why = "dead" if result == "unreachable" else ""
                self.rests[event.data["agent"]] = (event.at + rest - 1.0, why)
        elif kind == "in_fallback":
            self.holds.discard(call)

    def _agent_event(self, event: r.AgentEvent, w: World) -> None:
        before = self.agent_said.get(event.agent)
        wraps = event.state == "wrap_up" and "until" in event.data
        longer = wraps and before is not None and before.data.get("until") not in (None, event.data["until"])
        if wraps and (before is None or before.state != "wrap_up") and event.agent in w.agents:
            own = w.agents[event.agent].plan.wrap_up
            if own is not None and event.data["until"] - event.at > own + 0.5:
                self.fault(f"{event} is longer than his {own} s")
        if event.state not in r.AGENT_STATES:
            self.fault(f"what is {event.state}?")
        switched = before is not None and before.data.get("personal") != event.data.get("personal")
        if switched and self.rests.get(event.agent, (0.0, ""))[1] == "dead":
            del self.rests[event.agent]  # it was the other telephone that could not be reached
        same = before is not None and (before.state, before.reason) == (event.state, event.reason)
        forgiven = same and any(one in before.data and one not in event.data for one in ("missed", "lift"))
        if same and not (longer or switched or forgiven):
            self.fault(f"{event} is no change from {before}")
        if before is not None and event.at < before.at:
            self.fault(f"{event} is before {before}")
        if event.data.get("in") and not (before is not None and before.data.get("in")):
            self.turns = {key: at for key, at in self.turns.items() if key[0] != event.agent}
        if event.state == "cooldown" and self.results.get(event.agent) not in (
            "missed", "not_confirmed", "refused", "busy",
        ):  # fmt: skip
            self.fault(f"{event} after {self.results.get(event.agent)}")
        self.agent_said[event.agent] = event

    # -- the state after it

    def _state(self, w: World, event: i.Input, effects: list[e.Effect], now: float) -> None:
        self._built_right(w)
        self.told.after(w)
        self.misses.look(w)
        free = [a for a in w.agents.values() if a.state()[0] == "available"]
        waiting = [c for c in w.calls.values() if eligible(c)]
        if self.link:
            for call in waiting:
                for agent in free:
                    if self._fits(w, agent, call) and self.ops.free_for_all(call):
                        self.fault(f"{agent.id} idles while {call.id} waits in {call.queue}")
            self.ways.look(w, waiting)
        came = {
            effect.record.call: n
            for n, effect in enumerate(effects)
            if isinstance(effect, e.Append)
            and isinstance(effect.record, r.CallEvent)
            and effect.record.kind == "queued"
        }
        for n, effect in enumerate(effects):
            in_turn = isinstance(effect, e.PlaceOffer) and not isinstance(event, i.CallPull)
            if in_turn and effect.call in w.calls:
                call = w.calls[effect.call]
                # who comes into a line later in this decision has not been overtaken
                before = [one for one in waiting if came.get(one.account, -1) < n]
                for offer in w.rounds[effect.offer]:
                    self._fair_turn(w, call, offer.agent, before, free)
                if w.queue(call.queue).strategy == "ring_all":
                    for agent in free:
                        # who has a personal device rung is rung alone, and last
                        if self._fits(w, agent, call) and not agent.personal:
                            self.fault(f"{agent.id} is not rung for {call.id}, as all are")
                elif len(effect.devices) != 1:
                    self.fault(f"{effect} rings several")
        for call_id, talking in self.talking.items():
            if self.live_offer[call_id] != talking:
                self.fault(f"{call_id} talks by {talking}, and {self.live_offer[call_id]} are open")
        for agent in w.agents.values():
            said = self.agent_said.get(agent.id)
            if (said.state if said else "logged_out") != agent.state()[0]:
                self.fault(f"{agent.id} is {agent.state()}, and {said} was said")
            if agent.shown[0] == "wrap_up" and w.at - agent.shown_at > LONGEST_WRAP_UP:
                self.fault(f"{agent.id}'s wrap-up does not end")
        due = w.next_deadline()
        if due is not None and due < now - 3600:
            self.fault(f"a deadline of {due} has gone by unseen")

    def _fits(self, w: World, agent: Agent, call: Call) -> bool:
        """He may take him, who waits for nobody else."""
        return fits(w, agent, call) and self._wishes(w, call) <= {"", agent.id}

    def _wishes(self, w: World, call: Call) -> set[str]:
        return self.wished.wishes(w, call, (asked(w, call, early) for early in (-0.5, 0.0, 0.5)))

    def _fair_turn(self, w: World, call: Call, name: str, waiting: list[Call], free: list[Any]) -> None:
        agent = w.agents[name]
        # an event that is told late does not undo a rule
        now, latest = asked(w, call), asked(w, call, w.at - self.latest)
        able = any(
            all(agent.plan.skills.get(skill, 0) >= level for skill, level in rule.require.items())
            for rule in (now, latest)
        )
        if call.queue not in agent.plan.queues or not able:
            self.fault(f"{agent.id} got {call.id}, and is not fit for {call.queue}: {now.require}")
        if self._wishes(w, call).isdisjoint(("", agent.id)):
            self.fault(f"{agent.id} got {call.id}, who waits for {self._wishes(w, call)}")
        for other in waiting:
            sooner = turn(w, other) < turn(w, call) and self.ops.free_for_all(other)
            if sooner and self._fits(w, agent, other):
                self.fault(f"{call.id} overtook {other.id} for {agent.id}")
        mine = favour(w, agent, call)
        if w.queue(call.queue).strategy == "round_robin":
            mine[1] = self.turns.get((agent.id, call.queue), 0.0)
        self.turns[agent.id, call.queue] = w.at
        if not (now is latest is asked(w, call, 0.5)):
            return  # whose skills are preferred has just changed
        for other_agent in free:
            if w.queue(call.queue).strategy == "ring_all" and other_agent.personal and not agent.personal:
                continue  # is rung alone, when nobody else is free
            if self._fits(w, other_agent, call) and favour(w, other_agent, call) < mine:
                self.fault(f"{agent.id} got {call.id}, it was {other_agent.id}'s turn")

    def _built_right(self, w: World) -> None:
        timers = w._due
        bound: dict[str, str] = {}
        for call in w.calls.values():
            if call.offer:
                offer = w.offers.get(call.offer)
                if offer is None or offer.call != call.id:
                    self.fault(f"{call.id} points to {call.offer}, which is {offer}")
                    continue
                if w.agents[offer.agent].offer != offer.id:
                    self.fault(f"{offer.id} does not bind {offer.agent}")
                if offer.state is OfferState.OVER:
                    self.fault(f"{call.id} is bound to an offer that is over")
                if (offer.state is OfferState.TALKING) != (call.state is CallState.TALKING):
                    self.fault(f"{call} but {offer}")
            elif call.state in (CallState.OFFERED, CallState.TALKING):
                self.fault(f"{call.id} is {call.state.value} without an offer")
            if (call.owner, call.last_agent) != self.wished.agents.get(call.account, ("", "")):
                self.fault(f"{call}, and told was {self.wished.agents.get(call.account)}")
            if eligible(call) and (call.wish.agent if call.wish else "") not in self._wishes(w, call):
                self.fault(f"{call} is to wait for {self._wishes(w, call)}")
            if call.regard != self.regard.get(call.account, 0):
                self.fault(f"{call} is regarded with {call.regard}, not {self.regard.get(call.account, 0)}")
            limit = max(-100, min(100, call.brought + w.queue(call.queue).priority))
            if call.queued_at is not None and call.priority != limit and call.queue not in self.ops.repriced:
                self.fault(f"{call} has a priority of {call.priority}, not {limit}")
            if ("call", call.id) not in timers and ("offer", call.offer) not in timers:
                self.fault(f"{call} waits for nothing")
            if CALL_LIMIT[call.state] is not None and ("call", call.id) not in timers:
                self.fault(f"{call} has no limit")
        for offer in w.offers.values():
            if ("offer", offer.id) not in timers:
                self.fault(f"{offer} has no limit")
            agent = w.agents.get(offer.agent)
            if agent is None:
                self.fault(f"{offer} has no agent")
            elif agent.offer == offer.id:
                if offer.agent in bound:
                    self.fault(f"{offer.agent} has two offers")
                bound[offer.agent] = offer.id
                if agent.talking != (offer.state is OfferState.TALKING):
                    self.fault(f"{agent} but {offer}")
            elif offer.state is not OfferState.OVER:
                self.fault(f"{offer} lives and binds nobody")
        for agent in w.agents.values():
            if agent.offer and agent.offer not in w.offers:
                self.fault(f"{agent.id} is bound to {agent.offer}, which is gone")
            if agent.leg and agent.leg not in w.offers:
                self.fault(f"{agent.id} has the leg of {agent.leg}, which is gone")
            if agent.due() is not None and ("agent", agent.id) not in timers:
                self.fault(f"{agent.id} has no deadline")
        line = sorted(place.call for places in w.waiting.values() for place in places)
        if line != sorted(call.id for call in w.calls.values() if eligible(call)):
            self.fault(f"in line: {line}")
        returning = {c.id for c in w.calls.values() if c.state is CallState.RETURNING}
        held_off = {c.id for c in w.calls.values() if c.state is CallState.HOLDING and not c.turned_away}
        held_off -= {place.call for places in w.waiting.values() for place in places}
        if w.between.keys() != returning | held_off:
            self.fault(f"between two offers: {[*w.between]}")
        if any(places != sorted(places) for places in w.waiting.values()):
            self.fault("a line is out of order")
        if w.free != {agent.id for agent in w.agents.values() if agent.state()[0] == "available"}:
            self.fault(f"free: {w.free}")
        for queue, census in w.census.items():
            people = Counter(a.shown[0] for a in w.agents.values() if queue in a.plan.queues)
            if +census != people:
                self.fault(f"census of {queue}: {census}, not {people}")
        if w.out:
            self.fault("effects are left over")

    # -- against the truth

    def restarted(self) -> None:
        assert self.sim is not None
        self.link = False
        self.why.told.clear()
        self.ways.restarted(self.sim.board.world)
        # a call that had been moved out when the daemon died is asked for once more
        self.holds |= {call.account for call in self.sim.board.world.calls.values() if eligible(call)}

    def redirected(self, caller: Caller, effect: e.PlaceOffer | e.MoveOut | e.PlayOut) -> None:
        assert self.sim is not None
        # One that was under way as the link went and came back: no look of that moment shows what it will do.
        across = caller.moved < self.sim.link_up_at < caller.moved + SLOWEST_REDIRECT
        if caller.channel.context != "ccbridge-hold" and self.fair and not across:
            self.fault(f"{effect} met {caller.id} in {caller.channel.context}")
        if caller.moving and self.sim.t - caller.moved < SLOWEST_REDIRECT:
            self.fault(f"{effect} {self.sim.t - caller.moved:.4f} s after another Redirect that is under way")
        caller.moved, caller.moving = self.sim.t, True

    def dropped(self, caller: Caller) -> None:
        if caller.channel.context != "ccbridge-hold" and self.fair:
            self.fault(f"{caller.id} was hung up in {caller.channel.context}")

    def dialled(self, phone: Phone) -> None:
        assert self.sim is not None
        if phone.leg is not None and self.sim.weather.calm:
            self.fault(f"{phone.device} has two legs: {phone.leg.offer} and a new one")

    def truth_ended(self, caller: Caller) -> None:
        assert self.sim is not None
        self.counts["truth_answered"] += caller.answered

    def probe(self) -> None:
        """Once a second: whoever has held for long, with the link up for long, is known to hold."""
        sim = self.sim
        assert sim is not None
        if not self.fair or not sim.alive or not sim.link or sim.t - sim.link_up_at < 10:
            return
        for caller in sim.callers.values():
            if caller.channel.context != "ccbridge-hold" or caller.dying or sim.t - caller.in_hold < 10:
                continue
            call = sim.board.world.calls.get(caller.id)
            key = (caller.id, caller.in_hold)
            self.astray[key] = 0 if call is not None and eligible(call) else self.astray[key] + 1
            if self.astray[key] > 12:
                self.fault(f"{caller.id} has held since {caller.in_hold:.1f}, the core says {call}")
        if not sim.in_flight and not any(c.dying or c.asked for c in sim.callers.values()):
            self.taping.truth(sim)
            self.remembered()

    def remembered(self) -> None:
        """All is quiet: a restart at this moment would change nothing."""
        sim = self.sim
        assert sim is not None
        w = sim.board.world
        due = w.next_deadline()
        if any(c.state not in STEADY for c in w.calls.values()) or (due is not None and due <= sim.now + 1):
            return
        if w.agents.keys() != w.plan.agents.keys():
            return  # a reload has taken an agent away in the middle of his call
        if any(offer.state is OfferState.OVER for offer in w.offers.values()):
            return  # a phone still asks for the outcome or stops ringing: that a restart forgets
        self.counts["compared"] += 1
        twin = Switchboard(w.base, "twin")
        twin.restore(Memory(json.loads(json.dumps(sim.memory.dump()))), sim.at, sim.now)
        for effect in twin.handle(i.LinkUp(sim.at, sim.snapshot()), sim.now):
            if isinstance(effect, e.Append) and isinstance(effect.record, r.CallOpened | r.CallClosed):
                self.fault(f"a restart would give {effect}")
        after = _essence(twin.world)
        for key, value in _essence(w).items():
            if value != after.pop(key, None):
                self.fault(f"{key} is {value}, not so after a restart: {_essence(twin.world).get(key)}")

    def swept(self, shot: i.Snapshot, effects: list[e.Effect]) -> None:
        """What was mended is mended, and what stands for long was found."""
        assert self.sim is not None
        left = list(sweep.differences(self.sim.board.world, sweep.Seen(shot)))
        mended = [{x.kind, *x.ids.values()} for x in effects if isinstance(x, e.Drift)]
        for one in left:
            if one in self.standing and any({one.kind, one.subject} <= ids for ids in mended):
                self.fault(f"{one} was to be mended")
        self.standing = {one: self.standing.get(one, self.sim.t) for one in left}
        for one, since in self.standing.items():
            if self.sim.t - since > 2 * self.sim.weather.sweeps + 2.0:
                self.fault(f"{one} stands since {since:.1f}")

    def has_open(self, channel: str) -> bool:
        return any(channel_of(call)[0] == channel for call in self.opened.keys() - self.closed.keys())

    def drained(self) -> None:
        """The history is over."""
        assert self.sim is not None
        if self.faults:
            return
        w = self.sim.board.world
        if w.calls or w.offers or w.legs or any(w.waiting.values()):
            self.fault(f"left over: {w.calls} {w.offers} {w.waiting}")
        for agent in w.agents.values():
            if agent.state()[0] in ("offered", "talking", "wrap_up") or agent.leg:
                self.fault(f"{agent.id} is left over as {agent.state()}")
        if self.opened.keys() != self.closed.keys():
            self.fault(f"never closed: {self.opened.keys() - self.closed.keys()}")
        if self.live_offer or self.talking:
            self.fault(f"never ended: {self.live_offer} {self.talking}")
        self.taping.drained()
        self._talks()
        if self.sim.weather.calm:
            answered = sum(c.answered_at is not None for c in self.closed.values())
            if answered != self.counts["truth_answered"]:
                self.fault(f"{answered} answered, in truth {self.counts['truth_answered']}")

    def _talks(self) -> None:
        """What is told of a channel's talks, in all its calls, against the truth."""
        assert self.sim is not None
        of_channel: dict[str, list[r.CallClosed]] = {}
        for call in self.closed.values():
            of_channel.setdefault(channel_of(call.call)[0], []).append(call)
        for channel, calls in of_channel.items():
            told, talked = sum(call.talk for call in calls), self.sim.talked.get(channel, 0.0)
            # who is back at our door is told by FastAGI up to a quarter of a second before his talk's end
            late = 0.05 + 0.25 * self.cut_short[channel]
            sure = channel not in self.sim.unsure and not any(call.inferred for call in calls)
            if self.fair and sure and told > talked + late:
                self.fault(f"{channel} talked {talked:.3f} s, not {told:.3f}: {[c.legs for c in calls]}")
            # who hangs up is heard before he leaves the bridge
            if self.sim.all_seen and told < talked - late - 0.5 - self.joined_late[channel]:
                self.fault(f"{channel} talked {talked:.3f} s, not {told:.3f}: {[c.legs for c in calls]}")


def _essence(w: World) -> dict[str, Any]:
    """What a restart must not change, once all is quiet."""
    calls = {
        call.account: (
            call.state, call.queue, call.brought, call.regard, call.priority, call.since, call.queued_at,
            call.answered_at, call.agent, call.offers, call.customer, call.arrived, call.e164, call.offer,
            call.legs, call.stints, call.recordings, call.told, call.owner, call.last_agent,
            call.silences, call.silence and (call.silence.recording, call.silence.since, call.silence.until),
        )
        for call in w.calls.values()
    }  # fmt: skip
    agents = {
        f"agent {agent.id}": (
            agent.logged_in,
            agent.pause,
            agent.personal,
            agent.missed,
            agent.state(),
            agent.offer,
            (agent.talks, agent.talk_s, agent.turns) if agent.logged_in else (),
        )
        for agent in w.agents.values()
    }
    queues = {name: control for name, control in w.controls.items() if control != Control()}
    paces = {name: one for name, one in w.paces.items() if one != Pace()}
    return calls | agents | {"paces": paces, "queues": (queues, w.version)}
