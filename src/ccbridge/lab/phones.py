"""Agents' phones: how one behaves when it is called, and what it does by itself."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from ccbridge.lab.ami import AmiLink
from ccbridge.lab.errors import LabError
from ccbridge.lab.legs import DEFAULT_LIMIT_S, Leg, Legs
from ccbridge.lab.sip_register import DeadContact
from ccbridge.lab.site_pbx import PHONES_ADDRESS

#: behaviour -> (DO_<line>, SIP code, Q.850 cause for an Asterisk that knows no PJSIPHangup)
BEHAVIOURS = {
    "answer": ("answer", 0, 0),
    "ring": ("ring", 0, 0),
    "busy": ("reject", 486, 17),
    "refuse": ("reject", 603, 21),
    "decline": ("decline", 603, 21),
    "unavailable": ("reject", 480, 19),
    "error": ("reject", 503, 34),
    "forward": ("forward", 302, 0),
}
POLL_S = 0.02
DEFAULT_TONE_HZ = 1000
_dialled = count(1)


@dataclass(frozen=True)
class Shown:
    """What a phone's display showed of the caller."""

    name: str
    number: str


@dataclass(frozen=True)
class Contact:
    """A contact as the PBX holds it; it can be called once it is `usable`: it answered an OPTIONS."""

    phone: str
    uri: str
    usable: bool

    def at(self, port: int) -> bool:
        """Whether its URI, which may have parameters, is at that port."""
        return self.uri.partition(";")[0].endswith(f":{port}")


