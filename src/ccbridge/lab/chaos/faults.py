"""Faults: how each is done to a house and undone, and when it really happened."""

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ccbridge.lab.chaos.house import House
from ccbridge.lab.chaos.plan import (
    DAEMON_FROZEN,
    DAEMON_KILLED,
    DATABASE_FROZEN,
    DATABASE_STOPPED,
    JOURNAL_FULL,
    LINK_CUT,
    LINK_FROZEN,
    PBX_KILLED,
    Fault,
)
from ccbridge.lab.errors import LabError

#: whom a fault is done to; one at a time is done to the same. A full journal and the daemon are one: what
#: waits in memory for a full disk is lost with a kill, and that is not promised otherwise.
VICTIM = {
    DAEMON_KILLED: "daemon",
    DAEMON_FROZEN: "daemon",
    JOURNAL_FULL: "daemon",
    PBX_KILLED: "PBX",
    DATABASE_STOPPED: "PostgreSQL",
    DATABASE_FROZEN: "PostgreSQL",
    LINK_CUT: "AMI",
    LINK_FROZEN: "AMI",
}
POLL_S = 0.02
LIMIT_S = 30.0


@dataclass
class Happened:
    """A fault with its times, seconds since the epoch; `until` is when the part was whole again."""

    fault: Fault
    at: float
    until: float = float("inf")


class Faults:
    """Does a plan to a house; `on_pbx_death` and `on_pbx_life` are awaited when the PBX is dead, and back."""

    def __init__(
        self,
        house: House,
        on_pbx_death: Callable[[], Awaitable[None]],
        on_pbx_life: Callable[[], Awaitable[None]],
        tell: Callable[[Happened], None],
    ) -> None:
        self._house = house
        self._on_pbx_death = on_pbx_death
        self._on_pbx_life = on_pbx_life
        self._tell = tell
        self._busy = {victim: asyncio.Lock() for victim in VICTIM.values()}
        self.happened: list[Happened] = []

    async def run(self, plan: list[Fault]) -> None:
        """All of them, each in its turn; returns when the last one is undone. Raises LabError."""
        async with asyncio.TaskGroup() as under_way:
            for fault in plan:
                await asyncio.sleep(fault.after)
                victim = self._busy[VICTIM[fault.kind]]
                await victim.acquire()
                under_way.create_task(self._happen(fault, victim))

    async def _happen(self, fault: Fault, victim: asyncio.Lock) -> None:
        try:
            one = Happened(fault, time.time())
            self.happened.append(one)
            self._tell(one)
            async with _DO[fault.kind](self):
                await asyncio.sleep(fault.seconds)
            one.until = time.time()
        finally:
            victim.release()

    @asynccontextmanager
    async def _daemon_killed(self) -> AsyncIterator[None]:
        house = self._house
        await self._daemon_runs()
        house.expected_ends += 1
        killed = house.daemon.pid
        house.daemon.kill()
        yield
        await _until(lambda: house.daemon.running and house.daemon.pid != killed, "the daemon to be started")

    @asynccontextmanager
    async def _daemon_frozen(self) -> AsyncIterator[None]:
        await self._daemon_runs()
        self._house.daemon.freeze()
        try:
            yield
        finally:
            self._house.daemon.thaw()

    @asynccontextmanager
    async def _journal_full(self) -> AsyncIterator[None]:
        """Its disk takes a few bytes more, so that a line is torn, and then nothing."""
        await self._daemon_runs()
        house, pid = self._house, self._house.daemon.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        newest = max(house.journal.glob("[0-9]*.jsonl"))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (newest.stat().st_size + 100, before[1]))
        try:
            yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        await _until(house.journal_is_written, "the journal to be written again")

    @asynccontextmanager
    async def _pbx_killed(self) -> AsyncIterator[None]:
        pbx = self._house.lab.pbx
        pbx.kill()
        await self._on_pbx_death()
        yield
        # from this thread, with which it is to end
        pbx = self._house.lab.pbx
        pbx.launch()
        await asyncio.to_thread(pbx.wait_ready)
        await self._on_pbx_life()

    @asynccontextmanager
    async def _database_stopped(self) -> AsyncIterator[None]:
        await asyncio.to_thread(self._house.postgres.halt)
        yield
        await asyncio.to_thread(self._house.postgres.start)

    @asynccontextmanager
    async def _database_frozen(self) -> AsyncIterator[None]:
        self._house.postgres.pause()
        try:
            yield
        finally:
            self._house.postgres.resume()

    @asynccontextmanager
    async def _link_cut(self) -> AsyncIterator[None]:
        self._house.wire.cut()
        yield
        self._house.wire.mend()

    @asynccontextmanager
    async def _link_frozen(self) -> AsyncIterator[None]:
        self._house.wire.freeze()
        yield
        self._house.wire.thaw()

    async def _daemon_runs(self) -> None:
        """Until it is a process again, however young."""
        await _until(lambda: self._house.daemon.running, "the daemon to run")


async def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not await asyncio.to_thread(condition):
        if time.monotonic() > deadline:
            raise LabError(f"Waited {LIMIT_S:g} s in vain for {what}.", "")
        await asyncio.sleep(POLL_S)


_DO = {
    DAEMON_KILLED: Faults._daemon_killed,
    DAEMON_FROZEN: Faults._daemon_frozen,
    PBX_KILLED: Faults._pbx_killed,
    DATABASE_STOPPED: Faults._database_stopped,
    DATABASE_FROZEN: Faults._database_frozen,
    LINK_CUT: Faults._link_cut,
    LINK_FROZEN: Faults._link_frozen,
    JOURNAL_FULL: Faults._journal_full,
}
