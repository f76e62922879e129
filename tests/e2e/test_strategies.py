"""Each strategy, by real phones: who gets the next caller; and waiting that counts as priority."""

import asyncio
from collections.abc import Callable

import pytest
from e2e_rig import AGENTS, SALES, SUPPORT, Site

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
TEAM = ("anna", "ben", "chloe")
SKILLS = {"anna": {"greek": 2}, "ben": {"greek": 4}, "chloe": {"greek": 3}}
TALK = {"anna": 0.9, "ben": 0.1, "chloe": 0.5}
# four calls, one after another
TAKEN = {
    "longest_idle": ["anna", "ben", "chloe", "anna"],
    "round_robin": ["anna", "ben", "chloe", "anna"],
    "fewest_calls": ["anna", "ben", "chloe", "anna"],
    "least_talk": ["anna", "ben", "chloe", "ben"],
    "linear": ["anna"] * 4,
    "most_skilled": ["ben"] * 4,
}


@pytest.mark.parametrize("strategy", [*TAKEN, "random"])
async def test_who_gets_the_next_caller(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier, strategy: str
) -> None:
    site = make_site(
        queues={"sales": {"wrap_up": 0, "strategy": strategy, "skills": [{"require": {"greek": 1}}]}},
        agents={name: {"queues": ["sales"], "skills": SKILLS[name]} for name in TEAM},
    )
    for agent in TEAM:
        await phones[AGENTS[agent]].will("answer", after=0.05, hangup_after=TALK[agent])
        site.login(agent)
    taken = []
    for _ in range(4):
        call, name = await site.dial(carrier)
        await call.ended()
        await site.until_closed(name)
        taken += [agent for _, agent in site.offers(name)]
        for agent in TEAM:
            await site.until_agent(agent, "available")
    if strategy == "random":
        assert set(taken) <= set(TEAM)
        assert len(taken) == 4
    else:
        assert taken == TAKEN[strategy]
    await site.audit()
    assert site.oddities() == []


async def test_waiting_counts_as_priority(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    """Five points of priority (support) are worth five times ``ageing``: who has waited longer is first."""
    site = make_site(routing={"ageing": 0.2})
    await phones["1002"].will("answer", after=0.05, hangup_after=0.1)
    old, one = await site.hold(carrier, SALES)
    await asyncio.sleep(1.5)
    calls = [(old, one), await site.hold(carrier, SUPPORT), await site.hold(carrier, SALES)]
    names = [name for _, name in calls]
    site.login("ben")
    for call, _ in calls:
        await call.ended()
    assert [name for name, _ in site.offers(*names)] == names
    await site.audit()
    assert site.oddities() == []
