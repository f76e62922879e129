"""What an agent's phone does without him, and calls that he misses: each has its reason, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from e2e_rig import Site

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]


async def test_so_many_misses_are_a_pause(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    site = make_site(routing={"misses": 2, "misses_lift": 4, "miss_cooldown": 1})
    await phones["1001"].will("ring")
    site.login("anna")
    call, name = await site.hold(carrier)
    paused = await site.until_agent("anna", "paused", "missed")
    assert 0 < paused["left_s"] <= 4
    assert site.results(name) == [("anna", "missed")] * 2
    # it lifts itself: he is offered the caller, and misses him once more
    await site.until(lambda: len(site.offers(name)) == 3)
    await phones["1001"].will("answer", after=0.1)
    await site.until_event(name, "answered", agent="anna")  # one miss, and a talk that forgives it
    await call.hangup()
    await site.audit()
    assert site.oddities() == []


@pytest.mark.parametrize("behaviour", ["busy", "unavailable", "refuse"])
async def test_do_not_disturb(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier, behaviour: str
) -> None:
    """A phone that answers 486, 480 or 603 without having rung: no miss, and it ends by itself."""
    site = make_site(routing={"misses": 1, "refuse_cooldown": 1})
    await phones["1001"].will(behaviour)
    site.login("anna")
    call, name = await site.hold(carrier)
    await site.until_agent("anna", "cooldown", "dnd")
    await site.until(lambda: len(site.offers(name)) >= 2)
    await phones["1001"].will("answer", after=0.1)
    await site.until_event(name, "answered", agent="anna")
    assert {result for _, result in site.results(name)} == {"busy" if behaviour == "busy" else "refused"}
    await call.hangup()
    await site.audit()
    assert site.oddities() == []


async def test_a_private_call(house: Site, phones: Phones, carrier: Carrier) -> None:
    house.login("anna")
    await phones["1008"].will("answer")
    private = await phones["1001"].dial("1008")
    await house.until_agent("anna", "busy_elsewhere")
    call, name = await house.hold(carrier)
    await asyncio.sleep(0.5)
    assert house.offers(name) == []
    await private.hangup()
    await house.until_event(name, "answered", agent="anna")
    assert house.results(name) == []
    await call.hangup()
