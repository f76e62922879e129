"""Who is offered whom: order, refusals, phones that are away or dead, agents who come and go."""

import asyncio
import time
from collections.abc import Callable

import pytest
from e2e_rig import SALES, SUPPORT, Site

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.machine import Since
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]


@pytest.mark.parametrize(
    ("behaviour", "result", "state", "reason"),
    [
        ("decline", "refused", "cooldown", "refused"),  # 603, after it has rung
        ("refuse", "refused", "cooldown", "dnd"),  # 603
        ("busy", "busy", "cooldown", "dnd"),  # 486
        ("unavailable", "refused", "cooldown", "dnd"),  # 480
        ("ring", "missed", "cooldown", "missed"),
    ],
)
async def test_the_next_agent_gets_the_call(
    house: Site, phones: Phones, carrier: Carrier, behaviour: str, result: str, state: str, reason: str
) -> None:
    house.login("anna", "ben")  # anna is idle longest
    await phones["1001"].will(behaviour)
    call, name = await house.dial(carrier)
    await house.until_event(name, "answered", agent="ben")
    await house.until_agent("anna", state, reason)
    assert house.results(name)[0] == ("anna", result)
    assert [agent for _, agent in house.offers(name)] == ["anna", "ben"]
    await call.hangup()
    account = await house.until_closed(name)
    assert (account["agent"], account["offers"]) == ("ben", 2)
    if behaviour == "ring":
        assert 2.9 < account["wait"] < 10


async def test_a_phone_that_forwards_rings_nobody_else(house: Site, phones: Phones, carrier: Carrier) -> None:
    """By 302, to a colleague or outside: it counts as refused, and the caller goes to the next agent."""
    for target in ("1003", "55100001"):
        house.login("anna", "ben")  # anna is idle longest
        await phones["1001"].will("forward", to=target)
        call, name = await house.dial(carrier)
        await house.until_event(name, "answered", agent="ben")
        assert house.results(name)[0] == ("anna", "refused")
        assert house.events(name, "offer_ended")[0]["data"]["reason"] == "forwarded"
        assert [agent for _, agent in house.offers(name)] == ["anna", "ben"]
        await call.hangup()
        await phones["1002"].hangup()  # he is being asked for the outcome
        assert phones["1003"].legs == []
        for agent in ("anna", "ben"):
            await house.until_agent(agent, "available")
            house.ask("agent.logout", agent=agent)
    assert house.oddities() == []


async def test_a_phone_that_is_not_registered_is_not_rung(
    house: Site, phones: Phones, carrier: Carrier
) -> None:
    await phones["1001"].unregister()
    house.login("anna")
    await house.until_agent("anna", "unreachable", "not_registered")
    call, name = await house.hold(carrier)
    await asyncio.sleep(0.5)
    assert house.offers(name) == []
    await phones["1001"].register()  # that is all it takes
    await house.until_event(name, "answered", agent="anna")
    await call.hangup()


async def test_a_dead_phone_costs_the_caller_reach_timeout(
    house: Site, phones: Phones, carrier: Carrier
) -> None:
    await phones["1001"].die()
    house.login("anna")
    await house.until_agent("anna", "available")  # the phone's new contact has come to the daemon's ears
    house.login("ben")
    call, name = await house.dial(carrier)
    answered = await house.until_event(name, "answered", agent="ben")
    assert house.results(name)[0] == ("anna", "unreachable")
    assert 1.9 < answered["at"] - house.events(name, "holding")[0]["at"] < 10
    await house.until_agent("anna", "unreachable", "dead")
    await call.hangup()


async def test_back_off_and_its_end(make_site: Callable[..., Site], phones: Phones, carrier: Carrier) -> None:
    """Acceptance 5: agents whose phones cannot be reached cost no more offers than the back-off allows."""
    site = make_site(
        routing={"unreachable_backoff": [1, 2, 60], "reach_timeout": 2},
        agents={"anna": {"queues": ["sales"]}, "dimitris": {"queues": ["support"]}},
    )
    await phones["1001"].die()
    await phones["1004"].unregister()
    site.login("anna", "dimitris")
    (dead, name), (away, other) = await asyncio.gather(site.hold(carrier, SALES), site.hold(carrier, SUPPORT))
    start = time.monotonic()
    # 2 s dead, 1 s rest, 2 s dead, 2 s rest, 2 s dead, then 60 s rest
    await site.until(lambda: len(site.results(name)) == 3)
    taken = time.monotonic() - start
    assert taken > 2 + 1 + 2 + 2 + 2 - 1.0
    await asyncio.sleep(2.0)
    assert site.offers(name) == [(name, "anna")] * 3
    assert site.offers(other) == []
    assert site.agent("anna")["left_s"] > 40
    # a sign of life from the phone lifts it at once
    await phones["1001"].register()
    await phones["1004"].register()
    await site.until_event(name, "answered", agent="anna")
    await site.until_event(other, "answered", agent="dimitris")
    await dead.hangup()
    await away.hangup()
    await site.audit()
    assert site.oddities() == []


