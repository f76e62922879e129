"""A score card against a scripted Asterisk: what is asked, and what comes of what breaks it off."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fake_asterisk import FakeAsterisk

from ccbridge.agi.score import ScoreCards
from ccbridge.agi.server import AgiServer
from ccbridge.supervision.forms import Form, Group, Item
from ccbridge.supervision.keying import Keyed
from ccbridge.supervision.score_desk import Sheet

FORM = Form("calls", (Group("all", (Item("greeting", sound="site/greeting"), Item("solved"))),))
SHEET = Sheet(FORM, "1700000000.1", "sue", "PJSIP/2001", "anna", "1.0", "sales", 60.0, 0.0)
OK = "200 result=1"
SILENCE = "200 result=0"
MISSING = "200 result=-1 endpos=0"


def key(one: str) -> str:
    return f"200 result={ord(one)}"


class Desk:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.kept: list[Keyed] = []
        self.sheet: Sheet | None = SHEET

    def begin(self, channel: str) -> Sheet | None:
        self.asked.append(channel)
        return self.sheet

    def end(self, sheet: Sheet, keyed: Keyed) -> None:
        assert sheet is SHEET
        self.kept.append(keyed)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def server(desk: Desk) -> AsyncIterator[AgiServer]:
    server = AgiServer()
    await server.start("127.0.0.1", 0)
    ScoreCards(desk.begin, desk.end).open(server)
    yield server
    await server.stop(0)


async def test_it_is_filled_in(server: AgiServer, desk: Desk) -> None:
    async with FakeAsterisk(server.port) as peer:
        peer.greet("score")
        seen = await peer.serve(
            OK, OK, SILENCE, key("8"), OK, key("#"),  # the sound of the first item, then its points
            OK, SILENCE, key("9"), OK, key("0"), OK, key("#"),  # "number", broken off in the number
            OK, SILENCE, SILENCE, SILENCE, SILENCE, key("#"),  # the total, and how to keep it
            SILENCE, OK,
        )  # fmt: skip
    assert desk.asked == ["1700000000.1"]
    assert desk.kept == [Keyed((8, 90))]
    said = [one.split('"')[1] for one in seen if one.startswith(("STREAM", "SAY"))]
    assert said == [
        "site/greeting", "number", "2", "you-entered", "49", "if-correct-press", "digits/pound",
        "auth-thankyou",
    ]  # fmt: skip
    assert seen[-1] == 'SET VARIABLE "CCB_STATUS" "done"'


async def test_a_sound_that_is_missing_is_skipped(server: AgiServer, desk: Desk) -> None:
    async with FakeAsterisk(server.port) as peer:
        peer.greet("score")
        await peer.serve(OK, OK, MISSING, OK, key("*"), SILENCE, OK)
    assert desk.kept == [Keyed(None, "given up")]


async def test_no_form(server: AgiServer, desk: Desk) -> None:
    desk.sheet = None
    async with FakeAsterisk(server.port) as peer:
        peer.greet("score")
        seen = await peer.serve(OK, SILENCE, SILENCE, OK)
    assert [one.split('"')[1] for one in seen[1:3]] == ["im-sorry", "feature-not-avail-line"]
    assert desk.kept == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [("HANGUP", "hung up"), ("511 Command Not Permitted", "hung up"), ("510 x", "broken off")],
)
async def test_broken_off(server: AgiServer, desk: Desk, answer: str, why: str) -> None:
    async with FakeAsterisk(server.port) as peer:
        peer.greet("score")
        await peer.serve(OK, OK, key("8"))
        await peer.command()
        peer.send(answer, *(["200 result=-1"] if answer == "HANGUP" else []))
        assert await peer.reader.read() == b""
    assert desk.kept == [Keyed(None, why)]


async def test_a_daemon_that_stops_in_the_middle(server: AgiServer, desk: Desk) -> None:
    async with FakeAsterisk(server.port) as peer:
        peer.greet("score")
        await peer.serve(OK, OK, key("8"))
        await peer.command()
        await server.stop(0)
    assert desk.kept == [Keyed(None, "broken off")]
