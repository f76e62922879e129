"""The AMI client against a real Asterisk: what a fake peer would only repeat our belief about."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from panoramisk.message import Message

from ccbridge.ami.client import AmiClient
from ccbridge.ami.errors import ActionRefused, LoginRefused
from ccbridge.ami.wire import MAX_HEADERS, MAX_LINE, values

pytestmark = pytest.mark.lab

# A place of our own in the dialplan: 700 answers and waits, 701 rings, 702 is where a Redirect goes.
PLACES = (
    "700,1,Answer",
    "700,2,Wait,60",
    "701,1,Wait,60",
    "702,1,UserEvent,AmiTestArrived",
    "702,2,Wait,60",
)


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Line:
    """A running client and the events it heard."""

    def __init__(self, pbx: Any, **options: Any) -> None:
        self.heard: list[Message] = []
        self.client = AmiClient(
            host=pbx.ami_host,
            port=pbx.ami_port,
            username=pbx.ami_user,
            secret=options.pop("secret", pbx.ami_secret),
            on_event=self.heard.append,
            **options,
        )
        self.running = self.client.connect()

    def named(self, event: str, **headers: str) -> list[Message]:
        return [
            message
            for message in self.heard
            if message.event == event and all(message.get(name) == text for name, text in headers.items())
        ]

    async def end(self) -> None:
        self.client.close()
        async with asyncio.timeout(30):
            await self.running


@pytest.fixture
async def line(pbx: Any) -> AsyncIterator[Line]:
    line = Line(pbx)
    await until(lambda: line.client.state == "live" or line.running.done())
    yield line
    for channel in await line.client.action_list(
        {"Action": "CoreShowChannels"}, complete="CoreShowChannelsComplete"
    ):
        if "@amitest" in channel["Channel"]:
            line.client.send_many([{"Action": "Hangup", "Channel": channel["Channel"]}])
    await line.end()


@pytest.fixture
def places(pbx: Any) -> None:
    for place in PLACES:
        pbx.rx(f"dialplan add extension {place} into amitest replace")


async def local_call(line: Line, extension: str, **fields: str) -> str:
    """A Local channel that waits; returns the name of the half that runs the dialplan."""
    before = len(line.named("Newchannel"))
    await line.client.action(
        {
            "Action": "Originate",
            "Channel": f"Local/{extension}@amitest/n",
            "Application": "Wait",
            "Data": "60",
            "Async": "true",
            **fields,
        }
    )
    await until(lambda: len(line.named("Newchannel")) >= before + 2)
    return next(
        message["Channel"]
        for message in line.named("Newchannel")[before:]
        if message["Channel"].endswith(";2")
    )


async def test_login_ping_and_the_clock(line: Line) -> None:
    assert line.client.version
    await until(lambda: line.named("FullyBooted"))
    assert 0 < await line.client.ping() < 5
    offset = line.client.figures().clock_offset
    assert offset is not None
    assert abs(offset) < 1  # the same machine


async def test_a_wrong_secret_is_fatal(pbx: Any) -> None:
    with pytest.raises(LoginRefused, match="Authentication failed"):
        await asyncio.wait_for(Line(pbx, secret="wrong").running, 10)


async def test_events_carry_their_own_time(line: Line) -> None:
    await line.client.action({"Action": "UserEvent", "UserEvent": "AmiTestTime"})
    await until(lambda: line.named("UserEvent", UserEvent="AmiTestTime"))
    assert float(line.named("UserEvent", UserEvent="AmiTestTime")[0]["Timestamp"]) > 1_700_000_000


async def test_texts_of_every_kind_arrive(pbx: Any, line: Line) -> None:
    await line.client.action(
        {"Action": "UserEvent", "UserEvent": "AmiTest", "ActionID": "x", "Name": "Ελένη مريم", "Last": ""}
    )
    await until(lambda: line.named("UserEvent", UserEvent="AmiTest"))
    (event,) = line.named("UserEvent", UserEvent="AmiTest")
    assert event["Name"] == "Ελένη مريم"
    assert event.text.endswith("\r\nLast: ")  # an empty last header
    assert event["Last"] == ""

    _, writer = await asyncio.open_connection(pbx.ami_host, pbx.ami_port)
    writer.write(
        f"Action: Login\r\nUsername: {pbx.ami_user}\r\nSecret: {pbx.ami_secret}\r\n".encode()
        + b"Events: off\r\n\r\nAction: UserEvent\r\n"
        + b"UserEvent: AmiTestLatin\r\nName: Jos\xe9\r\nBroken: \xce\xa9\xce\r\n\r\n"
    )
    await until(lambda: line.named("UserEvent", UserEvent="AmiTestLatin"))
    writer.close()
    await writer.wait_closed()
    (event,) = line.named("UserEvent", UserEvent="AmiTestLatin")
    assert (event["Name"], event["Broken"]) == ("José", "Ω\ufffd")


@pytest.mark.usefixtures("places")
async def test_originate_with_async(line: Line) -> None:
    await local_call(line, "700", ActionID="amitest-answered", ChannelId="amitest-1")
    await until(lambda: line.named("OriginateResponse", ActionID="amitest-answered"))
    (event,) = line.named("OriginateResponse", ActionID="amitest-answered")
    assert (event["Response"], event["Reason"], event["Uniqueid"]) == ("Success", "4", "amitest-1")

    await local_call(line, "701", ActionID="amitest-rings", Timeout="300")
    await until(lambda: line.named("OriginateResponse", ActionID="amitest-rings"))
    (event,) = line.named("OriginateResponse", ActionID="amitest-rings")
    assert (event["Response"], event["Reason"]) == ("Failure", "3")


@pytest.mark.usefixtures("places")
async def test_originate_without_async_is_deaf_but_not_dead(pbx: Any) -> None:
    line = Line(pbx, ping_interval=0.2, ping_timeout=0.4, action_timeout=2.0)
    await until(lambda: line.client.state == "live")
    fields = {"Action": "Originate", "Application": "Wait", "Data": "1"}
    with pytest.raises(ActionRefused, match="Originate failed"):
        await line.client.action({**fields, "Channel": "Local/701@amitest", "Timeout": "1000"})
    assert (await line.client.action({**fields, "Channel": "Local/700@amitest"})).success
    assert line.client.figures().reconnects == 0
    await line.end()


async def test_an_answer_that_sounds_like_a_list(line: Line) -> None:
    fields = {"Queue": "ccbridge-fallback", "Interface": "Local/700@amitest"}
    added = await line.client.action({"Action": "QueueAdd", **fields})
    assert added["Message"].startswith("Added interface to queue")
    assert (await line.client.action({"Action": "QueueRemove", **fields})).success
    with pytest.raises(ActionRefused):
        await line.client.action({"Action": "QueueRemove", **fields})


@pytest.mark.usefixtures("places")
async def test_lists_end_by_their_event_and_keep_every_variable(line: Line) -> None:
    channel = await local_call(line, "700")
    ends = line.client.send_many(
        [
            {"Action": "Setvar", "Channel": channel, "Variable": name, "Value": text}
            for name, text in (("AMI_A", "1"), ("AMI_B", "x: y=z"))
        ]
    )
    await asyncio.gather(*ends)
    lists = await asyncio.gather(
        line.client.action_list(
            {"Action": "Status", "Variables": "AMI_A,AMI_B,AMI_C"}, complete="StatusComplete"
        ),
        line.client.action_list({"Action": "CoreShowChannels"}, complete="CoreShowChannelsComplete"),
        line.client.action_list({"Action": "BridgeList"}, complete="BridgeListComplete"),
        line.client.action_list({"Action": "DeviceStateList"}, complete="DeviceStateListComplete"),
    )
    (status,) = (item for item in lists[0] if item["Channel"] == channel)
    assert values(status, "Variable")[:2] == ["AMI_A=1", "AMI_B=x: y=z"]
    assert len(values(status, "Variable")) == 3
    assert channel in [item["Channel"] for item in lists[1]]
    assert {item.event for item in lists[3]} == {"DeviceStateChange"}
    assert line.client.figures().orphans == 0
    assert line.client.figures().pending == 0


@pytest.mark.usefixtures("places")
async def test_variables_and_redirect_in_one_write(line: Line) -> None:
    channel = await local_call(line, "700")
    variable = {"Action": "Setvar", "Channel": channel, "Variable": "AMI_A"}
    place = {"Context": "amitest", "Exten": "702", "Priority": "1"}
    ends = line.client.send_many(
        [
            {**variable, "Value": "1"},
            {**variable, "Value": "2"},
            {"Action": "Redirect", "Channel": channel, **place},
        ]
    )
    assert all(answer.success for answer in await asyncio.gather(*ends))
    await until(lambda: line.named("UserEvent", UserEvent="AmiTestArrived", Channel=channel))
    answer = await line.client.action({"Action": "Getvar", "Channel": channel, "Variable": "AMI_A"})
    assert answer["Value"] == "2"


async def test_the_limits_are_asterisks_own(line: Line) -> None:
    name = "AmiTestLongest"
    room = MAX_LINE - len("V: \r\n")
    extra = MAX_HEADERS - len(("Action", "UserEvent", "ActionID", "V"))
    await line.client.action(
        {"Action": "UserEvent", "UserEvent": name, "V": "v" * room, "N": [str(n) for n in range(extra)]}
    )
    await until(lambda: line.named("UserEvent", UserEvent=name))
    (event,) = line.named("UserEvent", UserEvent=name)
    assert event["V"] == "v" * room
    assert len(values(event, "N")) == extra


async def test_a_frozen_asterisk_is_noticed_and_met_again(pbx: Any) -> None:
    downs: list[str] = []
    line = Line(pbx, ping_interval=0.4, ping_timeout=0.6, action_timeout=2.0, on_down=downs.append)
    await until(lambda: line.client.state == "live")
    loop = asyncio.get_running_loop()
    os.kill(pbx.pid, signal.SIGSTOP)
    try:
        begun = loop.time()
        await until(lambda: downs)
        taken = loop.time() - begun
    finally:
        os.kill(pbx.pid, signal.SIGCONT)
    assert downs == ["ping not answered"]
    assert taken < 5
    await until(lambda: line.client.state == "live")
    assert line.client.figures().reconnects >= 1
    await line.end()
