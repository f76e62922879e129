"""The rest of the world after the first lines of a capture: a simulated PBX that goes on from where they end.

``Truth`` reads from the PBX's own words where every channel is, without the core. ``Afterwards`` plays these
lines to a core and goes on with callers, legs and phones as they stand then.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from passing import Guest
from simulator import START, Caller, Channel, Leg, Phone, Simulator, Weather

from ccbridge.ami import translate
from ccbridge.ami.wire import AmiMessage, values
from ccbridge.captures.lines import Heard, Line, Start, Told
from ccbridge.core import effects as e
from ccbridge.core import inputs as i
from ccbridge.core.effects import Append
from ccbridge.core.memory import Memory
from ccbridge.core.switchboard import Switchboard
from ccbridge.numbers import parse_caller

HOLD, OFFER, EXIT = "ccbridge-hold", "ccbridge-offer", "ccbridge-exit"
# What the PBX does in one go, as for a transfer: its events have less than this between them, in seconds.
IN_ONE_GO = 0.03
FATE = Weather(callers=0, span=0.0, kills=1, phones=("answer", "ring_out", "refuse", "busy"), transfer=0.0)


@dataclass
class Dialled:
    """An agent's leg, from DialBegin on."""

    leg: str
    call: str
    offer: str
    device: str
    rang: bool = False
    cause: int | None = None  # of its end


@dataclass
class Truth:
    """The PBX as its events tell of it."""

    channels: dict[str, Channel] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)  # the far end has hung up
    legs: dict[str, Dialled] = field(default_factory=dict)
    talked: set[str] = field(default_factory=set)  # offers whose legs have been in one bridge with the caller
    returned: set[str] = field(default_factory=set)  # offers whose Dial has returned
    confirming: set[str] = field(default_factory=set)  # legs whose owners are asked to press 1, or were
    flows: dict[str, str] = field(default_factory=dict)  # call -> how its menu ended, if not in a queue
    devices: dict[str, str] = field(default_factory=dict)
    started: float | None = None
    passed_on: bool = False  # somebody has begun to ask another one, or passed the caller on

    def hear(self, m: AmiMessage, t: float) -> None:
        name, uid = m.event, m.get("uniqueid") or ""
        if name == "Newchannel":
            up = m.get("channelstatedesc") == "Up"
            caller = (m.get("calleridnum") or "").replace("<unknown>", "")
            linked = m.get("linkedid") or uid
            self.channels[uid] = Channel(uid, m["channel"], linked, t, up=up, caller=caller)
        channel = self.channels.get(uid)
        if channel is not None:
            if m.get("context"):
                channel.context, channel.exten = m["context"], m.get("exten") or "s"
            channel.up = channel.up or m.get("channelstatedesc") == "Up"
        self.passed_on |= name in ("Hold", "BlindTransfer", "AttendedTransfer", "ParkedCall")
        if name == "DialBegin" and m.get("context") == OFFER:
            leg = m["destuniqueid"]
            self.legs[leg] = Dialled(leg, uid, m["exten"], translate.device_of(m["destchannel"]))
        elif name == "DialState" and m.get("destuniqueid") in self.legs:
            self.legs[m["destuniqueid"]].rang |= m.get("dialstatus") == "RINGING"
        elif name == "DeviceStateChange":
            self.devices[m["device"]] = m["state"]
        elif channel is not None:
            self._channel(channel, m)

    def _channel(self, channel: Channel, m: AmiMessage) -> None:
        match m.event:
            case "BridgeEnter":
                channel.parked = m.get("bridgetechnology") == translate.HOLDING_BRIDGE
                channel.bridge = "" if channel.parked else m["bridgeuniqueid"]
                channel.linked = m.get("linkedid") or channel.linked
                if m.get("swapuniqueid") in self.channels:
                    self.channels[m["swapuniqueid"]].bridge = ""
                for one in self.legs.values():
                    ends = [self.channels.get(uid) for uid in (one.leg, one.call)]
                    if all(end is not None and end.bridge == channel.bridge for end in ends):
                        self.talked.add(one.offer)
            case "BridgeLeave":
                channel.bridge, channel.parked = "", False
            case "HangupRequest":
                self.asked.add(channel.id)
            case "Hangup":
                del self.channels[channel.id]
                if channel.id in self.legs:
                    self.legs[channel.id].cause = int(m.get("cause") or 0)
            case "UserEvent":
                if m.get("userevent") == "CcbHold":  # its own headers come after those of the channel
                    priority = values(m, "priority")[-1]
                    self.ours(channel, queue=m["queue"], priority=priority, since=m["since"])
                if m.get("userevent") == "CcbAsked":
                    self.confirming.add(channel.id)
                if m.get("userevent") == "CcbOffer":
                    self.returned.add(m["offer"])

    def ours(self, channel: Channel, **more: Any) -> None:
        status = "queue" if "queue" in more else ""
        channel.variables |= {"CCB_CALL": channel.id, "CCB_STATUS": status}
        channel.variables |= {f"CCB_{key.upper()}": str(value) for key, value in more.items()}

    def told(self, event: i.Input, t: float) -> None:
        match event:
            case i.LinkUp() | i.Swept():
                self.devices = dict(event.snapshot.devices)
                if isinstance(event, i.LinkUp):
                    self.started = event.snapshot.started
                    self.channels = {
                        p.channel: Channel(
                            p.channel, p.name, p.linked, t - p.seconds, p.context, p.exten, p.bridge, p.up,
                            p.caller, p.parked, dict(p.variables),
                        )
                        for p in event.snapshot.places
                    }  # fmt: skip
            case i.CallArrived() if event.call in self.channels:
                channel = self.channels[event.call]
                channel.context, channel.exten = "ccbridge-in", "menu"
                self.ours(channel)
                self.flows.pop(event.call, None)
            case i.CallQueued() if event.call in self.channels:
                self.ours(
                    self.channels[event.call],
                    queue=event.queue,
                    priority=event.priority,
                    since=f"{event.at:.3f}",
                )
            case i.FlowEnded():
                self.flows[event.call] = event.how


