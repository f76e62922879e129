"""Recordings that supervisors pause, resume and begin, at the control socket."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ccbridge.control.peer import asker
from ccbridge.control.server import Handler
from ccbridge.control.wire import Answer, Refused, quoted, texts
from ccbridge.core import inputs as i
from ccbridge.core import view
from ccbridge.core.calls import channel_of
from ccbridge.core.effects import Reply
from ccbridge.core.records import ControlEvent
from ccbridge.core.switchboard import Switchboard
from ccbridge.core.taping import COMMANDS, WHAT
from ccbridge.supervision import roles
from ccbridge.supervision.roles import Supervisor

Ask = Callable[[Callable[[int], i.Input]], Awaitable[Reply]]


class Taping:
    """``people``: the supervisors, asked each time. ``ask`` and ``clock`` are those of ``Commands``; ``keep``
    writes what the core is not asked about."""

    def __init__(
        self,
        board: Switchboard,
        people: Callable[[], Mapping[str, Supervisor]],
        ask: Ask,
        keep: Callable[[ControlEvent], None],
        clock: Callable[[], float],
    ) -> None:
        self._board = board
        self._people = people
        self._ask = ask
        self._keep = keep
        self._clock = clock
        self._numbers = itertools.count(1)

    def handlers(self) -> dict[str, Handler]:
        return {"call.record": self._record}

    async def _record(self, fields: dict[str, Any]) -> Answer:
        """``to``: pause, resume or start; ``as``: in whose name, his own by default; ``from`` is cli for the
        command line, else api."""
        given = texts("call.record", fields, required=("call", "to"), optional=("as", "from"))
        call, do, by, door = given["call"], given["to"], asker.get(), given["from"] or "api"
        if do not in COMMANDS:
            raise Refused(f'call.record: field "to" must be one of {", ".join(COMMANDS)}, not {quoted(do)}')
        if door not in ("cli", "api"):
            raise Refused(f'call.record: field "from" must be cli or api, not {quoted(door)}')
        who, why = self._judge(call, by, given["as"])
        if why or who is None:
            self._refused(call, do, by, door, who, why)
            return Answer(False, why, self._seen(call))
        name = who.id
        try:
            reply = await self._ask(
                lambda request: i.RecordingCommand(self._clock(), do, name, by, door, request, call=call)
            )
        except TimeoutError:
            raise Refused("Asterisk has not answered in time; it may still take effect") from None
        return Answer(reply.ok, reply.text, self._seen(call))

    def _seen(self, call: str) -> dict[str, Any] | None:
        return view.call(self._board, call, self._clock())

    def _judge(self, account: str, by: str, as_: str) -> tuple[Supervisor | None, str]:
        """Who asks, and why he may not ("": he may)."""
        people = self._people()
        who = people.get(as_) if as_ else roles.own(by, people)
        if who is None:
            why = "there is no supervisor of this name" if as_ else f"{by} is no supervisor: say as whom"
            return None, why
        agent = self._agent(account)
        plan = self._board.world.plan
        departments = frozenset[str]()
        if agent in plan.agents:
            departments = roles.works_for(plan.agents[agent].queues, plan.departments)
        elif not agent:
            departments = frozenset(who.departments)  # nobody's talk: that is for the core to say
        return who, roles.acts_as(by, who, people) or roles.refusal(who, roles.RECORD, departments, False)

    def _agent(self, account: str) -> str:
        w = self._board.world
        call = w.calls.get(channel_of(account)[0])
        offer = w.offers.get(call.offer) if call is not None and call.account == account else None
        return "" if offer is None else offer.agent

    def _refused(self, call: str, do: str, by: str, door: str, who: Supervisor | None, why: str) -> None:
        w = self._board.world
        id_, at = f"r{w.run}s{next(self._numbers)}", self._clock()
        known = channel_of(call)[0] in w.calls
        about = ("" if who is None else who.id, by, self._agent(call), door, call if known else None)
        for result, reason in (("asked", ""), ("refused", why)):
            self._keep(ControlEvent(id_, at, WHAT[do], result, *about, reason=reason))
