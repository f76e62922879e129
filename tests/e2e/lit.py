"""The lamps of phones' keys as the PBX has them, and whether they are as the daemon's own account is."""

from __future__ import annotations

import asyncio

import pytest
from e2e_rig import Site

from ccbridge.lab.ami import AmiLink
from ccbridge.lab.lab import Lab


async def shown(lab: Lab) -> dict[str, str]:
    """Our lamps as the PBX has them, by its own list."""
    link = await AmiLink.open(lab.pbx.door)
    try:
        listed = await link.action("DeviceStateList", until="DeviceStateListComplete")
    finally:
        await link.close()
    return {
        one["Device"].removeprefix("Custom:ccb-"): one["State"]
        for one in listed
        if one.get("Device", "").startswith("Custom:ccb-")
    }


async def right(site: Site) -> None:
    """All lamps are as the daemon's own account is."""

    def wanted() -> dict[str, bool]:
        lit = {}
        late = {
            one["agent"]
            for one in site.rows("SELECT agent FROM ticket WHERE state = 'follow_up' AND due_at <= now()")
        }
        for row in site.ask("agent.list"):
            lit[f"in-{row['agent']}"] = row["logged_in"]
            lit[f"pause-{row['agent']}"] = row["pause"] is not None
            lit[f"wrap-{row['agent']}"] = row["state"] == "wrap_up"
            lit[f"due-{row['agent']}"] = row["agent"] in late
        for row in site.ask("queue.list"):
            lit[f"waiting-{row['queue']}"] = row["waiting"] > 0
        return lit

    for _ in range(400):  # a follow-up is looked for every ten seconds
        want, have = wanted(), await shown(site.lab)
        known = {name: state for name, state in have.items() if name in want}
        wrong = {name for name, lit in want.items() if (known.get(name) == "INUSE") != lit}
        wrong |= {name for name in have.keys() - want.keys() if have[name] != "UNAVAILABLE"}
        if not wrong:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"lamps are wrong: {[(name, have.get(name)) for name in wrong]}")
