"""One real call, from the trunk to the report."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]


async def test_from_the_trunk_to_the_rows(
    make_site: Callable[..., Any], phones: dict[str, Phone], carrier: Carrier
) -> None:
    site = make_site()
    site.login("anna")
    await phones["1001"].will("answer", after=0.3, tone=1000, outcome="3", outcome_after=0.5)
    call = await carrier.call("2101234567", caller="+306912345678", script=[0.7, "1"])
    await phones["1001"].talks()
    await asyncio.sleep(2.0)
    await call.hangup()
    row = (await site.until_rows(1, "SELECT * FROM call"))[0]
    assert row["disposition"] == "answered"
    assert row["agent"] == "anna"
    assert abs(row["talk_s"] - 2.0) < 0.5
    ticket = (await site.until_rows(1, "SELECT * FROM ticket WHERE outcome_set"))[0]
    assert ticket["state"] == "follow_up"
    assert len(await site.until_rows(2, "SELECT * FROM cdr")) == 2
    assert site.oddities() == []
