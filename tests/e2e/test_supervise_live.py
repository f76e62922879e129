"""Supervisors at the control socket, with real callers in real lines."""

from __future__ import annotations

import getpass

import pytest
from e2e_rig import SALES, Site
from ears import ccbridge

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]


async def test_a_queue_is_paused_drained_and_set(
    house: Site, phones: dict[str, Phone], carrier: Carrier
) -> None:
    house.login("anna")
    assert ccbridge(house, "queue", "pause", "sales") == "sales is paused: its calls are offered to nobody"
    waiting, one = await house.hold(carrier, SALES)
    await house.until_event(one, "waiting", why={"queue": "paused"})
    assert house.agent("anna")["state"] == "available"
    # a new daemon knows it
    house.daemon.stop()
    house.daemon.start()
    await house.until(lambda: house.ask("status")["link"]["up"])
    assert "paused" in ccbridge(house, "queue", "list").splitlines()[1]
    assert house.offers(one) == []
    ccbridge(house, "queue", "set", "sales", "ring", "7")
    ccbridge(house, "queue", "resume", "sales")
    await house.until_event(one, "answered", agent="anna")
    assert house.ask("call.show", call=one)["offer"]["ring_s"] == 7
    # who comes now goes to the overflow at once
    ccbridge(house, "queue", "drain", "sales")
    leaving, two = await house.dial(carrier, SALES)
    account = await house.until_closed(two)
    assert (account["disposition"], account["offers"], account["wait"] < 2.0) == ("overflowed", 0, True)
    assert house.events(two, "overflowed")[0]["data"] == {"target": "1008", "reason": "draining"}
    ccbridge(house, "queue", "resume", "sales")
    refused = ccbridge(house, "queue", "set", "sales", "ring", "500", code=1)
    assert refused == "queues.sales.ring: must be 3 to 120 seconds, not 500"
    assert ccbridge(house, "queue", "set", "sales", "ring") == "sales.ring is 3, as the file says"
    for call in (waiting, leaving):
        await call.hangup()
    await phones["1001"].hangup()
    told = [(e["kind"], e["by"]) for e in house.records("queue_event")]
    me = getpass.getuser()
    assert told[-6:] == [(kind, me) for kind in ("paused", "set", "resumed", "draining", "resumed", "unset")]
    rows = await house.until_rows(len(told), "SELECT kind, by FROM queue_event ORDER BY seq")
    assert [(row["kind"], row["by"]) for row in rows] == told


async def test_a_supervisor_and_callers_in_line(
    house: Site, phones: dict[str, Phone], carrier: Carrier
) -> None:
    ids, calls = [], []
    for _ in range(5):
        call, name = await house.hold(carrier, SALES)
        ids.append(name)
        calls.append(call)
    moved, pulled, first, sent, dropped = ids
    assert ccbridge(house, "call", "move", moved, "support") == f"{moved} is moved"
    ccbridge(house, "call", "redirect", sent, "1008")
    ccbridge(house, "call", "hangup", dropped)
    ccbridge(house, "call", "priority", first, "50")
    # chloe serves support only: he takes who was moved there, and is busy for anybody else
    house.login("chloe")
    await house.until_event(moved, "answered", agent="chloe")
    assert ccbridge(house, "call", "pull", pulled, "chloe", code=1) == (f"{pulled} stays: chloe is talking")
    house.ask("queue.pause", queue="sales")
    house.login("anna", "ben")
    assert ccbridge(house, "call", "pull", pulled, "ben") == f"{pulled} is offered"
    await house.until_event(pulled, "answered", agent="ben")
    house.ask("queue.resume", queue="sales")
    await house.until_event(first, "answered", agent="anna")
    assert ccbridge(house, "call", "hangup", first, code=1) == f"{first} is talking with anna"
    account = await house.until_closed(sent)
    assert (account["disposition"], account["ended_by"]) == ("left", "system")
    account = await house.until_closed(dropped)
    assert (account["disposition"], account["ended_by"]) == ("left", "system")
    await calls[4].ended()
    stints = house.events(moved, "queued")[-1]["data"]
    assert (stints["why"], stints["by"]) == ("moved", getpass.getuser())
    for call in calls[:4]:
        await call.hangup()
    for number in ("1001", "1002", "1003"):
        await phones[number].hangup()
