"""Who may do what to which agent: one function decides, and every door asks it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

LISTEN, WHISPER, BARGE = MODES = ("listen", "whisper", "barge")
TAKE_OVER = "take_over"
SCORE = "score"  # an agent's call, by a form
NOTICES = ("nobody", "agent", "both")  # who hears a tone when somebody begins to monitor a call
RECORD = "record"  # begin a recording, pause and resume it
CONTROLS = (*MODES, TAKE_OVER)
ON_DUTY = ("supervisor", "department_leader", "manager")  # who is rung when an agent asks for a supervisor


class Rights(NamedTuple):
    controls: frozenset[str]  # of CONTROLS, RECORD and SCORE
    everywhere: bool  # False: in the departments that the supervisor is given, and nowhere else
    unlocks: bool = True  # lifts the lock of an agent or a phone


ROLES: Mapping[str, Rights] = {
    "trainee": Rights(frozenset({LISTEN}), False, unlocks=False),
    "senior": Rights(frozenset({LISTEN, WHISPER}), False, unlocks=False),
    "quality_analyst": Rights(frozenset({LISTEN, SCORE}), False, unlocks=False),
    "supervisor": Rights(frozenset({*CONTROLS, RECORD, SCORE}), False),
    "department_leader": Rights(frozenset({*CONTROLS, RECORD, SCORE}), False),
    "manager": Rights(frozenset({*CONTROLS, RECORD, SCORE}), True),
    "administrator": Rights(frozenset({*CONTROLS, RECORD, SCORE}), True),
}


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Somebody who supervises: at this phone, in this role of ``ROLES``."""

    id: str
    name: str
    device: str  # a PJSIP endpoint, such as PJSIP/2001; an agent's own, perhaps
    role: str
    departments: tuple[str, ...] = ()
    user: str = ""  # his log-in name on this machine: with it he can be nobody else


class Asked(NamedTuple):
    """``by``: a user of the machine, or the device that was used; ``door``: cli, api or phone."""

    at: float  # epoch seconds
    by: str
    door: str


def works_for(queues: Iterable[str], departments: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """The departments of which an agent with these queues serves any queue."""
    own = set(queues)
    return frozenset(name for name, its in departments.items() if own & set(its))


def refusal(supervisor: Supervisor, control: str, departments: frozenset[str], own_phone: bool) -> str:
    """Why he may not do this (of ``CONTROLS``, RECORD, SCORE) with an agent of these departments; "": he may.

    ``own_phone``: at the agent's own.
    """
    rights = ROLES[supervisor.role]
    if control not in rights.controls:
        return f"a {supervisor.role} may not {control.replace('_', ' ')}"
    if not rights.everywhere and departments.isdisjoint(supervisor.departments):
        return f"{supervisor.id} supervises none of the agent's departments"
    if own_phone:
        return "it is the agent's own phone"
    return ""


def unlock_refusal(supervisor: Supervisor, departments: frozenset[str]) -> str:
    """Why he may not lift a lock of an agent or a phone of these departments; "": he may."""
    rights = ROLES[supervisor.role]
    if not rights.unlocks:
        return f"a {supervisor.role} may not lift a lock"
    if not rights.everywhere and departments.isdisjoint(supervisor.departments):
        return f"{supervisor.id} supervises none of its departments"
    return ""


def own(user: str, supervisors: Mapping[str, Supervisor]) -> Supervisor | None:
    """The supervisor who is this user of the machine."""
    return next((one for one in supervisors.values() if one.user and one.user == user), None)


def acts_as(user: str, wanted: Supervisor, supervisors: Mapping[str, Supervisor]) -> str:
    """Why this user of the machine may not act as that supervisor; "": he may.

    Who is a supervisor himself is that one. Anybody else who may open the control socket could change the
    configuration as well, and says as whom he acts.
    """
    his = own(user, supervisors)
    if his is None or his.id == wanted.id or ROLES[his.role].everywhere:
        return ""
    return f"{user} is {his.id}, not {wanted.id}"


def found(text: str, supervisors: Mapping[str, Supervisor]) -> Supervisor | None:
    """By his name, or by the extension or device of his phone: 2001, PJSIP/2001."""
    if text in supervisors:
        return supervisors[text]
    devices = (text, f"PJSIP/{text}")
    return next((one for one in supervisors.values() if one.device in devices), None)
