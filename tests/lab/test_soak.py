"""Whether a series grows, and the picture of it."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree

import pytest

from ccbridge.lab.soak.growth import slope, trends
from ccbridge.lab.soak.plot import svg
from ccbridge.lab.soak.samples import FIGURES, STOOD_STILL

MEMORY, LAG, ODDITIES = "memory of the daemon", "event lag, mean", "oddities"


def two_hours(**more: float) -> list[dict[str, float]]:
    """Noise, and per figure so much growth in an hour."""
    noise = random.Random(1)
    return [
        {
            "t": t,
            **{f.name: 50 + noise.gauss(0, 0.3) for f in FIGURES},
            ODDITIES: 0.0,
            "drift": 0.0,
            STOOD_STILL: 0.0,
        }
        | {name: 50 + noise.gauss(0, 0.3) + t / 3600 * rate for name, rate in more.items()}
        for t in range(0, 7200, 60)
    ]


def growing(samples: list[dict[str, float]]) -> list[str]:
    return [trend.figure.name for trend in trends(samples) if trend.grows]


def test_noise_does_not_grow() -> None:
    assert growing(two_hours()) == []


def test_a_slow_growth_is_found_in_noise_and_told_per_hour() -> None:
    samples = two_hours(**{MEMORY: 8.0})
    assert growing(samples) == [MEMORY]
    assert growing(samples[:40]) == []  # so much a short soak has by chance
    (found,) = (trend for trend in trends(samples) if trend.figure.name == MEMORY)
    assert found.per_hour == pytest.approx(8.0, abs=0.5)


def test_neither_a_warm_up_nor_a_few_wild_samples_are_growth() -> None:
    samples = two_hours()
    for sample in samples[:50]:
        sample[MEMORY] -= 40
    for sample in samples[-5:]:
        sample[LAG] += 500
    assert growing(samples) == []


def test_a_lag_of_the_machine_itself_is_no_growth() -> None:
    samples = two_hours(**{LAG: 20.0})
    assert growing(samples) == [LAG]
    samples = two_hours()
    for sample in samples[-25:]:  # less than half of those that count
        sample |= {LAG: sample["t"] / 30, STOOD_STILL: 400.0}
    assert growing(samples) == []


def test_one_oddity_is_one_too_many() -> None:
    samples = two_hours()
    samples[-1][ODDITIES] = 1.0
    assert growing(samples) == [ODDITIES]


def test_a_slope_needs_two_samples() -> None:
    assert slope([1.0], [5.0]) == 0.0
    assert slope([0.0, 10.0, 20.0], [1.0, 2.0, 3.0]) == pytest.approx(0.1)


def test_the_picture_has_a_chart_of_each_figure() -> None:
    picture = ElementTree.fromstring(svg(two_hours()))
    assert len(picture.findall("{*}g/{*}polyline")) == len(FIGURES)
