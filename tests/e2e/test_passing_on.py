"""Calls that agents pass on with their phones: followed to their end, each agent's own talk, nobody twice.

Talk is compared with the phones' own clocks: what the phone that plays the agent saw of its leg.
"""

import asyncio
from typing import Any

import pytest
from e2e_rig import SUPPORT, Site

from ccbridge.lab.ami import AmiLink
from ccbridge.lab.carrier import Call, Carrier
from ccbridge.lab.legs import Leg
from ccbridge.lab.machine import Since
from ccbridge.lab.phones import Phone
from ccbridge.lab.tones import tone_spans

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
NEAR = 0.1  # seconds between our account and a phone's own clock
TALK_S = 0.8
OUTSIDE = "1008"  # a phone that is no agent's


async def talk(house: Site, phones: Phones, carrier: Carrier) -> tuple[Call, str, Leg]:
    """A caller (440 Hz) talks with anna (1000 Hz); ben (1500 Hz) would ring for half a second."""
    house.login("anna")
    await phones["1001"].will("answer", after=0.1, tone=1000)
    await phones["1002"].will("answer", after=0.5, tone=1500)
    call, name = await house.dial(carrier)
    leg = await phones["1001"].talks()
    await house.until_event(name, "answered")
    await asyncio.sleep(TALK_S)
    return call, name, leg


def heard(leg: Leg, tone: int) -> float:
    return sum(end - start for start, end in tone_spans(leg.heard, tone))


def seconds(leg: Leg) -> float:
    """How long the phone was in the call, by its own clock."""
    assert leg.answered_at is not None
    assert leg.ended_at is not None
    return leg.ended_at - leg.answered_at


async def keyed(leg: Leg, keys: str, number: str) -> None:
    await leg.press(keys)
    await asyncio.sleep(0.5)  # "transfer"
    await leg.press(number)


async def by_ami(house: Site, number: str) -> None:
    """What a softphone or an operator's panel does: Asterisk does not look whether there is such a number."""
    link = await AmiLink.open(house.lab.pbx.door, events="off")
    channels = await link.action("CoreShowChannels", until="CoreShowChannelsComplete")
    annas = next(one["Channel"] for one in channels if one.get("Channel", "").startswith("PJSIP/1001-"))
    await link.action("BlindTransfer", Channel=annas, Context="internal", Exten=number)
    await link.close()


async def account(house: Site, name: str) -> dict[str, Any]:
    """The call's account, as written and as shipped."""
    closed = await house.until_closed(name)
    row = (await house.until_rows(1, "SELECT * FROM call WHERE call_id = %s", name))[0]
    assert row["talk_s"] == pytest.approx(sum(leg["talk_s"] for leg in closed["legs"]), abs=0.01)
    assert [leg["agent"] for leg in row["legs"]] == [leg["agent"] for leg in closed["legs"]]
    return closed


def passed(house: Site, name: str) -> list[tuple[str, str, str]]:
    found = [event["data"] for event in house.events(name, "transferred")]
    return [(one["how"], one["agent"], one["target"]) for one in found]


async def ben_ends_it(house: Site, name: str, first: Leg, second: Leg, how: str) -> dict[str, Any]:
    """anna is in wrap-up, ben talks and hangs up: two legs, each as long as its phone says."""
    await house.until_event(name, "joined", agent="ben")
    state = house.agent("ben")
    assert (state["state"], state["call"]) == ("talking", name)
    await asyncio.sleep(TALK_S)
    await second.hangup()
    closed = await account(house, name)
    assert (closed["disposition"], closed["ended_by"], closed["agent"]) == ("answered", "agent", "ben")
    assert [(leg["agent"], leg["end"]) for leg in closed["legs"]] == [("anna", how), ("ben", "agent")]
    return closed


