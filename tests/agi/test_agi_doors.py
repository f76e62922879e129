"""What the dialplan asks for, against a scripted Asterisk: the commands in order, and what is posted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

import pytest
from fake_asterisk import FakeAsterisk

from ccbridge.agi.doors import HELD, Doors
from ccbridge.agi.server import AgiServer
from ccbridge.core import inputs as i
from ccbridge.core.effects import Reply
from ccbridge.core.expr import Value
from ccbridge.core.flows import Flow, HangUp, Menu, Say, Step, ToQueue, Transfer
from ccbridge.core.plan import Plan

FLOW = Flow(
    "main",
    "menu",
    {
        "menu": Menu(("ask",), {"1": "sales", "0": "desk"}, "bye", tries=1, timeout=2.0),
        "sales": ToQueue("sales", 3),
        "desk": Transfer("100"),
        "bye": HangUp(),
    },
)
OK = "200 result=1"
SILENT = "200 result=0"


class Site:
    """The composition root's part: a plan, an inbox, a core that takes outcome 1 only, renewals."""

    def __init__(self, port: int, server: AgiServer) -> None:
        self.port, self.server = port, server
        self.posted: list[i.Input] = []
        self.held: dict[str, float] = {}  # call -> seconds of its limit
        self.working = True
        self.takes_calls = True
        self.list = ""
        self.flow = FLOW

    def plan(self) -> Plan:
        return Plan({}, {}, {"main": self.flow}, {}, "main", blocked=("sorry",))

    # -- the sources of flows

    @property
    def voice(self) -> Site:
        return self

    async def prompt(self, name: str, language: str) -> str | None:
        return None

    async def say(self, what: str, value: str, language: str) -> str | None:
        return None

    def language(self, did: str) -> str:
        return ""

    def listed(self, e164: str | None) -> str:
        return self.list

    async def facts(self, call: str, names: frozenset[str]) -> Mapping[str, Value]:
        return {}

    async def answers(self, table: str) -> Mapping[str, Value]:
        return {"7": "sales"}

    async def is_open(self, hours: str) -> Mapping[str, Value]:
        return {"open": False}

    async def question(self, lookup: str, values: Mapping[str, Value]) -> Mapping[str, Value] | None:
        return None

    def longest(self, lookup: str) -> float:
        return 2.0

    # -- the rest

    async def ask(self, make: Callable[[int], i.Input]) -> Reply:
        keyed = make(7)
        self.posted.append(keyed)
        assert isinstance(keyed, i.OutcomeKeyed)
        return Reply(7, keyed.digit == "1", "")

    def parse(self, raw: str) -> tuple[str, str | None]:
        return ("e164", "+" + raw) if raw.isdigit() else ("anonymous", None)

    def hold(self, call: str, seconds: float) -> None:
        self.held[call] = seconds

    async def release(self, call: str) -> None:
        self.held.pop(call, None)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    server = AgiServer()
    await server.start("127.0.0.1", 0)
    one = Site(server.port, server)
    Doors(one.plan, one.posted.append, one.ask, one.parse, one, lambda: one.takes_calls, one).open(server)
    yield one
    await server.stop(0)


async def test_draining_turns_callers_away_and_takes_outcomes(site: Site) -> None:
    site.takes_calls = False
    async with FakeAsterisk(site.port) as peer:
        peer.greet("menu", arg_1="2100")
        assert await peer.serve(OK) == ['SET VARIABLE "CCB_REFUSED" "draining"']
        assert await peer.ended() == b""
    assert site.posted == []
    async with FakeAsterisk(site.port) as peer:
        peer.greet("outcome", arg_1="oab1x1")
        seen = await peer.serve(OK, "200 result=49 endpos=1", SILENT, OK)
        assert seen[-1] == 'SET VARIABLE "CCB_STATUS" "done"'
    assert isinstance(site.posted[0], i.OutcomeKeyed)


async def test_a_menu_that_ends_in_a_queue(site: Site) -> None:
    async with FakeAsterisk(site.port) as peer:
        peer.greet("menu", arg_1="2100", arg_2="1700000000.250")
        first = await peer.serve(OK, OK)
        assert first == [f'SET VARIABLE "TIMEOUT(absolute)" "{HELD:.0f}"'] * 2
        assert site.held == {"1700000000.1": HELD}
        seen = await peer.serve("200 result=49 endpos=800", OK, OK, OK, OK)
        assert "STREAM FILE" in seen[0]
        names = [line.split('"')[1] for line in seen[1:]]
        # the status comes last: whatever goes wrong before it, the dialplan sees an unfinished menu
        assert names == ["CCB_QUEUE", "CCB_PRIORITY", "CCB_SINCE", "CCB_STATUS"]
        assert await peer.ended() == b""
    arrived, begun, stepped, queued = site.posted
    assert isinstance(arrived, i.CallArrived)
    assert (arrived.did, arrived.e164, arrived.came) == ("2100", "+306912345678", 1700000000.25)
    assert isinstance(begun, i.MenuStepped)
    assert (begun.step, begun.result, begun.flow) == ("", "menu", "main")
    assert isinstance(stepped, i.MenuStepped)
    assert (stepped.step, stepped.result, stepped.flow) == ("menu", "sales", "main")
    assert isinstance(queued, i.CallQueued)
    assert (queued.queue, queued.priority) == ("sales", 3)
    assert site.held == {}


