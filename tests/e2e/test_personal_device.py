"""Agents at their own telephones, through the trunk: who presses 1 gets the caller, and nothing else does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from e2e_rig import SALES, Site
from ears import ccbridge
from spoken import played_to

from ccbridge.lab.carrier import CALLER_TONE_HZ, Call, Carrier
from ccbridge.lab.lab import Lab
from ccbridge.lab.legs import Leg
from ccbridge.lab.machine import Since
from ccbridge.lab.outside import Outside
from ccbridge.lab.phones import Phone
from ccbridge.lab.tones import longest_gap_ms, tone_spans

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
Says = Callable[..., Awaitable[list[str]]]
MOBILE, HOME = "+306912300001", "+302103000002"
MOBILE_HZ, DESK_HZ, SUE_HZ, MUSIC_HZ = 700, 1000, 1500, 300
PERSONAL: dict[str, Any] = {
    "personal": {"dial": "PJSIP/{number}@carrier", "seconds": 30, "prompts": ["beep"]},
    "agents": {"anna": {"personal": {"mobile": MOBILE, "home": HOME}}},
    "routing": {"miss_cooldown": 30, "refuse_cooldown": 30},
    "departments": {"front": ["sales"]},
    "supervisors": {
        "sue": {"name": "Sue", "device": "PJSIP/1006", "role": "supervisor", "departments": ["front"]},
    },
}
SOUNDS = (
    "call-fwd-unconditional", "activated", "de-activated", "agent-loggedoff", "im-sorry",
    "feature-not-avail-line", "pm-invalid-option",
)  # fmt: skip
ON, OFF = ["call-fwd-unconditional", "activated"], ["call-fwd-unconditional", "de-activated"]
NOBODY, NOT_NOW = ["im-sorry", "agent-loggedoff"], ["im-sorry", "feature-not-avail-line"]


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site(**PERSONAL)


@pytest.fixture
def brief(make_site: Callable[..., Site]) -> Site:
    """Nobody has long to press 1."""
    return make_site(**{**PERSONAL, "personal": {**PERSONAL["personal"], "seconds": 5}})


@pytest_asyncio.fixture
async def mobile(outside: Outside) -> Phone:
    """Anna's: it picks up, and sends its tone."""
    one = outside.telephone(MOBILE)
    await one.will("answer", after=0.2, tone=MOBILE_HZ)
    return one


@pytest.fixture
def says(lab: Lab) -> Says:
    """Dial a code; the sounds that were heard until the PBX hung up."""

    async def dial(phone: Phone, code: str) -> list[str]:
        leg = await (await phone.dial(code, tone=0)).answered()
        return await played_to(leg, lab, SOUNDS)

    return dial


async def at_the_mobile(site: Site, *others: str) -> None:
    """Anna's turn comes first, and her mobile is rung for it."""
    site.login("anna")
    site.ask("agent.personal", agent="anna", device="mobile")
    await site.until_agent("anna", "available")
    await asyncio.sleep(0.05)
    site.login(*others)


async def picked_up(site: Site, carrier: Carrier, mobile: Phone) -> tuple[Call, str, Leg]:
    call, name = await site.dial(carrier, SALES)
    await site.until_event(name, "asked", agent="anna")
    return call, name, await mobile.talks()


def heard(leg: Leg, tone: int, start: float, end: float) -> float:
    """Seconds of this tone between two moments (epoch seconds)."""
    assert leg.answered_at is not None
    start, end = start - leg.answered_at, end - leg.answered_at
    return sum(max(0.0, min(end, till) - max(start, since)) for since, till in tone_spans(leg.heard, tone))


def length(leg: Leg, tone: int) -> float:
    """Seconds of this tone in all. The time in which nothing was sent, as on 16 between prompts, is not in
    the file: when it was heard is not to be had."""
    return sum(end - start for start, end in tone_spans(leg.heard, tone))


