"""ccbridge beside `Queue()` on the same Asterisk, in one run: the same phones, the same callers, in turns.

    python tests/bench/bench_queue.py [latency | rate]

1. An agent is free and somebody enters: from the entry (the first step of `[ccbridge-hold]`, the step before
   `Queue()`) to the INVITE at the agent's phone.
2. Callers wait, an agent hangs up: from his hang-up to the next INVITE at his phone.
3. SIPp's callers at rates that grow, and SIPp's 50 phones: the rate at which a side first loses 0.1 % of its
   calls. Lost is who has not talked with an agent and been let go within 5 s, for whatever reason.

While it is the turn of `Queue()`, ccbridge does not run. `beside_queue.py` has the settings. Each round
measures both sides, in turns first; look at the ratios. The callers' way to ccbridge's queue leads through
FastAGI, which `Queue()` has not: that counts in 3, and is told apart in 1.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
from bench_agi import cpu_seconds
from beside_queue import OURS, PHONES, SIPP_AGENTS, SIPP_CALLERS, THEIRS, Side, Told, beside_it, our_side
from e2e_rig import Site, new_number
from sipp import Sipp
from traffic import percentile

from ccbridge.lab.lab import Lab, Pbx, default_cache
from ccbridge.lab.machine import Machine, Since
from ccbridge.lab.outside import Outside
from ccbridge.lab.ports import free_udp
from ccbridge.lab.postgres import LabPostgres

ROUNDS = 3
FREE_CALLS, LINE_CALLS = 60, 80
#: callers at the same time: fewer than agents; many more
FEW, LINE = 3, 16
RATES = (20, 40, 60, 80, 100, 130, 160)
STEP_S = 8.0
#: of the calls
LOSS = 0.001
#: a BYE that nobody answers is given up after 32 s
REST_S = 60.0
#: each phone talks so long; not all the same, as in life
TALKS_S = (0.4, 0.5, 0.6, 0.7)
#: two processes' stamps of one moment
CLOCKS_S = 0.05


class Latency:
    """1 and 2, with phones and callers that have sound. All figures are milliseconds."""

    def __init__(self, outside: Outside, told: Told) -> None:
        self.outside = outside
        self.told = told
        self.chance = random.Random(4)

    async def phones(self) -> None:
        for number, talk_s in zip(PHONES, TALKS_S, strict=True):
            await self.outside.phones[number].will("answer", after=0.05, hangup_after=talk_s)

    async def _callers(self, did: str, count: int, at_once: int, pause_s: float) -> list[str]:
        left = iter(range(count))
        numbers: list[str] = []

        async def line() -> None:
            for _ in left:
                await asyncio.sleep(self.chance.uniform(0, pause_s))
                numbers.append(new_number())
                call = await self.outside.carrier.call(did, numbers[-1])
                await call.ended(60.0)

        await asyncio.gather(*(line() for _ in range(at_once)))
        return numbers

    def _legs(self, numbers: Iterable[str]) -> dict[str, list[float]]:
        """INVITEs of each caller at the phones."""
        wanted = set(numbers)
        found: dict[str, list[float]] = {}
        for phone in PHONES:
            for leg in self.outside.phones[phone].legs:
                if leg.number in wanted and leg.invited_at:
                    found.setdefault(leg.number, []).append(leg.invited_at)
        return found

    async def free(self, did: str) -> dict[str, list[float]]:
        """From the entry, and its parts; and from the caller's own INVITE."""
        numbers = await self._callers(did, FREE_CALLS, FEW, 0.2)
        invited = {number: min(times) for number, times in self._legs(numbers).items()}
        placed = {call.leg.number: call.leg.invited_at for call in self.outside.carrier.calls}
        told = self.told
        return {
            "entry to INVITE": [1000 * (invited[n] - told.entered[n]) for n in numbers],
            "entry to Redirect": [
                1000 * (told.offered[n] - told.entered[n]) for n in numbers if n in told.offered
            ],
            "entry to Dial": [1000 * (told.dialled[n] - told.entered[n]) for n in numbers],
            "caller's INVITE to agent's": [1000 * (invited[n] - (placed[n] or 0.0)) for n in numbers],
        }

    async def line(self, did: str) -> dict[str, list[float]]:
        """From the hang-up of a phone to its next INVITE, where somebody was waiting all the while."""
        # app_queue looks once a second, counted from each entry: these must not be in step
        numbers = await self._callers(did, LINE_CALLS, LINE, 1.0)
        invited = {number: min(times) for number, times in self._legs(numbers).items()}
        waits = [(self.told.entered[n], invited[n]) for n in numbers]
        steps = ("INVITE", "Hangup event", "Redirect", "Dial")
        found: dict[str, list[float]] = {f"hang-up to {step}": [] for step in steps}
        for phone in PHONES:
            legs = [leg for leg in self.outside.phones[phone].legs if leg.number in invited]
            for one, two in itertools.pairwise(legs):
                ended, next_one = one.ended_at, two.invited_at
                if ended is None or next_one is None:
                    continue
                if sum(entered < ended and until > ended for entered, until in waits) < len(PHONES):
                    continue  # the line was as good as empty
                at = {
                    "INVITE": next_one,
                    "Hangup event": next(
                        (one for one in self.told.freed[phone] if one > ended - CLOCKS_S), None
                    ),
                    "Redirect": self.told.offered.get(two.number),
                    "Dial": self.told.dialled[two.number],
                }
                for step, when in at.items():
                    if when is not None:
                        found[f"hang-up to {step}"].append(1000 * (when - ended))
        return found


