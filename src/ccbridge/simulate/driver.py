"""The PBX, its callers and phones, played for the real core on a clock that jumps from event to event.

All goes well: no event is late or lost, and every agent who is there takes each call after ``answer`` seconds
of ringing. What Asterisk and the network take for a step (some milliseconds) is not there.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from math import inf

from ccbridge.core import effects as e
from ccbridge.core import inputs as i
from ccbridge.core.plan import Plan
from ccbridge.core.reconcile import CONTEXT_OFFER
from ccbridge.core.records import Record
from ccbridge.core.switchboard import Switchboard
from ccbridge.simulate.arrivals import Arrival
from ccbridge.simulate.past import Duty

# What both of the core's clocks show at the opening. To it 0 is "not known", and a fresh link forgives much.
OPENING = 60.0
CARRIER = "PJSIP/carrier-1"
NORMAL_CLEARING, ANSWERED_ELSEWHERE = 16, 26  # Q.850


class NotPlayed(Exception):
    """The core asked for something that is not simulated, or found the simulated PBX odd."""


@dataclass(slots=True)
class Caller:
    id: str
    arrival: Arrival
    rings: set[str] = field(default_factory=set)  # agents' legs that are being dialled for him
    leg: str = ""  # the one he talks on


def play(
    plan: Plan,
    arrivals: Iterable[Arrival],
    see: Callable[[Record], None],
    *,
    answer: float = 0.0,
    seed: int = 0,
    duties: Iterable[Duty] | None = None,
) -> None:
    """Let the callers in, in the order of time, until the last one is gone; ``see`` gets all records.

    Records are stamped in seconds, the opening being ``OPENING``. ``answer`` must be shorter than any queue's
    ``ring``. ``seed`` names the core's run, which is all the chance that a strategy may draw from. ``duties``
    say who is at work when; None: all are, from first to last. Raises NotPlayed.
    """
    _Play(plan, iter(arrivals), see, answer, seed, duties).run()


class _Play:
    def __init__(
        self,
        plan: Plan,
        arrivals: Iterator[Arrival],
        see: Callable[[Record], None],
        answer: float,
        seed: int,
        duties: Iterable[Duty] | None,
    ) -> None:
        self.board = Switchboard(plan, f"s{seed}")
        self.arrivals = arrivals
        self.see = see
        self.answer = answer
        self.now = 1.0
        self.callers: dict[str, Caller] = {}
        self.todo: list[tuple[float, int, Callable[[], None]]] = []
        self.serial = 0
        phones = {agent.device: "NOT_INUSE" for agent in plan.agents.values()}
        self.tell(i.LinkUp(self.now, i.Snapshot((), phones)))
        self.now = OPENING
        if duties is None:
            duties = [Duty(0.0, agent, there=True) for agent in plan.agents]
        for one in duties:
            self.later(one.at, partial(self.report, one))

    def run(self) -> None:
        coming = next(self.arrivals, None)
        while True:
            comes = inf if coming is None else OPENING + coming.at
            happens = self.todo[0][0] if self.todo else inf
            deadline = self.board.next_deadline()
            due = inf if deadline is None else deadline
            if due < inf and due <= min(comes, happens):
                self.now = max(self.now, due)
                self.tell(i.Tick(self.now))
            elif happens < inf and happens <= comes:
                self.now, _, what = heapq.heappop(self.todo)
                what()
            elif coming is not None:
                self.now = comes
                self.arrive(coming)
                coming = next(self.arrivals, None)
            else:
                break
        if self.callers:
            raise NotPlayed(f"{len(self.callers)} callers wait, and nothing is to happen any more")

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        self.serial += 1
        heapq.heappush(self.todo, (self.now + seconds, self.serial, what))

    # -- the core

    def tell(self, event: i.Input) -> None:
        asked = []
        for effect in self.board.handle(event, self.now):
            if isinstance(effect, e.Append):
                self.see(effect.record)
            else:
                asked.append(effect)
        for effect in asked:
            self.perform(effect)

    def perform(self, effect: e.Effect) -> None:
        match effect:
            case e.PlaceOffer():
                self.dial(self.callers[effect.call], effect)
            case e.MoveOut() | e.PlayOut():
                target = effect.target if isinstance(effect, e.MoveOut) else "message"
                self.tell(i.CallExited(self.now, effect.call, target))
                del self.callers[effect.call]  # what becomes of him there is not ours
            case e.LookAt():
                self.tell(i.CallLooked(self.now, effect.call, self.place(effect.call)))
            case e.TellQueue() | e.Reply(ok=True):
                pass
            case e.Announce():
                pass  # he hears it, and waits on
            case _:
                raise NotPlayed(str(effect))

    # -- the agents

    def report(self, duty: Duty) -> None:
        """An agent comes, goes, pauses, or is back from his pause, if he is not so already."""
        agent = self.board.world.agents.get(duty.agent)
        if agent is None:
            return  # this configuration has not got him
        if duty.there != agent.logged_in:
            self.tell((i.LogIn if duty.there else i.LogOut)(self.now, agent.id, 1))
        if not duty.there or bool(duty.pause) == bool(agent.pause):
            return
        reasons = self.board.world.plan.pause_reasons
        reason = duty.pause if duty.pause in reasons else reasons[0]
        self.tell(i.Pause(self.now, agent.id, reason, 1) if duty.pause else i.Unpause(self.now, agent.id, 1))

    # -- the PBX

    def arrive(self, arrival: Arrival) -> None:
        self.serial += 1
        caller = Caller(f"c{self.serial}", arrival)
        self.callers[caller.id] = caller
        if arrival.patience is not None:
            self.later(arrival.patience, partial(self.lose_patience, caller))
        self.tell(i.CallArrived(self.now, caller.id, "", "anonymous", None, "", ""))
        self.tell(i.CallQueued(self.now, caller.id, arrival.queue, arrival.priority))
        self.tell(i.CallHolding(self.now, caller.id, arrival.queue, arrival.priority, self.now))

    def dial(self, caller: Caller, offer: e.PlaceOffer) -> None:
        self.tell(i.OfferReached(self.now, caller.id, offer.offer))
        legs = [f"leg-{offer.offer}-{n}" for n in range(len(offer.devices))]
        caller.rings.update(legs)
        for leg, device in zip(legs, offer.devices, strict=True):
            self.tell(i.LegDialled(self.now, caller.id, offer.offer, leg, device))
            self.tell(i.LegRinging(self.now, leg))
        leg = legs[0]  # of several who are rung at once any may be the first
        rings = self.answer if caller.arrival.answer is None else caller.arrival.answer
        if rings:
            self.later(rings, partial(self.connect, caller, leg))
        else:
            self.connect(caller, leg)

    def connect(self, caller: Caller, leg: str) -> None:
        if leg not in caller.rings:
            return  # he has hung up meanwhile
        caller.rings.remove(leg)
        caller.leg = leg
        self.tell(i.BridgeEntered(self.now, leg, leg))
        self.tell(i.BridgeEntered(self.now, caller.id, leg, CARRIER))
        for other in sorted(caller.rings):
            self.tell(i.ChannelGone(self.now, other, ANSWERED_ELSEWHERE))
        caller.rings.clear()
        self.later(caller.arrival.talk, partial(self.hang_up, caller))

    def lose_patience(self, caller: Caller) -> None:
        if not caller.leg and caller.id in self.callers:
            self.hang_up(caller)

    def hang_up(self, caller: Caller) -> None:
        del self.callers[caller.id]
        legs = [leg for leg in (*sorted(caller.rings), caller.leg) if leg]
        caller.rings.clear()
        self.tell(i.ChannelGone(self.now, caller.id, NORMAL_CLEARING))
        for leg in legs:
            self.tell(i.ChannelGone(self.now, leg, NORMAL_CLEARING))

    def place(self, call: str) -> i.Place | None:
        """Where he is when the core looks, as it does when a talk lasts for an hour."""
        caller = self.callers.get(call)
        if caller is None:
            return None
        exten = caller.leg.split("-")[1]
        return i.Place(caller.id, CARRIER, caller.id, CONTEXT_OFFER, exten, caller.leg)