async def test_blind_to_another_agent(house: Site, phones: Phones, carrier: Carrier, machine: Since) -> None:
    """REFER. It is ben's call then: talk, wrap-up and outcome are his own."""
    call, name, first = await talk(house, phones, carrier)
    house.login("ben")
    await phones["1001"].transfer("1002")
    await house.until_agent("anna", "wrap_up")
    row = house.ask("call.show", call=name)
    assert row["state"] == "transferred"
    second = await phones["1002"].talks()
    closed = await ben_ends_it(house, name, first, second, "blind")
    assert passed(house, name) == [("blind", "anna", "1002")]
    assert closed["legs"][0]["talk_s"] == pytest.approx(seconds(first), abs=NEAR + machine.late_s)
    assert closed["legs"][1]["talk_s"] == pytest.approx(seconds(second), abs=NEAR + machine.late_s)
    assert heard(call.leg, 1000) > 0.5 - machine.late_s
    assert heard(call.leg, 1500) > 0.5 - machine.late_s
    assert heard(second, 440) > 0.5 - machine.late_s
    assert house.agent("ben")["state"] == "wrap_up"
    code = await phones["1002"].dial("*71")
    await code.ended()
    sql = "SELECT * FROM ticket WHERE call_id = %s AND outcome_set"
    assert (await house.until_rows(1, sql, name))[0]["agent"] == "ben"


async def test_attended_with_a_consultation(
    house: Site, phones: Phones, carrier: Carrier, machine: Since
) -> None:
    """REFER with Replaces. The consultation is anna's hold, and ben's time begins with the caller."""
    call, name, first = await talk(house, phones, carrier)
    await phones["1001"].consult("1002")
    second = await phones["1002"].talks()
    await house.until_event(name, "held")
    begun = asyncio.get_running_loop().time()
    await asyncio.sleep(TALK_S)
    assert house.agent("ben")["state"] != "talking"
    await phones["1001"].complete()
    asked = asyncio.get_running_loop().time() - begun
    closed = await ben_ends_it(house, name, first, second, "attended")
    assert passed(house, name) == [("attended", "anna", "1002")]
    one, two = closed["legs"]
    assert one["talk_s"] + one["hold_s"] == pytest.approx(seconds(first), abs=NEAR + machine.late_s)
    assert one["hold_s"] > asked - NEAR - machine.late_s
    assert one["talk_s"] == pytest.approx(TALK_S, abs=0.5 + machine.late_s)
    assert two["talk_s"] == pytest.approx(seconds(second) - asked, abs=0.3 + machine.late_s)
    assert heard(second, 1000) > 0.5 - machine.late_s
    assert heard(second, 440) > 0.5 - machine.late_s
    assert heard(call.leg, 1500) > 0.5 - machine.late_s
    assert heard(call.leg, 300) > 0.5 - machine.late_s


async def test_blonde(house: Site, phones: Phones, carrier: Carrier, machine: Since) -> None:
    """REFER with Replaces while the target still rings."""
    _, name, first = await talk(house, phones, carrier)
    await phones["1002"].will("answer", after=1.5, tone=1500)
    await phones["1001"].consult("1002")
    second = await phones["1002"].rings()
    await phones["1001"].complete()
    await house.until_agent("anna", "wrap_up")
    assert house.ask("call.show", call=name)["state"] == "transferred"
    await second.answered()
    closed = await ben_ends_it(house, name, first, second, "blonde")
    assert closed["legs"][1]["talk_s"] == pytest.approx(seconds(second), abs=NEAR + machine.late_s)


async def test_keys(house: Site, phones: Phones, carrier: Carrier, machine: Since) -> None:
    """`*2`: asks, and hangs up. Asterisk joins the others over a pair of Local channels, removed later."""
    call, name, first = await talk(house, phones, carrier)
    await keyed(first, "*2", "1002")
    second = await phones["1002"].talks()
    await asyncio.sleep(TALK_S)
    await first.hangup()
    closed = await ben_ends_it(house, name, first, second, "attended")
    assert passed(house, name) == [("attended", "anna", "1002")]
    one, two = closed["legs"]
    assert one["talk_s"] + one["hold_s"] == pytest.approx(seconds(first), abs=NEAR + machine.late_s)
    assert first.ended_at is not None
    assert second.ended_at is not None
    assert two["talk_s"] == pytest.approx(second.ended_at - first.ended_at, abs=NEAR + machine.late_s)
    assert heard(call.leg, 1500) > 0.3 - machine.late_s