async def test_press_1_connects(
    site: Site, phones: Phones, carrier: Carrier, mobile: Phone, machine: Since
) -> None:
    """Tones go both ways from then on and not before; recorded and monitored as any talk is."""
    await phones["1006"].will("answer", after=0.1, tone=SUE_HZ)
    await at_the_mobile(site)
    call, name, leg = await picked_up(site, carrier, mobile)
    assert (phones["1001"].legs, site.agent("anna")["state"]) == ([], "offered")
    assert mobile.shown.name == "sales 0:00"
    asked = time.time()
    await asyncio.sleep(1.5)
    assert site.events(name, "answered") == []
    await leg.press("1")
    answered = (await site.until_event(name, "answered", agent="anna"))["at"]
    assert answered >= asked + 1.5
    assert site.agent("anna")["state"] == "talking"
    assert ccbridge(site, "monitor", "anna", "--to", "1006").startswith("PJSIP/1006 is rung")
    sue = await phones["1006"].talks()
    await site.until(
        lambda: [c for c in site.records("control_event") if (c["what"], c["result"]) == ("listen", "done")]
    )
    await asyncio.sleep(2.0)
    ended = time.time()
    await call.hangup()
    await mobile.hangup()
    await phones["1006"].hangup()
    account = await site.until_closed(name)
    assert (account["agent"], account["answered_at"], account["offers"]) == ("anna", answered, 1)
    assert 0 < account["talk"] <= ended - answered + 0.5
    talk = ended - answered
    assert heard(call.leg, MOBILE_HZ, answered, ended) > 0.8 * talk - machine.late_s
    assert heard(call.leg, MOBILE_HZ, asked - 1.0, answered - 0.1) < 0.1
    assert 0.8 * talk - machine.late_s < length(leg, CALLER_TONE_HZ) < talk + 0.3
    assert heard(sue, CALLER_TONE_HZ, ended - 2.0, ended) > 0.5
    assert heard(sue, MOBILE_HZ, ended - 2.0, ended) > 0.5
    music = [span for span in tone_spans(call.heard, MUSIC_HZ) if span[1] - span[0] > 0.5]
    assert len(music) == 1  # until he was answered he heard nothing else, and no hole
    assert abs(music[0][1] - (answered - call.leg.answered_at)) < 0.3 + machine.late_s  # type: ignore[operator]
    file = site.lab.recordings / next(r["path"] for r in site.records("recording_started"))
    assert tone_spans(file.with_name(f"{file.name}-t.wav"), MOBILE_HZ)
    assert tone_spans(file.with_name(f"{file.name}-r.wav"), CALLER_TONE_HZ)
    await site.until_agent("anna", "available")
    assert site.oddities() == []
    await site.audit(rows=False)
    told = [str(r) for r in site.records("call_event", "agent_event", "plan_began", "control_event")]
    assert not [line for line in told if MOBILE.lstrip("+") in line or HOME.lstrip("+") in line]


async def test_a_voicemail_gets_nobody(
    brief: Site, phones: Phones, carrier: Carrier, mobile: Phone, machine: Since
) -> None:
    """It answers, says something, presses nothing: a miss, and the next agent has the caller."""
    site = brief
    await at_the_mobile(site, "ben")
    call, name, leg = await picked_up(site, carrier, mobile)
    asked = site.events(name, "asked")[0]["at"]
    missed = await site.until_event(name, "offer_ended", agent="anna")
    assert missed["data"]["result"] == "not_confirmed"
    assert 4.9 <= missed["at"] - asked <= 5.5 + machine.late_s
    answered = (await site.until_event(name, "answered", agent="ben"))["at"]
    assert not leg.live
    assert (site.agent("anna")["state"], site.agent("anna")["reason"]) == ("cooldown", "missed")
    await asyncio.sleep(1.0)
    ended = time.time()
    await call.hangup()
    await phones["1002"].idle()
    await site.until_closed(name)
    # the voicemail has no word of the caller, and he none of it: music without a hole until ben
    assert heard(leg, CALLER_TONE_HZ, asked - 1, ended) < 0.1
    assert heard(call.leg, MOBILE_HZ, asked - 1, ended) == 0
    assert call.leg.answered_at is not None
    start, end = asked - call.leg.answered_at, answered - call.leg.answered_at
    assert longest_gap_ms(call.heard, MUSIC_HZ, start, end - 0.2) <= 200 + 1000 * machine.late_s
    assert length(call.leg, DESK_HZ) > 0.5
    assert site.oddities() == []
    await site.audit(rows=False)


