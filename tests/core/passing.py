"""Simulated phones that pass a caller on: blind, attended, blonde, parked and taken, in the orders of events
that the golden captures show on Asterisk 22 and 16."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ccbridge.core import inputs as i

if TYPE_CHECKING:
    from simulator import Caller, Channel, Leg, Phone, Simulator

WAYS = ("out", "agent", "queue", "attended", "by_keys", "blonde", "park")


@dataclass(eq=False)
class Guest:
    """A channel that is neither a caller's nor dialled by an offer: a colleague's, an end of a wire."""

    channel: Channel
    phone: Phone | None = None

    def __post_init__(self) -> None:
        if self.phone is not None:
            self.phone.guests.append(self)


@dataclass(eq=False)
class Asking:
    """An agent asks somebody else before he passes the caller on."""

    target: Guest
    wires: list[Guest] = field(default_factory=list)  # his second leg, or the two ends of a Local channel
    answered: bool = False
    session: int = 0  # of AMI, when he began to


class Passing:
    """The part of the simulator that knows bridges, and what can be done with a caller in one."""

    # -- bridges

    def channels(self: Simulator) -> list[Channel]:
        things = (*self.callers.values(), *self.legs.values(), *self.guests.values())
        return [thing.channel for thing in things]

    def is_leg(self: Simulator, channel: Channel) -> bool:
        """Of an agent's, at whatever telephone."""
        return channel.id in self.legs

    def calling(self: Simulator) -> list[Channel]:
        return [caller.channel for caller in self.callers.values()]

    def with_him(self: Simulator, channel: Channel) -> list[Channel]:
        """Who hears this channel, over a pair of Local channels too; the ends of these included."""
        if not channel.bridge:
            return []
        everybody = self.channels()
        named = {c.name: c for c in everybody}
        bridges, ahead = set(), [channel.bridge]
        while ahead:
            bridges.add(bridge := ahead.pop())
            for c in everybody:
                if c.bridge == bridge and c.name.startswith("Local/"):
                    end = named.get(c.name[:-1] + ("2" if c.name.endswith("1") else "1"))
                    if end is not None and end.bridge and end.bridge not in bridges:
                        ahead.append(end.bridge)
        return [c for c in everybody if c.bridge in bridges and c is not channel]

    def count(self: Simulator) -> None:
        """The truth about talk up to now: agents' phones that hear the caller and do not hold him."""
        seconds, self.counted = self.t - self.counted, self.t
        if seconds <= 0:
            return
        for channel in self.calling():
            phones = [
                c for c in self.with_him(channel)
                if c.name.rpartition("-")[0] in self.phones or self.is_leg(c)
            ]  # fmt: skip
            agents = sum(c.id not in self.held for c in phones)
            self.talked[channel.id] = self.talked.get(channel.id, 0.0) + seconds * agents

    def new_bridge(self: Simulator) -> str:
        self.serial += 1
        return f"b{self.serial}"

    def enter(self: Simulator, channel: Channel, bridge: str, swap: str = "") -> None:
        self.count()
        channel.bridge = bridge
        for one in self.with_him(channel):  # who is bridged is linked with the oldest
            oldest = min((one, channel), key=lambda c: c.born)
            one.linked = channel.linked = oldest.linked
        self.ami(i.BridgeEntered(self.at, channel.id, bridge, channel.name, swap))

    def leave_bridge(self: Simulator, *channels: Channel) -> None:
        self.count()
        for channel in channels:
            if channel.bridge:
                bridge, channel.bridge = channel.bridge, ""
                self.ami(i.BridgeLeft(self.at, channel.id, bridge))

    def hold_leg(self: Simulator, channel: Channel) -> None:
        self.ami(i.LegHeld(self.at, channel.id))

    def resume_leg(self: Simulator, channel: Channel) -> None:
        self.count()
        self.held.discard(channel.id)
        self.resumed[channel.id] = self.at
        self.ami(i.LegResumed(self.at, channel.id))

    def heard_held(self: Simulator, event: i.LegHeld) -> None:
        """A hold of which nobody was told cannot be known: it counts from then on only."""
        if self.resumed.get(event.leg, 0.0) < event.at:
            self.count()
            self.held.add(event.leg)

    # -- guests

    def guest(
        self: Simulator, name: str, linked: str, phone: Phone | None = None, *, up: bool = False
    ) -> Guest:
        """``linked``: "" for a call of his own."""
        self.serial += 1
        ident = f"guest.{self.serial}"
        channel = self.new_channel(ident, f"{name}-{self.serial:08x}", linked or ident, self.t)
        channel.context, channel.up = "phones", up
        one = Guest(channel, phone)
        self.guests[channel.id] = one
        if phone is not None:
            self.show(phone)
        return one

    def wire(self: Simulator, linked: str) -> list[Guest]:
        one, other = (self.guest("Local/102@phones", linked, up=True) for _ in "12")
        name = one.channel.name
        one.channel.name, other.channel.name = f"{name};1", f"{name};2"
        return [one, other]

    def guest_gone(self: Simulator, guest: Guest, cause: int = 16) -> None:
        if self.guests.pop(guest.channel.id, None) is None:
            return
        self.leave_bridge(guest.channel)
        self.ami(i.ChannelGone(self.at, guest.channel.id, cause))
        if guest.phone is not None:
            guest.phone.guests.remove(guest)
            self.show(guest.phone)

    def wires_of(self: Simulator, caller: Caller) -> list[Guest]:
        """The ends of Local channels between him and whom he talks with."""
        return [self.guests[c.id] for c in self.with_him(caller.channel) if c.name.startswith("Local/")]

    def dismiss(self: Simulator, *guests: Guest) -> None:
        for guest in guests:
            self.leave_bridge(guest.channel)
            self.after(self.ms(), lambda guest=guest: self.guest_gone(guest))

    def idle_phone(self: Simulator, but: Phone | None = None) -> Phone | None:
        idle = [p for p in self.phones.values() if p.registered and p is not but and p.leg is None]
        idle = [p for p in idle if not p.guests and not p.elsewhere]
        return self.random.choice(idle) if idle else None

    # -- a talk with somebody to whom he was passed on

    def stays(self: Simulator, caller: Caller, delay: float, what: Callable[[], None]) -> None:
        """While the caller is where he is now."""
        step = caller.step
        self.after(delay, lambda: what() if caller.step == step and caller.id in self.callers else None)

    def rung(self: Simulator, caller: Caller, guest: Guest) -> None:
        """His phone rings for a caller who is passed on; nobody but him is tried."""
        caller.party = guest
        caller.step += 1

        def answer() -> None:
            guest.channel.up = True
            self.converse(caller, guest)

        def in_vain() -> None:
            caller.party = None
            self.guest_gone(guest, self.random.choice((17, 21, 19)))
            self.next_step(caller, self.ms(), self.end)

        seconds = self.random.uniform(0.2, 5)
        self.stays(caller, seconds, answer if self.random.random() < 0.7 else in_vain)

    def converse(self: Simulator, caller: Caller, guest: Guest) -> None:
        """Both enter a bridge, and talk."""
        caller.party = guest
        caller.step += 1
        ends = [caller.channel, guest.channel]
        self.random.shuffle(ends)
        bridge = self.new_bridge()
        for channel in ends:
            self.enter(channel, bridge)
        if guest.phone is not None:
            self.show(guest.phone)
        self.until_somebody_ends_it(caller, guest)

    def until_somebody_ends_it(self: Simulator, caller: Caller, guest: Guest) -> None:
        talk = self.random.uniform(0.1, 15)
        how = self.random.random()
        if how < 0.15 and guest.phone is not None:
            way = self.random.choice(("out", "agent", "queue", "park"))
            self.stays(caller, talk, lambda: self.pass_on(caller, guest, way))
        elif how < 0.6:
            self.stays(caller, talk, lambda: self.guest_ends(caller, guest))
        else:
            self.stays(caller, talk, lambda: self.hang_up(caller))

    def guest_ends(self: Simulator, caller: Caller, guest: Guest) -> None:
        caller.party = None
        if self.chance(0.9):
            self.ami(i.HangupAsked(self.at, guest.channel.id))
        wires = self.wires_of(caller)
        self.leave_bridge(guest.channel, *(wire.channel for wire in wires), caller.channel)
        self.dismiss(guest, *wires)
        self.next_step(caller, self.ms(), self.dial_returns)

    def dial_returns(self: Simulator, caller: Caller) -> None:
        """Of the first agent's Dial, if the caller is in it yet; then his dialplan ends."""
        c = caller.channel
        if c.context == "ccbridge-offer":
            self.ami(i.OfferEnded(self.at, caller.id, c.exten, "ANSWER", 16))
        self.next_step(caller, self.ms(), self.end)

    # -- passing on

    def pass_on(self: Simulator, caller: Caller, agent: Leg | Guest, way: str) -> None:
        """``agent`` is with the caller now."""
        phone = self.idle_phone(agent.phone)
        if getattr(agent, "by_personal", False) and way in ("attended", "blonde"):
            way = "by_keys"  # a mobile has no second line with us
        if way == "out":
            self.blind(caller, agent, "77")
            self.next_step(caller, self.ms(), self.outside)
        elif way == "queue":
            self.blind(caller, agent, "100")
            caller.queue, caller.tries = self.random.choice([*self.plan.queues]), 0
            self.next_step(caller, self.ms(), self.ask)
        elif way == "park":
            self.park(caller, agent)
        elif phone is None:
            self.pass_on(caller, agent, "out")
        elif way == "agent":
            self.blind(caller, agent, "102")
            caller.channel.context, caller.channel.exten = "phones", "102"
            self.stays(caller, self.ms(), lambda: self.rung(caller, self._ring_phone(phone, caller.id)))
        else:
            self.ask_first(caller, agent, phone, way)

    def _ring_phone(self: Simulator, phone: Phone, linked: str) -> Guest:
        return self.guest(phone.device, linked, phone)

    def blind(self: Simulator, caller: Caller, agent: Leg | Guest, target: str) -> None:
        """Away from the agent, in one of the orders in which it is told."""
        channel = agent.channel
        if self.chance(0.5):
            self.resume_leg(channel)
        told = [
            lambda: self.ami(i.ChannelTransferred(self.at, channel.id, "blind", target)),
            lambda: self.leave_bridge(channel),
            lambda: self.leave_bridge(caller.channel),
        ]
        wires = self.wires_of(caller)
        for step in self.random.choice(((0, 1, 2), (0, 2, 1), (2, 0, 1))):
            told[step]()
        self.dismiss(*wires)
        self.let_go_of(caller, agent)

    def let_go_of(self: Simulator, caller: Caller, agent: Leg | Guest, after: float = 0.0) -> None:
        """The caller goes on without this agent, whose channel ends."""
        caller.step += 1
        if isinstance(agent, Guest):
            caller.party = None
            self.after(after + self.ms(), lambda: self.guest_gone(agent))
        else:
            caller.leg = None
            agent.asking = None
            agent.passed = True
            self.after(after + self.ms(), lambda: self.leg_gone(agent, 16))

    def outside(self: Simulator, caller: Caller) -> None:
        """An outside number: it rings in vain, or he talks with somebody who is none of ours."""
        caller.channel.context, caller.channel.exten = "internal", "77"
        if self.random.random() < 0.5:
            self.rung(caller, self.guest("PJSIP/carrier", caller.id))
        else:
            self._site(caller, "77")

    def park(self: Simulator, caller: Caller, agent: Leg | Guest) -> None:
        """Asterisk 22 tells of the place first, 16 of a transfer; by the key there is no transfer at all."""
        told = [
            i.CallParked(self.at, caller.id, "701"),
            i.ChannelTransferred(self.at, agent.channel.id, "blind", "700"),
        ]
        which = self.random.choice(((0, 1), (1, 0), (0,)))
        if self.chance(0.5):
            self.resume_leg(agent.channel)
        for one in which:
            self.ami(told[one])
        self.dismiss(*self.wires_of(caller))
        self.leave_bridge(caller.channel)
        caller.channel.parked = True
        # he stays in the bridge alone for as long as he is told the place
        stay = self.random.choice((0.0, 2.5))
        self.after(stay, lambda: self.leave_bridge(agent.channel))
        self.let_go_of(caller, agent, stay)
        self.parked(caller, None if getattr(agent, "by_personal", False) else agent.phone)

    def parked(self: Simulator, caller: Caller, parker: Phone | None) -> None:
        """Somebody takes him; or it rings back where he came from; or he has enough of it."""
        caller.step += 1

        def taken() -> None:
            phone = self.idle_phone()
            if phone is None:
                self.parked(caller, parker)
                return
            taker = self.guest(phone.device, "", phone, up=True)
            caller.channel.parked = False
            self.converse(caller, taker)

        def rings_back() -> None:
            caller.channel.parked = False
            caller.channel.context, caller.channel.exten = "park-dial", "PJSIP_102"
            if parker is None or parker.leg is not None or parker.guests or not parker.registered:
                self.next_step(caller, self.ms(), self.end)
            else:
                self.rung(caller, self._ring_phone(parker, caller.id))

        what = self.random.choice((taken, taken, rings_back, lambda: self.hang_up(caller)))
        self.stays(caller, self.random.uniform(0.5, 20), what)

    # -- asking first

    def ask_first(self: Simulator, caller: Caller, agent: Leg, phone: Phone, way: str) -> None:
        self.hold_leg(agent.channel)
        if way == "by_keys":
            one, other = self.wire(agent.channel.linked)
            own, other_bridge = agent.channel.bridge, self.new_bridge()
            self.enter(one.channel, other_bridge)
            self.leave_bridge(agent.channel)
            self.enter(agent.channel, other_bridge)
            asking = Asking(self._ring_phone(phone, caller.id), [one, other])
        else:
            own = agent.channel.bridge
            second = self.guest(agent.phone.device, "", agent.phone, up=True)
            asking = Asking(self._ring_phone(phone, second.channel.id), [second])
        agent.asking = asking
        asking.session = self.session

        def meanwhile(delay: float, what: Callable[[], None]) -> None:
            self.after(delay, lambda: what() if agent.asking is asking and not caller.dying else None)

        ringing, talk = self.random.uniform(0.2, 4), self.random.uniform(0.2, 4)
        if way == "blonde":
            meanwhile(ringing / 2, lambda: self.blonde(caller, agent, asking))
            return
        if self.random.random() < 0.2:
            meanwhile(ringing, lambda: self.comes_back(caller, agent, asking, own))
            return
        meanwhile(ringing, lambda: self.target_answers(asking))
        if self.random.random() < 0.2:
            meanwhile(ringing + talk, lambda: self.comes_back(caller, agent, asking, own))
        elif way == "attended":
            meanwhile(ringing + talk, lambda: self.attended(caller, agent, asking))
        else:
            meanwhile(ringing + talk, lambda: self.by_keys(caller, agent, asking, own))

    def target_answers(self: Simulator, asking: Asking) -> None:
        asking.answered = asking.target.channel.up = True
        bridge = self.new_bridge()
        for guest in (asking.target, asking.wires[-1]):
            self.enter(guest.channel, bridge)
        if asking.target.phone is not None:
            self.show(asking.target.phone)

    def comes_back(self: Simulator, caller: Caller, agent: Leg, asking: Asking, bridge: str) -> None:
        """The agent gives up asking, and has the caller again."""
        agent.asking = None
        if asking.session != self.session or not self.logged_in:
            self.unsure.add(caller.id)  # perhaps nobody saw that he was away
        self.dismiss(asking.target, *asking.wires)
        if agent.channel.bridge != bridge:
            self.leave_bridge(agent.channel)
            self.enter(agent.channel, bridge)
        self.resume_leg(agent.channel)
        ends = self.random.choice((lambda: self.agent_ends(agent), lambda: self.hang_up(caller)))
        self.talking(agent, self.random.uniform(0.1, 5), ends)

    def blonde(self: Simulator, caller: Caller, agent: Leg, asking: Asking) -> None:
        self.resume_leg(agent.channel)
        self.ami(i.ChannelTransferred(self.at, agent.channel.id, "attended", "102"))
        ends = [agent.channel, caller.channel]
        self.random.shuffle(ends)
        self.leave_bridge(*ends)
        self.let_go_of(caller, agent)
        self.dismiss(*asking.wires)
        caller.channel.context, caller.channel.exten = "phones", "102"
        self.rung(caller, asking.target)

    def attended(self: Simulator, caller: Caller, agent: Leg, asking: Asking) -> None:
        (second,) = asking.wires
        bridge = second.channel.bridge
        for channel in (agent.channel, agent.channel, second.channel):
            self.resume_leg(channel)
        told = i.ChannelTransferred(self.at, agent.channel.id, "attended", "102")
        first = self.random.random() < 0.3
        if first:
            self.ami(told)
        self.leave_bridge(caller.channel)
        if self.random.random() < 0.7:
            self.leave_bridge(second.channel)
        second.channel.bridge = ""  # the caller takes his place
        self.enter(caller.channel, bridge, second.channel.id)
        if not first:
            self.ami(told)
        self.leave_bridge(agent.channel)
        self.let_go_of(caller, agent)
        self.dismiss(second)
        caller.party = asking.target
        self.until_somebody_ends_it(caller, asking.target)

    def by_keys(self: Simulator, caller: Caller, agent: Leg, asking: Asking, bridge: str) -> None:
        one, other = asking.wires
        self.ami(i.HangupAsked(self.at, agent.channel.id))
        self.leave_bridge(one.channel)
        self.enter(one.channel, bridge)
        self.leave_bridge(agent.channel)
        self.ami(i.ChannelTransferred(self.at, agent.channel.id, "attended", "102"))
        self.let_go_of(caller, agent)
        caller.party = asking.target
        self.until_somebody_ends_it(caller, asking.target)
        self.stays(caller, 0.43, lambda: self.optimised(asking.target, one, other, caller))

    def optimised(self: Simulator, target: Guest, one: Guest, other: Guest, caller: Caller) -> None:
        """The two ends of the wire are cut out, from this side or from that."""
        if self.random.random() < 0.5:
            moves, wire, stays = target.channel, one.channel, other.channel
        else:
            moves, wire, stays = caller.channel, other.channel, one.channel
        bridge = wire.bridge
        self.leave_bridge(moves, wire)
        self.enter(moves, bridge, wire.id)
        self.guest_gone(self.guests[wire.id])
        self.leave_bridge(stays)
        self.guest_gone(self.guests[stays.id])
