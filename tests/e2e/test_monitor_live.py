"""Supervisors at real phones, which the daemon rings: what each person hears is told by tones."""

from __future__ import annotations

import asyncio
import json
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
    until_agreed,
    until_told,
)
from sieve import Sieve

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Pbx
from ccbridge.lab.machine import Since
from ccbridge.lab.tones import longest_gap_ms

pytestmark = [pytest.mark.lab, pytest.mark.pg]


@pytest.fixture
async def centre(make_site: Callable[..., Site], phones: Phones) -> Site:
    site = make_site(jobs=True, **PEOPLE)
    await phones["1001"].will("answer", after=0.1, tone=ANNA)
    await phones["1002"].will("answer", after=0.1, tone=BEN)
    await phones["1006"].will("answer", after=0.1, tone=SUE)
    site.login("anna")
    return site


async def test_who_hears_what(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears, machine: Since
) -> None:
    """The phone's keys change the mode; the caller never hears a whisper, and both hear a barge."""
    call, name, anna = await talk(centre, phones, carrier)
    said = ccbridge(centre, "monitor", "anna", "--to", "1006")
    assert said == "PJSIP/1006 is rung: sue monitors anna, listen"
    sue = await phones["1006"].talks()
    assert phones["1006"].shown.name == "listen: anna"
    await until_told(centre, "listen", "done")
    both = (CALLER, ANNA)
    caller = call.leg
    await ears.now("listen", caller=(caller, (ANNA,)), anna=(anna, (CALLER,)), sue=(sue, both))
    await sue.press("5")
    await until_told(centre, "whisper", "done")
    await ears.now("whisper", caller=(caller, (ANNA,)), anna=(anna, (CALLER, SUE)), sue=(sue, both))
    await sue.press("6")
    await until_told(centre, "barge", "done")
    await ears.now("barge", caller=(caller, (ANNA, SUE)), anna=(anna, (CALLER, SUE)), sue=(sue, both))
    await sue.press("4")
    await until_told(centre, "barge", "ended")
    await ears.now("listen", caller=(caller, (ANNA,)), anna=(anna, (CALLER,)), sue=(sue, both))
    await call.hangup()
    await centre.until_closed(name)
    await ears.now("between", sue=(sue, (MUSIC,)))
    await phones["1006"].hangup()
    await until_told(centre, "monitor", "ended")
    await ears.judge()
    # nobody's talk has a hole where the supervisor comes, goes or changes his mode
    for leg, tone in ((caller, ANNA), (anna, CALLER)):
        assert longest_gap_ms(leg.heard, tone) <= GAP_MS + machine.late_s * 1000
    await centre.audit()
    assert centre.oddities() == []


