"""What a check says: a line each, and what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

Level = Literal["OK", "SKIP", "WARN", "FAIL"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``SKIP``: could not be looked at from here, which is no fault of the site; ``do`` says how it could."""

    level: Level
    what: str
    do: str = ""
    group: str = ""

    @property
    def counts(self) -> bool:
        """Whether somebody has to act."""
        return self.level in ("WARN", "FAIL")


Findings = AsyncIterator[Finding]


def ok(what: str) -> Finding:
    return Finding("OK", what)


def skip(what: str, do: str = "") -> Finding:
    return Finding("SKIP", what, do)


def warn(what: str, do: str) -> Finding:
    return Finding("WARN", what, do)


def fail(what: str, do: str) -> Finding:
    return Finding("FAIL", what, do)
