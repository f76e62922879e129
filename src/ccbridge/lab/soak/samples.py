"""What is measured: processes by /proc, the rest by the daemon's own metrics page."""

from __future__ import annotations

import http.client
import os
import time
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from ccbridge.lab.chaos.house import House
from ccbridge.lab.machine import Machine

PAGE_LIMIT_S = 5.0
MB = 1024 * 1024
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Figure:
    """One thing that is sampled.

    `per_hour`: so much growth in an hour is none; None: it may grow. `least`: nor is so much in all, which a
    short soak has by chance. `clock`: a time that passed, longer while the machine itself stands still.
    """

    name: str
    unit: str
    per_hour: float | None
    least: float = 0.0
    clock: bool = False


STOOD_STILL = "machine stood still"

FIGURES = (
    # the last 10,000 ended calls are remembered, some 1 kB each: that many it may grow
    Figure("memory of the daemon", "MB", 5.0, 3.0),
    Figure("memory of the jobs", "MB", 5.0, 3.0),
    Figure("descriptors of the daemon", "", 2.0, 8.0),
    Figure("descriptors of the jobs", "", 2.0, 8.0),
    Figure("threads of the daemon", "", 1.0, 1.0),
    Figure("event lag, mean", "ms", 5.0, 10.0, clock=True),
    Figure("loop lag", "ms", 5.0, 10.0, clock=True),
    Figure("shipper lag", "s", 0.5, 1.0),
    Figure("inputs waiting", "", 1.0, 2.0),
    Figure("oddities", "", 0.0),
    Figure("drift", "", 0.0),
    Figure("journal", "MB", None),
    Figure("calls", "", None),
    # the worst second since the sample before
    Figure(STOOD_STILL, "ms", None),
)


class Sampler:
    """Takes samples of a house whose daemon tells its metrics on `port`."""

    def __init__(self, house: House, port: int, machine: Machine) -> None:
        self._house = house
        self._port = port
        self._machine = machine
        self._lag = (0.0, 0.0)
        self._taken = time.time()

    def take(self) -> dict[str, float]:
        """One value of each figure. Blocking. Raises LabError and OSError when somebody is gone."""
        stood_still_s = self._machine.stood_still_s(self._taken)
        self._taken = time.time()
        metrics = self._metrics()
        before, self._lag = self._lag, (
            metrics["ccbridge_event_lag_seconds_sum"], metrics["ccbridge_event_lag_seconds_count"],
        )  # fmt: skip
        seconds, events = (now - then for now, then in zip(self._lag, before, strict=True))
        daemon, jobs = Path(f"/proc/{self._house.daemon.pid}"), Path(f"/proc/{self._house.jobs.pid}")
        values = {
            "memory of the daemon": _memory(daemon),
            "memory of the jobs": _memory(jobs),
            "descriptors of the daemon": len(list((daemon / "fd").iterdir())),
            "descriptors of the jobs": len(list((jobs / "fd").iterdir())),
            "threads of the daemon": len(list((daemon / "task").iterdir())),
            "event lag, mean": 1000 * seconds / events if events else 0.0,
            "loop lag": 1000 * metrics["ccbridge_loop_lag_seconds"],
            "shipper lag": metrics["ccbridge_ship_lag_seconds"],
            "inputs waiting": metrics["ccbridge_inbox"],
            "oddities": metrics["ccbridge_oddities_total"],
            "drift": metrics.get("ccbridge_drift_total", 0.0),
            "journal": sum(path.stat().st_size for path in self._house.journal.glob("*.jsonl")) / MB,
            "calls": metrics["ccbridge_calls_ended_total"],
            STOOD_STILL: 1000 * stood_still_s,
        }
        return {figure.name: round(values[figure.name], 4) for figure in FIGURES}

    def _metrics(self) -> dict[str, float]:
        """By name, summed over all labels."""
        page = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PAGE_LIMIT_S)
        try:
            page.request("GET", "/metrics")
            text = page.getresponse().read().decode()
        finally:
            page.close()
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found


def _memory(process: Path) -> float:
    """Resident, in MB."""
    return int((process / "statm").read_text().split()[1]) * PAGE_BYTES / MB
