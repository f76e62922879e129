"""The demo's calls: who calls, what he does, which agent is to answer. All real SIP calls in the lab."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg

from ccbridge.lab.carrier import Call
from ccbridge.lab.demo_screen import Screen
from ccbridge.lab.errors import LabError, first
from ccbridge.lab.legs import Leg
from ccbridge.lab.outside import Outside
from ccbridge.lab.phones import Phone
from ccbridge.lab.service import Service

DID = "2101234567"
ANONYMOUS = "anonymous"
SALES, SUPPORT, WRONG = "1", "2", "9"
POLL_S = 0.02
LIMIT_S = 30.0
#: from the answer, or from the tone that asks for it, to a key
THINK_S = 0.7
#: "please try again" is spoken before the menu listens anew
TRY_AGAIN_S = 2.2
RING_S = 0.5
TALK_S = 2.5

# All tones are multiples of 50 Hz, so that each is told from the others in a frame of 20 ms; music is 300 Hz.
PHONE_TONES = {"1001": 1250, "1002": 1350, "1003": 1450, "1004": 1550}
FREE_PHONE = "1008"

# What the demo changes in the shipped example: brisk times, a team for each queue, an agent for a softphone.
CHANGES: dict[str, Any] = {
    "queues": {
        name: {"ring": 4, "wrap_up": 3, "max_wait": 60, "overflow": "1009"} for name in ("sales", "support")
    },
    "routing": {"miss_cooldown": 5, "reach_timeout": 2},
    # a machine that is busy with other things must not cost the display its name
    "database": {"lookup_timeout": 2},
    "agents": {
        "ben": {"queues": ["sales"]},
        "dimitris": {"queues": ["support"]},
        "guest": {"name": "Softphone", "device": f"PJSIP/{FREE_PHONE}", "queues": ["sales"]},
    },
    "flows": {
        "main": {
            "start": "choose",
            "steps": {
                "greeting": None,
                "choose": {"menu": {"timeout": 2}},
                "operator": {"transfer": "1009"},
            },
        }
    },
}

T = TypeVar("T")


@dataclass(eq=False)
class Act:
    """One caller. ``name``: a customer whom the database knows before he calls."""

    story: str
    caller: str
    tone: int
    name: str = ""
    #: how often he lets the menu wait in vain
    time_outs: int = 0
    state: str = ""

    @property
    def shown(self) -> str:
        """Whom the audience sees."""
        return self.name or self.caller


KNOWN = Act("a known customer presses 1 and is answered", "+306941000101", 400, "Ελένη Παπαδοπούλου")
UNKNOWN = Act("an unknown caller becomes a customer", "+302101000102", 450)
FUMBLING = Act("a wrong key, then none, then the right one", "+302101000103", 500, time_outs=1)
IMPATIENT = Act("hangs up while waiting", "+306941000104", 550)
UNANSWERED = Act("one agent lets it ring, the next one answers", "+302101000105", 600)
UNREACHABLE = Act("one agent's phone is not registered", "+302101000106", 650)
WITHHELD = Act("withholds his number", ANONYMOUS, 700)
LUNCH = Act("one agent is at lunch", "+306941000108", 750, "Γιώργος Ιωάννου")
CROWD = (
    Act("more callers than agents", "+302101000109", 800),
    Act("more callers than agents", "+306941000110", 850, "Zoë Brontë"),
    Act("more callers than agents", "+302101000111", 900),
    Act("more callers than agents", "+302101000112", 950),
)
ACTS = (KNOWN, UNKNOWN, FUMBLING, IMPATIENT, UNANSWERED, UNREACHABLE, WITHHELD, LUNCH, *CROWD)


class Calls:
    """Plays all acts: the sales team's and the support team's side by side."""

    def __init__(self, outside: Outside, daemon: Service, database_url: str, screen: Screen) -> None:
        self._outside = outside
        self._daemon = daemon
        self._database_url = database_url
        self._screen = screen
        self._agents = {row["device"].removeprefix("PJSIP/"): row for row in daemon.must("agent.list")}
        #: what went otherwise than the story has it
        self.surprises: list[str] = []

    async def play(self) -> None:
        """All of them. Raises LabError when a caller or an agent waits in vain."""
        await self.phones_answer()
        try:
            async with asyncio.TaskGroup() as teams:
                teams.create_task(self._sales())
                teams.create_task(self._support())
        except* LabError as errors:
            raise first(errors) from errors

    async def phones_answer(self) -> None:
        """All agents' phones answer, each with its tone."""
        for number, tone in PHONE_TONES.items():
            await self._outside.phones[number].will("answer", after=RING_S, tone=tone)

    # the two teams --------------------------------------------------------------------------------

    async def _sales(self) -> None:
        await self._ask("agent.login", agent="anna")
        async with asyncio.TaskGroup() as together:
            together.create_task(self._fumbles(FUMBLING))
            known = await self._place(KNOWN, SALES)
            phone, leg = await self._talks(KNOWN)
            self._expect(phone, "1001", KNOWN)
            together.create_task(self._caller_ends(KNOWN, known, phone, leg, "1"))
            await self._ask("agent.login", agent="ben")
            unknown = await self._place(UNKNOWN, SALES)
            phone, leg = await self._talks(UNKNOWN)
            await self._agent_ends(UNKNOWN, unknown, phone, leg, "2")
        sleeper, other = await self._longest_idle("anna", "ben")
        await self._phone(sleeper).will("ring", tone=PHONE_TONES[self._phone(sleeper).number])
        call = await self._place(UNANSWERED, SALES)
        await self._phone(sleeper).rings(LIMIT_S)
        phone, leg = await self._talks(UNANSWERED)
        self._expect(phone, self._phone(other).number, UNANSWERED)
        await self._caller_ends(UNANSWERED, call, phone, leg, "3")

    async def _support(self) -> None:
        waiting = await self._place(IMPATIENT, SUPPORT)
        await asyncio.sleep(TALK_S)
        await waiting.hangup()
        self._screen.now(IMPATIENT, "gave up", done=True)

        dead = self._phone("dimitris")
        await dead.unregister()
        await self._ask("agent.login", agent="dimitris")
        await self._ask("agent.login", agent="chloe")
        call = await self._place(UNREACHABLE, SUPPORT)
        phone, leg = await self._talks(UNREACHABLE)
        self._expect(phone, self._phone("chloe").number, UNREACHABLE)
        await dead.register()
        await self._agent_ends(UNREACHABLE, call, phone, leg, "1")

        call = await self._place(WITHHELD, SUPPORT)
        phone, leg = await self._talks(WITHHELD)
        await self._caller_ends(WITHHELD, call, phone, leg, "4")

        resting, working = await self._longest_idle("chloe", "dimitris")
        await self._ask("agent.pause", agent=resting, reason="lunch")
        call = await self._place(LUNCH, SUPPORT)
        phone, leg = await self._talks(LUNCH)
        self._expect(phone, self._phone(working).number, LUNCH)
        await self._ask("agent.unpause", agent=resting)
        await self._caller_ends(LUNCH, call, phone, leg, "2")

        await self._longest_idle("chloe", "dimitris")
        async with asyncio.TaskGroup() as crowd:
            for act, ends, key in zip(
                CROWD,
                (self._caller_ends, self._agent_ends, self._caller_ends, self._agent_ends),
                ("3", "", "", "4"),
                strict=True,
            ):
                call = await self._place(act, SUPPORT, THINK_S / 2)
                crowd.create_task(self._whole_talk(act, call, ends, key))

    # what callers do ------------------------------------------------------------------------------

    async def _place(self, act: Act, key: str, think_s: float = THINK_S) -> Call:
        """He dials, hears the menu and presses a key."""
        self._screen.now(act, "dials")
        call = await self._outside.carrier.call(
            DID, act.caller, anonymous=act.caller == ANONYMOUS, tone=act.tone
        )
        await call.answered(LIMIT_S)
        self._screen.now(act, "is in the menu")
        await asyncio.sleep(think_s)
        await call.press(key)
        self._screen.now(act, f"presses {key}" if key != WRONG else f"presses {key}, a wrong key")
        return call

    async def _fumbles(self, act: Act) -> None:
        call = await self._place(act, WRONG)
        await self._menu_said(act, "time_out")
        self._screen.now(act, "presses nothing")
        await asyncio.sleep(TRY_AGAIN_S)
        await call.press(SALES)
        self._screen.now(act, f"presses {SALES}")
        phone, leg = await self._talks(act)
        await self._caller_ends(act, call, phone, leg, "1")

    async def _whole_talk(self, act: Act, call: Call, ends: Callable[..., Any], key: str) -> None:
        phone, leg = await self._talks(act)
        await ends(act, call, phone, leg, key)

    async def _talks(self, act: Act) -> tuple[Phone, Leg]:
        """Until an agent's phone has answered this caller; that phone, and its leg."""

        def found() -> tuple[Phone, Leg] | None:
            for phone in self._outside.phones.values():
                leg = phone.leg
                if leg is None or leg.number != act.caller:
                    continue
                if leg.answered_at:
                    return phone, leg
                if leg.ringing_at:
                    self._screen.now(act, f"rings at {self._agent(phone)}'s")
            return None

        phone, leg = await self._until(found, f"an agent to answer {act.shown} ({act.story})")
        self._screen.now(act, f"talks with {self._agent(phone)}")
        if act.name and act.name not in leg.name:
            self.surprises.append(f"{self._agent(phone)}'s phone showed {leg.name!r}, not {act.name}")
        return phone, leg

    async def _caller_ends(self, act: Act, call: Call, phone: Phone, leg: Leg, key: str) -> None:
        """The caller hangs up; the agent is asked for the outcome on the phone, and presses (or hangs up)."""
        await asyncio.sleep(TALK_S)
        await call.hangup()
        await asyncio.sleep(THINK_S)
        if key:
            await leg.press(key)
            await leg.ended(LIMIT_S)
        else:
            await leg.hangup()
        self._screen.now(act, _told(self._agent(phone), f"presses {key}" if key else ""), done=True)

    async def _agent_ends(self, act: Act, call: Call, phone: Phone, leg: Leg, key: str) -> None:
        """The agent hangs up first, and dials the outcome's code (or leaves it)."""
        await asyncio.sleep(TALK_S)
        await leg.hangup()
        await call.ended(LIMIT_S)
        if key:
            dialled = await phone.dial(f"*7{key}")
            await dialled.ended(LIMIT_S)
        self._screen.now(act, _told(self._agent(phone), f"dials *7{key}" if key else ""), done=True)

    # what the daemon knows ------------------------------------------------------------------------

    async def _ask(self, do: str, **fields: str) -> Any:
        return await asyncio.to_thread(self._daemon.must, do, **fields)

    async def _longest_idle(self, *agents: str) -> list[str]:
        """Until these agents are all free; they, longest idle first."""
        deadline = asyncio.get_running_loop().time() + LIMIT_S
        while True:
            rows = [row for row in await self._ask("agent.list") if row["agent"] in agents]
            if all(row["state"] == "available" for row in rows):
                return [row["agent"] for row in sorted(rows, key=lambda row: str(row["since"]))]
            if asyncio.get_running_loop().time() > deadline:
                states = ", ".join(f"{row['agent']} is {row['state']}" for row in rows)
                raise LabError(f"Waited {LIMIT_S:g} s in vain for free agents: {states}.", "")
            await asyncio.sleep(0.1)

    async def _menu_said(self, act: Act, result: str) -> None:
        """Until the menu has noted that for this caller."""
        deadline = asyncio.get_running_loop().time() + LIMIT_S
        while not await asyncio.to_thread(self._has_step, act.caller, result):
            if asyncio.get_running_loop().time() > deadline:
                raise LabError(f"The menu noted no {result} for {act.caller} in {LIMIT_S:g} s.", "")
            await asyncio.sleep(0.1)

    def _has_step(self, caller: str, result: str) -> bool:
        with psycopg.connect(self._database_url) as db:
            found = db.execute(
                "SELECT 1 FROM call_event e JOIN call_opened o USING (call_id)"
                " WHERE o.caller_e164 = %s AND e.kind = 'menu_step' AND e.data ->> 'result' = %s",
                (caller, result),
            ).fetchone()
        return found is not None

    # small things ---------------------------------------------------------------------------------

    def _agent(self, phone: Phone) -> str:
        return str(self._agents[phone.number]["agent"])

    def _phone(self, agent: str) -> Phone:
        return next(
            self._outside.phones[number] for number, row in self._agents.items() if row["agent"] == agent
        )

    def _expect(self, phone: Phone, number: str, act: Act) -> None:
        if phone.number != number:
            self.surprises.append(
                f"{act.shown} ({act.story}) was answered at {phone.number}, not at {number}"
            )

    async def _until(self, condition: Callable[[], T | None], what: str) -> T:
        deadline = asyncio.get_running_loop().time() + LIMIT_S
        while (result := condition()) is None:
            if asyncio.get_running_loop().time() > deadline:
                raise LabError(f"Waited {LIMIT_S:g} s in vain for {what}.", "")
            await asyncio.sleep(POLL_S)
        return result


def _told(agent: str, how: str) -> str:
    return f"{agent} {how}" if how else f"{agent} sets no outcome"
