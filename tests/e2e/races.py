"""Races by force: agents who serve three queues, callers in all of them within milliseconds, and in just
that moment something else. What came of it is read from Asterisk's own files (`races_judge`).

A lane is one agent, or a few, with three queues of their own; several lanes run at once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from e2e_rig import Site, new_number

from ccbridge.lab.ami import AmiLink, Message
from ccbridge.lab.carrier import Call
from ccbridge.lab.outside import Outside

Lanes = tuple[tuple[str, ...], ...]
#: agents of each lane, by the phone's number
LANES: Lanes = (("1001",), ("1002",), ("1003",), ("1004",), ("1005", "1006", "1007"))
TEAMS: Lanes = (("1001", "1002"), ("1003", "1004", "1005"), ("1006", "1007"))
KNOWN = {"1001": "anna", "1002": "ben", "1003": "chloe", "1004": "dimitris"}
QUEUES = 3
#: a caller of a race is served, or has hung up, by then
DONE_S = 30.0
#: a phone's or a caller's step follows the PBX's by less than so much
WITHIN_S = 0.006
#: a phone rings so long; the PBX rings those of a ring-all one after the other, within a millisecond or two
ANSWERS_S = (0.01, 0.011, 0.012)


def agent_of(phone: str) -> str:
    """The agent at that phone."""
    return KNOWN.get(phone, f"agent{phone}")


def queues_of(lane: int) -> dict[str, str]:
    """The lane's queues by the number that leads to each."""
    return {f"21000010{lane}{queue}": f"race-{lane}-{queue}" for queue in range(QUEUES)}


def races_site(lanes: Lanes, **queue: Any) -> dict[str, Any]:
    """Changes to a site's configuration: lanes, no wrap-up, no recording; `queue` goes into each queue."""
    queues: dict[str, Any] = {}
    agents: dict[str, Any] = {}
    flows: dict[str, Any] = {}
    numbers: dict[str, str] = {}
    for lane, phones in enumerate(lanes):
        for did, name in queues_of(lane).items():
            queues[name] = {"ring": 5, "wrap_up": 0, "max_wait": 60, "overflow": "1008", **queue}
            flows[name] = {"start": "q", "steps": {"q": {"queue": name}}}
            numbers[did] = name
        for phone in phones:
            one = {"name": agent_of(phone), "device": f"PJSIP/{phone}", "queues": [*queues_of(lane).values()]}
            agents[agent_of(phone)] = one
    return {
        "queues": queues,
        "agents": agents,
        "flows": flows,
        "numbers": numbers,
        "recording": {"enabled": False},
        "routing": {"refuse_cooldown": 0.2, "unreachable_backoff": [1]},
    }


class Told:
    """What the dialplan on the PBX says of each caller's number, heard over a connection of the lab's own."""

    def __init__(self, link: AmiLink) -> None:
        self._link = link
        self.holding: set[str] = set()
        #: called at each offer of that caller
        self.at_offer: dict[str, Callable[[], None]] = {}
        self.offers = 0
        self._changed = asyncio.Event()
        link.listen(self._hear)

    @classmethod
    async def open(cls, site: Site) -> Self:
        return cls(await AmiLink.open(site.lab.pbx.door, events="user"))

    async def close(self) -> None:
        await self._link.close()

    def _hear(self, event: Message) -> None:
        caller = event.get("CallerIDNum", "")
        if event.get("UserEvent") == "CcbHold":
            self.holding.add(caller)
            self._changed.set()
        elif event.get("UserEvent") == "CcbOffering":
            self.offers += 1
            self.holding.discard(caller)
            if (then := self.at_offer.get(caller)) is not None:
                then()

    async def all_hold(self, callers: list[str]) -> None:
        """Until each of them waits in the hold loop."""
        async with asyncio.timeout(DONE_S):
            while not self.holding.issuperset(callers):
                self._changed.clear()
                await self._changed.wait()


