"""Lamps of phones' keys: what a phone that subscribes is told, and that it is right whatever happens."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
import yaml
from e2e_rig import AGENTS, BRISK, SALES, Site, merged
from lamp_key import LampKey
from lit import right, shown

from ccbridge.lab.ami import AmiLink
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Lab
from ccbridge.lab.phones import Phone
from ccbridge.lab.postgres import LabPostgres

pytestmark = [pytest.mark.lab, pytest.mark.pg]

LAMPS: dict[str, Any] = {"phones": {"lamps": True}}
LIT, DARK = "confirmed", "terminated"
Watch = Callable[..., Awaitable[LampKey]]
Phones = dict[str, Phone]


@pytest_asyncio.fixture
async def watch(lab: Lab) -> AsyncIterator[Watch]:
    """A key of the phone 1008 that watches this."""
    keys: list[LampKey] = []

    async def made(exten: str, event: str = "dialog", lab: Lab = lab) -> LampKey:
        pbx = lab.pbx
        key = LampKey((pbx.sip_host, pbx.sip_port), "1008", lab.keys.phones["1008"], exten, event)
        keys.append(key)
        assert await key.subscribe() == 200
        return key

    yield made
    for key in keys:
        key.close()


async def test_a_phone_sees_log_in_pause_and_log_out(make_site: Callable[..., Site], watch: Watch) -> None:
    site = make_site(**LAMPS)
    here, paused = await watch("ccb-in-anna"), await watch("ccb-pause-anna")
    presence = await watch("ccb-in-anna", "presence")
    await site.until(lambda: (here.lamp, paused.lamp, presence.lamp) == (DARK, DARK, "Ready"))
    site.login("anna")
    await site.until(lambda: (here.lamp, paused.lamp, presence.lamp) == (LIT, DARK, "On the phone"))
    site.ask("agent.pause", agent="anna")
    await site.until(lambda: (here.lamp, paused.lamp) == (LIT, LIT))
    site.ask("agent.unpause", agent="anna")
    await site.until(lambda: paused.lamp == DARK)
    site.ask("agent.logout", agent="anna")
    await site.until(lambda: (here.lamp, presence.lamp) == (DARK, "Ready"))
    assert [one for one in here.told if one == LIT] == [LIT]
    await right(site)


async def test_a_phone_sees_wrap_up_and_callers_who_wait(
    make_site: Callable[..., Site], watch: Watch, phones: Phones, carrier: Carrier
) -> None:
    site = make_site(**LAMPS)
    waiting, wrap = await watch("ccb-waiting-sales"), await watch("ccb-wrap-anna")
    call, name = await site.hold(carrier, SALES)
    await site.until(lambda: (waiting.lamp, wrap.lamp) == (LIT, DARK))
    site.login("anna")
    await site.until_event(name, "answered", agent="anna")
    await site.until(lambda: waiting.lamp == DARK)
    await call.hangup()
    await phones["1001"].idle()
    await site.until(lambda: LIT in wrap.told and wrap.lamp == DARK)
    await right(site)


async def test_a_phone_sees_that_a_follow_up_is_due(
    make_site: Callable[..., Site],
    watch: Watch,
    phones: Phones,
    carrier: Carrier,
    lab_postgres: LabPostgres,
) -> None:
    site = make_site(**LAMPS, queues={"sales": {"wrap_up": 60}})
    anna, due = phones["1001"], await watch("ccb-due-anna")

    def outcomes() -> list[str]:
        return [one["outcome"] for one in site.records("ticket_outcome")]

    site.login("anna")
    call, name = await site.dial(carrier, SALES)
    await site.until_event(name, "answered", agent="anna")
    await call.hangup()
    await anna.idle()
    await right(site)
    assert due.lamp == DARK
    leg = await (await anna.dial("*0730")).answered()
    await leg.ended()
    await site.until(lambda: due.lamp == LIT)
    # while the database is away nobody knows better: the lamp is not put out for that
    lab_postgres.halt()
    try:
        await site.until(
            lambda: [one for one in site.daemon.lines() if one.get("event") == "follow_ups.away"]
        )
        assert due.lamp == LIT
    finally:
        lab_postgres.start()
    leg = await (await anna.dial("*074")).answered()
    while leg.live and outcomes() == ["follow_up"]:
        await asyncio.sleep(3.0)
        if leg.live:
            await leg.press("2")  # done
    await site.until(lambda: due.lamp == DARK)
    assert outcomes() == ["follow_up", "closed"]
    await right(site)


async def test_lamps_are_right_after_the_daemon_was_killed(
    make_site: Callable[..., Site], watch: Watch, lab: Lab, carrier: Carrier
) -> None:
    site = make_site(**LAMPS)
    site.login("anna", "ben")
    site.ask("agent.pause", agent="ben")
    waiting = await watch("ccb-waiting-support")
    call, _ = await site.hold(carrier, "2100000002")
    await right(site)
    site.daemon.kill()
    before = await shown(lab)
    await call.hangup()
    # nobody was there to see that he left; and somebody else has meddled
    lab.pbx.rx("devstate change Custom:ccb-in-chloe INUSE")
    lab.pbx.rx("devstate change Custom:ccb-pause-ben NOT_INUSE")
    assert before["waiting-support"] == "INUSE"
    site.daemon.start()
    await right(site)
    assert (await shown(lab))["pause-ben"] == "INUSE"
    await site.until(lambda: waiting.lamp == DARK)


async def test_lamps_are_right_after_the_pbx_was_killed(
    lab: Lab, lab_postgres: LabPostgres, watch: Watch
) -> None:
    """In a lab of its own: the session's PBX is connected to all the others."""
    other = Lab(lab.folder / "lamps", lab.cache)
    other.up(progress=False, tethered=True)
    try:
        site = Site(other.folder / "site", other, lab_postgres.url, merged(BRISK, LAMPS))
        site.daemon.start()
        try:
            site.login("anna")
            await right(site)
            other.pbx.kill()
            await site.until(lambda: not site.ask("status")["link"]["up"])
            site.ask("agent.pause", agent="anna")  # while it is away
            other.pbx.start()
            await site.until(lambda: site.ask("status")["link"]["up"])
            paused = await watch("ccb-pause-anna", lab=other)
            await right(site)
            await site.until(lambda: paused.lamp == LIT)
        finally:
            site.close()
    finally:
        other.down()


