"""Score cards by the keypad of a real phone: what is asked, what is kept, and what is not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from e2e_rig import SALES, SUPPORT, Site
from ears import ccbridge
from spoken import played_to

from ccbridge.lab.carrier import Call, Carrier
from ccbridge.lab.lab import Lab
from ccbridge.lab.legs import Leg
from ccbridge.lab.phones import Phone
from ccbridge.lab.postgres import LabPostgres

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
HOUSE: dict[str, Any] = {
    "departments": {"front": ["sales"], "back": ["support"]},
    "supervisors": {
        "sue": {"name": "Sue", "device": "PJSIP/1006", "role": "quality_analyst", "departments": ["front"]},
        "trainee": {"name": "T", "device": "PJSIP/1007", "role": "trainee", "departments": ["front"]},
        "chief": {"name": "C", "device": "PJSIP/1005", "role": "manager"},
    },
    "score_cards": {
        "sold": {
            "departments": ["front"],
            "groups": {
                "opening": {
                    "weight": 1,
                    "items": {"greeting": {}, "identity": {"weight": 3, "critical": 50}},
                },
                "matter": {"weight": 4, "items": {"understood": {"sound": "vm-youhave"}, "solved": {}}},
            },
        }
    },
}
SOUNDS = (
    "number", "vm-youhave", "you-entered", "with", "if-correct-press", "auth-thankyou", "cancelled",
    "pm-invalid-option", "im-sorry", "feature-not-avail-line", "please-try-call-later",
)  # fmt: skip


def told(site: Site) -> list[tuple[str, str, str]]:
    rows = site.controls()
    return [(one["what"], one["result"], one["reason"]) for one in rows]


async def until_told(site: Site, what: str, result: str, times: int = 1) -> None:
    await site.until(lambda: [one[:2] for one in told(site)].count((what, result)) >= times)


async def talk(site: Site, carrier: Carrier, did: str = SALES, agent: str = "anna") -> tuple[Call, str]:
    call, name = await site.dial(carrier, did)
    await site.until_event(name, "answered", agent=agent)
    return call, name


async def asks(site: Site, leg: Leg, *keyed: str | float) -> None:
    """Press 9, and these keys as soon as the form is there; for so many seconds none."""
    await leg.press("9")
    await site.until(lambda: site.ask("status")["agi_sessions"] == 1)
    await asyncio.sleep(0.3)  # the first word
    for keys in keyed:
        if isinstance(keys, str):
            await leg.press(keys)
        else:
            await asyncio.sleep(keys)


async def heard(lab: Lab, leg: Leg) -> list[str]:
    """The sounds that were heard until the phone hung up."""
    return await played_to(leg, lab, SOUNDS)


@pytest.fixture
async def centre(make_site: Callable[..., Site], phones: Phones) -> Site:
    site = make_site(**HOUSE)
    for number in ("1001", "1002", "1005", "1006", "1007"):
        await phones[number].will("answer", after=0.1, tone=0)
    site.login("anna")
    await site.until_agent("anna", "available")
    return site


async def listener(site: Site, phones: Phones, to: str = "1006", agent: str = "anna") -> Leg:
    site.ask("monitor.start", agent=agent, to=to)
    return await phones[to].talks()


async def test_a_call_is_scored_after_it_and_in_the_midst_of_it(
    centre: Site, phones: Phones, carrier: Carrier, lab: Lab
) -> None:
    sue = await listener(centre, phones)
    call, first = await talk(centre, carrier)
    await until_told(centre, "listen", "done")
    await call.hangup()
    await until_told(centre, "listen", "ended")
    # a number too high, digits taken back, an item taken back, and the total confirmed
    await asks(centre, sue, "80#", "101#", 4.0, "60#", 1.5, "9*90#", "60#", "*", "70#", 4.0)
    await centre.until(lambda: centre.ask("monitor.list")[0]["state"] == "scoring")
    assert centre.records("score_card") == []
    await sue.press("#")
    await until_told(centre, "score", "done")
    (row,) = await centre.until_rows(1, "SELECT * FROM score_card")
    assert (row["call_id"], row["agent"], row["who"], row["queue"]) == (first, "anna", "sue", "sales")
    assert (row["form"], row["total"], row["failed"]) == ("sold", 77.0, 0)
    assert len(row["version"]) == 10
    assert [(one["item"], one["points"], one["critical"]) for one in row["items"]] == [
        ("greeting", 80, 0), ("identity", 60, 50), ("understood", 90, 0), ("solved", 70, 0),
    ]  # fmt: skip
    assert row["took_s"] > 1
    listened = [one for one in centre.controls() if one["what"] == "listen"]
    assert row["listened_s"] == pytest.approx(listened[-1]["seconds"], abs=0.01)
    # he is with the agent again, and scores while the call goes on; the third item was not to be judged
    await centre.until_agent("anna", "available")
    call, second = await talk(centre, carrier)
    await until_told(centre, "listen", "done", 2)
    await asks(centre, sue, "80#", "49#", "#", "70#", "#")
    await until_told(centre, "score", "done", 2)
    assert centre.agent("anna")["state"] == "talking"
    await until_told(centre, "listen", "done", 3)  # back on the same call
    assert centre.controls()[-1]["call"] == second
    # he thinks better of it: the second card stands in the first one's place
    await asks(centre, sue, "80#", "50#", "#", "70#", "#")
    await until_told(centre, "score", "done", 3)
    await phones["1006"].hangup()
    await call.hangup()
    await centre.until_rows(3, "SELECT * FROM score_card")
    rows = json.loads(ccbridge(centre, "score", "list", "--agent", "anna", "--json"))
    assert [(one["call_id"], one["total"], one["failed"], one["stands"]) for one in rows] == [
        (second, 67.5, 0, True), (second, 0.0, 1, False), (first, 77.0, 0, True),
    ]  # fmt: skip
    assert "identity" in ccbridge(centre, "score", "show", second)
    assert ccbridge(centre, "score", "show", "1.1", code=1) == "call 1.1 has no score card"
    report = json.loads(ccbridge(centre, "report", "day", "--json"))
    assert report["agents"]["anna"]["score"] == {"cards": 2, "mean": 72.25, "failed": 0}
    said = await heard(lab, sue)
    assert {"number", "vm-youhave", "if-correct-press", "auth-thankyou", "pm-invalid-option"} <= set(said)
    await centre.audit()
    assert centre.oddities() == []


async def test_who_knows_the_form_waits_for_no_prompt(centre: Site, phones: Phones, carrier: Carrier) -> None:
    """Every key follows the last one at once, from the 9 on: none is lost, whatever is said meanwhile."""
    sue = await listener(centre, phones)
    call, _ = await talk(centre, carrier)
    await until_told(centre, "listen", "done")
    points = ["80", "60", "90", "70"]
    for times in range(1, 4):
        await sue.press("9" + "".join(f"{one}#" for one in points) + "#")
        await until_told(centre, "score", "done", times)
        assert [str(one["points"]) for one in centre.records("score_card")[-1]["items"]] == points
        await until_told(centre, "listen", "done", times + 1)
    await phones["1006"].hangup()
    await call.hangup()
    await centre.audit()


async def test_nothing_is_kept_of_a_card_that_is_not_ended(
    centre: Site, phones: Phones, carrier: Carrier, lab: Lab
) -> None:
    """He hangs up in the middle, gives up, or keys what is no number."""
    sue = await listener(centre, phones)
    call, name = await talk(centre, carrier)
    await until_told(centre, "listen", "done")
    await asks(centre, sue, "80#", "60#", "*", "*", "*")
    await until_told(centre, "score", "failed")
    await until_told(centre, "listen", "done", 2)
    await asks(centre, sue, "101#", "555#", "1000#")
    await until_told(centre, "score", "failed", 2)
    await until_told(centre, "listen", "done", 3)
    await asks(centre, sue, "80#", "60#", "90#", "70#")
    await phones["1006"].hangup()
    await until_told(centre, "score", "failed", 3)
    failed = [one for one in centre.controls() if one["result"] == "failed"]
    assert [(one["reason"], one["call"], one["who"], one["whom"]) for one in failed] == [
        (why, name, "sue", "anna") for why in ("given up", "no answer", "hung up")
    ]
    await call.hangup()
    await centre.audit()
    assert centre.records("score_card") == []
    assert "cancelled" in await heard(lab, sue)
    assert centre.ask("status")["agi_counts"].get("failed", 0) == 0
    assert centre.oddities() == []


async def test_who_gets_no_form(centre: Site, phones: Phones, carrier: Carrier, lab: Lab) -> None:
    """A trainee; one who has heard no call; a queue that has no form. Each is said, and kept."""
    refused = ["im-sorry", "feature-not-avail-line"]
    sue = await listener(centre, phones)
    await sue.press("9")
    await until_told(centre, "score", "refused")
    await phones["1006"].hangup()
    assert await heard(lab, sue) in (refused, [])  # he may have hung up before it was said
    trainee = await listener(centre, phones, "1007")
    call, name = await talk(centre, carrier)
    await until_told(centre, "listen", "done")
    await trainee.press("9")
    await until_told(centre, "score", "refused", 2)
    await until_told(centre, "listen", "done", 2)  # and he listens on
    assert centre.agent("anna")["state"] == "talking"
    await phones["1007"].hangup()
    assert await heard(lab, trainee) == refused
    await call.hangup()
    centre.login("chloe")
    chief = await listener(centre, phones, "1005", "chloe")
    call, other = await talk(centre, carrier, SUPPORT, "chloe")
    await until_told(centre, "listen", "done", 3)
    await chief.press("9")
    await until_told(centre, "score", "refused", 3)
    await until_told(centre, "listen", "done", 4)
    await phones["1005"].hangup()
    await call.hangup()
    assert await heard(lab, chief) == refused
    await centre.audit()
    rows = centre.rows(
        "SELECT who, whom, call_id, door, reason FROM control_audit WHERE result = 'refused' ORDER BY seq"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("sue", "anna", None, "phone", "he has heard no call"),
        ("trainee", "anna", name, "phone", "a trainee may not score"),
        ("chief", "chloe", other, "phone", "there is no form for support"),
    ]
    assert centre.rows("SELECT * FROM score_card") == []


@pytest.mark.parametrize("how", ["stopped", "frozen"])
async def test_a_card_waits_for_the_database(
    centre: Site, phones: Phones, carrier: Carrier, lab_postgres: LabPostgres, how: str
) -> None:
    sue = await listener(centre, phones)
    call, name = await talk(centre, carrier)
    await until_told(centre, "listen", "done")
    (lab_postgres.halt if how == "stopped" else lab_postgres.pause)()
    try:
        await asks(centre, sue, "100#", "100#", "100#", "98#", "#")
        await until_told(centre, "score", "done")
        assert [one["call"] for one in centre.records("score_card")] == [name]
        # and for a daemon that dies before it is back
        centre.daemon.kill()
        await asyncio.to_thread(centre.daemon.start)
        assert centre.ask("status")["ship_lag_records"] > 0
    finally:
        if how == "stopped":
            lab_postgres.start()
        else:
            lab_postgres.resume()
    (row,) = await centre.until_rows(1, "SELECT * FROM score_card")
    assert (row["call_id"], row["total"]) == (name, 99.2)
    await sue.ended()  # by the new daemon
    await call.hangup()
    await centre.audit()


async def test_a_daemon_that_dies_in_the_middle(
    centre: Site, phones: Phones, carrier: Carrier, lab: Lab
) -> None:
    """The supervisor is told, nothing is kept, and the next daemon hangs him up."""
    sue = await listener(centre, phones)
    call, _ = await talk(centre, carrier)
    await until_told(centre, "listen", "done")
    await asks(centre, sue, "80#")
    centre.daemon.kill()
    await asyncio.sleep(5.0)  # what he is told takes so long
    await asyncio.to_thread(centre.daemon.start)
    assert {"im-sorry", "please-try-call-later"} <= set(await heard(lab, sue))
    assert centre.agent("anna")["state"] == "talking"
    await call.hangup()
    await centre.audit()
    assert centre.records("score_card") == []
