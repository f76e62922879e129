"""Events a second: our client against plain panoramisk, in one go on one machine. Run it by hand:

    .venv/bin/python tests/bench/bench_ami.py

Both get the same bytes in the same segments, with the same twelve patterns, each reading three headers.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

from ccbridge.ami.client import AmiClient
from ccbridge.ami.link import Link

EVENTS = 20_000
ROUNDS = 5
SEGMENT = 16_384
NAMES = """
Newchannel Newstate DialBegin DialState DialEnd BridgeCreate BridgeEnter BridgeLeave BridgeDestroy Hangup
HangupRequest SoftHangupRequest Cdr UserEvent DeviceStateChange ContactStatus PeerStatus MusicOnHoldStart
MusicOnHoldStop NewCallerid NewConnectedLine NewExten VarSet ExtensionStatus
""".split()  # noqa: SIM905
PATTERNS = "Dial* Hangup Bridge* Newchannel Newstate UserEvent Cdr Device* Contact* Peer* Hold Unhold".split()  # noqa: SIM905


def stream() -> list[bytes]:
    headers = "".join(f"Header{n}: some value {n}\r\n" for n in range(14))
    data = b"Asterisk Call Manager/11.0.0\r\n" + b"".join(
        f"Event: {NAMES[n % len(NAMES)]}\r\nPrivilege: call,all\r\nTimestamp: 1700000000.{n:06}\r\n"
        f"Channel: PJSIP/trunk-{n:08}\r\nUniqueid: 1700000000.{n}\r\n"
        f"CallerIDName: Ελένη\r\n{headers}\r\n".encode()
        for n in range(EVENTS)
    )
    return [data[at : at + SEGMENT] for at in range(0, len(data), SEGMENT)]


def read_three(manager: Any, event: Any) -> None:
    _ = event["channel"], event["uniqueid"], event["timestamp"]


def plain() -> Callable[[bytes], None]:
    manager = Manager(loop=asyncio.get_running_loop(), log=Mock())
    for pattern in PATTERNS:
        manager.register_event(pattern, read_three)
    protocol = AMIProtocol()
    protocol.connection_made(Mock())
    protocol.factory, protocol.encoding = manager, "utf8"
    return protocol.data_received


def ours() -> Callable[[bytes], None]:
    client = AmiClient(host="", port=0, username="", secret="")
    for pattern in PATTERNS:
        client.register_event(pattern, read_three)
    client.state = "live"
    return Link(client._deliver, lambda link, reason: None).data_received


async def main() -> None:
    segments = stream()
    rates: dict[str, list[float]] = {"panoramisk": [], "ccbridge": []}
    for _ in range(ROUNDS):
        for name, make in (("panoramisk", plain), ("ccbridge", ours)):
            feed = make()
            begun = time.perf_counter()
            for segment in segments:
                feed(segment)
            rates[name].append(EVENTS / (time.perf_counter() - begun))
    medians = {name: statistics.median(seen) for name, seen in rates.items()}
    for name, rate in medians.items():
        print(f"{name:<12}{rate:>10,.0f} events/s")
    print(f"ratio       {medians['ccbridge'] / medians['panoramisk']:>10.2f}")


if __name__ == "__main__":
    asyncio.run(main())
