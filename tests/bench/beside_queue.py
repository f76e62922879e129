"""The two sides of `bench_queue.py` on one PBX: ccbridge's queues and `Queue()`, with the same phones."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from e2e_rig import Site

from ccbridge.lab.ami import AmiLink, Message
from ccbridge.lab.lab import Pbx
from ccbridge.lab.site_pbx import PBX_ADDRESS, section

#: agents with phones that have sound, for the latencies
PHONES = ("1001", "1002", "1003", "1004")
#: and, for the rates, such that SIPp plays
MANY = tuple(str(number) for number in range(2001, 2051))
SIPP_AGENTS, SIPP_CALLERS = "127.0.0.4", "127.0.0.5"
#: the numbers: of the queue with PHONES, of the queue with MANY
OURS = ("2100000001", "2100000002")
THEIRS = ("71", "72")
# As somebody would set it who wants it fast: no announcement, no wrap-up, the shortest retry that there is,
# every free member gets a caller at once, and no phone is rung that is in a call.
SETTINGS = {
    "strategy": "leastrecent",
    "autofill": "yes",
    "ringinuse": "no",
    "timeout": "15",
    "retry": "1",
    "wrapuptime": "0",
    "memberdelay": "0",
    "announce-frequency": "0",
    "joinempty": "yes",
    "leavewhenempty": "no",
    "musicclass": "default",
}
_DIALPLAN = """
[from-trunk]
exten => _7[12],1,Answer()
 same => n,UserEvent(Beside)
 same => n,Queue(beside-${EXTEN},tk)
 same => n,Hangup()
"""


def beside_it(pbx: Pbx, agents_port: int) -> None:
    """Write the `Queue()` side, and the phones and the trunk that SIPp plays, and load it all."""
    queues = section("general", autofill="yes")
    for number, phones in zip(THEIRS, (PHONES, MANY), strict=True):
        queues += section(f"beside-{number}", **SETTINGS)
        queues += "".join(f"member => PJSIP/{phone}\n" for phone in phones)
    media = {"transport": "udp", "media_address": PBX_ADDRESS, "bind_rtp_to_media_address": "yes"}
    pjsip = section("sipp", "(ccbridge-trunk)", **media)
    pjsip += section("sipp", type="identify", endpoint="sipp", match=SIPP_CALLERS)
    for phone in MANY:
        pjsip += section(phone, "(ccbridge-phone)", context="from-phones", aors=phone, **media)
        pjsip += section(phone, type="aor", contact=f"sip:{phone}@{SIPP_AGENTS}:{agents_port}")
    for name, text in (
        ("queues_agents.conf", queues),
        ("pjsip.conf", pjsip),
        ("extensions.conf", _DIALPLAN),
    ):
        with (pbx.etc / name).open("a") as file:
            file.write(text)
    for command in ("module reload res_pjsip.so", "queue reload all", "dialplan reload"):
        pbx.rx(command)


def our_side() -> dict[str, Any]:
    """Changes to a site's configuration: the same agents and times, nothing recorded, as over there."""
    names = ("few", "many")
    agents: dict[str, Any] = {name: None for name in ("anna", "ben", "chloe", "dimitris")}
    for queue, phones in zip(names, (PHONES, MANY), strict=True):
        for phone in phones:
            agents[f"agent{phone}"] = {"name": phone, "device": f"PJSIP/{phone}", "queues": [queue]}
    return {
        "queues": {name: {"ring": 15, "wrap_up": 0, "max_wait": 600, "overflow": "1008"} for name in names},
        "agents": agents,
        "flows": {name: {"start": "q", "steps": {"q": {"queue": name}}} for name in names},
        "numbers": dict(zip(OURS, names, strict=True)),
        "recording": {"enabled": False},
    }


@dataclass
class Side:
    """One of the two. `numbers`: of the few and of the many."""

    name: str
    numbers: tuple[str, str]
    site: Site

    async def takes_over(self) -> None:
        """From now on the calls are this side's: ccbridge runs, or it does not, and costs nothing."""
        if self.numbers == OURS and not self.site.running:
            await asyncio.to_thread(self.site.daemon.start)
            for phone in (*PHONES, *MANY):
                self.site.login(f"agent{phone}")
            await self.site.until(
                lambda: {row["state"] for row in self.site.ask("agent.list")} == {"available"}
            )
        elif self.numbers == THEIRS and self.site.running:
            await asyncio.to_thread(self.site.daemon.stop)


class Told:
    """When the PBX says that a caller entered, that he is offered, and that a phone is dialled for him.

    By the caller's number; seconds since the epoch. Heard over a connection of the lab's own.
    """

    def __init__(self, link: AmiLink) -> None:
        self._link = link
        self.entered: dict[str, float] = {}
        self.offered: dict[str, float] = {}
        self.dialled: dict[str, float] = {}
        #: by the phone's number: the ends of its legs
        self.freed: dict[str, list[float]] = {phone: [] for phone in PHONES}
        link.listen(self._hear)

    @classmethod
    async def open(cls, pbx: Pbx) -> Told:
        return cls(await AmiLink.open(pbx.door, events="user,call"))

    async def close(self) -> None:
        await self._link.close()

    def _hear(self, event: Message) -> None:
        kind, caller = event["Event"], event.get("CallerIDNum", "")
        at = float(event["Timestamp"])
        if kind == "UserEvent" and event["UserEvent"] in ("CcbHold", "Beside"):
            self.entered.setdefault(caller, at)
        elif kind == "UserEvent" and event["UserEvent"] == "CcbOffering":
            self.offered.setdefault(caller, at)
        elif kind == "DialBegin":
            self.dialled.setdefault(caller, at)
        elif kind == "Hangup":
            phone = event["Channel"].removeprefix("PJSIP/").rpartition("-")[0]
            if phone in self.freed:
                self.freed[phone].append(at)