async def test_the_order_of_the_line(house: Site, phones: Phones, carrier: Carrier) -> None:
    """Priority first, then who has waited longest; for one agent of both queues."""
    await phones["1002"].will("answer", after=0.1, hangup_after=0.2)
    calls = [await house.hold(carrier, did) for did in (SALES, SALES, SUPPORT, SALES)]
    names = [name for _, name in calls]
    position = [row["call"] for row in house.ask("queue.show", queue="sales")["line"]]
    assert position == [names[0], names[1], names[3]]
    house.login("ben")
    for call, _ in calls:
        await call.ended()
    served = [name for name, _ in house.offers(*names)]
    assert served == [names[2], names[0], names[1], names[3]]
    for name in names:
        assert (await house.until_closed(name))["disposition"] == "answered"


async def test_the_longest_idle_agent(house: Site, phones: Phones, carrier: Carrier) -> None:
    for number in ("1001", "1002", "1004"):
        await phones[number].will("answer", after=0.1, hangup_after=0.1)
    house.login("dimitris", "anna", "ben")
    taken = []
    for _ in range(4):
        call, name = await house.dial(carrier)
        await call.ended()
        taken += [agent for _, agent in house.offers(name)]
        if len(taken) == 3:
            await house.until_agent("dimitris", "available")  # the first one's wrap-up is over first
    assert taken == ["dimitris", "anna", "ben", "dimitris"]


async def test_one_call_for_one_agent(house: Site, phones: Phones, carrier: Carrier, machine: Since) -> None:
    """Two callers, one agent: never two calls at his phone, and wrap-up between them."""
    await phones["1001"].will("answer", after=0.1, hangup_after=0.3)
    first, one = await house.hold(carrier)
    second, two = await house.hold(carrier)
    house.login("anna")
    await first.ended()
    await second.ended()
    a, b = phones["1001"].legs[-2:]
    assert a.ended_at is not None
    assert b.invited_at is not None
    assert b.invited_at - a.ended_at > 1.9 - machine.late_s  # wrap-up
    assert house.results(one) == house.results(two) == [("anna", "talked")]


async def test_agents_come_and_go_while_calls_run(house: Site, phones: Phones, carrier: Carrier) -> None:
    house.login("anna")
    await phones["1001"].will("answer", after=1.0)
    call, name = await house.dial(carrier)
    await phones["1001"].rings()
    # a pause asked for while it rings begins after the call, which is not taken away
    house.ask("agent.pause", agent="anna", reason="lunch")
    await house.until_event(name, "answered", agent="anna")
    state = house.agent("anna")
    assert (state["state"], state["reason"]) == ("talking", "lunch")
    await call.hangup()
    await house.until_closed(name)
    await phones["1001"].hangup()  # he is being asked for the outcome
    await house.until_agent("anna", "wrap_up")
    await house.until_agent("anna", "paused", "lunch")
    second, other = await house.hold(carrier)
    await asyncio.sleep(0.5)
    assert house.offers(other) == []
    # unpausing is enough: the waiting caller comes at once
    house.ask("agent.unpause", agent="anna")
    await house.until_event(other, "answered", agent="anna")
    # a log-out during the talk lets the call finish, and there is no wrap-up after it
    house.ask("agent.logout", agent="anna")
    assert house.agent("anna")["state"] == "talking"
    third, last = await house.hold(carrier)
    await phones["1001"].hangup()
    await house.until_agent("anna", "logged_out")
    assert house.offers(last) == []
    # refused requests change nothing
    assert not house.daemon.ask("agent.pause", agent="anna", reason="lunch").ok
    assert not house.daemon.ask("agent.pause", agent="nobody").ok
    assert not house.daemon.ask("agent.login", agent="anna'; DROP TABLE call").ok
    house.login("ben")
    await house.until_event(last, "answered", agent="ben")
    await second.ended()
    await third.hangup()
