"""A shift by chance: ten agents at eight phones dial codes, take calls, hold them, pass them on, and hang up
in the middle of whatever it is.

Every code of the table comes up, with digits that make sense, mostly. A lane is a phone; all run at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

from e2e_rig import SALES, SUPPORT, Site, new_number

from ccbridge.codes import TABLE, Code
from ccbridge.lab.errors import LabError
from ccbridge.lab.legs import Leg
from ccbridge.lab.outside import Outside
from ccbridge.lab.site_pbx import AGENT_PHONES

AGENTS = {f"agent{n}": f"20{n:02d}" for n in range(1, 11)}
#: telephones of their own, which their codes have rung
MOBILES = {agent: f"+306912300{number[-3:]}" for agent, number in [*AGENTS.items()][:6]}
PIN = "4711"
KEYS = ("*31", "*32", "*34", "*34", "*35")
#: a code's own end is waited for so long, then its phone hangs up
PATIENCE_S = (2.0, 8.0)


def shift_site() -> dict[str, object]:
    """Changes to a site's configuration."""
    home = [f"PJSIP/{phone}" for phone in (*AGENT_PHONES, "3001", "3002")]  # two have no phone of their own
    agents: dict[str, object] = dict.fromkeys(("anna", "ben", "chloe", "dimitris"))
    for (agent, number), device in zip(AGENTS.items(), home, strict=True):
        own = {"mobile": MOBILES[agent]} if agent in MOBILES else {}
        agents[agent] = {
            "name": agent, "device": device, "number": number, "queues": ["sales", "support"],
            "personal": own,
        }  # fmt: skip
    return {
        "agents": agents,
        "pause_reasons": ["break", "lunch", "training"],
        "personal": {"dial": "PJSIP/{number}@carrier", "seconds": 5, "prompts": ["beep"]},
        "phones": {"pin_tries": 20, "pin_lock": 10, "lamps": True},
        "supervisors": {"sue": {"name": "Sue", "device": "PJSIP/1008", "role": "manager"}},
        "flows": {"main": {"steps": {"operator": {"transfer": "1009"}}}},
        "queues": {queue: {"overflow": "1009"} for queue in ("sales", "support")},
    }


