"""How long a waiting caller will wait until he is answered, from what is known at this moment.

For one queue with n equal agents and k callers ahead this is (k + 1) / (n mu), which is the mean of the wait
when talks are exponential: the *queue-length* predictor of W. Whitt, "Predicting queueing delays", Management
Science 45 (1999), 870-888; R. Ibrahim and W. Whitt, "Real-time delay estimation based on delay history",
M&SOM 11 (2009), 397-415, find none better that does not know more. Here it has several queues, skills that
relax, wrap-up and ringing.

Callers ahead are taken by agents as a fluid is: an agent who is free in ten minutes' mean serves a tenth of a
caller a minute. Those ahead are *tanks*, one for each line, of those who come before him in the one order of
all queues. Each agent's share goes to the tanks that he may take, in proportion to what is left in them, and
to our caller when those are empty. He is served when a whole unit has come to him.

- Talks are taken as exponential: how long one has lasted says nothing of how long it will last, the mean
  residual is the mean. A mean is all that is known of them, and to take each residual as the mean for itself
  would have n agents free at once after it, not the first of them after an n-th: so they are rates.
- Wrap-up and cool-down have an end, so that agent is a whole unit at that moment.
- Who is paused, logged out, unreachable, or in a call of his own counts for nobody, nor who will pause or
  leave after his talk.
- A line ahead relaxes as a whole, when the caller in its middle does; he himself when he does.
- Nobody ahead is taken to hang up, and nobody of a higher priority to come: the first makes the real wait
  shorter, the second longer. The report's mean error shows by how much.

Bounded: of the agents who may take him, and of the others, every n-th one is looked at and counts n times
where there are more than ``MOST_AGENTS``; after ``MOST_STEPS`` the rest is reckoned from the rates as they
stand then.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass

from ccbridge.core import skills
from ccbridge.core.acd import Line
from ccbridge.core.agents import Agent
from ccbridge.core.calls import Call, Wish
from ccbridge.core.pace import Pace
from ccbridge.core.world import World

MOST_AGENTS = 20
MOST_STEPS = 15
NEVER = float("inf")
NOTHING = 1e-9  # of a caller: what arithmetic leaves over


@dataclass(slots=True)
class _Tank:
    """Callers ahead in one line, or (the last tank) our caller himself."""

    queue: str
    left: float  # how many are not served yet
    queued_at: float  # of the one in the middle, epoch seconds
    ever: frozenset[str] = frozenset()  # who may take them now or later
    may: frozenset[str] = frozenset()  # who may take them now
    relaxes: float = NEVER  # seconds from now
    wish: Wish | None = None  # until then they wait for one agent alone


@dataclass(slots=True)
class _Supply:
    """One agent, or several alike: what comes of him, from ``unit`` or ``start`` on (seconds from now)."""

    agent: str
    rate: float  # callers a second, once ``start`` has come
    start: float
    unit: float  # a whole agent becomes free then; NEVER for one who talks
    weight: float  # how many agents this one stands for
    tanks: tuple[int, ...] = ()
    spare: float = 0.0  # what came when there was nobody to take


def position(w: World, call: Call) -> int:
    """His place among the callers of his queue for whom no agent's phone is being rung yet."""
    mine = w.place(call)
    return 1 + sum(bisect_left(w.waiting[line], mine) for line in w.lines.get(call.queue, ()))


def wait(w: World, call: Call) -> float | None:
    """Seconds from now until he is answered, ringing included; None when nobody who might take him is there.

    Any call that waits; one who is not in line just now is taken where he would stand.
    """
    tanks, reach = _tanks(w, call)
    supplies = _supplies(w, tanks, reach, call)
    served = _served(w, tanks, supplies)
    if served == NEVER:
        return None
    return round(served + _pace(w, call.queue).ring_now(), 1)


def _pace(w: World, queue: str) -> Pace:
    return w.paces.get(queue) or Pace()


# -- who is ahead


