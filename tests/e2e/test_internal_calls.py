"""Agents call a colleague by his number, and the supervisor on duty: who hears whom is told by tones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from e2e_rig import SALES, Site
from ears import ANNA, BEN, PEOPLE, SUE, Ears, Phones, told, until_agreed, until_told
from spoken import played_to

from ccbridge import pins
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Lab
from ccbridge.lab.legs import Leg

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Says = Callable[[Leg], Awaitable[list[str]]]
CHIEF = 1500  # Hz: ben is not on the line meanwhile
RING_S = 3
SOUNDS = (
    "pm-invalid-option", "im-sorry", "feature-not-avail-line", "please-try-call-later", "agent-loggedoff",
    "number-not-answering",
)  # fmt: skip
NOBODY = ["im-sorry", "agent-loggedoff"]
NOT_NOW = ["im-sorry", "feature-not-avail-line"]
AWAY = ["im-sorry", "please-try-call-later"]
LOGGED_OFF = ["agent-loggedoff"]
INVALID = ["pm-invalid-option"]
NO_ANSWER = ["number-not-answering"]


@pytest.fixture
async def centre(make_site: Callable[..., Site], phones: Phones) -> Site:
    site = make_site(jobs=True, **PEOPLE, supervision={"ring": RING_S})
    for phone, tone in (("1001", ANNA), ("1002", BEN), ("1005", CHIEF), ("1006", SUE)):
        await phones[phone].will("answer", after=0.1, tone=tone)
    site.login("anna")
    return site


@pytest.fixture
def says(lab: Lab) -> Says:
    """The sounds that were heard until the PBX hung up."""

    async def heard(leg: Leg) -> list[str]:
        return await played_to(leg, lab, SOUNDS)

    return heard


async def dials(phones: Phones, code: str, phone: str = "1001") -> Leg:
    return await (await phones[phone].dial(code, tone=ANNA)).answered()


def steps(site: Site) -> list[tuple[str, str, str, str]]:
    """(what, result, whom, reason) of all that anna has asked for, or somebody where nobody is logged in."""
    rows = site.controls()
    assert {(one["who"], one["door"]) for one in rows} <= {("anna", "phone"), ("", "phone")}
    return [(one["what"], one["result"], one["whom"], one["reason"]) for one in rows]


async def quiet_end(site: Site) -> None:
    """Nobody had a talk, no caller has come, and all records agree."""
    await site.audit()
    assert site.oddities() == []
    assert site.records("call_opened") == []
    assert {one["state"] for one in site.records("agent_event")} <= {
        "logged_out", "available", "busy_elsewhere", "unreachable",
    }  # fmt: skip
    await until_agreed(site)


async def test_call_a_colleague(centre: Site, phones: Phones, ears: Ears) -> None:
    """At his own phone, and where he has logged in instead; both are busy elsewhere meanwhile."""
    centre.login("ben")
    for phone in ("1002", "1007"):
        if phone == "1007":
            pins.keep(centre.folder / "pins", "ben", "4711")
            await phones["1007"].will("answer", after=0.1, tone=BEN)
            await centre.until_agent("ben", "available")
            leg = await (await phones["1007"].dial("*011002", tone=0)).answered()
            while leg.live:
                await asyncio.sleep(1.0)
                if leg.live:
                    await leg.press("4711#")
            await centre.until(lambda: centre.agent("ben")["device"] == "PJSIP/1007")
            await centre.until_agent("ben", "available")
        times = len([one for one in steps(centre) if one[1] == "ended"])
        anna = await dials(phones, "*0951002")
        ben = await phones[phone].talks()
        await until_told(centre, "call_colleague", "done", times + 1)
        await centre.until_agent("anna", "busy_elsewhere")
        await centre.until_agent("ben", "busy_elsewhere")
        await ears.now(phone, anna=(anna, (BEN,)), ben=(ben, (ANNA,)))
        await (ben if phone == "1002" else anna).hangup()  # either may end it
        await anna.ended()
        await ben.ended()
        await until_told(centre, "call_colleague", "ended", times + 1)
        await centre.until_agent("anna", "available")
        await centre.until_agent("ben", "available")
    await ears.judge(from_end=True)
    once = [("call_colleague", one, "ben", "") for one in ("asked", "done", "ended")]
    assert steps(centre) == once * 2
    assert all(one["seconds"] > 1 for one in centre.controls() if one["result"] == "ended")
    await centre.until_rows(6, "SELECT * FROM control_audit WHERE what = 'call_colleague' AND who = 'anna'")
    await quiet_end(centre)


async def test_colleagues_who_are_not_called(centre: Site, phones: Phones, says: Says) -> None:
    """Each refusal is said, and in the audit; who does not answer, too."""
    for code, heard in (
        ("*095999", INVALID), ("*0951001", NOT_NOW), ("*0951002", LOGGED_OFF),
        ("*095", INVALID), ("*09512345678901", INVALID),
    ):  # fmt: skip
        assert await says(await dials(phones, code)) == heard, code
    assert await says(await dials(phones, "*0951001", "1003")) == NOBODY
    refused = [one for one in steps(centre) if one[1] == "refused"]
    assert refused == [
        ("call_colleague", "refused", "", "no agent has this number"),
        ("call_colleague", "refused", "anna", "it is his own number"),
        ("call_colleague", "refused", "ben", "he is not logged in"),
        ("call_colleague", "refused", "", "nobody is logged in at this phone"),
    ]
    centre.login("ben")
    await centre.until_agent("ben", "available")
    await phones["1002"].will("busy")
    assert await says(await dials(phones, "*0951002")) == NO_ANSWER
    await phones["1002"].will("forward", to="1003")  # what a phone says itself is not dialled either
    assert await says(await dials(phones, "*0951002")) == NO_ANSWER
    assert phones["1003"].leg is None
    await phones["1002"].unregister()
    await centre.until_agent("ben", "unreachable")
    assert await says(await dials(phones, "*0951002")) == NO_ANSWER
    assert steps(centre)[-1] == ("call_colleague", "refused", "ben", "his phone is not reachable")
    assert ("call_colleague", "failed", "ben", "busy") in steps(centre)
    await phones["1002"].register()
    await quiet_end(centre)


async def test_hanging_up_in_the_middle(centre: Site, phones: Phones) -> None:
    """At every moment: nobody rings on, and what was asked for has its end."""
    centre.login("ben")
    await centre.until_agent("ben", "available")
    await phones["1002"].will("ring")
    await phones["1006"].will("ring")
    for code in ("*0951002", "*096"):
        for wait in (0.0, 0.01, 0.05, 0.2, 0.6):
            leg = await dials(phones, code)
            await asyncio.sleep(wait)
            await leg.hangup()
    await centre.until(lambda: centre.ask("status")["agi_sessions"] == 0)
    for phone in ("1002", "1005", "1006"):
        await phones[phone].idle()
    await centre.until(lambda: settled(centre), 60.0)
    await quiet_end(centre)


def settled(site: Site) -> bool:
    """Each control that was asked for has ended."""
    rows = site.controls()
    ends = {one["control"] for one in rows if one["result"] in ("refused", "failed", "ended")}
    return {one["control"] for one in rows} == ends


async def test_call_the_supervisor(centre: Site, phones: Phones, ears: Ears) -> None:
    """The one of the department; the next one when he does not answer, refuses, or is in a call."""
    last = 0
    for sue, who, phone, tone in (
        ("answer", "sue", "1006", SUE), ("ring", "chief", "1005", CHIEF), ("refuse", "chief", "1005", CHIEF),
    ):  # fmt: skip
        await phones["1006"].will(sue, after=0.1, tone=SUE)
        leg = await dials(phones, "*096")
        other = await phones[phone].talks()
        last += 1
        await until_told(centre, "call_supervisor", "done", last)
        await centre.until_agent("anna", "busy_elsewhere")
        await ears.now(sue, anna=(leg, (tone,)), other=(other, (ANNA,)))
        await leg.hangup()
        await other.ended()
        await until_told(centre, "call_supervisor", "ended", last)
        assert steps(centre)[-1][2] == who
        await phones["1006"].idle()
        await centre.until_agent("anna", "available")
    assert phones["1007"].legs == []  # a trainee is not on duty
    # in a call he is not rung at all
    await phones["1006"].will("answer", after=0.1, tone=SUE)
    rung = len(phones["1006"].legs)
    own = await (await phones["1006"].dial("1004", tone=SUE)).answered()
    await centre.until(lambda: centre.agent("dimitris")["phone_state"] != "NOT_INUSE")
    leg = await dials(phones, "*096")
    await phones["1005"].talks()
    assert len(phones["1006"].legs) == rung + 1  # his own
    await leg.hangup()
    await own.hangup()
    await until_told(centre, "call_supervisor", "ended", last + 1)
    await ears.judge(from_end=True)
    reasons = [(one[2], one[3]) for one in steps(centre) if one[1] == "failed"]
    assert reasons[0] == ("sue", "no answer")
    assert reasons[1][0] == "sue"
    assert len(reasons) == 2
    await quiet_end(centre)


async def test_no_supervisor_and_none_who_answers(centre: Site, phones: Phones, says: Says) -> None:
    assert await says(await dials(phones, "*096", "1002")) == NOBODY  # who is not logged in has none
    for phone in ("1005", "1006"):
        await phones[phone].will("ring")
    assert await says(await dials(phones, "*096")) == NO_ANSWER
    assert steps(centre) == [
        ("call_supervisor", "refused", "", "nobody is logged in at this phone"),
        ("call_supervisor", "asked", "", ""),
        ("call_supervisor", "failed", "sue", "no answer"),
        ("call_supervisor", "failed", "chief", "no answer"),
        ("call_supervisor", "failed", "", "no supervisor has answered"),
    ]
    for phone in ("1005", "1006"):
        await phones[phone].unregister()
    while steps(centre)[-1][1] != "refused":  # the daemon hears of it a moment later
        assert await says(await dials(phones, "*096")) == NO_ANSWER
    assert steps(centre)[-1] == ("call_supervisor", "refused", "", "no supervisor is there")
    for phone in ("1005", "1006"):
        await phones[phone].register()
    await quiet_end(centre)


async def test_a_daemon_that_is_dead(centre: Site, phones: Phones, ears: Ears, says: Says) -> None:
    """Who talks, talks on; who is rung in vain is told to call later; and a code says so at once."""
    centre.login("ben")
    await centre.until_agent("ben", "available")
    anna = await dials(phones, "*0951002")
    ben = await phones["1002"].talks()
    await phones["1006"].will("ring")
    centre.daemon.kill()
    assert await says(await dials(phones, "*096", "1003")) == AWAY
    await ears.now("without", anna=(anna, (BEN,)), ben=(ben, (ANNA,)))
    centre.daemon.start()
    await centre.until_agent("anna", "busy_elsewhere")
    await ears.now("with the next one", anna=(anna, (BEN,)), ben=(ben, (ANNA,)))
    await anna.hangup()
    await ben.ended()
    await centre.until_agent("anna", "available")
    leg = await dials(phones, "*096")
    await phones["1006"].rings()
    centre.daemon.kill()
    assert await says(leg) == AWAY
    centre.daemon.start()
    await ears.judge(from_end=True)
    await quiet_end(centre)


async def test_a_colleague_is_asked_while_the_caller_waits(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears
) -> None:
    """On a second line, with the caller on hold: the talk is anna's, and he is hers again."""
    centre.login("ben")
    centre.ask("agent.pause", agent="ben", reason="lunch")
    call, name = await centre.dial(carrier, SALES)
    await centre.until_event(name, "answered", agent="anna")
    await phones["1001"].hold()
    second = await dials(phones, "*0951002")
    ben = await phones["1002"].talks()
    await until_told(centre, "call_colleague", "done")
    await ears.now("asked", anna=(second, (BEN,)), ben=(ben, (ANNA,)))
    assert centre.agent("anna")["state"] == "talking"
    assert centre.agent("ben")["state"] == "paused"
    await second.hangup()
    await phones["1001"].unhold()
    await ears.now("back", caller=(call.leg, (ANNA,)))
    await call.hangup()
    account = await centre.until_closed(name)
    assert [(leg["agent"], leg["end"]) for leg in account["legs"]] == [("anna", "caller")]
    await ears.judge(from_end=True)
    assert told(centre)[-1][:2] == ("call_colleague", "ended")
    await centre.audit()
    assert centre.oddities() == []


