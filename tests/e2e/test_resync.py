"""What nobody told: events that are lost, a journal that is lost, callers in the PBX's own queue."""

import asyncio
import time
from collections.abc import Callable

import pytest
from e2e_rig import SALES, SUPPORT, Site
from sieve import Sieve
from traffic import QUICK, calls, ready

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Pbx
from ccbridge.lab.machine import Since
from ccbridge.lab.phones import Phone
from ccbridge.lab.postgres import LabPostgres

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
SWEEP_LIMIT = 45.0  # seconds: one is due every 30, and a second look follows


async def test_events_that_are_lost(
    make_site: Callable[..., Site], pbx: Pbx, phones: Phones, carrier: Carrier
) -> None:
    """The ends of a call that talks and of one that waits, and a phone that goes: a sweep finds them."""
    with Sieve((pbx.ami_host, pbx.ami_port)) as sieve:
        site = make_site(asterisk={"port": sieve.port})
        await phones["1001"].will("answer", after=0.1)
        site.login("anna", "chloe")
        talking, one = await site.dial(carrier)
        await site.until_event(one, "answered", agent="anna")
        waiting, two = await site.hold(carrier)
        patient, three = await site.hold(carrier)

        ends = ("HangupRequest", "SoftHangupRequest", "BridgeLeave", "Hangup")
        sieve.loses = lambda m: (
            (m.get("Event") in ends and m.get("Linkedid") in (one, two))
            or (m.get("Event") == "DeviceStateChange" and m.get("Device") == "PJSIP/1003")
            or (m.get("Event") == "UserEvent" and m.get("Uniqueid") == one)
        )
        await phones["1001"].hangup()
        await waiting.hangup()
        await phones["1003"].unregister()
        await talking.ended()
        assert site.ask("status")["calls"]["total"] == 3  # nobody told
        assert site.agent("anna")["state"] == "talking"
        assert site.agent("chloe")["state"] == "available"

        for name, disposition in ((one, "answered"), (two, "lost")):
            account = await site.until_closed(name, SWEEP_LIMIT)
            assert (account["disposition"], account["inferred"]) == (disposition, True)
        assert sieve.lost
        sieve.loses = lambda m: False
        await site.until_agent("chloe", "unreachable", "not_registered")
        await site.until_event(three, "answered", agent="anna")  # after her wrap-up he is served
        await patient.hangup()
        await site.until_closed(three)
        status = site.ask("status")
        assert status["drift"] == {"call_gone": 2, "leg_gone": 1, "device_state": 1}
        assert status["sweep"]["at"]
        told = [line for line in site.daemon.lines() if line.get("event") == "drift"]
        assert {line.get("call") or line.get("agent") for line in told} == {one, two, "chloe"}
        await site.audit()
        assert site.oddities() == []


