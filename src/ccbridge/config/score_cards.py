"""Score cards: the calls of a queue have one form at most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccbridge.config.mistakes import Notes, show
from ccbridge.config.models import ScoreCardSection
from ccbridge.supervision.forms import Form, Group, Item


def check(data: Mapping[str, Any], notes: Notes) -> None:
    found, departments = data.get("score_cards"), data.get("departments")
    cards = found if isinstance(found, dict) else {}
    named: dict[str, str] = {}  # queue -> the form that names it
    shared: dict[str, str] = {}  # ... that names a department of it
    for_all = ""
    for name, raw in cards.items():
        if not isinstance(raw, dict):
            continue
        loc, queues, its = ("score_cards", name), _texts(raw, "queues"), _texts(raw, "departments")
        for queue in queues:
            if (other := named.setdefault(queue, name)) != name:
                notes.add((*loc, "queues"), f"{show(queue)} has the form {other} already")
        if not queues and not its:
            if for_all:
                notes.add(
                    loc, f"names no queue and no department, and {for_all} neither: one form for the rest"
                )
            for_all = for_all or name
        for queue in {one: None for department in its for one in _texts(departments, department)}:
            shared.setdefault(queue, name)
    for name, raw in cards.items():
        for department in _texts(raw, "departments"):
            for queue in _texts(departments, department):
                if queue not in named and shared.get(queue, name) != name:
                    text = f"its queue {show(queue)} has the form {shared[queue]} already: one is to name it"
                    notes.add(("score_cards", name, "departments"), text)


def _texts(data: Any, key: str) -> list[str]:
    found = data.get(key) if isinstance(data, dict) else None
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def converted(sections: Mapping[str, ScoreCardSection]) -> dict[str, Form]:
    return {
        name: Form(
            name,
            tuple(
                Group(
                    group,
                    tuple(
                        Item(item, asks.weight, asks.critical, asks.sound or "")
                        for item, asks in its.items.items()
                    ),
                    its.weight,
                )
                for group, its in one.groups.items()
            ),
            one.queues,
            one.departments,
        )
        for name, one in sections.items()
    }


def as_file(form: Form) -> dict[str, Any]:
    """As the file has it, with what it leaves out."""
    return {
        "queues": form.queues,
        "departments": form.departments,
        "groups": {
            group.name: {
                "weight": group.weight,
                "items": {
                    item.name: {"weight": item.weight, "critical": item.critical, "sound": item.sound}
                    for item in group.items
                },
            }
            for group in form.groups
        },
    }
