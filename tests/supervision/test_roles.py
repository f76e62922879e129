"""Who may do what to which agent."""

from __future__ import annotations

import pytest

from ccbridge.supervision.roles import (
    MODES,
    ROLES,
    SCORE,
    Supervisor,
    acts_as,
    found,
    own,
    refusal,
    works_for,
)

SUE = Supervisor("sue", "Sue", "PJSIP/2001", "supervisor", ("front",), "sue")
CHIEF = Supervisor("chief", "C", "PJSIP/2002", "manager", (), "carl")
TRAINEE = Supervisor("2003", "T", "PJSIP/2004", "trainee", ("front", "back"))
PEOPLE = {one.id: one for one in (SUE, CHIEF, TRAINEE)}
FRONT, BACK, NONE = frozenset({"front"}), frozenset({"back"}), frozenset[str]()

# role -> what it may in its own department, and in another's
ALLOWED = {
    "trainee": ({"listen"}, set()),
    "senior": ({"listen", "whisper"}, set()),
    "quality_analyst": ({"listen", "score"}, set()),
    "supervisor": ({*MODES, SCORE}, set()),
    "department_leader": ({*MODES, SCORE}, set()),
    "manager": ({*MODES, SCORE}, {*MODES, SCORE}),
    "administrator": ({*MODES, SCORE}, {*MODES, SCORE}),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("mode", [*MODES, SCORE])
def test_each_role(role: str, mode: str) -> None:
    one = Supervisor("x", "X", "PJSIP/1", role, ("front",))
    own, elsewhere = ALLOWED[role]
    assert (refusal(one, mode, FRONT, False) == "") == (mode in own)
    for departments in (BACK, NONE):
        assert (refusal(one, mode, departments, False) == "") == (mode in elsewhere)
    assert refusal(one, mode, FRONT, True)


def test_an_agent_works_for_the_departments_whose_queues_he_serves() -> None:
    departments = {"front": ("sales", "info"), "back": ("support",), "all": ("sales", "support")}
    assert works_for(("sales",), departments) == {"front", "all"}
    assert works_for(("other",), departments) == frozenset()


def test_who_is_a_supervisor_is_nobody_else() -> None:
    assert acts_as("sue", SUE, PEOPLE) == ""
    assert acts_as("sue", CHIEF, PEOPLE) == "sue is sue, not chief"
    assert acts_as("carl", SUE, PEOPLE) == ""
    assert acts_as("root", CHIEF, PEOPLE) == ""
    assert acts_as("", TRAINEE, PEOPLE) == ""
    assert [own(user, PEOPLE) for user in ("sue", "carl", "root", "")] == [SUE, CHIEF, None, None]


@pytest.mark.parametrize(
    ("text", "who"),
    [("sue", SUE), ("2001", SUE), ("PJSIP/2001", SUE), ("2003", TRAINEE), ("2004", TRAINEE)],
)
def test_found_by_name_or_phone(text: str, who: Supervisor) -> None:
    assert found(text, PEOPLE) is who


@pytest.mark.parametrize("text", ["", "PJSIP/", "2001&PJSIP/2002", "Local/1@x", "PJSIP/PJSIP/2001", "SUE"])
def test_nobody_else_is_found(text: str) -> None:
    assert found(text, PEOPLE) is None
