"""A steady stream of short calls, to compare how fast they are routed under different circumstances."""

from __future__ import annotations

import asyncio
import math
import statistics

from e2e_rig import SALES, Site, new_number

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.phones import Phone

SERVING = {"anna": "1001", "ben": "1002", "dimitris": "1004"}
QUICK = {
    "queues": {"sales": {"wrap_up": 0}},
    "agents": {"ben": {"queues": ["sales"]}, "dimitris": {"queues": ["sales"]}},
}


async def ready(site: Site, phones: dict[str, Phone]) -> None:
    """Three agents who answer at once and hang up soon."""
    for number in SERVING.values():
        await phones[number].will("answer", after=0.05, hangup_after=0.2)
    site.login(*SERVING)


async def calls(site: Site, carrier: Carrier, count: int) -> list[float]:
    """Two callers at a time, one after the other, ``count`` in all; the route times in milliseconds."""
    begin = len(site.records())
    left = iter(range(count))

    async def caller() -> None:
        for _ in left:
            call = await carrier.call(SALES, new_number())
            await call.ended(30.0)

    await asyncio.gather(caller(), caller())
    # the last caller may be gone a moment before his account is written
    await site.until(lambda: len(_closed(site, begin)) >= count)
    return site.route_ms(*_closed(site, begin))


def _closed(site: Site, begin: int) -> list[str]:
    return [one["call"] for one in site.records()[begin:] if one["t"] == "call_closed"]


def percentile(values: list[float], share: float) -> float:
    """By nearest rank: of 100 values the 99th, so that one SIP retransmission (0.5 s) decides nothing."""
    return sorted(values)[math.ceil(len(values) * share) - 1]


def told(values: list[float]) -> str:
    """p50 and p99, for people."""
    return f"p50 {statistics.median(values):.1f} ms, p99 {percentile(values, 0.99):.1f} ms of {len(values)}"
