"""How callers leave a line: by its overflows, and by a key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from e2e_rig import SALES, SUPPORT, Site

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]


async def test_an_overflow_into_another_queue(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    """The same call, another stint; a daemon that was killed meanwhile knows it."""
    site = make_site(queues={"sales": {"max_wait": 10, "overflow_to": {"time": {"queue": "support"}}}})
    call, name = await site.hold(carrier, SALES)
    overflowed = await site.until_event(name, "overflowed")
    assert overflowed["data"] == {"reason": "time", "queue": "support"}
    queued = await site.until_event(name, "queued", queue="support")
    assert queued["data"]["stint"]["wait_s"] == pytest.approx(10.0, abs=0.5)
    site.daemon.kill()
    site.daemon.start()
    site.login("dimitris")  # of support only
    await site.until_event(name, "answered", agent="dimitris")
    await call.hangup()
    account = await site.until_closed(name)
    assert (account["queue"], account["disposition"], account["inferred"]) == ("support", "answered", False)
    assert [(one["queue"], one["end"]) for one in account["stints"]] == [("sales", "overflowed")]
    await site.audit()
    assert site.oddities() == []


async def test_a_full_queue_a_queue_without_agents_and_one_whose_agents_are_paused(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    site = make_site(
        queues={
            "sales": {"max_waiting": 1, "overflow_to": {"full": {"message": ["beep", "vm-goodbye"]}}},
            "support": {
                "overflow_to": {"nobody": {"extension": "1008"}, "paused": {"queue": "sales", "priority": 3}}
            },
        }
    )
    # nobody is logged in
    alone, one = await site.dial(carrier, SUPPORT)
    await phones["1008"].talks()
    account = await site.until_closed(one)
    assert (account["disposition"], account["queue"]) == ("overflowed", "support")
    assert site.events(one, "overflowed")[0]["data"] == {"target": "1008", "reason": "nobody"}
    await alone.hangup()
    # all who are logged in are paused: also who waits already leaves
    await phones["1004"].will("ring")
    site.login("dimitris")
    waiting, two = await site.hold(carrier, SUPPORT)
    await site.until_event(two, "ringing", agent="dimitris")
    site.ask("agent.pause", agent="dimitris", reason="lunch")
    await site.until_event(two, "queued", queue="sales")
    assert site.events(two, "overflowed")[0]["data"] == {"reason": "paused", "queue": "sales"}
    assert site.ask("call.show", call=two)["priority"] == 8  # the flow's 5 and 3
    # one in line, and the line is full: he hears the message, and the call ends
    late, three = await site.dial(carrier, SALES)
    assert await late.ended() == 16
    account = await site.until_closed(three)
    assert (account["disposition"], account["queue"]) == ("overflowed", "sales")
    assert site.events(three, "overflowed")[0]["data"] == {"target": "message", "reason": "full"}
    site.login("anna")
    await site.until_event(two, "answered", agent="anna")
    await waiting.hangup()
    await site.audit()
    assert site.oddities() == []


async def test_a_caller_leaves_by_key(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    site = make_site(
        queues={
            "sales": {
                "keys": {
                    "1": {"queue": "support"},
                    "2": {"extension": "1008"},
                    "*": {"message": ["vm-goodbye"]},
                }
            }
        }
    )
    first, one = await site.hold(carrier, SALES)
    second, two = await site.hold(carrier, SALES)
    third, three = await site.hold(carrier, SALES)
    await asyncio.sleep(0.5)
    await first.press("9")  # no key of this queue
    await first.press("1")
    await site.until_event(one, "queued", queue="support", why="key")
    assert site.ask("call.show", call=one)["state"] == "holding"
    await second.press("2")
    await phones["1008"].talks()
    await third.press("*")
    assert await third.ended() == 16
    for name, target in ((two, "1008"), (three, "message")):
        assert (await site.until_closed(name))["disposition"] == "left"
        assert site.events(name, "left")[0]["data"] == {"how": "key", "target": target}
    await second.hangup()
    # without the daemon a key does nothing, and he is served when it is back
    site.daemon.kill()
    await first.press("2")
    await asyncio.sleep(6.0)  # the loop has gone round
    site.daemon.start()
    site.login("dimitris")
    await site.until_event(one, "answered", agent="dimitris")
    await first.hangup()
    account = await site.until_closed(one)
    assert [(stint["queue"], stint["end"]) for stint in account["stints"]] == [("sales", "left")]
    await site.audit()
    assert site.oddities() == []
