"""The world outside the PBX: phones and a carrier, driven and watched over the second instance's AMI.

What they saw is also in files that nothing of ccbridge writes.

`Outside.log` (CSV, one row per event, appended by Asterisk's own CEL):
1. time: seconds since the epoch with microseconds
2. event: CHAN_START, ANSWER, HANGUP, CHAN_END of the channel, or what the lab's own dialplan adds: INVITED,
   RINGING, ANSWERED (a phone), CONNECTED (a caller: the PBX answered)
3. the same once more for the latter, else empty
4. uniqueid of the phone's or caller's channel (a caller's is `Call.id`, beginning with `call-`)
5. channel: `PJSIP/1001-...` a phone, `PJSIP/pbx-...` and `PJSIP/anonymous-trunk-...` the carrier
6. number that the phone saw (in its From header), 7. name that it saw
8. context, 9. extension
10. JSON object or empty: of HANGUP `hangupcause` and `hangupsource`; of the lab's own events `extra`: the
    line, of INVITED then `|` and the INVITE's X- headers as `name=value;`, of CONNECTED the caller's number

`Outside.pressed` (CSV, one row per key): time, uniqueid, channel, digit.
"""

import asyncio
import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self

from ccbridge.lab.ami import AmiLink
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.errors import LabError
from ccbridge.lab.lab import Lab
from ccbridge.lab.legs import Leg, Legs
from ccbridge.lab.phones import Phone, contacts
from ccbridge.lab.site_outside import door
from ccbridge.lab.site_pbx import PBX_ADDRESS, PHONES

QUIET_LIMIT_S = 15.0
REGISTERING_S = 3.0
# A REGISTER that takes the contact back must be through before the one that makes it anew.
REREGISTER_S = 0.5


class Outside:
    """Phones by number, and the carrier. Use as `async with Outside(lab) as outside`, once per event loop."""

    phones: dict[str, Phone]
    carrier: Carrier

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.log: Path = lab.outside.log / "cel-custom" / "outside.csv"
        self.pressed: Path = lab.outside.log / "pressed.csv"
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        lab = self._lab
        own = door(lab.ports, lab.keys)
        self._link = await AmiLink.open(own)
        self._pbx = await AmiLink.open(lab.pbx.door, events="off")
        registrar = (PBX_ADDRESS, lab.ports.pbx_sip)
        self._legs = legs = Legs(self._link, own, registrar, lab.outside.folder / "heard", self.pressed)
        legs.on_end = self._ended
        self.phones = {
            name: Phone(name, lab.keys.phones[name], legs, self._pbx, lab.ports.phones_sip) for name in PHONES
        }
        self.carrier = Carrier(legs)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        scripts = [call.script for call in self.carrier.calls if call.script is not None]
        for task in (*self._tasks, *scripts):
            task.cancel()
        await asyncio.gather(*self._tasks, *scripts, return_exceptions=True)
        for phone in self.phones.values():
            phone.close()
        await self._link.close()
        await self._pbx.close()

    async def reset(self) -> None:
        """All calls ended on both sides, all phones registered and answering. Raises LabError if not."""
        await self.quiet()
        for phone in self.phones.values():
            await phone.will("answer")
        for phone in self.phones.values():
            if phone.away:
                await phone.register()
        # Right after the start the phones are still registering by themselves. A second REGISTER on top of
        # that would make a contact unreachable for a moment, so only who stays away is told to.
        loop = asyncio.get_running_loop()
        patience = loop.time() + REGISTERING_S
        while missing := await self._missing():
            if loop.time() > patience:
                for phone in missing:
                    await phone.register()
            await asyncio.sleep(0.02)

    def telephone(self, number: str) -> Phone:
        """A telephone in the public network, by its number in E.164: the trunk reaches it."""
        ports = self._lab.ports
        return Phone(number.removeprefix("+"), "", self._legs, self._pbx, ports.carrier_sip)

    async def hang_up_all(self) -> None:
        """Whoever is in a call hangs up, also when the PBX does not answer any more."""
        await self._link.action("Hangup", check=False, Channel="/^PJSIP/.*/")

    async def register_all(self) -> None:
        """All phones register as if they were new there, which the PBX then asks at once; not waiting."""
        for step in ("PJSIPUnregister", "PJSIPRegister"):
            for phone in self.phones:
                await self._link.action(step, Registration=phone)
            await asyncio.sleep(REREGISTER_S)

    async def _missing(self) -> list[Phone]:
        port = self._lab.ports.phones_sip
        here = {one.phone for one in await contacts(self._pbx) if one.usable and one.at(port)}
        return [phone for phone in self.phones.values() if phone.number not in here]

    async def quiet(self) -> None:
        """End all calls, and see them gone from both instances. Raises LabError if one stays."""
        await self.hang_up_all()
        deadline = asyncio.get_running_loop().time() + QUIET_LIMIT_S
        while left := [*await _channels(self._link), *await _channels(self._pbx)]:
            if asyncio.get_running_loop().time() > deadline:
                raise LabError(f"Calls that would not end: {', '.join(left)}.", "")
            await asyncio.sleep(0.02)

    def _ended(self, leg: Leg) -> None:
        """A caller is gone: whoever still has him on the display is asked for the outcome."""
        if leg.line:
            return
        for phone in self.phones.values():
            if not phone.outcome or (theirs := phone.leg) is None:
                continue
            if theirs.answered_at and theirs.number == leg.number:
                task = asyncio.create_task(_press(theirs, phone.outcome, phone.outcome_after))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)


async def _press(leg: Leg, digits: str, after: float) -> None:
    await asyncio.sleep(after)
    if leg.live:
        with contextlib.suppress(LabError):  # it ended in this very moment
            await leg.press(digits)


async def _channels(link: AmiLink) -> list[str]:
    found = await link.action("CoreShowChannels", until="CoreShowChannelsComplete")
    return [event["Channel"] for event in found if event.get("Event") == "CoreShowChannel"]
