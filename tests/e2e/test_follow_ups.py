"""Agents come back to their customers' matters: set by code, read out, called, done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from e2e_rig import SALES, Site, new_number
from spoken import played_to

from ccbridge.cli import main
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Lab
from ccbridge.lab.legs import Leg
from ccbridge.lab.phones import Phone
from ccbridge.lab.postgres import LabPostgres
from ccbridge.lab.tones import tone_spans

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
SOUNDS = (
    "auth-thankyou", "im-sorry", "agent-loggedoff", "feature-not-avail-line",
    "please-try-call-later", "vm-youhave",
)  # fmt: skip
DONE = ["auth-thankyou"]
NOBODY = ["im-sorry", "agent-loggedoff"]
NOT_NOW = ["im-sorry", "feature-not-avail-line"]
AWAY = ["im-sorry", "please-try-call-later"]
CALL_BACK = {"context": "outgoing", "prefixes": ["+30"]}


def due(site: Site, *words: str) -> list[dict[str, Any]]:
    """The follow-ups as ``ccbridge ticket due`` has them."""
    words = ("-c", str(site.config), "ticket", "due", *words, "--json")
    result = CliRunner().invoke(main, words, prog_name="ccbridge")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


async def dialled(
    phone: Phone, code: str, key: str = "", tone: int = 0, done: Callable[[], object] = bool
) -> Leg:
    """A code dialled, and a key pressed while the first follow-up is being read out, until it is taken."""
    leg = await (await phone.dial(code, tone=tone)).answered()
    while key and leg.live and not done():
        await asyncio.sleep(3.0)
        if leg.live and not done():
            await leg.press(key)
    return leg


async def test_follow_ups_are_read_out(
    make_site: Callable[..., Site],
    phones: Phones,
    carrier: Carrier,
    lab: Lab,
    lab_postgres: LabPostgres,
) -> None:
    site = make_site(tickets={"call_back": CALL_BACK}, queues={"sales": {"wrap_up": 60}})
    anna, number = phones["1001"], new_number()

    async def says(code: str, key: str = "") -> list[str]:
        leg = await dialled(anna, code, key)
        return await played_to(leg, lab, SOUNDS)

    assert await says("*073") == NOBODY
    assert await says("*074") == NOBODY
    site.login("anna")
    assert await says("*0731") == NOT_NOW
    assert await says("*074") == ["vm-youhave"]  # none
    names = []
    for code, caller in (("*0730", number), ("*73", new_number())):
        await site.until_agent("anna", "available")
        call, name = await site.dial(carrier, SALES, caller)
        await site.until_event(name, "answered", agent="anna")
        await call.hangup()
        await anna.idle()
        assert await says(code) == DONE
        assert await says("*05") == DONE
        names.append(name)
    now, later = await site.until(lambda: found if len(found := due(site)) == 2 else None)
    assert (now["call_id"], now["number"], now["agent"]) == (names[0], number, "anna")
    assert later["call_id"] == names[1]
    in_a_day = datetime.fromisoformat(later["due_at"]) - datetime.fromisoformat(now["due_at"])
    assert timedelta(hours=24) < in_a_day < timedelta(hours=25)
    assert [one["call_id"] for one in due(site, "--late", "--agent", "anna")] == names[:1]
    # the next one, and there is none; hung up in the middle; the database away
    assert await says("*074", "3") == ["vm-youhave"]
    leg = await dialled(anna, "*074")
    await leg.hangup()
    lab_postgres.halt()
    try:
        assert await says("*074") == AWAY
    finally:
        lab_postgres.start()
    # called: each hears the other
    leg = await dialled(anna, "*074", "1", tone=440, done=lambda: carrier.reached(number[1:]))
    (customer,) = carrier.reached(number[1:])
    await customer.answered()
    await asyncio.sleep(1.5)
    await leg.hangup()
    await customer.ended()
    await asyncio.sleep(0.3)
    assert sum(end - begin for begin, end in tone_spans(customer.heard, 440)) > 0.5
    assert sum(end - begin for begin, end in tone_spans(leg.heard, 1000)) > 0.5
    assert [one["data"] for one in site.events(names[0], "called_back")] == [{"agent": "anna"}]
    # done
    await site.until(lambda: len(due(site, "--late")) == 1)
    assert await says("*074", "2") == ["vm-youhave", *DONE]
    await site.until(lambda: due(site, "--late") == [])
    assert [one["outcome"] for one in site.records("ticket_outcome")] == ["follow_up", "follow_up", "closed"]
    assert await says("*074") == ["vm-youhave"]
    await site.audit()
    assert site.oddities() == []


async def test_nobody_is_called_unless_it_is_configured(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    site = make_site(queues={"sales": {"wrap_up": 60}})
    anna, number = phones["1001"], new_number()
    site.login("anna")
    await site.until_agent("anna", "available")
    call, name = await site.dial(carrier, SALES, number)
    await site.until_event(name, "answered", agent="anna")
    await (await dialled(anna, "*0730")).ended()
    await call.hangup()
    await anna.idle()
    await site.until(lambda: due(site, "--late"))
    await (await dialled(anna, "*074", "1")).ended()
    assert site.events(name, "called_back") == []
    assert carrier.reached(number[1:]) == []
    (why,) = [line["why"] for line in site.daemon.lines() if line.get("event") == "follow_up.not_called"]
    assert why == "tickets.call_back is not configured"


async def test_the_cap_of_an_hour_outlives_the_daemon(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier
) -> None:
    site = make_site(tickets={"call_back": {**CALL_BACK, "an_hour": 1}}, queues={"sales": {"wrap_up": 60}})
    anna, number = phones["1001"], new_number()
    site.login("anna")
    await site.until_agent("anna", "available")
    call, name = await site.dial(carrier, SALES, number)
    await site.until_event(name, "answered", agent="anna")
    await (await dialled(anna, "*0730")).ended()
    await call.hangup()
    await anna.idle()
    await site.until(lambda: due(site, "--late"))
    leg = await dialled(anna, "*074", "1", done=lambda: carrier.reached(number[1:]))
    (customer,) = carrier.reached(number[1:])
    await leg.hangup()
    await customer.ended()
    await site.until_rows(1, "SELECT * FROM control_audit WHERE what = 'call_back' AND result = 'done'")
    site.daemon.kill()
    site.daemon.start()
    await (await dialled(anna, "*074", "1")).ended()
    assert len(carrier.reached(number[1:])) == 1
    rows = await site.until_rows(2, "SELECT * FROM control_audit WHERE what = 'call_back' ORDER BY seq")
    assert [(row["result"], row["reason"], row["who"], row["whom"], row["by"]) for row in rows] == [
        ("done", "", "anna", "anna", "PJSIP/1001"),
        ("refused", "1 calls in an hour", "anna", "anna", "PJSIP/1001"),
    ]