async def test_he_follows_the_agent(centre: Site, phones: Phones, carrier: Carrier, ears: Ears) -> None:
    """Over hold, blind and attended transfer, and the next two calls; so does who monitors the target."""
    await phones["1005"].will("answer", after=0.1, tone=0)
    for who, agent in (("sue", "anna"), ("chief", "ben")):
        ccbridge(centre, "monitor", agent, "--to", who)
    sue, chief = await phones["1006"].talks(), await phones["1005"].talks()
    await ears.now("before", sue=(sue, (MUSIC,)), chief=(chief, (MUSIC,)))
    both = (sue, (CALLER, ANNA))
    call, name, anna = await talk(centre, phones, carrier)
    await until_told(centre, "listen", "done")
    await ears.now("first call", sue=both, anna=(anna, (CALLER,)), chief=(chief, (MUSIC,)))
    await phones["1001"].hold()
    await centre.until_event(name, "held")
    await ears.now("hold", sue=(sue, (CALLER,)), caller=(call.leg, (MUSIC,)))
    await phones["1001"].unhold()
    await centre.until_event(name, "resumed")
    await ears.now("after hold", sue=both, caller=(call.leg, (ANNA,)))
    await phones["1001"].transfer("1002")
    await until_told(centre, "listen", "done", 2)
    await ears.now("blind", sue=(sue, (MUSIC,)), chief=(chief, (CALLER, BEN)), caller=(call.leg, (BEN,)))
    await call.hangup()
    call, name, anna = await talk(centre, phones, carrier)
    await until_told(centre, "listen", "done", 3)
    await ears.now("second call", sue=both, anna=(anna, (CALLER,)), chief=(chief, (MUSIC,)))
    await phones["1001"].consult("1002")
    ben = await phones["1002"].talks()
    await ears.now("consultation", sue=(sue, (CALLER,)), chief=(chief, (MUSIC,)), ben=(ben, (ANNA,)))
    await phones["1001"].complete()
    await until_told(centre, "listen", "done", 4)
    await ears.now("attended", sue=(sue, (MUSIC,)), chief=(chief, (CALLER, BEN)), ben=(ben, (CALLER,)))
    await call.hangup()
    call, name, anna = await talk(centre, phones, carrier)
    await until_told(centre, "listen", "done", 5)
    await ears.now("third call", sue=both, anna=(anna, (CALLER,)), caller=(call.leg, (ANNA,)))
    await call.hangup()
    assert ccbridge(centre, "monitor", "--stop") == "2 stopped"
    await sue.ended()
    await chief.ended()
    await ears.judge()
    heard = [one for one in centre.controls() if one["what"] == "listen"]
    assert [(one["who"], one["result"]) for one in heard].count(("sue", "ended")) == 3
    calls = [one["call"] for one in heard if (one["who"], one["result"]) == ("chief", "done")]
    assert len(set(calls)) == 2
    await centre.audit()
    assert centre.oddities() == []
    # Asterisk's own files: the supervisors' legs are no callers'
    written = centre.lab.pbx.cdr_csv.read_bytes().count(b"\n")
    await centre.until_rows(written, "SELECT * FROM cdr")
    await centre.until_rows(1, "SELECT * FROM cel WHERE uniqueid LIKE 'm%%'")
    assert centre.rows("SELECT * FROM cel_call WHERE call_id LIKE 'm%%'") == []
    accounts = centre.rows("SELECT call_id, source, agent FROM call_account ORDER BY arrived_at")
    assert [(one["source"], one["agent"]) for one in accounts] == [
        ("events", "ben"), ("events", "ben"), ("events", "anna"),
    ]  # fmt: skip
    await until_agreed(centre)
    journal = centre.folder / "journal"
    files = map(str, sorted((journal / "inputs").iterdir()))
    said = ccbridge(centre, "replay", *files, "--journal", str(journal), "--json")
    assert json.loads(said)["differences"] == []


async def test_who_may_not(centre: Site, phones: Phones, carrier: Carrier, ears: Ears) -> None:
    """By the command line, the control socket and the phone: each refusal is in the audit."""
    refused = ccbridge(centre, "monitor", "chloe", "--to", "sue", code=1)
    assert refused == "sue supervises none of the agent's departments"
    answer = centre.daemon.ask("monitor.start", agent="anna", to="trainee", mode="whisper")
    assert (answer.ok, answer.text) == (False, "a trainee may not whisper")
    for to in ("1002", "PJSIP/1002", "s@ccbridge-in", "1006&PJSIP/1002"):
        assert "no supervisor has this name" in ccbridge(centre, "monitor", "anna", "--to", to, code=1)
    call, _, anna = await talk(centre, phones, carrier)
    await phones["1007"].will("answer", after=0.1, tone=SUE)
    centre.ask("monitor.start", agent="anna", to="trainee")
    trainee = await phones["1007"].talks()
    await until_told(centre, "listen", "done")
    await trainee.press("6")
    await until_told(centre, "barge", "refused")
    both = (CALLER, ANNA)
    await ears.now("refused", caller=(call.leg, (ANNA,)), anna=(anna, (CALLER,)), trainee=(trainee, both))
    # the phone is the supervisor's, in use and private
    assert ccbridge(centre, "monitor", "ben", "--to", "trainee", code=1) == "PJSIP/1007 monitors anna already"
    await trainee.hangup()
    await call.hangup()
    await ears.judge()
    rows = await centre.until_rows(
        7,
        "SELECT who, whom, door, what, reason, by FROM control_audit WHERE result = 'refused' ORDER BY seq",
    )
    found = [tuple(row.values())[:4] for row in rows]
    assert found[:2] == [("sue", "chloe", "cli", "monitor"), ("trainee", "anna", "api", "monitor")]
    assert found[6] == ("trainee", "anna", "phone", "barge")
    assert rows[6]["reason"] == "a trainee may not barge"
    assert rows[6]["by"] == "PJSIP/1007"
    shown = ccbridge(centre, "audit", "--supervisor", "trainee")
    assert "a trainee may not barge" in shown
    assert len(shown.splitlines()) > 6
    await centre.audit()


