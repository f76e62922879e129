"""One session against a scripted peer: commands, answers, and every way a channel can leave."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import pytest
from fake_asterisk import WAIT, FakeAsterisk

from ccbridge.agi.server import AgiServer
from ccbridge.agi.session import (
    MAX_OWED,
    AgiSession,
    ChannelLeft,
    CommandRefused,
    CommandTimeout,
    Digits,
)

T = TypeVar("T")

USAGE = "520-Invalid command syntax.  Proper usage follows:\n200 result=9\nHANGUP\n520 End of proper usage."


class Stage:
    """A server with one route; the test holds the session and plays Asterisk."""

    def __init__(self, server: AgiServer) -> None:
        self.server = server
        self.sessions: asyncio.Queue[AgiSession] = asyncio.Queue()
        self.over = asyncio.Event()

    async def route(self, session: AgiSession) -> None:
        self.sessions.put_nowait(session)
        await self.over.wait()

    async def meet(self, peer: FakeAsterisk, **variables: str | bytes) -> AgiSession:
        peer.greet(**variables)
        async with asyncio.timeout(WAIT):
            return await self.sessions.get()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    server = AgiServer(command_timeout=WAIT, media_timeout=WAIT)
    stage = Stage(server)
    server.add_route("call", stage.route)
    await server.start("127.0.0.1", 0)
    yield stage
    stage.over.set()
    await server.stop(WAIT)
    assert server.sessions == 0
    assert server.counts["failed"] == 0


async def exchange(peer: FakeAsterisk, ask: Awaitable[T], *answers: str) -> tuple[list[str], T]:
    task = asyncio.ensure_future(ask)
    seen = await peer.serve(*answers)
    async with asyncio.timeout(WAIT):
        return seen, await task


async def test_who_is_calling(stage: Stage) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(
            peer,
            script="call?x=1&who=a%20b&x=2&blank=",
            calleridname=b"Jos\xe9",
            dnid="unknown",
            arg_1="one",
            arg_2="",
            arg_3="three, 3",
        )
        assert session.path == "call"
        assert session.query == {"x": "1", "who": "a b", "blank": ""}
        assert session.args == ["one", "", "three, 3"]
        assert (session.uniqueid, session.channel) == ("1700000000.1", "PJSIP/trunk-00000001")
        assert (session.callerid, session.calleridname, session.dnid) == ("306912345678", "José", "")
        assert session.extension == "2100"
        assert session.variables["agi_network"] == "yes"


async def test_utf8_name_survives_and_goes_back(stage: Stage) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer, calleridname="Ελένη")
        assert session.calleridname == "Ελένη"
        seen, _ = await exchange(
            peer, session.set_variable("CONNECTEDLINE(name)", 'Ελ "x" \\'), "200 result=1"
        )
        assert seen == ['SET VARIABLE "CONNECTEDLINE(name)" "Ελ \\"x\\" \\\\"']


@pytest.mark.parametrize(
    ("ask", "line", "answer", "value"),
    [
        (lambda s: s.answer(), "ANSWER", "200 result=0", None),
        (lambda s: s.stream_file("hi"), 'STREAM FILE "hi" ""', "200 result=0 endpos=800", ""),
        (lambda s: s.stream_file("hi", "12#"), 'STREAM FILE "hi" "12#"', "200 result=35 endpos=8", "#"),
        (lambda s: s.wait_for_digit(0), 'WAIT FOR DIGIT "0"', "200 result=0", ""),
        (lambda s: s.wait_for_digit(5000), 'WAIT FOR DIGIT "5000"', "200 result=50", "2"),
        (
            lambda s: s.get_data("pin", 3000, 4),
            'GET DATA "pin" "3000" "4"',
            "200 result=1234",
            Digits("1234", False),
        ),
        (
            lambda s: s.get_data("pin", 3000, 4),
            'GET DATA "pin" "3000" "4"',
            "200 result=12 (timeout)",
            Digits("12", True),
        ),
        (
            lambda s: s.get_data("pin", 3000, 4),
            'GET DATA "pin" "3000" "4"',
            "200 result= (timeout)",
            Digits("", True),
        ),
        (
            lambda s: s.set_variable("CCB_STATUS", "done"),
            'SET VARIABLE "CCB_STATUS" "done"',
            "200 result=1",
            None,
        ),
        (lambda s: s.get_variable("X"), 'GET VARIABLE "X"', "200 result=1 (a (b) c)", "a (b) c"),
        (lambda s: s.get_variable("X"), 'GET VARIABLE "X"', "200 result=1 (one\ntwo)", "one\ntwo"),
        (lambda s: s.get_variable("X"), 'GET VARIABLE "X"', "200 result=1 ()", ""),
        (lambda s: s.get_variable("X"), 'GET VARIABLE "X"', "200 result=0", None),
        (lambda s: s.exec("Playback", "a&b"), 'EXEC "Playback" "a&b"', "200 result=0", "0"),
    ],
)
async def test_commands(
    stage: Stage, ask: Callable[[AgiSession], Awaitable[object]], line: str, answer: str, value: object
) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        seen, got = await exchange(peer, ask(await stage.meet(peer)), answer)
        assert (seen, got) == ([line], value)


async def test_raw_command_gives_the_whole_answer(stage: Stage) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        _, reply = await exchange(
            peer, session.command("RECORD FILE", "x"), "200 result=0 (timeout) endpos=20800"
        )
        assert (reply.code, reply.result, reply.data, reply.endpos) == (200, "0", "timeout", 20800)


@pytest.mark.parametrize("bad", [lambda s: s.wait_for_digit(-1), lambda s: s.get_data("x", 0, 1)])
async def test_for_ever_is_not_to_be_had(
    stage: Stage, bad: Callable[[AgiSession], Awaitable[object]]
) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        with pytest.raises(ValueError, match="for ever"):
            await bad(await stage.meet(peer))


async def test_injection_never_reaches_the_socket(stage: Stage) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        with pytest.raises(ValueError, match="CR, LF"):
            await session.set_variable("NAME", "x\nHANGUP")
        seen, _ = await exchange(peer, session.set_variable("NAME", "x"), "200 result=1")
        assert seen == ['SET VARIABLE "NAME" "x"']


async def test_refusals_and_what_follows_them(stage: Stage) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        for answer, code in (
            (USAGE, 520),
            ("510 Invalid or unknown command", 510),
            ("503 result=-2 Memory allocation failure", 503),
        ):
            task = asyncio.ensure_future(session.command("NOPE"))
            await peer.serve(answer)
            with pytest.raises(CommandRefused) as refused:
                await task
            assert refused.value.code == code
            _, value = await exchange(peer, session.get_variable("X"), f"200 result=1 ({code})")
            assert value == str(code)
        assert not session.hung_up


async def test_missing_file_is_not_a_hangup(stage: Stage) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        task = asyncio.ensure_future(session.stream_file("nosuch"))
        assert await peer.serve("200 result=-1 endpos=0", "200 result=6") == [
            'STREAM FILE "nosuch" ""',
            "CHANNEL STATUS",
        ]
        with pytest.raises(CommandRefused, match="STREAM FILE"):
            await task
        assert not session.hung_up


@pytest.mark.parametrize(
    "answers",
    [
        ["200 result=-1 endpos=4000\nHANGUP"],
        ["HANGUP\n200 result=-1 endpos=4000"],
        ["200 result=-1 endpos=0", "HANGUP\n511 Command Not Permitted on a dead channel"],
        ["200 result=-1 endpos=0", "511 Command Not Permitted on a dead channel"],
        ["511 Command Not Permitted on a dead channel"],
    ],
)
async def test_channel_leaves_during_media(stage: Stage, answers: list[str]) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        task = asyncio.ensure_future(session.stream_file("long"))
        await peer.serve(answers[0])
        if len(answers) == 1 and "511" not in answers[0] and answers[0].startswith("200"):
            # The notice may come a segment later than the answer: then the probe is answered 511.
            answers = [*answers, "511 Command Not Permitted on a dead channel"]
        for answer in answers[1:]:
            if await peer_asks(peer, task):
                peer.send(answer)
        with pytest.raises(ChannelLeft):
            await task
        assert session.hung_up
        # Media is not even asked for any more; variables are, and get their own answers.
        with pytest.raises(ChannelLeft):
            await session.exec("Playback", "x")
        seen, value = await exchange(peer, session.get_variable("A"), "HANGUP\n200 result=1 (a)")
        assert (seen, value) == (['GET VARIABLE "A"'], "a")


async def peer_asks(peer: FakeAsterisk, task: asyncio.Future[str]) -> bool:
    """Whether a further command came; False if the asking task ended first."""
    line = asyncio.ensure_future(peer.command())
    await asyncio.wait([line, task], return_when=asyncio.FIRST_COMPLETED, timeout=WAIT)
    if line.done():
        return bool(line.result())
    line.cancel()
    await asyncio.wait([line])
    return False


async def test_hangup_line_while_idle_does_not_shift_answers(stage: Stage) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        peer.send("HANGUP", "HANGUP")
        async with asyncio.timeout(WAIT):
            await session.left.wait()
        for value in ("one", "two"):
            _, got = await exchange(peer, session.get_variable("X"), f"200 result=1 ({value})")
            assert got == value


async def test_end_of_file_is_a_hangup(stage: Stage) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        task = asyncio.ensure_future(session.get_variable("X"))
        await peer.command()
        peer.writer.write_eof()
        with pytest.raises(ChannelLeft):
            await task
        assert session.hung_up
        with pytest.raises(ChannelLeft):
            await session.set_variable("X", "y")


async def test_reset_is_a_hangup(stage: Stage) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        task = asyncio.ensure_future(session.stream_file("x"))
        await peer.command()
        peer.writer.transport.abort()
        with pytest.raises(ChannelLeft):
            await task


async def test_late_answer_is_not_the_next_ones(stage: Stage) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        with pytest.raises(CommandTimeout):
            await session.command("GET VARIABLE", "SLOW", limit=0.02)
        task = asyncio.ensure_future(session.get_variable("QUICK"))
        assert await peer.command() == 'GET VARIABLE "SLOW"'
        assert await peer.command() == 'GET VARIABLE "QUICK"'
        peer.send("200 result=1 (slow)", "200 result=1 (quick)")
        assert await task == "quick"
        assert stage.server.counts["command_timeouts"] == 1
        assert stage.server.counts["late_replies"] == 1


@pytest.mark.parametrize("beyond", [0.01, 0.1, 0.8])
async def test_a_standstill_of_our_own_is_no_silence_of_the_peer(stage: Stage, beyond: float) -> None:
    """A daemon that was frozen, and beyond the limit: the answer is there, only not read yet."""
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        task = asyncio.ensure_future(session.command("GET VARIABLE", "X", limit=0.1))
        await peer.command()
        time.sleep(0.1 + beyond)  # noqa: ASYNC251 that is the standstill
        await asyncio.sleep(0.05)
        assert not task.done()
        peer.send("200 result=1 (here)")
        assert (await task).result == "1"


async def test_cancelled_commands_answer_is_not_the_next_ones(stage: Stage) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        task = asyncio.ensure_future(session.get_variable("SLOW"))
        assert await peer.command() == 'GET VARIABLE "SLOW"'
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        peer.send("200 result=1 (slow)")
        _, value = await exchange(peer, session.get_variable("QUICK"), "200 result=1 (quick)")
        assert value == "quick"


async def test_peer_that_never_answers_is_given_up(stage: Stage) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        for _ in range(MAX_OWED):
            with pytest.raises(CommandTimeout):
                await session.command("NOOP", limit=0)
        with pytest.raises(ChannelLeft, match="owed"):
            await session.command("NOOP")
        assert (await peer.ended()).count(b"NOOP") <= MAX_OWED


async def test_one_command_at_a_time(stage: Stage) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        task = asyncio.ensure_future(session.get_variable("A"))
        await peer.command()
        with pytest.raises(RuntimeError, match="in flight"):
            await session.get_variable("B")
        peer.send("200 result=1 (a)")
        assert await task == "a"


async def test_answers_nobody_asked_for(stage: Stage) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        peer.send("200 result=1 (forged)", "what is this")
        peer.send("HANGUP")  # in order: once this is seen, the forged one has been dropped
        async with asyncio.timeout(WAIT):
            await session.left.wait()
        _, value = await exchange(peer, session.get_variable("X"), "200 result=1 (real)")
        assert value == "real"
        assert stage.server.counts["unasked_replies"] == 1
        assert stage.server.counts["stray_lines"] == 1
        peer.send(*["200 result=1"] * 200)
        assert await peer.ended() == b""


@pytest.mark.parametrize(
    "answer", ["200 result=abc", "200 result=9999", "200 result=", "200", "200 result=1"]
)
async def test_a_digit_that_is_none(stage: Stage, answer: str) -> None:
    async with FakeAsterisk(stage.server.port) as peer:
        session = await stage.meet(peer)
        task = asyncio.ensure_future(session.wait_for_digit(10))
        await peer.serve(answer)
        with pytest.raises(CommandRefused):
            await task
