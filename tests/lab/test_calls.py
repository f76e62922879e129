"""Real calls through the real PBX: what the lab promises to the other tests."""

import asyncio

import pytest

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.errors import LabError
from ccbridge.lab.lab import Pbx
from ccbridge.lab.outside import Outside
from ccbridge.lab.phones import Phone
from ccbridge.lab.tones import dominant, longest_gap_ms, tone_spans

pytestmark = pytest.mark.lab


async def test_both_sides_hear_each_other(phones: dict[str, Phone], carrier: Carrier) -> None:
    await phones["1001"].will("answer", after=0.1, tone=1500)
    call = await carrier.call("551001", "+306900000001", tone=700)
    leg = await phones["1001"].talks()
    await call.answered()
    await asyncio.sleep(1.0)
    await call.hangup()
    await leg.ended()
    assert dominant(call.heard) == 1500
    assert dominant(leg.heard) == 700
    assert longest_gap_ms(call.heard, 1500) <= 40
    assert longest_gap_ms(leg.heard, 700) <= 40