@pytest.mark.parametrize(("how", "result"), [("5", "refused"), ("*", "refused"), ("", "not_confirmed")])
async def test_another_key_or_a_hang_up(
    site: Site, phones: Phones, carrier: Carrier, mobile: Phone, how: str, result: str
) -> None:
    await at_the_mobile(site, "ben")
    call, name, leg = await picked_up(site, carrier, mobile)
    await asyncio.sleep(0.5)
    await (leg.press(how) if how else leg.hangup())
    await leg.ended()
    await site.until_event(name, "answered", agent="ben")
    assert site.results(name) == [("anna", result)]
    assert "reason" not in site.events(name, "offer_ended")[0]["data"]
    assert call.leg.live
    await call.hangup()
    await phones["1002"].idle()
    await site.until_closed(name)
    assert site.oddities() == []


@pytest.mark.parametrize(
    ("do", "result"), [("busy", "busy"), ("decline", "refused"), ("ring", "missed"), ("error", "unreachable")]
)
async def test_a_number_that_is_not_picked_up(
    site: Site, phones: Phones, carrier: Carrier, mobile: Phone, do: str, result: str
) -> None:
    await mobile.will(do)
    await at_the_mobile(site, "ben")
    call, name = await site.dial(carrier, SALES)
    await site.until_event(name, "answered", agent="ben")
    assert site.results(name) == [("anna", result)]
    await call.hangup()
    await phones["1002"].idle()


async def test_the_caller_hangs_up_while_it_is_asked(
    site: Site, phones: Phones, carrier: Carrier, mobile: Phone
) -> None:
    """Nobody is asked for one who has gone, and nobody has missed anything."""
    await at_the_mobile(site)
    call, name, leg = await picked_up(site, carrier, mobile)
    await call.hangup()
    await leg.ended()  # long before its time is over
    account = await site.until_closed(name)
    assert (account["disposition"], account["ended_by"]) == ("abandoned", "caller")
    assert site.results(name) == [("anna", "withdrawn")]
    await site.until_agent("anna", "available")
    assert site.oddities() == []


@pytest.mark.parametrize("pressed", ["away", "back", "never"])
async def test_the_daemon_is_killed_while_it_is_asked(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier, mobile: Phone, pressed: str
) -> None:
    """Who presses 1 gets the caller, whether the daemon is there or not; else the next agent does."""
    seconds = 6 if pressed == "never" else 30
    site = make_site(**{**PERSONAL, "personal": {**PERSONAL["personal"], "seconds": seconds}})
    await at_the_mobile(site, "ben")
    call, name, leg = await picked_up(site, carrier, mobile)
    site.daemon.kill()
    if pressed == "away":
        await leg.press("1")
        await asyncio.sleep(0.5)
    site.daemon.start()
    if pressed == "back":
        await site.until(lambda: site.ask("status")["link"]["up"])
        assert site.agent("anna")["state"] == "offered"
        await leg.press("1")
    who = "ben" if pressed == "never" else "anna"
    await site.until_event(name, "answered", agent=who)
    assert (site.agent(who)["state"], site.agent("anna")["personal"]) == ("talking", "mobile")
    if pressed == "never":
        # lost: its time was over before the daemon was back
        assert site.results(name) in ([("anna", "not_confirmed")], [("anna", "lost")])
    await asyncio.sleep(1.0)
    await call.hangup()
    await (phones["1002"] if who == "ben" else mobile).idle()
    assert (await site.until_closed(name))["disposition"] == "answered"
    assert length(call.leg, DESK_HZ if who == "ben" else MOBILE_HZ) > 0.5
    assert site.oddities() == []


async def test_the_daemon_stays_away(brief: Site, phones: Phones, carrier: Carrier, mobile: Phone) -> None:
    """Killed while a voicemail has the call: it gets nobody, and the caller is served when one is back."""
    await at_the_mobile(brief)
    call, name, leg = await picked_up(brief, carrier, mobile)
    brief.daemon.kill()
    await leg.ended()
    assert call.leg.live
    brief.daemon.start()
    brief.login("ben")
    await brief.until_event(name, "answered", agent="ben")
    await call.hangup()
    await phones["1002"].idle()
    await brief.until_closed(name)
    assert brief.oddities() == []