class Afterwards(Simulator):
    """``run()`` goes on after ``lines``; ``fate`` is what happens then: hangup, kill, undone, pbx or nothing.

    ``undone`` is a kill right after the last line's records were written: its Redirects are not done.
    """

    def __init__(self, seed: int, lines: Sequence[Line], fate: str, rest: Sequence[Line] = ()) -> None:
        first = lines[0]
        assert isinstance(first, Start)
        self._zero = (first.n, first.w)  # the clocks of what follows
        super().__init__(seed, FATE, first.plan)
        self.fate = fate
        self.truth = Truth()
        self._pending: dict[str, e.PlaceOffer | e.MoveOut] = {}  # a Redirect that has not arrived
        self._placed: dict[str, e.PlaceOffer] = {}  # the last one of each call
        self._undone: set[str] = set()
        self._playing, self._links = True, 0
        for line in lines:
            self._play(line, first)
        if self.truth.passed_on and fate != "pbx":
            self._finish(lines[-1], rest, first)
        self._playing = False
        self.script[-1][-1].clear()
        self._stand()

    @property
    def all_seen(self) -> bool:
        return self.fate in ("nothing", "hangup") and self._links == 1

    def _finish(self, last: Line, rest: Sequence[Line], first: Start) -> None:
        """What Asterisk is in the middle of goes on, whatever happens to caller or daemon at this moment."""
        if self.fate == "hangup":
            for channel in self.calling():
                if channel.id not in self.truth.asked:
                    self.truth.asked.add(channel.id)
                    self._handle(i.HangupAsked(self.at, channel.id))
        for line in rest:
            if not isinstance(line, Heard) or line.n - last.n > IN_ONE_GO or "UserEvent" in line.text:
                return
            if self.fate in ("kill", "undone"):  # nobody hears it
                self.t = max(self.t, line.n - self._zero[0])
                self.count()
                self.truth.hear(AmiMessage(line.text), self.t)
            else:
                self._play(line, first)
            last = line

    def channels(self) -> list[Channel]:
        return [*self.truth.channels.values()] if self._playing else super().channels()

    def is_leg(self, channel: Channel) -> bool:
        return channel.id in self.truth.legs if self._playing else super().is_leg(channel)

    def calling(self) -> list[Channel]:
        if self._playing:
            return [c for c in self.truth.channels.values() if c.variables.get("CCB_CALL") == c.id]
        return super().calling()

    @property
    def at(self) -> float:
        return self._zero[1] + self.t

    # -- what the capture tells

    def _play(self, line: Line, first: Start) -> None:
        self.t = max(self.t, line.n - self._zero[0])
        match line:
            case Start():
                if line is not first:
                    self.run_no += 1
                    self.watch.restarted()
                if line is first:
                    self.memory = Memory(copy.deepcopy(line.memory))
                self.board = Switchboard(line.plan, line.run)
                self.board.restore(self.memory, line.w, START + self.t)
            case Heard():
                message = AmiMessage(line.text)
                self.count()
                self.truth.hear(message, self.t)
                event = translate.to_inbox(
                    message, line.w, first.system, lambda raw: parse_caller(raw, first.country)
                )
                if isinstance(event, i.Input):
                    self._handle(event)
            case Told():
                self.count()
                self._links += isinstance(line.event, i.LinkUp)
                self.truth.told(line.event, self.t)
                self._handle(line.event)

    def _handle(self, event: i.Input) -> None:
        if isinstance(event, i.LegHeld):
            self.heard_held(event)
        elif isinstance(event, i.LegResumed):
            self.held.discard(event.leg)
            self.resumed[event.leg] = event.at
        effects = self.board.handle(event, self.now)
        self.spoken.append(effects)
        for effect in effects:
            if isinstance(effect, Append):
                self.memory.apply(effect.record)
        self.watch.see(event, effects)
        if isinstance(event, i.OfferReached | i.CallExited | i.CallHolding):
            self._pending.pop(event.call, None)
        self._undone = set()
        for effect in effects:
            if isinstance(effect, e.PlaceOffer | e.MoveOut):
                self._pending[effect.call] = effect
                self._undone.add(effect.call)
            if isinstance(effect, e.PlaceOffer):
                self._placed[effect.call] = effect

    # -- the world as it stands

    def snapshot(self) -> i.Snapshot:
        return replace(super().snapshot(), started=self.truth.started)

    def _stand(self) -> None:
        truth = self.truth
        self.link = self.logged_in = self.board.world.link
        self.link_up_at = self.board.world.link_since - START
        self.alive_seen = self.t
        for phone in self.phones.values():
            phone.shown = truth.devices.get(phone.device, "INVALID")
            phone.registered = phone.shown not in ("UNAVAILABLE", "INVALID")
        for channel in truth.channels.values():
            if channel.variables.get("CCB_CALL") == channel.id:
                queue = channel.variables.get("CCB_QUEUE") or next(iter(self.plan.queues))
                priority = int(channel.variables.get("CCB_PRIORITY") or 0)
                self.callers[channel.id] = Caller(channel, queue, priority, in_hold=self.t)
        for one in truth.legs.values():
            channel = truth.channels.get(one.leg)
            if channel is None:
                continue
            caller = self.callers.get(one.call)
            nobody = Caller(Channel(one.call, "", one.call, self.t), "", 0, dying=True)
            leg = Leg(channel, caller or nobody, one.offer, self._phone(one), one.rang)
            self.legs[channel.id] = leg
            leg.phone.leg = leg
            if caller is not None and caller.channel.exten == one.offer and one.offer not in truth.returned:
                if one.leg in truth.confirming and not (one.offer in truth.talked or channel.bridge):
                    caller.confirming = leg
                else:
                    caller.leg = leg
        for channel in truth.channels.values():
            if channel.id not in self.callers and channel.id not in self.legs:
                phone = self.phones.get(translate.device_of(channel.name))
                self.guests[channel.id] = Guest(channel, phone)

    def _phone(self, one: Dialled) -> Phone:
        if one.device in self.phones:
            return self.phones[one.device]
        return self.mobiles[self._placed[one.call].devices[0]]

    def _set_out(self) -> None:
        for caller in list(self.callers.values()):
            self._go_on(caller)
        for guest in list(self.guests.values()):
            heard = {c.id for c in self.with_him(guest.channel)}
            if not any(c.party is guest or c.id in heard for c in self.callers.values()):
                self.after(self.random.uniform(0, 6), lambda guest=guest: self.guest_gone(guest))
        for leg in list(self.legs.values()):
            if (
                leg not in (leg.caller.leg, leg.caller.confirming) and leg not in leg.caller.rung
            ):  # the caller has gone: he is asked for the outcome, or being cancelled
                self.after(self.random.uniform(0, 6), lambda leg=leg: self.leg_gone(leg, 16))
        for phone in self.phones.values():
            self.show(phone)
        if not self.link:
            self.after(0.2, self.connect)
        self.after(1.0, self.probe)
        match self.fate:
            case "hangup":
                for caller in list(self.callers.values()):
                    self.hang_up(caller)
            case "kill" | "undone":
                self.die()
            case "pbx":
                self._pbx_restarts()

    def _go_on(self, caller: Caller) -> None:
        c, truth = caller.channel, self.truth
        self.after(self.random.uniform(15, 60), lambda: self.hang_up(caller))
        if caller.confirming is not None:
            self.confirm(caller.confirming, self.random.uniform(1, 9))
        moving = self._pending.get(caller.id)
        if moving is not None and self.link and not (self.fate == "undone" and caller.id in self._undone):
            self.after(self.ms(), lambda: self.redirect(moving) if caller.id in self.callers else None)
        if caller.id in truth.asked:
            caller.asked = True
            self.after(self.ms(), lambda: self._hung_up(caller))
        elif c.parked:
            caller.leg = None
            self.parked(caller, None)
        elif colleague := self._colleague(caller):
            caller.leg, caller.party = None, colleague
            self.until_somebody_ends_it(caller, colleague)
        elif ringing := self._rung(caller):
            self.rung(caller, ringing)
        elif c.context == HOLD:
            self.next_step(caller, 5.0, self.hold_loop)
        elif c.context == OFFER:
            self._offered(caller)
        elif c.context == EXIT:
            self.next_step(caller, self.ms(), lambda one: self._site(one, c.exten))
        elif c.context != "ccbridge-in":  # in the fallback queue, or somewhere in the site's own dialplan
            self.next_step(caller, self.random.uniform(1, 30), self.end)
        elif caller.id in truth.flows:
            leave = self.end if truth.flows[caller.id] == "hangup" else lambda one: self.leave(one, "55")
            self.next_step(caller, self.ms(), leave)
        elif "CCB_QUEUE" in c.variables:
            caller.since = float(c.variables["CCB_SINCE"])
            self.next_step(caller, self.ms(), self.hold)
        else:
            self.next_step(caller, self.random.uniform(0.2, 3), self.menu_done)

    def _colleague(self, caller: Caller) -> Guest | None:
        """Who talks with him, and is not the agent to whom he was given."""
        heard = (self.guests.get(c.id) for c in self.with_him(caller.channel))
        return next((g for g in heard if g is not None and not g.channel.name.startswith("Local/")), None)

    def _rung(self, caller: Caller) -> Guest | None:
        """Whose phone rings for him, somewhere in the site's own dialplan."""
        if caller.channel.context.startswith("ccbridge-"):
            return None
        phones = (g for g in self.guests.values() if not g.channel.up and g.phone is not None)
        return next((g for g in phones if g.channel.linked == caller.id), None) or next(
            (g for g in self.guests.values() if not g.channel.up and caller.channel.context == "from-phones"),
            None,
        )

    def _offered(self, caller: Caller) -> None:
        """In the offer's context: before, while or after its Dial."""
        c, truth = caller.channel, self.truth
        one = next((leg for leg in truth.legs.values() if leg.offer == c.exten), None)
        leg = caller.leg
        if caller.confirming is not None:
            return
        if c.exten in truth.returned:
            self.next_step(caller, self.ms(), self.end if c.exten in truth.talked else self.hold)
        elif leg is not None and (leg.channel.up or c.bridge):
            if c.exten in truth.talked and not (c.bridge and leg.channel.bridge):
                self._parted(caller, leg)
            elif c.bridge and leg.channel.bridge and c.bridge != leg.channel.bridge:
                self._asks(caller, leg)
            else:
                self._together(caller, leg)
        elif leg is not None:
            caller.leg, caller.rung = None, [leg]
            how = self.random.choice(self.weather.phones)
            self.during(leg, 0.05, lambda: self._ring(leg) if not leg.rang else None)
            if how == "answer":
                self.during(
                    leg, self.random.uniform(0.1, 2), lambda: self.answer(leg, self.random.uniform(1, 9))
                )
            elif how != "ring_out":
                cause, status = (21, "CHANUNAVAIL") if how == "refuse" else (17, "BUSY")
                self.during(leg, 0.3, lambda: self.dial_over(leg, cause, status))
            self.during(leg, 3.0, lambda: self.dial_over(leg, 0, "NOANSWER"))
        elif c.exten in truth.talked:
            self.next_step(caller, self.ms(), lambda one: self._returns(one, "ANSWER", 16))
        elif one is not None:
            cause = one.cause or 0
            status = {17: "BUSY", 21: "CHANUNAVAIL", 16: "NOANSWER"}.get(cause, "NOANSWER")
            if one.leg in truth.confirming:
                status = "BUSY"
            self.next_step(caller, self.ms(), lambda one: self._returns(one, status, cause))
        else:
            effect = self._placed[caller.id]
            known = self.phones if effect.confirm is None else self.mobiles
            phones = [known[device] for device in effect.devices]
            self.next_step(caller, self.ms(), lambda one: self.dial(one, effect, phones))

    def _returns(self, caller: Caller, status: str, cause: int) -> None:
        """Dial has returned."""
        ended = i.OfferEnded(self.at, caller.id, caller.channel.exten, status, cause)
        if status == "ANSWER":
            self.ami(ended)
            self.next_step(caller, self.ms(), self.end)
        else:
            self._back(caller, ended)

    def _together(self, caller: Caller, leg: Leg) -> None:
        """In one bridge; whose entrance was not told yet, enters now."""
        bridge = caller.channel.bridge or leg.channel.bridge or "b-new"
        leg.channel.up = True
        for channel in (caller.channel, leg.channel):
            if not channel.bridge:
                self.enter(channel, bridge)
        caller.answered = True
        ends = self.random.choice((lambda: self.agent_ends(leg), lambda: self.hang_up(caller)))
        self.talking(leg, self.random.uniform(0.5, 9), ends)

    def _parted(self, caller: Caller, leg: Leg) -> None:
        """One of the two has left the bridge: the agent, for the caller has not hung up."""
        self.leave_bridge(caller.channel, leg.channel)
        caller.leg = None
        self.after(self.ms(), lambda: self.leg_gone(leg, 16))
        self.next_step(caller, self.ms(), lambda one: self._returns(one, "ANSWER", 16))

    def _asks(self, caller: Caller, leg: Leg) -> None:
        """The agent is with somebody else, by his keys, and comes back to the caller."""

        def back() -> None:
            if leg.channel.id not in self.legs or caller.dying:
                return
            self.leave_bridge(leg.channel)
            self.enter(leg.channel, caller.channel.bridge)
            self.resume_leg(leg.channel)
            ends = self.random.choice((lambda: self.agent_ends(leg), lambda: self.hang_up(caller)))
            self.talking(leg, self.random.uniform(0.1, 5), ends)

        self.stays(caller, self.random.uniform(0.1, 5), back)

    def _pbx_restarts(self) -> None:
        """kill -9 of Asterisk: no channel is left, and nobody was told."""
        self.session += 1
        self.link = self.logged_in = False
        self.buffer = None
        for caller in self.callers.values():
            caller.dying, caller.channel.bridge = True, ""
        self.nobody_is_left()
        self.callers.clear()
        self.deliver(i.LinkDown(self.at, "closed by Asterisk"))
        self.truth.started = self.at + 1.5
        for phone in self.phones.values():
            if phone.registered:
                self.unregister(phone)  # until it is asked again, or registers anew
        self.after(2.0, self.connect)
