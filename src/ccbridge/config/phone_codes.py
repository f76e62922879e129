"""Checks of the codes that agents dial, and of the numbers with which they log in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccbridge.codes import DEFAULTS, clashes
from ccbridge.config.mistakes import Notes, show


def check(data: Mapping[str, Any], notes: Notes) -> None:
    _codes(data.get("codes"), notes)
    _numbers(data.get("agents"), notes)


def _codes(raw: Any, notes: Notes) -> None:
    """No code is another one, or begins with it: what follows a code is its argument."""
    given = {name: raw[name] for name in DEFAULTS if name in raw} if isinstance(raw, dict) else {}
    if not all(isinstance(one, str) for one in given.values()):
        return  # a mistake already
    codes = {**DEFAULTS, **given}
    for name, other in clashes(codes):
        at, against = (name, other) if name in given else (other, name)
        line = notes.line(("codes", against)) if against in given else 0
        where = f"line {line}" if line else "its default"
        notes.add(
            ("codes", at),
            f"{show(codes[at])} and {show(codes[against])} of {against} ({where}): one begins with the other",
        )


def _numbers(raw: Any, notes: Notes) -> None:
    owner: dict[str, str] = {}
    for agent, body in raw.items() if isinstance(raw, dict) else ():
        number = body.get("number") if isinstance(body, dict) else None
        if isinstance(number, str) and (first := owner.setdefault(number, agent)) != agent:
            line = notes.line(("agents", first, "number"))
            notes.add(("agents", agent, "number"), f"{show(number)} is agent {first}'s already (line {line})")
