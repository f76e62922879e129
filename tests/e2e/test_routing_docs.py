"""docs/routing.md, its blocks in order: a site with skills that relax, and the calls that land in it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import yaml
from e2e_rig import SALES, Site

from ccbridge.config.loader import load
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import PROJECT
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

SKILLS, STRATEGY, LAST, PERSONAL, MISSES, WAYS_OUT, WAIT = (
    yaml.safe_load(block)
    for block in re.findall(
        r"^```yaml routing\n(.*?)^```$", (PROJECT / "docs" / "routing.md").read_text(), re.M | re.S
    )
)


async def test_a_rule_relaxes_and_the_best_comes_first(
    make_site: Callable[..., Site], phones: dict[str, Phone], carrier: Carrier
) -> None:
    queues = {"sales": {}}
    for block in (SKILLS, STRATEGY, LAST, WAYS_OUT, WAIT):
        queues["sales"] |= block["queues"]["sales"]
    agents = {name: PERSONAL["agents"].get(name, {}) | one for name, one in SKILLS["agents"].items()}
    assert "personal" in agents["anna"]
    site = make_site(
        agents=agents,
        queues=queues,
        routing=LAST["routing"] | MISSES["routing"],
        personal=PERSONAL["personal"],
    )
    assert load(site.config).warnings == ()
    site.login("ben")
    waiting, one = await site.hold(carrier, SALES)
    offered = await site.until_event(one, "offered", agent="ben")
    queued = await site.until_event(one, "queued")
    assert 10.0 <= offered["at"] - queued["at"] < 11.0
    await site.until_event(one, "answered", agent="ben")
    await waiting.hangup()
    await site.until_agent("ben", "available")
    # he has been idle longer, and does not qualify
    site.login("anna")
    call, two = await site.dial(carrier, SALES)
    await site.until_event(two, "answered", agent="anna")
    assert site.offers(two) == [(two, "anna")]
    await call.hangup()
    await site.audit()
    assert site.oddities() == []
