"""Calls to a colleague and to the supervisor on duty, against a scripted Asterisk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest
from fake_asterisk import FakeAsterisk

from ccbridge.agi.internal_calls import Calling
from ccbridge.agi.phone import PhoneCodes, PhonePlan
from ccbridge.agi.server import AgiServer
from ccbridge.codes import DEFAULTS
from ccbridge.core import inputs as i
from ccbridge.core.plan import AgentPlan, Plan
from ccbridge.core.records import ControlEvent
from ccbridge.core.switchboard import Switchboard
from ccbridge.supervision.internal_calls import InternalCalls
from ccbridge.supervision.roles import Supervisor

SUE = Supervisor("sue", "Sue", "PJSIP/2001", "manager")


class Desk:
    """anna dials 12, ben, who is logged in; sue is on duty, once."""

    def __init__(self, port: int) -> None:
        self.port = port
        agents = {one: AgentPlan(one, one, f"PJSIP/{one}", ()) for one in ("anna", "ben", "chloe")}
        board = Switchboard(Plan(queues={}, agents=agents, flows={}, numbers={}, default_flow=""), "r")
        board.handle(i.LogIn(0.0, "ben", 0), 0.0)
        self.on_duty = True
        numbers = {"11": "anna", "12": "ben", "13": "chloe"}
        kept: list[ControlEvent] = []
        self.calls = InternalCalls(
            lambda: board.world, lambda: numbers, self._on_duty, lambda: 7.4, kept.append
        )

    def _on_duty(self, agent: str, tried: Collection[str]) -> Supervisor | None:
        return SUE if self.on_duty and not tried else None

    async def asks(self, *words: str) -> list[str]:
        """What is set and said after this request."""
        seen: list[str] = []
        async with FakeAsterisk(self.port) as peer:
            peer.greet(words[0], **{f"arg_{n}": word for n, word in enumerate(words[1:], 1)})
            while not (seen and "CCB_STATUS" in seen[-1]):
                seen.append(await peer.command())
                peer.send("200 result=1" if seen[-1].startswith("SET") else "200 result=0")
            await peer.ended()
        parts = [one.split('"') for one in seen]
        return ["=".join(one[1:4:2]) if "SET" in one[0] else one[1] for one in parts[1:]]

    async def dials(self, code: str) -> list[str]:
        return await self.asks("code", code, "PJSIP/anna")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    server = AgiServer()
    await server.start("127.0.0.1", 0)
    one = Desk(server.port)

    async def ask(make: object) -> None:
        raise AssertionError("the core has nothing to do with it")

    plan = PhonePlan(DEFAULTS, {}, ("break",), 60.0, tmp_path, 3, 300.0)
    anna = {"PJSIP/anna": {"agent": "anna", "device": "PJSIP/anna"}}
    codes = PhoneCodes(lambda: plan, ask, anna.get, lambda *asked: False, lambda *told, **more: None, {})  # type: ignore[arg-type]
    codes.open(server)
    Calling(one.calls, lambda device, agent: one.on_duty).open(codes, server)
    yield one
    await server.stop(0)


RINGS_BEN = ["CCB_TO=PJSIP/ben", "CCB_RING=30", "CCB_STATUS=ring"]
RINGS_SUE = ["CCB_TO=PJSIP/2001", "CCB_RING=7", "CCB_STATUS=ring"]
NO_ANSWER = ["number-not-answering", "CCB_STATUS=done"]


async def test_the_dialplan_is_told_a_device_of_ours(desk: Desk) -> None:
    assert await desk.dials("*09512") == RINGS_BEN
    assert await desk.asks("rung", "NOANSWER") == NO_ANSWER
    assert await desk.dials("*096") == RINGS_SUE
    assert await desk.asks("rung", "BUSY") == NO_ANSWER
    assert await desk.asks("rung", "NOANSWER") == NO_ANSWER  # of nothing that we know
    assert await desk.asks("rung") == NO_ANSWER
    assert await desk.dials("*098") == ["auth-thankyou", "CCB_STATUS=done"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("*09599", ["pm-invalid-option"]),
        ("*09511", ["im-sorry", "feature-not-avail-line"]),
        ("*09513", ["agent-loggedoff"]),
        ("*096", ["number-not-answering"]),
        ("*098", ["im-sorry", "feature-not-avail-line"]),
    ],
)
async def test_a_refusal_is_said(desk: Desk, code: str, said: list[str]) -> None:
    desk.on_duty = False
    assert await desk.dials(code) == [*said, "CCB_STATUS=done"]
    assert desk.calls.all == {}
