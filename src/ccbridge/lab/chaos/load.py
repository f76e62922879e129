"""The load: callers one after the other on a few lines, phones with moods, agents who come and go."""

import asyncio
import itertools
import random
import time
from dataclasses import dataclass
from typing import Any

from ccbridge.control.client import DaemonAway
from ccbridge.lab.carrier import Call
from ccbridge.lab.chaos.house import AGENTS, FALLBACK_PHONE, OVERFLOW_PHONE, House
from ccbridge.lab.chaos.plan import Journey, journey, moods
from ccbridge.lab.errors import LabError
from ccbridge.lab.outside import Outside

#: beyond the time after which he has enough: an INVITE that nobody answers is given up by then
DONE_LIMIT_S = 45.0


@dataclass
class Placed:
    """A caller, and when the PBX died under him (seconds since the epoch), if it did."""

    journey: Journey
    call: Call
    pbx_died: float | None = None


class Load:
    """`lines` callers at a time until `stop()`; then those on the line are seen to their end."""

    def __init__(self, house: House, outside: Outside, seed: int, lines: int) -> None:
        self._house = house
        self._outside = outside
        self._seed = seed
        self._lines = lines
        self._stopping = asyncio.Event()
        self._numbers = itertools.count(1)
        self.placed: list[Placed] = []
        self.on_line = 0

    async def begin(self) -> None:
        """All agents are logged in; phones that belong to nobody answer always."""
        for phone in (OVERFLOW_PHONE, FALLBACK_PHONE):
            await self._outside.phones[phone].will("answer", after=0.3, hangup_after=4.0)
        for agent in AGENTS:
            self._house.daemon.must("agent.login", agent=agent)

    async def run(self) -> None:
        """Until `stop()` and the last caller's end. Raises LabError."""
        async with asyncio.TaskGroup() as all_of_it:
            people = [all_of_it.create_task(self._mood(phone)) for phone in AGENTS.values()]
            people += [all_of_it.create_task(work) for work in (self._come_and_go(), self._hold())]
            callers = [all_of_it.create_task(self._line(line)) for line in range(self._lines)]
            await asyncio.gather(*callers)
            for one in people:
                one.cancel()

    def stop(self) -> None:
        """No further callers."""
        self._stopping.set()

    async def end(self) -> None:
        """All agents at work, so that they can be seen to be free; no phone is left in a call."""
        for agent in AGENTS:
            await self._ask("agent.login", agent)
            await self._ask("agent.unpause", agent)
        for phone in self._outside.phones.values():
            if phone.leg is not None:
                await phone.leg.hangup()

    # the PBX ----------------------------------------------------------------------------------------

    async def pbx_died(self) -> None:
        """Whoever was in a call hears nothing any more, and hangs up."""
        now = time.time()
        for one in self.placed:
            if one.call.leg.live:
                one.pbx_died = now
        await self._outside.hang_up_all()

    async def pbx_lives(self) -> None:
        """The phones register anew: of old contacts the PBX asks only after half a minute."""
        await self._outside.register_all()

    # people -----------------------------------------------------------------------------------------

    async def _line(self, line: int) -> None:
        pause = random.Random(f"{self._seed} line {line}")
        while not self._stopping.is_set():
            one = journey(self._seed, next(self._numbers))
            script = [step for wait, key in one.keys for step in (wait, key)]
            call = await self._outside.carrier.call(
                one.did, one.number, hangup_after=one.stays, script=script
            )
            self.placed.append(Placed(one, call))
            self.on_line += 1
            try:
                await call.ended(one.stays + DONE_LIMIT_S)
            finally:
                self.on_line -= 1
            if call.script is not None:
                call.script.cancel()
                await asyncio.gather(call.script, return_exceptions=True)  # a key after the end of the call
            await asyncio.sleep(pause.uniform(0.1, 1.0))

    async def _mood(self, number: str) -> None:
        phone, mine = self._outside.phones[number], moods(self._seed, number)
        while True:
            mood = next(mine)
            await phone.will(
                mood.do, after=mood.after, hangup_after=mood.talk, outcome=mood.outcome, outcome_after=0.5
            )
            await asyncio.sleep(mood.lasts)

    async def _come_and_go(self) -> None:
        """Now and then somebody takes a break, or goes home and comes back."""
        chance = random.Random(f"{self._seed} agents")
        while True:
            await asyncio.sleep(chance.uniform(2.0, 6.0))
            agent, away = chance.choice(list(AGENTS)), chance.random() < 0.7
            seconds = chance.uniform(0.5, 4.0)
            await self._ask(
                "agent.pause" if away else "agent.logout", agent, **({"reason": "break"} if away else {})
            )
            await asyncio.sleep(seconds)
            await self._ask("agent.unpause" if away else "agent.login", agent)

    async def _hold(self) -> None:
        """Now and then an agent puts his caller on hold, takes him back, and hangs up some time later."""
        chance = random.Random(f"{self._seed} holds")
        while True:
            await asyncio.sleep(chance.uniform(1.0, 5.0))
            phone = self._outside.phones[chance.choice(list(AGENTS.values()))]
            held, more = chance.uniform(0.2, 3.0), chance.uniform(0.0, 3.0)
            leg = phone.leg
            if leg is None or not leg.answered_at:
                continue
            try:
                await leg.hold()
                await asyncio.sleep(held)
                await leg.resume()
                await asyncio.sleep(more)
                await leg.hangup()
            except LabError:
                continue  # the call was over before: his caller, or his Asterisk, was faster

    async def _ask(self, do: str, agent: str, **more: Any) -> None:
        """Of a daemon that may be away just now: then again, until it is done."""
        while True:
            try:
                answer = await asyncio.to_thread(self._house.daemon.ask, do, agent=agent, **more)
            except DaemonAway:
                await asyncio.sleep(0.2)
                continue
            if answer.ok or "is not logged in" in answer.text:
                return
            raise LabError(f"{do} {agent} was refused: {answer.text}", "")
