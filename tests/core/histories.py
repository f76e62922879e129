"""Random histories by the thousand: ``make histories N=5000 SEED=1``.

Each seed plays every weather on every plan of ``test_histories``. A fault is printed with what repeats it;
at the end stands what the histories have been through.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
import time
import traceback
from collections import Counter

from simulator import FLOWING, RINGING, SITE, SKILLED, TAPED, Simulator
from test_histories import WEATHERS

PLANS = {"plain": SITE, "skilled": SKILLED, "ringing": RINGING, "flowing": FLOWING, "taped": TAPED}


def play(what: tuple[int, str, str]) -> tuple[tuple[int, str, str], list[str], Counter[str]]:
    seed, weather, plan = what
    sim = Simulator(seed, WEATHERS[weather], PLANS[plan])
    try:
        sim.run()
    except (AssertionError, LookupError, TypeError, ValueError, AttributeError):  # a fault, too
        sim.watch.fault(traceback.format_exc())
    return what, sim.watch.faults, sim.watch.counts


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--histories", type=int, default=5000)
    options.add_argument("--seed", type=int, default=int(time.time()))
    wanted = options.parse_args()
    kinds = (
        (seed, weather, plan)
        for seed in itertools.count(wanted.seed)
        for weather in WEATHERS
        for plan in PLANS
    )
    faulty, seen = 0, Counter[str]()
    print(f"{wanted.histories} histories from seed {wanted.seed}", flush=True)
    with multiprocessing.Pool(os.cpu_count()) as pool:
        played = pool.imap_unordered(play, itertools.islice(kinds, wanted.histories), chunksize=4)
        for n, (what, faults, counts) in enumerate(played, 1):
            seen += counts
            if faults:
                faulty += 1
                print(
                    f"seed, weather, plan: {what}",
                    *(f"   {one[-900:]}" for one in faults),
                    sep="\n",
                    flush=True,
                )
            if n % 500 == 0:
                print(f"{n} played, {faulty} with a fault", flush=True)
    print(", ".join(f"{name}: {count}" for name, count in sorted(seen.items())))
    print(f"{wanted.histories} histories, {faulty} with a fault")
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