async def test_a_new_daemon_lets_nobody_listen_on(centre: Site, phones: Phones, carrier: Carrier) -> None:
    """The caller goes on; the supervisor is hung up, and that is in the audit."""
    call, name, _ = await talk(centre, phones, carrier)
    ccbridge(centre, "monitor", "anna", "--to", "sue", "--mode", "whisper")
    sue = await phones["1006"].talks()
    await until_told(centre, "whisper", "done")
    centre.daemon.kill()
    assert sue.live
    centre.daemon.start()
    await sue.ended()
    await until_told(centre, "monitor", "ended")
    last = centre.controls()[-1]
    assert last["reason"] == "left by a daemon that has ended"
    assert last["control"] == centre.controls()[0]["control"]
    assert centre.ask("monitor.list") == []
    assert call.leg.live
    await call.hangup()
    assert (await centre.until_closed(name))["disposition"] == "answered"
    await centre.audit()
    assert centre.oddities() == []


async def test_a_lost_link_and_a_lost_event(
    make_site: Callable[..., Site], pbx: Pbx, phones: Phones, carrier: Carrier, ears: Ears
) -> None:
    """He hears on; and an end that no event told is found by the sweep."""
    with Sieve((pbx.ami_host, pbx.ami_port)) as sieve:
        site = make_site(asterisk={"port": sieve.port}, **PEOPLE)
        await phones["1001"].will("answer", after=0.1, tone=ANNA)
        await phones["1006"].will("answer", after=0.1, tone=0)
        site.login("anna")
        call, _, _ = await talk(site, phones, carrier)
        ccbridge(site, "monitor", "anna", "--to", "sue")
        sue = await phones["1006"].talks()
        await until_told(site, "listen", "done")
        session = site.ask("monitor.list")[0]["session"]
        since = site.ask("status")["link"]["since"]
        sieve.cut()
        await site.until(lambda: site.ask("status")["link"]["since"] not in (None, since))
        await ears.now("after the link", sue=(sue, (CALLER, ANNA)))
        assert [one["session"] for one in site.ask("monitor.list")] == [session]
        sieve.loses = lambda message: message.get("Uniqueid") == session
        await sue.hangup()
        await asyncio.sleep(0.5)
        assert site.ask("monitor.list")
        await site.until(lambda: site.ask("monitor.list") == [], 45.0)
        assert site.controls()[-1]["reason"] == "its end was not told"
        await call.hangup()
        await ears.judge()
        await site.audit()
        assert site.oddities() == []


async def test_a_supervisor_who_is_an_agent(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    """His phone is in use while he listens: he gets no caller; a call that nobody answers is told."""
    people = {"sue": {**PEOPLE["supervisors"]["sue"], "device": "PJSIP/1002"}}
    site = make_site(departments=PEOPLE["departments"], supervisors=people)
    site.login("anna", "ben")
    ccbridge(site, "monitor", "anna", "--to", "sue")
    await phones["1002"].talks()
    await site.until_agent("ben", "busy_elsewhere")
    call, _, _ = await talk(site, phones, carrier)
    await until_told(site, "listen", "done")
    waiting, second = await site.hold(carrier, SALES)
    assert site.agent("ben")["state"] == "busy_elsewhere"
    await phones["1002"].hangup()
    await site.until_event(second, "answered", agent="ben")
    refused = ccbridge(site, "monitor", "anna", "--to", "sue", code=1)
    assert refused == "PJSIP/1002 is in use"
    for one in (call, waiting):
        await one.hangup()
    await site.until_agent("ben", "available")
    await phones["1002"].will("refuse")
    ccbridge(site, "monitor", "anna", "--to", "sue")
    await until_told(site, "monitor", "failed")
    await site.until(lambda: site.ask("monitor.list") == [])
    await site.audit()
    assert site.oddities() == []
