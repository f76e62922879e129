"""The daemon's end of the control socket.

It shares the loop with the routing core, so every connection is bounded: one timer, one line's memory, one
request at a time, and a turn of the loop between two requests. A stranger (a port check, garbage, a peer
that dribbles or never reads) costs a counter: no task, no log line.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import cast

import structlog

from ccbridge.control.address import reachable
from ccbridge.control.peer import NOBODY, asker, user_of
from ccbridge.control.wire import (
    LINE_LIMIT,
    Answer,
    Id,
    NotARequest,
    Refused,
    Request,
    encode,
    parse,
    quoted,
)

log = structlog.get_logger(__name__)

Handler = Callable[[dict[str, object]], Awaitable[Answer]]

MODE = 0o660  # the daemon's user and group
# asyncio accepts up to this many connections in one turn of the loop: a few milliseconds of them.
BACKLOG = 64
# Seconds for the answers under way when the server stops.
GRACE = 1.0


class SocketTaken(OSError):
    """Somebody listens on the socket already, or something that is no socket stands in its place."""


class ControlServer:
    """Answers on a Unix socket of mode 0660. ``handlers`` maps a command's name to what answers it.

    A handler gets the request's own fields; what it raises as ``Refused`` is told to the asker, anything
    else is logged and answered as an internal error. Limits, in seconds: ``line_timeout`` for a line that
    has begun and for the first one, ``idle_timeout`` between two requests, ``command_timeout`` for a
    handler.

    With ``connection_cap`` connections open, a new one takes the place of the one that has been silent for
    longest; it is turned away if each of them has a request under way.

    ``counts``, since the start: connections, requests, refused, failed, over_cap, made_room, garbage,
    line_too_long, line_timeout, idle_timeout, unread.
    """

    def __init__(
        self,
        path: Path,
        handlers: Mapping[str, Handler],
        *,
        connection_cap: int = 64,
        line_timeout: float = 10.0,
        idle_timeout: float = 300.0,
        command_timeout: float = 10.0,
    ) -> None:
        self.path = path
        self.handlers = handlers
        self.connection_cap = connection_cap
        self.line_timeout = line_timeout
        self.idle_timeout = idle_timeout
        self.command_timeout = command_timeout
        self.counts: Counter[str] = Counter()
        self.connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._made: tuple[int, int] | None = None  # device and inode of the socket's name

    async def start(self) -> None:
        """Listen. Raises SocketTaken, or OSError if the socket cannot be made there.

        The name of a dead run's socket is removed. Two daemons that start at once do not meet here: the
        daemon's file lock is taken before.
        """
        if self._server is not None:
            raise RuntimeError("the control server was started before")
        self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        _remove_stale(self.path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Linux gives the socket's name the mode of the unbound socket, so it is never wider than this,
            # not for a moment; chmod puts back what the umask has taken.
            os.fchmod(listener.fileno(), MODE)
            with reachable(self.path) as name:
                listener.bind(name)
            self._made = _identity(self.path)
            os.chmod(self.path, MODE)
            listener.setblocking(False)
            self._server = await asyncio.get_running_loop().create_unix_server(
                lambda: Connection(self), sock=listener, backlog=BACKLOG
            )
        except BaseException:
            listener.close()
            self._remove_own()
            raise
        log.info("control_listening", path=str(self.path))

    async def stop(self) -> None:
        """Stop listening, remove the socket, let requests under way end within a second, close all."""
        if self._server is not None:
            self._server.close()
        self._remove_own()
        for connection in list(self.connections):
            connection.stop()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=GRACE)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=GRACE)
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)  # the transports tell their protocols

    # -- for the connections

    def run(self, connection: Connection) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(connection.converse())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def make_room(self) -> bool:
        """Close the connection that has been silent for longest. False if none is silent."""
        silent = [(one.silent_since, one) for one in self.connections if one.silent_since is not None]
        if not silent:
            return False
        _, oldest = min(silent, key=lambda pair: pair[0])
        self.counts["made_room"] += 1
        self.connections.discard(oldest)
        oldest.abort()
        return True

    async def answer(self, line: bytes) -> bytes:
        """The answer to one line. Raises NotARequest for a line that is no JSON object."""
        self.counts["requests"] += 1
        id: Id = None
        do = ""
        try:
            request = parse(line)
            id, do = request.id, request.do
            return encode(id, await self._handled(request))
        except NotARequest:
            raise
        except Refused as refused:
            self.counts["refused"] += 1
            return encode(id if id is not None else refused.id, Answer(False, refused.text))
        except Exception:
            # This is the door: a fault behind one command is told once and must not reach the others.
            self.counts["failed"] += 1
            log.exception("control_failed", do=do)
            return encode(id, Answer(False, f"{do} has failed inside the daemon; its log says why"))

    async def _handled(self, request: Request) -> Answer:
        handler = self.handlers.get(request.do)
        if handler is None:
            known = ", ".join(sorted(self.handlers))
            raise Refused(f"there is no command {quoted(request.do)}; the commands are: {known}")
        try:
            async with asyncio.timeout(self.command_timeout) as limit:
                return await handler(dict(request.fields))
        except TimeoutError:
            if not limit.expired():
                raise
            raise Refused(
                f"{request.do} has not ended within {self.command_timeout:g} s; it may still take effect"
            ) from None

    def _remove_own(self) -> None:
        if self._made is not None and self._made == _identity(self.path):
            self.path.unlink()
        self._made = None


class Connection(asyncio.Protocol):
    """One accepted socket."""

    def __init__(self, server: ControlServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._peer_done = False  # it has sent all it wanted, and may still read
        self._silent_since = 0.0  # the loop's clock
        self._stopping = False
        self._user = NOBODY
        self._can_write = asyncio.Event()

    def stop(self) -> None:
        """Close as soon as the request under way, if there is one, is answered."""
        self._stopping = True
        if self._task is None:
            self._close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    @property
    def silent_since(self) -> float | None:
        """When it was last heard of (the loop's clock); None while a request is under way."""
        return None if self._task is not None else self._silent_since

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        server = self._server
        self._transport = cast(asyncio.Transport, transport)
        self._can_write.set()
        self._user = user_of(transport.get_extra_info("socket"))
        server.counts["connections"] += 1
        if len(server.connections) >= server.connection_cap and not server.make_room():
            server.counts["over_cap"] += 1
            text = f"the daemon serves {server.connection_cap} connections already; try again"
            self._end(Answer(False, text))
            return
        server.connections.add(self)
        self._silent_since = asyncio.get_running_loop().time()
        self._within(server.line_timeout, "line_timeout")

    def data_received(self, data: bytes) -> None:
        if self._stopping:
            return
        began = not self._buffer
        self._buffer += data
        if self._task is not None:
            return
        if self._has_line():
            self._next()
        elif len(self._buffer) > LINE_LIMIT:
            self._too_long()
        elif began:
            self._within(self._server.line_timeout, "line_timeout")

    def eof_received(self) -> bool:
        self._peer_done = True
        return self._task is not None  # what it asked before is still answered

    def pause_writing(self) -> None:
        self._can_write.clear()

    def resume_writing(self) -> None:
        self._can_write.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._no_limit()
        self._stopping = True
        self._can_write.set()
        self._server.connections.discard(self)

    # -- one request after another

    def _has_line(self) -> bool:
        return self._buffer.find(b"\n", 0, LINE_LIMIT + 1) >= 0

    def _next(self) -> None:
        self._no_limit()
        if self._transport is not None:
            self._transport.pause_reading()
        self._task = self._server.run(self)

    async def converse(self) -> None:
        """Answer the lines that have come, then listen again."""
        try:
            while self._has_line() and not self._stopping:
                end = self._buffer.index(b"\n")
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                try:
                    asker.set(self._user)
                    answer = await self._server.answer(line)
                except NotARequest as error:
                    self._server.counts["garbage"] += 1
                    self._end(Answer(False, str(error)))
                    return
                self._write(answer)
                async with asyncio.timeout(self._server.line_timeout):
                    await self._can_write.wait()
                await asyncio.sleep(0)  # the calls' turn
        except TimeoutError:
            self._server.counts["unread"] += 1
            self.abort()
            return
        finally:
            self._task = None
        self._listen()

    def _listen(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._stopping or self._peer_done:
            self._close()
        elif len(self._buffer) > LINE_LIMIT:
            self._too_long()
        else:
            self._silent_since = asyncio.get_running_loop().time()
            waits_for = "line_timeout" if self._buffer else "idle_timeout"
            self._within(getattr(self._server, waits_for), waits_for)
            transport.resume_reading()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    # -- the end

    def _too_long(self) -> None:
        self._server.counts["line_too_long"] += 1
        self._end(Answer(False, f"a request is at most {LINE_LIMIT} bytes"))

    def _end(self, answer: Answer) -> None:
        """A last word to a peer with whom there is no going on."""
        self._stopping = True
        self._buffer.clear()
        self._write(encode(None, answer))
        self._close()

    def _close(self) -> None:
        """Close; what is unsent goes out first, unless the peer does not read it in time."""
        transport = self._transport
        if transport is None:
            return
        transport.close()
        if transport.get_write_buffer_size():
            self._within(GRACE, "unread")

    def _within(self, seconds: float, what: str) -> None:
        self._no_limit()
        self._limit = asyncio.get_running_loop().call_later(seconds, self._over, what)

    def _over(self, what: str) -> None:
        self._limit = None
        self._server.counts[what] += 1
        self.abort()

    def _no_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


def _remove_stale(path: Path) -> None:
    """Remove the socket of a run that is dead: nobody listens there. Raises SocketTaken otherwise."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise SocketTaken(errno.EEXIST, f"{path} exists and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            with reachable(path) as name:
                probe.connect(name)
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # its backlog is full: it lives
    raise SocketTaken(
        errno.EADDRINUSE, f"somebody listens on {path} already: control.socket is another daemon's, too"
    )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
