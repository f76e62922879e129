"""Processes of ours, known by pid and start time: a pid alone may by now belong to somebody else."""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Owned:
    """One process that we started. `started` is in clock ticks since boot, as in /proc/PID/stat."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "Owned":
        """The process `pid` as it is now. Raises ProcessLookupError if there is none."""
        started = _start_time(pid)
        if started is None:
            raise ProcessLookupError(pid)
        return cls(pid, started)

    @staticmethod
    def running(pid: int) -> bool:
        """Whether any process has this pid; a zombie, which nobody may ever collect, does not count."""
        return _start_time(pid) is not None

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return _start_time(self.pid) == self.started

    def end(self, grace_s: float, reap: Callable[[], object] = lambda: None) -> bool:
        """TERM, then KILL after `grace_s`. True if TERM was enough. `reap` collects a child of our own."""
        if not self.alive():
            return True
        for number, limit_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 10.0)):
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return number == signal.SIGTERM
            if number == signal.SIGTERM:
                # A stopped process (a test froze it) would never hear TERM.
                os.kill(self.pid, signal.SIGCONT)
            deadline = time.monotonic() + limit_s
            while time.monotonic() < deadline:
                reap()
                if not self.alive():
                    return number == signal.SIGTERM
                time.sleep(0.01)
        return False


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold INT and TERM back until the end of the block: a process that was started must also be noted down.

    Only the main thread ever sees signals, so elsewhere there is nothing to hold back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda got, _: held.append(got)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for got in held:
            signal.raise_signal(got)


def die_with_parent() -> None:
    """For `preexec_fn`: the kernel ends the child if the thread that started it is gone, however it went."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _start_time(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
