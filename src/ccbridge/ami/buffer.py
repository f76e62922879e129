"""Events that wait while the snapshot after a login is taken: in order, bounded, dropped by type."""

from __future__ import annotations

from collections import Counter
from enum import IntEnum

from panoramisk.message import Message

from .errors import BufferFull


class Worth(IntEnum):
    """What losing an event would cost. The lowest go first."""

    NOISE = 0  # detail that no decision rests on
    STATE = 1  # told again by the snapshot or by the next change
    RECORD = 2  # told once: a call's end, its record, what our own dialplan says


_NOISE = frozenset({"varset", "newexten", "testevent", "challengesent", "successfulauth"})
_NOISE_PREFIXES = ("rtcp", "agiexec", "dtmf", "asyncagiexec")
_RECORD = frozenset(
    {"hangup", "userevent", "cdr", "hanguprequest", "originateresponse", "fullybooted", "shutdown"}
)


def worth(event: str) -> Worth:
    name = event.lower()
    if name in _RECORD:
        return Worth.RECORD
    if name in _NOISE or name.startswith(_NOISE_PREFIXES):
        return Worth.NOISE
    return Worth.STATE


class EventBuffer:
    """At most `limit` events. Full, it drops by worth and counts; a RECORD is never dropped."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.dropped: Counter[str] = Counter()  # by event name
        self._events: list[tuple[Worth, Message]] = []
        self._held: Counter[Worth] = Counter()

    def append(self, event: Message) -> None:
        """Raises BufferFull when it is full of events that must not be lost: then only a new link helps."""
        value = worth(event.event)
        if len(self._events) >= self.limit:
            least = min(w for w in Worth if self._held[w] or w is value)
            if least is Worth.RECORD:
                raise BufferFull(f"{self.limit} events waiting, none of which may be dropped")
            if least is value:
                self.dropped[event.event] += 1
                return
            self._drop(least)
        self._events.append((value, event))
        self._held[value] += 1

    def take(self) -> list[Message]:
        """All that is held, in the order of arrival; empty afterwards."""
        events = [event for _, event in self._events]
        self._events.clear()
        self._held.clear()
        return events

    def _drop(self, value: Worth) -> None:
        # All of a kind in one pass: dropping one by one would cost a scan for each event that comes after.
        self.dropped.update(event.event for w, event in self._events if w is value)
        self._events = [pair for pair in self._events if pair[0] is not value]
        del self._held[value]
