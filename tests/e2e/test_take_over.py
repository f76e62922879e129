"""Supervisors who take a caller over from an agent: what each person hears is told by tones."""

from __future__ import annotations

import asyncio
import itertools
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
    told,
    until_agreed,
    until_told,
)
from test_supervisor_codes import NOT_NOW, dials, said

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Lab
from ccbridge.lab.machine import Since
from ccbridge.lab.tones import tone_spans

pytestmark = [pytest.mark.lab, pytest.mark.pg]


@pytest.fixture
async def centre(make_site: Callable[..., Site], phones: Phones) -> Site:
    site = make_site(jobs=True, **PEOPLE)
    await phones["1001"].will("answer", after=0.1, tone=ANNA)
    await phones["1006"].will("answer", after=0.1, tone=SUE)
    site.login("anna")
    return site


async def test_take_over_by_code(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears, machine: Since
) -> None:
    call, name, anna = await talk(centre, phones, carrier)
    await ears.now("before", caller=(call.leg, (ANNA,)), anna=(anna, (CALLER,)))
    sue = await dials(phones, "1006", "*0941001")
    await anna.ended()
    row = await centre.until_agent("anna", "wrap_up")
    assert row["call"] in (None, name)
    await ears.now("after", caller=(call.leg, (SUE,)), sue=(sue, (CALLER,)))
    assert centre.ask("monitor.list")[0]["state"] == "in_charge"
    assert ccbridge(centre, "monitor", "--stop") == "nobody monitors so"  # that would drop the caller
    await centre.until_agent("anna", "available")
    await call.hangup()
    await sue.ended()
    account = await centre.until_closed(name)
    assert (account["disposition"], account["ended_by"], account["agent"]) == ("answered", "caller", "anna")
    (leg,) = account["legs"]
    assert (leg["agent"], leg["end"]) == ("anna", "taken_over")
    await ears.judge()
    # one tone after the other, without a hole between them
    spans = sorted([*tone_spans(call.leg.heard, ANNA), *tone_spans(call.leg.heard, SUE)])
    holes = [later[0] - earlier[1] for earlier, later in itertools.pairwise(spans)]
    assert max(holes, default=0.0) * 1000 <= GAP_MS + machine.late_s * 1000, spans
    (passed,) = centre.events(name, "transferred")
    assert passed["data"] == {"how": "taken_over", "target": "1006", "agent": "anna", "by": "sue"}
    steps = [one[:2] for one in told(centre)]
    assert steps == [
        ("monitor", "asked"), ("monitor", "done"), ("take_over", "done"), ("take_over", "ended"),
        ("monitor", "ended"),
    ]  # fmt: skip
    shown = ccbridge(centre, "call", "explain", name)
    assert "sue takes the caller over from anna." in shown
    await centre.audit()
    assert centre.oddities() == []
    await until_agreed(centre)
    journal = centre.folder / "journal"
    files = map(str, sorted((journal / "inputs").iterdir()))
    said = ccbridge(centre, "replay", *files, "--journal", str(journal), "--json")
    assert json.loads(said)["differences"] == []


async def test_who_listens_takes_over_by_key_and_hangs_up_first(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears
) -> None:
    sue = await dials(phones, "1006", "*0911001")
    await until_told(centre, "monitor", "done")
    await sue.press("7")
    await until_told(centre, "take_over", "failed")
    await ears.now("nobody there", sue=(sue, (MUSIC,)))
    call, name, anna = await talk(centre, phones, carrier)
    await until_told(centre, "listen", "done")
    await sue.press("7")
    await until_told(centre, "take_over", "done")
    await anna.ended()
    await ears.now("after", caller=(call.leg, (SUE,)), sue=(sue, (CALLER,)))
    await sue.hangup()
    account = await centre.until_closed(name)
    assert (account["disposition"], account["ended_by"]) == ("answered", "target")
    await call.leg.ended()
    await ears.judge()
    await until_told(centre, "monitor", "ended")
    ended = next(one for one in centre.controls() if one["what"] == "take_over" and one["seconds"])
    assert (ended["call"], ended["result"], ended["door"]) == (name, "ended", "phone")
    await centre.audit()
    assert centre.oddities() == []


