"""What the ways out of queues say together: each has one target, and no circle of them is walked at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ccbridge.config.mistakes import KEY, Loc, Notes, mapping

KINDS = ("extension", "queue", "message")
AT_ONCE = ("full", "nobody", "paused")


def check(queues: Mapping[str, Any], notes: Notes) -> None:
    """``queues`` as it stands in the file."""
    for queue, raw in queues.items():
        for loc, to in _targets(queue, raw):
            _one_kind(loc, to, notes)
            if to.get("queue") == queue:
                notes.add((*loc, "queue"), "is the queue itself")
        if isinstance(raw, dict) and "full" in mapping(raw, "overflow_to") and not raw.get("max_waiting"):
            notes.add(("queues", queue, "overflow_to", "full"), "is never reached without max_waiting")
    _circles(queues, notes)


def _targets(queue: str, raw: Any) -> Iterator[tuple[Loc, Mapping[str, Any]]]:
    for key in ("overflow_to", "keys"):
        for why, to in mapping(raw, key).items():
            if isinstance(to, dict):
                yield ("queues", queue, key, why), to


def _one_kind(loc: Loc, to: Mapping[str, Any], notes: Notes) -> None:
    kinds = [kind for kind in KINDS if kind in to]
    if len(kinds) > 1:
        notes.add(loc, f"has {' and '.join(kinds)}: a caller can go to one of them only", kind="target")
    elif not kinds:
        notes.add(loc, f"has no target: give one of {', '.join(KINDS)}", kind="target")
    elif "priority" in to and kinds != ["queue"]:
        notes.add((*loc, "priority", KEY), f"belongs to a queue, not to {kinds[0]}")


def _circles(queues: Mapping[str, Any], notes: Notes) -> None:
    """A caller must not be sent round for ever in one moment."""
    leads = {
        queue: {
            str(to["queue"]): why
            for why, to in mapping(raw, "overflow_to").items()
            if why in AT_ONCE and isinstance(to, dict) and isinstance(to.get("queue"), str)
        }
        for queue, raw in queues.items()
    }
    told: set[frozenset[str]] = set()
    for start in leads:
        for way in _ways_back(start, leads):
            if len(way) > 1 and frozenset(way) not in told:
                told.add(frozenset(way))
                loc = ("queues", start, "overflow_to", leads[start][way[1]])
                notes.add(loc, f"leads round at once: {' -> '.join([*way, start])}")


def _ways_back(start: str, leads: Mapping[str, Mapping[str, str]]) -> Iterator[list[str]]:
    """The shortest way from a queue to itself, if there is one."""
    came: dict[str, str] = {}
    todo = [start]
    for at in todo:
        for there in leads.get(at, {}):
            if there == start:
                way = [at]
                while way[0] != start:
                    way.insert(0, came[way[0]])
                yield way
                return
            if there not in came:
                came[there] = at
                todo.append(there)
