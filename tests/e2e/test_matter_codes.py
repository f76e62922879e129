"""Agents say at real phones what a call was about: tags, spoken notes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from click.testing import CliRunner
from e2e_rig import SALES, Site
from spoken import played_to

from ccbridge.cli import main
from ccbridge.lab.carrier import Call, Carrier
from ccbridge.lab.lab import Lab
from ccbridge.lab.phones import Phone
from ccbridge.lab.postgres import LabPostgres

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
Says = Callable[[str], Awaitable[list[str]]]
SOUNDS = (
    "auth-thankyou", "pm-invalid-option", "im-sorry", "agent-loggedoff", "feature-not-avail-line",
    "vm-tooshort",
)  # fmt: skip
DONE = ["auth-thankyou"]
NOBODY = ["im-sorry", "agent-loggedoff"]
NOT_NOW = ["im-sorry", "feature-not-avail-line"]
INVALID = ["pm-invalid-option"]


@pytest.fixture
def says(lab: Lab, phones: Phones) -> Says:
    """Dial a code at anna's phone; the sounds that were heard until the PBX hung up."""

    async def dial(code: str) -> list[str]:
        leg = await (await phones["1001"].dial(code, tone=0)).answered()
        return await played_to(leg, lab, SOUNDS)

    return dial


def told(site: Site, *words: str) -> Any:
    result = CliRunner().invoke(main, ["-c", str(site.config), *words, "--json"], prog_name="ccbridge")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def talking(site: Site, carrier: Carrier) -> tuple[Call, str]:
    """anna is logged in, and talks with a caller."""
    site.login("anna")
    await site.until_agent("anna", "available")
    call, name = await site.dial(carrier, SALES)
    await site.until_event(name, "answered", agent="anna")
    return call, name


def tags(site: Site, call: str) -> list[str]:
    return [one["data"]["tag"] for one in site.events(call, "tagged")]


async def test_tags(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier, says: Says, lab_postgres: LabPostgres
) -> None:
    site = make_site(queues={"sales": {"wrap_up": 60}})
    assert await says("*0711") == NOBODY
    call, name = await talking(site, carrier)
    # on the second line, while she talks; a code that is broken off has been heard, or has not
    assert await says("*0719") == INVALID
    assert await says("*0711") == DONE
    await (await (await phones["1001"].dial("*0711")).answered()).hangup()
    assert call.leg.live
    await call.hangup()
    await phones["1001"].idle()
    await site.until_agent("anna", "wrap_up")
    lab_postgres.halt()
    try:
        assert await says("*0713") == DONE
        assert await says("*0711") == DONE  # once more: no fault
    finally:
        lab_postgres.start()
    assert await says("*05") == DONE
    await site.until_agent("anna", "available")
    assert await says("*0711") == NOT_NOW
    assert list(dict.fromkeys(tags(site, name))) == ["order", "invoice"]
    await site.audit()
    assert told(site, "call", "show", name)["stored"]["tags"] == ["order", "invoice"]
    number = told(site, "ticket", "list")[0]["id"]
    assert told(site, "ticket", "show", str(number))["call"]["tags"] == ["order", "invoice"]
    assert told(site, "report", "day")["tags"] == {"invoice": 1, "order": 1}
    assert site.oddities() == []


