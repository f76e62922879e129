"""One value of one queue, checked as the file's are, in the same words."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ccbridge.config.convert import to_queue
from ccbridge.config.mistakes import Notes, dotted, show, suggest
from ccbridge.config.models import QueueSection
from ccbridge.config.nodes import Tree, parse
from ccbridge.config.shapes import Declared
from ccbridge.config.translate import report
from ccbridge.core.controls import SETTABLE, Value
from ccbridge.core.plan import Plan

_QUEUES: TypeAdapter[dict[str, dict[str, QueueSection]]] = TypeAdapter(dict[str, dict[str, QueueSection]])


class NoSetting(ValueError):
    """It cannot be set so; the message names the place and says what is allowed."""


def settable(plan: Plan, queue: str, key: str) -> None:
    """Whether there is such a place. Raises NoSetting."""
    place = dotted(("queues", queue, key))
    if queue not in plan.queues:
        raise NoSetting(
            f"{place}: no queue {show(queue)}; {suggest(queue, plan.queues, what='the queues are')}"
        )
    if key not in SETTABLE:
        raise NoSetting(f"{place}: cannot be set while it runs; {suggest(key, SETTABLE, what='these can')}")


def setting(plan: Plan, queue: str, key: str, text: str) -> Value:
    """What ``key: text`` means below ``queues.<queue>:`` of the file. Raises NoSetting."""
    settable(plan, queue, key)
    place = ("queues", queue, key)
    notes = Notes(Path())
    # a number that stands for a name need not be quoted here
    tree = parse(f"{key}: {text}", notes) if SETTABLE[key] is not str else Tree({key: text}, {})
    if tree is not None and not notes.mistakes:
        section = {"overflow": plan.queues[queue].overflow, **tree.data}
        try:
            checked = _QUEUES.validate_python(
                {"queues": {queue: section}}, context=Declared(Path(), queues=frozenset(plan.queues))
            )
        except ValidationError as error:
            report(error, {("queues", queue, *loc): source for loc, source in tree.bare.items()}, notes)
        else:
            value: Value = getattr(to_queue(queue, checked["queues"][queue]), key)
            return value
    raise NoSetting("; ".join(f"{dotted(place)}: {one.text}" for one in notes.mistakes))
