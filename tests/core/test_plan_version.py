"""The version of the plan: the same for the same configuration, on every event, and told once."""

from __future__ import annotations

import json
from dataclasses import replace

from scene import Scene, records, some
from simulator import SITE, SKILLED, plan_of

from ccbridge.core import inputs as i
from ccbridge.core.effects import Append
from ccbridge.core.memory import Memory
from ccbridge.core.plan import Plan, QueuePlan
from ccbridge.core.records import AgentEvent, CallEvent, PlanBegan, from_dict, to_dict
from ccbridge.core.version import told, version_of


def versions(scene: Scene) -> list[PlanBegan]:
    return records(scene.said, PlanBegan)


def test_it_is_a_digest_of_what_decides() -> None:
    assert version_of(SITE) == version_of(json_again(SITE)) != version_of(SKILLED)
    ann = SITE.agents["ann"]
    renamed = replace(SITE, agents={**SITE.agents, "ann": replace(ann, name="Άννα")})
    assert version_of(renamed) == version_of(SITE)
    assert "Ann" not in json.dumps(told(SITE))
    swapped = replace(SITE, agents={**SITE.agents, "ann": replace(ann, number=1)})
    assert version_of(swapped) != version_of(SITE)
    assert version_of(replace(SITE, miss_cooldown=11.0)) != version_of(SITE)


def json_again(plan: Plan) -> Plan:
    """The same values written otherwise: 8 and 8.0, another order of keys."""
    queues = {name: replace(one, ring=float(one.ring)) for name, one in reversed(plan.queues.items())}
    return replace(plan, queues=queues)


def test_every_event_bears_the_version_and_each_plan_is_told_once() -> None:
    scene = Scene(agents="ann")
    scene.answer(some(scene.hold("c1")))
    first = version_of(scene.plan)
    other = plan_of({"sales": QueuePlan("sales", ring=33)}, {"ann": ("sales",)})
    scene.tell(i.PlanLoaded, scene.plan)
    scene.plan = other
    scene.tell(i.PlanLoaded, other)
    scene.restart()
    scene.link_up()
    scene.tell(i.LogIn, "ann", 1)
    scene.arrive("c2")
    assert [one.version for one in versions(scene)] == [first, version_of(other)]
    assert versions(scene)[1].plan["queues"]["sales"]["ring"] == 33
    current = ""
    for effect in scene.said:
        if isinstance(effect, Append) and isinstance(effect.record, PlanBegan):
            current = effect.record.version
        elif isinstance(effect, Append) and isinstance(effect.record, CallEvent | AgentEvent):
            assert effect.record.plan == current
    assert current == version_of(other)


def test_a_start_with_another_file_is_told() -> None:
    scene = Scene(agents="ann")
    scene.plan = plan_of({"sales": QueuePlan("sales", ring=33)}, {"ann": ("sales",)})
    scene.restart()
    (began,) = records(scene.tell(i.Tick), PlanBegan)
    assert (began.version, scene.memory.plan) == (version_of(scene.plan), version_of(scene.plan))


def test_records_of_older_versions_load() -> None:
    event = CallEvent("c", 1.0, "arrived", {}, "abc")
    line = to_dict(event)
    assert from_dict(line) == event
    del line["plan"]
    assert from_dict(line) == CallEvent("c", 1.0, "arrived", {})
    assert Memory({"calls": {}, "agents": {}, "closed": {}}).plan == ""
