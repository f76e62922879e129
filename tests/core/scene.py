"""A few words in which an example of the core can be told: who calls, what his phone does, what follows."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from simulator import EPOCH, START, plan_of

from ccbridge.core import inputs as i
from ccbridge.core.effects import Append, Drift, DropLeg, Effect, LookAt, MoveOut, Oddity, PlaceOffer, Reply
from ccbridge.core.memory import Memory
from ccbridge.core.plan import Plan, QueuePlan
from ccbridge.core.records import AgentEvent, CallClosed, CallEvent
from ccbridge.core.switchboard import Switchboard

Kind = TypeVar("Kind")
TWO = plan_of(
    {"sales": QueuePlan("sales", ring=10, wrap_up=10, max_wait=60, overflow="900")},
    {"ann": ("sales",), "bob": ("sales",)},
)


class Scene:
    """One switchboard, its clock, and all that it has said."""

    def __init__(self, plan: Plan = TWO, agents: str = "ann bob") -> None:
        self.plan = plan
        self.t = 0.0
        self.memory = Memory()
        self.said: list[Effect] = []
        self.board = Switchboard(plan, "r")
        self.devices = {agent.device: "NOT_INUSE" for agent in plan.agents.values()}
        self.places: dict[str, i.Place] = {}
        self.link_up()
        self.wait(2)
        for agent in agents.split():
            self.tell(i.LogIn, agent, 1)

    def tell(self, kind: Any, *args: Any, **more: Any) -> list[Effect]:
        """One input, and the ticks that are due after it, as nothing else comes."""
        effects = self._take(kind(EPOCH + self.t, *args, **more))
        while (due := self.board.next_deadline()) is not None and due <= START + self.t:
            effects += self._take(i.Tick(EPOCH + self.t))
        return effects

    def _take(self, event: i.Input) -> list[Effect]:
        effects = self.board.handle(event, START + self.t)
        for effect in effects:
            if isinstance(effect, Append):
                self.memory.apply(effect.record)
        self.said += effects
        return effects

    def wait(self, seconds: float) -> list[Effect]:
        """Time passes, with a tick at each deadline, as the loop does it."""
        end, effects = self.t + seconds, []
        while (due := self.board.next_deadline()) is not None and due <= START + end:
            self.t = max(self.t, due - START)
            effects += self.tell(i.Tick)
        self.t = end
        return effects

    def link_up(self, began: float | None = None) -> list[Effect]:
        """``began``: when the PBX did, on the scene's clock."""
        started = None if began is None else EPOCH + began
        return self.tell(i.LinkUp, i.Snapshot(tuple(self.places.values()), self.devices, started))

    def sweep(self) -> list[Effect]:
        return self.tell(i.Swept, i.Snapshot(tuple(self.places.values()), self.devices))

    def restart(self, away: float = 1.0) -> None:
        """kill -9, and a new run that knows what was written."""
        self.t += away
        self.memory = Memory(json.loads(json.dumps(self.memory.dump())))
        self.board = Switchboard(self.plan, "n")
        self.board.restore(self.memory, EPOCH + self.t, START + self.t)

    def is_at(self, channel: str, context: str, exten: str = "s", **more: Any) -> None:
        """The truth, for the next snapshot."""
        more = {"name": "PJSIP/trunk-1", "linked": channel, "bridge": "", "up": True, "parked": False} | more
        self.places[channel] = i.Place(
            channel, more["name"], more["linked"], context, exten, more["bridge"], 5.0, more["up"],
            variables={"CCB_CALL": channel} if more["linked"] == channel else {}, parked=more["parked"],
        )  # fmt: skip

    # -- callers

    def arrive(self, call: str, e164: str | None = None) -> None:
        self.tell(i.CallArrived, call, "100", "e164" if e164 else "anonymous", e164, "", "")

    def queue(self, call: str, queue: str = "sales", priority: int = 0) -> None:
        self.arrive(call)
        self.tell(i.CallQueued, call, queue, priority)

    def hold(self, call: str, queue: str = "sales", priority: int = 0) -> PlaceOffer | None:
        """He comes, is queued and holds; the offer that follows at once, if one does."""
        self.queue(call, queue, priority)
        return placed(self.tell(i.CallHolding, call, queue, priority, 0.0))

    def ring(self, offer: PlaceOffer) -> str:
        leg = f"leg-{offer.offer}"
        self.tell(i.OfferReached, offer.call, offer.offer)
        self.tell(i.LegDialled, offer.call, offer.offer, leg)
        self.tell(i.LegRinging, leg)
        return leg

    def answer(self, offer: PlaceOffer) -> str:
        leg = self.ring(offer)
        self.tell(i.BridgeEntered, leg, "b")
        self.tell(i.BridgeEntered, offer.call, "b")
        return leg

    def fail(self, offer: PlaceOffer, status: str, cause: int) -> PlaceOffer | None:
        """The phone rings in vain; Dial returns, and the caller is back in hold. The next offer, if any."""
        leg = self.ring(offer)
        self.tell(i.ChannelGone, leg, cause)
        effects = self.tell(i.OfferEnded, offer.call, offer.offer, status, cause)
        return placed(effects + self.tell(i.CallHolding, offer.call, "sales", 0, 0.0))

    # -- what was said

    def agent(self, name: str) -> tuple[str, str]:
        return self.board.world.agents[name].state()

    def state(self, call: str) -> str:
        return self.board.world.calls[call].state.value

    def closed(self, call: str) -> CallClosed:
        (one,) = (
            x.record
            for x in self.said
            if isinstance(x, Append) and isinstance(x.record, CallClosed) and x.record.call == call
        )
        return one

    def events(self, call: str) -> list[str]:
        return [
            x.record.kind
            for x in self.said
            if isinstance(x, Append) and isinstance(x.record, CallEvent) and x.record.call == call
        ]

    def results(self) -> list[str]:
        return [
            x.record.data["result"]
            for x in self.said
            if isinstance(x, Append) and isinstance(x.record, CallEvent) and x.record.kind == "offer_ended"
        ]

    def states(self, agent: str) -> list[str]:
        return [
            x.record.state
            for x in self.said
            if isinstance(x, Append) and isinstance(x.record, AgentEvent) and x.record.agent == agent
        ]

    def drift(self) -> list[str]:
        return [x.kind for x in self.said if isinstance(x, Drift)]

    def oddities(self) -> list[str]:
        return [x.kind for x in self.said if isinstance(x, Oddity)]


def placed(effects: list[Effect]) -> PlaceOffer | None:
    offers = [x for x in effects if isinstance(x, PlaceOffer)]
    assert len(offers) <= 1, offers
    return offers[0] if offers else None


def some(offer: PlaceOffer | None) -> PlaceOffer:
    assert offer is not None, "no offer was made"
    return offer


def moved_out(effects: list[Effect]) -> list[str]:
    return [x.target for x in effects if isinstance(x, MoveOut)]


def dropped(effects: list[Effect]) -> list[str]:
    return [x.leg for x in effects if isinstance(x, DropLeg)]


def looks(effects: list[Effect]) -> list[str]:
    return [x.call for x in effects if isinstance(x, LookAt)]


def replies(effects: list[Effect]) -> list[tuple[bool, str]]:
    return [(x.ok, x.text) for x in effects if isinstance(x, Reply)]


def records(effects: list[Effect], kind: type[Kind]) -> list[Kind]:
    """What is written, of one kind."""
    return [e.record for e in effects if isinstance(e, Append) and isinstance(e.record, kind)]
