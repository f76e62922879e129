"""Figures out of the core's records, as ``reports.metrics`` defines them."""

from __future__ import annotations

from typing import Any

import pytest
from simulate_rig import one_queue

from ccbridge.core.records import AgentEvent, CallClosed
from ccbridge.reports.metrics import SERVICE_LEVELS
from ccbridge.simulate.driver import OPENING
from ccbridge.simulate.figures import Counted, Figures


def call(disposition: str, wait: float, **more: Any) -> CallClosed:
    given = {"legs": (), "stints": ()} | more
    return CallClosed(
        "c", OPENING, OPENING, "", "q", 0, OPENING, None, None, wait, 0.0, 1, None, disposition, "caller",
        legs=given["legs"], stints=given["stints"],
    )  # fmt: skip


@pytest.mark.parametrize("level", SERVICE_LEVELS, ids=lambda level: level.name)
def test_service_levels_are_those_of_the_report(level: Any) -> None:
    """The worked example of each definition, with T = 20 s."""
    counted = Counted()
    ways = [("answered", 10, 860), ("answered", 30, 140), ("abandoned", 4, 10), ("abandoned", 15, 10)]
    for end, wait, how_many in [*ways, ("abandoned", 40, 40), ("overflowed", 600, 20)]:
        for _ in range(how_many):
            counted.add(end, wait, 20.0)
    expected = float(level.example.rpartition("->")[2].split()[0]) / 100
    assert counted.service_levels()[level.name] == pytest.approx(expected, abs=0.0005)
    assert set(counted.service_levels()) == {one.name for one in SERVICE_LEVELS}
    figures = counted.figures(20.0, level.name)
    assert figures["service_level"] == counted.service_levels()[level.name]
    assert (figures["offered"], figures["asa_s"], figures["longest_wait_s"]) == (1080, 12.8, 600)
    assert figures["mean_wait_s"] == pytest.approx(24.62, abs=0.005)
    assert figures["p95_wait_s"] == 40  # the 1026th of 1080: 1020 waited 30 s at most, 40 more 40 s


def test_nobody_came() -> None:
    result = Figures(one_queue(1), 3600).result()
    assert (result.queues["q"]["offered"], result.queues["q"]["mean_wait_s"]) == (0, None)
    assert result.queues["q"]["service_level"] is None
    assert result.agents["a0"]["occupancy"] is None


def test_who_was_not_offered_does_not_count() -> None:
    figures = Figures(one_queue(1), 3600)
    figures.see(call("lost", 5.0))
    assert figures.result().total["offered"] == 0


def test_a_former_stay_counts_for_its_queue_and_not_in_the_total() -> None:
    figures = Figures(one_queue(1), 3600)
    figures.see(call("abandoned", 3.0, stints=[{"queue": "q", "answered": False, "wait_s": 7.0}]))
    result = figures.result()
    assert [result.queues["q"][end] for end in ("offered", "left", "abandoned")] == [2, 1, 1]
    assert (result.total["offered"], result.total["longest_wait_s"]) == (1, 3.0)


def test_occupancy_is_counted_up_to_the_closing() -> None:
    """Ringing and pauses are in neither part of it."""
    figures = Figures(one_queue(2), 100)
    for at, state in [(0, "available"), (10, "offered"), (15, "talking"), (35, "wrap_up"), (45, "paused")]:
        figures.see(AgentEvent("a0", OPENING + at, state))
    for at, state in [(0, "available"), (80, "talking"), (500, "available")]:
        figures.see(AgentEvent("a1", OPENING + at, state))
    result = figures.result()
    first, second = result.agents["a0"], result.agents["a1"]
    assert (first["talk_s"], first["wrap_up_s"], first["available_s"]) == (20, 10, 10)
    assert first["occupancy"] == 30 / 40
    assert second["occupancy"] == 20 / 100
    assert result.queues["q"]["occupancy"] == result.total["occupancy"] == 50 / 140


def test_talks_are_counted_by_leg() -> None:
    figures = Figures(one_queue(2), 100)
    figures.see(call("answered", 0.0, legs=[{"agent": "a0"}, {"agent": "a1"}, {"agent": "a0"}]))
    agents = figures.result().agents
    assert (agents["a0"]["talks"], agents["a1"]["talks"]) == (2, 1)
