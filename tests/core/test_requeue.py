"""A waiting caller is put into another queue: the same call, another stint."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scene import Scene, placed, records, some
from simulator import EPOCH, START, plan_of

from ccbridge.core import inputs as i
from ccbridge.core import moves
from ccbridge.core.effects import Effect, MoveOut, TellQueue
from ccbridge.core.flows import ToQueue
from ccbridge.core.memory import Memory
from ccbridge.core.plan import QueuePlan, Rule
from ccbridge.core.records import CallEvent

TWO_QUEUES = plan_of(
    {
        "sales": QueuePlan("sales", ring=10, max_wait=60, overflow="900", priority=3),
        "help": QueuePlan("help", ring=10, max_wait=50, overflow="901", priority=-1),
    },
    {"ann": ("sales",), "bob": ("help",)},
)


def requeue(scene: Scene, call: str, queue: str, **more: object) -> list[Effect]:
    """The next tick moves him: nothing that was decided before it is mixed with what follows."""
    w = scene.board.world
    w.at, w.now = EPOCH + scene.t, START + scene.t
    moves.requeue(w, w.calls[call], queue, "moved", **more)  # type: ignore[arg-type]
    return scene.tell(i.Tick)


def test_he_keeps_his_place_and_begins_another_stint() -> None:
    scene = Scene(TWO_QUEUES, agents="")
    scene.hold("c1", "sales", priority=2)
    scene.wait(20)
    scene.hold("c2", "help", priority=2)
    scene.wait(5)
    said = requeue(scene, "c1", "help", by="eva")
    queued, holding, *_ = records(said, CallEvent)  # and why nobody takes him
    began = EPOCH + 2.0
    assert queued.data == {
        "queue": "help", "priority": 1, "brought": 2, "since": began, "entered": EPOCH + 27.0, "why": "moved",
        "by": "eva",
        "stint": {
            "queue": "sales", "answered": False, "wait_s": 25.0, "talk_s": 0.0, "offers": 0, "end": "left",
        },
    }  # fmt: skip
    assert (holding.kind, holding.data) == ("holding", {"queue": "help"})
    assert [x for x in said if isinstance(x, TellQueue)] == [TellQueue("c1", "help", 2, began)]
    # c2 waits in help since 22 s, he himself since 2 s
    assert some(placed(scene.tell(i.LogIn, "bob", 1))).call == "c1"


def test_max_wait_and_skills_begin_anew() -> None:
    plan = replace(
        TWO_QUEUES,
        queues={
            **TWO_QUEUES.queues,
            "help": replace(TWO_QUEUES.queues["help"], rules=(Rule(0, {"x": 1}), Rule(30))),
        },
    )
    scene = Scene(plan)
    scene.wait(0)
    scene.tell(i.LogOut, "ann", 1)
    scene.hold("c1", "sales")
    scene.wait(40)
    assert placed(requeue(scene, "c1", "help")) is None  # asked for skill x, which bob has not
    assert placed(scene.wait(29)) is None
    offer = some(placed(scene.wait(1.1)))
    assert scene.board.world.offers[offer.offer].agent == "bob"


def test_his_priority_can_be_changed_with_it() -> None:
    scene = Scene(TWO_QUEUES, agents="")
    scene.hold("c1", "sales", priority=2)
    queued, *_ = records(requeue(scene, "c1", "help", priority=9), CallEvent)
    assert (queued.data["brought"], queued.data["priority"]) == (9, 8)


def test_a_restart_knows_it_and_the_account_has_both_stays() -> None:
    scene = Scene(TWO_QUEUES, agents="")
    scene.hold("c1", "sales", priority=2)
    scene.wait(30)
    requeue(scene, "c1", "help")
    before = scene.board.world.calls["c1"]
    scene.is_at("c1", "ccbridge-hold")
    scene.restart(3)
    scene.link_up()
    after = scene.board.world.calls["c1"]
    for name in ("state", "queue", "brought", "priority", "since", "queued_at", "stints"):
        assert getattr(after, name) == getattr(before, name), name
    scene.wait(6)
    scene.tell(i.HangupAsked, "c1")
    closed = scene.closed("c1")
    assert (closed.queue, closed.disposition, closed.wait) == ("help", "abandoned", 9.0)
    assert [(one["queue"], one["wait_s"]) for one in closed.stints] == [("sales", 30.0)]


def test_a_journal_of_old_that_tells_one_moment_for_both() -> None:
    """Version 0.1.0 wrote neither a stint's own beginning nor the caller's own priority."""
    memory = Memory()
    memory.calls["c1"] = {
        "arrived": 1.0, "did": "", "kind": "anonymous", "e164": None, "inferred": False, "state": "holding",
        "offers": 0, "queue": "sales", "priority": 5, "since": 7.0,
    }  # fmt: skip
    known = Memory(memory.dump()).calls["c1"]
    assert (known["queued_at"], known["since"], known["brought"]) == (7.0, 7.0, 5)
    memory = Memory(memory.dump())
    memory.apply(CallEvent("c1", 9.0, "queued", {"queue": "help", "priority": 1, "since": 8.0}))
    known = memory.calls["c1"]
    assert (known["queued_at"], known["since"], known["brought"]) == (8.0, 8.0, 1)


@pytest.mark.parametrize("state", ["queued", "offered"])
def test_only_who_holds_is_in_line(state: str) -> None:
    scene = Scene(TWO_QUEUES, agents="ann" if state == "offered" else "")
    if state == "offered":
        scene.hold("c1", "sales")
    else:
        scene.queue("c1", "sales")
    assert scene.state("c1") == state
    assert not moves.in_line(scene.board.world.calls["c1"])


@pytest.mark.parametrize("how", ["overflow", "link"])
def test_of_those_who_come_at_once_into_a_queue_that_gets_full_the_last_ones_leave(how: str) -> None:
    """All at once from a queue that nobody serves any more, or found in the hold loop after a lost link."""
    plan = plan_of(
        {
            "sales": QueuePlan("sales", max_wait=60, overflow="900", overflow_to={"nobody": ToQueue("help")}),
            "help": QueuePlan("help", max_wait=50, overflow="901", max_waiting=2),
        },
        {"ann": ("sales",), "bob": ("help",)},
    )
    scene = Scene(plan, agents="ann")
    scene.tell(i.Pause, "ann", "break", 1)
    came = [f"c{n}" for n in range(4)]
    for call in came:
        scene.wait(1)
        if how == "overflow":
            scene.hold(call, "sales")
        else:
            scene.queue(call, "help")
            scene.is_at(call, "ccbridge-hold")
    if how == "overflow":
        said = scene.tell(i.LogOut, "ann", 2)
    else:
        scene.tell(i.LinkDown, "cut")
        said = scene.link_up()
    assert [(x.call, x.target) for x in said if isinstance(x, MoveOut)] == [("c2", "901"), ("c3", "901")]
    assert [scene.state(call) for call in came] == ["holding", "holding", "leaving", "leaving"]
