"""One AMI connection, from greeting to loss: what was asked on it, and what came back.

A `Link` never reconnects and is never used again. When it goes, every request on it ends with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message
from panoramisk.utils import IdGenerator

from .errors import ActionRefused, ActionTimeout, AmiError, LinkLost
from .wire import AmiMessage, Fields, Inbound, encode

# Bounds what piles up if Asterisk stops answering: 5 s worth at 400 actions a second.
MAX_PENDING = 2000

_TRUE = frozenset({"yes", "true", "y", "t", "1", "on"})  # Asterisk's ast_true()

_list_ids = IdGenerator("list")  # type: ignore[no-untyped-call]
# Stands in every item of a list of ours. It tells a late item of a list that timed out from an event that
# merely carries an ActionID (OriginateResponse, UserEvent), without remembering anything about the list.
_LIST_MARK = f"ActionID: {_list_ids.prefix}/{_list_ids.uid}/"


class Request(Action):
    """A panoramisk action that knows its end: one response, or a list's completing event *by name*.

    `complete` is None for a single response, "" for a list ended by any event `...Complete`. With `strict`
    a refusal ends the future with ActionRefused, else with Asterisk's answer, panoramisk's way.
    """

    future: asyncio.Future[Any]

    def __init__(self, fields: Fields, *, complete: str | None = None, strict: bool = True) -> None:
        given = dict(fields)
        if complete is not None and not any(name.lower() == "actionid" for name in given):
            given["ActionID"] = _list_ids()
        if len({name.lower() for name in given}) != len(given):
            raise ValueError("an AMI header is given twice; give its values as a sequence")
        super().__init__(given)  # type: ignore[no-untyped-call]
        self.complete = complete
        self.strict = strict
        self.timer: asyncio.TimerHandle | None = None

    @property
    def occupies(self) -> bool:
        """Whether Asterisk stays deaf on this connection until it has answered."""
        return self.get("action", "").lower() == "originate" and self.get("async", "").lower() not in _TRUE

    def add_message(self, message: Message) -> bool:
        """Takes a message that carries our ActionID; true if the request ended with it."""
        if not message.event:
            if not message.success and self.strict:
                self.fail(ActionRefused(message))
                return True
            if self.complete is None:
                return self._succeed(message)
            self.responses.append(message)
            return not message.success and self._succeed(self.responses)
        self.responses.append(message)
        name = message.event.lower()
        if name != self.complete.lower() if self.complete else not name.endswith("complete"):
            return False
        return self._succeed(self.responses)

    def _succeed(self, result: Any) -> bool:
        if not self.future.done():
            self.future.set_result(result)
        return True

    def fail(self, error: AmiError) -> None:
        if not self.future.done():
            self.future.set_exception(error)
            # Whoever pipelines a Setvar may not care how it ended; asyncio must not complain for him.
            self.future.exception()


class Link(AMIProtocol):
    """The protocol object of one connection. `on_event` gets events in wire order and must not raise."""

    transport: asyncio.Transport

    def __init__(self, on_event: Callable[[Message], None], on_lost: Callable[[Link, str], None]) -> None:
        self._on_event = on_event
        self._on_lost = on_lost
        loop = asyncio.get_running_loop()
        self._loop = loop
        self.greeted: asyncio.Future[str] = loop.create_future()  # the protocol version
        self.lost: asyncio.Future[str] = loop.create_future()  # the reason
        self.pending: dict[str, Request] = {}  # by ActionID
        self.last_heard = loop.time()
        self.orphans = 0  # answers nobody waits for any more
        self.timeouts = 0
        self.closed = False
        self._inbound = Inbound()
        self._lists = 0
        self._reason = ""

    @property
    def occupied(self) -> bool:
        """A request is pending that keeps Asterisk from answering anything else (Originate without Async)."""
        return any(request.occupies for request in self.pending.values())

    # -- from asyncio ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self.last_heard = self._loop.time()
        try:
            messages = self._inbound.feed(data)
            if not self.greeted.done() and self._inbound.version is not None:
                self.greeted.set_result(self._inbound.version)
            for message in messages:
                if self.closed:
                    return
                self.handle_message(message)
        except AmiError as error:
            self.cut(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._end(self._reason or (f"connection lost: {exc}" if exc else "closed by Asterisk"))

    def _end(self, reason: str) -> None:
        if self.lost.done():
            return
        self.lost.set_result(reason)
        if not self.greeted.done():
            self.greeted.set_exception(LinkLost(reason, sent=False))
            self.greeted.exception()  # nobody may be waiting for it
        self._on_lost(self, reason)
        self._fail_all(LinkLost(reason, sent=True))

    # -- out ---------------------------------------------------------------------------------------------

    def send(self, data: Request, as_list: object = None, *, limit: float = 5.0) -> asyncio.Future[Any]:
        """Writes one request; see `send_together`. `as_list` is panoramisk's and stands in the request."""
        return self.send_together([data], limit=[limit])[0]

    def send_together(
        self, requests: Sequence[Request], *, limit: Iterable[float]
    ) -> list[asyncio.Future[Any]]:
        """Writes all requests with one write, so nothing comes between them. `limit` is in seconds, for each.

        Raises ValueError, with nothing sent, if one of them cannot be put on the wire.
        """
        data = b"".join(encode(request) for request in requests)
        ids = [request.id for request in requests]
        if len({*ids}) != len(ids) or not self.pending.keys().isdisjoint(ids):
            raise ValueError("an ActionID that is still in use")
        problem = "closed" if self.closed else ""
        if len(self.pending) + len(requests) > MAX_PENDING:
            problem = f"{len(self.pending)} actions unanswered"
        if problem:
            for request in requests:
                request.fail(LinkLost(problem, sent=False))
            return [request.future for request in requests]
        for request, seconds in zip(requests, limit, strict=True):
            self.pending[request.id] = request
            self._lists += request.complete is not None
            request.timer = self._loop.call_later(seconds, self._expire, request.id, seconds)
            request.future.add_done_callback(partial(self._forget, request.id))
        self.transport.write(data)
        return [request.future for request in requests]

    # -- in ----------------------------------------------------------------------------------------------

    def handle_message(self, message: AmiMessage) -> None:
        if message.event:
            if self._lists or _LIST_MARK in message.text:
                request = self.pending.get(message.get("actionid") or "")
                if request is not None and request.complete is not None:
                    self._answer(request, message)
                    return
                if _LIST_MARK in message.text:
                    self.orphans += 1
                    return
            self._on_event(message)
            return
        request = self.pending.get(message.get("actionid") or "")
        if request is None:
            self.orphans += 1
        else:
            self._answer(request, message)

    def _answer(self, request: Request, message: Message) -> None:
        if request.add_message(message):
            self._remove(request.id)

    # -- ends --------------------------------------------------------------------------------------------

    def _remove(self, action_id: str) -> Request | None:
        request = self.pending.pop(action_id, None)
        if request is not None:
            self._lists -= request.complete is not None
            if request.timer is not None:
                request.timer.cancel()
        return request

    def _forget(self, action_id: str, future: asyncio.Future[Any]) -> None:
        if future.cancelled():  # whoever asked gave up; the other endings have removed it already
            self._remove(action_id)

    def _expire(self, action_id: str, seconds: float) -> None:
        request = self._remove(action_id)
        if request is not None:
            self.timeouts += 1
            request.fail(
                ActionTimeout(f"no answer to {request['action']} in {seconds:g} s (outcome unknown)")
            )

    def _fail_all(self, error: LinkLost) -> None:
        for action_id in list(self.pending):
            request = self._remove(action_id)
            if request is not None:
                request.fail(error)

    def cut(self, reason: str) -> None:
        """Drops the connection now, without waiting for the peer."""
        if not self.closed:
            self.closed = True
            self._reason = reason
            self.transport.abort()

    def close(self, reason: str = "closed by us") -> None:
        """Says Logoff if it can go out at once, and ends every request, all before it returns."""
        if not self.closed:
            self.closed = True
            self._reason = reason
            if self.transport.get_write_buffer_size() == 0 and self.greeted.done():
                self.transport.write(encode({"Action": "Logoff"}))
            # A peer that does not read would keep transport.close() waiting for ever.
            if self.transport.get_write_buffer_size() == 0:
                self.transport.close()
            else:
                self.transport.abort()
        self._end(self._reason or reason)