async def test_a_caller_who_leaves_in_the_menu_gets_no_status_and_is_released(site: Site) -> None:
    async with FakeAsterisk(site.port) as peer:
        peer.greet("menu", arg_1="2100")
        await peer.serve(OK, OK)
        await peer.command()
        peer.send("200 result=-1 endpos=800", "HANGUP")
        rest = await peer.ended()
    assert b"CCB_STATUS" not in rest
    assert [type(one) for one in site.posted] == [i.CallArrived, i.MenuStepped]
    assert site.held == {}


async def test_a_blocked_number_hears_why_and_is_hung_up(site: Site) -> None:
    site.list = "block"
    async with FakeAsterisk(site.port) as peer:
        peer.greet("menu", arg_1="2100")
        seen = await peer.serve(OK, OK, SILENT, OK)
        assert seen[2] == 'STREAM FILE "sorry" ""'
        assert seen[3] == 'SET VARIABLE "CCB_STATUS" "hangup"'
        await peer.ended()
    ended = site.posted[-1]
    assert isinstance(ended, i.FlowEnded)
    assert ended.how == "blocked"


async def test_a_vip_comes_before_others(site: Site) -> None:
    site.list = "vip"
    async with FakeAsterisk(site.port) as peer:
        peer.greet("menu", arg_1="2100")
        await peer.serve(OK, OK, "200 result=49 endpos=800", OK, OK, OK, OK)
        await peer.ended()
    queued = site.posted[-1]
    assert isinstance(queued, i.CallQueued)
    assert queued.priority == 3 + 20


async def test_what_a_flow_says_in_the_pbxs_own_sounds(site: Site) -> None:
    """Without speech: number, digits, date and time; a text is skipped, and what is no number, too."""
    saying = [("number", "12"), ("digits", "30#"), ("date", "86400"), ("time", "86400"), ("text", "hello"),
              ("number", "twelve")]  # fmt: skip
    steps: dict[str, Step] = {
        f"s{n}": Say(what, (value,), f"s{n + 1}") for n, (what, value) in enumerate(saying)
    }
    site.flow = Flow("main", "s0", {**steps, f"s{len(saying)}": HangUp()})
    async with FakeAsterisk(site.port) as peer:
        peer.greet("menu", arg_1="2100")
        await peer.serve(OK)
        seen = []
        while True:
            (line,) = await peer.serve(SILENT if "SAY" in (seen or [""])[-1] else OK)
            seen.append(line)
            if "CCB_STATUS" in line:
                break
        await peer.ended()
    assert [line for line in seen if line.startswith("SAY")] == [
        'SAY NUMBER "12" ""',
        'SAY DIGITS "30#" ""',
        'SAY DATETIME "86400" "" "ABdY"',
        'SAY DATETIME "86400" "" "R"',
    ]


async def test_without_renewals_each_step_gets_the_time_it_needs(site: Site) -> None:
    site.working = False
    async with FakeAsterisk(site.port) as peer:
        peer.greet("menu", arg_1="2100")
        seen = await peer.serve(OK, OK, SILENT, OK, SILENT)
        limits = [line for line in seen if "TIMEOUT" in line]
        assert limits[1:] == [f'SET VARIABLE "TIMEOUT(absolute)" "{limit}"' for limit in (124, 6)]
        assert site.held == {"1700000000.1": 6}
        assert (await peer.serve(OK))[0] == 'SET VARIABLE "CCB_STATUS" "hangup"'
        await peer.ended()
    assert isinstance(site.posted[-1], i.FlowEnded)


async def test_a_missing_prompt_is_skipped(site: Site) -> None:
    async with FakeAsterisk(site.port) as peer:
        peer.greet("menu", arg_1="2100")
        await peer.serve(OK, OK)
        await peer.command()
        peer.send("200 result=-1 endpos=0")
        assert await peer.command() == "CHANNEL STATUS"
        peer.send("200 result=6")
        assert "TIMEOUT" in (await peer.serve(OK))[0]
        assert (await peer.serve("200 result=48"))[0].startswith("WAIT FOR DIGIT")
        target, status = await peer.serve(OK, OK)
        assert target == 'SET VARIABLE "CCB_TARGET" "100"'
        assert status == 'SET VARIABLE "CCB_STATUS" "transfer"'
        await peer.ended()


async def test_an_agent_may_correct_a_wrong_outcome_key_once(site: Site) -> None:
    async with FakeAsterisk(site.port) as peer:
        peer.greet("outcome", arg_1="oab1x1")
        seen = await peer.serve(OK, "200 result=55 endpos=1", SILENT, SILENT, "200 result=49", SILENT, OK)
        await peer.ended()
    assert [one.digit for one in site.posted if isinstance(one, i.OutcomeKeyed)] == ["7", "1"]
    assert all(isinstance(one, i.OutcomeKeyed) and one.offer == "oab1x1" for one in site.posted)
    assert "pm-invalid-option" in seen[2]
    assert seen[-1] == 'SET VARIABLE "CCB_STATUS" "done"'
