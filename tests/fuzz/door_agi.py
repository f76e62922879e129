"""The FastAGI door: a peer that is Asterisk, or nearly, or not at all, at the real routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import mutate
from door_ami import EXAMPLE, Wire, parse

from ccbridge.agi import own_figures, protocol
from ccbridge.agi.doors import Doors
from ccbridge.agi.phone import PhoneCodes, PhonePlan
from ccbridge.agi.score import ScoreCards
from ccbridge.agi.server import AgiServer, _Connection
from ccbridge.agi.session import AgiError, AgiSession
from ccbridge.codes import DEFAULTS
from ccbridge.config import load
from ccbridge.core import inputs as i
from ccbridge.core.effects import Reply
from ccbridge.core.expr import Value
from ccbridge.pins import matches
from ccbridge.reports.own import Own
from ccbridge.supervision.forms import Form, Group, Item
from ccbridge.supervision.score_desk import Sheet

HELD_LIMIT = protocol.MAX_REPLY_LINE + protocol.MAX_HEADER_BYTES + protocol.MAX_REPLY_LINE + 1
MORE = (
    b"200 result=1", b"200 result=0", b"200 result=-1", b"200 result=49 endpos=1", b"200 result=1 (x)",
    b"200 result=1 (x", b"y)", b"200 result= (timeout)", b"HANGUP", b"510 Invalid or unknown command",
    b"511 Command Not Permitted on a dead channel", b"520-Invalid command syntax.  Proper usage follows:",
    b"520 End of proper usage.", b"100 Trying", b"200 result=53", b"agi_network: yes",
)  # fmt: skip


# nobody has a PIN: a log-in is asked for, checked and refused
PHONES = PhonePlan(DEFAULTS, {"501": "anna"}, ("break", "lunch"), 60.0, Path("/nonexistent"), 3, 300.0)
ANNA = {"agent": "anna", "logged_in": True, "pause": "break", "left_s": 7.0}
SHEET = Sheet(
    Form("calls", (Group("all", (Item("one", critical=50), Item("two", sound="beep"))),)),
    "1.1", "sue", "PJSIP/1002", "anna", "1.0", "sales", 60.0, 0.0,
)  # fmt: skip
CODES = (
    b"*01",
    b"*01501",
    b"*02",
    b"*03",
    b"*032",
    b"*04",
    b"*05",
    b"*06",
    b"*08",
    b"*71",
    b"*091501",
    b"*094501",
    b"*0972",
    b"*001",
    b"*003",
)


class AsterisksOwn:
    async def prompt(self, name: str, language: str) -> str | None:
        return None

    async def say(self, what: str, value: str, language: str) -> str | None:
        return None


class Sources:
    """Of flows: nothing is known."""

    voice = AsterisksOwn()

    def language(self, did: str) -> str:
        return ""

    def listed(self, e164: str | None) -> str:
        return ""

    def longest(self, lookup: str) -> float:
        return 1.0

    async def facts(self, call: str, names: frozenset[str]) -> dict[str, Value]:
        return {}

    async def answers(self, table: str) -> dict[str, Value]:
        return {}

    async def is_open(self, hours: str) -> dict[str, Value]:
        return {"open": True}

    async def question(self, lookup: str, values: Mapping[str, Value]) -> dict[str, Value] | None:
        return None


class Renewals:
    working = True

    def hold(self, *_: object) -> None:
        pass

    async def release(self, call: str) -> None:
        pass


class Peer(Wire):
    """The socket's end: notes that a command came, and that the server let go."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0
        self.over = False

    def write(self, data: Any) -> None:
        assert data.endswith(b"\n"), data
        assert data.count(b"\n") == 1, data
        assert b"\r" not in data, data
        self.written += 1

    def abort(self) -> None:
        self.over = True

    def close(self) -> None:
        self.over = True

    def is_closing(self) -> bool:
        return self.over


def dialling(code: bytes, header: bytes, name: bytes = b"code") -> bytes:
    """The header of a phone that has dialled this code, or is sent to another route."""
    route = (b"agi_network_script", b"agi_request", b"agi_arg_")
    lines = [line for line in header.split(b"\n") if not line.startswith(route)]
    route_lines = [b"agi_network_script: " + name, b"agi_request: agi://127.0.0.1/" + name]
    return b"\n".join([*lines, *route_lines, b"agi_arg_1: " + code, b"agi_arg_2: PJSIP/1001"])


class Agi:
    name = "agi"
    share = 0.25

    def __init__(self) -> None:
        self.site = load(EXAMPLE, secrets=False)
        self.sessions = mutate.agi()
        self.warm = False

    async def episode(self, rng: Random) -> AsyncIterator[None]:
        """One peer: a header as one case, then an answer to each command as one."""
        if not self.warm:  # the memory of a check is taken once, and kept
            await asyncio.gather(*(asyncio.to_thread(matches, PHONES.pins, "", "1234") for _ in range(8)))
            self.warm = True
        server, raised = AgiServer(), list[str]()
        self._open(server, raised)
        connection, peer = _Connection(server), Peer()
        connection.connection_made(peer)
        header, _, rest = rng.choice(self.sessions).partition(b"\n\n")
        if rng.randrange(3) == 0:
            header = dialling(rng.choice(CODES), header)
        elif rng.randrange(6) == 0:
            header = dialling(b"", header, b"score")
        answers = rest.splitlines()
        wild = rng.choice((0.05, 0.3, 0.8))
        piece = header + b"\n\n"
        for _ in range(80):
            if rng.random() < wild:
                piece = mutate.mutated(rng, piece)
            for segment in mutate.cut(rng, piece):
                connection.data_received(segment)
            before = peer.written
            for _ in range(6):
                await asyncio.sleep(0)
                if peer.written > before or peer.over:
                    break
            assert not raised, raised
            assert connection._parser.held_bytes <= HELD_LIMIT
            yield
            if peer.over:
                break
            piece = (answers.pop(0) if answers and rng.randrange(4) else rng.choice(MORE)) + b"\n"
        connection.connection_lost(None)
        for _ in range(4):
            await asyncio.sleep(0)
        for _ in range(400):  # a PIN that is being checked in a thread is checked first
            if server.sessions == 0:
                break
            await asyncio.sleep(0.005)
        assert server.sessions == 0, "a session outlives its socket"
        assert not raised, raised

    def _open(self, server: AgiServer, raised: list[str]) -> None:
        async def ask(make: Any) -> Reply:
            make(1)
            return Reply(1, True, "")

        def post(event: i.Input) -> None:
            assert isinstance(event, i.CallArrived | i.MenuStepped | i.CallQueued | i.FlowEnded)

        async def today(agent: str) -> Own | None:
            return Own(2, 1, 90.0)

        doors = Doors(lambda: self.site.plan, post, ask, parse, Renewals(), lambda: True, Sources())
        phones = PhoneCodes(
            lambda: PHONES,
            ask,
            {"PJSIP/1001": ANNA}.get,
            lambda *asked: False,
            lambda *words, **more: None,
            {},
        )
        own_figures.add(phones, today)
        scores = ScoreCards(lambda channel: SHEET, lambda sheet, keyed: None)
        routes = {"menu": doors.menu, "outcome": doors.outcome, "code": phones.code, "score": scores.score}
        for name, route in routes.items():

            async def watched(session: AgiSession, route: Any = route) -> None:
                try:
                    await route(session)
                except AgiError:
                    raise
                except Exception as error:
                    raised.append(repr(error))
                    raise

            server.add_route(name, watched)
