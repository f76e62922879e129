"""A plan as plain values, in the words of ``ccbridge.yml``; and the short name of what it decides.

The same configuration has the same version, over restarts and on every machine: it is a digest of the plan's
values, of nothing else. Names of people are not among them: they decide nothing, and a record that is kept
for ever must not hold them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ccbridge.core.expr import Expr
from ccbridge.core.plan import Plan

DIGITS = 10  # hexadecimal: of a million plans two would share a version with a chance of 0.4
# Keys of the file's root; the plan's other fields are keys of its section ``routing``.
ROOT = (
    *("queues", "departments", "agents", "hours", "flows", "numbers", "default_flow"),
    *("pause_reasons", "outcomes"),
)


def as_file(plan: Plan) -> dict[str, Any]:
    """Nested mappings, lists and scalars. An agent's ``number`` is his place in the file."""
    values = {one.name: getattr(plan, one.name) for one in dataclasses.fields(plan)}
    data: dict[str, Any] = {
        "queues": {name: _without(queue, "name", rules="skills") for name, queue in plan.queues.items()},
        "agents": {
            # which numbers they are decides nothing, and has no place in what is kept for ever
            name: {**_without(agent, "id"), "personal": list(agent.personal)}
            for name, agent in plan.agents.items()
        },
        "flows": {
            name: {
                "start": flow.start,
                # the verb is a key: a step with another verb is another step
                "steps": {
                    key: {type(one).__name__.lower(): _without(one)} for key, one in flow.steps.items()
                },
            }
            for name, flow in plan.flows.items()
        },
    }
    for key in ROOT:
        data.setdefault(key, _plain(values[key]))
    data["recording"] = {"enabled": plan.recording}
    data["personal"] = _plain(plan.confirm)
    data["tickets"] = {"follow_up_after": _plain(plan.follow_up_after)}
    data["ivr"] = {"steps": plan.steps}
    data["callers"] = {"vip_priority": plan.vip_priority, "blocked": list(plan.blocked)}
    elsewhere = (*ROOT, "recording", "follow_up_after", "confirm", "steps", "vip_priority", "blocked")
    data["routing"] = {key: _plain(one) for key, one in values.items() if key not in elsewhere}
    return data


def told(plan: Plan) -> dict[str, Any]:
    """As it is kept: JSON values, without the names of people."""
    data = as_file(plan)
    for agent in data["agents"].values():
        del agent["name"]
    return data


def version_of(plan: Plan) -> str:
    """``DIGITS`` hexadecimal digits."""
    text = json.dumps(told(plan), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _without(one: Any, *names: str, **renamed: str) -> dict[str, Any]:
    """A dataclass as a mapping, without what the key above it says already."""
    fields = [field.name for field in dataclasses.fields(one) if field.name not in names]
    return {renamed.get(name, name): _plain(getattr(one, name)) for name in fields}


def _plain(value: Any) -> Any:
    """JSON values, and 15.0 as 15: how a number was written makes no other plan."""
    match value:
        case str() | int() | None:
            return value
        case Expr():
            return value.source
        case Mapping():
            return {str(key): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return _without(value) if dataclasses.is_dataclass(value) else value
