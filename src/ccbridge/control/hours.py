"""Exceptional closings, at the control socket: they are kept in the audit, and outlive the daemon with it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from ccbridge.control.monitoring import asked_by
from ccbridge.control.server import Handler
from ccbridge.control.wire import Answer, Refused, quoted, texts
from ccbridge.core.memory import Memory
from ccbridge.core.records import ControlEvent
from ccbridge.supervision import roles
from ccbridge.supervision.roles import Asked, Supervisor

LONGEST = 366 * 86_400.0  # seconds


class Closings:
    """``hours()``: each one's departments, by name; ``people()``: the supervisors; both asked each time.

    A supervisor closes and opens the hours of his departments, and acts as himself. Anybody else who may open
    the control socket may do it anywhere.
    """

    def __init__(
        self,
        memory: Callable[[], Memory],
        run: Callable[[], str],
        hours: Callable[[], Mapping[str, tuple[str, ...]]],
        people: Callable[[], Mapping[str, Supervisor]],
        keep: Callable[[ControlEvent], None],
        clock: Callable[[], float],
    ) -> None:
        self._memory = memory
        self._run = run
        self._hours = hours
        self._people = people
        self._keep = keep
        self._clock = clock
        self._numbers = itertools.count(1)

    def handlers(self) -> dict[str, Handler]:
        return {"hours.closings": self._closings, "hours.close": self._close, "hours.open": self._open}

    async def _closings(self, fields: dict[str, Any]) -> Answer:
        """Data: hours -> by, until (epoch seconds or null), reason; of closings that are in force."""
        texts("hours.closings", fields)
        now = self._clock()
        found = {
            name: one
            for name, one in self._memory().closings.items()
            if one["until"] is None or one["until"] > now
        }
        return Answer(True, f"{len(found)} closed", found)

    async def _close(self, fields: dict[str, Any]) -> Answer:
        """``until``: epoch seconds, none: until it is opened; ``as`` and ``from`` as elsewhere."""
        given = texts("hours.close", fields, required=("hours",), optional=("until", "reason", "as", "from"))
        asked = asked_by("hours.close", given["from"], self._clock())
        seconds = self._seconds(given["until"], asked.at)
        return self._do("close_hours", given["hours"], asked, given["as"], seconds, given["reason"])

    async def _open(self, fields: dict[str, Any]) -> Answer:
        given = texts("hours.open", fields, required=("hours",), optional=("as", "from"))
        asked = asked_by("hours.open", given["from"], self._clock())
        return self._do("open_hours", given["hours"], asked, given["as"], None, "")

    def keyed(self, what: str, hours: str, device: str, who: str, seconds: float | None) -> tuple[bool, str]:
        """``what`` (close_hours, open_hours) was keyed at the supervisor ``who``'s phone, with his PIN."""
        answer = self._do(what, hours, Asked(self._clock(), device, "phone"), who, seconds, "")
        return answer.ok, answer.text

    def _seconds(self, until: str, now: float) -> float | None:
        if not until:
            return None
        try:
            seconds = float(until) - now
        except ValueError:
            seconds = 0.0
        if 0 < seconds <= LONGEST:
            return round(seconds, 3)
        raise Refused('hours.close: field "until" must be a moment within a year from now, epoch seconds')

    def _do(
        self, what: str, hours: str, asked: Asked, as_: str, seconds: float | None, reason: str
    ) -> Answer:
        if hours not in self._hours():
            raise Refused(f"there are no hours {quoted(hours)}")
        was_closed = hours in self._memory().closings
        who, why = self._judge(hours, asked.by, as_)
        control = f"h{self._run()}x{next(self._numbers)}"
        self._keep(
            ControlEvent(
                control, asked.at, what, "refused" if why else "done", who, asked.by, hours, asked.door,
                seconds=seconds, reason=why or reason,
            )
        )  # fmt: skip
        if why:
            return Answer(False, why, None)
        if what == "close_hours":
            return Answer(True, f"{hours} is closed", self._memory().closings[hours])
        return Answer(True, f"{hours} is as its hours say" + ("" if was_closed else ", as before"), None)

    def _judge(self, hours: str, by: str, as_: str) -> tuple[str, str]:
        """Who acts, and why he may not ("": he may)."""
        people = self._people()
        who = people.get(as_) if as_ else roles.own(by, people)
        if who is None:
            return "", "there is no supervisor of this name" if as_ else ""
        if why := roles.acts_as(by, who, people):
            return who.id, why
        rights = roles.ROLES[who.role]
        if not rights.unlocks:
            return who.id, f"a {who.role} may not close or open"
        if not rights.everywhere and not set(self._hours()[hours]) & set(who.departments):
            return who.id, f"{who.id} supervises none of the departments of these hours"
        return who.id, ""