@pytest.mark.full
async def test_a_busy_minute_without_drift(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    site = make_site(**QUICK)
    await ready(site, phones)
    begun, served = time.monotonic(), 0
    while time.monotonic() - begun < 70.0:
        served += len(await calls(site, carrier, 12))
    status = site.ask("status")
    assert status["sweep"]["at"]
    assert status["drift"] == {}
    assert served > 30
    await site.audit()
    assert site.oddities() == []


async def test_the_journal_is_gone(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier, machine: Since
) -> None:
    """A new disk: log-ins, pause, wrap-up and calls come from the database; the numbers go on."""
    site = make_site(queues={"sales": {"wrap_up": 1}, "support": {"wrap_up": 60}})
    for number in ("1001", "1003"):
        await phones[number].will("answer", after=0.1)
    site.login("anna", "ben", "chloe")
    site.ask("agent.pause", agent="ben", reason="lunch")
    paused = site.agent("ben")["since"]
    _, one = await site.dial(carrier, SUPPORT)
    await site.until_event(one, "answered", agent="chloe")
    await phones["1003"].hangup()
    await site.until_agent("chloe", "wrap_up")
    talking, two = await site.dial(carrier)
    await site.until_event(two, "answered", agent="anna")
    waiting, three = await site.hold(carrier)
    await site.until(lambda: site.ask("status")["ship_lag_records"] == 0)
    until = next(
        r["data"]["until"]
        for r in site.records("agent_event")
        if (r["agent"], r["state"]) == ("chloe", "wrap_up")
    )
    last = site.records()[-1]["seq"]

    site.daemon.kill()
    site.lose_journal()
    site.daemon.start()
    remembered = next(x for x in reversed(site.daemon.lines()) if x["event"] == "daemon.remembered")
    assert (remembered["source"], remembered["calls"], remembered["agents"]) == ("database", 2, 3)
    assert remembered["seq"] > last
    assert site.agent("anna")["state"] == "talking"
    ben = site.agent("ben")
    assert (ben["state"], ben["reason"], ben["since"]) == ("paused", "lunch", paused)
    chloe = site.agent("chloe")
    assert chloe["state"] == "wrap_up"
    assert abs(chloe["left_s"] - (until - time.time())) < 1.0 + machine.late_s
    await phones["1001"].hangup()
    await talking.ended()
    answered = await site.until_rows(
        1, "SELECT * FROM call_event WHERE call_id = %s AND kind = 'answered'", three
    )
    assert answered[0]["data"]["agent"] == "anna"
    await waiting.hangup()
    accounts = await site.until_rows(3, "SELECT * FROM call ORDER BY arrived_at")
    assert [(row["call_id"], row["disposition"], row["inferred"]) for row in accounts] == [
        (name, "answered", False) for name in (one, two, three)
    ]
    assert len(site.rows("SELECT * FROM recording WHERE ended_at IS NOT NULL")) == 3
    assert site.rows("SELECT * FROM ship_reject") == []
    assert site.rows("SELECT * FROM call_opened") == []
    assert site.oddities() == []
    # and it is kept: a second start has a journal of its own
    site.daemon.kill()
    site.daemon.start()
    assert site.agent("ben")["since"] == paused


@pytest.mark.full
async def test_journal_and_database_are_gone(
    make_site: Callable[..., Site], lab_postgres: LabPostgres, phones: Phones, carrier: Carrier
) -> None:
    """It starts empty, says so, adopts who is there, and what it writes collides with nothing."""
    site = make_site()
    await phones["1001"].will("answer", after=0.1)
    site.login("anna")
    talking, one = await site.dial(carrier)
    await site.until_event(one, "answered", agent="anna")
    waiting, two = await site.hold(carrier)
    await site.until(lambda: site.ask("status")["ship_lag_records"] == 0)
    site.daemon.kill()
    site.lose_journal()
    lab_postgres.halt()
    try:
        await asyncio.to_thread(site.daemon.start)
        (said,) = [
            x for x in site.daemon.lines() if x["event"] == "daemon.starts_empty" and x["level"] == "error"
        ]
        assert "database" in said["why"]
        # the offer is read from the channels, and with it her call; her log-in is gone
        assert site.agent("anna")["state"] == "talking"
        assert site.ask("call.show", call=two)["state"] == "holding"
        assert site.ask("status")["ship_lag_records"] < 100
        await talking.hangup()
        await site.until_agent("anna", "logged_out")
        site.login("anna")
        await site.until_event(two, "answered", agent="anna")
    finally:
        lab_postgres.start()
    await waiting.hangup()
    accounts = await site.until_rows(2, "SELECT * FROM call ORDER BY arrived_at", limit_s=30.0)
    assert [(row["call_id"], row["disposition"], row["inferred"]) for row in accounts] == [
        (name, "answered", True) for name in (one, two)
    ]
    recordings = site.rows("SELECT * FROM recording WHERE call_id = %s", one)
    assert [row["ended_at"] is not None for row in recordings] == [True]
    assert site.rows("SELECT * FROM ship_reject") == []
    assert site.oddities() == []


@pytest.mark.full
async def test_callers_in_the_fallback_queue(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    """Answered there and waiting there, both seen only by a daemon that comes later; nobody is moved."""
    site = make_site()
    await phones["1009"].will("answer", after=0.1)
    await phones["1001"].will("answer", after=0.1)
    site.login("anna")
    site.daemon.freeze()  # callers go to the fallback after 4 s, and not after 10 as with a dead one
    answered = await carrier.call(SALES, "+306911111111")
    leg = await phones["1009"].talks()
    waiting = await carrier.call(SALES, "+306922222222")
    impatient = await carrier.call(SALES, "+306933333333")
    await asyncio.sleep(6.0)  # TIMEOUT(absolute) lets them go to the queue
    site.daemon.kill()
    site.daemon.start()
    await site.until(lambda: len(site.records("call_opened")) == 3)
    ids = {record["raw"]: record["call"] for record in site.records("call_opened")}
    one, two, three = (ids[number] for number in ("+306911111111", "+306922222222", "+306933333333"))
    assert [site.ask("call.show", call=name)["state"] for name in (one, two, three)] == ["fallback"] * 3
    assert site.events(one, "fallback_answered")
    assert not site.events(two, "fallback_answered")
    assert site.agent("anna")["state"] == "available"
    await impatient.hangup()
    gave_up = await site.until_closed(three)
    await leg.hangup()  # the member is done with the first, and gets the second
    first = await site.until_closed(one)
    await site.until_event(two, "fallback_answered")
    await waiting.hangup()
    second = await site.until_closed(two)
    assert answered.leg.ended_at
    assert {account["disposition"] for account in (first, second, gave_up)} == {"fallback"}
    assert [account["answered_at"] is not None for account in (first, second, gave_up)] == [True, True, False]
    assert [account["ended_by"] for account in (first, second, gave_up)] == ["system", "caller", "caller"]
    assert site.offers(one, two, three) == []
    assert site.ask("status")["drift"] == {}
    await site.audit()
    assert site.oddities() == []
