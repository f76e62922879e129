"""A real switchboard behind a real control socket, in the test's own loop or in a thread of its own."""

from __future__ import annotations

import asyncio
import itertools
import json
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ccbridge.control.commands import Commands
from ccbridge.control.server import ControlServer
from ccbridge.control.wire import Answer
from ccbridge.core import inputs as i
from ccbridge.core.effects import Append, PlaceOffer, Reply
from ccbridge.core.flows import Flow, HangUp
from ccbridge.core.plan import AgentPlan, Plan, QueuePlan
from ccbridge.core.switchboard import Switchboard
from ccbridge.metrics.tally import Tally

T = TypeVar("T")
WAIT = 20.0  # seconds; only a hang takes so long

PLAN = Plan(
    queues={
        "sales": QueuePlan("sales", overflow="100"),
        "support": QueuePlan("support", ring=20, wrap_up=30, overflow="100", priority=2),
    },
    agents={
        "anna": AgentPlan("anna", "Άννα Παππά", "PJSIP/1001", ("sales",)),
        "ben": AgentPlan("ben", "Ben Ioannou", "PJSIP/1002", ("sales", "support")),
        "chloe": AgentPlan("chloe", "Chloe Martin", "PJSIP/1003", ("support",)),
    },
    flows={"main": Flow("main", "bye", {"bye": HangUp()})},
    numbers={},
    default_flow="main",
    pause_reasons=("break", "lunch"),
    departments={"house": ("support",)},
)


class Board:
    """A switchboard with a clock that the test moves: epoch and monotonic seconds at once."""

    def __init__(self, at: float = 1_700_000_000.0, plan: Plan = PLAN) -> None:
        self.plan = plan
        self.board = Switchboard(plan, "t")
        self.at = at
        self.requests = itertools.count(1)
        self.numbers = itertools.count(1)
        self.effects: list[Any] = []
        self.rung: set[str] = set()
        self.reloads = True
        self.tally = Tally()
        devices = {agent.device: "NOT_INUSE" for agent in plan.agents.values()}
        self.put(i.LinkUp(self.at, i.Snapshot((), devices)))

    def put(self, event: i.Input) -> list[Any]:
        out = self.board.handle(event, self.at)
        self.effects += out
        for effect in out:
            if isinstance(effect, Append):
                self.tally.add(effect.record, self.plan.queues)
        return out

    def go(self, seconds: float) -> None:
        self.at += seconds
        self.put(i.Tick(self.at))

    async def ask(self, make: Callable[[int], i.Input]) -> Reply:
        request = next(self.requests)
        await asyncio.sleep(0)
        (reply,) = (one for one in self.put(make(request)) if isinstance(one, Reply))
        assert reply.request == request
        return reply

    def login(self, *agents: str) -> None:
        for agent in agents:
            self.put(i.LogIn(self.at, agent, 0))

    def caller(self, queue: str, e164: str | None = "+302101234567", name: str = "") -> str:
        """A caller who holds in the queue now."""
        call = f"1700000000.{next(self.numbers)}"
        kind = "e164" if e164 else "anonymous"
        self.put(i.CallArrived(self.at, call, "2100000000", kind, e164, e164 or "", ""))
        if name:
            self.put(i.CustomerFound(self.at, call, 7, name))
        self.put(i.CallQueued(self.at, call, queue, 0))
        self.put(i.CallHolding(self.at, call, queue, 0, self.at))
        self.go(0.0)  # a moment in which nothing else is to be decided
        return call

    def offer_of(self, call: str) -> PlaceOffer:
        return next(e for e in reversed(self.effects) if isinstance(e, PlaceOffer) and e.call == call)

    def ring(self, call: str) -> None:
        offer = self.offer_of(call).offer
        if offer in self.rung:
            return
        self.rung.add(offer)
        self.put(i.OfferReached(self.at, call, offer))
        self.put(i.LegDialled(self.at, call, offer, f"leg-{offer}"))
        self.put(i.LegRinging(self.at, f"leg-{offer}"))

    def answer(self, call: str) -> None:
        self.ring(call)
        for channel in (call, f"leg-{self.offer_of(call).offer}"):
            self.put(i.BridgeEntered(self.at, channel, f"bridge-{call}"))

    def hang_up_waiting(self, call: str) -> None:
        self.put(i.ChannelGone(self.at, call, 16))

    def hang_up(self, call: str) -> None:
        self.put(i.ChannelGone(self.at, call, 16))
        self.put(i.ChannelGone(self.at, f"leg-{self.offer_of(call).offer}", 16))

    def commands(self) -> Commands:
        async def reload(dry_run: bool) -> Answer:
            if self.reloads:
                text = "nothing is changed" if dry_run else "the plan is loaded"
                return Answer(True, text, {"differences": ["queues.sales.ring: 15 -> 20"]})
            return Answer(False, "2 mistakes: nothing is changed", ["a.yml:1: one", "a.yml:2: two"])

        def now() -> float:
            return self.at

        def drain(on: bool) -> None:
            self.draining = on

        def facts() -> dict[str, Any]:
            return {"asterisk_version": "22.5.2", "ship_lag_s": 0.1}

        levels = self.tally.since_start
        return Commands(self.board, self.ask, reload, drain, facts, levels, clock=now, monotonic=now)


class Daemon:
    """The control server on a loop in a thread, so that blocking clients can be tested against it."""

    def __init__(self, path: Path, board: Board, **limits: Any) -> None:
        self.board = board
        self.path = path
        self._limits = limits
        self.loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self.loop.run_until_complete, args=(self._run(),))

    async def _run(self) -> None:
        self.server = ControlServer(self.path, self.board.commands().handlers(), **self._limits)
        await self.server.start()
        self._up.set()
        await self._stop.wait()
        await self.server.stop()

    def do(self, what: Callable[[], T]) -> T:
        """What changes the board while somebody looks at it: in the loop, between two requests."""

        async def done() -> T:
            return what()

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(WAIT)

    def __enter__(self) -> Daemon:
        self._thread.start()
        assert self._up.wait(WAIT)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT)
        assert not self._thread.is_alive()
        self.loop.close()


class Peer:
    """A raw client in the test's loop."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def __aenter__(self) -> Peer:
        self.reader, self.writer = await asyncio.open_unix_connection(self.path, limit=1 << 24)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    async def ask(self, **request: Any) -> dict[str, Any]:
        self.writer.write(json.dumps(request).encode() + b"\n")
        return await self.answer()

    async def answer(self) -> dict[str, Any]:
        async with asyncio.timeout(WAIT):
            line = await self.reader.readline()
        assert line.endswith(b"\n"), line
        answer = json.loads(line)
        assert set(answer) == {"id", "ok", "text", "data"}
        return dict(answer)

    async def ended(self) -> bytes:
        """What still comes before the server closes."""
        async with asyncio.timeout(WAIT):
            rest = b""
            try:
                while data := await self.reader.read(65536):
                    rest += data
            except ConnectionResetError:
                pass
            return rest


def mode_of(path: Path) -> int | None:
    """Permission bits; None: there is no such file."""
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else None


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


def until_now(condition: Callable[[], bool]) -> None:
    """The same without a loop."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)