async def test_lamps_are_right_after_the_link_was_lost(make_site: Callable[..., Site], lab: Lab) -> None:
    site = make_site(**LAMPS)
    site.login("anna")
    await right(site)
    reconnects = site.ask("status")["ami_reconnects"]
    os.kill(lab.pbx.pid, signal.SIGSTOP)
    try:
        await site.until(lambda: not site.ask("status")["link"]["up"], 60.0)
        site.ask("agent.pause", agent="anna")
        site.login("ben")
    finally:
        os.kill(lab.pbx.pid, signal.SIGCONT)
    await site.until(lambda: site.ask("status")["link"]["up"], 60.0)
    assert site.ask("status")["ami_reconnects"] > reconnects
    await right(site)


async def test_a_reload_takes_the_lamps_of_whoever_is_gone(
    make_site: Callable[..., Site], watch: Watch, lab: Lab
) -> None:
    site = make_site(**LAMPS)
    site.login(*AGENTS)
    gone = await watch("ccb-in-ben")
    await site.until(lambda: gone.lamp == LIT)
    before = yaml.safe_load(site.config.read_text())
    file = {**before, "agents": {name: one for name, one in before["agents"].items() if name != "ben"}}
    site.config.write_text(yaml.safe_dump(file))
    site.ask("reload")
    await site.until(lambda: gone.lamp != LIT)
    await right(site)
    assert (await shown(lab))["in-ben"] == "UNAVAILABLE"
    # a subscription outlives a reload of the dialplan; and without lamps none tells what nobody keeps
    lab.pbx.rx("dialplan reload")
    site.config.write_text(yaml.safe_dump(before))
    site.ask("reload")
    site.login("ben")
    await site.until(lambda: gone.lamp == LIT)
    site.config.write_text(yaml.safe_dump({**before, "phones": {**before["phones"], "lamps": False}}))
    site.ask("reload")
    for _ in range(200):
        if set((await shown(lab)).values()) == {"UNAVAILABLE"}:
            break
        await asyncio.sleep(0.05)
    assert set((await shown(lab)).values()) == {"UNAVAILABLE"}
    assert site.agent("ben")["logged_in"]


async def test_only_changes_are_sent(make_site: Callable[..., Site], lab: Lab) -> None:
    """By the PBX's own account of what was set."""
    told: list[str] = []
    site = make_site(start=False, **LAMPS)
    link = await AmiLink.open(lab.pbx.door)
    link.listen(
        lambda event: (
            told.append(f"{event['Device']} {event['State']}")
            if event["Event"] == "DeviceStateChange" and event["Device"].startswith("Custom:ccb-")
            else None
        )
    )
    try:
        site.daemon.start()
        await right(site)
        site.login("anna")
        await right(site)
        site.daemon.stop()
        told.clear()
        site.daemon.start()
        await site.until_agent("anna", "available")
        await right(site)
        site.login("ben")
        await right(site)
    finally:
        await link.close()
    assert told == ["Custom:ccb-in-ben INUSE"]


async def test_what_a_phone_may_watch(make_site: Callable[..., Site], watch: Watch, lab: Lab) -> None:
    """A name that is no agent's is dark for ever; it leads to no other device."""
    make_site(**LAMPS)
    odd = await watch("ccb-x&PJSIP/1001")
    await asyncio.sleep(0.3)
    link = await AmiLink.open(lab.pbx.door)
    try:
        found = await link.action("ExtensionState", Exten="ccb-x&PJSIP/1001", Context="from-phones")
    finally:
        await link.close()
    assert found[0]["Hint"] == "Custom:ccb-xPJSIP1001"
    assert odd.lamp == DARK
