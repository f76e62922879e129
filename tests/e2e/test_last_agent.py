"""A customer's own agent, and the one with whom he talked last, first for a set time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from e2e_rig import SALES, Site, new_number

from ccbridge.lab.carrier import Call, Carrier
from ccbridge.lab.phones import Phone
from ccbridge.store import queries

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
KEPT = 4  # seconds for which one waits for his agent
GREETED = "2100000009"  # who calls is known before the line
SITE = {
    "queues": {"sales": {"wrap_up": 0, "last_agent": KEPT, "owner": KEPT}},
    "flows": {
        "greeted": {
            "start": "hello",
            "steps": {"hello": {"play": ["beep", "beep"], "next": "q"}, "q": {"queue": "sales"}},
        }
    },
    "numbers": {GREETED: "greeted"},
}


async def talked_with_ben(site: Site, phones: Phones, carrier: Carrier, customers: int) -> list[str]:
    """Numbers of customers who have."""
    await phones["1002"].will("answer", after=0.1, hangup_after=0.3)
    site.login("ben")
    numbers = [new_number() for _ in range(customers)]
    for number in numbers:
        call, _ = await site.dial(carrier, SALES, caller=number)
        await call.ended()
        await site.until_agent("ben", "available")
    await site.until_rows(customers, "SELECT 1 FROM call WHERE agent = 'ben' AND customer_id IS NOT NULL")
    site.ask("agent.logout", agent="ben")
    return numbers


async def free_in_this_order(site: Site, *agents: str) -> None:
    for agent in agents:
        site.login(agent)
        await site.until_agent(agent, "available")
        await asyncio.sleep(0.1)


async def has_him(site: Site, call: str) -> tuple[str, float]:
    """Who answers, and how long the caller was in the queue until it was offered to that agent."""
    agent = (await site.until_event(call, "answered"))["data"]["agent"]
    (queued,), offered = site.events(call, "queued"), site.events(call, "offered")
    return agent, offered[-1]["at"] - queued["at"]


async def end(site: Site, *calls: Call) -> None:
    for call in calls:
        await call.hangup()
    await site.audit()
    assert site.oddities() == []


async def test_the_last_agent_before_one_who_is_free_longer(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    site = make_site(**SITE)
    (known,) = await talked_with_ben(site, phones, carrier, 1)
    for number in ("1001", "1002"):
        await phones[number].will("answer", after=0.1)
    await free_in_this_order(site, "anna", "ben")
    first, name = await site.dial(carrier, GREETED, caller=known)
    assert (await has_him(site, name))[0] == "ben"
    stranger, other = await site.dial(carrier, GREETED)
    assert (await has_him(site, other))[0] == "anna"
    await end(site, first, stranger)


async def test_one_waits_for_an_agent_who_talks_and_for_none_who_is_paused(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    site = make_site(**SITE)
    one, two, three = await talked_with_ben(site, phones, carrier, 3)
    for number in ("1001", "1002"):
        await phones[number].will("answer", after=0.1)
    await free_in_this_order(site, "ben")
    with_ben, name = await site.dial(carrier, GREETED)
    assert (await has_him(site, name))[0] == "ben"
    await free_in_this_order(site, "anna")
    first, name = await site.dial(carrier, GREETED, caller=one)
    waiting = await site.until_event(name, "waiting")
    assert waiting["data"]["wish"]["agent"] == "ben"
    assert waiting["data"]["why"]["counts"] == {"talking": 1, "not_wished": 1, "logged_out": 1}
    agent, waited = await has_him(site, name)
    assert (agent, KEPT - 0.1 < waited < KEPT + 1.5) == ("anna", True)
    await first.hangup()
    await site.until_agent("anna", "available")
    # he pauses while somebody waits for him
    second, name = await site.dial(carrier, GREETED, caller=two)
    await site.until_event(name, "waiting")
    site.ask("agent.pause", agent="ben", reason="break")
    agent, waited = await has_him(site, name)
    assert (agent, waited < KEPT - 1) == ("anna", True)
    await second.hangup()
    await site.until_agent("anna", "available")
    # and who calls then does not wait
    third, name = await site.dial(carrier, GREETED, caller=three)
    agent, waited = await has_him(site, name)
    assert (agent, waited < 1) == ("anna", True)
    await end(site, third, with_ben)


async def test_the_owner_before_the_last_agent(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    site = make_site(**SITE)
    (known,) = await talked_with_ben(site, phones, carrier, 1)
    for number in ("1001", "1002"):
        await phones[number].will("answer", after=0.1)
    with queries.reading(site.database.url) as db:
        assert queries.own_customer(db, known, "anna")
    await free_in_this_order(site, "ben", "anna")
    call, name = await site.dial(carrier, GREETED, caller=known)
    assert (await has_him(site, name))[0] == "anna"
    customer = site.events(name, "customer")[0]["data"]
    assert (customer["owner"], customer["last_agent"]) == ("anna", "ben")
    await end(site, call)
