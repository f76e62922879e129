"""Calls that the daemon did not see, or not to their end: each is accounted for, once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from click.testing import CliRunner
from e2e_rig import BRISK, SALES, SUPPORT, Site, merged, new_number

from ccbridge.cli import main
from ccbridge.lab.carrier import Call, Carrier
from ccbridge.lab.chaos.house import Wire
from ccbridge.lab.lab import Lab, Pbx
from ccbridge.lab.legs import Leg
from ccbridge.lab.machine import Since
from ccbridge.lab.outside import Outside
from ccbridge.lab.phones import Phone
from ccbridge.lab.postgres import LabPostgres

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
ACCOUNTS = "SELECT * FROM call_account ORDER BY arrived_at"


@pytest_asyncio.fixture
async def wire() -> AsyncIterator[Wire]:
    """AMI's way to the daemon, which may be cut."""
    one = Wire()
    yield one
    await one.close()


def run(site: Site, *words: str) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(main, ["-c", str(site.config), *words, "--json"])
    return done.exit_code, json.loads(done.stdout)


def talked_s(phone: Leg, caller: Leg) -> float:
    """By the clocks of the phone and of the carrier."""
    assert phone.answered_at is not None
    assert phone.ended_at is not None
    assert caller.ended_at is not None
    return min(phone.ended_at, caller.ended_at) - phone.answered_at


async def test_every_call_is_accounted_for(
    make_site: Callable[..., Site],
    wire: Wire,
    pbx: Pbx,
    outside: Outside,
    phones: Phones,
    carrier: Carrier,
    machine: Since,
) -> None:
    port = await wire.open(pbx.ami_host, pbx.ami_port)
    # recordings of its own: those of the tests before have no rows in this site's database
    site = make_site(
        start=False,
        asterisk={"port": port},
        queues={"sales": {"wrap_up": 0}},
        recording={"directory": str(pbx.recordings / "gaps")},
    )
    await asyncio.to_thread(site.daemon.start)
    await phones["1001"].will("answer", after=0.1, outcome="1")
    await phones["1009"].will("answer", after=0.1, hangup_after=1.0)
    site.login("anna")

    async def talking() -> tuple[Call, str]:
        await site.until_agent("anna", "available")
        call, name = await site.dial(carrier)
        await site.until_event(name, "answered")
        return call, name

    seen, one = await talking()
    await asyncio.sleep(1.0)
    await seen.hangup()
    await site.until_closed(one)

    unheard, two = await talking()
    wire.cut()
    await site.until(lambda: not site.ask("status")["link"]["up"])
    await unheard.hangup()
    await unheard.ended()
    await asyncio.sleep(1.5)  # by so much the daemon is wrong
    wire.mend()
    assert (await site.until_closed(two))["inferred"]

    unwatched, three = await talking()
    waiting, four = await site.hold(carrier, SUPPORT)
    site.daemon.kill()
    await asyncio.sleep(0.5)
    await unwatched.hangup()
    await waiting.hangup()
    late, hasty = new_number(), new_number()
    served = await carrier.call(SALES, late)
    gone = await carrier.call(SALES, hasty, hangup_after=1.0)
    await gone.ended()
    await served.ended(40.0)
    await outside.quiet()
    await asyncio.to_thread(site.daemon.start)
    await site.until_closed(three)
    await site.until_closed(four)
    site.jobs.start()

    rows = {row["call_id"]: row for row in await site.until_rows(6, ACCOUNTS, limit_s=30.0)}
    await site.until(
        lambda: (
            {row["source"] for row in site.rows(ACCOUNTS)} == {"events", "cel"}
            and len(site.rows("SELECT * FROM call_account WHERE source = 'cel'")) == 5
        )
    )
    rows = {row["call_id"]: row for row in site.rows(ACCOUNTS)}
    five = next(id_ for id_, row in rows.items() if row["caller_e164"] == late)
    six = next(id_ for id_, row in rows.items() if row["caller_e164"] == hasty)
    assert {id_: (row["source"], row["disposition"], row["agent"]) for id_, row in rows.items()} == {
        one: ("events", "answered", "anna"),
        two: ("cel", "answered", "anna"),
        three: ("cel", "answered", "anna"),
        four: ("cel", "abandoned", None),
        five: ("cel", "fallback", None),
        six: ("cel", "menu_ended", None),
    }
    assert {rows[id_]["ended_by"] for id_ in (one, two, three, four, six)} == {"caller"}
    assert rows[five]["ended_by"] == "agent"
    assert rows[three]["queue"] == "sales"
    assert rows[three]["wait_s"] < 2.0
    assert {row["did"] for row in rows.values()} == {SALES, SUPPORT}
    talks = [*zip((one, two, three), phones["1001"].legs, (seen, unheard, unwatched), strict=True)]
    for id_, leg, call in [*talks, (five, phones["1009"].legs[0], served)]:
        assert abs(rows[id_]["talk_s"] - talked_s(leg, call.leg)) < 0.3 + machine.late_s, id_

    written = pbx.cdr_csv.read_bytes().count(b"\n")
    await site.until_rows(written, "SELECT * FROM cdr")
    told = site.rows("SELECT source, count(*) FROM cdr GROUP BY 1 ORDER BY 1")
    assert [row["source"] for row in told] == ["ami", "file"]
    assert sum(row["count"] for row in told) == written
    await site.until_rows(3, "SELECT * FROM recording WHERE state = 'ready'")

    code, found = await asyncio.to_thread(run, site, "reconcile")
    assert (code, found["unexplained"], found["calls"], found["cdrs"]) == (0, 0, 6, written), found
    reasons = {one["what"]: one["kind"] for one in found["differences"]}
    assert reasons == {
        **dict.fromkeys((two, three, four), "half_seen_call"),
        **dict.fromkeys((five, six), "unseen_call"),
    }
    _, report = await asyncio.to_thread(run, site, "report", "day")
    assert report["total"]["calls"] == 6
    assert report["total"]["answered"] == 3
    assert report["agents"]["anna"]["answered"] == 3
    own = sum(rows[id_]["talk_s"] for id_ in (one, two, three))
    assert abs(report["agents"]["anna"]["talk_s"] - own) < 0.1
    assert site.rows("SELECT * FROM file_reject") == []


