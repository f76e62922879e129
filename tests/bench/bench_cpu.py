"""CPU of the daemon beside CPU of Asterisk, for each call of a steady stream through the lab.

    python tests/bench/bench_cpu.py [calls]

First calls of 0.3 s of talk, that is their signalling alone; then three talks at once for a while, that is
what a second of talk costs. From both: the share in a call of three minutes, recorded as all calls are.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
from bench_agi import cpu_seconds
from e2e_rig import BRISK, Site, merged
from traffic import QUICK, SERVING, calls, ready

from ccbridge.lab.lab import Lab
from ccbridge.lab.outside import Outside
from ccbridge.lab.postgres import LabPostgres

ROUNDS = 3
TALK_S = 15.0
USUAL_S = 180


async def measure(site: Site, lab: Lab, count: int) -> None:
    async with Outside(lab) as outside:
        await outside.reset()
        await ready(site, outside.phones)
        await calls(site, outside.carrier, 10)
        pids = (site.daemon.pid, lab.pbx.pid)
        spent: list[list[float]] = []
        for _ in range(ROUNDS):
            before = [cpu_seconds(pid) for pid in pids]
            await calls(site, outside.carrier, count)
            spent.append(
                [1000 * (cpu_seconds(pid) - seen) / count for pid, seen in zip(pids, before, strict=True)]
            )
        ours, theirs = (statistics.median(one[side] for one in spent) for side in (0, 1))
        print(f"signalling of a call: daemon {ours:.1f} ms, Asterisk {theirs:.1f} ms, {ours / theirs:.0%}")
        for number in SERVING.values():
            await outside.phones[number].will("answer", after=0.1)
        for _ in SERVING:
            await site.until_event((await site.dial(outside.carrier))[1], "answered")
        before = [cpu_seconds(pid) for pid in pids]
        await asyncio.sleep(TALK_S)
        talk = [
            1000 * (cpu_seconds(pid) - seen) / TALK_S / len(SERVING)
            for pid, seen in zip(pids, before, strict=True)
        ]
        print(f"a second of talk: daemon {talk[0]:.2f} ms, Asterisk {talk[1]:.2f} ms")
        share = (ours + USUAL_S * talk[0]) / (theirs + USUAL_S * talk[1])
        print(f"a call of {USUAL_S} s: the daemon's share is {share:.0%} of Asterisk's")
        await outside.quiet()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    folder = Path(tempfile.mkdtemp(prefix="ccbridge-bench-"))
    lab = Lab(folder / "lab")
    lab.up(tethered=True)
    try:
        with LabPostgres(folder / "postgres") as server:
            site = Site(folder / "site", lab, server.url, merged(BRISK, QUICK))
            try:
                site.daemon.start()
                asyncio.run(measure(site, lab, count))
            finally:
                site.close()
    finally:
        lab.down()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