def told(values: list[float]) -> str:
    return f"p50 {statistics.median(values):7.1f} ms, p99 {percentile(values, 0.99):7.1f} ms"


def load(since: Since) -> str:
    """What the machine had beside: it is in the p99 of either side."""
    return f"load {os.getloadavg()[0]:.1f}, stood still for {1000 * since.late_s:.0f} ms at most"


async def latency(sides: tuple[Side, Side], lab: Lab, machine: Machine) -> None:
    rounds: dict[tuple[str, str], list[list[float]]] = {}
    for turn in range(ROUNDS):
        for side in sides if turn % 2 == 0 else sides[::-1]:
            await side.takes_over()
            since = Since(machine)
            heard = await Told.open(lab.pbx)
            async with Outside(lab) as outside:
                await outside.reset()
                one = Latency(outside, heard)
                await one.phones()
                found = await one.free(side.numbers[0]) | await one.line(side.numbers[0])
                await outside.quiet()
            await heard.close()
            for what, values in found.items():
                rounds.setdefault((what, side.name), []).append(values)
            next_one = found["hang-up to INVITE"]
            print(
                f"round {turn + 1}, {side.name:8} free agent: {told(found['entry to INVITE'])}; "
                f"next caller: {told(next_one)} (of {len(next_one)}); {load(since)}",
                flush=True,
            )
    ours, theirs = (side.name for side in sides)
    print()
    for what in dict.fromkeys(what for what, _ in rounds):
        for name in (ours, theirs):
            values = [value for one in rounds[what, name] for value in one]
            if values:
                print(f"{what:28} {name:8} {told(values)} of {len(values)}")
    for what in ("entry to INVITE", "hang-up to INVITE"):
        for share in (0.5, 0.99):
            ratios = [
                percentile(b, share) / percentile(a, share)
                for a, b in zip(rounds[what, ours], rounds[what, theirs], strict=True)
            ]
            print(
                f"{what}, p{100 * share:.0f}: {theirs} takes {statistics.median(ratios):.1f} times as long "
                f"(rounds: {min(ratios):.1f} to {max(ratios):.1f})"
            )


async def rest(pbx: Pbx) -> None:
    """Until no call of the step before is left: an agent who is still in one would be missing."""
    async with asyncio.timeout(REST_S):
        while "0 active channels" not in pbx.rx("core show channels count").splitlines():  # noqa: ASYNC110
            await asyncio.sleep(0.5)


async def rate(sides: tuple[Side, Side], lab: Lab, machine: Machine, agents_port: int) -> None:
    sipp = Sipp(default_cache())
    pbx = lab.pbx
    first: dict[str, int] = {}
    for step, calls_a_second in enumerate(RATES):
        for side in sides if step % 2 == 0 else sides[::-1]:
            if side.name in first:
                continue
            await side.takes_over()
            for again in (False, True):
                await rest(pbx)
                since = Since(machine)
                pids = [pbx.pid] + ([side.site.daemon.pid] if side.site.running else [])
                before = [cpu_seconds(pid) for pid in pids]
                counted = await sipp.run(
                    (pbx.sip_host, pbx.sip_port), side.numbers[1], calls_a_second, STEP_S,
                    SIPP_CALLERS, (SIPP_AGENTS, agents_port),
                )  # fmt: skip
                spent = [cpu_seconds(pid) - then for pid, then in zip(pids, before, strict=True)]
                each = " + ".join(f"{1000 * one / counted.placed:.1f}" for one in spent)
                print(
                    f"{calls_a_second:4d} a second, {side.name:8} lost {counted.lost} of {counted.placed} "
                    f"(let go in time {counted.in_time}, talked {counted.talked}); "
                    f"{each} ms of CPU a call; {load(since)}",
                    flush=True,
                )
                if counted.lost <= LOSS * counted.placed:
                    break
                if again:  # the machine may have had something else to do, but not twice
                    first[side.name] = calls_a_second
    print()
    for side in sides:
        found = f"{first[side.name]} a second" if side.name in first else f"none up to {RATES[-1]} a second"
        print(f"first rate at which {LOSS:.1%} are lost: {side.name:8} {found}")


async def main() -> None:
    parts = sys.argv[1:] or ["latency", "rate"]
    folder = Path(tempfile.mkdtemp(prefix="ccbridge-bench-"))
    lab = Lab(folder / "lab", default_cache())
    lab.up(tethered=True)
    machine = Machine(folder / "stalls.txt")
    try:
        agents_port = free_udp(SIPP_AGENTS)
        beside_it(lab.pbx, agents_port)
        with LabPostgres(folder / "postgres") as server:
            site = Site(folder / "site", lab, server.url, our_side())
            try:
                sides = Side("ccbridge", OURS, site), Side("Queue()", THEIRS, site)
                print(
                    f"Asterisk {lab.pbx.version}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
                if "latency" in parts:
                    await latency(sides, lab, machine)
                if "rate" in parts:
                    await rate(sides, lab, machine, agents_port)
            finally:
                site.close()
    finally:
        machine.close()
        lab.down()
        shutil.rmtree(folder)


if __name__ == "__main__":
    asyncio.run(main())
