"""The caller in the menu, and the ways in which he leaves: everywhere, and at any moment."""

import asyncio
from collections.abc import Callable

import pytest
from e2e_rig import MENU, SALES, SUPPORT, Site, new_number

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.machine import Since
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]


async def test_wrong_key_then_silence_then_right(house: Site, phones: Phones, carrier: Carrier) -> None:
    house.login("anna")
    call, name = await house.dial(carrier, MENU, script=[0.3, "9"])
    await house.until_event(name, "menu_step", result="time_out")
    await call.press("1")
    await house.until_event(name, "answered")
    steps = [(e["data"]["step"], e["data"]["result"]) for e in house.events(name, "menu_step")]
    assert steps == [
        ("", "choose"),
        ("choose", "invalid"),
        ("choose", "time_out"),
        ("choose", "to-sales"),
    ]
    # no event holds the keys themselves
    assert all("9" not in str(e["data"]) for e in house.events(name, "menu_step"))
    await call.hangup()


async def test_silence_ends_in_the_goodbye(house: Site, carrier: Carrier) -> None:
    call, name = await house.dial(carrier, MENU)
    assert await call.ended() == 16
    account = await house.until_closed(name)
    assert (account["disposition"], account["queue"]) == ("menu_ended", None)
    results = [e["data"]["result"] for e in house.events(name, "menu_step")]
    assert results == ["choose"] + ["time_out"] * 3 + ["goodbye", "hangup"]


async def test_the_menus_transfer(house: Site, phones: Phones, carrier: Carrier) -> None:
    call, name = await house.dial(carrier, MENU, script=[0.3, "0"])
    await phones["1008"].talks()
    account = await house.until_closed(name)
    assert (account["disposition"], account["offers"]) == ("left", 0)
    transferred = house.events(name, "transferred")[0]["data"]
    assert (transferred["how"], transferred["target"]) == ("menu", "1008")
    await call.hangup()


async def test_a_menu_that_is_full(make_site: Callable[..., Site], phones: Phones, carrier: Carrier) -> None:
    """One caller more than `agi.sessions` goes to the fallback at once: no five attempts, 2 s apart."""
    patient = {"main": {"steps": {"choose": {"menu": {"timeout": 20}}}}}
    site = make_site(agi={"sessions": 1}, flows=patient)
    site.login("anna")
    first, name = await site.dial(carrier, MENU)
    await first.answered()
    second = await carrier.call(MENU, new_number())
    await second.answered()
    await phones["1009"].talks()  # the fallback queue's member
    counts = site.ask("status")["agi_counts"]
    assert counts["refused_session_cap"] == 1  # not five attempts
    await first.press("1")  # nobody in the menu was disturbed
    await site.until_event(name, "answered")
    await second.hangup()
    await first.hangup()
    await site.audit()


async def test_hanging_up_in_the_menu(house: Site, carrier: Carrier) -> None:
    call, name = await house.dial(carrier, MENU)
    await call.answered()
    await call.hangup()
    account = await house.until_closed(name)
    assert (account["disposition"], account["ended_by"]) == ("menu_ended", "caller")


async def test_hanging_up_while_waiting(house: Site, carrier: Carrier, machine: Since) -> None:
    call, name = await house.hold(carrier)
    await asyncio.sleep(1.0)
    await call.hangup()
    waited = (call.leg.ended_at or 0.0) - house.events(name, "holding")[0]["at"]
    account = await house.until_closed(name)
    assert (account["disposition"], account["ended_by"], account["offers"]) == ("abandoned", "caller", 0)
    assert abs(account["wait"] - waited) < 0.3 + machine.late_s
    ticket = (await house.until_rows(1, "SELECT state FROM ticket WHERE call_id = %s", name))[0]
    assert ticket["state"] == "open"


async def test_hanging_up_while_it_rings(house: Site, phones: Phones, carrier: Carrier) -> None:
    """The phone stops ringing at once, and the agent is free again: that was not his doing."""
    house.login("anna")
    await phones["1001"].will("ring")
    call, name = await house.dial(carrier)
    leg = await phones["1001"].rings()
    await call.hangup()
    assert await leg.ended() == 16
    await house.until_agent("anna", "available")
    assert (await house.until_closed(name))["disposition"] == "abandoned"
    assert house.results(name) == [("anna", "withdrawn")]


@pytest.mark.parametrize("delay_ms", [0, 5, 10, 20, 40])
async def test_hanging_up_in_the_middle_of_the_offer(
    house: Site, phones: Phones, carrier: Carrier, delay_ms: int
) -> None:
    """The caller's BYE meets the Redirect, the Dial, the ringing: whichever, the agent is free after it."""
    house.login("anna")
    await phones["1001"].will("ring")
    call = await carrier.call(SALES, "+306988888888")
    await call.answered()
    await asyncio.sleep(delay_ms / 1000)
    await call.hangup()
    await house.until(lambda: not house.ask("status")["calls"]["total"])
    await house.until_agent("anna", "available")
    await phones["1001"].idle()


async def test_nobody_waits_longer_than_max_wait(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    """While one waits too long for nobody, another waits too long through ringing phones."""
    site = make_site(queues={"sales": {"max_wait": 10}, "support": {"max_wait": 10}})
    site.login("anna")
    await phones["1001"].will("ring")
    (first, one), (second, two) = await asyncio.gather(site.hold(carrier, SUPPORT), site.hold(carrier, SALES))
    for name in (one, two):
        account = await site.until_closed(name)
        assert account["disposition"] == "overflowed"
        # an offer that is under way is not torn away from the agent
        assert 9.9 <= account["wait"] < 12.5 + (3.0 if name == two else 0.0)
        assert site.events(name, "overflowed")[0]["data"]["target"] == "1008"
    assert len(site.offers(two)) >= 2
    # the record is written before the caller is sent there, so his leg comes a little later
    await site.until(lambda: len(phones["1008"].legs) == 2)
    await first.hangup()
    await second.hangup()
    await site.audit()
    assert site.oddities() == []


async def test_an_overflow_into_another_queue_is_another_call(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    """On the same channel: an account of its own each, and he is served there like anybody."""
    site = make_site(queues={"sales": {"max_wait": 10, "overflow": SUPPORT}})
    site.login("chloe")
    call, name = await site.dial(carrier)
    again = f"{name}~2"
    await site.until_event(again, "answered", agent="chloe")
    await call.hangup()
    first, second = await site.until_closed(name), await site.until_closed(again)
    assert (first["disposition"], first["queue"], first["talk"]) == ("overflowed", "sales", 0.0)
    assert (second["disposition"], second["queue"], second["agent"]) == ("answered", "support", "chloe")
    assert second["wait"] < 5.0
    await site.audit()
    assert site.oddities() == []
