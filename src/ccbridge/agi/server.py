"""The FastAGI door: panoramisk's route table, our own connection handling.

panoramisk's stock handler spins for ever on a peer that closes before its header is complete, so nothing of
it is used but the routes. A stranger on the port (a port check, garbage, a peer that dribbles) costs a
counter: no task, no log line, no memory beyond one header's limit.
"""

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import parse_qsl

import structlog
from panoramisk import fast_agi

from .protocol import AgiParser, AgiReply, Broken, Greeting, LeftNotice, encode_command
from .session import AgiSession, ChannelLeft

log = structlog.get_logger(__name__)

Route = Callable[[AgiSession], Awaitable[None]]

# Seconds that a cancelled handler gets for its own cleaning up before stop() goes on without it.
CANCEL_GRACE = 1.0


class AgiServer(fast_agi.Application):
    """Accepts FastAGI connections and runs one route for each. Build it inside a running event loop.

    A route is `async (session) -> None`. At its normal end it has set `CCB_STATUS` itself; the server never
    does, so that the dialplan can tell a menu that finished from one that failed (AGISTATUS says SUCCESS
    for both). What the server refuses gets the channel variable `CCB_REFUSED`: `session_cap`, `no_route`,
    `bad_request` or `stopping`.

    `session_cap`: running sessions; `header_timeout`, `command_timeout`, `media_timeout`: seconds.

    `counts` holds, each since the start: connections, sessions, finished, failed, cancelled, channel_left
    (the handler let ChannelLeft out), refused_<CCB_REFUSED>, header_eof (connect and close),
    header_timeout, garbage_<reason>, stray_lines, unasked_replies, late_replies, command_timeouts.
    """

    def __init__(
        self,
        *,
        session_cap: int = 2000,
        header_timeout: float = 3.0,
        command_timeout: float = 5.0,
        media_timeout: float = 300.0,
        backlog: int = 4096,
    ) -> None:
        super().__init__(loop=asyncio.get_running_loop())  # type: ignore[no-untyped-call]
        self.session_cap = session_cap
        self.header_timeout = header_timeout
        self.command_timeout = command_timeout
        self.media_timeout = media_timeout
        self.counts: Counter[str] = Counter()
        self.stopping = False
        self._backlog = backlog
        self._server: asyncio.Server | None = None
        self._waiting: set[_Connection] = set()  # header not complete
        self._running: dict[asyncio.Task[None], _Connection] = {}

    @property
    def sessions(self) -> int:
        """Sessions running now."""
        return len(self._running)

    @property
    def port(self) -> int:
        """The port listened on. Raises RuntimeError before start()."""
        if self._server is None or not self._server.sockets:
            raise RuntimeError("the FastAGI server is not listening")
        return int(self._server.sockets[0].getsockname()[1])

    def add_route(self, path: str, handler: Route) -> None:
        """Run `handler` for `agi://host/<path>`, whatever its query string.

        Raises ValueError if the route exists, TypeError if `handler` is no coroutine function.
        """
        if not inspect.iscoroutinefunction(handler):
            raise TypeError(f"route {path!r}: {handler!r} is no coroutine function")
        super().add_route(path, handler)  # type: ignore[no-untyped-call]

    async def handler(self, reader: Any, writer: Any) -> None:
        """panoramisk's stock entry: not to be used, since one connect-and-close would freeze the loop."""
        raise NotImplementedError("use AgiServer.start()")

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one, see `port`. Raises OSError if the address cannot be had."""
        if self._server is not None:
            raise RuntimeError("the FastAGI server was started before")
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(self), host, port, backlog=self._backlog
        )
        log.info("agi_listening", host=host, port=self.port)

    async def stop(self, grace: float) -> None:
        """Stop accepting, give running sessions `grace` seconds, then cancel them.

        Never takes 1 s more than that.
        """
        self.stopping = True
        if self._server is not None:
            self._server.close()
        for connection in list(self._waiting):
            connection.drop()
        if self._running:
            await asyncio.wait(list(self._running), timeout=grace)
        for task in list(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(list(self._running), timeout=CANCEL_GRACE)
        for connection in list(self._running.values()):
            log.error("agi_session_ignores_cancel", **connection.ids())
            connection.drop()

    # -- for the connections ----------

    def count(self, name: str) -> None:
        self.counts[name] += 1

    def waits(self, connection: "_Connection") -> None:
        self._waiting.add(connection)

    def waits_no_more(self, connection: "_Connection") -> None:
        self._waiting.discard(connection)

    def route(self, script: str) -> tuple[str, dict[str, str], Route | None]:
        """The path, the query and the handler of an agi_network_script.

        Raises ValueError for a query too long.
        """
        path, _, query = script.partition("?")
        path = path.strip("/")
        fields: dict[str, str] = {}
        if query:
            for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=64):
                fields.setdefault(name, value)
        return path, fields, self._route.get(path)

    def run(self, connection: "_Connection", session: AgiSession, route: Route) -> None:
        task = asyncio.get_running_loop().create_task(self._converse(connection, session, route))
        self._running[task] = connection
        self.count("sessions")
        task.add_done_callback(self._running.pop)

    async def _converse(self, connection: "_Connection", session: AgiSession, route: Route) -> None:
        try:
            await route(session)
        except ChannelLeft as left:
            self.count("channel_left")
            log.debug("agi_channel_left", reason=str(left), **connection.ids())
        except asyncio.CancelledError:
            self.count("cancelled")
            log.info("agi_session_cancelled", **connection.ids())
            raise
        except Exception:
            # This is the door: one caller's failure is told once and must not reach the others.
            self.count("failed")
            log.exception("agi_session_failed", **connection.ids())
        else:
            self.count("finished")
        finally:
            connection.drop()


class _Connection(asyncio.Protocol):
    """One accepted socket: a header against the clock, then the session's bytes."""

    def __init__(self, server: AgiServer) -> None:
        self._server = server
        self._parser = AgiParser()
        self._session: AgiSession | None = None
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def ids(self) -> dict[str, str]:
        """What a log line says of this connection: never a number or a name."""
        if self._session is None:
            return {}
        return {
            "uniqueid": self._session.uniqueid,
            "channel": self._session.channel,
            "path": self._session.path,
        }

    def drop(self) -> None:
        """Close; what is unsent goes out first, unless the peer has stopped reading."""
        self._header_over()
        transport = self._transport
        if transport is None:
            return
        transport.close()
        if transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(CANCEL_GRACE, transport.abort)

    # -- asyncio.Protocol ----------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.count("connections")
        if self._server.stopping:
            self._transport.abort()
            return
        self._server.waits(self)
        self._deadline = asyncio.get_running_loop().call_later(self._server.header_timeout, self._too_slow)

    def data_received(self, data: bytes) -> None:
        for event in self._parser.feed(data):
            match event:
                case AgiReply() | LeftNotice():
                    if self._session is not None:
                        self._session.take(event)
                case Greeting():
                    self._greet(event)
                case Broken(reason):
                    self._server.count(f"garbage_{reason}")
                    self._abort(f"not AGI: {reason}")
                case _:
                    self._server.count("stray_lines")

    def eof_received(self) -> bool:
        # At once, not when the transport has got rid of what it still holds.
        if self._session is not None:
            self._session.lose("end of file")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._server.count("header_eof")
        self._header_over()
        if self._session is not None:
            self._session.lose("socket closed")

    # -- steps ----------

    def _greet(self, greeting: Greeting) -> None:
        self._header_over()
        server, transport = self._server, self._transport
        if transport is None or transport.is_closing():
            return
        refusal, path, query, route = "", "", dict[str, str](), None
        try:
            path, query, route = server.route(greeting.variables.get("agi_network_script", ""))
        except ValueError:
            refusal = "bad_request"
        if server.stopping:
            refusal = "stopping"
        elif server.sessions >= server.session_cap:
            refusal = "session_cap"
        elif route is None:
            refusal = refusal or "no_route"
        self._session = AgiSession(
            transport,
            greeting.variables,
            path,
            query,
            command_timeout=server.command_timeout,
            media_timeout=server.media_timeout,
            count=server.count,
        )
        if route is not None and not refusal:
            server.run(self, self._session, route)
            return
        server.count(f"refused_{refusal}")
        log.warning("agi_refused", reason=refusal, **self.ids())
        # Asterisk reads the command before the end of file, so the dialplan can tell a refusal from a
        # failure.
        transport.write(encode_command("SET VARIABLE", "CCB_REFUSED", refusal))
        self.drop()

    def _too_slow(self) -> None:
        self._deadline = None
        self._server.count("header_timeout")
        self._abort("header too slow")

    def _abort(self, reason: str) -> None:
        self._header_over()
        if self._session is not None:
            self._session.lose(reason)
        if self._transport is not None:
            self._transport.abort()

    def _header_over(self) -> None:
        self._server.waits_no_more(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
