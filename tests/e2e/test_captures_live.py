"""The journal of inputs of a real site, `ccbridge ami record` beside it, and talk by the phones' clocks."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e_rig import MENU, SALES, Site

from ccbridge.lab.carrier import Call, Carrier
from ccbridge.lab.legs import Leg
from ccbridge.lab.machine import Since
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]


def ccbridge(site: Site, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ccbridge", "-c", str(site.config), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def inputs(site: Site) -> list[Path]:
    return sorted((site.folder / "journal" / "inputs").glob("*.jsonl"))


async def test_the_inputs_tell_what_was_written(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    """Over a kill -9 in the middle of calls: each record of the event journal comes out again."""
    site = make_site()
    await phones["1001"].will("answer", after=0.1, outcome="1", outcome_after=0.3)
    site.login("anna")
    talking, one = await site.dial(carrier, MENU, script=[0.3, "1"])
    await site.until_event(one, "answered")
    waiting, two = await site.hold(carrier)
    site.daemon.kill()
    site.daemon.start()
    await talking.hangup()
    await site.until_closed(one)
    await site.until_event(two, "answered")
    site.daemon.hangup()  # a reload begins a new file
    await site.until(lambda: len(inputs(site)) == 3)
    await waiting.hangup()
    await site.until_closed(two)
    site.daemon.stop()
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in inputs(site))
    journal = site.folder / "journal"
    said = ccbridge(site, "replay", *inputs(site), "--journal", journal, "--json")
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    assert (told["records"], told["differences"]) == (len(site.records()), [])
    assert {call["call"]: call["closed"]["disposition"] for call in told["calls"]} == {
        one: "answered",
        two: "answered",
    }
    alone = ccbridge(site, "replay", inputs(site)[-1], "--journal", journal)  # in the middle of a talk
    assert alone.returncode == 0, alone.stderr
    assert "the event journal has the same" in alone.stdout


async def test_a_recording_beside_the_daemon(house: Site, phones: Phones, carrier: Carrier) -> None:
    """Everything of a call is in the file, nothing of the caller if asked; the daemon is not disturbed."""
    house.login("anna")
    before = house.ask("status")
    files = [house.folder / "plain.jsonl", house.folder / "hidden.jsonl"]
    running = [
        asyncio.create_task(
            asyncio.to_thread(ccbridge, house, "ami", "record", file, "--seconds", "4", *more)
        )
        for file, more in zip(files, ([], ["--anonymise"]), strict=True)
    ]
    await house.until(lambda: all(file.exists() and file.stat().st_size for file in files))
    number = "+306955501234"
    call, name = await house.dial(carrier, SALES, number)
    await house.until_event(name, "answered")
    await call.hangup()
    await house.until_closed(name)
    for done in [await one for one in running]:
        assert done.returncode == 0, done.stderr
        assert "events of Asterisk" in done.stdout
    plain, hidden = (file.read_text() for file in files)
    for word in ("CcbHold", "DialBegin", "BridgeEnter", "Hangup"):
        assert word in plain
        assert word in hidden
    assert number in plain
    assert number[-7:] not in hidden
    told = json.loads(ccbridge(house, "replay", files[0], "--json").stdout)
    assert [one["call"] for one in told["calls"]] == [name]
    again = ccbridge(house, "ami", "record", files[0], "--seconds", "1")
    assert (again.returncode, again.stderr) == (2, f"{files[0]} is there already; name another\n")
    after = house.ask("status")
    assert after["ami_reconnects"] == before["ami_reconnects"]


async def test_nobody_to_record(house: Site, tmp_path: Path) -> None:
    """A refused login is a mistake of the configuration; no file is left."""
    config = tmp_path / "ccbridge.yml"
    secret = house.lab.pbx.ami_secret
    config.touch(mode=0o600)
    config.write_text(house.config.read_text().replace(secret, "wrong"))
    file = tmp_path / "a.jsonl"
    words = [
        sys.executable,
        "-m",
        "ccbridge",
        "-c",
        str(config),
        "ami",
        "record",
        str(file),
        "--seconds",
        "1",
    ]
    said = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, timeout=60)
    assert said.returncode == 2
    assert "Asterisk refused the AMI login" in said.stderr
    assert not file.exists()


def together(call: Call, leg: Leg) -> float:
    """Seconds from the answer on the agent's phone to the first hang-up, by the phones' own clocks."""
    assert leg.answered_at is not None
    ends = [one.ended_at for one in (call.leg, leg) if one.ended_at is not None]
    return min(ends) - leg.answered_at


@pytest.mark.parametrize("who_ends", ["caller", "agent"])
async def test_talk_is_what_the_phones_clocks_say(
    house: Site, phones: Phones, carrier: Carrier, who_ends: str, machine: Since
) -> None:
    """Within 100 ms (acceptance 1): one call straight through, one held in between."""
    house.login("anna", "ben")
    first, one = await house.dial(carrier)
    await house.until_event(one, "answered", agent="anna")
    second, two = await house.dial(carrier)
    await house.until_event(two, "answered", agent="ben")
    legs = {one: (first, await phones["1001"].talks()), two: (second, await phones["1002"].talks())}
    await phones["1002"].hold()
    await house.until_event(two, "held")
    await asyncio.sleep(0.4)
    await phones["1002"].unhold()
    await house.until_event(two, "resumed")
    for call, leg in legs.values():
        await (call if who_ends == "caller" else leg).hangup()
    for name, (call, leg) in legs.items():
        account = await house.until_closed(name)
        await call.ended()
        held = sum(one["hold_s"] for one in account.get("legs", ()))  # told apart, where it is
        assert account["talk"] + held == pytest.approx(together(call, leg), abs=0.1 + machine.late_s)