class Shift:
    """Who does what, by ``seed``: the machine's own times make each shift another one all the same."""

    def __init__(self, site: Site, outside: Outside, seed: int) -> None:
        self.site = site
        self.outside = outside
        self.seed = seed
        #: how often each code was dialled, each step was done
        self.dialled: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        #: codes that the PBX did not answer
        self.dead: list[str] = []

    async def play(self, count: int, before: Callable[[int], Awaitable[None]]) -> None:
        """So many sequences, on all phones at once; ``before`` is awaited with each one's number, from 0."""
        numbers = iter(range(count))
        async with asyncio.TaskGroup() as lanes:
            for phone in AGENT_PHONES:
                lanes.create_task(self._lane(phone, numbers, before))

    async def _lane(
        self, phone: str, numbers: Iterator[int], before: Callable[[int], Awaitable[None]]
    ) -> None:
        for number in numbers:
            await before(number)
            chance = random.Random(f"{self.seed} {number}")
            for _ in range(chance.randint(3, 7)):
                step = chance.choice(STEPS)
                self.done[step.__name__.strip("_")] += 1
                with contextlib.suppress(LabError):  # the other side was faster: it has ended meanwhile
                    await step(self, phone, chance)

    # -- steps

    async def _code(self, phone: str, chance: random.Random) -> None:
        """Dial one; key what is asked for; wait for its end, or not."""
        code = chance.choice((*TABLE, *[one for one in TABLE if one.name == "log_in"] * 3))
        self.dialled[code.name] += 1
        leg = await self.outside.phones[phone].dial(code.dial + _digits(code, chance), tone=0)
        try:
            await leg.answered()
        except LabError:
            self.dead.append(f"{code.dial} at {phone}: {leg}, cause {leg.cause}")
            raise
        try:
            async with asyncio.timeout(chance.uniform(*PATIENCE_S)):
                if chance.random() < 0.2:
                    await asyncio.sleep(chance.uniform(0.0, 1.0))
                elif code.name == "log_in":
                    await self._log_in(leg, chance)
                else:
                    await leg.ended()
        except TimeoutError:
            pass
        await leg.hangup()

    async def _log_in(self, leg: Leg, chance: random.Random) -> None:
        await asyncio.sleep(1.0)
        for _ in range(2):  # an unknown one is asked no less
            await leg.press(chance.choice((PIN, PIN, PIN, "1234")) + "#")
            await asyncio.sleep(1.0)
        await leg.ended()

    async def _somebody_calls(self, phone: str, chance: random.Random) -> None:
        """Of those who work now, whoever is free is rung."""
        did, talk = chance.choice((SALES, SUPPORT)), chance.uniform(0.5, 9.0)
        await self.outside.carrier.call(did, new_number(), hangup_after=talk)

    async def _wait(self, phone: str, chance: random.Random) -> None:
        await asyncio.sleep(chance.uniform(0.2, 2.0))

    async def _behave(self, phone: str, chance: random.Random) -> None:
        """From now on this phone answers, mostly."""
        do = chance.choice(("answer", "answer", "answer", "ring", "busy", "decline"))
        last = chance.choice((None, chance.uniform(0.1, 6.0)))
        outcome = chance.choice(("", "1", "9"))
        after = chance.uniform(0.05, 2.0)
        await self.outside.phones[phone].will(do, after=after, hangup_after=last, outcome=outcome)

    async def _mobile(self, phone: str, chance: random.Random) -> None:
        """An agent's own is picked up, mostly; he presses 1, or another key, and talks."""
        one = self.outside.telephone(chance.choice([*MOBILES.values()]))
        await one.will(chance.choice(("answer", "answer", "ring", "busy")), after=0.1)
        await asyncio.sleep(chance.uniform(0.5, 2.0))
        await one.press(chance.choice("1115"))
        await asyncio.sleep(chance.uniform(0.2, 2.0))
        await one.hangup()

    async def _hang_up(self, phone: str, chance: random.Random) -> None:
        await self.outside.phones[phone].hangup()

    async def _key(self, phone: str, chance: random.Random) -> None:
        """In whatever call it is: the recording, a supervisor, and out of a talk that he is in."""
        await self.outside.phones[phone].press(chance.choice(KEYS))

    async def _hold(self, phone: str, chance: random.Random) -> None:
        await self.outside.phones[phone].hold()
        await asyncio.sleep(chance.uniform(0.1, 2.0))
        await self.outside.phones[phone].unhold()

    async def _pass_on(self, phone: str, chance: random.Random) -> None:
        await self.outside.phones[phone].transfer(chance.choice(AGENT_PHONES))

    async def _consult(self, phone: str, chance: random.Random) -> None:
        one = self.outside.phones[phone]
        await one.consult(chance.choice(AGENT_PHONES))
        await asyncio.sleep(chance.uniform(0.2, 2.0))
        await (one.complete() if chance.random() < 0.5 else one.cancel())


def _digits(code: Code, chance: random.Random) -> str:
    """What follows the code: a number, a small digit, now and then nonsense."""
    if code.name == "log_in":
        return chance.choice((*AGENTS.values(), "999"))
    if code.most >= len("2001") and chance.random() < 0.8:
        return chance.choice((*AGENTS.values(),))
    return "".join(chance.choice("12345") for _ in range(chance.randint(code.least, code.most)))


Step = Callable[[Shift, str, random.Random], Awaitable[None]]
STEPS: tuple[Step, ...] = (
    *[Shift._code] * 5,
    *[Shift._somebody_calls] * 3,
    Shift._wait,
    Shift._behave,
    *[Shift._mobile] * 2,
    Shift._hang_up,
    Shift._key,
    Shift._hold,
    Shift._pass_on,
    Shift._consult,
)
