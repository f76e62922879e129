"""Flows on a real Asterisk: each kind of step that needs the caller or the outside, and its faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from e2e_rig import Site, new_number
from spoken import played_to

from ccbridge.cli import main
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Lab
from ccbridge.store import queries

pytestmark = [pytest.mark.lab, pytest.mark.pg]

DID = "2100000077"
FLOWS: dict[str, Any] = {
    "lookups": {
        "account": {
            "sql": "SELECT name, length(name) AS letters FROM customer WHERE name = 'account ' || %(n)s",
            "values": {"n": "account_number"},
        },
        "late": {"sql": "SELECT pg_sleep(20), 1 AS n", "timeout": 0.5},
    },
    "flows": {
        "all": {
            "start": "hello",
            "operator": {"key": "0", "step": "desk"},
            "steps": {
                "hello": {"call": "greeting", "next": "vip"},
                "vip": {"branch": [{"when": "caller.vip", "to": "rich"}], "otherwise": "choose"},
                "choose": {
                    "menu": {
                        "prompts": ["beep"],
                        "choices": {"1": "number", "2": "inner", "3": "slow"},
                        "table": "today",
                        "repeat": "9",
                        "otherwise": "bye",
                        "timeout": 2,
                        "tries": 2,
                    }
                },
                "inner": {
                    "menu": {
                        "prompts": ["beeperr"],
                        "choices": {"1": "desk"},
                        "back": "*",
                        "otherwise": "bye",
                    }
                },
                "number": {
                    "ask": {
                        "prompts": ["vm-enter-num-to-call"],
                        "store": "account_number",
                        "least": 3,
                        "most": 6,
                        "invalid": ["pm-invalid-option"],
                        "otherwise": "bye",
                        "timeout": 2,
                    },
                    "next": "find",
                },
                "find": {"lookup": "account", "next": "tell", "none": "bye", "failed": "desk"},
                "tell": {"say": {"number": "account.letters"}, "next": "missing"},
                "missing": {"play": ["there-is-no-such-sound"], "next": "rich"},
                "slow": {"lookup": "late", "next": "bye", "failed": "desk"},
                "rich": {"queue": "sales", "priority": 5},
                "desk": {"transfer": "1008"},
                "bye": {"message": ["vm-goodbye"]},
            },
        },
        "greeting": {
            "start": "one",
            "steps": {"one": {"play": ["hello-world"], "next": "back"}, "back": {"done": True}},
        },
    },
    "numbers": {DID: "all"},
    "callers": {"blocked": ["sorry-youre-having-problems"]},
}


@pytest.fixture
def menus(make_site: Callable[..., Site]) -> Site:
    return make_site(**FLOWS)


def steps(site: Site, call: str) -> list[tuple[str, str, str]]:
    return [
        (one["data"].get("flow", ""), one["data"]["step"], one["data"]["result"])
        for one in site.events(call, "menu_step")
    ]


async def test_digits_are_asked_for_looked_up_said_and_told_in_no_event(
    menus: Site, carrier: Carrier, lab: Lab
) -> None:
    with psycopg.connect(menus.database.url) as db:
        db.execute("INSERT INTO customer (name, created_at) VALUES ('account 4711', now())")
    call, name = await menus.dial(carrier, DID)
    await menus.until_event(name, "menu_step", result="choose")
    await call.press("1")
    await menus.until_event(name, "menu_step", step="choose", result="number")
    await call.press("12#")
    await menus.until_event(name, "menu_step", step="number", result="invalid")
    await call.press("4711#")
    queued = await menus.until_event(name, "queued")
    assert (queued["data"]["queue"], queued["data"]["priority"]) == ("sales", 5)
    await call.hangup()
    heard = await played_to(
        call.leg, lab, ("hello-world", "pm-invalid-option", "digits/12", "digits/2", "vm-goodbye")
    )
    # "account 4711" has twelve letters; what was said of the wrong digits he broke off
    assert heard == ["hello-world", "digits/12"]
    assert steps(menus, name) == [
        ("all", "", "hello"),
        ("all", "hello", "flow greeting"),
        ("greeting", "", "one"),
        ("greeting", "one", "back"),
        ("greeting", "back", "return"),
        ("all", "", "vip"),
        ("all", "vip", "choose"),
        ("all", "choose", "number"),
        ("all", "number", "invalid"),
        ("all", "number", "find"),
        ("all", "find", "tell"),
        ("all", "tell", "missing"),
        ("all", "missing", "rich"),
    ]
    assert "4711" not in "".join(str(one) for one in menus.events(name))
    assert "4711" not in menus.daemon.log.read_text()
    await menus.audit()


async def test_answers_of_the_database_back_and_the_operator(menus: Site, carrier: Carrier) -> None:
    with queries.reading(menus.database.url) as db:
        queries.answer_menu(db, "today", "5", "support", "ops")
        queries.answer_menu(db, "today", "6", "closed-long-ago", "ops")
    await asyncio.sleep(5.5)  # the daemon reads them every five seconds
    call, name = await menus.dial(carrier, DID)
    await menus.until_event(name, "menu_step", result="choose")
    await call.press("2")
    await menus.until_event(name, "menu_step", result="inner")
    await call.press("*")
    await menus.until_event(name, "menu_step", step="inner", result="back")
    await call.press("6")
    await menus.until_event(name, "menu_step", step="choose", result="invalid")
    await call.press("5")
    assert (await menus.until_event(name, "queued"))["data"]["queue"] == "support"
    await call.hangup()
    told = [line for line in menus.daemon.lines() if line.get("event") == "menu.no_such_queue"]
    assert {line["queue"] for line in told} == {"closed-long-ago"}
    other, its = await menus.dial(carrier, DID)
    await menus.until_event(its, "menu_step", result="choose")
    await other.press("0")
    assert (await menus.until_event(its, "transferred"))["data"]["target"] == "1008"
    await other.hangup()


async def test_a_customers_language_is_known_in_the_first_step(
    make_site: Callable[..., Site], carrier: Carrier
) -> None:
    first = {
        "branch": [{"when": "customer.language == 'el' and caller.number", "to": "q"}],
        "otherwise": "bye",
    }
    steps = {"first": first, "q": {"queue": "sales"}, "bye": {"hangup": True}}
    site = make_site(flows={"first": {"start": "first", "steps": steps}}, numbers={DID: "first"})
    known, unknown = new_number(), new_number()
    with psycopg.connect(site.database.url) as db:
        db.execute("INSERT INTO customer (id, name, created_at, language) VALUES (99, 'Zoë', now(), 'el')")
        db.execute("INSERT INTO phone_number VALUES (%s, 99)", (known,))
    call, name = await site.dial(carrier, DID, known)
    await site.until_event(name, "queued")
    await call.hangup()
    call, name = await site.dial(carrier, DID, unknown)
    assert (await site.until_closed(name))["disposition"] == "menu_ended"
    call, name = await site.dial(carrier, DID, anonymous=True)
    assert (await site.until_closed(name))["disposition"] == "menu_ended"


async def test_a_look_up_that_is_late_takes_its_own_way(menus: Site, carrier: Carrier) -> None:
    call, name = await menus.dial(carrier, DID)
    await menus.until_event(name, "menu_step", result="choose")
    await call.press("3")
    asked = await menus.until_event(name, "menu_step", step="choose", result="slow")
    answered = await menus.until_event(name, "menu_step", step="slow", result="desk")
    assert 0.4 < answered["at"] - asked["at"] < 5.0
    await menus.until_event(name, "transferred")
    await call.hangup()


async def test_vips_and_blocked_numbers(menus: Site, carrier: Carrier, lab: Lab) -> None:
    vip, bad = new_number(), new_number()
    with queries.reading(menus.database.url) as db:
        queries.list_caller(db, vip, "vip", "", "ops")
        queries.list_caller(db, bad, "block", "", "ops")
    await asyncio.sleep(5.5)
    call, name = await menus.dial(carrier, DID, vip)
    queued = await menus.until_event(name, "queued")
    assert queued["data"]["priority"] == 5 + 20
    await call.hangup()
    call, name = await menus.dial(carrier, DID, bad)
    heard = await played_to(call.leg, lab, ("hello-world", "sorry-youre-having-problems"))
    assert heard == ["sorry-youre-having-problems"]
    account = await menus.until_closed(name)
    assert (account["disposition"], account["ended_by"]) == ("menu_ended", "system")
    assert menus.events(name, "menu_step")[-1]["data"]["result"] == "blocked"


@pytest.mark.parametrize("flood", ["1" * 50, "*#" * 20])
async def test_floods_of_keys_end_somewhere(menus: Site, carrier: Carrier, flood: str) -> None:
    call, name = await menus.dial(carrier, DID, script=[0.5, flood])
    account = await menus.until_closed(name, 60.0)
    assert account["disposition"] == "menu_ended"
    assert menus.oddities() == []
    await call.ended()


@pytest.mark.parametrize(
    ("keys", "step"), [("", "hello"), ("", "choose"), ("1", "number"), ("3", "slow"), ("2", "inner")]
)
async def test_hanging_up_inside_any_step(menus: Site, carrier: Carrier, keys: str, step: str) -> None:
    call, name = await menus.dial(carrier, DID)
    if step != "hello":
        await menus.until_event(name, "menu_step", result="choose")
    if keys:
        await call.press(keys)
        await menus.until_event(name, "menu_step", result=step)
    await call.hangup()
    account = await menus.until_closed(name)
    assert (account["disposition"], account["ended_by"]) == ("menu_ended", "caller")
    await menus.audit()
    assert menus.oddities() == []
    said = CliRunner().invoke(main, ["-c", str(menus.config), "report", "ivr", "--json"])
    flows = json.loads(said.stdout)["flows"]
    left = {(flow, at) for flow, lines in flows.items() for at, line in lines.items() if line["left"]}
    assert left == {("greeting", "one") if step == "hello" else ("all", step)}
