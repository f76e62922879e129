"""Strangers at the FastAGI port and at the control socket, during calls (acceptance 6)."""

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable

import pytest
from e2e_rig import Site
from traffic import QUICK, calls, percentile, ready, told

from ccbridge.control.client import ControlClient
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
GARBAGE = 1_000_000  # bytes
TRIES = 3
# As a program of its own: the siege must not slow down the phones, which live in this one.
BESIEGER = f"""
import os, socket, sys, time
port, path, knocks, seconds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
noise = os.urandom({GARBAGE})
def connect(i):
    if i % 2:
        one = socket.create_connection(("127.0.0.1", port), 5)
    else:
        one = socket.socket(socket.AF_UNIX)
        one.settimeout(5)
        one.connect(path)
    return one
begun, refused = time.monotonic(), 0
for i in range(2 * knocks):
    try:
        connect(i).close()
    except OSError:
        refused += 1
    ahead = begun + seconds * i / (2 * knocks) - time.monotonic()
    if ahead > 0:
        time.sleep(ahead)
for i in range(2):
    try:
        one = connect(i)
        for start in range(0, len(noise), 65536):
            one.sendall(noise[start:start + 65536])
    except OSError:
        refused += 1  # cut off, or not let in: quite right
    one.close()
print(f"{{time.monotonic() - begun:.1f}} s, {{refused}} refused")
"""


async def test_knocks_and_garbage(make_site: Callable[..., Site], phones: Phones, carrier: Carrier) -> None:
    """Every call is served."""
    site = make_site(**QUICK)
    await ready(site, phones)
    during = await besieged(site, carrier, 24, knocks=1000, seconds=3.0)
    print(told(during))
    await no_trace(site)


@pytest.mark.full
async def test_10_000_knocks_cost_no_caller_time(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    """At most twice the p99. Each try is a whole measurement; a busy machine may spoil one or two."""
    site = make_site(**QUICK)
    await ready(site, phones)
    for _ in range(TRIES):
        begun = time.monotonic()
        before = await calls(site, carrier, 200)
        seconds = time.monotonic() - begun
        during = await besieged(site, carrier, 200, knocks=10_000, seconds=0.9 * seconds)
        ratio = percentile(during, 0.99) / percentile(before, 0.99)
        print(f"before: {told(before)}; besieged: {told(during)}; p99 ratio {ratio:.2f}")
        if ratio <= 2:
            break
    assert ratio <= 2
    await no_trace(site)


async def besieged(site: Site, carrier: Carrier, count: int, *, knocks: int, seconds: float) -> list[float]:
    """The route times of so many calls during a siege: knocks at each door, then garbage."""
    besieger = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", BESIEGER, str(site.lab.pbx.agi_port)),
        *(str(site.folder / "control.sock"), str(knocks), str(seconds)),
        stdout=asyncio.subprocess.PIPE,
    )
    during = await calls(site, carrier, count)
    async with asyncio.timeout(120):
        said, _ = await besieger.communicate()
    assert besieger.returncode == 0
    assert len(during) == count
    print(f"siege: {said.decode().strip()}")
    return during


async def no_trace(site: Site) -> None:
    await site.until(lambda: site.ask("status")["agi_sessions"] == 0)
    await site.audit()
    assert {row["disposition"] for row in site.records("call_closed")} == {"answered"}
    assert site.oddities() == []


async def test_doors_that_are_held_open(house: Site, phones: Phones, carrier: Carrier) -> None:
    """Peers that connect and say nothing, or half a line, keep no caller out."""
    with contextlib.ExitStack() as held:
        for number in range(200):
            one = held.enter_context(socket.create_connection(("127.0.0.1", house.lab.pbx.agi_port), 5))
            one.sendall(b"agi_network: yes\n" * (number % 3))
        for number in range(30):  # the socket is open to the daemon's own group, and has room for 64
            two = held.enter_context(ControlClient(house.folder / "control.sock"))
            two._socket.sendall(b'{"id": 1, "do": ' * (number % 3))
        house.login("anna")
        call, name = await house.dial(carrier)
        await house.until_event(name, "answered")
        await call.hangup()
    await house.until(lambda: house.ask("status")["agi_sessions"] == 0)
