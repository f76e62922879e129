"""Supervisors who listen to agents, at the control socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ccbridge.control.peer import asker
from ccbridge.control.server import Handler
from ccbridge.control.wire import Answer, Refused, quoted, texts
from ccbridge.supervision.desk import Decided, Desk
from ccbridge.supervision.roles import CONTROLS, Asked
from ccbridge.supervision.sessions import rows

DOORS = ("cli", "api")


def asked_by(do: str, door: str, at: float) -> Asked:
    """Who asks, over this door: the field ``from``. Raises Refused."""
    if door not in ("", *DOORS):
        raise Refused(f'{do}: field "from" must be cli or api, not {quoted(door)}')
    return Asked(at, asker.get(), door or "api")


class Monitors:
    """``perform`` does what a decision asks for, and gives its answer; ``clock`` is epoch seconds."""

    def __init__(
        self, desk: Desk, perform: Callable[[Decided], tuple[bool, str]], clock: Callable[[], float]
    ) -> None:
        self._desk = desk
        self._perform = perform
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        return {
            "monitor.list": self._list,
            "monitor.start": self._start,
            "monitor.stop": self._stop,
            "call.escalate": self._escalate,
        }

    async def _list(self, fields: dict[str, Any]) -> Answer:
        texts("monitor.list", fields)
        found = rows(self._desk.sessions.all.values(), self._clock())
        return Answer(True, f"{len(found)} supervisors listen", found)

    async def _start(self, fields: dict[str, Any]) -> Answer:
        """``to``: a supervisor, or the extension of his phone; ``as``: in whose name, his own by default.

        ``from`` is cli for the command line, else api.
        """
        given = texts("monitor.start", fields, required=("agent", "to"), optional=("mode", "as", "from"))
        mode = given["mode"] or CONTROLS[0]
        if mode not in CONTROLS:
            raise Refused(
                f'monitor.start: field "mode" must be one of {", ".join(CONTROLS)}, not {quoted(mode)}'
            )
        asked = asked_by("monitor.start", given["from"], self._clock())
        return self._answer(self._desk.monitor(asked, given["agent"], mode, given["to"], given["as"]))

    async def _stop(self, fields: dict[str, Any]) -> Answer:
        """``agent``, ``to``: of this agent, at this phone; without either, all."""
        given = texts("monitor.stop", fields, optional=("agent", "to", "from"))
        asked = asked_by("monitor.stop", given["from"], self._clock())
        return self._answer(self._desk.stop(asked, given["agent"], given["to"]))

    async def _escalate(self, fields: dict[str, Any]) -> Answer:
        """Bring the supervisor on duty into this ``call``'s talk."""
        given = texts("call.escalate", fields, required=("call",), optional=("from",))
        asked = asked_by("call.escalate", given["from"], self._clock())
        return self._answer(self._desk.escalate_call(asked, given["call"]))

    def _answer(self, decided: Decided) -> Answer:
        ok, text = self._perform(decided)
        return Answer(ok, text, rows(self._desk.sessions.all.values(), self._clock()))
