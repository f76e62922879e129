"""Inputs a second of the routing core with 10, 100 and 1,000 callers in line and 200 agents.

Run: ``python tests/bench/bench_core.py``. Each round of twelve inputs is one whole call: it arrives, is
queued, holds, has his wait reckoned, is offered, answered and ended, while the line behind it stays as long
as it was. Rounds alternate; the figures are medians.
"""

import itertools
import statistics
import time

from ccbridge.core import inputs as i
from ccbridge.core.effects import PlaceOffer
from ccbridge.core.plan import AgentPlan, Plan, QueuePlan
from ccbridge.core.switchboard import Switchboard

AGENTS = 200
QUEUES = 10
CALLS = 1500
ROUNDS = 5
EPOCH = 1_700_000_000.0


def site() -> Plan:
    queues = {f"q{n}": QueuePlan(f"q{n}", wrap_up=0.0, max_wait=86400.0, overflow="9") for n in range(QUEUES)}
    agents = {
        f"a{n}": AgentPlan(f"a{n}", f"A{n}", f"PJSIP/a{n}", (f"q{n % QUEUES}", f"q{(n + 1) % QUEUES}"))
        for n in range(AGENTS)
    }
    return Plan(queues, agents, {}, {}, "")


def rate(waiting: int) -> float:
    """Inputs per second with so many callers in line all the time."""
    plan = site()
    board = Switchboard(plan, "b")
    clock = itertools.count(1)
    offers: list[PlaceOffer] = []

    def tell(kind: type, *args: object) -> None:
        t = next(clock) / 1000
        effects = board.handle(kind(EPOCH + t, *args), 1000.0 + t)
        offers.extend(x for x in effects if isinstance(x, PlaceOffer))

    def hold(call: str, queue: str) -> None:
        tell(i.CallArrived, call, "100", "anonymous", None, "", "")
        tell(i.CallQueued, call, queue, 0)
        tell(i.CallHolding, call, queue, 0, 0.0)
        tell(i.Tick)  # his wait is reckoned, if he is in line

    devices = {agent.device: "NOT_INUSE" for agent in plan.agents.values()}
    tell(i.LinkUp, i.Snapshot((), devices))
    for agent in plan.agents:
        tell(i.LogIn, agent, 1)
    for n in range(AGENTS + waiting):
        hold(f"first{n}", f"q{n % QUEUES}")
    for offer in offers:
        tell(i.OfferReached, offer.call, offer.offer)
        tell(i.LegDialled, offer.call, offer.offer, f"leg{offer.offer}")
        tell(i.LegRinging, f"leg{offer.offer}")
    told = next(clock)
    start = time.process_time()
    for n in range(CALLS):
        offer = offers[n]
        leg = f"leg{offer.offer}"
        tell(i.BridgeEntered, leg, "b")
        tell(i.BridgeEntered, offer.call, "b")
        tell(i.HangupAsked, offer.call)
        tell(i.ChannelGone, leg, 16)  # his agent is free: the next in line is his
        tell(i.ChannelGone, offer.call, 16)
        hold(f"c{n}", f"q{n % QUEUES}")
        fresh = offers[-1]
        tell(i.OfferReached, fresh.call, fresh.offer)
        tell(i.LegDialled, fresh.call, fresh.offer, f"leg{fresh.offer}")
        tell(i.LegRinging, f"leg{fresh.offer}")
    elapsed = time.process_time() - start
    assert len(offers) == AGENTS + CALLS, "a freed agent did not get the next caller"
    line = sum(map(len, board.world.waiting.values()))
    assert line == waiting, f"{line} in line, not {waiting}"
    return (next(clock) - told) / elapsed


def main() -> None:
    lines = (10, 100, 1000)
    rounds = [[rate(waiting) for waiting in lines] for _ in range(ROUNDS)]
    for n, waiting in enumerate(lines):
        seen = statistics.median(one[n] for one in rounds)
        share = statistics.median(one[n] / one[0] for one in rounds)
        print(f"{waiting:5} waiting: {seen:9,.0f} inputs a second of CPU, {share:.2f} of the rate at 10")


if __name__ == "__main__":
    main()
