"""Channels of the second instance: each one is a phone in a call, or a caller, as that side sees it."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from ccbridge.lab.ami import AmiLink, Message
from ccbridge.lab.asterisk import AmiDoor
from ccbridge.lab.errors import LabError

DIGIT_MS = 100
BETWEEN_DIGITS_S = 0.08
DEFAULT_LIMIT_S = 20.0

T = TypeVar("T")


class Leg:
    """One channel. Times are seconds since the epoch, of Asterisk's own clock; None until it happened."""

    def __init__(self, legs: "Legs", uniqueid: str) -> None:
        self.uniqueid = uniqueid
        self.channel = ""
        #: a phone's or subscriber's number; "" for a caller
        self.line = ""
        #: what the display showed
        self.name = ""
        self.number = ""
        self.invited_at: float | None = None
        self.ringing_at: float | None = None
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        #: what came of the last REFER sent here: SUCCESS or FAILURE; "" while it is under way
        self.referred = ""
        #: the Q.850 cause of the end
        self.cause: int | None = None
        #: what was heard from the answer on (WAV, 8 kHz mono); complete a moment after the end
        self.heard: Path = legs.heard_folder / f"{uniqueid}.wav"
        self._legs = legs

    @property
    def live(self) -> bool:
        """Whether the channel is there: no end seen yet."""
        return self.ended_at is None

    async def ringing(self, limit_s: float = DEFAULT_LIMIT_S) -> "Leg":
        """Until it rings. Raises LabError if it ends first or does not ring in time."""
        await self._legs.until(lambda: self.ringing_at or not self.live, limit_s, f"{self} to ring")
        return self._reached(self.ringing_at, "rang")

    async def answered(self, limit_s: float = DEFAULT_LIMIT_S) -> "Leg":
        """Until it is answered. Raises LabError if it ends first or is not answered in time."""
        await self._legs.until(lambda: self.answered_at or not self.live, limit_s, f"{self} to be answered")
        return self._reached(self.answered_at, "was answered")

    async def ended(self, limit_s: float = DEFAULT_LIMIT_S) -> int:
        """Until it is hung up, by whomever; the cause. Raises LabError if it is not in time."""
        await self._legs.until(lambda: not self.live, limit_s, f"{self} to end")
        return self.cause or 0

    async def press(self, digits: str) -> None:
        """Send digits (0-9, *, #, A-D) as RFC 4733 events, one after the other."""
        if not digits or set(digits) - set("0123456789*#ABCD"):
            raise ValueError(f"{digits!r} cannot be keyed")
        # A connection of its own: PlayDTMF holds its connection for as long as the key is down.
        link = await AmiLink.open(self._legs.door, events="off")
        try:
            for index, digit in enumerate(digits):
                if index:
                    await asyncio.sleep(BETWEEN_DIGITS_S)
                with self._legs.pressed.open("a") as log:
                    log.write(f'"{time.time():.6f}","{self.uniqueid}","{self.channel}","{digit}"\n')
                await link.action("PlayDTMF", Channel=self.channel, Digit=digit, Duration=str(DIGIT_MS))
        finally:
            await link.close()

    async def hold(self) -> None:
        """Put the other side on hold: a re-INVITE with `sendonly`; from then on nothing is sent."""
        await self._redirect("hold")

    async def resume(self) -> None:
        """Take the other side back from hold."""
        await self._redirect("resume")

    async def refer(self, number: str, replaces: "Leg | None" = None) -> None:
        """Send a REFER to `number`; with `replaces`, to take the place of that other leg of this phone.

        Returns when the other side has taken it, or hung up. Raises LabError if it refuses.
        """
        target = self._legs.uri(number)
        if replaces is not None:
            names = ("call-id", "remote_tag", "local_tag")
            call, theirs, ours = [await replaces.variable(f"CHANNEL(pjsip,{name})") for name in names]
            target += "?Replaces=" + quote(f"{call};to-tag={theirs};from-tag={ours}", safe="")
        self.referred = ""
        await self._legs.link.action("Setvar", Channel=self.channel, Variable="REFER_TO", Value=f"<{target}>")
        await self._redirect("refer")
        await self._legs.until(
            lambda: self.referred or not self.live, DEFAULT_LIMIT_S, f"{self} to be referred"
        )
        if self.referred not in ("", "SUCCESS"):
            raise LabError(f"The REFER of {self} to {number} was refused.", "")

    async def variable(self, name: str) -> str:
        """A channel variable, or the value of a dialplan function."""
        answer = await self._legs.link.action("Getvar", Channel=self.channel, Variable=name)
        return answer[0]["Value"]

    async def _redirect(self, exten: str) -> None:
        await self._legs.link.action(
            "Redirect", Channel=self.channel, Context="line", Exten=exten, Priority="1"
        )

    async def hangup(self, limit_s: float = DEFAULT_LIMIT_S) -> None:
        """Hang up and see it happen; no error if it is gone already."""
        if self.live and self.channel:
            await self._legs.link.action("Hangup", check=False, Channel=self.channel)
        await self.ended(limit_s)

    def __str__(self) -> str:
        return f"{self.line or 'caller'} ({self.channel or self.uniqueid})"

    def _reached(self, when: float | None, what: str) -> "Leg":
        if when is None:
            raise LabError(f"{self} ended with cause {self.cause} before it {what}.", "")
        return self


