"""A queue that rings all its free agents at once: one wins, the others are blameless."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from e2e_rig import SALES, Site

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.legs import Leg
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
TEAM = ("anna", "ben", "chloe", "dimitris")


@pytest.fixture
def team(make_site: Callable[..., Site]) -> Site:
    site = make_site(
        queues={"sales": {"strategy": "ring_all", "ring": 3, "wrap_up": 0}},
        agents={"chloe": {"queues": ["sales"]}},
        routing={"miss_cooldown": 3, "refuse_cooldown": 3},
    )
    site.login(*TEAM)
    return site


def _one(legs: list[Leg]) -> Leg | None:
    return legs[0] if len(legs) == 1 else None


async def test_the_first_answer_wins(team: Site, phones: Phones, carrier: Carrier) -> None:
    await phones["1001"].will("ring")
    await phones["1002"].will("answer", after=1.0, outcome="3")
    await phones["1003"].will("refuse")
    await phones["1004"].will("answer", after=2.0)
    call, name = await team.dial(carrier)
    answered = await team.until_event(name, "answered")
    assert answered["data"]["agent"] == "ben"
    assert sorted(agent for _, agent in team.offers(name)) == list(TEAM)
    # who has lost the race is free at once, and has missed nothing
    for agent in ("anna", "dimitris"):
        await team.until_agent(agent, "available")
    told = [e for e in team.records("agent_event") if e["agent"] in ("anna", "dimitris")]
    assert {e["state"] for e in told} == {"available", "offered"}
    assert max(e["at"] for e in told) - answered["at"] < 1.0
    await asyncio.sleep(0.5)
    await call.hangup()
    await team.until_event(name, "outcome", agent="ben")  # by his phone, after the talk
    account = await team.until_closed(name)
    assert (account["agent"], account["offers"]) == ("ben", 4)
    assert dict(team.results(name)) == {
        "chloe": "refused", "ben": "talked", "anna": "elsewhere", "dimitris": "elsewhere"
    }  # fmt: skip
    (recording,) = [r for r in team.records("recording_started") if r["call"] == name]
    assert (recording["agent"], recording["offer"]) == ("ben", answered["data"]["offer"])
    for half in ("r", "t"):
        assert (team.lab.recordings / f"{recording['path']}-{half}.wav").stat().st_size > 2_000
    await team.audit()
    assert team.oddities() == []


async def test_nobody_answers_and_then_somebody_does(team: Site, phones: Phones, carrier: Carrier) -> None:
    for number in ("1001", "1002", "1003", "1004"):
        await phones[number].will("ring")
    call, name = await team.dial(carrier)
    for agent in TEAM:
        await team.until_event(name, "offer_ended", agent=agent, result="missed")
    await phones["1003"].will("answer")
    await team.until_event(name, "answered", agent="chloe")
    await call.hangup()
    assert Counter(team.results(name)[:4]) == Counter((agent, "missed") for agent in TEAM)
    await team.audit()
    assert team.oddities() == []


async def test_he_hangs_up_while_all_ring(team: Site, phones: Phones, carrier: Carrier) -> None:
    for number in ("1001", "1002", "1003", "1004"):
        await phones[number].will("ring")
    call, name = await team.dial(carrier)
    for agent in TEAM:
        await team.until_event(name, "ringing", agent=agent)
    await call.hangup()
    assert (await team.until_closed(name))["disposition"] == "abandoned"
    assert Counter(team.results(name)) == Counter((agent, "withdrawn") for agent in TEAM)
    for agent in TEAM:
        await team.until_agent(agent, "available")
    await team.audit()
    assert team.oddities() == []


async def test_the_daemon_is_killed_while_all_ring(team: Site, phones: Phones, carrier: Carrier) -> None:
    for number in ("1001", "1002", "1004"):
        await phones[number].will("ring")
    await phones["1003"].will("answer", after=2.5)
    call, name = await team.dial(carrier)
    for agent in TEAM:
        await team.until_event(name, "ringing", agent=agent)
    team.daemon.kill()
    team.daemon.start()
    await team.until_event(name, "answered", agent="chloe")
    for agent in ("anna", "ben", "dimitris"):
        await team.until_agent(agent, "available")
    await call.hangup()
    await team.audit()
    assert team.oddities() == []


async def test_all_answer_in_the_same_instant(team: Site, phones: Phones, carrier: Carrier) -> None:
    """Again and again: one has him, in one bridge; the others' phones are silent, and blame nobody."""
    for number in ("1001", "1002", "1003", "1004"):
        await phones[number].will("answer", after=0.2)
    winners: Counter[str] = Counter()
    for _ in range(12):
        call, name = await team.dial(carrier, SALES)
        answered = await team.until_event(name, "answered")
        winner = answered["data"]["agent"]
        winners[winner] += 1
        for agent in TEAM:
            if agent != winner:
                await team.until_agent(agent, "available")
        # the lab hears of the phones' ends a moment after the daemon
        live = await team.until(
            lambda: _one([leg for phone in phones.values() for leg in phone.legs if leg.live])
        )
        assert live in phones[f"100{TEAM.index(winner) + 1}"].legs
        await call.hangup()
        await team.until_closed(name)
        results = Counter(result for _, result in team.results(name))
        assert results == {"talked": 1, "elsewhere": 3}, team.results(name)
        await phones[f"100{TEAM.index(winner) + 1}"].hangup()  # he is being asked for the outcome
        for agent in TEAM:
            await team.until_agent(agent, "available")
        await asyncio.sleep(0.05)
    assert sum(winners.values()) == 12
    assert not [e for e in team.records("agent_event") if e["state"] in ("cooldown", "unreachable")]
    await team.audit()
    assert team.oddities() == []
