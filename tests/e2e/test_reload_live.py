"""A reload in the middle of everything: seen first, then done, and nobody on the phone notices."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import yaml
from click.testing import CliRunner, Result
from e2e_rig import SALES, Site

from ccbridge.cli import main
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]


def ccbridge(site: Site, *words: str) -> Result:
    return CliRunner().invoke(main, ["-c", str(site.config), *words], prog_name="ccbridge")


async def test_a_reload_in_the_middle_of_a_talk_and_of_a_ringing_phone(
    make_site: Callable[..., Site], phones: dict[str, Phone], carrier: Carrier
) -> None:
    site = make_site(queues={"sales": {"ring": 20}})
    site.login("anna", "ben")
    await phones["1002"].will("answer", after=9)
    talking, one = await site.dial(carrier, SALES)
    await site.until_event(one, "answered", agent="anna")
    ringing, two = await site.dial(carrier, SALES)
    await site.until_event(two, "ringing", agent="ben")

    data = yaml.safe_load(site.config.read_text())
    data["queues"]["sales"] |= {"ring": 5, "wrap_up": 1}
    data["agents"]["zoe"] = {"name": "Zoe", "device": "PJSIP/1007", "queues": ["sales"]}
    site.config.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False))
    expected = ["queues.sales.ring: 20 -> 5", "queues.sales.wrap_up: 2 -> 1", "agents.zoe: new"]
    before = len(site.records())
    dry = ccbridge(site, "reload", "--dry-run")
    assert dry.stdout.splitlines() == [*expected, f"{site.config}: 3 differences; nothing is changed"]
    assert not site.daemon.ask("agent.show", agent="zoe").ok
    done = ccbridge(site, "reload")
    assert done.stdout.splitlines() == [*expected, f"{site.config} is loaded"]
    assert site.agent("zoe")["state"] == "logged_out"
    assert ccbridge(site, "reload", "--dry-run").stdout.endswith("no difference; nothing is changed\n")

    (first,) = [one["version"] for one in site.records("plan_began")][:-1]
    second = site.ask("status")["plan"]
    assert second == site.records("plan_began")[-1]["version"] != first
    assert {one["plan"] for one in site.events(two)} == {first}

    calls = {row["call"]: row["state"] for row in site.ask("call.list")["calls"]}
    assert calls == {one: "talking", two: "offered"}
    assert (site.agent("anna")["state"], site.agent("ben")["state"]) == ("talking", "offered")
    assert [event["kind"] for event in site.records()[before:] if event["t"] == "call_event"] == []
    # longer than the new time, and his phone still rings: this offer has the old one
    offered = site.events(two, "offered")[0]["at"]
    answered = await site.until_event(two, "answered", agent="ben")
    assert answered["at"] - offered > 8
    await ringing.hangup()
    await talking.hangup()
    account = await site.until_closed(one)
    assert (account["disposition"], account["offers"]) == ("answered", 1)
    wrap_up = next(e for e in site.records("agent_event") if e["agent"] == "anna" and e["state"] == "wrap_up")
    assert wrap_up["data"]["until"] - wrap_up["at"] == pytest.approx(1.0, abs=0.3)
    for number in ("1001", "1002"):
        await phones[number].hangup()
    await site.audit()
    assert {one["plan"] for one in site.events(one, "ended")} == {second}
    shipped = site.rows("SELECT DISTINCT plan FROM call_event WHERE call_id = %s ORDER BY 1", one)
    assert {row["plan"] for row in shipped} == {first, second}
    history = json.loads(ccbridge(site, "config", "history", "--json").stdout)
    assert [row["version"] for row in history] == [second, first]
    assert sorted(history[0]["differences"]) == sorted(expected)
    assert site.oddities() == []