async def answered_again(site: Site, name: str, times: int) -> None:
    await site.until(
        lambda: [one["data"]["agent"] for one in site.events(name, "answered")] == ["anna"] * times
    )


async def test_a_caller_who_is_passed_on_to_a_code(
    centre: Site, phones: Phones, carrier: Carrier, ears: Ears
) -> None:
    """A code is nothing for callers, and a phone that nobody answers no end: he is in line again."""
    for phone in ("1005", "1006"):
        await phones[phone].will("ring")
    call, name = await centre.dial(carrier, SALES)
    await answered_again(centre, name, 1)
    await phones["1001"].talks()
    await phones["1001"].transfer("*0951002")
    await answered_again(centre, name, 2)
    await phones["1001"].transfer("*096")
    await answered_again(centre, name, 3)
    # while it rings, he takes the place of the one who has dialled
    held = await phones["1001"].talks()
    second = await phones["1001"].consult("*096")
    await phones["1006"].rings()
    await held.refer("1001", replaces=second)
    await centre.until_agent("anna", "wrap_up")
    await answered_again(centre, name, 4)
    await asyncio.sleep(1.0)  # he has heard music until a moment ago
    anna = await phones["1001"].talks()
    await ears.now("again", caller=(call.leg, (ANNA,)), anna=(anna, (440,)))
    assert [phones[one].leg for one in ("1002", "1005", "1006")] == [None] * 3
    await anna.hangup()
    account = await centre.until_closed(name)
    ends = [(leg["agent"], leg["end"]) for leg in account["legs"]]
    assert ends == [("anna", "blind"), ("anna", "blind"), ("anna", "blonde"), ("anna", "agent")]
    assert (account["disposition"], account["ended_by"]) == ("answered", "agent")
    await ears.judge(from_end=True)
    await centre.audit()
    assert centre.oddities() == []
    await until_agreed(centre)
