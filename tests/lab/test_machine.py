"""The measure of the machine's own stalls."""

import os
import signal
import time
from pathlib import Path

import pytest

from ccbridge.lab.machine import Machine, Since, worst


@pytest.mark.parametrize(
    ("stalls", "most"),
    [
        ([], 0.0),
        ([(10.0, 0.2)], 0.2),
        ([(10.0, 0.1), (10.9, 0.2), (11.5, 0.3)], 0.5),  # the first and the last are too far from each other
        ([(10.0, 0.4), (20.0, 0.1), (20.5, 0.1)], 0.4),
    ],
)
def test_the_worst_second(stalls: list[tuple[float, float]], most: float) -> None:
    assert worst(stalls) == pytest.approx(most)


def test_a_stall_is_seen(tmp_path: Path) -> None:
    one = Machine(tmp_path / "stalls.txt")
    try:
        during = Since(one)
        os.kill(one.watcher.pid, signal.SIGSTOP)
        time.sleep(0.3)
        os.kill(one.watcher.pid, signal.SIGCONT)
        time.sleep(0.3)
        assert during.late_s > 0.2
        assert one.stood_still_s(time.time() + 60) == 0.0
    finally:
        one.close()
