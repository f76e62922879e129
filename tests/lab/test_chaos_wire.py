"""The wire between daemon and PBX: it carries, stands still and is cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest_asyncio

from ccbridge.lab.chaos.house import Wire

LIMIT_S = 5.0


class Talk:
    """A connection through the wire."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def says(self, text: bytes) -> bytes:
        """What comes back; b"" when the connection is over."""
        self.writer.write(text)
        return await self.hears()

    async def hears(self) -> bytes:
        try:
            return await asyncio.wait_for(self.reader.read(1000), LIMIT_S)
        except ConnectionResetError:
            return b""


class Line:
    """A wire to a server that repeats what it hears."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.ends: list[asyncio.StreamWriter] = []

    async def open(self) -> None:
        self.server = await asyncio.start_server(self._repeat, "127.0.0.1", 0)
        self.port = await self.wire.open(*self.server.sockets[0].getsockname()[:2])

    async def dial(self) -> Talk:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.ends.append(writer)
        return Talk(reader, writer)

    async def close(self) -> None:
        await self.wire.close()
        self.server.close()
        for end in self.ends:
            end.transport.abort()
            with contextlib.suppress(ConnectionError):
                await end.wait_closed()

    async def _repeat(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ends.append(writer)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1000):
                writer.write(data)
        writer.transport.abort()


@pytest_asyncio.fixture
async def line() -> AsyncIterator[Line]:
    one = Line()
    await one.open()
    yield one
    await one.close()


async def test_it_carries_both_ways(line: Line) -> None:
    assert await (await line.dial()).says(b"hello") == b"hello"


async def test_frozen_it_keeps_what_was_said(line: Line) -> None:
    talk = await line.dial()
    assert await talk.says(b"hello") == b"hello"
    line.wire.freeze()
    heard = asyncio.create_task(talk.says(b"later"))
    assert await asyncio.wait({heard}, timeout=0.2) == (set(), {heard})
    line.wire.thaw()
    assert await heard == b"later"


async def test_cut_it_ends_old_and_new_connections_until_it_is_mended(line: Line) -> None:
    talk = await line.dial()
    assert await talk.says(b"hello") == b"hello"
    line.wire.cut()
    assert await talk.hears() == b""
    assert await (await line.dial()).says(b"hello") == b""
    line.wire.mend()
    assert await (await line.dial()).says(b"hello") == b"hello"
