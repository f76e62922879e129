"""One call out of a history, step by step: what was said of it, and what the core made of that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, NamedTuple

from ccbridge.captures.replay import Step
from ccbridge.core.effects import Append, Effect
from ccbridge.core.records import to_dict

# A step that tells of all calls at once is shown only where it leads to something about this one.
OF_ALL = ("LinkUp", "PlanLoaded")

Told = tuple[str, dict[str, Any]]  # what it is called, and its values


class Shown(NamedTuple):
    line: int
    n: float
    said: Told
    came: list[Told]  # records and other effects


class Follow:
    """``see`` each step of a replay. Whatever names the call, its offers or their legs belongs to it."""

    def __init__(self, call: str) -> None:
        self.steps: list[Shown] = []
        self._names = {call}

    def see(self, step: Step) -> None:
        said: Told = ("", {})
        if step.event is not None:
            name = type(step.event).__name__
            said = (name, {} if name in OF_ALL else _values(step.event))
        mine = self._mine(said)
        came = [told for told in _came(step) if self._mine(told)]
        if not mine and not came:
            return
        for _, data in (said, *came):
            self._names |= {data[key] for key in ("leg", "offer") if data.get(key)}
        self.steps.append(Shown(step.number, step.line.n, said, came))

    def rows(self) -> list[list[Any]]:
        """For a table: seconds since the first step, line, what, details."""
        found: list[list[Any]] = []
        for shown in self.steps:
            after = f"{shown.n - self.steps[0].n:.3f}"
            if shown.said[0]:
                found.append([after, shown.line, *shown.said])
            found += [["", "", f"  {what}", data] for what, data in shown.came]
        return found

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {
                "line": one.line,
                "n": one.n,
                "input": {"t": one.said[0], **one.said[1]},
                "came": [{"t": what, **data} for what, data in one.came],
            }
            for one in self.steps
        ]

    def _mine(self, told: Told) -> bool:
        return not self._names.isdisjoint(_texts(told[1]))


def _came(step: Step) -> Iterator[Told]:
    if step.event is None:
        yield from (_record(record) for _, record in step.records)
    for effect in step.effects:
        yield _record(effect.record) if isinstance(effect, Append) else _effect(effect)


def _record(record: Any) -> Told:
    data = to_dict(record)
    kind, more = data.pop("t"), data.pop("data", {})
    return kind, {**data, **more}


def _effect(effect: Effect) -> Told:
    return type(effect).__name__, _values(effect)


def _values(thing: Any) -> dict[str, Any]:
    return {one.name: getattr(thing, one.name) for one in fields(thing)}


def _texts(data: Any) -> Iterator[str]:
    """Every text in it, however deep."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for one in data.values():
            yield from _texts(one)
    elif isinstance(data, list | tuple):
        for one in data:
            yield from _texts(one)
