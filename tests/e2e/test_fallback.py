"""While the daemon is away Asterisk serves the callers by itself, and keeps those it has when he is back."""

import asyncio
import csv
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from e2e_rig import MENU, SALES, SUPPORT, Site, new_number

from ccbridge.cli import main
from ccbridge.lab.carrier import Call, Carrier
from ccbridge.lab.lab import Pbx
from ccbridge.lab.legs import Leg
from ccbridge.lab.outside import Outside
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
HELD_S = 10.0


@contextmanager
def members_of(site: Site, pbx: Pbx) -> Iterator[None]:
    """The PBX with the members that ccbridge.yml gives its fallback queues."""
    file = pbx.etc / "queues_agents.conf"
    before = file.read_text()
    done = CliRunner().invoke(main, ["-c", str(site.config), "config", "queues", "--to", str(file)])
    assert done.exit_code == 0, done.output
    pbx.rx("queue reload all")
    try:
        yield
    finally:
        file.write_text(before)
        pbx.rx("queue reload all")


def chosen(pbx: Pbx) -> dict[str, str]:
    """Call -> the queue that the script gave it, as Asterisk's own record of events has it."""
    with pbx.cel_csv.open(newline="", errors="replace") as file:  # other tests' callers have Latin-1 names
        return {row[4]: row[-1] for row in csv.reader(file) if row[2] == "CCB_FALLBACK"}


async def test_the_daemon_is_dead(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier, pbx: Pbx
) -> None:
    site = make_site(routing={"fallback_after": 10})
    # whose turn it is the queues remember from earlier tests; chloe keeps free for the call after these two
    await phones["1003"].will("busy")
    for number in ("1001", "1002", "1004"):
        await phones[number].will("answer", after=0.2)

    def serves(call: Call, *numbers: str) -> Leg | None:
        legs = [leg for number in numbers for leg in phones[number].legs]
        return next((leg for leg in legs if leg.answered_at and leg.number == call.leg.number), None)

    with members_of(site, pbx):
        waiting, one = await site.hold(carrier, SUPPORT)
        site.daemon.kill()
        late = await carrier.call(SALES, new_number())
        general = await site.until(lambda: serves(late, "1001", "1002", "1004"), 60.0)
        own = await site.until(lambda: serves(waiting, "1002", "1004"), 60.0)
        await phones["1003"].will("answer", after=0.2)
        site.daemon.start()
        await site.until_event(one, "in_fallback")
        opened = await site.until(lambda: {r["call"] for r in site.records("call_opened")} - {one})
        (two,) = opened
        assert {call: queue for call, queue in chosen(pbx).items() if call in (one, two)} == {
            one: '{"extra":"ccbridge-fallback-support"}',
            two: '{"extra":"ccbridge-fallback"}',
        }
        # the next call goes to the agents again, and those two talk on
        site.login("chloe")
        next_call, three = await site.dial(carrier, SUPPORT)
        await site.until_event(three, "answered", agent="chloe")
        assert all(leg.live for leg in (waiting.leg, late.leg, general, own))
        for call in (waiting, late, next_call):
            await call.hangup()
    await site.audit()
    accounts = {r["call"]: r["disposition"] for r in site.records("call_closed")}
    assert accounts == {one: "fallback", two: "fallback", three: "answered"}
    assert site.offers(one, two) == []
    assert site.oddities() == []


async def test_a_script_that_hangs_keeps_nobody(outside: Outside, pbx: Pbx, tmp_path: Path) -> None:
    """Twelve at once: eight wait for a script each, four go without, and all are in the queue soon."""
    script = tmp_path / "hangs"
    script.write_text(f"#!/bin/sh\necho $$ >> {tmp_path}/started\nexec sleep 3600\n")
    script.chmod(0o755)
    await outside.phones["1009"].will("ring")
    before = pbx.rx("dialplan show globals")
    (own,) = re.findall(r"CCB_FALLBACK_AGI=(\S+)", before)
    pbx.rx(f"dialplan set global CCB_FALLBACK_AGI {script}")
    try:
        for _ in range(12):
            pbx.rx("channel originate Local/s@ccbridge-fallback/n application Wait 30")
        deadline = time.monotonic() + 15.0
        while (waiting := pbx.rx("queue show ccbridge-fallback").count("Local/s@ccbridge-fallback")) < 12:
            assert time.monotonic() < deadline, f"{waiting} of 12 are in the queue"
            await asyncio.sleep(0.2)
        started = (tmp_path / "started").read_text().split()
        assert len(started) == 8
    finally:
        pbx.rx(f"dialplan set global CCB_FALLBACK_AGI {own}")
        pbx.rx("channel request hangup all")
    # a script that Asterisk has given up may live on
    for pid in started:
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


@pytest.mark.full
async def test_a_caller_of_the_menu_talks_on_when_the_daemon_thaws(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier, pbx: Pbx
) -> None:
    """The limit of the menu that a thawed daemon would renew must not end his talk in the fallback."""
    site = make_site()
    await phones["1009"].will("answer", after=0.2)
    call, name = await site.dial(carrier, MENU)
    await asyncio.sleep(0.5)
    site.daemon.freeze()
    leg = await phones["1009"].talks(HELD_S + 10.0)
    site.daemon.thaw()
    await site.until_event(name, "in_fallback")
    await asyncio.sleep(HELD_S + 2.0)
    assert call.leg.live
    assert leg.live
    await call.hangup()
    await site.audit()
    assert [r["disposition"] for r in site.records("call_closed")] == ["fallback"]
