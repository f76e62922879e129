"""Agents at real phones: every code, what it does and what is heard; and what is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from click.testing import CliRunner
from e2e_rig import SALES, Site
from spoken import played_to, spoken

from ccbridge.cli import main
from ccbridge.codes import TABLE
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Lab
from ccbridge.lab.legs import Leg
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
Says = Callable[..., Awaitable[list[str]]]
PIN = {"anna": "8305517264", "ben": "7261940358"}  # long: a shorter one would be found in a time stamp
SOUNDS = (
    "agent-loginok", "agent-loggedoff", "agent-user", "agent-pass", "auth-incorrect", "vm-incorrect",
    "please-try-call-later", "auth-thankyou", "pm-invalid-option", "im-sorry", "feature-not-avail-line",
    "do-not-disturb", "activated", "de-activated", "seconds", "digits/2",
)  # fmt: skip
NOBODY = ["im-sorry", "agent-loggedoff"]
NOT_NOW = ["im-sorry", "feature-not-avail-line"]
INVALID = ["pm-invalid-option"]


def ccbridge(site: Site, *words: str, keyed: str = "") -> str:
    result = CliRunner().invoke(main, ["-c", str(site.config), *words], input=keyed, prog_name="ccbridge")
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def set_pins(site: Site) -> None:
    for agent, pin in PIN.items():
        assert ccbridge(site, "agent", "pin", agent, "--stdin", keyed=f"{pin}\n") == f"{agent} has a new PIN"


async def dialled(phone: Phone, code: str, *keyed: str) -> Leg:
    """A code dialled, and what is keyed at each prompt."""
    leg = await (await phone.dial(code, tone=0)).answered()
    for keys in keyed:
        await asyncio.sleep(1.0)
        await leg.press(f"{keys.rstrip('#')}#")
    return leg


@pytest.fixture
def says(lab: Lab) -> Says:
    """Dial a code and key at its prompts; the sounds that were heard until the PBX hung up."""

    async def dial(phone: Phone, code: str, *keyed: str) -> list[str]:
        leg = await dialled(phone, code, *keyed)
        return await played_to(leg, lab, SOUNDS)

    return dial


async def test_log_in_at_any_phone(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier, lab: Lab, says: Says
) -> None:
    site = make_site()
    set_pins(site)
    heard = await says(phones["1005"], "*01", "1001", PIN["anna"])
    assert heard[-1] == "agent-loginok"
    row = await site.until_agent("anna", "available")
    assert (row["device"], row["logged_in"]) == ("PJSIP/1005", True)
    # his calls come here, also after the daemon was killed in the middle of one
    call, name = await site.dial(carrier, SALES)
    await site.until_event(name, "answered", agent="anna")
    assert phones["1005"].leg is not None
    site.daemon.kill()
    site.daemon.start()
    assert site.agent("anna")["state"] == "talking"
    await call.hangup()
    await phones["1005"].idle()
    await site.until_agent("anna", "available")
    site.daemon.kill()
    site.daemon.start()
    assert (await site.until_agent("anna", "available"))["device"] == "PJSIP/1005"
    call, name = await site.dial(carrier, SALES)
    await site.until_event(name, "answered", agent="anna")
    assert (phones["1005"].leg is not None, phones["1001"].legs) == (True, [])
    await call.hangup()
    await phones["1005"].idle()
    await site.until_agent("anna", "available")
    # the next phone, with the number dialled; the former one is nobody's
    assert (await says(phones["1006"], "*011001", PIN["anna"]))[-1] == "agent-loginok"
    assert (await site.until_agent("anna", "available"))["device"] == "PJSIP/1006"
    assert await says(phones["1005"], "*02") == NOBODY
    assert await says(phones["1006"], "*02") == ["agent-loggedoff"]
    assert site.agent("anna")["device"] == "PJSIP/1001"
    told = [(one["state"], one["data"].get("device")) for one in site.records("agent_event")]
    assert told[0] == ("busy_elsewhere", "PJSIP/1005")
    assert told[-1] == ("logged_out", None)
    assert site.oddities() == []
    # a PIN is nowhere: not in what we write, nor in what Asterisk does
    await site.until_rows(3, "SELECT * FROM cdr WHERE fields ->> 'DestinationContext' = 'ccbridge-code'")
    written = [
        one for one in (*site.folder.rglob("*"), *(lab.folder / "pbx" / "log").rglob("*")) if one.is_file()
    ]
    assert len(written) > 5
    for file in written:
        assert PIN["anna"].encode() not in file.read_bytes(), file


async def test_who_logs_in_takes_the_phone(house: Site, phones: Phones, carrier: Carrier, says: Says) -> None:
    set_pins(house)
    house.login("anna")
    assert (await says(phones["1001"], "*011002", PIN["ben"]))[-1] == "agent-loginok"
    assert house.agent("anna")["state"] == "logged_out"
    assert (await house.until_agent("ben", "available"))["device"] == "PJSIP/1001"
    # a phone at which somebody works is not given to its own agent from a terminal
    answer = house.daemon.ask("agent.login", agent="anna")
    assert (answer.ok, answer.text) == (False, "anna cannot log in at PJSIP/1001: ben works there")
    # nor can it be taken from one who talks
    call, name = await house.dial(carrier, SALES)
    await house.until_event(name, "answered", agent="ben")
    assert (await says(phones["1001"], "*011001", PIN["anna"]))[-2:] == NOT_NOW
    assert (await says(phones["1005"], "*011002", PIN["ben"]))[-2:] == NOT_NOW
    assert house.agent("ben")["state"] == "talking"
    await call.hangup()
    await phones["1001"].idle()


async def test_wrong_pins_lock_phone_and_agent(house: Site, phones: Phones, says: Says) -> None:
    set_pins(house)
    assert await says(phones["1005"], "*011001", "1111", "2222", "3333") == ["vm-incorrect"]
    # a number that is nobody's: the same questions, and the same answer
    assert await says(phones["1005"], "*01999", "1111", "2222", "#") == ["vm-incorrect"]
    assert await says(phones["1005"], "*011001") == ["please-try-call-later"]
    # the agent has two tries left, at another phone
    assert (await says(phones["1006"], "*011001", "1111", "2222", PIN["anna"]))[-1] == "please-try-call-later"
    assert house.agent("anna")["state"] == "logged_out"
    assert ccbridge(house, "agent", "unlock", "anna") == "anna may try again"
    assert ccbridge(house, "agent", "unlock", "PJSIP/1005") == "PJSIP/1005 may try again"
    assert ccbridge(house, "agent", "unlock", "PJSIP/1005") == "PJSIP/1005 was not locked"
    assert (await says(phones["1005"], "*011001", PIN["anna"]))[-1] == "agent-loginok"
    assert house.agent("anna")["device"] == "PJSIP/1005"
    wrong = [line["agent"] for line in house.daemon.lines() if line.get("event") == "code.wrong_pin"]
    assert wrong == ["anna"] * 3 + [None] * 2 + ["anna"] * 2


async def test_log_out(house: Site, phones: Phones, says: Says) -> None:
    assert await says(phones["1001"], "*02") == NOBODY
    house.login("anna")
    assert await says(phones["1001"], "*02") == ["agent-loggedoff"]
    assert house.agent("anna")["state"] == "logged_out"


async def test_pause_and_unpause(house: Site, phones: Phones, says: Says) -> None:
    assert await says(phones["1001"], "*032") == NOBODY
    house.login("anna")
    assert await says(phones["1001"], "*039") == INVALID
    assert await says(phones["1001"], "*04") == NOT_NOW
    assert await says(phones["1001"], "*032") == ["do-not-disturb", "activated"]
    await house.until_agent("anna", "paused", "lunch")
    assert await says(phones["1001"], "*03") == ["do-not-disturb", "activated"]
    await house.until_agent("anna", "paused", "break")
    assert await says(phones["1001"], "*04") == ["do-not-disturb", "de-activated"]
    await house.until_agent("anna", "available")


async def test_wrap_up_lasts_longer_and_is_finished(
    house: Site, phones: Phones, carrier: Carrier, says
) -> None:
    assert await says(phones["1001"], "*05") == NOBODY
    house.login("anna")
    assert await says(phones["1001"], "*05") == NOT_NOW
    assert await says(phones["1001"], "*06") == NOT_NOW
    await house.until_agent("anna", "available")
    call, name = await house.dial(carrier, SALES)
    await house.until_event(name, "answered", agent="anna")
    await phones["1001"].hangup()
    await house.until_closed(name)
    heard = await says(phones["1001"], "*06")
    assert (heard[0], heard[-1]) == ("auth-thankyou", "seconds")
    row = await house.until_agent("anna", "wrap_up")
    assert 50 < row["left_s"] < 62
    assert await says(phones["1001"], "*05") == ["auth-thankyou"]
    await house.until_agent("anna", "available")
    assert call.leg.live is False


async def test_outcome(house: Site, phones: Phones, carrier: Carrier, says: Says) -> None:
    assert await says(phones["1001"], "*71") == NOBODY
    house.login("anna")
    assert await says(phones["1001"], "*71") == NOT_NOW
    await house.until_agent("anna", "available")
    _, name = await house.dial(carrier, SALES)
    await house.until_event(name, "answered", agent="anna")
    assert await says(phones["1001"], "*79") == NOT_NOW  # no outcome has this digit
    assert await says(phones["1001"], "*73") == ["auth-thankyou"]
    await phones["1001"].hangup()
    await house.until_closed(name)
    outcomes = [one["outcome"] for one in house.records("ticket_outcome") if one["call"] == name]
    assert outcomes == ["follow_up"]


async def test_my_state(house: Site, phones: Phones, says: Says) -> None:
    assert await says(phones["1001"], "*08") == ["agent-loggedoff"]
    house.login("anna")
    assert await says(phones["1001"], "*08") == ["agent-loginok"]
    house.ask("agent.pause", agent="anna", reason="lunch")
    assert await says(phones["1001"], "*08") == ["agent-loginok", "do-not-disturb", "activated", "digits/2"]


async def test_no_such_code_and_no_such_digits(house: Site, phones: Phones, says: Says) -> None:
    for code in ("*09", "*00", "*021", "*0399999"):
        assert await says(phones["1001"], code) == INVALID, code


async def test_a_caller_who_is_passed_on_to_a_code_is_no_phone(
    house: Site, phones: Phones, carrier: Carrier, lab: Lab
) -> None:
    house.login("anna")
    call, name = await house.dial(carrier, SALES)
    await house.until_event(name, "answered", agent="anna")
    await phones["1001"].transfer("*02")
    await house.until(lambda: len(house.events(name, "answered")) == 2)  # he was in line again
    assert house.agent("anna")["state"] == "talking"
    await call.hangup()
    await asyncio.sleep(0.3)
    folder = lab.folder / "pbx/lib/data/sounds/en"
    assert await asyncio.to_thread(spoken, call.leg.heard, folder, SOUNDS) == []


async def test_hanging_up_in_the_middle(house: Site, phones: Phones) -> None:
    house.login("anna")
    failed = house.ask("status")["agi_counts"].get("failed", 0)
    for row in TABLE:
        leg = await (await phones["1001"].dial(row.dial + "1" * row.least)).answered()
        await leg.hangup()
    leg = await dialled(phones["1001"], "*011002")
    await asyncio.sleep(0.5)
    await leg.press("726")
    await leg.hangup()
    await house.until(lambda: house.ask("status")["agi_sessions"] == 0)
    assert house.ask("status")["agi_counts"].get("failed", 0) == failed
    assert house.agent("ben")["state"] == "logged_out"


async def test_without_the_daemon_the_phone_is_told(site: Site, phones: Phones, says: Says) -> None:
    site.daemon.stop()
    began = time.time()
    assert await says(phones["1001"], "*02") == ["im-sorry", "please-try-call-later"]
    assert time.time() - began < 15