@pytest.mark.full
async def test_the_pbx_is_killed_while_the_daemon_is_dead(lab: Lab, lab_postgres: LabPostgres) -> None:
    """Nobody wrote the end of a call in the fallback queue: it is inferred, and the missing CDR explained."""
    other = Lab(lab.folder / "other-gaps", lab.cache)
    other.up(progress=False, tethered=True)
    site = Site(other.folder / "site", other, lab_postgres.url, merged(BRISK, {}))
    try:
        async with Outside(other) as outside:
            await outside.reset()
            await outside.phones["1009"].will("answer", after=0.1)
            caller = new_number()
            await outside.carrier.call(SALES, caller)
            await outside.phones["1009"].talks(limit_s=40.0)
            await asyncio.sleep(0.5)
            other.pbx.kill()
        other.pbx.start()
        site.daemon.start()
        site.jobs.start()
        async with Outside(other) as outside:
            await outside.reset()
            call, name = await site.dial(outside.carrier)
            await call.hangup()
            await site.until_closed(name)
        cut_off = await site.until_rows(1, "SELECT * FROM call_account WHERE source = 'inferred'")
        assert (cut_off[0]["caller_e164"], cut_off[0]["disposition"]) == (caller, "pbx_restart")
        await site.until_rows(1, "SELECT * FROM cdr")
        code, found = await asyncio.to_thread(run, site, "reconcile")
        assert code == 0, found
        id_ = cut_off[0]["call_id"]
        assert [one["kind"] for one in found["differences"] if one["what"] == id_] == ["cut_off_call"]
    finally:
        site.close()
        other.down()