@pytest.mark.parametrize(("keys", "how"), [("#1", "blind"), ("*2", "attended")])
async def test_passed_on_by_keys(
    site: Site, phones: Phones, carrier: Carrier, mobile: Phone, keys: str, how: str
) -> None:
    """The number is looked up where the agent's own phone dials, not where the trunk's callers come in."""
    await phones["1002"].will("answer", after=0.3, tone=SUE_HZ)
    await at_the_mobile(site)
    call, name, leg = await picked_up(site, carrier, mobile)
    await leg.press("1")
    await site.until_event(name, "answered", agent="anna")
    await asyncio.sleep(0.8)
    site.login("ben")
    await leg.press(keys)
    await asyncio.sleep(0.5)  # "transfer"
    await leg.press("1002")
    second = await phones["1002"].talks()
    if how == "attended":
        await asyncio.sleep(1.0)
        await leg.hangup()
    await site.until_event(name, "joined", agent="ben")
    await leg.ended()
    await asyncio.sleep(1.0)
    await second.hangup()
    account = await site.until_closed(name)
    assert [(one["agent"], one["end"]) for one in account["legs"]] == [("anna", how), ("ben", "agent")]
    found = [one["data"] for one in site.events(name, "transferred")]
    assert [(one["how"], one["agent"], one["target"]) for one in found] == [(how, "anna", "1002")]
    assert length(call.leg, SUE_HZ) > 0.3
    assert site.oddities() == []


async def test_the_code_switches_it_on_and_off(
    site: Site, phones: Phones, carrier: Carrier, mobile: Phone, outside: Outside, says: Says
) -> None:
    home = outside.telephone(HOME)
    await home.will("answer", after=0.2)
    desk = phones["1001"]
    assert await says(desk, "*097") == NOBODY
    site.login("anna", "ben")
    assert await says(phones["1002"], "*097") == NOT_NOW  # he has none
    assert await says(phones["1002"], "*0970") == OFF
    assert await says(desk, "*0973") == ["pm-invalid-option"]
    assert site.agent("anna")["personal"] is None
    ccbridge(site, "agent", "pause", "ben")
    assert await says(desk, "*0972") == ON
    assert site.agent("anna")["personal"] == "home"
    assert await says(desk, "*097") == ON
    # hung up in the middle of it: it is on all the same
    leg = await desk.dial("*0970", tone=0)
    await site.until(lambda: site.agent("anna")["personal"] is None)
    await leg.hangup()
    assert await says(desk, "*0971") == ON
    # it outlives a kill and a reload, and a phone that is not there any more
    site.daemon.kill()
    site.daemon.start()
    site.ask("reload")
    await desk.unregister()
    await site.until(lambda: site.agent("anna")["phone_state"] == "UNAVAILABLE")
    await site.until_agent("anna", "available")
    call, name, leg = await picked_up(site, carrier, mobile)
    await leg.press("1")
    await site.until_event(name, "answered", agent="anna")
    await call.hangup()
    await mobile.hangup()
    await site.until_agent("anna", "available")
    assert ccbridge(site, "agent", "personal", "anna", "--off") == "anna is called at the phone"
    await site.until_agent("anna", "unreachable", "not_registered")
    await desk.register()
    await site.until_agent("anna", "available")
    # at the terminal, and refused there
    assert ccbridge(site, "agent", "personal", "anna", "home") == "anna is called at home"
    assert ccbridge(site, "agent", "personal", "anna", "boat", code=1) == (
        "anna has no personal device 'boat'"
    )
    assert "home" in ccbridge(site, "agent", "list")
    # a log-out ends it
    site.ask("agent.logout", agent="anna")
    site.login("anna")
    assert site.agent("anna")["personal"] is None
    assert site.oddities() == []
    told = [
        (one["result"], one["reason"], one["whom"], one["door"])
        for one in site.records("control_event")
        if one["what"] == "personal"
    ]
    assert told[:7] == [
        ("refused", "nobody is logged in at this phone", "", "phone"),
        ("refused", "has no personal device", "ben", "phone"),
        ("asked", "off", "ben", "phone"),
        ("done", "", "ben", "phone"),
        ("refused", "has no personal device 3", "anna", "phone"),
        ("asked", "home", "anna", "phone"),
        ("done", "", "anna", "phone"),
    ]
    assert told[-3:] == [
        ("asked", "boat", "anna", "cli"),
        ("refused", "has no personal device 'boat'", "anna", "cli"),
        ("ended", "logged out", "anna", ""),
    ]
