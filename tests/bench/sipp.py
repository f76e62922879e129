"""SIPp, the load generator: callers at a steady rate, and the phones that answer them, without sound."""

from __future__ import annotations

import asyncio
import csv
import os
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ccbridge.lab.distribution import command_in
from ccbridge.lab.fetch import ensure_packages

#: an agent's phone rings and talks so long
RINGS_MS, TALKS_MS = 30, 100
#: a caller who is not through by then, from the PBX's answer on, is lost
PATIENCE_MS = 5000
#: after the last call has been placed: his patience, and SIP's own retransmissions
SETTLES_S = 10.0

_SDP = """v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
"""
_CALLER = f"""<?xml version="1.0" encoding="UTF-8"?>
<scenario name="caller">
<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:+30690[call_number]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

{_SDP}]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200" rrs="true" timeout="{PATIENCE_MS}"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:+30690[call_number]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv request="BYE" timeout="{PATIENCE_MS}"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"""
_AGENT = f"""<?xml version="1.0" encoding="UTF-8"?>
<scenario name="agent">
<recv request="INVITE"><action>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="theirs"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="mine"/>
<ereg regexp="sip:[^&gt;]*" search_in="hdr" header="Contact:" assign_to="contact"/>
</action></recv>
<send><![CDATA[
SIP/2.0 180 Ringing
[last_Via:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:agent@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
<pause milliseconds="{RINGS_MS}"/>
<send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:agent@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

{_SDP}]]></send>
<recv request="ACK"/>
<pause milliseconds="{TALKS_MS}"/>
<send retrans="500"><![CDATA[
BYE [$contact] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From:[$mine];tag=[pid]a[call_number]
To:[$theirs]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"""


@dataclass(frozen=True)
class Counted:
    """Of one run: callers placed, those whom the PBX let go in time, and those whom a phone talked to."""

    placed: int
    in_time: int
    talked: int

    @property
    def lost(self) -> int:
        """Callers without a whole talk in time, whichever side saw it."""
        return self.placed - min(self.in_time, self.talked)


class Sipp:
    """SIPp, fetched into the lab's cache first if the machine has none. Raises LabError."""

    def __init__(self, cache: Path) -> None:
        own = shutil.which("sipp")
        # not the suite of the Asterisk that is measured: a load generator is one and the same
        self._command = (
            (own,) if own else command_in(ensure_packages(cache, "sipp", ("sip-tester",)), "usr/bin/sipp")
        )

    async def run(
        self, pbx: tuple[str, int], did: str, rate: int, seconds: float, callers: str, agents: tuple[str, int]
    ) -> Counted:
        """Callers at `rate` a second to `did` for so long; `callers`, `agents`: their addresses."""
        folder = Path(tempfile.mkdtemp(prefix="ccbridge-sipp-"))
        try:
            (folder / "caller.xml").write_text(_CALLER)
            (folder / "agent.xml").write_text(_AGENT)
            phones = await self._start(folder, "agent", "-i", agents[0], "-p", str(agents[1]))
            count = round(rate * seconds)
            people = await self._start(
                folder, "caller", f"{pbx[0]}:{pbx[1]}", "-s", did, "-i", callers,
                "-r", str(rate), "-m", str(count), "-l", str(count),
            )  # fmt: skip
            try:
                async with asyncio.timeout(seconds + 2 * PATIENCE_MS / 1000 + SETTLES_S):
                    await people.wait()
            except TimeoutError:
                await self._end(people)
            await self._end(phones)
            return Counted(count, _successful(folder / "caller.csv"), _successful(folder / "agent.csv"))
        finally:
            shutil.rmtree(folder)

    async def _start(self, folder: Path, name: str, *options: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._command, *options, "-sf", f"{name}.xml",
            "-trace_stat", "-stf", f"{name}.csv", "-fd", "1", "-nostdin", "-deadcall_wait", "0",
            cwd=folder, env=os.environ | {"TERM": "xterm"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """It takes no new calls, finishes those it has, and writes its figures."""
        if process.returncode is None:
            process.send_signal(signal.SIGUSR1)
            try:
                async with asyncio.timeout(PATIENCE_MS / 1000):
                    await process.wait()
            except TimeoutError:
                process.send_signal(signal.SIGUSR1)
                process.terminate()
                await process.wait()


def _successful(figures: Path) -> int:
    with figures.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    return int(rows[-1]["SuccessfulCall(C)"])
