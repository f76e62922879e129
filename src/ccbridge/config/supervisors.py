"""Supervisors: who is bound to departments has some, and no two have one phone or one log-in name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccbridge.config.mistakes import Notes, misspelt
from ccbridge.config.models import SupervisorSection
from ccbridge.supervision.roles import ROLES, Supervisor


def check(data: Mapping[str, Any], notes: Notes) -> None:
    found = data.get("supervisors")
    people = found if isinstance(found, dict) else {}
    known = list(SupervisorSection.model_fields)
    notes.unique("supervisors", people, "device", "supervisor")
    notes.unique("supervisors", people, "user", "supervisor")
    for name, raw in people.items():
        if not isinstance(raw, dict):
            continue
        loc, role = ("supervisors", name), raw.get("role")
        if isinstance(role, str) and role in ROLES:
            given = raw.get("departments")
            if ROLES[role].everywhere and given:
                notes.add((*loc, "departments"), f"say nothing: a {role} supervises everywhere")
            elif not ROLES[role].everywhere and not given and not misspelt("departments", raw, known):
                notes.add((*loc, "departments"), f"is missing: a {role} supervises these and no others")
        device = raw.get("device")
        if any(device == f"PJSIP/{one}" and one != name for one in people):
            notes.add((*loc, "device"), "is another supervisor's name: --to could mean either")


def converted(sections: Mapping[str, SupervisorSection]) -> dict[str, Supervisor]:
    return {
        name: Supervisor(name, one.name, one.device, one.role, one.departments, one.user or "")
        for name, one in sections.items()
    }
