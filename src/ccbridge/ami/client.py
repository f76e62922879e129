"""The AMI client: panoramisk's `Manager` with its behaviour under failure replaced.

panoramisk stays what it is good at: the constructor, `register_event` patterns and hooks, Action, Message and
ActionIDs. Connecting, logging in, staying alive, sending, dispatching and closing are ours, because the
release sends unanswered actions again after a reconnect, takes a half-open link for a live one, and loses the
link to a callback that raises (see docs/architecture.md).

One link lives like this; `run()` goes round until `close()` or a refused login:

    down -> connecting -> settling -> live -> down
               |             |         |
               |             |         +- every event goes to `on_event` at once
               |             +- logged in; events are buffered while `on_up` takes its snapshot
               +- greeting awaited before the secret is sent, then Login
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import structlog
from panoramisk.manager import Manager
from panoramisk.message import Message

from .buffer import EventBuffer
from .errors import ActionRefused, ActionTimeout, AmiError, LinkLost, LoginRefused
from .figures import Figures, State
from .link import Link, Request
from .pulse import Pulse
from .wire import Fields

log = structlog.get_logger(__name__)

# Names an Asterisk can send are about 200; a peer that invents them must not fill the cache.
_CACHED_NAMES = 1024
# What Asterisk takes for an Originate's Timeout header when there is none, in seconds.
_ORIGINATE_TIMEOUT = 30.0


def default_backoff() -> Iterator[float]:
    """Seconds between attempts: a restarting Asterisk is met soon, a missing one is not stormed."""
    yield from (0.1, 0.25, 0.5, 1.0, 2.0)
    while True:
        yield 5.0


class AmiClient(Manager):
    """A link to one Asterisk that heals itself and never acts twice.

    `on_event` is synchronous and gets every event in wire order; patterns of `register_event` come after it,
    for the same event. `on_up(client)` runs after each login and may send actions; events of that time are
    delivered when it returns. If it raises AmiError or TimeoutError the link is dropped and tried again; any
    other exception ends `run()`. `on_down(reason)` follows each `on_up` exactly once, after that link's last
    event and before the ends of its actions.

    Times are seconds. A dead link is found within `ping_interval + ping_timeout`.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        username: str,
        secret: str,
        events: str = "call,user,cdr,agent,system",
        ping_interval: float = 2.0,
        ping_timeout: float = 2.0,
        action_timeout: float = 5.0,
        settle_timeout: float = 15.0,
        buffer_limit: int = 20_000,
        backoff: Callable[[], Iterator[float]] = default_backoff,
        on_event: Callable[[Message], None] | None = None,
        on_up: Callable[[AmiClient], Awaitable[None]] | None = None,
        on_down: Callable[[str], None] | None = None,
        **config: Any,
    ) -> None:
        """`config` may hold panoramisk's `ssl` and its hooks `on_connect`, `on_login`, `on_disconnect`."""
        self._matches: dict[str, list[str]] = {}  # patterns by event name
        super().__init__(  # type: ignore[no-untyped-call]
            **{"log": log, **config}, host=host, port=port, username=username, secret=secret, events=events
        )
        # The parent listens for FullyBooted in order to send unanswered actions again.
        self.patterns.clear()
        self.callbacks.clear()
        self.action_timeout = action_timeout
        self.settle_timeout = settle_timeout
        self.state: State = "down"
        self.version: str | None = None  # of the AMI protocol, as greeted
        self.protocol: Link | None = None
        self._backoff = backoff
        self._event_callback = on_event
        self._up_callback = on_up
        self._down_callback = on_down
        self._buffer = EventBuffer(buffer_limit)
        self._booted: asyncio.Future[float] | None = None  # of this link: when the PBX began to run
        self._closing = asyncio.Event()
        self._connect_limit: asyncio.Timeout | None = None
        self._running = False
        self._proven = False  # this link has answered a ping while live
        self._owes_down = False  # a login was followed by on_up and not yet by on_down
        self._counts: Counter[str] = Counter()
        self._pulse = Pulse(ping_interval, ping_timeout)

    # -- life --------------------------------------------------------------------------------------------

    def connect(self) -> asyncio.Task[None]:  # type: ignore[override]
        """Starts `run()` as a task; the caller keeps and awaits it."""
        return asyncio.get_running_loop().create_task(self.run())

    async def run(self) -> None:
        """Connects, logs in, keeps alive and reconnects until `close()`.

        Raises LoginRefused when Asterisk does not accept the user or secret, and whatever `on_up` raises
        that is neither AmiError nor TimeoutError.
        """
        if self._running:
            raise RuntimeError("this client runs already")
        self._running = True
        self.loop = asyncio.get_running_loop()
        delays = self._backoff()
        try:
            while not self._closing.is_set():
                self._proven = False
                try:
                    reason = await self._serve_once()
                except (LinkLost, ActionTimeout) as error:
                    reason = str(error)
                if self._closing.is_set():
                    return
                if self._proven:  # a login alone proves little: an `on_up` that always fails must back off
                    delays = self._backoff()
                delay = next(delays)
                log.warning("ami.retry", reason=reason, delay=delay, host=self.config["host"])
                await self._closed_within(delay)
        finally:
            self.close()
            self._running = False

    async def _closed_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    async def _serve_once(self) -> str:
        """One link from connect to loss; returns why it was lost."""
        self.state = "connecting"
        link: Link | None = None
        self._booted = self.loop.create_future()
        tasks: list[asyncio.Task[None]] = []
        try:
            link = await self._open()
            self.protocol = link
            if self._closing.is_set():
                return "closed by us"
            await self.login(link)
            tasks = [
                self.loop.create_task(self._settle(link)),
                self.loop.create_task(self._pulse.keep(link, self._beat)),
            ]
            return await asyncio.shield(link.lost)
        finally:
            if link is not None:
                link.close()
                self._count_in(link)
            self.protocol = None
            self.state = "down"
            self._buffer.take()
            for task in tasks:
                task.cancel()
            endings = await asyncio.gather(*tasks, return_exceptions=True)
            for ending in endings:
                if isinstance(ending, Exception):
                    raise ending

    async def _open(self) -> Link:
        try:
            async with asyncio.timeout(self.action_timeout) as self._connect_limit:
                link: Link
                _, link = await self.loop.create_connection(
                    lambda: Link(self._deliver, self._lost),
                    self.config["host"],
                    self.config["port"],
                    ssl=self.config["ssl"] or None,
                )
        except OSError as error:  # TimeoutError is one of them
            raise LinkLost(f"cannot connect: {str(error) or 'no answer in time'}", sent=False) from error
        finally:
            self._connect_limit = None
        return link

    async def login(self, link: Link) -> None:
        """Awaits the greeting, so that the secret goes to an Asterisk only, and logs in."""
        try:
            async with asyncio.timeout(self.action_timeout):
                self.version = await link.greeted
        except TimeoutError:
            raise ActionTimeout("no greeting in time") from None
        self._hook(self.on_connect, self)
        names = {"username": "Username", "secret": "Secret", "events": "Events"}
        fields = {"Action": "Login", **{name: self.config[key] for key, name in names.items()}}
        try:
            await link.send(Request(fields), limit=self.action_timeout)
        except ActionRefused as refusal:
            # With allowmultiplelogin=no the session of a link that we lost may still stand for a while.
            if "in use" in str(refusal).lower():
                raise LinkLost(str(refusal), sent=False) from refusal
            log.error("ami.login_refused", username=self.config["username"], answer=str(refusal))
            raise LoginRefused(f"{self.config['username']}: {refusal}") from refusal
        self.authenticated = True
        self.state = "settling"
        self._counts["logins"] += 1
        log.info("ami.logged_in", host=self.config["host"], version=self.version)
        self._hook(self.on_login, self)

    async def _settle(self, link: Link) -> None:
        """Runs `on_up`, then hands over what was buffered and goes live, in one step."""
        if link.closed:
            return
        self._owes_down = True
        try:
            if self._up_callback is not None:
                async with asyncio.timeout(self.settle_timeout):
                    await self._up_callback(self)
        except (AmiError, TimeoutError) as error:
            link.cut(f"not settled: {str(error) or 'too slow'}")
            return
        except Exception:
            link.cut("on_up failed")
            raise
        if link.closed:
            return
        for event in self._buffer.take():
            self._hand_over(event)
            if link.closed:
                return
        self.state = "live"

    def _beat(self) -> None:
        self._proven |= self.state == "live"

    async def booted(self, limit: float) -> float | None:
        """Wait for the PBX to be fully booted; when it began to run, in epoch seconds (0: it does not say).

        None when it does not tell within ``limit`` seconds: it still boots, or our user may not read class
        ``system``. Until then it takes log-ins, but does not have all its modules and devices.
        """
        if self._booted is None:
            return None
        await asyncio.wait({self._booted}, timeout=limit)
        return self._booted.result() if self._booted.done() else None

    async def ping(self) -> float:
        """Round trip of a Ping in seconds. Raises ActionTimeout or LinkLost."""
        if self.protocol is None or not self.up:
            raise LinkLost("not connected", sent=False)
        return await self._pulse.ping(self.protocol, self.action_timeout)

    def close(self) -> None:
        """Ends everything: each future of an action is done when this returns, and `run()` returns soon."""
        self._closing.set()
        if self.protocol is not None:
            self.protocol.close()
        elif self._connect_limit is not None and not self._connect_limit.expired():
            self._connect_limit.reschedule(0)

    def _lost(self, link: Link, reason: str) -> None:
        if link is not self.protocol:
            return
        settled, self.state = self.state, "down"
        self.authenticated = False
        if self._owes_down:
            tell = log.info if self._closing.is_set() else log.warning
            tell("ami.link_lost", reason=reason, state=settled, pending=len(link.pending))
            self._owes_down = False
            self._hook(self._down_callback, reason)
        self._hook(self.on_disconnect, self, LinkLost(reason, sent=True))

    # -- asking ------------------------------------------------------------------------------------------

    @property
    def up(self) -> bool:
        """Whether actions can be sent."""
        return self.state in ("settling", "live")

    async def action(self, fields: Fields, *, timeout: float | None = None) -> Message:  # noqa: ASYNC109
        """Sends one action and returns its response.

        Raises ActionRefused, ActionTimeout, LinkLost (outcome unknown if `sent`), and ValueError or TypeError
        for what cannot be put on the wire. `timeout` is in seconds; None is the client's own, to which an
        Originate without Async adds its ring time.
        """
        message: Message = await self._send([Request(fields)], timeout)[0]
        return message

    async def action_list(
        self,
        fields: Fields,
        *,
        complete: str,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> list[Message]:
        """Sends an action that answers with a list; returns its items, in order, when event `complete` came.

        Raises as `action` does. The response and the completing event are not among the items.
        """
        if not complete:
            raise ValueError("a list needs the name of its completing event")
        messages = await self._send([Request(fields, complete=complete)], timeout)[0]
        return [message for message in messages[:-1] if message.event]

    def send_many(
        self, actions: Sequence[Fields], *, timeout: float | None = None
    ) -> list[asyncio.Future[Message]]:
        """Sends actions in one write, in order. Each future ends as `action` would, and need not be awaited.

        Raises ValueError or TypeError, with nothing sent, if one of them cannot be put on the wire. A refused
        action does not keep Asterisk from doing the next.
        """
        return self._send([Request(fields) for fields in actions], timeout)

    def send_action(self, action: Fields, as_list: bool | None = None, **kwargs: str) -> asyncio.Future[Any]:
        """panoramisk's call: a refusal is an answer, and a list holds response, items and completing event.

        It is a list only if `as_list` says so: nothing is guessed from English text.
        """
        request = Request({**action, **kwargs}, complete="" if as_list else None, strict=False)
        return self._send([request], None)[0]

    def _send(self, requests: list[Request], timeout: float | None) -> list[asyncio.Future[Any]]:
        link = self.protocol
        if link is None or not self.up:
            for request in requests:
                request.fail(LinkLost("not connected", sent=False))
            return [request.future for request in requests]
        return link.send_together(requests, limit=[self._limit(request, timeout) for request in requests])

    def _limit(self, request: Request, timeout: float | None) -> float:
        if timeout is not None:
            return timeout
        if not request.occupies:
            return self.action_timeout
        rings = request.get("timeout", "")
        return self.action_timeout + (int(rings) / 1000 if rings.isdecimal() else _ORIGINATE_TIMEOUT)

    def send_awaiting_actions(self, *_: object) -> None:  # type: ignore[override]
        """panoramisk's re-sending, which here does nothing: what was lost is decided anew, never repeated."""

    # -- hearing -----------------------------------------------------------------------------------------

    def register_event(self, pattern: str, callback: Callable[..., None] | None = None) -> Any:
        """panoramisk's, for plain functions: a coroutine would run out of order and unwatched (TypeError)."""

        def register(function: Callable[..., None]) -> Callable[..., None]:
            if asyncio.iscoroutinefunction(function):
                raise TypeError("an event callback must be a plain function")
            self._matches.clear()
            super(AmiClient, self).register_event(pattern, function)  # type: ignore[no-untyped-call]
            return function

        return register if callback is None else register(callback)

    def _deliver(self, event: Message) -> None:
        if event.event == "FullyBooted" and self._booted is not None and not self._booted.done():
            uptime = event.get("uptime", "")
            self._booted.set_result(time.time() - float(uptime) if uptime.isdecimal() else 0.0)
        if self.state == "live":
            self._hand_over(event)
        else:  # settling, or in the same segment as the answer to Login
            self._buffer.append(event)

    def _hand_over(self, event: Message) -> None:
        self._counts["events"] += 1
        if self._event_callback is not None:
            self._hook(self._event_callback, event)
        if self.patterns:
            self.dispatch(event)

    def dispatch(self, event: Message) -> list[str]:
        """Calls the callbacks of every matching pattern; returns those patterns."""
        event.manager = self
        name = event.event
        matches = self._matches.get(name)
        if matches is None:
            matches = [pattern for pattern, regexp in self.patterns if regexp.match(name)]
            if len(self._matches) < _CACHED_NAMES:
                self._matches[name] = matches
        for pattern in matches:
            for callback in self.callbacks[pattern]:
                self._hook(callback, self, event)
        return matches

    def _hook(self, callback: Callable[..., object] | None, *args: object) -> None:
        """Calls somebody else's function: what it raises costs a log line and a count, not the link."""
        if callback is None:
            return
        try:
            callback(*args)
        except Exception:
            self._counts["callback_errors"] += 1
            log.exception("ami.callback_failed", callback=getattr(callback, "__qualname__", repr(callback)))

    # -- figures -----------------------------------------------------------------------------------------

    def _count_in(self, link: Link) -> None:
        self._counts["orphans"] += link.orphans
        self._counts["timeouts"] += link.timeouts

    def figures(self) -> Figures:
        link, counts = self.protocol, self._counts
        return Figures(
            state=self.state,
            logins=counts["logins"],
            reconnects=max(0, counts["logins"] - 1),
            events=counts["events"],
            orphans=counts["orphans"] + (link.orphans if link else 0),
            timeouts=counts["timeouts"] + (link.timeouts if link else 0),
            callback_errors=counts["callback_errors"],
            pending=len(link.pending) if link else 0,
            dropped=dict(self._buffer.dropped),
            round_trip=self._pulse.round_trip,
            silence=self.loop.time() - link.last_heard if link else None,
            clock_offset=self._pulse.clock_offset,
        )
