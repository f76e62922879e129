"""Follow-ups against a scripted Asterisk: who is called, and who is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fake_asterisk import FakeAsterisk

from ccbridge.agi.follow_ups import CallBack, Due, FollowUps
from ccbridge.agi.phone import PhoneCodes, PhonePlan
from ccbridge.agi.server import AgiServer
from ccbridge.codes import DEFAULTS
from ccbridge.core import inputs as i
from ccbridge.core.effects import Reply
from ccbridge.numbers import parse_caller

OK = "200 result=1"
NUMBER = "+306912345678"


class Desk:
    """An agent's follow-ups, and a PBX that answers as it is told."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.due: list[dict[str, Any]] | None = [self.one("c1")]
        self.how: CallBack | None = CallBack("outgoing", ("+30",), 2, 2, 600.0)
        self.exists, self.running, self.now = "1", "1", 0.0
        self.posted: list[i.Input] = []
        self.told: list[tuple[str, ...]] = []
        self.before = 0  # calls in the hour, as the database has them

    def note(self, *words: str, who: str = "", reason: str = "") -> None:
        self.told.append((*words, who, reason))

    @staticmethod
    def one(call: str, number: str | None = NUMBER) -> dict[str, Any]:
        return {"call_id": call, "number": number, "due_at": datetime(2026, 3, 4, tzinfo=UTC)}

    async def ask(self, make: Callable[[int], i.Input]) -> Reply:
        self.posted.append(make(7))
        return Reply(7, True, "")

    async def dial(self, *keys: str) -> list[str]:
        """The commands after ``*074``; ``keys`` are pressed while the follow-ups are being read out."""
        seen, left = [], list(keys)
        async with FakeAsterisk(self.port) as peer:
            peer.greet("code", arg_1="*074", arg_2="PJSIP/1001")
            while not (seen and "CCB_STATUS" in seen[-1]):
                seen.append(await peer.command())
                if seen[-1].startswith("SAY DATETIME"):
                    peer.send(f"200 result={ord(left.pop(0)) if left else 0}")
                elif "DIALPLAN_EXISTS" in seen[-1]:
                    peer.send(f"200 result=1 ({self.exists})")
                elif "GROUP_COUNT" in seen[-1]:
                    peer.send(f"200 result=1 ({self.running})")
                else:
                    peer.send(OK if seen[-1].startswith("SET") else "200 result=0")
            await peer.ended()
        return seen

    async def called(self) -> bool:
        """Whether the customer of the first one is called when ``1`` is pressed; if not, it is said."""
        seen = await self.dial("1")
        out = 'SET VARIABLE "CCB_STATUS" "call"' in seen
        assert out == (f'SET VARIABLE "CCB_OUT_NUMBER" "{NUMBER}"' in seen)
        assert out != ('STREAM FILE "feature-not-avail-line" ""' in seen)
        assert out == any(isinstance(one, i.CustomerCalled) for one in self.posted)
        self.posted.clear()
        return out


@pytest.fixture
async def desk(tmp_path: Any) -> AsyncIterator[Desk]:
    server = AgiServer()
    await server.start("127.0.0.1", 0)
    one = Desk(server.port)
    plan = PhonePlan(DEFAULTS, {}, ("break",), 60.0, tmp_path, 3, 300.0)
    anna = {"PJSIP/1001": {"agent": "anna", "device": "PJSIP/1001"}}
    codes = PhoneCodes(lambda: plan, one.ask, anna.get, lambda *asked: False, one.note, {})
    codes.open(server)

    def is_number(number: str) -> bool:
        return parse_caller(number, "GR") == ("e164", number)

    def find(agent: str) -> Due | None:
        return None if one.due is None else Due(one.due, one.before)

    FollowUps(one.ask, find, lambda: one.how, is_number, one.note, lambda: one.now).open(codes)
    yield one
    await server.stop(0)


async def test_a_customer_is_called(desk: Desk) -> None:
    seen = await desk.dial("1")
    assert [line for line in seen if line.startswith("SET") and "CCB_" in line] == [
        'SET VARIABLE "CCB_OUT_CONTEXT" "outgoing"',
        f'SET VARIABLE "CCB_OUT_NUMBER" "{NUMBER}"',
        'SET VARIABLE "CCB_OUT_LIMIT" "600"',
        'SET VARIABLE "CCB_STATUS" "call"',
    ]
    assert [type(one) for one in desk.posted] == [i.CustomerCalled]


@pytest.mark.parametrize(
    "number",
    [
        None,
        "",
        "+30",
        "+302",
        "+442079460000",
        "+306912345678&PJSIP/1002",
        "+3069${X}5678",
        "306912345678",
        "+30٦٩",
    ],
)
async def test_a_number_that_is_none_of_the_list_is_not_called(desk: Desk, number: str | None) -> None:
    desk.due = [desk.one("c1", number)]
    assert not await desk.called()


async def test_caps(desk: Desk) -> None:
    assert await desk.called()
    assert await desk.called()
    assert not await desk.called()  # two an hour
    desk.now = 3601.0
    desk.running = "3"
    assert not await desk.called()
    desk.running = "2"
    assert await desk.called()
    desk.exists = "0"
    assert not await desk.called()
    desk.exists, desk.how = "1", None
    assert not await desk.called()
    assert [one[2] for one in desk.told].count("done") == 3
    assert [one for one in desk.told if one[2] != "done"] == [
        ("PJSIP/1001", "call_back", "refused", "anna", "anna", why)
        for why in (
            "2 calls in an hour",
            "2 calls at once",
            "[outgoing] does not take the number",
            "tickets.call_back is not configured",
        )
    ]


async def test_the_cap_outlives_a_restart(desk: Desk) -> None:
    desk.before = 1  # of a former run
    assert await desk.called()
    desk.before = 1  # this run's is not in the database yet
    assert await desk.called()
    desk.before = 2
    assert not await desk.called()


async def test_done_and_the_next_one(desk: Desk) -> None:
    desk.due = [desk.one("c1"), desk.one("c2"), desk.one("c3")]
    await desk.dial("3", "2", "3")
    (done,) = desk.posted
    assert isinstance(done, i.FollowUpDone)
    assert (done.agent, done.call) == ("anna", "c2")
    desk.due = None
    assert 'STREAM FILE "please-try-call-later" ""' in await desk.dial()
