"""PostgreSQL stopped, and then frozen, for 30 s (here and there 3 s) during calls (acceptance 4)."""

import asyncio
import statistics
import time
from collections.abc import Callable

import pytest
from e2e_rig import Site
from traffic import QUICK, calls, percentile, ready, told

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.machine import Since
from ccbridge.lab.phones import Phone
from ccbridge.lab.postgres import LabPostgres

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]


@pytest.mark.parametrize("away_s", [3.0, pytest.param(30.0, marks=pytest.mark.full)])
@pytest.mark.parametrize("how", ["stopped", "frozen"])
async def test_calls_go_on_without_the_database(
    make_site: Callable[..., Site],
    lab_postgres: LabPostgres,
    phones: Phones,
    carrier: Carrier,
    how: str,
    away_s: float,
    machine: Since,
) -> None:
    site = make_site(**QUICK)
    await ready(site, phones)
    before = await calls(site, carrier, 12)
    begun = time.monotonic()
    (lab_postgres.halt if how == "stopped" else lab_postgres.pause)()
    try:
        during: list[float] = []
        while time.monotonic() - begun < away_s:
            during += await calls(site, carrier, 6)
        assert site.ask("status")["ship_lag_records"] > 0
        # a daemon that starts now has to do without, too
        site.daemon.kill()
        await asyncio.to_thread(site.daemon.start)
        started = site.ask("status")
        assert started["link"]["up"]
        assert started["agents"]["logged_in"] == 3
        anew = await calls(site, carrier, 6)
        waited = time.monotonic() - begun
    finally:
        if how == "stopped":
            lab_postgres.start()
        else:
            lab_postgres.resume()
    back = time.monotonic()
    await site.audit()  # every row once
    print(
        f"{how} for {waited:.0f} s: before {told(before)}; meanwhile {told(during)}; after a start "
        f"{told(anew)}; all rows there {time.monotonic() - back:.1f} s after its return"
    )
    # the same speed
    usual, late = statistics.median(before), 1000 * machine.late_s
    for some in (during, anew):
        assert statistics.median(some) <= max(2 * usual, usual + 25) + late
        assert percentile(some, 0.99) < 1000 + late
    closed = site.records("call_closed")
    assert {row["disposition"] for row in closed} == {"answered"}
    assert len(site.rows("SELECT * FROM call")) == len(closed)
    assert site.oddities() == []
