"""Why did he wait, why him, and why has this agent no call: asked while it happens, and afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from e2e_rig import SALES, Site

from ccbridge.cli import main
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

RULES = [{"require": {"greek": 4}}, {"after": 6, "require": {"greek": 2}}]

WAITS = (
    "Asked for: greek 4 or more. "
    "None of the queue's 3 agents can take the call: 2 lacked a skill, 1 was paused."
)


def ccbridge(site: Site, *words: str) -> str:
    done = CliRunner().invoke(main, ["-c", str(site.config), *words], prog_name="ccbridge")
    assert done.exit_code == 0, done.output
    return done.stdout


def explained(site: Site, call: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ccbridge(site, "call", "explain", call, "--json"))
    return found


async def test_a_call_that_waits_for_a_skill_is_explained(
    make_site: Callable[..., Site], phones: dict[str, Phone], carrier: Carrier
) -> None:
    site = make_site(
        agents={"anna": {"skills": {"greek": 5}}, "ben": {"skills": {"greek": 2}}},
        queues={"sales": {"skills": RULES}},
    )
    site.login("anna", "ben")
    site.ask("agent.pause", agent="anna", reason="break")
    call, name = await site.hold(carrier, SALES)
    await site.until_event(name, "waiting")

    ben = ccbridge(site, "agent", "explain", "ben").splitlines()
    assert ben[0].startswith("ben is available, for 0:")
    assert ben[1] == "sales: 1 in line, ben qualifies for none of them now."
    assert ben[2].startswith(f"  call {name}: has greek 2, 4 is required; a rule lets it in ")
    anna = ccbridge(site, "agent", "explain", "anna").splitlines()
    assert anna[0].startswith("anna is paused (break) for 0:")
    assert anna[1] == "sales: 1 in line, anna qualifies for all of them."
    text, more = explained(site, name)["now"]
    assert text.endswith(WAITS)
    assert more[:2] == ["ben: has greek 2, 4 is required", "anna: paused (break)"]

    await site.until_event(name, "answered", agent="ben")
    assert explained(site, name)["now"][0].startswith("Talks with ben, ")
    await call.hangup()
    await site.until_closed(name)
    await site.until_rows(1, "SELECT 1 FROM call WHERE call_id = %s", name)
    told = ccbridge(site, "call", "explain", name).splitlines()
    assert told[0].startswith(f"call {name}: answered by ben after ")
    steps = [line[10:] for line in told[1:]]
    waits = steps.index(WAITS)
    assert steps[waits + 1 : waits + 3] == more[:2]
    (relaxed,) = (line for line in steps if line.startswith("After 6 s asked for: greek 2 or more. "))
    assert relaxed.endswith("Offered to ben after 6 s in the queue: the only one who is free and qualifies.")
    assert "anna: paused (break)" in steps[steps.index(relaxed) :]
    assert "ben's phone rings." in steps
    assert any(line.startswith("ben answers after ") for line in steps)
    assert steps[-1] == "The call is over: answered; the caller hung up."
    await site.audit()
    assert site.oddities() == []