async def test_by_command_and_through_hold(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears
) -> None:
    """A caller whom the agent has put on hold hears the supervisor, and no music."""
    refused = ccbridge(centre, "monitor", "anna", "--to", "sue", "--mode", "take_over", code=1)
    assert refused == "the agent has no caller on the line"
    call, name, anna = await talk(centre, phones, carrier)
    refused = ccbridge(centre, "monitor", "anna", "--to", "trainee", "--mode", "take_over", code=1)
    assert refused == "a trainee may not take over"
    await phones["1001"].hold()
    await centre.until_event(name, "held")
    await ears.now("held", caller=(call.leg, (MUSIC,)))
    ccbridge(centre, "monitor", "anna", "--to", "sue", "--mode", "take_over")
    sue = await phones["1006"].talks()
    await until_told(centre, "take_over", "done")
    await anna.ended()
    await ears.now("after", caller=(call.leg, (SUE,)), sue=(sue, (CALLER,)))
    await call.hangup()
    await centre.until_closed(name)
    await sue.ended()
    await ears.judge()
    await centre.audit()
    assert centre.oddities() == []


async def test_who_may_not_and_nobody_to_take(
    centre: Site, phones: Phones, carrier: Carrier, lab: Lab
) -> None:
    assert await said(lab, await dials(phones, "1006", "*0941001")) == NOT_NOW  # he has no caller
    call, name, anna = await talk(centre, phones, carrier)
    assert await said(lab, await dials(phones, "1007", "*0941001")) == NOT_NOW
    assert await said(lab, await dials(phones, "1002", "*0941001")) == NOT_NOW
    assert anna.live
    reasons = [one["reason"] for one in centre.controls() if one["result"] == "refused"]
    assert reasons == [
        "the agent has no caller on the line", "a trainee may not take over", "no supervisor has this phone",
    ]  # fmt: skip
    for wait in (0.0, 0.005, 0.02, 0.05, 0.1):  # hung up in the middle: the caller is with one of them
        leg = await dials(phones, "1006", "*0941001")
        await asyncio.sleep(wait)
        await leg.hangup()
        if not anna.live or not call.leg.live:
            break
    if anna.live:
        assert call.leg.live
        await call.hangup()
    account = await centre.until_closed(name)
    assert account["disposition"] == "answered"
    await centre.until(lambda: centre.ask("monitor.list") == [], 60.0)
    await centre.audit()
    assert centre.oddities() == []


async def test_a_daemon_that_dies_leaves_the_caller_with_him(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears
) -> None:
    call, name, anna = await talk(centre, phones, carrier)
    sue = await dials(phones, "1006", "*0941001")
    await anna.ended()
    await until_told(centre, "take_over", "done")
    centre.daemon.kill()
    centre.daemon.start()
    await centre.until_agent("anna", "available")
    await ears.now("after", caller=(call.leg, (SUE,)), sue=(sue, (CALLER,)))
    await call.hangup()
    await sue.ended()
    account = await centre.until_closed(name)
    assert (account["disposition"], [leg["end"] for leg in account["legs"]]) == ("answered", ["taken_over"])
    await ears.judge()
    await centre.audit()
    assert centre.oddities() == []


async def test_a_supervisor_who_is_an_agent_has_a_talk(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    """At his phone he is the agent, too: the caller's second leg is his, with wrap-up."""
    people = {**PEOPLE["supervisors"], "ben": {**PEOPLE["supervisors"]["sue"], "device": "PJSIP/1002"}}
    site = make_site(departments=PEOPLE["departments"], supervisors=people)
    await phones["1001"].will("answer", after=0.1, tone=ANNA)
    site.login("anna", "ben")
    call, name = await site.dial(carrier, SALES)
    await site.until_event(name, "answered")
    taken = site.events(name, "answered")[0]["data"]["agent"]
    number, other, theirs = ("1001", "1002", "ben") if taken == "anna" else ("1002", "1001", "anna")
    if theirs == "anna":
        await call.hangup()
        await site.until_closed(name)
        site.ask("agent.pause", agent="ben", reason="lunch")
        call, name = await site.dial(carrier, SALES)
        await site.until_event(name, "answered", agent="anna")
        number, other, theirs = "1001", "1002", "ben"
    sue = await dials(phones, other, f"*094{number}", BEN)
    await site.until_event(name, "joined", agent=theirs)
    await site.until_agent("anna", "wrap_up")
    assert site.agent(theirs)["state"] == "talking"
    await sue.hangup()
    account = await site.until_closed(name)
    assert [(leg["agent"], leg["end"]) for leg in account["legs"]] == [
        ("anna", "taken_over"),
        ("ben", "agent"),
    ]
    await site.audit()
    assert site.oddities() == []
