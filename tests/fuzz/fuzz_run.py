"""Runs cases against a door, with a limit on the time of each and on the memory of all.

    python tests/fuzz/fuzz_run.py [--cases N] [--seed N] [--door NAME] [--episode N]

A case is one message, line, file or number. Cases come in episodes that share a state; each episode is made
from seed, door and its own number alone, so ``--episode`` repeats a failure by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, Protocol

import structlog

SEED = 1
CASE_LIMIT = 2.0  # seconds of CPU for one case: some thousand times what one takes
WARM = 0.1  # share of the cases after which memory is looked at first
GROWTH_LIMIT = 16_000_000  # bytes from then on


class Door(Protocol):
    """What is fuzzed. ``episode`` yields after each case and raises for what must not be."""

    name: str
    share: float  # of all cases

    def episode(self, rng: Random) -> AsyncIterator[None]: ...


class Hung(BaseException):
    """A case that did not end; no handler of ``Exception`` may keep it."""


class Failed(AssertionError):
    """Says which episode, for ``--episode``."""


@dataclass
class Told:
    door: str
    cases: int
    seconds: float
    grown: int  # bytes

    def __str__(self) -> str:
        return (
            f"{self.door:<8} {self.cases:>9,} cases, {self.cases / self.seconds:>8,.0f} a second, "
            f"{self.grown / 1e6:+.1f} MB"
        )


async def fuzz(door: Door, cases: int, seed: int = SEED, only: int | None = None) -> Told:
    """So many cases at a door. Raises Failed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    loop = asyncio.get_running_loop()
    escaped: list[str] = []
    loop.set_exception_handler(lambda _, context: escaped.append(repr(context)))
    hung: list[bool] = []

    def over(number: int, frame: FrameType | None) -> None:
        hung.append(True)
        raise Hung

    before = signal.signal(signal.SIGVTALRM, over)
    done, episode, first = 0, only or 0, None
    begun = time.perf_counter()
    try:
        while done < cases:
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, CASE_LIMIT)
                async for _ in door.episode(Random(f"{seed} {door.name} {episode}")):
                    done += 1
                    if hung or escaped:
                        raise Failed("; ".join(escaped) or "a case did not end")
                    signal.setitimer(signal.ITIMER_VIRTUAL, CASE_LIMIT)
            except (Exception, Hung) as error:
                what = f"--door {door.name} --seed {seed} --episode {episode}: {error!r}"
                raise Failed(what) from error
            if only is not None:
                break
            episode += 1
            if first is None and done >= cases * WARM:
                first = resident()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        loop.set_exception_handler(None)
        structlog.reset_defaults()
    told = Told(door.name, done, time.perf_counter() - begun, resident() - (first or resident()))
    if told.grown > GROWTH_LIMIT:
        raise Failed(f"memory grows: {told}")
    return told


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def doors() -> list[Any]:
    from door_agi import Agi
    from door_ami import Ami
    from doors_small import Config, Control, Numbers

    return [Ami(), Agi(), Control(), Numbers(), Config()]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--door")
    parser.add_argument("--episode", type=int)
    asked = parser.parse_args()
    total, begun = 0, time.perf_counter()
    for door in doors():
        if asked.door in (None, door.name):
            cases = asked.cases if asked.door else round(asked.cases * door.share)
            try:
                told = asyncio.run(fuzz(door, cases, asked.seed, asked.episode))
            except Failed as failed:
                if asked.episode is not None:
                    raise
                sys.exit(f"python {sys.argv[0]} {failed}")
            total += told.cases
            print(told, flush=True)
    print(f"all      {total:>9,} cases in {time.perf_counter() - begun:.0f} s, seed {asked.seed}")


if __name__ == "__main__":
    main()