async def test_back_into_a_queue(house: Site, phones: Phones, carrier: Carrier, machine: Since) -> None:
    """A blind transfer to a number of ours: the same call, a second stint, the wait counted anew."""
    house.login("chloe")
    await phones["1003"].will("answer", after=0.4)
    call, name, first = await talk(house, phones, carrier)
    await phones["1001"].transfer(SUPPORT)
    await house.until_event(name, "answered", agent="chloe")
    await asyncio.sleep(TALK_S)
    await call.hangup()
    closed = await account(house, name)
    assert (closed["disposition"], closed["queue"], closed["agent"]) == ("answered", "support", "chloe")
    assert passed(house, name) == [("blind", "anna", SUPPORT)]
    assert [one["queue"] for one in closed["stints"]] == ["sales"]
    assert 0.3 < closed["wait"] < 1.5
    assert closed["legs"][0]["talk_s"] == pytest.approx(seconds(first), abs=NEAR + machine.late_s)
    assert [leg["end"] for leg in closed["legs"]] == ["blind", "caller"]
    assert len(await house.until_rows(2, "SELECT * FROM recording WHERE call_id = %s", name)) == 2


@pytest.mark.full
async def test_blonde_by_keys(house: Site, phones: Phones, carrier: Carrier, machine: Since) -> None:
    """anna hangs up while ben rings: she is free then, though Asterisk tells her end only when he answers."""
    _, name, first = await talk(house, phones, carrier)
    await phones["1002"].will("answer", after=2.0, tone=1500)
    await keyed(first, "*2", "1002")
    second = await phones["1002"].rings()
    await asyncio.sleep(0.4)
    await first.hangup()
    await house.until_agent("anna", "wrap_up")
    assert second.answered_at is None
    await second.answered()
    closed = await ben_ends_it(house, name, first, second, "blonde")
    one, two = closed["legs"]
    assert one["talk_s"] + one["hold_s"] == pytest.approx(seconds(first), abs=NEAR + machine.late_s)
    assert two["talk_s"] == pytest.approx(seconds(second), abs=NEAR + machine.late_s)


@pytest.mark.full
async def test_blind_by_keys(house: Site, phones: Phones, carrier: Carrier, machine: Since) -> None:
    """`#1`. anna's phone is let go at once, and not asked for the outcome."""
    _, name, first = await talk(house, phones, carrier)
    await keyed(first, "#1", "1002")
    second = await phones["1002"].talks()
    assert not first.live
    closed = await ben_ends_it(house, name, first, second, "blind")
    assert closed["legs"][1]["talk_s"] == pytest.approx(seconds(second), abs=NEAR + machine.late_s)


@pytest.mark.full
@pytest.mark.parametrize("by", ["phone", "keys"])
async def test_a_consultation_that_is_cancelled(
    house: Site, phones: Phones, carrier: Carrier, by: str
) -> None:
    call, name, first = await talk(house, phones, carrier)
    if by == "phone":
        await phones["1001"].consult("1002")
        await phones["1002"].talks()
        await asyncio.sleep(TALK_S)
        await phones["1001"].cancel()
    else:
        await keyed(first, "*2", "1002")
        await phones["1002"].talks()
        await asyncio.sleep(TALK_S)
        await phones["1002"].hangup()
    await house.until_event(name, "resumed")
    assert house.agent("anna")["state"] == "talking"
    await asyncio.sleep(TALK_S)
    await call.hangup()
    closed = await account(house, name)
    (leg,) = closed["legs"]
    assert (leg["agent"], leg["end"]) == ("anna", "caller")
    assert leg["hold_s"] > TALK_S
    assert leg["talk_s"] == pytest.approx(heard(call.leg, 1000), abs=0.3)
    assert passed(house, name) == []


@pytest.mark.full
async def test_hold(house: Site, phones: Phones, carrier: Carrier, machine: Since) -> None:
    call, name, _ = await talk(house, phones, carrier)
    await phones["1001"].hold()
    await asyncio.sleep(TALK_S)
    await phones["1001"].unhold()
    await asyncio.sleep(TALK_S)
    await call.hangup()
    (leg,) = (await account(house, name))["legs"]
    assert leg["hold_s"] == pytest.approx(TALK_S, abs=NEAR + machine.late_s)
    assert leg["talk_s"] == pytest.approx(heard(call.leg, 1000), abs=NEAR + machine.late_s)