@dataclass
class Races:
    """The races of a site, and who called in them."""

    site: Site
    outside: Outside
    told: Told
    lanes: Lanes
    kinds: Sequence[Kind]
    seed: int
    callers: list[Call] = field(default_factory=list)
    run: dict[str, int] = field(default_factory=dict)

    async def all(self, count: int) -> None:
        """So many, on all lanes at once; each kind as often as any other."""
        for phones in self.lanes:
            for phone in phones:
                await self.will(phone)
                self.site.login(agent_of(phone))
        numbers = iter(range(count))
        async with asyncio.TaskGroup() as lanes:
            for lane in range(len(self.lanes)):
                lanes.create_task(self._lane(lane, numbers))

    async def _lane(self, lane: int, numbers: Any) -> None:
        for number in numbers:
            kind = self.kinds[number % len(self.kinds)]
            race = Race(self, lane, random.Random(f"{self.seed} {number}"))
            await kind(race)
            await race.over()
            self.run[kind.__name__] = self.run.get(kind.__name__, 0) + 1

    async def will(self, phone: str, do: str = "answer", after: float = ANSWERS_S[0]) -> None:
        """That phone does so from now on; what it answers it soon hangs up."""
        await self.outside.phones[phone].will(do, after=after, hangup_after=0.03)

    async def ask(self, do: str, phone: str, **more: Any) -> None:
        """Of the daemon, on a thread: the race goes on meanwhile."""
        await asyncio.to_thread(self.site.ask, do, agent=agent_of(phone), **more)


class Race:
    """One of them: as many callers as would fill each agent's three queues."""

    def __init__(self, races: Races, lane: int, chance: random.Random) -> None:
        self.races = races
        self.chance = chance
        self.phones = races.lanes[lane]
        self.dids = [*queues_of(lane)] * len(self.phones)
        self.calls: dict[str, Call] = {}
        self._later: set[asyncio.Task[Any]] = set()

    async def call_all(self, count: int | None = None) -> None:
        """All callers at once, or so many of them."""
        dids = self.dids[:count]
        callers = [new_number() for _ in dids]
        made = await asyncio.gather(
            *(self.races.outside.carrier.call(did, one) for did, one in zip(dids, callers, strict=True))
        )
        self.calls = dict(zip(callers, made, strict=True))
        self.races.callers += made

    async def all_wait(self) -> None:
        """All callers at once, and all in the hold loop."""
        await self.call_all()
        await self.races.told.all_hold([*self.calls])

    async def all_free(self) -> None:
        """All agents of the lane are free, and each phone will answer so fast that none can be told first."""
        for phone in self.phones:
            await self.races.will(phone, after=self.chance.choice(ANSWERS_S))
            await self.races.site.until_agent(agent_of(phone), "available")

    async def of_all(self, what: Callable[[str], Awaitable[None]]) -> None:
        """The same for each agent's phone, at once."""
        await asyncio.gather(*(what(phone) for phone in self.phones))

    async def ask_all(self, do: str, **more: Any) -> None:
        await self.of_all(lambda phone: self.races.ask(do, phone, **more))

    def when_offered(self, what: Callable[[], Awaitable[None]], *callers: str, after_s: float = 0.0) -> None:
        """Do it once, `after_s` and a moment after the first Redirect of one of these callers has arrived."""

        def then() -> None:
            for caller in callers:
                self.races.told.at_offer.pop(caller, None)
            self.later(what, after_s)

        for caller in callers:
            self.races.told.at_offer[caller] = then

    def later(self, what: Callable[[], Awaitable[None]], after_s: float = 0.0) -> None:
        async def soon() -> None:
            await asyncio.sleep(after_s + self.chance.uniform(0, WITHIN_S))
            await what()

        self._later.add(asyncio.create_task(soon()))

    async def over(self) -> None:
        """Until all callers are gone and everybody is as before."""
        for call in self.calls.values():
            await call.ended(DONE_S)
        await asyncio.gather(*self._later)
        for caller in self.calls:
            self.races.told.at_offer.pop(caller, None)


# The kinds ------------------------------------------------------------------------------------------


async def arrive_together(race: Race) -> None:
    """Callers for a free agent in three queues at once; each hang-up of his frees him for the next one."""
    await race.call_all()


