"""A limit of the menu that is renewed a moment too late finds the caller elsewhere: it must not drop him."""

import asyncio

import pytest
from e2e_rig import Site

from ccbridge.lab.ami import AmiLink
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Pbx
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]


async def test_a_limit_on_a_waiting_caller_costs_him_nothing(
    house: Site, phones: dict[str, Phone], carrier: Carrier, pbx: Pbx
) -> None:
    call, name = await house.hold(carrier)
    link = await AmiLink.open(pbx.door)
    fired = asyncio.Event()
    link.listen(lambda event: fired.set() if event.get("UserEvent") == "CcbHold" else None)
    await link.action("Setvar", Channel=name, Variable="TIMEOUT(absolute)", Value="1")
    async with asyncio.timeout(10):
        await fired.wait()  # Asterisk sent him to T, and T back to the head of the hold loop
    await link.close()
    house.login("anna")
    await phones["1001"].talks()
    await house.until_agent("anna", "talking")
    await call.hangup()
    assert (await house.until_closed(name))["disposition"] == "answered"
