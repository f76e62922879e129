"""Agents who call a colleague, or the supervisor on duty: who is rung, and what is kept of it."""

from __future__ import annotations

import pytest

from ccbridge.core import inputs as i
from ccbridge.core.plan import AgentPlan, Plan, QueuePlan
from ccbridge.core.records import ControlEvent
from ccbridge.core.switchboard import Switchboard
from ccbridge.supervision.desk import Desk
from ccbridge.supervision.internal_calls import SETTLED, Callee, InternalCalls
from ccbridge.supervision.roles import Supervisor

PEOPLE = {
    one.id: one
    for one in (
        Supervisor("chief", "C", "PJSIP/20", "manager"),
        Supervisor("root", "R", "PJSIP/24", "administrator"),
        Supervisor("tom", "T", "PJSIP/21", "trainee", ("front",)),
        Supervisor("back", "B", "PJSIP/25", "supervisor", ("back",)),
        Supervisor("sue", "S", "PJSIP/22", "supervisor", ("front",)),
        Supervisor("lee", "L", "PJSIP/23", "department_leader", ("front", "back")),
    )
}
ON_DUTY = ["sue", "lee", "chief"]  # for anna


class House:
    """anna (PJSIP/1) is of the front, ben (PJSIP/2) of the back."""

    def __init__(self) -> None:
        agents = {
            "anna": AgentPlan("anna", "Anna", "PJSIP/1", ("sales",)),
            "ben": AgentPlan("ben", "Ben", "PJSIP/2", ("support",)),
        }
        self.board = Switchboard(
            Plan(
                queues={"sales": QueuePlan("sales"), "support": QueuePlan("support")},
                agents=agents,
                flows={},
                numbers={},
                default_flow="",
                departments={"front": ("sales",), "back": ("support",)},
            ),
            "r",
        )
        self.at = 100.0
        phones = [*(one.device for one in PEOPLE.values()), "PJSIP/1", "PJSIP/2", "PJSIP/9"]
        self.board.handle(i.LinkUp(self.at, i.Snapshot((), dict.fromkeys(phones, "NOT_INUSE"))), self.at)
        self.kept: list[ControlEvent] = []
        self.desk = Desk(lambda: self.board.world, lambda: PEOPLE, "r", lambda: "nobody")
        numbers = {"11": "anna", "12": "ben"}
        self.calls = InternalCalls(
            lambda: self.board.world, lambda: numbers, self.desk.on_duty, lambda: 7.0, self.kept.append
        )

    def device(self, device: str, state: str) -> None:
        self.board.handle(i.DeviceChanged(self.at, device, state), self.at)

    def log_in(self, agent: str, device: str = "") -> None:
        self.board.handle(i.LogIn(self.at, agent, 0, device=device), self.at)

    def colleague(self, number: str) -> tuple[Callee | None, str]:
        return self.calls.colleague(self.at, "anna", "PJSIP/1", number, "c1")

    def supervisor(self) -> Callee | None:
        return self.calls.supervisor(self.at, "anna", "PJSIP/1", "c1")

    def told(self) -> list[tuple[str, str, str]]:
        rows = [(one.result, one.whom, one.reason) for one in self.kept]
        assert len({one.control for one in self.kept}) <= 1
        assert {(one.who, one.by, one.door) for one in self.kept} <= {("anna", "PJSIP/1", "phone")}
        self.kept.clear()
        return rows


@pytest.fixture
def house() -> House:
    return House()


def test_a_colleague_is_rung_where_he_works(house: House) -> None:
    house.log_in("ben")
    assert house.colleague("12") == (Callee("PJSIP/2", 30.0), "")
    house.calls.gone(house.at, "c1")
    assert house.told() == [("asked", "ben", ""), ("failed", "ben", "hung up")]
    house.log_in("ben", "PJSIP/9")
    assert house.colleague("12") == (Callee("PJSIP/9", 30.0), "")
    house.calls.joined(102.0, "c1")
    house.calls.joined(103.0, "c1")
    house.calls.gone(112.5, "c1")
    assert house.kept[-1].seconds == 10.5
    assert {one.what for one in house.kept} == {"call_colleague"}
    assert house.told() == [("asked", "ben", ""), ("done", "ben", ""), ("ended", "ben", "")]
    assert house.calls.all == {}


def test_a_colleague_who_does_not_answer(house: House) -> None:
    house.log_in("ben")
    for status, why in (("NOANSWER", "no answer"), ("BUSY", "busy"), ("CHANUNAVAIL", "not reached")):
        assert house.colleague("12")[0] is not None
        assert house.calls.next(house.at, "c1", status) is None
        assert house.told() == [("asked", "ben", ""), ("failed", "ben", why)]
        assert house.calls.next(house.at, "c1", status) is None
        house.calls.gone(house.at, "c1")
        assert house.told() == []


def test_who_is_not_called(house: House) -> None:
    house.log_in("anna")
    for number, whom, why in (
        ("99", "", "no agent has this number"),
        ("11", "anna", "it is his own number"),
        ("12", "ben", "he is not logged in"),
    ):
        assert house.colleague(number) == (None, why)
        assert house.told() == [("asked", whom, ""), ("refused", whom, why)]
    house.log_in("ben")
    house.device("PJSIP/2", "UNAVAILABLE")
    assert house.colleague("12") == (None, "his phone is not reachable")
    assert house.calls.all == {}


def test_supervisors_one_after_another(house: House) -> None:
    """His departments' in the order of the file, then who supervises everywhere; each once."""
    callee, rung = house.supervisor(), []
    while callee is not None:
        assert callee.ring == 7.0
        rung.append(callee.device)
        callee = house.calls.next(house.at, "c1", "NOANSWER")
    assert rung == [PEOPLE[one].device for one in ON_DUTY]
    assert house.told() == [
        ("asked", "", ""),
        *[("failed", one, "no answer") for one in ON_DUTY],
        ("failed", "", "no supervisor has answered"),
    ]


def test_who_is_on_duty(house: House) -> None:
    def on_duty() -> str:
        found = house.desk.on_duty("anna", ())
        return "" if found is None else found.id

    assert on_duty() == "sue"
    house.device("PJSIP/22", "INUSE")
    assert on_duty() == "lee"
    house.device("PJSIP/23", "UNAVAILABLE")
    assert on_duty() == "chief"
    house.log_in("anna", "PJSIP/20")  # the chief's phone is hers now
    assert on_duty() == ""
    assert house.supervisor() is None
    assert house.told() == [("asked", "", ""), ("refused", "", "no supervisor is there")]


def test_an_end_that_no_event_told(house: House) -> None:
    assert house.supervisor() is not None
    house.calls.joined(house.at, "c1")
    house.calls.compare(house.at + 1.0, ())  # it may have begun after the list was made
    assert "c1" in house.calls.all
    house.calls.compare(house.at + SETTLED + 1.0, ["c1"])
    assert "c1" in house.calls.all
    house.calls.compare(house.at + SETTLED + 2.0, ())
    assert house.told() == [("asked", "", ""), ("done", "sue", ""), ("ended", "sue", "")]