@pytest.mark.full
async def test_to_somebody_who_is_no_agent(house: Site, phones: Phones, carrier: Carrier) -> None:
    """Followed to the caller's end; whoever hung up is told."""
    for kind in ("blind", "attended"):
        _, name, first = await talk(house, phones, carrier)
        if kind == "blind":
            await phones["1001"].transfer(OUTSIDE)
        else:
            await phones["1001"].consult(OUTSIDE)
            await phones[OUTSIDE].talks()
            await phones["1001"].complete()
        await first.ended()
        other = await phones[OUTSIDE].talks()
        await asyncio.sleep(TALK_S)
        assert house.ask("call.show", call=name)["state"] == "transferred"
        # anna can have the next caller while the first one still talks elsewhere
        await house.until_agent("anna", "available")
        await other.hangup()
        closed = await account(house, name)
        assert (closed["disposition"], closed["ended_by"]) == ("answered", "target")
        assert passed(house, name) == [(kind, "anna", OUTSIDE)]


@pytest.mark.full
async def test_nobody_answers_and_no_such_extension(house: Site, phones: Phones, carrier: Carrier) -> None:
    await phones[OUTSIDE].will("busy")
    call, name, _ = await talk(house, phones, carrier)
    await by_ami(house, OUTSIDE)
    await call.ended()
    assert (await account(house, name))["ended_by"] == "system"
    assert house.events(name, "ended")[0]["data"]["reason"] == "nobody_reached"
    await house.until_agent("anna", "available")
    call, name, first = await talk(house, phones, carrier)
    await by_ami(house, "4999")
    await call.ended()
    closed = await account(house, name)
    assert (closed["disposition"], closed["ended_by"]) == ("answered", "system")
    assert house.events(name, "ended")[0]["data"]["reason"] == "nobody_reached"
    await first.ended()  # Dial's F would have asked for the outcome


@pytest.mark.full
async def test_parked_and_taken(house: Site, phones: Phones, carrier: Carrier) -> None:
    call, name, first = await talk(house, phones, carrier)
    await phones["1001"].transfer("700")
    await first.ended()  # she has heard the place
    taking = await phones["1002"].dial("701", tone=1500)
    await taking.answered()
    await house.until_event(name, "joined", agent="ben")
    await asyncio.sleep(TALK_S)
    await call.hangup()
    closed = await account(house, name)
    assert [(leg["agent"], leg["end"]) for leg in closed["legs"]] == [("anna", "park"), ("ben", "caller")]
    assert len(passed(house, name)) == 1


@pytest.mark.full
@pytest.mark.parametrize("when", ["rings", "talks"])
@pytest.mark.parametrize("by", ["phone", "keys"])
async def test_the_caller_hangs_up_during_the_consultation(
    house: Site, phones: Phones, carrier: Carrier, by: str, when: str
) -> None:
    call, name, first = await talk(house, phones, carrier)
    await phones["1002"].will("answer", after=0.2 if when == "talks" else 5.0, tone=1500)
    if by == "phone":
        await phones["1001"].consult("1002")
    else:
        await keyed(first, "*2", "1002")
    await (phones["1002"].talks() if when == "talks" else phones["1002"].rings())
    await asyncio.sleep(0.3)
    await call.hangup()
    closed = await account(house, name)
    assert (closed["ended_by"], [leg["agent"] for leg in closed["legs"]]) == ("caller", ["anna"])
    assert passed(house, name) == []
    await house.until_agent("anna", "wrap_up")


@pytest.mark.full
async def test_a_restart_in_the_middle(house: Site, phones: Phones, carrier: Carrier, machine: Since) -> None:
    """ben, who was passed the call, keeps it over a kill of the daemon."""
    _, name, first = await talk(house, phones, carrier)
    await phones["1001"].transfer("1002")
    second = await phones["1002"].talks()
    await house.until_event(name, "joined", agent="ben")
    house.daemon.kill()
    house.daemon.start()
    await house.until_agent("ben", "talking")
    closed = await ben_ends_it(house, name, first, second, "blind")
    assert closed["legs"][1]["talk_s"] == pytest.approx(seconds(second), abs=NEAR + machine.late_s)
