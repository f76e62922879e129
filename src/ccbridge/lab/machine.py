"""How long the machine itself stood still, which nobody may hold against ccbridge.

A machine under other load, or a virtual one whose host is busy, stops for moments: an Asterisk on it loses
frames then and answers late, whoever is its daemon. One thread on each core (in a process of its own, so that
nobody holds it up) sleeps for a hundredth of a second, over and over, and writes down how late it woke. What
is measured against a clock may be off by as much; on a quiet machine the limits are the strict ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

TICK_S = 0.01
#: as late every sleeper wakes
USUAL_S = 0.005
#: stalls so near to each other delay one and the same thing
NEAR_S = 1.0


class Machine:
    """What the watcher in another process has seen. Times are epoch seconds."""

    def __init__(self, told: Path) -> None:
        """Returns when the watcher watches."""
        self._told = told
        with told.open("w") as out:
            self.watcher = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=out, start_new_session=True
            )
        while told.stat().st_size == 0 and self.watcher.poll() is None:
            time.sleep(TICK_S)

    def close(self) -> None:
        """End the watcher; it also ends with us."""
        self.watcher.communicate()

    def stalls(self, begin: float = 0.0) -> list[tuple[float, float]]:
        """When a sleeper should have woken, and how late it did; in order, those that ended since `begin`."""
        whole, _, _ = self._told.read_text().rpartition("\n")
        stalls = [(float(due), float(late)) for due, late in map(str.split, whole.splitlines())]
        return sorted((due, late) for due, late in stalls if due + late >= begin)

    def stood_still_s(self, begin: float) -> float:
        """The most that all cores together stood still within a second, since `begin`; 0.0: never."""
        return worst(self.stalls(begin))


class Since:
    """A `Machine`, since a test began."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._begin = time.time()

    @property
    def late_s(self) -> float:
        """By so much may what this test has measured be off, in seconds; 0.0 on a quiet machine."""
        time.sleep(5 * TICK_S)  # a stall is written down at its end
        return self._machine.stood_still_s(self._begin)


def worst(stalls: list[tuple[float, float]]) -> float:
    """The largest sum of stalls (when, how long), in their order, that lie within NEAR_S."""
    most = total = 0.0
    first = 0
    for at, late in stalls:
        total += late
        while stalls[first][0] < at - NEAR_S:
            total -= stalls[first][1]
            first += 1
        most = max(most, total)
    return most


def watch(core: int) -> None:
    """Tell of the begin, and of each late waking on one core, for ever."""
    os.sched_setaffinity(0, {core})
    told(time.time(), 0.0)
    while True:
        due = time.time() + TICK_S
        time.sleep(TICK_S)
        late = time.time() - due
        if late > USUAL_S:
            told(due, late)


def told(due: float, late: float) -> None:
    os.write(1, f"{due:.3f} {late:.3f}\n".encode())  # at once: threads share the file


if __name__ == "__main__":
    for one in os.sched_getaffinity(0):
        threading.Thread(target=watch, args=(one,), daemon=True).start()
    sys.stdin.read()  # until the tests are over, or gone
