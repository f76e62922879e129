"""Who works at which phone, told from the records alone: the phone that rings is his, and nobody else's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ccbridge.core import effects as e
from ccbridge.core import inputs as i
from ccbridge.core import records as r
from ccbridge.core.world import World


class Seats:
    def __init__(self, fault: Callable[[str], None], counts: Counter[str]) -> None:
        self.fault = fault
        self.counts = counts
        self.seat: dict[str, str] = {}  # agent -> the device that his last event told; "" for his own
        self.personal: dict[str, str] = {}
        self.until: dict[str, float] = {}  # agent -> the end of his state, if his last event told one

    def agent_event(self, event: r.AgentEvent) -> None:
        self.seat[event.agent] = event.data.get("device", "")
        self.personal[event.agent] = event.data.get("personal", "")
        self.until[event.agent] = event.data.get("until", 0.0)
        if event.state == "logged_out" and self.seat[event.agent]:
            self.fault(f"{event} keeps a phone")

    def see(self, w: World, event: i.Input, effects: list[e.Effect]) -> None:
        """After a decision, with its records told."""
        said = {one.request: one.ok for one in effects if isinstance(one, e.Reply)}
        if isinstance(event, i.LogIn) and said.get(event.request) and event.device:
            self.counts["logged in at a phone"] += 1
            own = w.agents[event.agent].plan.device
            if (self.seat.get(event.agent) or own) != event.device:
                self.fault(f"{event}, and he works at {self.seat.get(event.agent) or own}")
        elif isinstance(event, i.WrapUpExtend) and said.get(event.request):
            self.counts["wrap-up extended"] += 1
            until = self.until.get(event.agent, 0.0)
            if abs(until - w.at - (w.agents[event.agent].wrap_due or 0.0) + w.now) > 0.01:
                self.fault(f"{event}, and what was told of it is {until}")
        elif isinstance(event, i.LogIn) and said.get(event.request) is False:
            self.counts["refused at a phone"] += 1
        for effect in effects:
            if isinstance(effect, e.PlaceOffer):
                rung = {self._rings(w, offer.agent) for offer in w.rounds[effect.offer]}
                if effect.confirm is not None:
                    self.counts["personal devices rung"] += 1
                if (effect.confirm is not None) != any(map(self._personal, effect.devices)):
                    self.fault(f"{effect}: a personal device is rung, and asked to press 1")
                if effect.confirm is not None and len(effect.devices) > 1:
                    self.fault(f"{effect} rings a personal device beside others")
                if rung != set(effect.devices):
                    self.fault(f"{effect}, and their phones are {rung}")
        taken: dict[str, str] = {}
        for agent in w.agents.values():
            if agent.logged_in:
                phone = self._phone(w, agent.id)
                if taken.setdefault(phone, agent.id) != agent.id:
                    self.fault(f"{agent.id} and {taken[phone]} both work at {phone}")

    def _rings(self, w: World, agent: str) -> str:
        personal = self.personal.get(agent)
        return w.agents[agent].plan.personal[personal] if personal else self._phone(w, agent)

    @staticmethod
    def _personal(device: str) -> bool:
        return "@" in device

    def _phone(self, w: World, agent: str) -> str:
        return self.seat.get(agent) or w.agents[agent].plan.device
