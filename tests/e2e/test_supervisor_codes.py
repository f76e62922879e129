"""Supervisors who dial codes at their own phones: what each person hears is told by tones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from e2e_rig import SALES, Site
from ears import (
    ANNA,
    BEN,
    CALLER,
    GAP_MS,
    MUSIC,
    PEOPLE,
    SUE,
    Ears,
    Phones,
    ccbridge,
    talk,
    told,
    until_agreed,
    until_told,
)
from spoken import played_to

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Lab
from ccbridge.lab.legs import Leg
from ccbridge.lab.machine import Since
from ccbridge.lab.tones import longest_gap_ms, tone_spans

pytestmark = [pytest.mark.lab, pytest.mark.pg]

SOUNDS = ("pm-invalid-option", "im-sorry", "feature-not-avail-line", "please-try-call-later")
BEEP = 700  # Hz, of Asterisk's own; it takes 0.42 s
NOT_NOW = ["im-sorry", "feature-not-avail-line"]
INVALID = ["pm-invalid-option"]


@pytest.fixture
async def centre(make_site: Callable[..., Site], phones: Phones) -> Site:
    site = make_site(**PEOPLE)
    await phones["1001"].will("answer", after=0.1, tone=ANNA)
    await phones["1002"].will("answer", after=0.1, tone=BEN)
    site.login("anna")
    return site


async def dials(phones: Phones, phone: str, code: str, tone: int = SUE) -> Leg:
    return await (await phones[phone].dial(code, tone=tone)).answered()


async def said(lab: Lab, leg: Leg) -> list[str]:
    """The sounds that were heard until the PBX hung up."""
    return await played_to(leg, lab, SOUNDS)


async def test_listen_whisper_and_barge(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears, machine: Since
) -> None:
    """Each mode by its code, the others by keys; he follows the agent to the next call, until he hangs up."""
    call, name, anna = await talk(centre, phones, carrier)
    both, caller = (CALLER, ANNA), call.leg
    heard = {
        "listen": {"caller": (caller, (ANNA,)), "anna": (anna, (CALLER,))},
        "whisper": {"caller": (caller, (ANNA,)), "anna": (anna, (CALLER, SUE))},
        "barge": {"caller": (caller, (ANNA, SUE)), "anna": (anna, (CALLER, SUE))},
    }
    for times, (code, mode) in enumerate((("*091", "listen"), ("*092", "whisper"), ("*093", "barge")), 1):
        sue = await dials(phones, "1006", f"{code}1001")
        await until_told(centre, mode, "done")
        await ears.now(mode, sue=(sue, both), **heard[mode])
        if mode != "barge":
            await sue.hangup()
            await until_told(centre, "monitor", "ended", times)
    for key, mode in (("4", "listen"), ("5", "whisper")):
        await sue.press(key)
        await until_told(centre, mode, "done", 2)
        await ears.now(f"key {key}", sue=(sue, both), **heard[mode])
    (row,) = centre.ask("monitor.list")
    assert (row["supervisor"], row["agent"], row["by"]) == ("sue", "anna", "PJSIP/1006")
    await call.hangup()
    await centre.until_closed(name)
    await ears.now("between", sue=(sue, (MUSIC,)))
    second, name, anna = await talk(centre, phones, carrier)
    await until_told(centre, "whisper", "done", 3)
    await ears.now("next call", sue=(sue, both), caller=(second.leg, (ANNA,)), anna=(anna, (CALLER, SUE)))
    await sue.hangup()
    await until_told(centre, "monitor", "ended", 3)
    assert centre.ask("monitor.list") == []
    await ears.now("alone", caller=(second.leg, (ANNA,)), anna=(anna, (CALLER,)))
    await second.hangup()
    await ears.judge()
    for leg, tone in ((caller, ANNA), (second.leg, ANNA)):
        assert longest_gap_ms(leg.heard, tone) <= GAP_MS + machine.late_s * 1000
    assert {one[2:] for one in told(centre)} == {("sue", "anna", "phone")}
    shown = ccbridge(centre, "audit", "--supervisor", "sue")
    assert "PJSIP/1006" in shown
    await centre.audit()
    assert centre.oddities() == []


async def test_who_may_not(centre: Site, phones: Phones, carrier: Carrier, lab: Lab, ears: Ears) -> None:
    """Each refusal is said, and in the audit."""
    refused = [
        ("1006", "*0911003", NOT_NOW, "sue supervises none of the agent's departments"),
        ("1002", "*0911001", NOT_NOW, "no supervisor has this phone"),
        ("1006", "*091999", INVALID, "no agent has this number"),
        ("1007", "*0921001", NOT_NOW, "a trainee may not whisper"),
        ("1007", "*0931001", NOT_NOW, "a trainee may not barge"),
    ]
    for phone, code, sounds, _ in refused:
        leg = await dials(phones, phone, code)
        assert await said(lab, leg) == sounds, code
    for code in ("*091", "*09", "*0941001"[:4], "*09112345678901"):
        assert await said(lab, await dials(phones, "1006", code)) == INVALID, code
    rows = await centre.until_rows(
        len(refused), "SELECT by, whom, door, reason FROM control_audit WHERE result = 'refused' ORDER BY seq"
    )
    whom = ["chloe", "anna", "", "anna", "anna"]
    assert [tuple(row.values()) for row in rows] == [
        (f"PJSIP/{phone}", agent, "phone", why)
        for (phone, _, _, why), agent in zip(refused, whom, strict=True)
    ]
    # a trainee hears, and no key makes him heard
    call, _, anna = await talk(centre, phones, carrier)
    trainee = await dials(phones, "1007", "*0911001")
    await until_told(centre, "listen", "done")
    for key in "56":
        await trainee.press(key)
    await until_told(centre, "barge", "refused")
    assert ("whisper", "refused", "trainee", "anna", "phone") in told(centre)
    both = (CALLER, ANNA)
    await ears.now("trainee", caller=(call.leg, (ANNA,)), anna=(anna, (CALLER,)), trainee=(trainee, both))
    await trainee.hangup()
    await call.hangup()
    await ears.judge()
    await centre.audit()
    assert centre.oddities() == []


async def test_an_agent_at_his_own_phone_and_a_second_code(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier, lab: Lab, ears: Ears
) -> None:
    """Who supervises at an agent's phone does not hear himself; a second code takes the first one's place."""
    people = {**PEOPLE["supervisors"], "ben": {**PEOPLE["supervisors"]["sue"], "device": "PJSIP/1002"}}
    site = make_site(departments=PEOPLE["departments"], supervisors=people)
    await phones["1001"].will("answer", after=0.1, tone=ANNA)
    site.login("anna", "ben")
    assert await said(lab, await dials(phones, "1002", "*0911002")) == NOT_NOW
    await until_told(site, "monitor", "refused")
    assert site.controls()[-1]["reason"] == "it is the agent's own phone"
    await site.until_agent("ben", "available")
    first = await dials(phones, "1002", "*0911001", BEN)
    await until_told(site, "monitor", "done")
    await site.until_agent("ben", "busy_elsewhere")  # no caller for him meanwhile
    call, _, anna = await talk(site, phones, carrier)
    await until_told(site, "listen", "done")
    second = await dials(phones, "1002", "*0921001", BEN)
    await until_told(site, "whisper", "done")
    await first.ended()
    assert second.live
    await ears.now("whisper", anna=(anna, (CALLER, BEN)), second=(second, (CALLER, ANNA)))
    assert len(site.ask("monitor.list")) == 1
    assert ccbridge(site, "monitor", "--stop") == "1 stopped"
    await second.ended()
    await call.hangup()
    await ears.judge()
    await site.until_agent("ben", "available")
    await site.audit()
    assert site.oddities() == []


@pytest.mark.parametrize("notice", ["agent", "both"])
async def test_a_tone_when_it_begins(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier, ears: Ears, notice: str
) -> None:
    """Once for each call, whatever modes follow; the caller hears it only if the site says so."""
    site = make_site(jobs=True, **PEOPLE, supervision={"notice": notice})
    await phones["1001"].will("answer", after=0.1, tone=ANNA)
    site.login("anna")
    sue = await dials(phones, "1006", "*0911001", 0)
    for times in (1, 2):
        call, name, anna = await talk(site, phones, carrier)
        await until_told(site, "listen", "done", 2 * times - 1)
        await asyncio.sleep(1.5)
        for key, mode, n in (("5", "whisper", times), ("4", "listen", 2 * times)):
            await sue.press(key)
            await until_told(site, mode, "done", n)
        await ears.now("after the tone", caller=(call.leg, (ANNA,)), anna=(anna, (CALLER,)))
        await call.hangup()
        await site.until_closed(name)
        await anna.ended()
        for who, leg, hears in (("anna", anna, True), ("caller", call.leg, notice == "both")):
            assert leg.answered_at is not None
            assert call.leg.ended_at is not None
            talk_s = call.leg.ended_at - leg.answered_at
            # at its end the agent is asked for the outcome, with a beep
            spans = [span for span in tone_spans(leg.heard, BEEP) if span[0] < talk_s - 1.0]
            assert bool(spans) == hears, (who, spans)
            if spans:  # the other side's tone is about as loud, so that a frame of it may be missed
                assert spans[-1][1] - spans[0][0] < 0.5, (who, spans)
                assert sum(end - begun for begun, end in spans) > 0.2, (who, spans)
    await sue.hangup()
    await until_told(site, "monitor", "ended")
    await ears.judge()
    await site.audit()
    assert site.oddities() == []
    await until_agreed(site)


async def test_hanging_up_in_the_middle(centre: Site, phones: Phones, carrier: Carrier) -> None:
    """At every moment: nothing is left of it, and each session that began has its end."""
    call, _, _ = await talk(centre, phones, carrier)
    for wait in (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5):
        leg = await phones["1006"].dial("*0931001", tone=SUE)
        await leg.answered()
        await asyncio.sleep(wait)
        await leg.hangup()
    await centre.until(lambda: centre.ask("status")["agi_sessions"] == 0)
    await centre.until(lambda: centre.ask("monitor.list") == [], 60.0)
    begun = [one for one in centre.controls() if one["what"] == "monitor"]
    ids = {one["control"] for one in begun}
    ends = [one["control"] for one in begun if one["result"] in ("failed", "ended")]
    assert sorted(ends) == sorted(ids)
    assert call.leg.live
    await call.hangup()
    await centre.audit()
    assert centre.oddities() == []


async def test_a_daemon_that_is_dead(centre: Site, phones: Phones, carrier: Carrier, lab: Lab) -> None:
    """The code says so and ends; who listens when it dies stays with the call, and the next one ends that."""
    call, name, _ = await talk(centre, phones, carrier)
    sue = await dials(phones, "1006", "*0911001")
    await until_told(centre, "listen", "done")
    centre.daemon.kill()
    leg = await dials(phones, "1007", "*0911001")
    assert await said(lab, leg) == ["im-sorry", "please-try-call-later"]
    assert sue.live
    centre.daemon.start()
    await sue.ended()
    await until_told(centre, "monitor", "ended")
    last = centre.controls()[-1]
    assert last["reason"] == "left by a daemon that has ended"
    assert last["control"] == centre.controls()[0]["control"]
    assert call.leg.live
    await call.hangup()
    assert (await centre.until_closed(name))["disposition"] == "answered"
    await centre.audit()
    assert centre.oddities() == []


async def test_a_caller_who_is_passed_on_to_a_code_hears_nobody(
    centre: Site, phones: Phones, carrier: Carrier, lab: Lab
) -> None:
    call, name = await centre.dial(carrier, SALES)
    await centre.until_event(name, "answered", agent="anna")
    await phones["1001"].transfer("*0911001")
    await centre.until(lambda: len(centre.events(name, "answered")) == 2)  # he was in line again
    await call.hangup()
    assert await said(lab, call.leg) == []
    assert told(centre) == []
    await centre.audit()
    assert centre.oddities() == []
