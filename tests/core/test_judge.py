"""What the judge of the histories takes for a fault at the edge of an instant, and what not."""

from __future__ import annotations

import pytest
from scene import Scene, placed
from simulator import EPOCH, START, plan_of
from watch import Watch

from ccbridge.core import inputs as i
from ccbridge.core import skills
from ccbridge.core.effects import Effect
from ccbridge.core.plan import QueuePlan, Rule

RELAXING = plan_of(
    {
        "sales": QueuePlan("sales", max_wait=60, rules=(Rule(0, {"greek": 4}), Rule(10, {"greek": 2}))),
    },
    {"bob": ("sales",)},
    {"bob": {"greek": 2}},
)


class Judged(Scene):
    """A scene whose every decision the judge of the histories sees."""

    def __init__(self) -> None:
        self.watch = Watch()
        super().__init__(RELAXING, agents="bob")

    def _take(self, event: i.Input) -> list[Effect]:
        effects = super()._take(event)
        self.watch.decision(self.board, event, effects, START + self.t)
        return effects


@pytest.mark.parametrize(
    ("early", "rounding", "offered", "faulty"),
    [(0.0005, 0.001, True, False), (0.0015, 0.001, False, False), (0.0015, 0.01, True, True)],
)
def test_a_rule_is_in_force_a_millisecond_early_and_no_sooner(
    monkeypatch: pytest.MonkeyPatch, early: float, rounding: float, offered: bool, faulty: bool
) -> None:
    """The rules are looked at anew in the last instant of one: something else of the queue was set."""
    monkeypatch.setattr(skills, "ROUNDING", rounding)
    scene = Judged()
    scene.hold("c1")
    scene.t += 10 - early
    effects = scene._take(i.QueueSet(EPOCH + scene.t, "sales", "max_wait", 70.0, "sue", 7))
    assert (placed(effects) is not None) is offered
    assert any("not fit" in fault for fault in scene.watch.faults) is faulty, scene.watch.faults


@pytest.mark.parametrize("late", [True, False])
def test_a_rule_in_force_is_not_undone_by_an_event_of_the_moment_before(late: bool) -> None:
    """bob's phone is back just before the rule changes, and that is told after the change."""
    scene = Judged()
    scene.tell(i.DeviceChanged, "PJSIP/bob", "UNAVAILABLE")
    scene.hold("c1")
    stamp = EPOCH + scene.t + 9.9
    scene.wait(10.1 if late else 9.95)
    effects = scene._take(i.DeviceChanged(stamp, "PJSIP/bob", "NOT_INUSE"))
    assert (placed(effects) is not None) is late
    assert not scene.watch.faults
