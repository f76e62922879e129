"""What a phone can do with a call beside talking: hold, transfer in every way, park."""

import asyncio

import pytest

from ccbridge.lab.carrier import Call, Carrier
from ccbridge.lab.errors import LabError
from ccbridge.lab.legs import Leg
from ccbridge.lab.phones import Phone
from ccbridge.lab.tones import tone_spans

pytestmark = pytest.mark.lab

Phones = dict[str, Phone]
TALK_S = 0.6


async def talk(phones: Phones, carrier: Carrier) -> tuple[Call, Leg]:
    """A caller (440 Hz) talks with 1001 (1000 Hz); 1002 (1500 Hz) is at hand."""
    await phones["1001"].will("answer", after=0.1, tone=1000)
    await phones["1002"].will("answer", after=0.3, tone=1500)
    call = await carrier.call("551001", "+306900000001")
    leg = await phones["1001"].talks()
    await call.answered()
    await asyncio.sleep(TALK_S)
    return call, leg


def heard(leg: Leg, tone: int) -> float:
    return sum(end - start for start, end in tone_spans(leg.heard, tone))


async def together(call: Call, leg: Leg) -> None:
    """The caller and the second phone hear each other."""
    await asyncio.sleep(TALK_S)
    await call.hangup()
    await leg.ended()
    assert heard(call.leg, 1500) > 0.4
    assert heard(leg, 440) > 0.4


async def test_hold(phones: Phones, carrier: Carrier) -> None:
    call, leg = await talk(phones, carrier)
    await phones["1001"].hold()
    await asyncio.sleep(TALK_S)
    await phones["1001"].unhold()
    await asyncio.sleep(TALK_S)
    await call.hangup()
    await leg.ended()
    music, voice = tone_spans(call.heard, 300), tone_spans(call.heard, 1000)
    assert heard(call.leg, 300) > 0.4
    assert voice[0][1] <= music[0][0] + 0.1
    assert music[-1][1] <= voice[-1][0] + 0.1
    assert heard(call.leg, 1000) > 0.8


async def test_blind(phones: Phones, carrier: Carrier) -> None:
    call, first = await talk(phones, carrier)
    await phones["1001"].transfer("1002")
    await first.ended()
    await together(call, await phones["1002"].talks())


async def test_attended(phones: Phones, carrier: Carrier) -> None:
    call, first = await talk(phones, carrier)
    consult = await phones["1001"].consult("1002")
    second = await phones["1002"].talks()
    await asyncio.sleep(TALK_S)
    await phones["1001"].complete()
    await first.ended()
    await consult.ended()
    await together(call, second)
    assert heard(second, 1000) > 0.4
    assert heard(call.leg, 300) > 0.4


async def test_attended_while_it_rings(phones: Phones, carrier: Carrier) -> None:
    call, first = await talk(phones, carrier)
    await phones["1002"].will("answer", after=1.0, tone=1500)
    await phones["1001"].consult("1002")
    second = await phones["1002"].rings()
    await phones["1001"].complete()
    await first.ended()
    assert second.answered_at is None
    await together(call, await second.answered())


async def test_a_consultation_that_is_cancelled(phones: Phones, carrier: Carrier) -> None:
    call, leg = await talk(phones, carrier)
    await phones["1001"].consult("1002")
    await phones["1002"].talks()
    await phones["1001"].cancel()
    await phones["1002"].idle()
    await asyncio.sleep(TALK_S)
    await call.hangup()
    await leg.ended()
    assert heard(call.leg, 1000) > 0.8
    assert heard(call.leg, 1500) == 0


async def test_keys(phones: Phones, carrier: Carrier) -> None:
    """`#1` passes the caller on at once, `*2` after a talk; the target that answers then hears him."""
    call, first = await talk(phones, carrier)
    await first.press("#1")
    await asyncio.sleep(0.5)
    await first.press("1002")
    second = await phones["1002"].talks()
    await first.ended()
    await together(call, second)
    call, first = await talk(phones, carrier)
    await first.press("*2")
    await asyncio.sleep(0.5)
    await first.press("1002")
    second = await phones["1002"].talks()
    await asyncio.sleep(TALK_S)
    await first.hangup()
    await asyncio.sleep(TALK_S)  # the target hears a beep first
    await together(call, second)
    assert heard(second, 1000) > 0.3


async def test_park_and_take(phones: Phones, carrier: Carrier) -> None:
    call, first = await talk(phones, carrier)
    await phones["1001"].transfer("700")
    await first.ended()
    await asyncio.sleep(TALK_S)
    taking = await phones["1002"].dial("701", tone=1500)
    await taking.answered()
    await together(call, taking)


async def test_what_cannot_be(phones: Phones, carrier: Carrier) -> None:
    with pytest.raises(LabError, match="in no call"):
        await phones["1001"].transfer("1002")
    with pytest.raises(LabError, match="holds no call"):
        await phones["1001"].unhold()
    _, first = await talk(phones, carrier)
    with pytest.raises(LabError, match="was refused"):
        await phones["1001"].transfer("4999")  # no such extension: the call goes on
    assert first.live
