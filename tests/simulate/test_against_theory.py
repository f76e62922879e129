"""The core on the simulated clock against Erlang C and Erlang A.

The eight cases are those whose theory ``test_erlang`` holds against published values. A mean of that many
waits still has a standard error of 2 to 4 %, for waits hang together: so the seed is fixed, and each single
wait is held against an ideal queue's, too.
"""

from __future__ import annotations

from statistics import mean, stdev
from typing import NamedTuple

import pytest
from simulate_rig import Ending, ideal, load, one_queue, simulated

from ccbridge.simulate.arrivals import synthetic
from ccbridge.simulate.erlang import Theory, erlang_a, erlang_c
from ccbridge.simulate.spec import Spec

SEED = 2
CALLS = 300_000
BATCHES = 20
WARM_UP = 2_000  # calls at the start, which find the agents idle
WITHIN = 20.0  # seconds


class Case(NamedTuple):
    calls: float  # an hour
    talk: float
    agents: int
    patience: float | None = None

    def theory(self) -> Theory:
        if self.patience is None:
            return erlang_c(self.calls / 3600, self.talk, self.agents, WITHIN)
        return erlang_a(self.calls / 3600, self.talk, self.agents, self.patience, WITHIN)

    def load(self, calls: int) -> Spec:
        return load(self.calls, (calls + WARM_UP) / self.calls, self.talk, self.patience)

    def run(self, calls: int) -> list[Ending]:
        return simulated(one_queue(self.agents), self.load(calls), SEED)[WARM_UP:]

    def ideal(self, calls: int) -> list[Ending]:
        return ideal(self.agents, synthetic(self.load(calls), SEED))[WARM_UP:]


CASES = [
    Case(200, 180, 12),
    Case(200, 180, 13),
    Case(200, 180, 14),
    Case(200, 180, 15),
    Case(200, 180, 13, 180),
    Case(200, 180, 13, 300),
    Case(200, 180, 13, 600),
    Case(2880, 60, 50, 120),
]


def measured(endings: list[Ending]) -> dict[str, list[float]]:
    """A value for each caller, whose mean is the figure of ``Theory`` by that name."""
    figures: dict[str, list[float]] = {
        "wait_probability": [one.wait > 0 for one in endings],
        "mean_wait": [one.wait for one in endings],
        "served_within": [one.answered and one.wait <= WITHIN for one in endings],
    }
    if not all(one.answered for one in endings):
        figures["abandonment"] = [not one.answered for one in endings]
    return figures


def batch_means(values: list[float]) -> tuple[float, float]:
    """The mean, and its standard error from the means of long batches, which hardly hang together."""
    size = len(values) // BATCHES
    means = [mean(values[n * size : (n + 1) * size]) for n in range(BATCHES)]
    return mean(means), stdev(means) / BATCHES**0.5


@pytest.mark.full
@pytest.mark.parametrize("case", CASES, ids=str)
def test_within_three_standard_errors_and_five_percent(case: Case) -> None:
    endings = case.run(CALLS)
    assert len(endings) == pytest.approx(CALLS, rel=0.01)
    for one, other in zip(endings, case.ideal(CALLS), strict=True):
        assert one.answered == other.answered
        assert abs(one.wait - other.wait) < 0.001
    theory = case.theory()
    for name, values in measured(endings).items():
        expected: float = getattr(theory, name)
        found, error = batch_means(values)
        assert abs(found - expected) <= 3 * error, f"{name}: {found:.5g} +- {error:.2g}, not {expected:.5g}"
        assert found == pytest.approx(expected, rel=0.05), name


@pytest.mark.parametrize("case", [CASES[2], CASES[5]], ids=str)
def test_near_in_three_thousand_calls(case: Case) -> None:
    theory = case.theory()
    for name, values in measured(case.run(3_000)).items():
        assert mean(values) == pytest.approx(getattr(theory, name), rel=0.5), name
