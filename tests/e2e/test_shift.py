"""Random sequences of codes and calls over ten agents: what is written of them has no hole and no overlap,
and the lamps are as their states.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from e2e_rig import Site
from lit import right
from shift import AGENTS, PIN, Shift, shift_site

from ccbridge.cli import main
from ccbridge.codes import TABLE
from ccbridge.lab.outside import Outside

#: the same again: SHIFT_SEED=...
SEED = int(os.environ.get("SHIFT_SEED", "5"))


@pytest.mark.lab
@pytest.mark.pg
@pytest.mark.parametrize(("count", "kills"), [(16, 1), pytest.param(300, 5, marks=pytest.mark.full)])
async def test_random_sequences_of_codes_and_calls(
    make_site: Callable[..., Site], outside: Outside, count: int, kills: int
) -> None:
    site = make_site(**shift_site())
    for agent in AGENTS:
        done = CliRunner().invoke(main, ["-c", str(site.config), "agent", "pin", agent, "--stdin"], input=PIN)
        assert done.exit_code == 0, done.output
    for agent in list(AGENTS)[:5]:
        site.login(agent)
    at = {count * (n + 1) // (kills + 1) for n in range(kills)}

    async def kill(number: int) -> None:
        """The others go on meanwhile."""
        if number in at:
            await asyncio.to_thread(site.daemon.kill)
            await asyncio.to_thread(site.daemon.start)

    shift = Shift(site, outside, SEED)
    await shift.play(count, kill)
    await outside.quiet()
    await site.audit()
    print(shift.dialled, shift.done, Counter(one["state"] for one in site.records("agent_event")))
    assert shift.dead == []
    assert count < 300 or {code.name for code in TABLE} == set(shift.dialled)
    assert site.ask("status")["agi_sessions"] == 0
    assert site.ask("status")["agi_counts"].get("failed", 0) == 0
    assert site.oddities() == []
    for _ in range(100):  # a wrap-up, or a rest, may end between two looks
        differ = {agent: both for agent, both in states(site).items() if both[0] != both[1]}
        if not differ:
            break
        await asyncio.sleep(0.1)
    assert differ == {}
    await right(site)
    assert [hole for agent in AGENTS for hole in holes(site, agent)] == []
    seats = Counter(row["device"] for agent in AGENTS if (row := site.agent(agent))["logged_in"])
    assert set(seats.values()) <= {1}, seats


def states(site: Site) -> dict[str, tuple[tuple[str, str], tuple[str, str]]]:
    """Each agent's state and its reason: as the database has it, and as the daemon shows it."""
    rows = {row["agent"]: (row["state"], row["reason"]) for row in site.rows("SELECT * FROM agent_state")}
    found = {}
    for agent in AGENTS:
        row = site.agent(agent)
        found[agent] = rows.get(agent, ("logged_out", "")), (row["state"], row["reason"] or "")
    return found


def holes(site: Site, agent: str) -> list[str]:
    """Where one interval does not begin when the one before it ends; the present state is the last."""
    # in one statement: an interval may end between two
    rows = site.rows(
        "SELECT state, started_at, ended_at FROM agent_interval WHERE agent = %s"
        " UNION ALL SELECT state, since, NULL FROM agent_state WHERE agent = %s"
        " ORDER BY started_at, ended_at",
        agent,
        agent,
    )
    return [
        f"{agent}: {one['state']} to {one['ended_at']}, {two['state']} from {two['started_at']}"
        for one, two in itertools.pairwise(rows)
        if one["ended_at"] != two["started_at"]
    ]
