"""A small AMI server on loopback that does what a real Asterisk cannot be told to do on cue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

GREETING = b"Asterisk Call Manager/11.0.0\r\n"


def block(*lines: str) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def event(name: str, *lines: str) -> bytes:
    return block(f"Event: {name}", *lines)


class Asked(dict[str, list[str]]):
    """One action as received: lower-case names, every value."""

    @property
    def action(self) -> str:
        return self["action"][0].lower()

    @property
    def id(self) -> str:
        return self.get("actionid", [""])[0]

    def answer(self, *lines: str, response: str = "Success") -> bytes:
        return block(f"Response: {response}", f"ActionID: {self.id}", *lines)


class Session:
    """One connection of the client."""

    def __init__(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peer, self.reader, self.writer = peer, reader, writer
        self.asked: list[Asked] = []
        self.segments: list[bytes] = []  # as they came from the socket
        self.deaf = False  # half-open: reads, but never says a word again

    def names(self) -> list[str]:
        return [asked.action for asked in self.asked]

    def say(self, *data: bytes) -> None:
        if not self.deaf:
            self.writer.write(b"".join(data))

    def cut(self) -> None:
        self.writer.transport.abort()

    async def run(self) -> None:
        if self.peer.greeting:
            self.say(self.peer.greeting)
        rest = b""
        try:
            while data := await self.reader.read(65536):
                self.segments.append(data)
                *blocks, rest = (rest + data).split(b"\r\n\r\n")
                for raw in blocks:
                    asked = Asked()
                    for line in raw.decode().split("\r\n"):
                        name, _, value = line.partition(": ")
                        asked.setdefault(name.lower(), []).append(value)
                    self.asked.append(asked)
                    self.answer(asked)
        except ConnectionError:
            pass
        finally:
            self.writer.transport.abort()

    def answer(self, asked: Asked) -> None:
        handler = self.peer.on.get(asked.action)
        if handler is not None:
            handler(self, asked)
        elif asked.action == "login":
            self.login(asked)
        elif asked.action == "ping":
            self.say(asked.answer("Ping: Pong", f"Timestamp: {time.time() + self.peer.clock_ahead:.6f}"))
        elif asked.action == "logoff":
            self.say(asked.answer("Message: Thanks for all the fish.", response="Goodbye"))
        else:
            self.say(asked.answer())

    def login(self, asked: Asked) -> None:
        if self.peer.refusal:
            self.say(asked.answer(f"Message: {self.peer.refusal}", response="Error"))
        else:
            self.say(asked.answer("Message: Authentication accepted"))


class Peer:
    """The server. `on[action]` replaces what it does for an action; None is silence."""

    def __init__(self) -> None:
        self.greeting = GREETING
        self.refusal = ""
        self.clock_ahead = 0.0
        self.on: dict[str, Callable[[Session, Asked], None]] = {}
        self.sessions: list[Session] = []
        self.host = "127.0.0.1"
        self.port = 0

    @property
    def session(self) -> Session:
        return self.sessions[-1]

    def silent_on(self, *actions: str) -> None:
        for action in actions:
            self.on[action] = lambda session, asked: None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Peer]:
        tasks: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            session = Session(self, reader, writer)
            self.sessions.append(session)
            tasks.add(asyncio.get_running_loop().create_task(session.run()))

        server = await asyncio.start_server(connected, self.host, self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for session in self.sessions:
                session.cut()
            for task in tasks:
                task.cancel()
            for ending in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ending, Exception):
                    raise ending
            await server.wait_closed()
