"""What supervisors ask of queues and of callers who wait: fields in, an input of the core, its reply out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ccbridge.config.setting import NoSetting, settable, setting
from ccbridge.config.shapes import Extension, Priority
from ccbridge.control.peer import asker
from ccbridge.control.server import Handler
from ccbridge.control.wire import Answer, Refused, texts
from ccbridge.core import inputs as i
from ccbridge.core import view
from ccbridge.core.controls import Value
from ccbridge.core.effects import Reply
from ccbridge.core.switchboard import Switchboard

Ask = Callable[[Callable[[int], i.Input]], Awaitable[Reply]]
_EXTENSION: TypeAdapter[str] = TypeAdapter(Extension)
_PRIORITY: TypeAdapter[int] = TypeAdapter(Priority)


class Supervising:
    """``ask``, ``clock`` and ``monotonic`` are those of ``Commands``."""

    def __init__(
        self, board: Switchboard, ask: Ask, clock: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        self._board = board
        self._ask = ask
        self._clock = clock
        self._monotonic = monotonic

    def handlers(self) -> dict[str, Handler]:
        return {
            "queue.pause": self._queue(i.QueuePause, "queue.pause"),
            "queue.drain": self._queue(i.QueueDrain, "queue.drain"),
            "queue.resume": self._queue(i.QueueResume, "queue.resume"),
            "queue.set": self._queue_set,
            "call.pull": self._call_pull,
            "call.move": self._call_move,
            "call.priority": self._call_priority,
            "call.redirect": self._call_redirect,
            "call.hangup": self._call_hangup,
        }

    def _queue(self, kind: type[i.QueuePause | i.QueueDrain | i.QueueResume], do: str) -> Handler:
        async def handle(fields: dict[str, Any]) -> Answer:
            queue = texts(do, fields, required=("queue",))["queue"]
            by = asker.get()
            return await self._queue_changed(queue, lambda request: kind(self._clock(), queue, by, request))

        return handle

    async def _queue_set(self, fields: dict[str, Any]) -> Answer:
        """Without ``value``: the file's again."""
        given = texts("queue.set", fields, required=("queue", "key"), optional=("value",))
        queue, key, by = given["queue"], given["key"], asker.get()
        base = self._board.world.base
        value: Value | None = None
        try:
            settable(base, queue, key)
            if given["value"]:
                value = setting(base, queue, key, given["value"])
        except NoSetting as error:
            raise Refused(str(error)) from error
        return await self._queue_changed(
            queue, lambda request: i.QueueSet(self._clock(), queue, key, value, by, request)
        )

    async def _call_pull(self, fields: dict[str, Any]) -> Answer:
        given, by = texts("call.pull", fields, required=("call", "agent")), asker.get()
        call, agent = given["call"], given["agent"]
        return await self._call_changed(
            call, lambda request: i.CallPull(self._clock(), call, agent, by, request)
        )

    async def _call_move(self, fields: dict[str, Any]) -> Answer:
        given, by = texts("call.move", fields, required=("call", "queue")), asker.get()
        call, queue = given["call"], given["queue"]
        return await self._call_changed(
            call, lambda request: i.CallMove(self._clock(), call, queue, by, request)
        )

    async def _call_priority(self, fields: dict[str, Any]) -> Answer:
        given, by = texts("call.priority", fields, required=("call", "priority")), asker.get()
        call = given["call"]
        try:
            priority = _checked(_PRIORITY, int(given["priority"]), "priority")
        except ValueError:
            raise Refused("priority: must be a plain whole number") from None
        return await self._call_changed(
            call, lambda request: i.CallPriority(self._clock(), call, priority, by, request)
        )

    async def _call_redirect(self, fields: dict[str, Any]) -> Answer:
        given, by = texts("call.redirect", fields, required=("call", "extension")), asker.get()
        call, target = given["call"], _checked(_EXTENSION, given["extension"], "extension")
        return await self._call_changed(
            call, lambda request: i.CallRedirect(self._clock(), call, target, by, request)
        )

    async def _call_hangup(self, fields: dict[str, Any]) -> Answer:
        call, by = texts("call.hangup", fields, required=("call",))["call"], asker.get()
        return await self._call_changed(call, lambda request: i.CallHangup(self._clock(), call, by, request))

    # -- the core's own reply, and what it is about as it is after it

    async def _queue_changed(self, queue: str, make: Callable[[int], i.Input]) -> Answer:
        reply = await self._replied(make)
        return Answer(reply.ok, reply.text, view.queue(self._board, queue, self._clock(), self._monotonic()))

    async def _call_changed(self, call: str, make: Callable[[int], i.Input]) -> Answer:
        reply = await self._replied(make)
        return Answer(reply.ok, reply.text, view.call(self._board, call, self._clock()))

    async def _replied(self, make: Callable[[int], i.Input]) -> Reply:
        try:
            return await self._ask(make)
        except TimeoutError:
            raise Refused("the daemon has not decided in time; it may still take effect") from None


def _checked(shape: TypeAdapter[Any], value: Any, name: str) -> Any:
    try:
        return shape.validate_python(value)
    except ValidationError as error:
        (one,) = error.errors(include_url=False, include_input=False)
        raise Refused(f"{name}: {one['ctx']['error']}") from error
