"""An agent hears his own figures of today, and they are those of the day's report."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from e2e_rig import SALES, Site
from spoken import played_to

from ccbridge.cli import main
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Lab
from ccbridge.lab.phones import Phone
from ccbridge.lab.postgres import LabPostgres

pytestmark = [pytest.mark.lab, pytest.mark.pg]

# of the numbers only the one that is no part of another sound
SOUNDS = (
    "vm-received", "minutes", "number-not-answering", "please-try-call-later", "im-sorry", "agent-loggedoff",
    "digits/2",
)  # fmt: skip
AWAY = ["please-try-call-later"]


async def heard(lab: Lab, phone: Phone, code: str = "*099") -> list[str]:
    leg = await (await phone.dial(code, tone=0)).answered()
    return await played_to(leg, lab, SOUNDS)


def reported(site: Site, agent: str) -> tuple[int, int]:
    done = CliRunner().invoke(main, ["-c", str(site.config), "report", "day", "--json"], prog_name="ccbridge")
    assert done.exit_code == 0, done.output
    row = json.loads(done.stdout)["agents"][agent]
    return row["answered"], row["missed"]


async def test_my_figures_today(
    make_site: Callable[..., Site], phones: dict[str, Phone], carrier: Carrier, lab: Lab
) -> None:
    site = make_site()
    assert await heard(lab, phones["1001"]) == ["im-sorry", "agent-loggedoff"]
    site.login("anna")
    for _ in range(2):
        await site.until_agent("anna", "available")
        call, name = await site.dial(carrier, SALES)
        await site.until_event(name, "answered", agent="anna")
        await call.hangup()
        await phones["1001"].idle()
        await site.until_closed(name)
    await site.until_agent("anna", "available")
    await phones["1001"].will("ring")
    call, name = await site.dial(carrier, SALES)
    await site.until_event(name, "offer_ended", result="missed")
    await call.hangup()
    await site.until_closed(name)
    await site.until(lambda: site.ask("status")["ship_lag_records"] == 0)
    assert reported(site, "anna") == (2, 1)
    said = await heard(lab, phones["1001"])
    assert said == ["vm-received", "digits/2", "minutes", "number-not-answering"]


async def test_without_the_database_it_is_said(
    make_site: Callable[..., Site], phones: dict[str, Phone], lab: Lab, lab_postgres: LabPostgres
) -> None:
    site = make_site()
    site.login("anna")
    lab_postgres.pause()
    try:
        assert await heard(lab, phones["1001"]) == AWAY
    finally:
        lab_postgres.resume()
    assert site.agent("anna")["logged_in"]
