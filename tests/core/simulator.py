"""A small PBX with callers, phones and a daemon round the core, all on one simulated clock.

It performs the effects of ``Switchboard.handle`` as Asterisk would (with delays, and with the races that
two sockets and hang-ups bring), knows the truth, and answers looks and snapshots from it. A ``Watch`` sees
every decision. Everything random comes from one seed.
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from passing import WAYS, Asking, Guest, Passing
from tapers import Tapers
from watch import Watch

from ccbridge.core import effects as e
from ccbridge.core import inputs as i
from ccbridge.core.flows import HangUp, ToQueue, Transfer
from ccbridge.core.memory import Memory
from ccbridge.core.plan import AgentPlan, Announce, Plan, QueuePlan, Rule
from ccbridge.core.switchboard import Switchboard

EPOCH = 1_700_000_000.0
START = 5_000.0  # what the monotonic clock shows at the start
ALIVE_LIMIT = 30.0  # a silent daemon's callers go to the fallback


def plan_of(
    queues: dict[str, QueuePlan],
    agents: dict[str, tuple[str, ...]],
    skills: dict[str, dict[str, int]] | None = None,
    **rest: Any,
) -> Plan:
    people = {
        name: AgentPlan(
            name, name.title(), f"PJSIP/{name}", serves, (skills or {}).get(name, {}), number,
            personal={"mobile": f"PJSIP/+{name}@carrier"},
        )
        for number, (name, serves) in enumerate(agents.items())
    }  # fmt: skip
    return Plan(queues, people, {}, {}, "", pause_reasons=("break", "lunch"), **rest)


SITE = plan_of(
    {
        "sales": QueuePlan(
            "sales", ring=8, wrap_up=5, max_wait=60, overflow="900", announce=Announce(first=5, every=12)
        ),
        "help": QueuePlan("help", ring=5, wrap_up=0, max_wait=90, overflow="901", priority=5),
        "late": QueuePlan("late", ring=12, wrap_up=15, max_wait=40, overflow="902"),
    },
    {
        "ann": ("sales",),
        "bob": ("sales", "help"),
        "cyd": ("help", "late"),
        "dan": ("sales", "help", "late"),
    },
)


# Skills that relax, every strategy, waiting that counts.
SKILLED = plan_of(
    {
        "sales": QueuePlan(
            "sales", ring=8, wrap_up=5, max_wait=60, overflow="900", strategy="most_skilled",
            owner=14, last_agent=7,
            rules=(
                Rule(0, {"greek": 4}, {"english": 3}), Rule(10, {"greek": 2}), Rule(25),
            ),
        ),
        "help": QueuePlan(
            "help", ring=5, wrap_up=0, max_wait=90, overflow="901", priority=5, strategy="round_robin",
            rules=(Rule(0, {"english": 2}), Rule(15, {}, {"english": 1})), expected_talk=40,
            announce=Announce(first=0, every=10, max_position=2),
        ),
        "late": QueuePlan(
            "late", ring=12, wrap_up=15, max_wait=40, overflow="902", strategy="fewest_calls",
            rules=(Rule(0, {}, {"greek": 4}),),
        ),
        "talk": QueuePlan("talk", ring=8, wrap_up=2, max_wait=50, overflow="903", strategy="least_talk"),
        "line": QueuePlan(
            "line", ring=8, wrap_up=2, max_wait=50, overflow="904", strategy="linear",
            rules=(Rule(0, {"greek": 1, "english": 1}), Rule(5, {"greek": 1})),
        ),
        "lots": QueuePlan("lots", ring=8, wrap_up=2, max_wait=50, overflow="905", strategy="random"),
        "all": QueuePlan(
            "all", ring=8, wrap_up=2, max_wait=50, overflow="906", strategy="ring_all",
            owner=5, last_agent=10,
        ),
    },
    {
        "ann": ("sales", "help", "line"),
        "bob": ("sales", "help", "talk", "lots"),
        "cyd": ("help", "late", "line", "lots", "all"),
        "dan": ("sales", "help", "late", "talk", "line", "lots", "all"),
        "eva": ("sales", "late", "talk", "line", "all"),
    },
    {
        "ann": {"greek": 5, "english": 1},
        "bob": {"greek": 2, "english": 3},
        "cyd": {"english": 5, "greek": 1},
        "dan": {"greek": 4, "english": 4},
    },
    ageing=4.0,
)  # fmt: skip


RINGING = replace(
    SITE, queues={name: replace(queue, strategy="ring_all") for name, queue in SITE.queues.items()}
)

# Recorded always, on demand and never; a pause is short.
TAPED = replace(
    SITE,
    queues={
        "sales": SITE.queues["sales"],
        "help": replace(SITE.queues["help"], recording="on_demand"),
        "late": replace(SITE.queues["late"], recording="never"),
    },
    recording_pause=6.0,
)

# Callers who leave their line for all reasons, to all kinds of targets.
FLOWING = plan_of(
    {
        "sales": QueuePlan(
            "sales", ring=8, wrap_up=5, max_wait=25, overflow="900", max_waiting=3, last_agent=12,
            overflow_to={
                "time": ToQueue("help", 2), "nobody": ToQueue("late"), "full": HangUp(("all-busy",)),
                "paused": Transfer("910"),
            },
            keys={"1": ToQueue("late"), "2": Transfer("911")},
        ),
        "help": QueuePlan(
            "help", ring=5, wrap_up=0, max_wait=30, overflow="901", priority=5, owner=20,
            overflow_to={"time": ToQueue("sales"), "paused": ToQueue("late")},
            rules=(Rule(0, {"english": 3}), Rule(8)),
        ),
        "late": QueuePlan(
            "late", ring=12, wrap_up=15, max_wait=20, overflow="902", max_waiting=6,
            overflow_to={"time": HangUp(("sorry", "bye")), "nobody": HangUp(("closed",))},
            keys={"1": ToQueue("sales", -3), "3": HangUp(("bye",))},
        ),
    },
    {"ann": ("sales",), "bob": ("sales", "help"), "cyd": ("help", "late"), "dan": ("late",)},
    {"bob": {"english": 4}},
    misses=2, misses_lift=20.0,
)  # fmt: skip
FLOWING = replace(FLOWING, agents={**FLOWING.agents, "cyd": replace(FLOWING.agents["cyd"], wrap_up=3.0)})


@dataclass(frozen=True)
class Weather:
    """What goes on in a history. Figures are chances (0-1) or seconds."""

    callers: int = 25
    span: float = 150.0  # in which they come
    phones: tuple[str, ...] = ("answer",) * 6 + (
        "ring_out", "refuse", "busy", "dead", "gone", "blink", "forward",
    )  # fmt: skip
    unregister: float = 0.0  # per agent, once
    elsewhere: float = 0.0  # a call of his own
    commands: int = 0  # log-ins, log-outs, pauses
    personal: int = 0  # agents who have their mobile rung, or their phone again
    seats: int = 0  # log-ins at another's phone or a spare one, and what else is asked for at a phone
    reloads: int = 0
    supervisor: int = 0  # what people ask of queues and of callers who wait
    tapers: int = 0  # what people ask of recordings
    outages: int = 0
    crashes: int = 0  # of the PBX
    kills: int = 0
    transfer: float = 0.3
    ways: tuple[str, ...] = WAYS
    patience: float = 60.0
    # misbehaviour, which may cause oddities
    lose_redirect: float = 0.0
    refuse_redirect: float = 0.0
    lose_event: float = 0.0
    repeat_event: float = 0.0
    drop: int = -1  # the number of the one event that is lost
    sweeps: float = 0.0  # seconds between two

    @property
    def fair(self) -> bool:
        lost = self.lose_redirect or self.lose_event or self.drop >= 0
        return not (lost or self.refuse_redirect or self.repeat_event)

    @property
    def calm(self) -> bool:
        """Nothing is missed: the account must equal the truth."""
        return self.fair and not self.outages and not self.kills and not self.crashes


@dataclass
class Channel:
    id: str
    name: str
    linked: str
    born: float
    context: str = ""
    exten: str = "s"
    bridge: str = ""
    up: bool = True
    caller: str = ""
    parked: bool = False
    variables: dict[str, str] = field(default_factory=dict)


@dataclass
class Caller:
    channel: Channel
    queue: str
    priority: int
    step: int = 0  # what was scheduled for an earlier step is void
    dying: bool = False
    asked: bool = False  # the far end has hung up
    moved: float = -9.0  # when he was redirected last
    moving: bool = False  # and has not arrived
    leg: Leg | None = None
    rung: list[Leg] = field(default_factory=list)  # by the Dial that is going on
    busy: bool = False  # one of them was
    confirming: Leg | None = None  # whom Dial waits for: he has picked up, and is asked to press 1
    party: Guest | None = None  # to whom he was passed on: his phone rings, or they talk
    since: float = 0.0
    tries: int = 0
    in_hold: float = 0.0
    answered: bool = False
    taped: bool = False  # a recording runs on his channel
    muted: bool = False  # ... and writes silence

    @property
    def id(self) -> str:
        return self.channel.id


@dataclass
class Leg:
    channel: Channel
    caller: Caller
    offer: str
    phone: Phone
    rang: bool = False
    over: bool = False
    asking: Asking | None = None
    passed: bool = False  # he has passed the caller on

    @property
    def by_personal(self) -> bool:
        return self.phone.personal


@dataclass
class Phone:
    device: str
    personal: bool = False  # a mobile: Asterisk knows no state of it
    registered: bool = True
    elsewhere: bool = False
    leg: Leg | None = None
    guests: list[Guest] = field(default_factory=list)  # other channels of his
    shown: str = "NOT_INUSE"

    def state(self) -> str:
        if not self.registered:
            return "UNAVAILABLE"
        calls = [one.channel for one in (self.leg, *self.guests) if one is not None]
        if calls:
            return "INUSE" if any(channel.up for channel in calls) else "RINGING"
        return "INUSE" if self.elsewhere else "NOT_INUSE"


class Simulator(Passing, Tapers):
    """``run()`` plays one history to its end; ``watch.faults`` says what was wrong with it."""

    new_channel = Channel

    def __init__(self, seed: int, weather: Weather, plan: Plan = SITE) -> None:
        self.random = random.Random(seed)
        self.weather = weather
        self.plan = self.site = plan
        self.t = 0.0
        self.serial = 0
        self.todo: list[tuple[float, int, Callable[[], None]]] = []
        self.callers: dict[str, Caller] = {}
        self.legs: dict[str, Leg] = {}
        self.guests: dict[str, Guest] = {}
        self.held: set[str] = set()  # channels that hold their other party, as far as was told
        self.resumed: dict[str, float] = {}  # channel -> when it did last
        self.talked: dict[str, float] = {}  # the truth about each caller's talk with agents, in seconds
        self.counted = 0.0  # ... up to then
        self.phones = {a.device: Phone(a.device) for a in plan.agents.values()}
        self.mobiles = {
            device: Phone(device, personal=True)
            for a in plan.agents.values()
            for device in a.personal.values()
        }
        if weather.seats:
            self.phones["PJSIP/spare"] = Phone("PJSIP/spare")
        self.link = False
        self.link_up_at = 0.0
        self.swept = -9.0
        self.logged_in = False  # to AMI: events are kept, or delivered
        self.alive = True
        self.alive_seen = 0.0
        self.buffer: list[i.Input] | None = None
        self.session = 0  # what is under way belongs to one AMI session
        self.run_no = 0
        self.lanes: dict[str, float] = {}
        self.unsure: set[str] = set()  # callers whom an agent has left alone for a moment that nobody saw
        self.began = EPOCH - 1000.0
        self.in_flight = 0
        self.events = 0
        self.lost: i.Input | None = None  # the last one
        self.drift: list[e.Drift] = []
        self.memory = Memory()
        self.watch = Watch(self)
        self.board = Switchboard(plan, "r0")
        self.board.restore(self.memory, EPOCH, START)
        self.script: list[tuple[str, Plan, float, list[tuple[i.Input, float]]]] = []
        self.spoken: list[list[e.Effect]] = []
        self._open_script()

    @property
    def all_seen(self) -> bool:
        """No talk can have gone by unseen. (A reload makes agents of strangers, and strangers of agents; and
        somebody else is at the phone of one who has a call at his mobile.)"""
        return self.weather.calm and not (self.weather.reloads or self.weather.seats or self.weather.personal)

    # -- time

    @property
    def now(self) -> float:
        return START + self.t

    @property
    def at(self) -> float:
        return EPOCH + self.t

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        self.serial += 1
        heapq.heappush(self.todo, (self.t + seconds, self.serial, what))

    def ms(self, most: float = 4.0) -> float:
        """A little delay; now and then a long one, often none."""
        kind = self.random.random()
        if kind < 0.2:
            return 0.0
        return self.random.uniform(0, most if kind < 0.95 else most * 60) / 1000

    def chance(self, p: float) -> bool:
        return p > 0 and self.random.random() < p

    def lane(self, name: str) -> float:
        """Delay of the next message on an ordered connection."""
        due = max(self.lanes.get(name, 0.0), self.t + self.ms())
        self.lanes[name] = due
        return due - self.t

    def run(self) -> Simulator:
        self._set_out()
        idle = 0
        while idle < 3:
            due = self.board.next_deadline() if self.alive else None
            tick = None if due is None else max(self.t, due - START)
            if self.todo and (tick is None or self.todo[0][0] <= tick):
                self.t, _, what = heapq.heappop(self.todo)
                what()
            elif tick is not None:
                self.t = tick
                self.deliver(i.Tick(self.at))
            else:
                # all quiet: one last look at the truth ends what was missed
                idle += 1
                self.t += 100.0
                self.deliver(i.LinkUp(self.at, self.snapshot()))
                if not self.board.world.calls and not self.board.world.offers:
                    break
            if len(self.spoken) > 200_000 or self.t > 50_000:
                self.watch.fault("does not come to an end")
                break
            if self.watch.faults:
                break
        self.watch.drained()
        return self

    # -- the daemon

    def _open_script(self) -> None:
        self.script.append((json.dumps(self.memory.dump()), self.plan, self.t, []))

    def deliver(self, event: i.Input, then_die: bool = False) -> None:
        if not self.alive:
            return
        if isinstance(event, i.LegHeld):
            self.heard_held(event)
        self.script[-1][-1].append((event, self.now))
        effects = self.board.handle(event, self.now)
        self.spoken.append(effects)
        for effect in effects:
            if isinstance(effect, e.Append):
                self.memory.apply(effect.record)
        self.watch.see(event, effects)
        if then_die:
            self.die()
            return
        for effect in effects:
            self.perform(effect)

    def perform(self, effect: e.Effect) -> None:
        session = self.session
        match effect:
            case (
                e.PlaceOffer()
                | e.MoveOut()
                | e.PlayOut()
                | e.TellQueue()
                | e.DropLeg()
                | e.DropCall()
                | e.LookAt()
            ):
                if self.link:
                    self.in_flight += 1
                    self.after(self.lane("out"), lambda: self._arrive(effect, session))
                elif isinstance(effect, e.PlaceOffer | e.MoveOut | e.PlayOut):
                    self.agi(lambda: self._failed(effect))
            case e.Announce():
                if self.link:
                    self.in_flight += 1
                    self.after(self.lane("out"), lambda: self._arrive(effect, session))
            case e.MuteRecording() | e.StartRecording():
                self.to_recorder(effect)
            case e.SweepAgain():
                self.after(2.0, self.sweep)
            case e.Drift():
                self.drift.append(effect)
            case e.LookUpCustomer():
                customer, priority = self.random.choice(((None, 0), (7, 7)))
                found = i.CustomerFound(0, effect.call, customer, "Zoë", priority)
                if customer is not None and any(q.owner or q.last_agent for q in self.plan.queues.values()):
                    his = self.random.choices(("", *self.plan.agents, "one who has gone"), k=2)
                    found = replace(found, owner=his[0], last_agent=his[1])
                self.agi(lambda: replace(found, at=self.at))
            case _:
                pass

    def _failed(self, effect: e.PlaceOffer | e.MoveOut | e.PlayOut) -> i.MoveFailed:
        offer = effect.offer if isinstance(effect, e.PlaceOffer) else ""
        return i.MoveFailed(self.at, effect.call, offer, "refused")

    def _arrive(self, effect: e.Effect, session: int) -> None:
        """An action reaches the PBX, if its connection still stands (or if it was quick enough)."""
        self.in_flight -= 1
        if session != self.session and (self.logged_in or self.random.random() < 0.5):
            return
        match effect:
            case e.PlaceOffer() | e.MoveOut() | e.PlayOut():
                self.redirect(effect)
            case e.TellQueue():
                self._told_queue(effect)
            case e.Announce():
                caller = self.callers.get(effect.call)
                if caller is not None:
                    caller.channel.variables["CCB_SAY"] = f"{effect.position}-{effect.minutes}"
            case e.DropCall():
                caller = self.callers.get(effect.call)
                if caller is not None and not caller.dying:
                    self.watch.dropped(caller)
                    self.next_step(caller, self.ms(), self.end)
            case e.DropLeg():
                leg = self.legs.get(effect.leg)
                if leg is not None and leg in leg.caller.rung:
                    self.dial_over(leg, 16, "NOANSWER")
                elif leg is not None and leg is leg.caller.confirming:
                    self.not_taken(leg)
                elif leg is not None and not leg.over:
                    self.talking(leg, 0.0, lambda: self.agent_ends(leg))  # answered in that moment
            case e.LookAt():
                place = self.place_of(effect.call)
                self.in_flight += 1

                def answer() -> None:
                    self.in_flight -= 1
                    if session == self.session and self.alive:
                        self.deliver(i.CallLooked(self.at, effect.call, place))

                # it takes a way of its own through the daemon: what was sent after it may be first
                self.after(self.lane("in") + self.ms(), answer)

    def _told_queue(self, effect: e.TellQueue) -> None:
        caller = self.callers.get(effect.call)
        if caller is not None:
            caller.queue, caller.priority, caller.since = effect.queue, effect.priority, effect.since
            caller.channel.variables |= {
                "CCB_QUEUE": effect.queue,
                "CCB_PRIORITY": str(effect.priority),
                "CCB_SINCE": str(effect.since),
            }

    def ami(self, event: i.Input) -> None:
        """The PBX says something. Without a session nobody hears it."""
        self.events += 1
        if not self.logged_in or self.events == self.weather.drop or self.chance(self.weather.lose_event):
            self.lost = event
            return
        for _ in range(2 if self.chance(self.weather.repeat_event) else 1):
            if self.buffer is not None:
                self.buffer.append(event)
            else:
                self._send(event)

    def _send(self, event: i.Input) -> None:
        session = self.session
        self.in_flight += 1

        def arrive() -> None:
            self.in_flight -= 1
            if session == self.session:
                self.deliver(event, then_die=self.dies_now())

        self.after(self.lane("in"), arrive)

    def agi(
        self, make: Callable[[], i.Input], then: Callable[[], None] | None = None, lane: str = ""
    ) -> None:
        """Something reaches the daemon by another way than AMI; no order but within a conversation."""
        run = self.run_no
        self.in_flight += 1

        def arrive() -> None:
            self.in_flight -= 1
            if run == self.run_no and self.alive:
                self.deliver(make(), then_die=self.dies_now())
                if then is not None and run == self.run_no:
                    then()

        self.after(self.lane(lane) if lane else self.ms(10), arrive)

    def keep_sweeping(self) -> None:
        self.sweep()
        if self.callers or self.t < self.weather.span or self.board.world.calls or self.board.world.offers:
            self.after(self.weather.sweeps, self.keep_sweeping)

    def sweep(self) -> None:
        """A snapshot while all goes on: events that were before it may come after it."""
        if not self.link or self.t - self.swept < 0.5:
            return  # two in a row are never so close that one event is late for both
        self.swept = self.t
        session, shot = self.session, self.snapshot()
        self.in_flight += 1

        def arrive() -> None:
            self.in_flight -= 1
            if session == self.session:
                self.deliver(i.Swept(self.at, shot))
                self.watch.swept(shot, self.spoken[-1])

        self.after(self.ms(10) if self.random.random() < 0.5 else self.lane("in"), arrive)

    # -- outages

    def cut(self) -> None:
        """The session ends, settled or not: what was kept of a log-in that is under way goes with it."""
        if not self.logged_in:
            return
        self.session += 1
        self.link = self.logged_in = False
        self.buffer = None
        if self.alive:
            self.deliver(i.LinkDown(self.at, "cut"))
        self.after(self.random.choice((0.05, 1.0, 8.0, 45.0)) * self.random.random(), self.connect)

    def crash(self) -> None:
        """The PBX is gone and back: no channel is left, and nobody told."""
        self.nobody_is_left()
        for caller in self.callers.values():
            caller.step += 1
            caller.dying = True
            self.watch.truth_ended(caller)
        self.callers.clear()
        self.began = self.at + 0.01
        self.cut()

    def nobody_is_left(self) -> None:
        """Of all channels but the callers'."""
        self.count()
        for leg in self.legs.values():
            leg.over, leg.asking = True, None
            leg.channel.bridge = ""
        self.legs.clear()
        self.guests.clear()
        for phone in (*self.phones.values(), *self.mobiles.values()):
            phone.leg = None
            phone.guests.clear()
            phone.shown = phone.state()

    def connect(self) -> None:
        """Log in, keep events, take a snapshot, tell of it, then of the events kept."""
        if self.logged_in or not self.alive:
            return
        self.session += 1
        self.logged_in, self.buffer = True, []
        self.alive_seen = self.t
        session = self.session

        def take() -> None:
            shot = replace(self.snapshot(), started=self.began)

            def tell() -> None:
                if session != self.session or not self.alive:
                    return
                self.link, self.link_up_at = True, self.t
                kept, self.buffer = self.buffer or [], None
                self.deliver(i.LinkUp(self.at, shot))
                for event in kept:
                    self.deliver(event)

            self.after(self.ms(10), tell)

        self.after(self.ms(10), take)

    def kill(self) -> None:
        """kill -9, now or in the middle of the next decision: written, and nothing of it done."""
        self.kill_next = True
        self.after(3.0, lambda: self.die() if self.kill_next else None)

    kill_next = False

    def dies_now(self) -> bool:
        return self.kill_next and self.random.random() < 0.3

    def die(self) -> None:
        self.kill_next = False
        if not self.alive:
            return
        self.alive = self.link = self.logged_in = False
        self.session += 1
        self.run_no += 1
        self.buffer = None
        for caller in list(self.callers.values()):
            if caller.channel.context == "ccbridge-in" and not caller.dying:
                # his AGI broke off: before or after the menu's end had been written on the channel
                if self.chance(0.2):
                    self.menu_says(caller)
                ended = caller.channel.variables["CCB_STATUS"] == "queue"
                self.next_step(caller, 0.01, self.hold if ended else self.ask)
        self.after(self.random.choice((0.5, 4.0, 40.0)) * self.random.random() + 0.1, self.start)

    def start(self) -> None:
        self.alive = True
        self.memory = Memory(json.loads(json.dumps(self.memory.dump())))
        self.board = Switchboard(self.plan, f"r{self.run_no}")
        self.board.restore(self.memory, self.at, self.now)
        self._open_script()
        self.watch.restarted()
        self.connect()

    def place_of(self, channel: str) -> i.Place | None:
        caller = self.callers.get(channel)
        return self._place(caller.channel) if caller is not None else None

    def _place(self, c: Channel) -> i.Place:
        return i.Place(
            c.id, c.name, c.linked, c.context, c.exten, c.bridge, self.t - c.born, c.up, c.caller,
            variables=dict(c.variables), parked=c.parked,
        )  # fmt: skip

    def snapshot(self) -> i.Snapshot:
        channels = self.channels()
        self.random.shuffle(channels)
        return i.Snapshot(
            tuple(self._place(c) for c in channels), {p.device: p.state() for p in self.phones.values()}
        )

    # -- what happens by itself

    def _set_out(self) -> None:
        w, rnd = self.weather, self.random
        self.connect()
        if w.sweeps:
            self.after(w.sweeps, self.keep_sweeping)
        for agent in self.plan.agents:
            self.after(rnd.uniform(0, 5), lambda agent=agent: self.command(i.LogIn, agent))
        for n in range(w.callers):
            self.after(rnd.uniform(1, w.span), lambda n=n: self.arrive(n))
        for phone in self.phones.values():
            if self.chance(w.unregister):
                self.after(rnd.uniform(1, w.span), lambda phone=phone: self.unregister(phone))
            if self.chance(w.elsewhere):
                self.after(rnd.uniform(1, w.span), lambda phone=phone: self.elsewhere(phone))
        for _ in range(w.commands):
            self.after(rnd.uniform(5, w.span), self.some_command)
        for _ in range(w.seats):
            self.after(rnd.uniform(5, w.span), self.at_a_phone)
        for _ in range(w.personal):
            device = rnd.choice(("mobile", "mobile", "mobile", "", "boat"))
            agent = rnd.choice([*self.plan.agents])
            self.after(
                rnd.uniform(5, w.span),
                lambda agent=agent, device=device: self.command(i.UsePersonal, agent, device, "sue", "cli"),
            )
        for _ in range(w.supervisor):
            self.after(rnd.uniform(5, w.span), self.supervise)
        for _ in range(w.tapers):
            self.after(rnd.uniform(5, w.span * 1.2), self.tape)
        for _ in range(w.reloads):
            self.after(rnd.uniform(5, w.span), self.reload)
        for _ in range(w.crashes):
            self.after(rnd.uniform(0, w.span), self.crash)
        for _ in range(w.outages):
            self.after(rnd.uniform(5, w.span * 1.3), self.cut)
        for _ in range(w.kills):
            self.after(rnd.uniform(5, w.span * 1.3), self.kill)
        self.after(1.0, self.probe)

    def probe(self) -> None:
        self.watch.probe()
        if self.callers or self.t < self.weather.span * 1.4:
            self.after(1.0, self.probe)
            return
        if not self.link and self.alive and not self.logged_in:
            self.connect()

    def command(self, kind: Callable[..., i.Input], agent: str, *more: str) -> None:
        self.agi(lambda: kind(self.at, agent, *more, self.random.randrange(10**6)))

    def some_command(self) -> None:
        agent = self.random.choice([*self.plan.agents, "nobody"])
        pick = self.random.randrange(6)
        if pick == 0:
            self.command(i.LogOut, agent)
            self.after(self.random.uniform(0, 40), lambda: self.command(i.LogIn, agent))
        elif pick <= 2:
            self.command(i.Pause, agent, self.random.choice(("break", "lunch", "fishing")))
            self.after(self.random.uniform(0, 40), lambda: self.command(i.Unpause, agent))
        elif pick == 3:
            self.command(i.LogIn, agent)
        else:
            self.agi(lambda: i.OutcomeKeyed(self.at, "3", 7, device=f"PJSIP/{agent}"))

    def at_a_phone(self) -> None:
        rnd = self.random
        agent, request = rnd.choice([*self.plan.agents]), rnd.randrange(10**6)
        device = rnd.choice([*self.phones, *self.phones, "PJSIP/nowhere"])
        seconds = rnd.uniform(1, 8)
        in_wrap_up = [one.id for one in self.board.world.agents.values() if one.wrap_due is not None]
        if in_wrap_up and self.chance(0.5):
            agent = rnd.choice(in_wrap_up)
            if self.chance(0.7):
                self.agi(lambda: i.WrapUpExtend(self.at, agent, seconds, request))
            else:
                self.agi(lambda: i.WrapUpEnd(self.at, agent, request))
        else:
            self.agi(lambda: i.LogIn(self.at, agent, request, device))

    def supervise(self) -> None:
        """Somebody at a terminal, now and then about what is not there any more."""
        rnd = self.random
        queue = rnd.choice([*self.site.queues, "nowhere"] if self.chance(0.1) else [*self.site.queues])
        rest = ("sue", rnd.randrange(10**6))
        if self.chance(0.4):
            kind = rnd.choice((i.QueuePause, i.QueueDrain, i.QueueSet, i.QueueSet))
            if kind is not i.QueueSet:
                self.agi(lambda: kind(self.at, queue, *rest))
                self.after(rnd.uniform(1, 25), lambda: self.agi(lambda: i.QueueResume(self.at, queue, *rest)))
                return
            values = {
                "ring": (4.0, 9.0), "wrap_up": (0.0, 3.0), "max_wait": (15.0, 70.0), "priority": (-4, 8),
                "strategy": ("linear", "longest_idle"), "name": ("x",),
            }  # fmt: skip
            key = rnd.choice([*values])
            value = rnd.choice((*values[key], None))
            self.agi(lambda: i.QueueSet(self.at, queue, key, value, *rest))
            return
        calls = self.board.world.calls
        held = [one.account for one in calls.values() if one.state.value == "holding"]
        call = rnd.choice([*(held or [one.account for one in calls.values()]), "1700.none"])
        free = sorted(self.board.world.free)
        agent = rnd.choice(free if free and self.chance(0.8) else [*self.site.agents, "nobody"])
        target = rnd.choice(("55", "56"))
        event: Callable[[], i.Input] = rnd.choice(
            (
                lambda: i.CallPull(self.at, call, agent, *rest),
                lambda: i.CallPull(self.at, call, agent, *rest),
                lambda: i.CallMove(self.at, call, queue, *rest),
                lambda: i.CallPriority(self.at, call, rnd.choice((-9, 3, 20)), *rest),
                lambda: i.CallRedirect(self.at, call, target, *rest),
                lambda: i.CallHangup(self.at, call, *rest),
            )
        )
        self.agi(event)

    def reload(self) -> None:
        rnd, plan = self.random, self.plan
        queues = {
            name: replace(
                queue,
                ring=rnd.choice((4.0, 8.0)),
                wrap_up=rnd.choice((0.0, 5.0)),
                announce=rnd.choice((None, self.site.queues[name].announce, Announce(wait=False))),
            )
            for name, queue in plan.queues.items()
        }
        agents = dict(plan.agents)
        if any(queue.rules != (Rule(),) for queue in self.site.queues.values()):
            queues = {
                name: replace(queue, rules=rnd.choice((self.site.queues[name].rules, (Rule(),))))
                for name, queue in queues.items()
            }
        name = rnd.choice([*self.site.agents])
        agents.pop(name, None)
        if rnd.random() < 0.7:
            agents[name] = replace(
                self.site.agents[name], queues=tuple(q for q in queues if rnd.random() < 0.7) or ("sales",)
            )
            self.after(2.0, lambda: self.command(i.LogIn, name))
        agents = {name: agents[name] for name in self.site.agents if name in agents}
        self.plan = replace(plan, queues=queues, agents=agents)
        fresh = self.plan
        self.agi(lambda: i.PlanLoaded(self.at, fresh))

    def unregister(self, phone: Phone) -> None:
        phone.registered = False
        self.show(phone)

        def back() -> None:
            phone.registered = True
            self.ami(i.ContactSeen(self.at, phone.device))
            self.show(phone)

        self.after(self.random.uniform(0.5, 40), back)

    def elsewhere(self, phone: Phone) -> None:
        phone.elsewhere = True
        self.show(phone)

        def over() -> None:
            phone.elsewhere = False
            self.show(phone)

        self.after(self.random.uniform(0.5, 30), over)

    def show(self, phone: Phone) -> None:
        state = phone.state()
        if state != phone.shown and not phone.personal:
            phone.shown = state
            self.ami(i.DeviceChanged(self.at, phone.device, state))

    # -- a caller in the dialplan

    def next_step(self, caller: Caller, delay: float, what: Callable[[Caller], None]) -> None:
        """The channel's one thread: whatever it had planned before is void."""
        caller.step += 1
        step = caller.step

        def go() -> None:
            if caller.step == step and caller.id in self.callers:
                what(caller)

        self.after(delay, go)

    def arrive(self, n: int) -> None:
        ident = f"1700.{n}"
        queue = self.random.choice([*self.site.queues])
        channel = Channel(ident, f"PJSIP/trunk-{n:08x}", ident, self.t, "ccbridge-in", "menu", caller="0301")
        channel.variables |= {"CCB_CALL": ident, "CCB_STATUS": ""}
        caller = Caller(channel, queue, self.random.choice((0, 0, 0, 5)))
        self.callers[ident] = caller
        self.next_step(caller, self.ms(), self.ask)
        patience = self.weather.patience
        leave = self.random.choice((self.random.uniform(0, 3), self.random.uniform(3, patience), 500.0))
        self.after(leave, lambda: self.hang_up(caller))

    def ask(self, caller: Caller) -> None:
        """AGI: the menu. A daemon that is not there is asked again, then comes the fallback."""
        caller.channel.variables["CCB_STATUS"] = ""
        if not self.alive:
            caller.tries += 1
            again = self.fall_back if caller.tries > 2 else self.ask
            self.next_step(caller, 2.0, again)
            return
        caller.channel.context, caller.channel.exten = "ccbridge-in", "menu"
        kind = self.random.choice(("e164", "anonymous"))
        e164 = "+4930100" if kind == "e164" else None
        self.agi(lambda: i.CallArrived(self.at, caller.id, "100", kind, e164, "0301", "Z"), lane=caller.id)
        stay = self.random.uniform(0.2, 5)
        self.next_step(caller, stay, self.menu_done)
        step = caller.step

        def stepped() -> None:
            if caller.step == step:
                self.agi(lambda: i.MenuStepped(self.at, caller.id, "top", "1"), lane=caller.id)

        self.after(stay * self.random.random(), stepped)

    def menu_done(self, caller: Caller) -> None:
        if self.chance(0.1):
            target = self.random.choice(("55", ""))
            ended = i.FlowEnded(self.at, caller.id, "transfer" if target else "hangup")
            leave = (lambda c: self.leave(c, "55")) if target else self.end
            self.agi(lambda: ended, lambda: self.next_step(caller, self.ms(), leave), lane=caller.id)
            return
        self.menu_says(caller)
        told = i.CallQueued(self.at, caller.id, caller.queue, caller.priority)

        def gone_on() -> None:
            if self.watch.has_open(caller.id):  # else his hang-up was told before this
                caller.answered = False  # another stint, if it is not the first
            if not caller.dying:
                self.next_step(caller, self.ms(), self.hold)

        self.agi(lambda: told, gone_on, lane=caller.id)

    def menu_says(self, caller: Caller) -> None:
        """Where it ended is on the channel first, and told then."""
        caller.since = self.at
        caller.channel.variables |= {
            "CCB_QUEUE": caller.queue,
            "CCB_PRIORITY": str(caller.priority),
            "CCB_SINCE": str(caller.since),
            "CCB_STATUS": "queue",
        }

    def hold(self, caller: Caller) -> None:
        c = caller.channel
        c.context, c.exten = "ccbridge-hold", "s"
        c.variables.pop("CCB_SAY", None)
        caller.moving = False
        caller.in_hold = self.t
        # the step has begun, its event is a moment away: a look in between is legal
        self.next_step(caller, self.random.choice((0.0, 0.0, 0.0005)), self._holding)

    def _holding(self, caller: Caller) -> None:
        since = float(caller.channel.variables["CCB_SINCE"])
        self.ami(i.CallHolding(self.at, caller.id, caller.queue, caller.priority, since, "0301"))
        self.next_step(caller, self.loops(caller), self.hold_loop)

    def loops(self, caller: Caller) -> float:
        """How long the music plays: five seconds, or until he presses a key."""
        if not any(queue.keys for queue in self.site.queues.values()) or not self.chance(0.15):
            return 5.0
        stay = self.random.uniform(0.0, 5.0)
        step = caller.step + 1

        def press() -> None:
            if caller.step == step and caller.id in self.callers and not caller.dying:
                self.ami(i.KeyPressed(self.at, caller.id, self.random.choice("1239")))

        self.after(stay - 0.0001 if stay > 0.0001 else 0.0, press)
        return stay

    def hold_loop(self, caller: Caller) -> None:
        if self.alive and self.logged_in:
            self.alive_seen = self.t
        elif self.t - max(self.alive_seen, caller.in_hold) >= ALIVE_LIMIT:
            self.fall_back(caller)
            return
        # told after the music, which that makes longer: a Redirect ends either
        told = caller.channel.variables.pop("CCB_SAY", "")
        caller.channel.exten = "say" if told else "s"
        self.next_step(
            caller, self.loops(caller) + (self.random.uniform(0, 8) if told else 0.0), self.hold_loop
        )

    def fall_back(self, caller: Caller) -> None:
        caller.channel.context, caller.channel.exten = "ccbridge-fallback", "s"
        self.ami(i.CallInFallback(self.at, caller.id))
        self.next_step(caller, self.random.uniform(1, 30), self.end)

    def leave(self, caller: Caller, target: str) -> None:
        caller.channel.context, caller.channel.exten = "ccbridge-exit", target
        caller.moving = False
        self.ami(i.CallExited(self.at, caller.id, target))
        self.next_step(caller, self.ms(), lambda c: self._site(c, target, self._comes_anew))

    def message(self, caller: Caller) -> None:
        caller.channel.context, caller.channel.exten = "ccbridge-message", "s"
        caller.moving = False
        self.ami(i.CallExited(self.at, caller.id, "message"))
        self.next_step(caller, self.random.uniform(0.5, 8), self.end)

    def _site(self, caller: Caller, target: str, back: Callable[[Caller], None] | None = None) -> None:
        caller.channel.context, caller.channel.exten = "internal", target
        if self.chance(0.2):  # that leads to one of our numbers
            at_once = self.chance(0.3)  # the door's FastAGI may be faster than the AMI that tells he left
            self.next_step(
                caller, self.ms() if at_once else self.random.uniform(1, 20), back or self.comes_again
            )
        else:
            self.next_step(caller, self.random.uniform(1, 200), self.end)

    def _comes_anew(self, caller: Caller) -> None:
        self.comes_again(caller, left=True)

    def comes_again(self, caller: Caller, left: bool = False) -> None:
        """To the door, on the same channel: a new call if the former was closed, or has to be (``left``)."""
        caller.queue, caller.tries = self.random.choice([*self.plan.queues]), 0
        if left or not self.watch.has_open(caller.id):
            self.watch.truth_ended(caller)
            caller.answered = False
        self.ask(caller)

    def end(self, caller: Caller) -> None:
        """The dialplan ends: Hangup()."""
        caller.step += 1
        caller.dying = True
        self.vanish(caller)

    def vanish(self, caller: Caller) -> None:
        if self.callers.pop(caller.id, None) is not None:
            self.watch.truth_ended(caller)
            self.ami(i.ChannelGone(self.at, caller.id, 16))

    def hang_up(self, caller: Caller) -> None:
        """The far end hangs up: asked at once, the channel's thread notices a little later."""
        if caller.id not in self.callers or caller.dying:
            return
        if self.chance(0.8):
            caller.asked = True
            self.ami(i.HangupAsked(self.at, caller.id))
        self.after(self.ms(3), lambda: self._hung_up(caller))

    def _hung_up(self, caller: Caller) -> None:
        if caller.id not in self.callers or caller.dying:
            return
        caller.dying = True
        caller.step += 1
        leg = caller.leg
        if leg is not None and caller.channel.bridge:
            self.unbridge(leg)
            self.stay_for_outcome(leg)
        elif caller.confirming is not None:
            return  # Dial does not see it before he who is asked has decided, or was hung up
        elif caller.rung:
            self.cancel(caller)
        elif caller.party is not None:
            wires = self.wires_of(caller)
            self.leave_bridge(caller.channel)
            self.dismiss(caller.party, *wires)
        self.after(self.ms() if self.chance(0.8) else self.random.uniform(0, 3), lambda: self.vanish(caller))

    # -- offers

    def redirect(self, effect: e.PlaceOffer | e.MoveOut | e.PlayOut) -> None:
        caller = self.callers.get(effect.call)
        if caller is None or caller.dying or self.chance(self.weather.refuse_redirect):
            self.ami(self._failed(effect))
            return
        self.watch.redirected(caller, effect)
        if self.chance(self.weather.lose_redirect):
            if self.chance(0.3):
                self.next_step(caller, self.ms(), self.hold)  # the Goto's target from its first step
            return
        self.cancel(caller)
        if isinstance(effect, e.MoveOut):
            self.next_step(caller, self.ms(1), lambda c: self.leave(c, effect.target))
        elif isinstance(effect, e.PlayOut):
            self.next_step(caller, self.ms(1), self.message)
        else:
            self.next_step(caller, self.ms(1), lambda c: self.offer(c, effect))

    def offer(self, caller: Caller, effect: e.PlaceOffer) -> None:
        caller.channel.context, caller.channel.exten = "ccbridge-offer", effect.offer
        caller.moving = False
        caller.taped, caller.muted = effect.recording is not None, False
        self.ami(i.OfferReached(self.at, caller.id, effect.offer))
        known = self.phones if effect.confirm is None else self.mobiles
        phones = [phone for device in effect.devices if (phone := known[device]).registered]
        if not phones:
            ended = i.OfferEnded(self.at, caller.id, effect.offer, "CHANUNAVAIL", 3)
            self.next_step(caller, self.ms(1), lambda c: self._back(c, ended))
        else:
            self.next_step(caller, self.ms(1), lambda c: self.dial(c, effect, phones))

    def _back(self, caller: Caller, ended: i.OfferEnded) -> None:
        self.ami(replace(ended, at=self.at))
        self.next_step(caller, self.ms(1), self.hold)

    def dial(self, caller: Caller, effect: e.PlaceOffer, phones: list[Phone]) -> None:
        caller.busy = False
        for phone in phones:
            self.dial_one(caller, effect, phone)
        step = caller.step
        self.after(float(effect.ring), lambda: self.rings_out(caller) if caller.step == step else None)

    def rings_out(self, caller: Caller) -> None:
        for leg in list(caller.rung):
            self.dial_over(leg, 0, "NOANSWER")

    def dial_one(self, caller: Caller, effect: e.PlaceOffer, phone: Phone) -> None:
        self.serial += 1
        ident = f"leg.{self.serial}"
        device = "PJSIP/carrier" if phone.personal else phone.device
        channel = Channel(ident, f"{device}-{self.serial:08x}", caller.id, self.t, "phones", up=False)
        self.watch.dialled(phone)
        leg = Leg(channel, caller, effect.offer, phone)
        phone.leg = leg
        caller.rung.append(leg)
        self.legs[ident] = leg
        self.ami(i.LegDialled(self.at, caller.id, effect.offer, ident, device))
        self.show(phone)
        how = "busy" if phone.guests else self.random.choice(self.weather.phones)
        if how not in ("dead", "gone"):
            self.during(leg, self.ms(50), lambda: self._ring(leg))
        end: dict[str, tuple[int, str]] = {
            "refuse": (21, "CHANUNAVAIL"),
            "busy": (17, "BUSY"),
            "gone": (1, "CHANUNAVAIL"),
            "forward": (23, "BUSY"),
        }
        if how in end:
            self.during(leg, self.ms(1500) + 0.3, lambda: self.dial_over(leg, *end[how]))
        elif how in ("answer", "blink"):
            talk = 0.001 if how == "blink" else self.random.uniform(1, 25)
            pick_up = self.answer if effect.confirm is None else self.pick_up
            self.during(leg, self.random.uniform(0.3, effect.ring - 1), lambda: pick_up(leg, talk))

    def during(self, leg: Leg, delay: float, what: Callable[[], None]) -> None:
        """While the leg is being dialled."""
        self.after(delay, lambda: None if leg.over or leg.channel.up else what())

    def _ring(self, leg: Leg) -> None:
        leg.rang = True
        self.ami(i.LegRinging(self.at, leg.channel.id))

    def dial_over(self, leg: Leg, cause: int, status: str) -> None:
        """Unanswered: the leg's end and, if it was the last, Dial's result, in either order."""
        leg.over = True
        caller = leg.caller
        caller.rung.remove(leg)
        caller.busy |= status == "BUSY"
        if self.random.random() < 0.5:
            self.leg_gone(leg, cause)
        else:
            self.after(self.ms(2), lambda: self.leg_gone(leg, cause))
        status = "BUSY" if caller.busy and status != "NOANSWER" else status
        ended = i.OfferEnded(self.at, caller.id, leg.offer, status, cause)
        if not caller.dying and not caller.rung:
            self.next_step(caller, self.ms(1), lambda c: self._back(c, ended))

    # -- a personal device, picked up

    def pick_up(self, leg: Leg, talk: float) -> None:
        """By him or by a voicemail: Dial's ring time counts no more, and he is asked to press 1."""
        caller = leg.caller
        if caller.dying:
            return
        caller.step += 1
        caller.rung.remove(leg)
        leg.channel.up = True
        self.ami(i.LegAsked(self.at, leg.channel.id))
        self.confirm(leg, talk)

    def confirm(self, leg: Leg, talk: float) -> None:
        """He who has it presses 1, or another key, or nothing, or hangs up."""
        caller = leg.caller
        caller.confirming = leg
        seconds = self.plan.confirm.seconds

        def asked(delay: float, what: Callable[[], None]) -> None:
            self.after(delay, lambda: what() if caller.confirming is leg else None)

        def declines() -> None:
            self.ami(i.LegDeclined(self.at, leg.channel.id))
            self.not_taken(leg)

        def hangs_up() -> None:
            self.ami(i.HangupAsked(self.at, leg.channel.id))
            self.not_taken(leg)

        asked(seconds, lambda: self.not_taken(leg))
        what = self.random.choice((*(lambda: self.taken(leg, talk),) * 3, declines, hangs_up, lambda: None))
        asked(self.random.uniform(0.1, seconds - 0.5), what)

    def taken(self, leg: Leg, talk: float) -> None:
        caller = leg.caller
        if caller.dying:
            self.not_taken(leg)
            return
        caller.confirming = None
        caller.rung.append(leg)
        self.answer(leg, talk)

    def not_taken(self, leg: Leg) -> None:
        """Dial calls it busy; the leg's own end says nothing of why."""
        caller = leg.caller
        caller.confirming = None
        if caller.dying:
            leg.over = True
            self.after(self.ms(), lambda: self.leg_gone(leg, 16))
            self.after(self.ms(), lambda: self.vanish(caller))
        else:
            caller.rung.append(leg)
            self.dial_over(leg, 16, "BUSY")

    def cancel(self, caller: Caller, cause: int = 16) -> None:
        """Whoever is being rung for him is not any more."""
        if caller.confirming is not None:
            caller.rung.append(caller.confirming)
            caller.confirming = None
        for leg in caller.rung:
            leg.over = True
            self.after(self.ms(), lambda leg=leg: self.leg_gone(leg, cause))
        caller.rung = []

    def leg_gone(self, leg: Leg, cause: int) -> None:
        if self.legs.pop(leg.channel.id, None) is None:
            return
        leg.over = True
        self.leave_bridge(leg.channel)
        self.ami(i.ChannelGone(self.at, leg.channel.id, cause))
        if leg.phone.leg is leg:
            leg.phone.leg = None
        self.show(leg.phone)

    # -- talk

    def answer(self, leg: Leg, talk: float) -> None:
        caller = leg.caller
        if caller.dying:
            return
        caller.step += 1
        leg.channel.up = True
        caller.rung.remove(leg)
        caller.leg = leg
        if self.random.random() < 0.5:
            self.cancel(caller, 26)
        bridge = f"b{self.serial}"
        caller.answered = caller.answered or not caller.asked
        channels = [caller.channel, leg.channel]
        self.random.shuffle(channels)
        for channel in channels:
            self.enter(channel, bridge)
        self.cancel(caller, 26)
        self.show(leg.phone)
        if self.chance(0.2):
            self.talking(leg, talk * 0.3, lambda: self.hold_leg(leg.channel))
            self.talking(leg, talk * 0.6, lambda: self.resume_leg(leg.channel))
        if talk > 0.5 and self.chance(self.weather.transfer):
            way = self.random.choice(self.weather.ways)
            self.talking(leg, talk * 0.7, lambda: self.pass_on(caller, leg, way))
        if self.random.random() < 0.5:
            self.talking(leg, talk, lambda: self.agent_ends(leg))
        else:
            self.talking(leg, talk, lambda: self.hang_up(caller))

    def talking(self, leg: Leg, delay: float, what: Callable[[], None]) -> None:
        def go() -> None:
            if leg.channel.bridge and not leg.caller.dying and not leg.passed and leg.asking is None:
                what()

        self.after(delay, go)

    def unbridge(self, leg: Leg) -> None:
        caller = leg.caller
        channels = [caller.channel, leg.channel]
        self.random.shuffle(channels)
        self.leave_bridge(*channels)
        if leg.asking is not None:
            self.dismiss(leg.asking.target, *leg.asking.wires)
        caller.leg = leg.asking = None

    def stay_for_outcome(self, leg: Leg) -> None:
        """The caller has gone; his agent is asked for the outcome, on the same leg."""
        stay = self.random.choice((0.0, self.random.uniform(0, 8)))
        if stay > 1:
            digit = self.random.choice("1239")
            keyed = i.OutcomeKeyed(self.at, digit, 1, offer=leg.offer)
            self.after(stay / 2, lambda: self.agi(lambda: replace(keyed, at=self.at)))
        self.after(stay + self.ms(), lambda: self.leg_gone(leg, 16))

    def agent_ends(self, leg: Leg) -> None:
        caller = leg.caller
        caller.asked = True  # his end has begun
        self.ami(i.HangupAsked(self.at, leg.channel.id))
        self.unbridge(leg)
        returned = i.OfferEnded(self.at, caller.id, leg.offer, "ANSWER", 16)
        if self.random.random() < 0.5:
            self.leg_gone(leg, 16)
        else:
            self.after(self.ms(2), lambda: self.leg_gone(leg, 16))

        def go_on(c: Caller) -> None:
            self.ami(replace(returned, at=self.at))
            self.next_step(c, self.ms(), self.end)

        self.next_step(caller, self.ms(2), go_on)


def replayed(sim: Simulator) -> list[list[e.Effect]]:
    """The same inputs once more, on fresh switchboards."""
    spoken = []
    for run, (memory, plan, t, inputs) in enumerate(sim.script):
        board = Switchboard(plan, f"r{run}")
        board.restore(Memory(json.loads(memory)), EPOCH + t, START + t)
        spoken += [board.handle(event, now) for event, now in inputs]
    return spoken
