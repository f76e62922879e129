"""The daemon's loop looks at itself each second, for ``/metrics`` and ``/healthz``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from ccbridge.core import view
from ccbridge.core.switchboard import Switchboard
from ccbridge.metrics.families import Seen
from ccbridge.metrics.server import Pages
from ccbridge.metrics.tally import Tally

EVERY = 1.0  # seconds
SAMPLES = 10  # of the loop's lag in that time


class Publisher:
    """``run()`` until cancelled. ``facts`` is what ``status`` says beside the switchboard's own figures."""

    def __init__(self, board: Switchboard, tally: Tally, facts: Callable[[], Mapping[str, Any]]) -> None:
        self.pages = Pages()
        self.lag = 0.0  # seconds, the worst of the last second
        self._board = board
        self._tally = tally
        self._facts = facts
        self._drift = 0
        self._drift_at: float | None = None

    @property
    def drift_age(self) -> float | None:
        """Seconds since a sweep last found a difference from Asterisk; None: never."""
        return None if self._drift_at is None else time.monotonic() - self._drift_at

    async def run(self) -> None:
        while True:
            self.publish()
            worst = 0.0
            for _ in range(SAMPLES):
                due = time.monotonic() + EVERY / SAMPLES
                await asyncio.sleep(EVERY / SAMPLES)
                worst = max(worst, time.monotonic() - due)
            self.lag = worst

    def publish(self) -> None:
        at, now = time.time(), time.monotonic()
        status = {**view.status(self._board, at, now), **self._facts()}
        drift = sum(status["drift"].values())
        if drift > self._drift:
            self._drift, self._drift_at = drift, now
        queues = tuple(view.queues(self._board, at))
        self.pages.publish(Seen(now, status, queues, self._tally.copy()))
