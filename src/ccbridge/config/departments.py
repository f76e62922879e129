"""Departments group queues: whoever works for one serves all of its queues, beside those of his own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccbridge.config.mistakes import Notes, misspelt
from ccbridge.config.models import AgentSection


def served(data: Mapping[str, Any], agent: Any) -> set[str]:
    """The queues of an agent as they stand in the file; what cannot be judged is left out."""
    departments = data.get("departments")
    lists = [_texts(agent, "queues")]
    lists += [_texts(departments, name) for name in _texts(agent, "departments")]
    return {name for names in lists for name in names}


def check(data: Mapping[str, Any], notes: Notes) -> None:
    """Every agent serves some queue; every department has somebody."""
    agents = data.get("agents")
    used: set[str] = set()
    for name, raw in agents.items() if isinstance(agents, dict) else ():
        if not isinstance(raw, dict):
            continue
        known = list(AgentSection.model_fields)
        if not any(raw.get(key) or misspelt(key, raw, known) for key in ("queues", "departments")):
            notes.add(("agents", name, "queues"), "is missing: give the queues he serves, or departments")
        used |= set(_texts(raw, "departments"))
    departments = data.get("departments")
    for name in departments if isinstance(departments, dict) else ():
        if name not in used:
            notes.warn(("departments", name), "warning: nobody works for it")


def _texts(data: Any, key: str) -> list[str]:
    found = data.get(key) if isinstance(data, dict) else None
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