async def test_notes(
    make_site: Callable[..., Site],
    phones: Phones,
    carrier: Carrier,
    says: Says,
    lab_postgres: LabPostgres,
    lab: Lab,
) -> None:
    site = make_site(jobs=True, tickets={"note_max": 5})
    anna = phones["1001"]
    assert await says("*072") == NOBODY
    site.login("anna")
    await site.until_agent("anna", "available")
    assert await says("*072") == NOT_NOW
    call, name = await talking(site, carrier)
    # on the second line, up to #
    leg = await (await anna.dial("*072", tone=700)).answered()
    await asyncio.sleep(2.5)
    await leg.press("#")
    await leg.ended()
    await site.until_event(name, "noted", agent="anna")
    assert call.leg.live
    await call.hangup()
    await anna.idle()
    await site.until_agent("anna", "available")  # the wrap-up is over, and the time for a note is not
    lab_postgres.halt()
    try:
        leg = await (await anna.dial("*072", tone=700)).answered()
        await asyncio.sleep(2.5)
        await leg.hangup()
        await site.until(lambda: len(site.events(name, "noted")) == 2)
    finally:
        lab_postgres.start()
    # until the longest time is over; and nothing to be heard
    assert await says("*072") == ["im-sorry", "vm-tooshort"]
    finished = "SELECT * FROM recording WHERE offer LIKE 'note-%%' AND state IN ('ready', 'empty')"
    rows = await site.until_rows(3, finished, limit_s=60)
    rows.sort(key=lambda row: row["started_at"])
    assert [row["state"] for row in rows] == ["ready", "ready", "empty"]
    assert {row["call_id"] for row in rows} == {name}
    found = [file.name for file in lab.pbx.recordings.rglob(f"{name}-note-*")]
    assert sorted(found) == sorted(f"{name}-{row['offer']}.wav" for row in rows[:2])
    for row in rows[:2]:
        assert 1.0 < row["duration_s"] < 6.0
    number = told(site, "ticket", "list")[0]["id"]
    recordings = told(site, "ticket", "show", str(number))["call"]["recordings"]
    assert {row["id"] for row in rows} < {one["id"] for one in recordings}
    await site.audit()
    assert site.oddities() == []


async def test_a_note_too_late(
    make_site: Callable[..., Site], carrier: Carrier, says: Says, phones: Phones
) -> None:
    """So long after the talk as ``tickets.note_within`` says, and no longer."""
    site = make_site(tickets={"note_within": 10}, queues={"sales": {"wrap_up": 2}})
    call, name = await talking(site, carrier)
    await call.hangup()
    await phones["1001"].idle()
    await site.until_agent("anna", "available")
    leg = await (await phones["1001"].dial("*072", tone=700)).answered()
    await asyncio.sleep(2.0)
    await leg.press("#")
    await leg.ended()
    await site.until_event(name, "noted", agent="anna")
    ended = site.events(name, "ended")[0]["at"]
    await asyncio.sleep(max(0.0, ended + 10.2 - time.time()))
    assert await says("*072") == NOT_NOW
    assert len(site.events(name, "noted")) == 1
    await site.audit()
    assert site.oddities() == []


@pytest.mark.parametrize("how", ["stopped", "frozen"])
async def test_outcome_and_note_wait_for_the_database(
    make_site: Callable[..., Site],
    phones: Phones,
    carrier: Carrier,
    says: Says,
    lab_postgres: LabPostgres,
    how: str,
) -> None:
    """Each is taken as ever, by a daemon that dies before it is back, too, and is in its ticket then."""
    site = make_site(jobs=True, tickets={"note_max": 5}, queues={"sales": {"wrap_up": 60}})
    call, name = await talking(site, carrier)
    (lab_postgres.halt if how == "stopped" else lab_postgres.pause)()
    try:
        await call.hangup()
        await phones["1001"].idle()
        await site.until_agent("anna", "wrap_up")
        begun = time.monotonic()
        assert await says("*71") == DONE
        assert time.monotonic() - begun < 10.0
        leg = await (await phones["1001"].dial("*072", tone=700)).answered()
        await asyncio.sleep(2.5)
        await leg.press("#")
        await leg.ended()
        await site.until_event(name, "noted", agent="anna")
        site.daemon.kill()
        await asyncio.to_thread(site.daemon.start)
        assert site.agent("anna")["state"] == "wrap_up"
        assert await says("*72") == DONE  # what he says last counts
    finally:
        if how == "stopped":
            lab_postgres.start()
        else:
            lab_postgres.resume()
    sql = "SELECT state FROM ticket WHERE call_id = %s AND outcome_set"
    (row,) = await site.until_rows(1, sql, name)
    assert row["state"] == "closed"
    sql = "SELECT * FROM recording WHERE call_id = %s AND offer LIKE 'note-%%' AND state = 'ready'"
    await site.until_rows(1, sql, name, limit_s=60)
    await site.audit()
    assert site.oddities() == []
