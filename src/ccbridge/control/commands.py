"""What can be asked of the daemon, and how each command is answered.

Reading commands look at the live switchboard, in the thread that drives it; commands that change something
are inputs like any other, and what the core replies is the answer.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ccbridge import __version__
from ccbridge.control.hours import Closings
from ccbridge.control.monitoring import Monitors, asked_by
from ccbridge.control.server import Handler
from ccbridge.control.supervising import Supervising
from ccbridge.control.taping import Taping
from ccbridge.control.wire import Answer, Refused, quoted, texts
from ccbridge.core import explain, view
from ccbridge.core import inputs as i
from ccbridge.core.calls import CallState
from ccbridge.core.effects import Reply
from ccbridge.core.switchboard import Switchboard
from ccbridge.health import judge
from ccbridge.supervision.attendance import Attendance

Ask = Callable[[Callable[[int], i.Input]], Awaitable[Reply]]
"""Post the input made with a fresh request number; await the core's Reply to it."""


class Commands:
    """The commands over one switchboard.

    ``ask``: see ``Ask``. ``reload`` reads the configuration anew (True: only to see what would change) and
    says what came of it. ``drain`` has the daemon take no new calls (True), or take them again. ``facts``
    gives what only the daemon knows (lags, sessions, Asterisk's version): merged into the data of ``status``,
    its keys win. ``since_start`` gives a queue's figures since the daemon's start. ``attendance`` keeps who
    comes and goes, and lifts locks. ``clock`` is epoch seconds, ``monotonic`` the clock that drives the
    switchboard.
    """

    def __init__(
        self,
        board: Switchboard,
        ask: Ask,
        reload: Callable[[bool], Awaitable[Answer]],
        drain: Callable[[bool], None],
        facts: Callable[[], Mapping[str, Any]] = dict,
        since_start: Callable[[str], Mapping[str, Any]] = lambda queue: {},
        monitors: Monitors | None = None,
        taping: Taping | None = None,
        *,
        attendance: Attendance | None = None,
        closings: Closings | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._ask = ask
        self._reload = reload
        self._drain = drain
        self._facts = facts
        self._since_start = since_start
        self._attendance = attendance
        self._clock = clock
        self._monotonic = monotonic
        self._supervising = Supervising(board, ask, clock, monotonic)
        self._monitors = {} if monitors is None else monitors.handlers()
        self._taping = {} if taping is None else taping.handlers()
        self._closings = {} if closings is None else closings.handlers()
        self._started = monotonic()

    def handlers(self) -> dict[str, Handler]:
        return {
            "status": self._status,
            "health": self._health,
            "drain": self._drained,
            "reload": self._reloaded,
            "queue.list": self._queue_list,
            "queue.show": self._queue_show,
            "agent.list": self._agent_list,
            "agent.show": self._agent_show,
            "agent.login": self._agent_login,
            "agent.logout": self._agent_logout,
            "agent.pause": self._agent_pause,
            "agent.unpause": self._agent_unpause,
            "agent.personal": self._agent_personal,
            "agent.unlock": self._agent_unlock,
            "call.list": self._call_list,
            "call.waiting": self._call_waiting,
            "call.show": self._call_show,
            "call.explain": self._call_explain,
            "agent.explain": self._agent_explain,
            **self._supervising.handlers(),
            **self._monitors,
            **self._taping,
            **self._closings,
        }

    async def _status(self, fields: dict[str, Any]) -> Answer:
        texts("status", fields)
        seen = self._seen()
        link, calls = "up" if seen["link"]["up"] else "down", seen["calls"]
        return Answer(True, f"link {link}, {calls['total']} calls, {calls['waiting']} waiting", seen)

    def _seen(self) -> dict[str, Any]:
        seen = view.status(self._board, self._clock(), self._monotonic())
        uptime = round(self._monotonic() - self._started, 1)
        return {"version": __version__, "uptime_s": uptime, **seen, **self._facts()}

    async def _health(self, fields: dict[str, Any]) -> Answer:
        texts("health", fields)
        health = judge(self._seen())
        return Answer(True, health.word, health.as_dict())

    async def _drained(self, fields: dict[str, Any]) -> Answer:
        """``state`` on or off; without it nothing changes. Data: calls that still need the daemon."""
        state = texts("drain", fields, optional=("state",))["state"]
        if state not in ("", "on", "off"):
            raise Refused(f'drain: field "state" must be on or off, not {quoted(state)}')
        if state:
            self._drain(state == "on")
        seen = self._seen()
        states = seen["calls"]["states"]
        left = {name: count for name, count in states.items() if name != CallState.FALLBACK.value}
        text = "draining" if seen["draining"] else "taking calls"
        return Answer(
            True,
            f"{text}, {sum(left.values())} calls",
            {"draining": seen["draining"], "calls": sum(left.values()), "states": left},
        )

    async def _reloaded(self, fields: dict[str, Any]) -> Answer:
        """``dry_run`` yes: nothing is changed. Data: the differences, or the mistakes of a bad file."""
        dry_run = texts("reload", fields, optional=("dry_run",))["dry_run"]
        if dry_run not in ("", "yes", "no"):
            raise Refused(f'reload: field "dry_run" must be yes or no, not {quoted(dry_run)}')
        return await self._reload(dry_run == "yes")

    async def _queue_list(self, fields: dict[str, Any]) -> Answer:
        """``department``: its queues only."""
        department = texts("queue.list", fields, optional=("department",))["department"]
        seen = view.queues(self._board, self._clock())
        if department:
            its = self._of_department(department)
            seen = [row for row in seen if row["queue"] in its]
        rows = [{**row, "since_start": dict(self._since_start(row["queue"]))} for row in seen]
        waiting = sum(row["waiting"] for row in rows)
        return Answer(True, f"{len(rows)} queues, {waiting} callers waiting", rows)

    async def _queue_show(self, fields: dict[str, Any]) -> Answer:
        name = texts("queue.show", fields, required=("queue",))["queue"]
        row = view.queue(self._board, name, self._clock(), self._monotonic())
        if row is None:
            raise Refused(f"there is no queue {quoted(name)}")
        return Answer(True, f"{name}: {row['waiting']} waiting", row)

    async def _agent_list(self, fields: dict[str, Any]) -> Answer:
        """``queue``, ``department``: who serves it, or any of its queues."""
        given = texts("agent.list", fields, optional=("queue", "department"))
        rows = view.agents(self._board, self._clock(), self._monotonic())
        if given["queue"]:
            if given["queue"] not in self._board.world.plan.queues:
                raise Refused(f"there is no queue {quoted(given['queue'])}")
            rows = [row for row in rows if given["queue"] in row["queues"]]
        if given["department"]:
            its = self._of_department(given["department"])
            rows = [row for row in rows if its & set(row["queues"])]
        logged_in = sum(row["logged_in"] for row in rows)
        return Answer(True, f"{len(rows)} agents, {logged_in} logged in", rows)

    def _of_department(self, name: str) -> set[str]:
        departments = self._board.world.plan.departments
        if name not in departments:
            raise Refused(f"there is no department {quoted(name)}")
        return set(departments[name])

    async def _agent_show(self, fields: dict[str, Any]) -> Answer:
        agent = texts("agent.show", fields, required=("agent",))["agent"]
        row = view.agent(self._board, agent, self._clock(), self._monotonic())
        if row is None:
            raise Refused(f"there is no agent {quoted(agent)}")
        return Answer(True, f"{agent} is {row['state']}", row)

    async def _agent_login(self, fields: dict[str, Any]) -> Answer:
        return await self._attends("agent.login", "log_in", fields, i.LogIn)

    async def _agent_logout(self, fields: dict[str, Any]) -> Answer:
        return await self._attends("agent.logout", "log_out", fields, i.LogOut)

    async def _agent_pause(self, fields: dict[str, Any]) -> Answer:
        given = texts("agent.pause", fields, required=("agent",), optional=("reason",))
        agent, reason = given["agent"], given["reason"] or self._board.world.plan.pause_reasons[0]
        return await self._changed(agent, lambda request: i.Pause(self._clock(), agent, reason, request))

    async def _agent_unpause(self, fields: dict[str, Any]) -> Answer:
        agent = texts("agent.unpause", fields, required=("agent",))["agent"]
        return await self._changed(agent, lambda request: i.Unpause(self._clock(), agent, request))

    async def _agent_personal(self, fields: dict[str, Any]) -> Answer:
        """``device``: which of his personal devices is rung from now on; without it his phone. ``as``: in
        whose name; ``from``: cli or api."""
        given = texts("agent.personal", fields, required=("agent",), optional=("device", "as", "from"))
        agent, asked = given["agent"], asked_by("agent.personal", given["from"], self._clock())
        device, who = given["device"], ""
        if self._attendance is not None and agent in self._board.world.agents:
            who, why = self._attendance.personal(asked, agent, given["as"])
            if why:
                return Answer(False, why, None)
        return await self._changed(
            agent,
            lambda request: i.UsePersonal(asked.at, agent, device, asked.by, asked.door, request, who),
        )

    async def _agent_unlock(self, fields: dict[str, Any]) -> Answer:
        """``agent``: an agent or a phone, PJSIP/1001. ``as``: in whose name; ``from``: cli or api."""
        given = texts("agent.unlock", fields, required=("agent",), optional=("as", "from"))
        name = given["agent"]
        asked = asked_by("agent.unlock", given["from"], self._clock())
        if name not in self._board.world.agents and name not in self._board.world.devices:
            raise Refused(f"there is no agent or phone {quoted(name)}")
        if self._attendance is None:
            raise Refused("nobody keeps locks here")
        return Answer(*self._attendance.unlock(asked, name, given["as"]), None)

    async def _attends(
        self, do: str, what: str, fields: dict[str, Any], kind: type[i.LogIn | i.LogOut]
    ) -> Answer:
        """``from`` is cli for the command line, else api."""
        given = texts(do, fields, required=("agent",), optional=("from",))
        agent, asked = given["agent"], asked_by(do, given["from"], self._clock())
        answer = await self._changed(agent, lambda request: kind(asked.at, agent, request))
        if self._attendance is not None:
            known = agent if agent in self._board.world.agents else ""
            result, reason = ("done", "") if answer.ok else ("refused", answer.text)
            self._attendance.note(asked, what, result, known, reason=reason)
        return answer

    async def _call_list(self, fields: dict[str, Any]) -> Answer:
        queue = texts("call.list", fields, optional=("queue",))["queue"]
        found = view.calls(self._board, self._clock(), queue)
        if queue and not found["total"] and queue not in self._board.world.plan.queues:
            raise Refused(f"there is no queue {quoted(queue)}")
        return Answer(True, f"{found['total']} calls", found)

    async def _call_waiting(self, fields: dict[str, Any]) -> Answer:
        texts("call.waiting", fields)
        found = view.line(self._board, self._clock())
        return Answer(True, f"{found['total']} callers waiting", found)

    async def _call_show(self, fields: dict[str, Any]) -> Answer:
        call = texts("call.show", fields, required=("call",))["call"]
        row = view.call(self._board, call, self._clock())
        if row is None:
            raise Refused(f"there is no live call {quoted(call)}")
        return Answer(True, f"{call} is {row['state']}", row)

    async def _call_explain(self, fields: dict[str, Any]) -> Answer:
        call = texts("call.explain", fields, required=("call",))["call"]
        row = explain.call(self._board, call, self._clock(), self._monotonic())
        if row is None:
            raise Refused(f"there is no live call {quoted(call)}")
        return Answer(True, f"{call} is {row['state']}", row)

    async def _agent_explain(self, fields: dict[str, Any]) -> Answer:
        agent = texts("agent.explain", fields, required=("agent",))["agent"]
        row = explain.agent(self._board, agent, self._clock(), self._monotonic())
        if row is None:
            raise Refused(f"there is no agent {quoted(agent)}")
        return Answer(True, f"{agent} is {row['state']}", row)

    async def _changed(self, agent: str, make: Callable[[int], i.Input]) -> Answer:
        """The core's own reply, and the agent as he is after it."""
        try:
            reply = await self._ask(make)
        except TimeoutError:
            raise Refused("the daemon has not decided in time; it may still take effect") from None
        row = view.agent(self._board, agent, self._clock(), self._monotonic())
        return Answer(reply.ok, reply.text, row)
