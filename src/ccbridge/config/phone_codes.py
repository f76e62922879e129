"""Checks of the codes that agents dial, and of the numbers with which they log in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccbridge.codes import DEFAULTS, clashes
from ccbridge.config.mistakes import Notes, show


def check(data: Mapping[str, Any], notes: Notes) -> None:
    _codes(data.get("codes"), notes)
    notes.unique("agents", data.get("agents"), "number", "agent")


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
