"""The FastAGI server against the real Asterisk: what its channels send, and what they make of our answers."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from ccbridge.agi.protocol import MAX_COMMAND, encode_command
from ccbridge.agi.server import AgiServer
from ccbridge.agi.session import AgiSession, ChannelLeft, CommandRefused
from ccbridge.lab.ami import AmiLink, Message
from ccbridge.lab.lab import Pbx

pytestmark = pytest.mark.lab

WAIT = 15.0  # seconds; a limit for a broken test, never a measure
OVER = "AgiOver,Status: ${CCB_STATUS},Refused: ${CCB_REFUSED},Agi: ${AGISTATUS},Tag: ${TAG}"
DIALPLAN = {
    # context, extension: steps
    ("agi-e2e", "s"): [
        ("Set", "CALLERID(name)=${BASE64_DECODE(${NAME64})}"),
        ("Set", "AGIEXITONHANGUP=${EXITS}"),
        ("AGI", "agi://127.0.0.1:${AGI_PORT}/${SCRIPT},arg one,two"),
        ("UserEvent", OVER),
    ],
    ("agi-e2e", "h"): [("UserEvent", OVER)],
    ("agi-e2e-parked", "s"): [("UserEvent", "AgiParked,Tag: ${TAG}"), ("Wait", "10")],
    ("agi-e2e-far", "quiet"): [("Answer", ""), ("Wait", "30")],
    ("agi-e2e-far", "keys"): [("Answer", ""), ("Wait", "0.5"), ("SendDTMF", "${KEYS}"), ("Wait", "30")],
}


class Stage:
    """Calls into one route, whose body each test brings along."""

    def __init__(self, pbx: Pbx, link: AmiLink, server: AgiServer) -> None:
        self.pbx, self.link, self.server = pbx, link, server
        self.events: asyncio.Queue[Message] = asyncio.Queue()
        self.body: Callable[[AgiSession], Awaitable[object]]
        self.result: asyncio.Future[object]
        link.listen(self._listen)
        server.add_route("call", self._route)

    def _listen(self, event: Message) -> None:
        if event.get("UserEvent", "").startswith("Agi"):
            self.events.put_nowait(event)

    async def _route(self, session: AgiSession) -> None:
        try:
            value = await self.body(session)
        except Exception as error:
            self.result.set_exception(error)
            raise
        self.result.set_result(value)

    async def call(
        self,
        body: Callable[[AgiSession], Awaitable[object]],
        *,
        script: str = "call?x=1&who=a%20b",
        name: bytes = b"x",
        exits: str = "no",
        keys: str = "",
    ) -> None:
        self.body, self.result = body, asyncio.get_running_loop().create_future()
        await self.link.action(
            "Originate",
            f"AGI_PORT={self.server.port}",
            f"SCRIPT={script}",
            f"EXITS={exits}",
            f"NAME64={base64.b64encode(name).decode()}",
            f"__KEYS={keys}",
            Channel=f"Local/{'keys' if keys else 'quiet'}@agi-e2e-far/n",
            Context="agi-e2e",
            Exten="s",
            Priority="1",
            Async="true",
        )

    async def said(self) -> Message:
        async with asyncio.timeout(WAIT):
            return await self.events.get()

    async def returned(self) -> object:
        async with asyncio.timeout(WAIT):
            return await self.result

    async def redirect(self, channel: str) -> None:
        await self.link.action("Redirect", Channel=channel, Context="agi-e2e-parked", Exten="s", Priority="1")


@pytest.fixture
async def stage(pbx: Pbx) -> AsyncIterator[Stage]:
    link = await AmiLink.open(pbx.door, events="user")
    for (context, exten), steps in DIALPLAN.items():
        for priority, (application, data) in enumerate(steps, 1):
            await link.action(
                "DialplanExtensionAdd",
                Context=context,
                Extension=exten,
                Priority=str(priority),
                Application=application,
                ApplicationData=data,
                Replace="yes",
            )
    server = AgiServer()
    await server.start("127.0.0.1", 0)
    yield Stage(pbx, link, server)
    await link.action("Hangup", check=False, Channel="/^Local/.*agi-e2e.*/")
    await server.stop(1.0)
    await link.close()


async def finish(session: AgiSession) -> None:
    await session.set_variable("CCB_STATUS", "done")


@pytest.mark.parametrize(("raw", "text"), [(b"Jos\xe9", "José"), ("Ελένη علی".encode(), "Ελένη علی")])
async def test_header_query_and_names(stage: Stage, raw: bytes, text: str) -> None:
    async def body(session: AgiSession) -> AgiSession:
        await session.set_variable("TIMEOUT(absolute)", 60)
        await session.set_variable("TAG", session.calleridname)
        await finish(session)
        return session

    await stage.call(body, name=raw)
    session = await stage.returned()
    assert isinstance(session, AgiSession)
    assert (session.path, session.query) == ("call", {"x": "1", "who": "a b"})
    assert session.calleridname == text
    assert session.args == ["arg one", "two"]
    assert session.channel.startswith("Local/quiet@agi-e2e-far")
    assert session.extension == "s"
    over = await stage.said()
    # The name goes back as UTF-8, whatever it came as.
    assert (over["Status"], over["Agi"], over["Tag"]) == ("done", "SUCCESS", text)


async def test_odd_answers_do_not_shift_later_ones(stage: Stage) -> None:
    nasty = "a \"q\" \\ b) (c, ${EXEC} $[1+1] 'd' | ; &\tΕλ"
    long = "b" * (MAX_COMMAND - len(encode_command("SET VARIABLE", "B", "")))

    async def body(session: AgiSession) -> list[object]:
        seen: list[object] = []
        for verb, arguments in (("GET DATA", ()), ("NO SUCH", ("x",)), ("SET VARIABLE", ())):
            try:
                await session.command(verb, *arguments)
            except CommandRefused as refused:
                seen.append(refused.code)
            await session.set_variable("NASTY", nasty)
            seen.append(await session.get_variable("NASTY") == nasty)
        for ask in (session.stream_file("no-such-file"), session.exec("NoSuchApplication")):
            with pytest.raises(CommandRefused):
                await ask
        await session.set_variable("B", long)
        reply = await session.command("GET FULL VARIABLE", "${B}")
        seen.append(reply.data == long)
        seen.append(len(await session.get_variable("B") or ""))
        seen.append(await session.get_variable("NOT_SET"))
        seen.append(await session.get_variable("BASE64_DECODE(b25lICh0d28KdGhyZWU=)"))
        seen.append(await session.get_variable("CHANNEL(state)"))
        seen.append(session.hung_up)
        await finish(session)
        return seen

    await stage.call(body)
    assert await stage.returned() == [
        520,
        True,
        510,
        True,
        520,
        True,
        True,
        1023,
        None,
        "one (two\nthree",
        "Up",
        False,
    ]
    assert (await stage.said())["Status"] == "done"
    assert stage.server.counts["unasked_replies"] == stage.server.counts["stray_lines"] == 0


async def test_digits(stage: Stage) -> None:
    async def body(session: AgiSession) -> tuple[object, ...]:
        first = await session.stream_file("demo-congrats", "2")
        data = await session.get_data("beep", 5000, 4)
        one = await session.wait_for_digit(5000)
        none = await session.wait_for_digit(20)
        await finish(session)
        return first, tuple(data), one, none

    await stage.call(body, keys="234#5")
    assert await stage.returned() == ("2", ("34", False), "5", "")


@pytest.mark.parametrize("exits", ["no", "yes"])
@pytest.mark.parametrize("playing", [True, False])
@pytest.mark.parametrize("how", ["redirect", "hangup"])
async def test_channel_leaves(stage: Stage, how: str, playing: bool, exits: str) -> None:
    async def leave(channel: str) -> None:
        if how == "redirect":
            await stage.redirect(channel)
        else:
            await stage.link.action("Hangup", Channel=channel)

    async def body(session: AgiSession) -> object:
        await session.set_variable("TAG", "here")
        if playing:
            leaving = asyncio.ensure_future(leave(session.channel))
            with pytest.raises(ChannelLeft):
                await session.stream_file("demo-congrats")
            await leaving
        else:
            await leave(session.channel)
            await session.left.wait()
        assert session.hung_up
        with pytest.raises(ChannelLeft):
            await session.stream_file("beep")
        try:
            values = [await session.get_variable("TAG") for _ in range(3)]
        except ChannelLeft:
            assert exits == "yes"  # Asterisk has closed the socket
            return "closed"
        assert values == ["here"] * 3
        return "open"

    await stage.call(body, exits=exits)
    assert await stage.returned() == ("open" if exits == "no" else "closed")
    said = await stage.said()
    assert (said["UserEvent"], said["Tag"]) == ("AgiParked" if how == "redirect" else "AgiOver", "here")
    assert stage.server.counts["unasked_replies"] == 0


async def test_a_failed_handler_shows_in_the_dialplan(stage: Stage) -> None:
    async def body(session: AgiSession) -> None:
        raise LookupError("nothing there")

    await stage.call(body)
    with pytest.raises(LookupError):
        await stage.returned()
    over = await stage.said()
    assert (over["Agi"], over["Status"], over["Refused"]) == ("SUCCESS", "", "")


@pytest.mark.parametrize(
    ("script", "cap", "reason"), [("no/such/route?x=1", 9, "no_route"), ("call", 0, "session_cap")]
)
async def test_refusals_reach_the_dialplan(stage: Stage, script: str, cap: int, reason: str) -> None:
    stage.server.session_cap = cap
    await stage.call(finish, script=script)
    over = await stage.said()
    assert (over["Refused"], over["Status"]) == (reason, "")
