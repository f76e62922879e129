"""What is wrong in a configuration file, and where."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Loc = tuple[str | int, ...]
"""A place in the file: mapping keys and list indexes from the root down."""


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One line for whoever wrote the file. ``line`` counts from 1; 0 = no line (the file cannot be read)."""

    file: str
    line: int
    key: str
    text: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        # A key may hold anything, also a newline: one mistake stays one line.
        return ": ".join(_printable(part) for part in (where, self.key, self.text) if part)


class ConfigErrors(Exception):
    """The configuration file has mistakes; ``mistakes`` holds every one, in the order of the file."""

    def __init__(self, mistakes: Iterable[Mistake], warnings: Iterable[Mistake] = ()) -> None:
        self.mistakes = sorted(mistakes)
        self.warnings = sorted(warnings)
        super().__init__(self.mistakes)

    def __str__(self) -> str:
        return "\n".join(str(mistake) for mistake in self.mistakes)


class Notes:
    """The mistakes and warnings found so far: one mistake per place, the first (most telling) one stays."""

    def __init__(self, file: Path) -> None:
        self.file = str(file)
        self.lines: dict[Loc, int] = {}
        self._mistakes: dict[tuple[Loc, str], Mistake] = {}
        self.warnings: list[Mistake] = []

    @property
    def mistakes(self) -> list[Mistake]:
        return list(self._mistakes.values())

    def has(self, loc: Loc) -> bool:
        return (loc, "") in self._mistakes

    def add(self, loc: Loc, text: str, *, line: int | None = None, kind: str = "") -> None:
        """``kind`` tells apart what can be wrong at one place independently."""
        if (loc, kind) not in self._mistakes:
            at = self.line(loc) if line is None else line
            self._mistakes[loc, kind] = Mistake(self.file, at, dotted(loc), text)

    def unique(self, section: str, raw: object, key: str, owner: str, rule: str = "") -> None:
        """No two entries of this section (``raw``, as read) have the same text under this key."""
        first: dict[str, str] = {}
        for name, body in raw.items() if isinstance(raw, dict) else ():
            value = body.get(key) if isinstance(body, dict) else None
            if isinstance(value, str) and (other := first.setdefault(value, name)) != name:
                line = self.line((section, other, key))
                text = f"{show(value)} is {owner} {other}'s already (line {line}){rule}"
                self.add((section, name, key), text)

    def warn(self, loc: Loc, text: str) -> None:
        self.warnings.append(Mistake(self.file, self.line(loc), dotted(loc), text))

    def line(self, loc: Loc) -> int:
        """Line of the key or list item; for what is not in the file, of the nearest parent that is."""
        for end in range(len(loc), 0, -1):
            if (line := self.lines.get(loc[:end])) is not None:
                return line
        return self.lines.get((), 1)


KEY = "[key]"
"""Last element of a ``Loc`` that means the key itself, not its value (pydantic's own mark)."""


def mapping(data: Any, key: str) -> Mapping[str, Any]:
    """What stands under this key as it was read; nothing, if it is no mapping: that is a mistake already."""
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def dotted(loc: Loc) -> str:
    """``("agents", "anna", "queues", 1)`` as ``agents.anna.queues[1]``."""
    if loc and loc[-1] == KEY:
        loc = loc[:-1]
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")


def show(text: str) -> str:
    """Somebody's text inside a message: quoted and of bounded length."""
    return f'"{text}"' if len(text) <= 60 else f'"{text[:57]}..."'


def suggest(word: str, allowed: Iterable[str], *, what: str = "allowed here") -> str:
    """The second half of "there is no such ...": a near name if there is one, else all of them."""
    names = list(allowed)
    near = closest(word, names)
    if near:
        return f"did you mean {show(near)}?"
    if not names:
        return f"{what}: none"
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"{what}: {listed}"


def closest(word: str, names: Iterable[str]) -> str | None:
    near = difflib.get_close_matches(word[:80], list(names), n=1)
    return near[0] if near else None


def misspelt(key: str, section: Iterable[str], known: Iterable[str]) -> bool:
    """Whether an unknown key of ``section`` is probably meant to be ``key``: reported there, not missing."""
    keys = list(known)
    return any(other not in keys and closest(other, keys) == key for other in section)


def _printable(text: str) -> str:
    return re.sub(
        r"[^\x20-\x7e]",
        lambda m: m[0] if m[0].isprintable() else m[0].encode("unicode_escape").decode("ascii"),
        text,
    )