class Legs:
    """All channels since this object began to listen, kept up to date from the events of one connection."""

    def __init__(
        self, link: AmiLink, door: AmiDoor, pbx: tuple[str, int], heard_folder: Path, pressed: Path
    ) -> None:
        self.link = link
        self.door = door
        #: the PBX's SIP address and port
        self.pbx = pbx
        self.heard_folder = heard_folder
        self.pressed = pressed
        self.all: dict[str, Leg] = {}
        #: called with each leg when it ends
        self.on_end: Callable[[Leg], None] = lambda leg: None
        self._waiting: set[asyncio.Event] = set()
        link.listen(self._hear)

    def uri(self, number: str) -> str:
        """A number, as the PBX has it."""
        host, port = self.pbx
        return f"sip:{quote(number, safe='*+')}@{host}:{port}"

    def expect(self, uniqueid: str) -> Leg:
        """The leg of that id, which is about to appear."""
        return self.all.setdefault(uniqueid, Leg(self, uniqueid))

    def of_line(self, line: str) -> list[Leg]:
        """All legs of a line, oldest first."""
        return [leg for leg in self.all.values() if leg.line == line]

    async def until(self, condition: Callable[[], T], limit_s: float, what: str) -> T:
        """Until the condition holds, looked at after each event. Raises LabError after `limit_s`."""
        changed = asyncio.Event()
        self._waiting.add(changed)
        try:
            async with asyncio.timeout(limit_s):
                while not (result := condition()):
                    changed.clear()
                    await changed.wait()
                return result
        except TimeoutError as error:
            raise LabError(f"Waited {limit_s:g} s in vain for {what}.", "") from error
        finally:
            self._waiting.remove(changed)

    def _hear(self, event: Message) -> None:
        kind, uniqueid = event["Event"], event.get("Uniqueid", "")
        at = float(event.get("Timestamp") or time.time())
        if kind == "Newchannel":
            leg = self.expect(uniqueid)
            leg.channel = event["Channel"]
            leg.invited_at = at
            endpoint = leg.channel.removeprefix("PJSIP/").rpartition("-")[0]
            if event.get("Context") == "line" and endpoint.isdigit() and not uniqueid.startswith("call-"):
                leg.line = endpoint
            if not uniqueid.startswith("call-"):  # a caller of ours: who placed the call has said who it is
                leg.name, leg.number = event.get("CallerIDName", ""), event.get("CallerIDNum", "")
        elif kind == "UserEvent" and event.get("UserEvent") == "Line" and uniqueid in self.all:
            leg = self.all[uniqueid]
            if event["What"] == "invited":
                leg.line = event["Line"]
            elif event["What"] == "ringing":
                leg.ringing_at = at
            elif event["What"] == "talking":
                leg.answered_at = at
            elif event["What"] == "referred":
                leg.referred = event["Status"]
        elif kind == "Newstate" and uniqueid in self.all and event.get("ChannelState") == "5":
            self.all[uniqueid].ringing_at = at
        elif kind == "NewConnectedLine" and uniqueid in self.all and self.all[uniqueid].line:
            # The display follows when the PBX sends a new name during the call.
            self.all[uniqueid].name = event.get("ConnectedLineName", "")
            self.all[uniqueid].number = event.get("ConnectedLineNum", "")
        elif kind == "Hangup" and uniqueid in self.all:
            self._end(self.all[uniqueid], at, int(event.get("Cause") or 0))
        elif kind == "OriginateResponse" and event.get("Response") == "Failure" and uniqueid in self.all:
            # No channel came to be, so no Hangup will tell.
            if not self.all[uniqueid].channel:
                self._end(self.all[uniqueid], at, 0)
        else:
            return
        for changed in self._waiting:
            changed.set()

    def _end(self, leg: Leg, at: float, cause: int) -> None:
        leg.ended_at, leg.cause = at, cause
        self.on_end(leg)
