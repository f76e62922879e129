"""One real call, from the trunk to the report; and the ways in which an answered call can end."""

import asyncio

import pytest
from e2e_rig import MENU, Site, new_number

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.machine import Since
from ccbridge.lab.phones import Phone
from ccbridge.lab.tones import dominant

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
TICKET = "SELECT * FROM ticket WHERE call_id = %s"


async def test_from_the_trunk_to_the_rows(
    house: Site, phones: Phones, carrier: Carrier, machine: Since
) -> None:
    """The caller hangs up first, and the agent is asked on the phone."""
    house.login("anna")
    await phones["1001"].will("answer", after=0.3, tone=1000, outcome="3", outcome_after=0.5)
    number = new_number()
    call, name = await house.dial(carrier, MENU, number, script=[0.5, "1"])
    leg = await phones["1001"].talks()
    await asyncio.sleep(2.0)
    await call.hangup()
    assert leg.invited_at is not None
    assert leg.answered_at is not None
    assert call.leg.ended_at is not None
    row = (await house.until_rows(1, "SELECT * FROM call WHERE call_id = %s", name))[0]
    assert (row["disposition"], row["agent"], row["ended_by"]) == ("answered", "anna", "caller")
    assert (row["caller_e164"], row["did"], row["queue"]) == (number, MENU, "sales")
    assert abs(row["talk_s"] - (call.leg.ended_at - leg.answered_at)) < 0.3 + machine.late_s
    ticket = (await house.until_rows(1, f"{TICKET} AND outcome_set", name))[0]
    assert (ticket["state"], ticket["agent"]) == ("follow_up", "anna")
    assert ticket["customer_id"] == row["customer_id"]
    recording = (await house.until_rows(1, "SELECT * FROM recording WHERE call_id = %s", name))[0]
    for side, tone in (("r", 440), ("t", 1000)):
        assert dominant(house.lab.recordings / f"{recording['path']}-{side}.wav") == tone
    house.jobs.start()  # they make one stereo file of the two
    assert len(await house.until_rows(2, "SELECT * FROM cdr WHERE linkedid = %s", name)) == 2
    ready = await house.until_rows(1, "SELECT * FROM recording WHERE call_id = %s AND state = 'ready'", name)
    assert (
        abs(ready[0]["duration_s"] - (call.leg.ended_at - leg.invited_at)) < 0.6 + machine.late_s
    )  # ringing included
    house.jobs.stop()


async def test_the_agent_hangs_up_first_and_dials_the_outcome(
    house: Site, phones: Phones, carrier: Carrier
) -> None:
    house.login("anna")
    await phones["1001"].will("answer", after=0.1)
    call, name = await house.dial(carrier)
    await phones["1001"].talks()
    await house.until_event(name, "answered")
    await phones["1001"].hangup()
    assert await call.ended() == 16
    account = await house.until_closed(name)
    assert (account["disposition"], account["ended_by"]) == ("answered", "agent")
    await house.until_agent("anna", "wrap_up")
    code = await phones["1001"].dial("*72")
    await code.answered()
    ticket = (await house.until_rows(1, f"{TICKET} AND outcome_set", name))[0]
    assert ticket["state"] == "closed"
    await code.ended()
    refused = await phones["1001"].dial("*79")  # no such outcome: said so, and nothing changes
    await refused.ended()
    assert house.rows(TICKET, name)[0]["state"] == "closed"


async def test_no_outcome_leaves_the_ticket_open(house: Site, phones: Phones, carrier: Carrier) -> None:
    house.login("anna")
    await phones["1001"].will("answer", after=0.1)
    call, name = await house.dial(carrier)
    leg = await phones["1001"].talks()
    await house.until_event(name, "answered")
    await call.hangup()
    await house.until_closed(name)
    assert leg.live  # he is being asked
    await house.until_agent("anna", "wrap_up")
    await leg.hangup()
    # his wrap-up has its time from the end of the talk, whatever the leg does
    await house.until_agent("anna", "available")
    ticket = (await house.until_rows(1, TICKET, name))[0]
    assert (ticket["state"], ticket["outcome_set"]) == ("open", False)


async def test_the_outcome_can_be_corrected_on_the_line(
    house: Site, phones: Phones, carrier: Carrier
) -> None:
    """A wrong key is said to be one; the next counts."""
    house.login("anna")
    await phones["1001"].will("answer", after=0.1)
    call, name = await house.dial(carrier)
    leg = await phones["1001"].talks()
    await house.until_event(name, "answered")
    await call.hangup()
    await house.until_closed(name)
    await house.until(lambda: house.ask("status")["agi_sessions"])  # he is being asked
    await leg.press("9")
    await house.until(lambda: any(line.get("event") == "outcome.refused" for line in house.daemon.lines()))
    await asyncio.sleep(3.8)  # the announcement takes 3.4 s, and keys count again after it
    await leg.press("1")
    assert (await house.until_rows(1, f"{TICKET} AND outcome_set", name))[0]["state"] == "resolved"
    await leg.ended()
