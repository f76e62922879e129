"""Who lifts whose lock, and what is kept of it."""

from __future__ import annotations

import pytest

from ccbridge.core.plan import AgentPlan, Plan, QueuePlan
from ccbridge.core.records import ControlEvent
from ccbridge.core.switchboard import Switchboard
from ccbridge.supervision.attendance import Attendance
from ccbridge.supervision.roles import Asked, Supervisor

SUE = Supervisor("sue", "Sue", "PJSIP/2001", "supervisor", ("front",), "susan")
TRAINEE = Supervisor("tom", "Tom", "PJSIP/2002", "trainee", ("front", "back"), "tom")
CHIEF = Supervisor("chief", "C", "PJSIP/2003", "manager", (), "carl")
PEOPLE = {one.id: one for one in (SUE, TRAINEE, CHIEF)}


class House:
    """anna (PJSIP/1) is of the front, ben (PJSIP/2) of the back."""

    def __init__(self) -> None:
        queues = {"sales": QueuePlan("sales"), "support": QueuePlan("support")}
        agents = {
            "anna": AgentPlan("anna", "Anna", "PJSIP/1", ("sales",)),
            "ben": AgentPlan("ben", "Ben", "PJSIP/2", ("support",)),
        }
        departments = {"front": ("sales",), "back": ("support",)}
        plan = Plan(
            queues=queues, agents=agents, flows={}, numbers={}, default_flow="", departments=departments
        )
        self.world = Switchboard(plan, "r").world
        self.kept: list[ControlEvent] = []
        self.wrong = {"anna", "ben", "PJSIP/1", "PJSIP/2", "PJSIP/9"}
        self.desk = Attendance(lambda: self.world, lambda: PEOPLE, self.kept.append, self.forget)

    def forget(self, name: str) -> bool:
        there = name in self.wrong
        self.wrong.discard(name)
        return there

    def unlock(self, user: str, name: str, as_: str = "") -> str:
        known = len(self.kept)
        ok, text = self.desk.unlock(Asked(7.0, user, "cli"), name, as_)
        (row,) = self.kept[known:]
        assert (row.what, row.whom, row.by, row.door, row.at) == ("unlock", name, user, "cli", 7.0)
        assert (row.result, row.reason) == (("done", "") if ok else ("refused", text))
        return f"{row.who or '-'}: {text}"


@pytest.mark.parametrize(
    ("user", "as_", "name", "said"),
    [
        ("susan", "", "anna", "sue: anna may try again"),
        ("susan", "sue", "PJSIP/1", "sue: PJSIP/1 may try again"),
        ("susan", "", "ben", "sue: sue supervises none of its departments"),
        ("susan", "", "PJSIP/2", "sue: sue supervises none of its departments"),
        ("susan", "", "PJSIP/9", "sue: sue supervises none of its departments"),  # nobody's phone
        ("susan", "chief", "ben", "chief: susan is sue, not chief"),
        ("tom", "", "anna", "tom: a trainee may not lift a lock"),
        ("carl", "", "PJSIP/9", "chief: PJSIP/9 may try again"),
        ("carl", "sue", "ben", "sue: sue supervises none of its departments"),
        ("root", "", "ben", "-: ben may try again"),
        ("root", "sue", "ben", "sue: sue supervises none of its departments"),
        ("root", "zed", "ben", "-: there is no supervisor of this name"),
    ],
)
def test_who_lifts_a_lock(user: str, as_: str, name: str, said: str) -> None:
    house = House()
    assert house.unlock(user, name, as_) == said
    assert (name in house.wrong) == (not said.endswith("may try again"))


def test_what_was_not_locked() -> None:
    house = House()
    assert house.unlock("root", "anna") == "-: anna may try again"
    assert house.unlock("root", "anna") == "-: anna was not locked"


def test_a_phone_is_of_whoever_works_at_it() -> None:
    house = House()
    house.world.sit(house.world.agents["anna"], "PJSIP/9")
    assert house.unlock("susan", "PJSIP/9") == "sue: PJSIP/9 may try again"
    assert len({one.control for one in house.kept}) == 1


def test_what_a_supervisor_did_for_an_agent_is_his() -> None:
    house = House()
    house.desk.note(Asked(7.0, "susan", "cli"), "log_in", "done", "anna")
    house.desk.note(Asked(8.0, "PJSIP/1", "phone"), "log_out", "done", "anna", who="anna")
    assert [(one.who, one.by, one.control) for one in house.kept] == [
        ("sue", "susan", "arx1"), ("anna", "PJSIP/1", "arx2"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("user", "as_", "agent", "who", "why"),
    [
        ("susan", "", "anna", "sue", ""),
        ("susan", "", "ben", "sue", "sue supervises none of the agent's departments"),
        ("susan", "chief", "ben", "chief", "susan is sue, not chief"),
        ("tom", "", "anna", "tom", "a trainee may not say where an agent's calls ring"),
        ("carl", "", "ben", "chief", ""),
        ("root", "", "ben", "", ""),
        ("root", "sue", "ben", "sue", "sue supervises none of the agent's departments"),
        ("root", "zed", "ben", "", "there is no supervisor of this name"),
    ],
)
def test_who_says_where_an_agents_calls_ring(user: str, as_: str, agent: str, who: str, why: str) -> None:
    house = House()
    assert house.desk.personal(Asked(7.0, user, "cli"), agent, as_) == (who, why)
    kept = [(one.what, one.result, one.who, one.by, one.whom, one.reason) for one in house.kept]
    assert kept == ([("personal", "refused", who, user, agent, why)] if why else [])