async def unpaused(race: Race) -> None:
    """He becomes free while callers wait in all three."""
    await race.ask_all("agent.pause", reason="break")
    await race.all_wait()
    await race.ask_all("agent.unpause")


async def logged_in(race: Race) -> None:
    await race.ask_all("agent.logout")
    await race.all_wait()
    await race.ask_all("agent.login")


async def registered(race: Race) -> None:
    """His phone comes back while callers wait."""
    phones = race.races.outside.phones
    await race.of_all(lambda phone: phones[phone].unregister())
    await race.all_wait()
    await race.of_all(lambda phone: phones[phone].register())


async def hang_up_at_the_redirect(race: Race) -> None:
    """Two of three callers hang up just when they are offered, the others get their turn."""
    await race.ask_all("agent.pause", reason="break")
    await race.all_wait()
    for caller, call in [*race.calls.items()][: 2 * len(race.phones)]:
        race.when_offered(call.hangup, caller)
    await race.ask_all("agent.unpause")


async def hang_up_as_he_is_freed(race: Race) -> None:
    """Before, at, or after the Redirect: nobody knows."""
    await race.ask_all("agent.pause", reason="break")
    await race.all_wait()
    for call in [*race.calls.values()][: 2 * len(race.phones)]:
        race.later(call.hangup)
    await race.ask_all("agent.unpause")


async def declined(race: Race) -> None:
    """His phone refuses whoever comes first, and takes the others."""

    async def relents() -> None:
        await race.of_all(race.races.will)

    await race.ask_all("agent.pause", reason="break")
    await race.of_all(lambda phone: race.races.will(phone, race.chance.choice(("refuse", "busy"))))
    await race.all_wait()
    race.when_offered(relents, *race.calls)
    await race.ask_all("agent.unpause")


async def unregistered(race: Race) -> None:
    """His phone goes away just when somebody is offered to him, and comes back."""
    phones = race.races.outside.phones

    async def goes_and_comes() -> None:
        await race.of_all(lambda phone: phones[phone].unregister())
        await race.of_all(lambda phone: phones[phone].register())

    await race.ask_all("agent.pause", reason="break")
    await race.all_wait()
    race.when_offered(goes_and_comes, *race.calls)
    await race.ask_all("agent.unpause")


async def paused_and_back(race: Race) -> None:
    """He takes a break just when somebody is offered to him, and ends it at once."""

    async def breaks() -> None:
        await race.ask_all("agent.pause", reason="break")
        await race.ask_all("agent.unpause")

    await race.ask_all("agent.pause", reason="break")
    await race.all_wait()
    race.when_offered(breaks, *race.calls)
    await race.ask_all("agent.unpause")


Kind = Callable[[Race], Awaitable[None]]
KINDS: tuple[Kind, ...] = (
    arrive_together,
    hang_up_at_the_redirect,
    unpaused,
    declined,
    hang_up_as_he_is_freed,
    registered,
    paused_and_back,
    logged_in,
    unregistered,
)


# The kinds of a queue that rings all: in none of them an agent is to blame for anything -------------


async def answer_together(race: Race) -> None:
    """One caller, all phones ring and are answered within a millisecond."""
    await race.all_free()
    await race.call_all(1)


async def answer_together_and_go_on(race: Race) -> None:
    """Two more callers wait for those who lose."""
    await race.all_free()
    await race.call_all(QUEUES)


async def hang_up_as_all_answer(race: Race) -> None:
    await race.all_free()
    await race.call_all(1)
    for caller, call in race.calls.items():
        race.when_offered(call.hangup, caller, after_s=ANSWERS_S[0])


async def paused_as_all_answer(race: Race) -> None:
    """Each goes for a break that begins after the ringing, whoever wins, and is back at once."""

    async def breaks() -> None:
        await race.ask_all("agent.pause", reason="break")
        await race.ask_all("agent.unpause")

    await race.all_free()
    await race.call_all(QUEUES)
    race.when_offered(breaks, *race.calls, after_s=ANSWERS_S[0])


TOGETHER: tuple[Kind, ...] = (
    answer_together,
    answer_together_and_go_on,
    hang_up_as_all_answer,
    paused_as_all_answer,
)