def _tanks(w: World, call: Call) -> tuple[list[_Tank], set[str]]:
    """The lines with callers ahead who may need an agent that he may need, and at the end himself; and the
    agents of all of them.
    """
    mine = w.place(call)
    ahead = []
    for line, places in w.waiting.items():
        if count := bisect_left(places, mine):
            middle = w.calls[places[count // 2].call]
            ahead.append(_Tank(line.queue, count, _queued_at(w, middle), wish=middle.wish))
    me = _Tank(call.queue, 1.0, _queued_at(w, call), wish=call.wish)
    for tank in (*ahead, me):
        _relax(w, tank, 0.0)
        tank.ever = _ever(w, tank)
    reach = set(me.ever)
    found: list[_Tank] = []
    while near := [tank for tank in ahead if not reach.isdisjoint(tank.ever)]:
        ahead = [tank for tank in ahead if reach.isdisjoint(tank.ever)]
        reach.update(*{tank.ever for tank in near})
        found += near
    # in an order of their own: that of the dictionary is not the same after a start in the middle of a
    # history
    found.sort(key=lambda tank: (tank.queued_at, tank.queue, tank.left))
    return [*found, me], reach


def _queued_at(w: World, call: Call) -> float:
    return w.at if call.queued_at is None else call.queued_at


def _ever(w: World, tank: _Tank) -> frozenset[str]:
    """Who may take them now or once a later rule is in force."""
    rules = w.queue(tank.queue).rules
    first = skills.rule_at(rules, w.at - tank.queued_at)
    return w.may_ever_take(Line(tank.queue, first))


def _relax(w: World, tank: _Tank, t: float) -> None:
    """Set who may take this tank ``t`` seconds from now, and when that changes."""
    rules = w.queue(tank.queue).rules
    waited = w.at - tank.queued_at
    rule = skills.rule_at(rules, waited + t)
    tank.may = w.may_take(Line(tank.queue, rule))
    tank.relaxes = rules[rule + 1].after - waited if rule + 1 < len(rules) else NEVER
    if tank.wish is not None and (ends := tank.wish.until - w.at) > t + skills.ROUNDING:
        tank.may &= {tank.wish.agent}
        tank.relaxes = min(tank.relaxes, ends)


# -- who serves


def _supplies(w: World, tanks: list[_Tank], reach: set[str], call: Call) -> list[_Supply]:
    """Those of these agents who are live, and when each will have time."""
    live: list[tuple[Agent, int]] = []
    his = tanks[-1].ever
    for people in (sorted(his), sorted(reach - his)):
        there = [agent for agent in map(w.agents.__getitem__, people) if _counts(agent)]
        step = -(-len(there) // MOST_AGENTS) or 1
        live += [(agent, step) for agent in there[::step]]
    busy = sum(step for agent, step in live if agent.shown[0] in ("talking", "offered"))
    supplies = []
    for agent, step in live:
        supply = _supply(w, agent, call.queue, max(1, busy), float(step))
        supply.tanks = _open_to(agent.id, tanks)
        supplies.append(supply)
    return supplies


def _counts(agent: Agent) -> bool:
    state, following = agent.shown
    if state in ("talking", "offered", "wrap_up"):
        return not following  # else he pauses or leaves after it
    return state in ("available", "cooldown")


def _supply(w: World, agent: Agent, queue: str, busy: int, weight: float) -> _Supply:
    """One agent. Of ``busy`` alike the first is to be free after wrap-up + talk / busy, and each further one
    a cycle / busy later, a cycle being ring + talk + wrap-up: so much is each one's rate late.
    """
    offer = w.offers.get(agent.offer)
    plan = w.queue(queue if offer is None else offer.queue)
    pace = _pace(w, plan.name)
    ring, own = pace.ring_now(), agent.plan.wrap_up
    wrap_up = plan.wrap_up if own is None else own
    # a site where a caller takes an agent no time at all has no waits to reckon
    cycle = max(0.1, ring + pace.talk_now(plan) + wrap_up)
    late = (ring + wrap_up) * (1 - 1 / busy)
    state = agent.shown[0]
    if state == "talking":
        return _Supply(agent.id, weight / cycle, late - ring, NEVER, weight)
    if state == "offered" and offer is not None:
        return _Supply(
            agent.id, weight / cycle, late - min(ring, max(0.0, w.at - offer.placed)), NEVER, weight
        )
    due = {"wrap_up": agent.wrap_due, "cooldown": agent.cool_due}.get(state)
    free = 0.0 if due is None else max(0.0, due - w.now)
    return _Supply(agent.id, weight / cycle, free + late, free, weight)


def _open_to(agent: str, tanks: list[_Tank]) -> tuple[int, ...]:
    return tuple(n for n, tank in enumerate(tanks) if agent in tank.may)


# -- the fluid


def _served(w: World, tanks: list[_Tank], supplies: list[_Supply]) -> float:
    """When the last tank, our caller's, is empty: seconds from now; NEVER when nobody will take him."""
    t, me = 0.0, tanks[-1]
    for supply in supplies:
        supply.spare = supply.rate * max(0.0, -supply.start)
    moments = sorted({one for supply in supplies for one in (supply.unit, supply.start)})
    relaxes = min(tank.relaxes for tank in tanks)
    for _ in range(MOST_STEPS):
        for supply in supplies:
            if supply.unit <= t:
                supply.spare, supply.unit = supply.spare + supply.weight, NEVER
            if supply.spare:
                supply.spare = _pour(tanks, supply.tanks, supply.spare)
        if me.left < NOTHING:
            return t
        into, idle = _rates(tanks, supplies, t)
        to_come = bisect_right(moments, t)
        then = min(relaxes, moments[to_come] if to_come < len(moments) else NEVER)
        for n, rate in into.items():
            then = min(then, t + tanks[n].left / rate)
        if then == NEVER:
            return NEVER
        for n, rate in into.items():
            tanks[n].left = max(0.0, tanks[n].left - rate * (then - t))
        for supply in idle:
            supply.spare = min(supply.weight, supply.spare + supply.rate * (then - t))
        t = then
        if relaxes <= t:
            _relax_all(w, tanks, supplies, t)
            relaxes = min(tank.relaxes for tank in tanks)
    rate = sum(supply.rate for supply in supplies if supply.tanks)
    return t + sum(tank.left for tank in tanks) / rate if rate else NEVER


def _takers(tanks: list[_Tank], open_to: tuple[int, ...]) -> list[int]:
    """Which tanks get what comes from there: those ahead, and his, the last one, only after them."""
    me = len(tanks) - 1
    takers = [n for n in open_to if n == me or tanks[n].left > NOTHING]
    return takers[:-1] if len(takers) > 1 and takers[-1] == me else takers


def _pour(tanks: list[_Tank], open_to: tuple[int, ...], amount: float) -> float:
    """Serve so many callers at once; how many could have been served beside."""
    while amount > NOTHING and (takers := _takers(tanks, open_to)):
        total = sum(tanks[n].left for n in takers)
        if total < NOTHING:
            break
        part = min(1.0, amount / total)
        for n in takers:
            tanks[n].left *= 1 - part
        amount -= part * total
    return max(0.0, amount)


def _rates(tanks: list[_Tank], supplies: list[_Supply], t: float) -> tuple[dict[int, float], list[_Supply]]:
    """Callers a second out of each tank from which any go at this moment, and who has nobody to take."""
    flows: defaultdict[tuple[int, ...], float] = defaultdict(float)
    for supply in supplies:
        if supply.start <= t:
            flows[supply.tanks] += supply.rate
    into: defaultdict[int, float] = defaultdict(float)
    without = set()
    for open_to, rate in flows.items():
        takers = _takers(tanks, open_to)
        total = sum([tanks[n].left for n in takers])
        for n in takers:
            into[n] += rate * tanks[n].left / total
        if not takers:
            without.add(open_to)
    idle = [supply for supply in supplies if supply.start <= t and supply.tanks in without]
    return into, idle


def _relax_all(w: World, tanks: list[_Tank], supplies: list[_Supply], t: float) -> None:
    concerned: set[str] = set()
    for tank in tanks:
        if tank.relaxes <= t:
            before = tank.may
            _relax(w, tank, t)
            concerned |= before ^ tank.may
    for supply in supplies:
        if supply.agent in concerned:
            supply.tanks = _open_to(supply.agent, tanks)
