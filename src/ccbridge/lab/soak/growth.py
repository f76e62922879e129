"""Whether a series grows: by the median of the slopes between all pairs (Theil 1950, Sen 1968).

A few wild samples do not move it. While the machine itself stands still every clock runs on: such samples
tell nothing of a lag and are left out there, unless they are the most.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ccbridge.lab.soak.samples import FIGURES, STOOD_STILL, Figure

#: of all samples, those at the beginning that do not count: pools open, and an hour's memory fills
WARM_UP = 0.5
#: a sample whose worst second lost more is not one of a lag
QUIET_MS = 200.0


@dataclass(frozen=True)
class Trend:
    """`per_hour`: how much the figure grows in an hour, after the warm-up; `hours`: how long that was."""

    figure: Figure
    first: float
    median: float
    largest: float
    last: float
    per_hour: float
    hours: float

    @property
    def grows(self) -> bool:
        limit = self.figure.per_hour
        return limit is not None and self.per_hour > limit and self.per_hour * self.hours > self.figure.least


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Per second; 0.0 of fewer than two samples."""
    pairs = itertools.combinations(zip(times, values, strict=True), 2)
    return statistics.median([(b - a) / (t - s) for (s, a), (t, b) in pairs] or [0.0])


def trends(samples: Sequence[dict[str, float]]) -> list[Trend]:
    """One of each figure. `samples` have their time in seconds under `t`."""
    settled = list(samples[int(len(samples) * WARM_UP) :])
    quiet = [sample for sample in settled if sample[STOOD_STILL] <= QUIET_MS]
    if 2 * len(quiet) < len(settled):
        quiet = settled
    hours = (settled[-1]["t"] - settled[0]["t"]) / 3600
    found = []
    for figure in FIGURES:
        values = [sample[figure.name] for sample in settled]
        counted = quiet if figure.clock else settled
        per_hour = 3600 * slope([one["t"] for one in counted], [one[figure.name] for one in counted])
        if figure.per_hour == 0.0:  # a count of what must never happen: one at the end has no slope yet
            per_hour = samples[-1][figure.name] / hours
        first, middle = samples[0][figure.name], statistics.median(values)
        found.append(Trend(figure, first, middle, max(values), values[-1], per_hour, hours))
    return found
