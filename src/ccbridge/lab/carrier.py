"""The carrier: callers who come in over the trunk."""

import asyncio
import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from ccbridge.lab.legs import DEFAULT_LIMIT_S, Leg, Legs

CALLER_TONE_HZ = 440
_placed = count(1)

#: seconds to wait, digits to press, or "hangup"
Step = float | str


class Call:
    """One caller's call, as the carrier sees it."""

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        #: fails if a step of the script does (a call that ends ends the script, too, without error)
        self.script: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """The channel's uniqueid on the carrier's side."""
        return self.leg.uniqueid

    @property
    def heard(self) -> Path:
        """What the caller heard from the answer on; complete a moment after the end."""
        return self.leg.heard

    @property
    def cause(self) -> int | None:
        """Q.850 cause of the end, None before it."""
        return self.leg.cause

    async def answered(self, limit_s: float = DEFAULT_LIMIT_S) -> None:
        """Until the PBX answers. Raises LabError if it does not."""
        await self.leg.answered(limit_s)

    async def ended(self, limit_s: float = DEFAULT_LIMIT_S) -> int:
        """Until the call is over; the Q.850 cause. Raises LabError if it is not in time."""
        return await self.leg.ended(limit_s)

    async def press(self, digits: str) -> None:
        """Key digits."""
        await self.leg.press(digits)

    async def hangup(self) -> None:
        """The caller hangs up."""
        await self.leg.hangup()


class Carrier:
    """Places calls to the PBX over the trunk."""

    def __init__(self, legs: Legs) -> None:
        self._legs = legs
        self.calls: list[Call] = []

    def reached(self, number: str) -> list[Leg]:
        """The PBX's calls to this number outside, without its +; oldest first."""
        return self._legs.of_line(number)

    async def call(
        self,
        did: str,
        caller: str = "+306912345678",
        *,
        name: str = "",
        anonymous: bool = False,
        tone: int = CALLER_TONE_HZ,
        hangup_after: float | None = None,
        script: Sequence[Step] = (),
    ) -> Call:
        """Call `did`; returns at once.

        From the answer on the caller sends a tone of `tone` Hz, hangs up after `hangup_after` seconds (None:
        never) and follows the script: a number waits that many seconds, "hangup" hangs up, any other text is
        keyed. `caller` and `name` go out as they are, sensible or not; `anonymous` withholds them.
        """
        # The process id keeps a second program's calls apart in the same log.
        leg = self._legs.expect(f"call-{os.getpid()}-{next(_placed)}")
        trunk = "anonymous-trunk" if anonymous else "pbx"
        await self._legs.link.action(
            "Originate",
            f"TONE={tone}",
            f"TALK={86400 if hangup_after is None else f'{hangup_after:g}'}",
            f"LINE={'anonymous' if anonymous else caller}",
            Channel=f"PJSIP/{did}@{trunk}",
            Context="caller",
            Exten="s",
            Priority="1",
            ChannelId=leg.uniqueid,
            CallerID="Anonymous <anonymous>" if anonymous else f'"{name}" <{caller}>',
            Async="true",
            Timeout="120000",
        )
        leg.number = "anonymous" if anonymous else caller
        call = Call(leg)
        if script:
            call.script = asyncio.create_task(self._play(call, script))
        self.calls.append(call)
        return call

    async def _play(self, call: Call, script: Sequence[Step]) -> None:
        await call.answered()
        for step in script:
            if not call.leg.live:
                return
            if isinstance(step, str):
                await (call.hangup() if step == "hangup" else call.press(step))
            else:
                await asyncio.sleep(step)
