"""What a decision says of its reasons, in a few telling cases."""

from typing import Any

import pytest
from scene import Scene
from simulator import plan_of

from ccbridge.core import acd, why
from ccbridge.core import inputs as i
from ccbridge.core.effects import Append
from ccbridge.core.plan import QueuePlan, Rule
from ccbridge.core.records import CallEvent

GREEK = (Rule(0, {"greek": 4}, {"billing": 2}), Rule(10, {"greek": 2}), Rule(120))
HOUSE = plan_of(
    {"sales": QueuePlan("sales", ring=10, wrap_up=20, max_wait=300, overflow="900", rules=GREEK)},
    {name: ("sales",) for name in ("ann", "bob", "cyd", "dan", "eva")},
    {
        "ann": {"greek": 5, "billing": 3}, "bob": {"greek": 2}, "cyd": {"greek": 4}, "dan": {"greek": 4},
        "eva": {"greek": 4},
    },
)  # fmt: skip


def told(scene: Scene, kind: str) -> list[dict[str, Any]]:
    events = [x.record for x in scene.said if isinstance(x, Append) and isinstance(x.record, CallEvent)]
    return [dict(one.data) for one in events if one.kind == kind]


def test_the_chosen_one_and_those_behind_him() -> None:
    scene = Scene(HOUSE, "cyd")
    scene.wait(30)
    scene.tell(i.LogIn, "ann", 1)
    scene.tell(i.LogIn, "bob", 1)
    scene.wait(10)
    scene.tell(i.LogIn, "dan", 1)
    scene.hold("one")
    (first,) = told(scene, "offered")
    assert first["agent"] == "ann"
    assert first["rule"] == {"after": 0, "require": {"greek": 4}, "prefer": {"billing": 2}}
    assert first["why"]["counts"] == {"chosen": 1, "behind": 2, "skill": 1, "logged_out": 1}
    assert first["why"]["named"] == [
        {"agent": "cyd", "why": "behind", "by": "preferred", "has": 0, "chosen": 1},
        {"agent": "dan", "why": "behind", "by": "preferred", "has": 0, "chosen": 1},
        {"agent": "bob", "why": "skill", "state": "available", "missing": {"greek": [2, 4]}},
        {"agent": "eva", "why": "logged_out"},
    ]
    scene.hold("two")
    assert told(scene, "offered")[1]["why"]["named"][0] == {
        "agent": "dan", "why": "behind", "by": "longest_idle", "has": 0.0, "chosen": 40.0,
    }  # fmt: skip


def test_why_nobody_and_what_has_changed_when_the_rule_relaxes() -> None:
    scene = Scene(HOUSE, "ann bob cyd dan")
    for name in ("ann", "cyd", "dan"):
        offer = scene.hold(f"for {name}")
        assert offer is not None
        if name == "ann":
            scene.answer(offer)
        elif name == "cyd":
            leg = scene.answer(offer)
            scene.tell(i.HangupAsked, offer.call)
            scene.tell(i.ChannelGone, offer.call, 16)
            scene.tell(i.ChannelGone, leg, 16)
        else:
            scene.ring(offer)
    scene.tell(i.Pause, "bob", "lunch", 1)
    scene.wait(8)
    scene.hold("one")
    (first,) = told(scene, "waiting")
    assert first["queue"] == "sales"
    assert first["relaxes_s"] == pytest.approx(10)
    assert first["why"]["counts"] == {
        "talking": 1, "skill": 1, "wrap_up": 1, "offered": 1, "logged_out": 1,
    }  # fmt: skip
    assert first["why"]["named"] == [
        {"agent": "cyd", "why": "wrap_up", "left_s": 12.0},
        {"agent": "ann", "why": "talking", "call": "for ann"},
        {"agent": "dan", "why": "offered", "call": "for dan", "rings": True},
        {"agent": "bob", "why": "skill", "state": "paused", "missing": {"greek": [2, 4]}, "reason": "lunch"},
        {"agent": "eva", "why": "logged_out"},
    ]
    scene.tell(i.DeviceChanged, "PJSIP/cyd", "INUSE")
    scene.wait(10.5)
    second = told(scene, "waiting")[1]
    assert second["rule"] == {"after": 10, "require": {"greek": 2}, "prefer": {}}
    assert second["relaxes_s"] == pytest.approx(110, abs=0.1)
    assert {one["agent"]: one["why"] for one in second["why"]["named"]}["bob"] == "paused"


def test_a_device_in_use_and_a_miss_have_their_own_words() -> None:
    scene = Scene(agents="ann bob")
    scene.tell(i.DeviceChanged, "PJSIP/bob", "INUSE")
    offer = scene.hold("one")
    assert offer is not None
    scene.fail(offer, "NOANSWER", 0)
    named = told(scene, "waiting")[-1]["why"]["named"]
    assert named == [
        {"agent": "ann", "why": "cooldown", "reason": "missed", "left_s": 10.0},
        {"agent": "bob", "why": "busy_elsewhere"},
    ]


def test_without_a_link_nobody_is_asked() -> None:
    scene = Scene()
    scene.tell(i.LinkDown, "gone")
    scene.hold("one")
    assert told(scene, "waiting") == [{"queue": "sales", "why": {"link": False}}]


def test_ten_are_named_and_all_are_counted() -> None:
    names = [f"a{n:02}" for n in range(30)]
    scene = Scene(plan_of({"sales": QueuePlan("sales")}, {name: ("sales",) for name in names}), "")
    scene.hold("one")
    (first,) = told(scene, "waiting")
    assert first["why"]["counts"] == {"logged_out": 30}
    assert len(first["why"]["named"]) == acd.NAMED == 10
    for name in names:
        scene.tell(i.LogIn, name, 1)
    scene.hold("two")
    second = told(scene, "offered")[-1]["why"]
    assert second["counts"] == {"chosen": 1, "behind": 28, "offered": 1}
    assert len(second["named"]) == 10


def test_a_reload_does_not_explain_everybody_anew() -> None:
    scene = Scene(agents="")
    for n in range(20):
        scene.hold(f"c{n}")
    before = len(told(scene, "waiting"))
    scene.tell(i.PlanLoaded, scene.plan)
    scene.restart()
    scene.link_up()
    assert len(told(scene, "waiting")) == before == 20


def test_callers_of_one_line_share_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand whose rule relaxes at once do not hold up the loop."""
    scene = Scene(HOUSE, "")
    for n in range(20):
        scene.hold(f"c{n}")
    looks = []
    right = why.waits
    monkeypatch.setattr(why, "waits", lambda w, line: (looks.append(line), right(w, line))[1])
    scene.t += 11
    scene.tell(i.Tick)
    assert len(told(scene, "waiting")) == 40
    assert looks == [acd.Line("sales", 1)]
