"""One decision of the core with 10,000 callers in line, 1,000 agents with skills and 50 queues.

Run: ``python tests/bench/bench_decision.py``. A decision is the input that frees an agent, up to the offer
that follows from it, in CPU time: p50, p99 and the longest. Beside it the input that brings a caller into
line, and the ``Tick`` in which the wait of one caller is reckoned: all queues announce. Once as it is, and
once without the account of its reasons (``core.why``); the two are beside each other as a ratio, because
machines differ.
"""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from ccbridge.core import inputs as i
from ccbridge.core import why
from ccbridge.core.effects import PlaceOffer
from ccbridge.core.plan import AgentPlan, Announce, Plan, QueuePlan, Rule
from ccbridge.core.switchboard import Switchboard
from ccbridge.core.world import World

AGENTS, QUEUES, WAITING = 1_000, 50, 10_000
SERVES = 5  # queues of each agent
DECISIONS = 3_000
EPOCH = 1_700_000_000.0
SKILLS = ("greek", "english", "billing", "senior")
RULES = (Rule(0, {"greek": 4}, {"billing": 3}), Rule(60, {"greek": 2}), Rule(86_000))


def site(chance: Random) -> Plan:
    queues = {
        f"q{n}": QueuePlan(
            f"q{n}",
            wrap_up=0.0,
            max_wait=86_400.0,
            overflow="9",
            strategy="most_skilled",
            rules=RULES,
            announce=Announce(),
        )
        for n in range(QUEUES)
    }
    agents = {
        f"a{n}": AgentPlan(
            f"a{n}", f"A{n}", f"PJSIP/a{n}", tuple(chance.sample(sorted(queues), SERVES)),
            {skill: chance.randint(1, 5) for skill in SKILLS}, n,
        )
        for n in range(AGENTS)
    }  # fmt: skip
    return Plan(queues, agents, {}, {}, "")


@contextmanager
def unexplained() -> Iterator[None]:
    def silent(w: World) -> None:
        w.newcomers.clear()

    kept = why.choice, why.tell_who_waits
    why.choice, why.tell_who_waits = (lambda w, pair: {}), silent
    try:
        yield
    finally:
        why.choice, why.tell_who_waits = kept


def decisions() -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of each decision, of each entry into line, and of each estimate, sorted."""
    chance = Random(1)
    plan = site(chance)
    board = Switchboard(plan, "b")
    clock = itertools.count(1)
    offers: list[PlaceOffer] = []
    took = 0.0

    def tell(kind: type, *args: object) -> int:
        nonlocal took
        t = next(clock) / 1000
        start = time.thread_time_ns()
        effects = board.handle(kind(EPOCH + t, *args), 1000.0 + t)
        took = (time.thread_time_ns() - start) / 1e6
        fresh = [x for x in effects if isinstance(x, PlaceOffer)]
        offers.extend(fresh)
        return len(fresh)

    def hold(call: str) -> float:
        queue = f"q{chance.randrange(QUEUES)}"
        tell(i.CallArrived, call, "100", "anonymous", None, "", "")
        tell(i.CallQueued, call, queue, chance.randint(0, 3))
        tell(i.CallHolding, call, queue, 0, 0.0)
        return took

    def reckon() -> list[float]:
        seen = []
        while board.world.untold:
            tell(i.Tick)
            seen.append(took)
        return seen

    def answer(offer: PlaceOffer) -> None:
        leg = f"leg{offer.offer}"
        tell(i.OfferReached, offer.call, offer.offer)
        tell(i.LegDialled, offer.call, offer.offer, leg)
        tell(i.LegRinging, leg)
        tell(i.BridgeEntered, leg, leg)
        tell(i.BridgeEntered, offer.call, leg)

    tell(i.LinkUp, i.Snapshot((), {agent.device: "NOT_INUSE" for agent in plan.agents.values()}))
    for agent in plan.agents:
        tell(i.LogIn, agent, 1)
    for n in itertools.count():
        if sum(map(len, board.world.waiting.values())) >= WAITING:
            break
        hold(f"first{n}")
    board.world.untold.clear()  # their first estimates are not what is measured, and 10,000
    for offer in offers:
        answer(offer)
    seen: list[float] = []
    entries: list[float] = []
    estimates: list[float] = []
    for n in range(DECISIONS):
        offer = offers[n]
        tell(i.HangupAsked, offer.call)
        if tell(i.ChannelGone, f"leg{offer.offer}", 16):  # his agent is free: the next one in line is his
            seen.append(took)
            answer(offers[-1])
        tell(i.ChannelGone, offer.call, 16)
        entries.append(hold(f"c{n}"))
        estimates += reckon()
    return sorted(seen), sorted(entries), sorted(estimates)


def main() -> None:
    whole, entries, estimates = decisions()
    with unexplained():
        bare, _, _ = decisions()
    print(f"{WAITING:,} in line, {AGENTS:,} agents, {QUEUES} queues that announce; CPU in ms")
    for name, seen in (
        ("decision", whole),
        ("without reasons", bare),
        ("entry", entries),
        ("estimate", estimates),
    ):
        p50 = seen[len(seen) // 2]
        print(f"{name:>15}: p50 {p50:.3f}, p99 {p99(seen):.3f}, longest {seen[-1]:.3f}, {len(seen)} seen")
    print(f"p99 with reasons / without: {p99(whole) / p99(bare):.2f}")


def p99(seen: list[float]) -> float:
    return seen[int(len(seen) * 0.99)]


if __name__ == "__main__":
    main()