class Phone:
    """One SIP phone, registered to the PBX. It does as `will` said, also when nobody watches any more."""

    def __init__(self, number: str, password: str, legs: Legs, pbx: AmiLink, port: int) -> None:
        self.number = number
        #: the name of its device in the PBX, as in an agent's `device`
        self.device = f"PJSIP/{number}"
        self.tone = DEFAULT_TONE_HZ
        #: digit that it presses by itself when the caller has hung up and it is left on the line
        self.outcome = ""
        self.outcome_after = 1.0
        self._password = password
        self._legs = legs
        self._pbx = pbx
        self._port = port
        self._dead: DeadContact | None = None
        self._held: Leg | None = None
        #: taken off the PBX by `unregister` or `die`
        self.away = False

    # behaviour ------------------------------------------------------------------------------------

    async def will(
        self,
        do: str = "answer",
        *,
        after: float = 0.3,
        tone: int = DEFAULT_TONE_HZ,
        hangup_after: float | None = None,
        outcome: str = "",
        outcome_after: float = 1.0,
        to: str = "",
    ) -> None:
        """From the next call on: one of BEHAVIOURS. One that forwards sends its callers to the number ``to``.

        An answering phone rings `after` seconds, sends a tone of `tone` Hz (0: none) and hangs up after
        `hangup_after` seconds of talk, or never. `outcome`: digits pressed `outcome_after` seconds after the
        caller hung up, if the phone is still on the line then.
        """
        kind, code, cause = BEHAVIOURS[do]
        settings = {
            "DO": kind,
            "CODE": str(code),
            "CAUSE": str(cause),
            "AFTER": f"{after:g}",
            "TONE": str(tone),
            "FORWARD": f"<{self._legs.uri(to)}>",
            "TALK": "86400" if hangup_after is None else f"{hangup_after:g}",
        }
        for name, value in settings.items():
            await self._legs.link.action("Setvar", Variable=f"{name}_{self.number}", Value=value)
        self.tone, self.outcome, self.outcome_after = tone, outcome, outcome_after

    async def register(self) -> None:
        """Register, and see it arrive at the PBX."""
        self.close()
        self.away = False
        await self._legs.link.action("PJSIPRegister", Registration=self.number)
        await self._contact(
            lambda found: any(one.usable and one.at(self._port) for one in found), "registered"
        )

    async def unregister(self) -> None:
        """Take the registration back, and see it vanish at the PBX."""
        if self._dead is not None:
            await self._dead.register(self._legs.pbx, self.number, self._password, expires_s=0)
            self.close()
        self.away = True
        await self._legs.link.action("PJSIPUnregister", Registration=self.number)
        await self._contact(lambda found: not found, "unregistered")

    async def die(self, *, qualifies: bool = True) -> None:
        """Registered but dead: a contact where no INVITE is ever answered.

        It does answer the PBX's OPTIONS, like a phone that hangs; `qualifies=False`: not even these, so that
        the PBX finds it unreachable after `qualify_timeout`.
        """
        await self.unregister()
        self._dead = DeadContact(PHONES_ADDRESS, answers_options=qualifies)
        await self._dead.register(self._legs.pbx, self.number, self._password)
        port = self._dead.port
        await self._contact(
            lambda found: any((one.usable or not qualifies) and one.at(port) for one in found),
            "registered as dead",
        )

    def close(self) -> None:
        """Free the socket of a dead phone."""
        if self._dead is not None:
            self._dead.close()
            self._dead = None

    # calls ----------------------------------------------------------------------------------------

    @property
    def legs(self) -> list[Leg]:
        """Its calls since the connection was opened, oldest first."""
        return self._legs.of_line(self.number)

    @property
    def leg(self) -> Leg | None:
        """The call it is in, if any."""
        return next((leg for leg in reversed(self.legs) if leg.live), None)

    @property
    def shown(self) -> Shown:
        """What the display showed last; empty before the first call."""
        last = self.legs[-1:]
        return Shown(last[0].name, last[0].number) if last else Shown("", "")

    async def rings(self, limit_s: float = DEFAULT_LIMIT_S) -> Leg:
        """The call that rings or talks here, waiting for one to come."""

        def ringing() -> Leg | None:
            return self.leg if self.leg is not None and self.leg.ringing_at else None

        return await self._wait(ringing, limit_s, "to ring")

    async def talks(self, limit_s: float = DEFAULT_LIMIT_S) -> Leg:
        """The call that is answered here, waiting for one to be."""

        def talking() -> Leg | None:
            return self.leg if self.leg is not None and self.leg.answered_at else None

        return await self._wait(talking, limit_s, "to be in a call")

    async def idle(self, limit_s: float = DEFAULT_LIMIT_S) -> None:
        """Until it is in no call."""
        await self._legs.until(lambda: self.leg is None, limit_s, f"phone {self.number} to be idle")

    async def press(self, digits: str) -> None:
        """Key digits in the call it is in. Raises LabError if it is in none."""
        await self._current().press(digits)

    async def hangup(self) -> None:
        """Hang up. Raises LabError if it is in no call."""
        await self._current().hangup()

    async def dial(self, number: str, *, tone: int = DEFAULT_TONE_HZ) -> Leg:
        """Dial a number or feature code, e.g. `*71`; returns at once with the leg."""
        leg = self._legs.expect(f"dial-{self.number}-{next(_dialled)}")
        leg.line = self.number
        await self._legs.link.action(
            "Originate",
            f"TONE={tone}",
            "TALK=86400",
            f"LINE={self.number}",
            Channel=f"PJSIP/{number}@{self.number}",
            Context="caller",
            Exten="s",
            Priority="1",
            ChannelId=leg.uniqueid,
            CallerID=self.number,
            Async="true",
            Timeout="60000",
        )
        return leg

    # hold and transfer, as a desk phone's own keys do it ---------------------------------------------

    async def hold(self) -> None:
        """Put the call on hold. Raises LabError if the phone is in no call."""
        self._held = self._current()
        await self._held.hold()

    async def unhold(self) -> None:
        """Take the held call back. Raises LabError if there is none."""
        held, self._held = self._on_hold(), None
        await held.resume()

    async def transfer(self, number: str) -> None:
        """Blind: pass the call on to a number. Raises LabError if the PBX refuses."""
        await self._current().refer(number)

    async def consult(self, number: str) -> Leg:
        """Hold the call and dial `number` on a second leg, which is returned at once.

        Then `complete` joins the two others (also while the number still rings), `cancel` goes back.
        """
        await self.hold()
        return await self.dial(number, tone=self.tone)

    async def complete(self) -> None:
        """Attended: the held caller takes this phone's place in the second call."""
        held, second = self._on_hold(), self._current()
        self._held = None
        await second.ringing()  # there must be a dialog that can be replaced
        await held.refer(self.number, replaces=second)

    async def cancel(self) -> None:
        """End the second call and take the first one back."""
        second = self._current()
        if second is not self._on_hold():
            await second.hangup()
        await self.unhold()

    def _on_hold(self) -> Leg:
        if self._held is None or not self._held.live:
            raise LabError(f"Phone {self.number} holds no call.", "")
        return self._held

    def _current(self) -> Leg:
        if self.leg is None:
            raise LabError(f"Phone {self.number} is in no call.", "")
        return self.leg

    async def _wait(self, condition: Callable[[], Leg | None], limit_s: float, what: str) -> Leg:
        leg = await self._legs.until(condition, limit_s, f"phone {self.number} {what}")
        assert leg is not None
        return leg

    async def _contact(self, reached: Callable[[list[Contact]], bool], what: str) -> None:
        deadline = asyncio.get_running_loop().time() + DEFAULT_LIMIT_S
        while not reached(await contacts(self._pbx, self.number)):
            if asyncio.get_running_loop().time() > deadline:
                raise LabError(f"Phone {self.number} was not {what} within {DEFAULT_LIMIT_S:g} s.", "")
            await asyncio.sleep(POLL_S)


async def contacts(pbx: AmiLink, number: str = "") -> list[Contact]:
    """The contacts that the PBX holds, of one phone or of all that are registered."""
    found = await pbx.action("PJSIPShowContacts", until="ContactListComplete", check=False)
    return [
        Contact(event["Endpoint"], event["Uri"], event["Status"] in ("Reachable", "NonQualified"))
        for event in found[1:]
        if event["Event"] == "ContactList" and number in ("", event["Endpoint"])
    ]
