"""The door: routes, refusals, strangers on the port, failing handlers, stopping."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable

import pytest
from fake_asterisk import WAIT, FakeAsterisk
from structlog.testing import capture_logs

from ccbridge.agi.server import AgiServer
from ccbridge.agi.session import AgiSession


async def done(session: AgiSession) -> None:
    await session.set_variable("CCB_STATUS", "done")


async def waits(session: AgiSession) -> None:
    await asyncio.Event().wait()


async def breaks(session: AgiSession) -> None:
    raise LookupError("nothing there")


async def plays(session: AgiSession) -> None:
    await session.stream_file("x")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT):
        while not condition():  # noqa: ASYNC110 - counters have no event to wait for
            await asyncio.sleep(0.002)


async def serve(server: AgiServer) -> AgiServer:
    for route in (done, waits, breaks, plays):
        server.add_route(route.__name__, route)
    await server.start("127.0.0.1", 0)
    return server


@pytest.fixture
async def server() -> AsyncIterator[AgiServer]:
    server = await serve(AgiServer(session_cap=2, header_timeout=WAIT, command_timeout=WAIT))
    yield server
    await server.stop(0)
    assert server.sessions == 0


async def test_a_session_from_end_to_end(server: AgiServer) -> None:
    async with FakeAsterisk(server.port) as peer:
        peer.greet("done")
        assert await peer.serve("200 result=1") == ['SET VARIABLE "CCB_STATUS" "done"']
        assert await peer.ended() == b""
    await until(lambda: server.sessions == 0)
    assert server.counts == {"connections": 1, "sessions": 1, "finished": 1}


@pytest.mark.parametrize("script", ["done?x=1", "done?", "/done/?a=b&c", "done?x=%ff"])
async def test_query_strings_reach_the_route(server: AgiServer, script: str) -> None:
    async with FakeAsterisk(server.port) as peer:
        peer.greet(script)
        assert await peer.serve("200 result=1") == ['SET VARIABLE "CCB_STATUS" "done"']


@pytest.mark.parametrize(
    ("script", "reason"),
    [("nosuch", "no_route"), ("", "no_route"), ("done?" + "&".join("abcdefghij" * 10), "bad_request")],
)
async def test_refused_request_is_told_to_the_dialplan(server: AgiServer, script: str, reason: str) -> None:
    async with FakeAsterisk(server.port) as peer:
        with capture_logs() as logs:
            peer.greet(script)
            assert await peer.ended() == f'SET VARIABLE "CCB_REFUSED" "{reason}"\n'.encode()
    assert [(line["event"], line["reason"], line["uniqueid"]) for line in logs] == [
        ("agi_refused", reason, "1700000000.1")
    ]
    assert server.counts[f"refused_{reason}"] == 1


async def test_session_cap(server: AgiServer) -> None:
    async with FakeAsterisk(server.port) as one, FakeAsterisk(server.port) as two:
        one.greet("waits")
        two.greet("waits")
        await until(lambda: server.sessions == 2)
        async with FakeAsterisk(server.port) as three:
            three.greet("done")
            assert b'"session_cap"' in await three.ended()
    assert server.counts["refused_session_cap"] == 1
    for task in list(server._running):
        task.cancel()
    await until(lambda: server.sessions == 0)
    async with FakeAsterisk(server.port) as four:
        four.greet("done")
        await four.serve("200 result=1")


async def test_failing_handler_is_told_once_and_sets_no_status(server: AgiServer) -> None:
    with capture_logs() as logs:
        async with FakeAsterisk(server.port) as peer:
            peer.greet("breaks", calleridname="Secret Name")
            assert await peer.ended() == b""
        await until(lambda: server.sessions == 0)
    assert len(logs) == 1
    assert logs[0] | {"exc_info": True} == {
        "event": "agi_session_failed",
        "log_level": "error",
        "exc_info": True,
        "uniqueid": "1700000000.1",
        "channel": "PJSIP/trunk-00000001",
        "path": "breaks",
    }
    assert server.counts["failed"] == 1


async def test_channel_left_is_no_failure(server: AgiServer) -> None:
    async with FakeAsterisk(server.port) as peer:
        peer.greet("plays")
        await peer.serve("511 Command Not Permitted on a dead channel")
        assert await peer.ended() == b""
    await until(lambda: server.counts["channel_left"] == 1)
    assert server.counts["failed"] == 0


async def test_strangers_cost_a_counter(server: AgiServer) -> None:
    garbage = [b"x" * 1_000_000, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\n", b"agi_a: 1\n" * 2]
    garbage.append(b"".join(b"agi_%d: x\n" % n for n in range(1000)))
    with capture_logs() as logs:
        for raw in garbage:
            async with FakeAsterisk(server.port) as peer:
                peer.writer.write(raw)
                await peer.ended()
        await until(lambda: sum(n for name, n in server.counts.items() if "garbage" in name) == len(garbage))
    assert logs == []
    assert server.counts["garbage_line_too_long"] == 1
    assert server.counts["garbage_bad_header"] == 3
    assert server.counts["garbage_too_many_headers"] == 1
    assert server.counts["sessions"] == 0
    async with FakeAsterisk(server.port) as peer:
        peer.greet("done")
        await peer.serve("200 result=1")


async def test_connect_and_close(server: AgiServer) -> None:
    async def knock() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.close()
        await writer.wait_closed()

    async def knocks(number: int) -> None:
        for _ in range(number):
            await asyncio.gather(*(knock() for _ in range(50)))
        await until(lambda: server.counts["header_eof"] == server.counts["connections"])

    with capture_logs() as logs:
        await knocks(2)
        gc.collect()
        tracemalloc.start()
        try:
            await knocks(20)
            gc.collect()
            grown, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert logs == []
    assert server.counts["header_eof"] == 1100
    assert server._waiting == set()
    assert grown < 200_000  # bytes; 1,000 leaked connections would be ten times that
    async with FakeAsterisk(server.port) as peer:
        peer.greet("done")
        await peer.serve("200 result=1")


async def test_half_a_header_then_end_of_file(server: AgiServer) -> None:
    async with FakeAsterisk(server.port) as peer:
        peer.send("agi_network: yes")
        peer.writer.write_eof()
        assert await peer.ended() == b""
    await until(lambda: server.counts["header_eof"] == 1)


async def test_slow_header_has_a_deadline(server: AgiServer) -> None:
    async with FakeAsterisk(server.port) as quick:
        quick.greet("waits")
        await until(lambda: server.sessions == 1)
        server.header_timeout = 0.2
        async with FakeAsterisk(server.port) as slow:
            ended = asyncio.ensure_future(slow.ended())
            number = 0
            async with asyncio.timeout(WAIT):
                while not ended.done():
                    number += 1
                    slow.send(f"agi_slow_{number}: x")
                    await asyncio.wait([ended], timeout=0.02)
        assert server.counts["header_timeout"] == 1
        assert server.sessions == 1  # the deadline is the header's alone
    assert server.counts["header_eof"] == 0


async def test_cancelled_handler(server: AgiServer) -> None:
    async with FakeAsterisk(server.port) as peer:
        peer.greet("waits")
        await until(lambda: server.sessions == 1)
        task = next(iter(server._running))
        task.cancel()
        assert await peer.ended() == b""
        assert task.cancelled()
    assert server.counts["cancelled"] == 1
    assert server.counts["failed"] == 0


async def test_stop_gives_grace_and_then_cancels() -> None:
    server = await serve(AgiServer())
    async with (
        FakeAsterisk(server.port) as ends,
        FakeAsterisk(server.port) as hangs,
        FakeAsterisk(server.port) as silent,
    ):
        ends.greet("done")
        hangs.greet("waits")
        await until(lambda: server.sessions == 2)
        await until(lambda: server.counts["connections"] == 3)
        port = server.port
        stopping = asyncio.ensure_future(server.stop(0.3))
        assert await silent.ended() == b""
        with pytest.raises(OSError, match=r"refused|failed"):
            await asyncio.open_connection("127.0.0.1", port)
        assert not stopping.done()
        await ends.serve("200 result=1")
        assert await ends.ended() == b""
        await stopping
        assert await hangs.ended() == b""
    assert server.sessions == 0
    assert (server.counts["finished"], server.counts["cancelled"]) == (1, 1)
    await server.stop(0)


async def test_stop_without_sessions_takes_no_grace() -> None:
    server = await serve(AgiServer())
    async with asyncio.timeout(WAIT):
        await server.stop(1000)


async def test_stop_is_not_held_up_by_a_handler_that_ignores_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccbridge.agi.server.CANCEL_GRACE", 0.02)
    free = asyncio.Event()

    async def stubborn(session: AgiSession) -> None:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    server = await serve(AgiServer())
    server.add_route("stubborn", stubborn)
    async with FakeAsterisk(server.port) as peer:
        peer.greet("stubborn")
        await until(lambda: server.sessions == 1)
        with capture_logs() as logs:
            await server.stop(0)
        assert [(line["event"], line["path"]) for line in logs] == [
            ("agi_session_ignores_cancel", "stubborn")
        ]
        assert await peer.ended() == b""
    free.set()
    await until(lambda: server.sessions == 0)


async def test_route_table(server: AgiServer) -> None:
    with pytest.raises(ValueError, match="already exists"):
        server.add_route("done", done)
    with pytest.raises(TypeError, match="no coroutine function"):
        server.add_route("plain", lambda session: None)  # type: ignore[arg-type, return-value]
    server.del_route("done")
    async with FakeAsterisk(server.port) as peer:
        peer.greet("done")
        assert b"no_route" in await peer.ended()


async def test_it_is_started_once_and_never_by_the_stock_entry(server: AgiServer) -> None:
    with pytest.raises(RuntimeError, match="started before"):
        await server.start("127.0.0.1", 0)
    with pytest.raises(NotImplementedError):
        await server.handler(None, None)
    with pytest.raises(RuntimeError, match="not listening"):
        _ = AgiServer().port
