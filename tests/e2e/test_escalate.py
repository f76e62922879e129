"""An agent brings the supervisor on duty into his talk: what each person hears is told by tones."""

from __future__ import annotations

import asyncio
import getpass
import itertools
import time
from collections.abc import Awaitable, Callable

import pytest
from e2e_rig import SALES, Site
from ears import (
    ANNA,
    BEN,
    CALLER,
    GAP_MS,
    PEOPLE,
    SUE,
    Ears,
    Phones,
    ccbridge,
    since_end,
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
from ccbridge.lab.tones import FRAME, RATE, samples, share, tone_spans

pytestmark = [pytest.mark.lab, pytest.mark.pg]

CHIEF = BEN  # ben is not on the line
RING_S = 4
SOUNDS = ("auth-thankyou", "im-sorry", "feature-not-avail-line", "please-try-call-later")
BRIEFED = ("vm-from-phonenumber", "digits/6", "number")
Hears = Callable[..., Awaitable[list[str]]]


@pytest.fixture
async def centre(make_site: Callable[..., Site], phones: Phones) -> Site:
    site = make_site(jobs=True, **PEOPLE, supervision={"ring": RING_S})
    for phone, tone in (("1001", ANNA), ("1005", CHIEF), ("1006", SUE)):
        await phones[phone].will("answer", after=0.1, tone=tone)
    site.login("anna")
    return site


@pytest.fixture
def hears(lab: Lab) -> Hears:
    """Which sounds were heard on a leg that has ended."""

    async def heard(leg: Leg, sounds: tuple[str, ...] = SOUNDS) -> list[str]:
        return await played_to(leg, lab, sounds)

    return heard


def steps(site: Site) -> list[tuple[str, str, str]]:
    """(result, whom, reason) of what was asked for."""
    rows = [one for one in site.controls() if one["what"] == "escalate"]
    return [(one["result"], one["whom"], one["reason"]) for one in rows]


async def until_ended(site: Site, times: int = 1) -> None:
    """The escalation, and with it the supervisor's session."""
    await site.until(
        lambda: sum(one[0] == "ended" for one in steps(site)) >= times and not site.ask("monitor.list")
    )


async def agree(site: Site) -> None:
    await site.audit()
    assert site.oddities() == []
    await until_agreed(site)


async def test_a_key_brings_him_in(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears, hears: Hears, machine: Since
) -> None:
    """He alone hears whose call it is; then all three talk, without a hole; he may leave again."""
    call, name, anna = await talk(centre, phones, carrier)
    (row,) = await centre.until_rows(1, "SELECT id FROM ticket WHERE call_id = %s", name)
    await asyncio.sleep(1.0)
    await anna.press("*34")
    sue = await phones["1006"].talks()
    assert phones["1006"].shown.name == "help: anna"
    await until_told(centre, "monitor", "done")
    await ears.now("told", caller=(call.leg, (ANNA,)), anna=(anna, (CALLER,)))
    since = time.time()  # his key has taken her a moment before
    await until_told(centre, "escalate", "done")
    await ears.now(
        "all three", caller=(call.leg, (ANNA, SUE)), anna=(anna, (CALLER, SUE)), sue=(sue, (CALLER, ANNA))
    )
    assert centre.agent("anna")["state"] == "talking"
    await sue.hangup()
    await until_ended(centre)
    await ears.now("again two", caller=(call.leg, (ANNA,)), anna=(anna, (CALLER,)))
    await anna.hangup()
    account = await centre.until_closed(name)
    assert [(leg["agent"], leg["end"]) for leg in account["legs"]] == [("anna", "agent")]
    await ears.judge(from_end=True)
    assert await hears(sue, BRIEFED) == list(BRIEFED)
    assert await hears(call.leg, BRIEFED) == await hears(anna, BRIEFED) == []
    for leg, tone in ((call.leg, ANNA), (anna, CALLER)):
        assert hole_ms(leg, since, tone) <= GAP_MS + machine.late_s * 1000
    assert steps(centre) == [("asked", "", ""), ("done", "sue", ""), ("ended", "sue", "hung up")]
    rows = [one for one in centre.controls() if one["what"] == "escalate"]
    assert {(one["who"], one["by"], one["door"], one["call"]) for one in rows} == {
        ("anna", "PJSIP/1001", "phone", name)
    }
    assert rows[-1]["seconds"] > 1
    assert isinstance(row["id"], int)
    await agree(centre)


def hole_ms(leg: Leg, since: float, *tones: int) -> float:
    """The longest time without any of these tones, from that moment on to the last of them."""
    begin = since_end(leg, since)
    spans = sorted(span for tone in tones for span in tone_spans(leg.heard, tone) if span[1] > begin)
    ends = itertools.accumulate((end for _, end in spans), max)
    return max((later[0] - end for later, end in zip(spans[1:], ends, strict=False)), default=0.0) * 1000


async def test_the_agent_leaves_and_he_stays(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears, machine: Since
) -> None:
    call, name, anna = await talk(centre, phones, carrier)
    await anna.press("*35")  # nobody is there yet
    await until_told(centre, "take_over", "refused")
    await asyncio.sleep(1.5)  # while her phone beeps no key is heard
    await anna.press("*34")
    sue = await phones["1006"].talks()
    await sue.press("1")  # he need not hear it all
    await until_told(centre, "escalate", "done")
    await asyncio.sleep(1.0)
    await anna.press("*35")
    since = time.time()  # while a key is down the caller hears nothing, whatever it does
    await anna.ended()
    row = await centre.until_agent("anna", "wrap_up")
    assert row["call"] in (None, name)
    await ears.now("alone", caller=(call.leg, (SUE,)), sue=(sue, (CALLER,)))
    await call.hangup()
    await sue.ended()
    account = await centre.until_closed(name)
    assert [(leg["agent"], leg["end"]) for leg in account["legs"]] == [("anna", "taken_over")]
    await until_ended(centre)
    await ears.judge(from_end=True)
    assert hole_ms(call.leg, since, ANNA, SUE) <= GAP_MS + machine.late_s * 1000
    taken = [one for one in centre.controls() if one["what"] == "take_over"]
    assert [(one["result"], one["by"]) for one in taken] == [
        (result, "PJSIP/1001") for result in ("asked", "refused", "asked", "done", "ended")
    ]
    await agree(centre)


async def test_by_command_and_he_takes_over(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears, machine: Since
) -> None:
    refused = ccbridge(centre, "call", "escalate", "1700.1", code=1)
    assert refused == "nobody talks in a call of this id"
    call, name, anna = await talk(centre, phones, carrier)
    assert ccbridge(centre, "call", "escalate", name) == "sue is rung for anna"
    assert ccbridge(centre, "call", "escalate", name, code=1) == "sue is asked already"
    since = time.time()
    sue = await phones["1006"].talks()
    await until_told(centre, "monitor", "done")
    refused = ccbridge(centre, "monitor", "anna", "--to", "sue", "--mode", "take_over", code=1)
    assert refused == "he is being told whose call it is"
    await sue.press("1")
    await until_told(centre, "escalate", "done")
    await ears.now("all three", caller=(call.leg, (ANNA, SUE)), anna=(anna, (CALLER, SUE)))
    await sue.press("7")
    await anna.ended()
    await ears.now("alone", caller=(call.leg, (SUE,)), sue=(sue, (CALLER,)))
    await sue.hangup()
    await call.leg.ended()
    await until_ended(centre)
    await ears.judge()
    # without keys of hers nearly all of the talk is on record, but for its very beginning
    for leg, tones in ((call.leg, (ANNA, SUE)), (anna, (CALLER,))):
        assert hole_ms(leg, since, *tones) <= GAP_MS + machine.late_s * 1000
        assert leg.answered_at is not None
        lost_s = since - leg.answered_at - since_end(leg, since)
        assert lost_s < 0.2 + machine.late_s
    doors = {(one["result"], one["door"]) for one in centre.controls() if one["what"] == "escalate"}
    assert doors == {(one, "cli") for one in ("asked", "refused", "done", "ended")}
    await agree(centre)


async def test_by_code_from_a_second_line(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears, hears: Hears
) -> None:
    """The first does not answer: the next one is rung, and is heard when the caller is off hold."""
    await phones["1006"].will("ring")
    assert await hears(await dialled(phones)) == ["im-sorry", "feature-not-avail-line"]  # there is no talk
    call, name, _ = await talk(centre, phones, carrier)
    await phones["1001"].hold()
    assert await hears(await dialled(phones)) == ["auth-thankyou"]
    await phones["1001"].unhold()
    await phones["1006"].rings()
    chief = await phones["1005"].talks()
    await chief.press("1")
    await until_told(centre, "escalate", "done")
    await ears.now("all three", caller=(call.leg, (ANNA, CHIEF)), chief=(chief, (CALLER, ANNA)))
    await call.hangup()  # who came for this talk alone is not kept
    await chief.ended()
    await centre.until_closed(name)
    await until_ended(centre)
    await ears.judge()
    assert steps(centre) == [
        ("asked", "", ""), ("refused", "", "the agent has no caller on the line"),
        ("asked", "", ""), ("failed", "sue", "no answer"), ("done", "chief", ""),
        ("ended", "chief", "the talk is over"),
    ]  # fmt: skip
    assert phones["1007"].legs == []  # a trainee is not rung
    await agree(centre)


async def dialled(phones: Phones, phone: str = "1001") -> Leg:
    return await (await phones[phone].dial("*098", tone=0)).answered()


async def test_nobody_is_there_and_nobody_answers(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears, hears: Hears
) -> None:
    """The agent is told by a tone, and talks on."""
    await phones["1006"].will("refuse")
    await phones["1005"].will("busy")
    call, name, anna = await talk(centre, phones, carrier)
    assert ccbridge(centre, "call", "escalate", name) == "sue is rung for anna"
    await centre.until(lambda: len(steps(centre)) == 4)
    await asyncio.sleep(1.5)  # the tone takes its time
    await ears.now("two", caller=(call.leg, (ANNA,)), anna=(anna, (CALLER,)))
    await anna.hangup()
    await centre.until_closed(name)
    await call.leg.ended()
    assert 0.1 < disturbed(anna, CALLER) < 1.0
    assert disturbed(call.leg, ANNA) < 0.1
    assert [one[:2] for one in steps(centre)] == [
        ("asked", ""), ("failed", "sue"), ("failed", "chief"), ("failed", "")
    ]  # fmt: skip
    for phone in ("1005", "1006"):
        await phones[phone].unregister()
    await centre.until(lambda: {"UNAVAILABLE"} == states(centre))
    await centre.until_agent("anna", "available")
    call, name, anna = await talk(centre, phones, carrier)
    refused = ccbridge(centre, "call", "escalate", name, code=1)
    assert refused == "no supervisor is there"
    await anna.press("*34")
    await centre.until(lambda: [one[0] for one in steps(centre)].count("refused") == 2)
    await asyncio.sleep(1.5)
    await anna.hangup()
    await centre.until_closed(name)
    await ears.judge()
    assert await hears(anna, ("beeperr",)) == ["beeperr"]
    for phone in ("1005", "1006"):
        await phones[phone].register()
    await agree(centre)


def disturbed(leg: Leg, tone: int) -> float:
    """Seconds from the tone's beginning to its end in which there is something else beside it."""
    data = samples(leg.heard)
    frames = [share(data[at : at + FRAME], tone) for at in range(0, len(data) - FRAME + 1, FRAME)]
    clear = [n for n, one in enumerate(frames) if one > 0.9]
    return sum(one < 0.95 for one in frames[clear[0] : clear[-1]]) * FRAME / RATE


def states(site: Site) -> set[str]:
    """Of the phones of those on duty, by what a command to ring them answers."""
    found = set()
    for who in ("sue", "chief"):
        answer = site.daemon.ask("monitor.start", agent="chloe", to=who, **{"as": "chief"})
        found.add("UNAVAILABLE" if "not reachable" in answer.text else answer.text)
    return found


async def test_who_listens_already_is_heard(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears, hears: Hears
) -> None:
    """At once, nobody is rung, and with the talk it is over: the next caller does not hear him."""
    call, name, anna = await talk(centre, phones, carrier)
    sue = await (await phones["1006"].dial("*0911001", tone=SUE)).answered()
    await until_told(centre, "listen", "done")
    await asyncio.sleep(1.0)  # the caller has heard music until a moment ago
    await ears.now("listens", caller=(call.leg, (ANNA,)), anna=(anna, (CALLER,)), sue=(sue, (CALLER, ANNA)))
    await anna.press("*34")
    await until_told(centre, "escalate", "done")
    await asyncio.sleep(1.0)  # her phone beeps
    await ears.now("all three", caller=(call.leg, (ANNA, SUE)), anna=(anna, (CALLER, SUE)))
    await anna.hangup()
    await centre.until_closed(name)
    await until_told(centre, "escalate", "ended")
    call, name, anna = await talk(centre, phones, carrier)
    await until_told(centre, "listen", "done", 2)
    await ears.now("next", caller=(call.leg, (ANNA,)), anna=(anna, (CALLER,)), sue=(sue, (CALLER, ANNA)))
    await sue.hangup()
    await anna.hangup()
    await centre.until_closed(name)
    await ears.judge(from_end=True)
    assert steps(centre) == [("asked", "", ""), ("done", "sue", ""), ("ended", "sue", "the talk is over")]
    assert await hears(sue, ("beep",)) == ["beep"]
    assert phones["1005"].legs == []
    assert len(phones["1006"].legs) == 1  # his own
    await agree(centre)


async def test_hanging_up_in_the_middle(centre: Site, phones: Phones, carrier: Carrier) -> None:
    """Whoever it is, and whenever: the others go on, or are let go, and nothing is left of it."""
    await phones["1005"].will("ring")
    for who in ("caller while it rings", "caller while he is told", "agent while he is told", "supervisor"):
        await phones["1006"].will("ring" if who.endswith("rings") else "answer", after=0.1, tone=SUE)
        await phones["1006"].idle()
        await phones["1005"].idle()
        await centre.until_agent("anna", "available")
        call, name, anna = await talk(centre, phones, carrier)
        ccbridge(centre, "call", "escalate", name)
        if who.endswith("rings"):
            await phones["1006"].rings()
        else:
            await phones["1006"].talks()
            await asyncio.sleep(0.5)
        if who == "supervisor":
            await phones["1006"].hangup()
            await phones["1005"].rings()  # the next one
            assert anna.live
            assert call.leg.live
            await call.hangup()
        elif who.startswith("agent"):
            await anna.hangup()
        else:
            await call.hangup()
        await centre.until_closed(name)
        await phones["1006"].idle()
        await phones["1005"].idle()
        await centre.until(lambda: centre.ask("monitor.list") == [])
    rows = centre.controls()
    ends = {one["control"] for one in rows if one["result"] in ("failed", "ended")}
    assert {one["control"] for one in rows} == ends
    assert [one for one in steps(centre) if one[0] == "done"] == []
    await centre.until(lambda: centre.ask("status")["agi_sessions"] == 0)
    await agree(centre)


@pytest.mark.parametrize("when", ["he is rung", "he is told", "all three talk"])
async def test_a_daemon_that_is_killed(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears, when: str
) -> None:
    """Agent and caller talk on; whom it has rung is let go by the next one, at the latest."""
    if when == "he is rung":
        await phones["1006"].will("answer", after=1.5, tone=SUE)
    call, name, anna = await talk(centre, phones, carrier)
    ccbridge(centre, "call", "escalate", name)
    if when == "he is rung":
        sue = await phones["1006"].rings()
    else:
        sue = await phones["1006"].talks()
    if when == "all three talk":
        await sue.press("1")
        await until_told(centre, "escalate", "done")
    centre.daemon.kill()
    await anna.press("*34")  # refused, after a second
    await asyncio.sleep(2.0)
    centre.daemon.start()
    await sue.ended(60.0)
    await ears.now("two", caller=(call.leg, (ANNA,)), anna=(anna, (CALLER,)))
    assert centre.ask("monitor.list") == []
    # and it can be asked for again
    await phones["1006"].will("answer", after=0.1, tone=SUE)
    await centre.until(lambda: centre.daemon.ask("call.escalate", call=name).ok)
    sue = await phones["1006"].talks()
    await sue.press("1")
    await until_told(centre, "escalate", "done", 2 if when == "all three talk" else 1)
    await anna.hangup()
    await sue.ended()
    account = await centre.until_closed(name)
    assert account["disposition"] == "answered"
    await ears.judge(from_end=True)
    assert ("escalate", "ended") in [one[:2] for one in told(centre)]
    await centre.until(lambda: centre.ask("monitor.list") == [])
    await agree(centre)


async def test_he_is_of_the_agents_department(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    """A supervisor who is a user of this machine asks for it in his departments only."""
    sue = {**PEOPLE["supervisors"]["sue"], "departments": ["back"], "user": getpass.getuser()}
    people = {"sue": sue}
    site = make_site(
        departments=PEOPLE["departments"], supervisors=people, agents={"anna": {"queues": ["sales"]}}
    )
    await phones["1001"].will("answer", after=0.1, tone=ANNA)
    site.login("anna")
    call, name = await site.dial(carrier, SALES)
    await site.until_event(name, "answered", agent="anna")
    refused = ccbridge(site, "call", "escalate", name, code=1)
    assert refused == "sue supervises none of the agent's departments"
    leg = phones["1001"].leg
    assert leg is not None
    await leg.press("*34")  # nor is he rung for her
    await until_told(site, "escalate", "refused", 2)
    assert phones["1006"].legs == []
    await call.hangup()
    await site.until_closed(name)
    await site.audit()
    assert site.oddities() == []
