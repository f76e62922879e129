"""Score cards: what a supervisor judges of a call that he has heard, and how a total comes of it.

    s(g)   = sum of w(i) * p(i) over the items judged of group g / sum of their w(i)
    total  = sum of W(g) * s(g) over the groups with an item judged / sum of their W(g)

``p`` are points, 0 to 100; ``w`` and ``W`` weights of items and groups, above 0; the total is 0 to 100, to
two places. What could not be judged, as a greeting that was over when he came, takes no part. A **critical**
item with fewer points than it needs fails the card: its total is 0, whatever the others say. That is the
trade's usual "auto-fail"; how many fail is counted apart from the mean, as COPC counts critical errors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

MOST = 100  # points
DIGITS = 10  # hexadecimal, of a version: as the plan's


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    weight: int = 1  # 1-1000, within its group
    critical: int = 0  # with fewer points the card fails, 1-100; 0: it is not critical
    sound: str = ""  # asks for it; "": its number does


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    items: tuple[Item, ...]
    weight: int = 1  # 1-1000, within the form


@dataclass(frozen=True, slots=True)
class Form:
    """One form, and whose calls it is for: of these queues, else of these departments, else of all."""

    name: str
    groups: tuple[Group, ...]
    queues: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()

    @property
    def items(self) -> list[tuple[Group, Item]]:
        """In the order in which they are asked for."""
        return [(group, item) for group in self.groups for item in group.items]

    @property
    def version(self) -> str:
        """Forms that ask and weigh alike have the same one; sounds and queues do not count."""
        asked = [
            [group.name, group.weight, [[item.name, item.weight, item.critical] for item in group.items]]
            for group in self.groups
        ]
        text = json.dumps([self.name, asked], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


class Score(NamedTuple):
    total: float  # 0-100
    failed: tuple[int, ...]  # numbers, from 1, of the critical items that fail it


Points = Sequence[int | None]  # of each item, 0-100; None: not judged


def score(form: Form, points: Points) -> Score | None:
    """The total of a form whose items got these points; None: nothing of it was judged."""
    judged = [(*one, p) for one, p in zip(form.items, points, strict=True) if p is not None]
    total, weights = 0.0, 0
    for group in form.groups:
        its = [(item.weight, p) for of, item, p in judged if of is group]
        if its:
            mean = sum(weight * p for weight, p in its) / sum(weight for weight, _ in its)
            total, weights = total + group.weight * mean, weights + group.weight
    if not weights:
        return None
    numbered = enumerate(zip(form.items, points, strict=True), 1)
    failed = tuple(number for number, ((_, item), p) in numbered if p is not None and p < item.critical)
    return Score(0.0 if failed else round(total / weights, 2), failed)


def told(form: Form, points: Points) -> list[dict[str, Any]]:
    """Each item with its points and what it counts for, so that a card says what it was, for ever."""
    return [
        {
            "group": group.name,
            "item": item.name,
            "points": p,
            "weight": item.weight,
            "group_weight": group.weight,
            "critical": item.critical,
        }
        for (group, item), p in zip(form.items, points, strict=True)
    ]


def form_for(forms: Mapping[str, Form], queue: str, departments: Mapping[str, Sequence[str]]) -> Form | None:
    """The form for calls of this queue ("": none); None: there is none for it."""
    its = {name for name, queues in departments.items() if queue in queues}
    named = [form for form in forms.values() if queue in form.queues]
    shared = [form for form in forms.values() if not its.isdisjoint(form.departments)]
    rest = [form for form in forms.values() if not form.queues and not form.departments]
    return next(iter(named + shared + rest), None)
