"""What people at work change of a queue while it runs: paused, draining, other values than the file's.

A *paused* queue offers its calls to nobody: callers come and wait on, and leave to the overflow as ever. A
*draining* one takes no new callers: they leave to its overflow at once, and who waits is served. A value that
was *set* holds until it is set back, or until the file says something else at that place than it did then.
All this outlives a restart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import NamedTuple

from ccbridge.core.plan import Plan, QueuePlan

Value = bool | int | float | str
# Plain values that stand for themselves; what is made of parts is the file's matter.
SETTABLE = {
    one.name: type(one.default)
    for one in fields(QueuePlan)
    if one.default is not MISSING and isinstance(one.default, Value)
}


class Change(NamedTuple):
    value: Value
    file: Value  # what the file said when it was set


@dataclass(slots=True)
class Control:
    """One queue's."""

    paused: bool = False
    draining: bool = False
    changes: dict[str, Change] = field(default_factory=dict)


def in_force(base: Plan, controls: Mapping[str, Control]) -> Plan:
    """The file's plan with what was set."""
    changed = {
        name: replace(base.queues[name], **{key: change.value for key, change in control.changes.items()})  # type: ignore[arg-type]
        for name, control in controls.items()
        if control.changes and name in base.queues
    }
    return replace(base, queues={**base.queues, **changed}) if changed else base


def outdated(base: Plan, controls: Mapping[str, Control]) -> Iterator[tuple[str, str]]:
    """(queue, key) of what was set and holds no more; key "" for all of a queue that is gone."""
    for name, control in controls.items():
        queue = base.queues.get(name)
        if queue is None:
            yield name, ""
            continue
        for key, change in control.changes.items():
            if getattr(queue, key, None) != change.file:
                yield name, key
