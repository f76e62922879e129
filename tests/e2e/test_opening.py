"""Opening hours on a real PBX: callers who come when it is closed, and a closing that outlives the daemon."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from e2e_rig import Site
from spoken import played_to

from ccbridge.cli import main
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Lab
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
DID = "2100000078"
PIN = "6603927"
NOT_NOW = ["im-sorry", "feature-not-avail-line"]
CLOSED = ["do-not-disturb", "activated"]
OPENED = ["do-not-disturb", "de-activated"]
SOUNDS = (
    "agent-pass", "auth-incorrect", "number", "digits/7", "pm-invalid-option", "im-sorry",
    "feature-not-avail-line", "do-not-disturb", "activated", "de-activated",
)  # fmt: skip
CHANGES: dict[str, Any] = {
    "hours": {
        "always": {
            "zone": "Europe/Athens",
            "week": {"mon-sun": ["00:00-24:00"]},
            "departments": ["north"],
            "digits": "7",
        },
        "never": {"zone": "Europe/Athens", "week": {"mon-sun": "closed"}},
    },
    "departments": {"north": ["sales"]},
    "supervisors": {
        "maria": {"name": "Μαρία", "device": "PJSIP/1007", "role": "supervisor", "departments": ["north"]},
        "petra": {"name": "Petra", "device": "PJSIP/1006", "role": "trainee", "departments": ["north"]},
    },
    "flows": {
        "by-hours": {
            "start": "ask",
            "steps": {
                "ask": {"hours": "always", "open": "never", "closed": "desk"},
                "never": {"hours": "never", "open": "desk", "closed": "sales"},
                "sales": {"queue": "sales"},
                "desk": {"transfer": "1008"},
            },
        }
    },
    "numbers": {DID: "by-hours"},
}


def ccbridge(site: Site, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["-c", str(site.config), *words])
    assert done.exit_code == code, done.output
    return done.output


async def test_closed_by_hours_and_by_somebody(make_site: Callable[..., Site], carrier: Carrier) -> None:
    site = make_site(**CHANGES)
    call, name = await site.dial(carrier, DID)
    assert (await site.until_event(name, "queued"))["data"]["queue"] == "sales"
    await call.hangup()
    assert "may not close" in ccbridge(site, "hours", "close", "always", "--as", "petra", code=1)
    said = ccbridge(
        site, "hours", "close", "always", "--for", "1h", "--reason", "fire drill", "--as", "maria"
    )
    assert said == "always is closed\n"
    call, name = await site.dial(carrier, DID)
    await site.until_event(name, "transferred")
    await call.hangup()
    # a daemon that is killed remembers it
    assert site.daemon.process is not None
    os.kill(site.daemon.process.pid, signal.SIGKILL)
    site.daemon.process.wait()
    site.daemon.start()
    (row,) = [
        one for one in json.loads(ccbridge(site, "hours", "show", "--json")) if one["hours"] == "always"
    ]
    assert (row["open"], row["why"]) == (False, "closed by maria: fire drill")
    call, name = await site.dial(carrier, DID)
    await site.until_event(name, "transferred")
    await call.hangup()
    assert ccbridge(site, "hours", "open", "always", "--as", "maria") == "always is as its hours say\n"
    call, name = await site.dial(carrier, DID)
    await site.until_event(name, "queued")
    await call.hangup()
    audit = [(one["what"], one["result"], one["who"], one["whom"]) for one in site.records("control_event")]
    assert audit == [
        ("close_hours", "refused", "petra", "always"),
        ("close_hours", "done", "maria", "always"),
        ("open_hours", "done", "maria", "always"),
    ]
    await site.audit()


async def test_closed_and_opened_at_a_phone(make_site: Callable[..., Site], phones: Phones, lab: Lab) -> None:
    site = make_site(**CHANGES)
    for name in ("maria", "petra"):
        done = CliRunner().invoke(
            main, ["-c", str(site.config), "agent", "pin", name, "--supervisor", "--stdin"], input=f"{PIN}\n"
        )
        assert done.exit_code == 0, done.output

    async def dials(phone: str, code: str, *pins: str) -> list[str]:
        leg = await (await phones[phone].dial(code, tone=0)).answered()
        for pin in pins:
            await asyncio.sleep(1.0)
            await leg.press(f"{pin}#")
        return await played_to(leg, lab, SOUNDS)

    def always() -> dict[str, Any]:
        rows = json.loads(ccbridge(site, "hours", "show", "north", "--json"))
        return dict(rows[0])

    assert (await dials("1007", "*0787", "1111", PIN))[-4:] == ["number", "digits/7", *CLOSED]
    row = always()
    assert (row["open"], row["why"]) == (False, "closed by maria")
    assert row["until"] is not None
    assert site.daemon.process is not None
    os.kill(site.daemon.process.pid, signal.SIGKILL)
    site.daemon.process.wait()
    site.daemon.start()
    assert always() == row
    assert await dials("1006", "*0797", PIN) == NOT_NOW  # a trainee
    assert await dials("1001", "*0797") == NOT_NOW  # no supervisor's phone
    assert await dials("1007", "*0798", PIN) == ["pm-invalid-option"]
    assert not always()["open"]
    assert (await dials("1007", "*0797", PIN))[-4:] == ["number", "digits/7", *OPENED]
    assert always()["open"]
    audit = [(one["what"], one["result"], one["who"], one["whom"]) for one in site.records("control_event")]
    assert audit == [
        ("pin", "failed", "", "supervisor/maria"),
        ("close_hours", "done", "maria", "always"),
        ("open_hours", "refused", "petra", "always"),
        ("open_hours", "refused", "", ""),
        ("open_hours", "done", "maria", "always"),
    ]
