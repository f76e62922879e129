"""Real calls through the real PBX: what the lab promises to the other tests."""

import asyncio
import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.errors import LabError
from ccbridge.lab.lab import Pbx
from ccbridge.lab.machine import Since
from ccbridge.lab.outside import Outside
from ccbridge.lab.phones import Phone
from ccbridge.lab.tones import dominant, longest_gap_ms, tone_spans

pytestmark = pytest.mark.lab

Phones = dict[str, Phone]
Rows = list[list[str]]


def read(file: Path) -> Rows:
    with file.open(newline="", errors="replace") as rows:
        return list(csv.reader(rows))


async def until(found: Callable[[], Rows]) -> Rows:
    """Asterisk writes its files a moment after the channels are gone."""
    async with asyncio.timeout(20):
        while not (rows := found()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return rows


async def test_both_sides_hear_each_other(phones: Phones, carrier: Carrier, machine: Since) -> None:
    await phones["1001"].will("answer", after=0.1, tone=1500)
    call = await carrier.call("551001", "+306900000001", tone=700)
    leg = await phones["1001"].talks()
    await call.answered()
    await asyncio.sleep(1.0)
    await call.hangup()
    assert await leg.ended() == 16
    assert dominant(call.heard) == 1500
    assert dominant(leg.heard) == 700
    assert sum(end - start for start, end in tone_spans(call.heard, 1500)) > 0.8 - machine.late_s
    assert longest_gap_ms(call.heard, 1500) <= 40 + 1000 * machine.late_s
    assert longest_gap_ms(leg.heard, 700) <= 40 + 1000 * machine.late_s


async def test_the_phone_shows_the_callers_name_and_number(phones: Phones, carrier: Carrier) -> None:
    call = await carrier.call("551001", "+306900000001", name="Ελένη Παππά")
    await phones["1001"].rings()
    shown = phones["1001"].shown
    assert (shown.name, shown.number) == ("Ελένη Παππά", "+306900000001")
    await call.hangup()


async def test_withheld_and_senseless_numbers_come_through(
    pbx: Pbx, phones: Phones, carrier: Carrier
) -> None:
    await phones["1001"].will("ring")
    call = await carrier.call("551001", anonymous=True)
    await phones["1001"].rings()
    assert phones["1001"].shown.number == "anonymous"
    await call.hangup()
    await phones["1001"].idle()
    call = await carrier.call("551001", "+++(garbage';DROP")
    await phones["1001"].rings()
    assert "garbage" in phones["1001"].shown.number
    await call.hangup()


@pytest.mark.parametrize(
    ("behaviour", "cause"), [("busy", 17), ("refuse", 21), ("unavailable", 19), ("error", 34)]
)
async def test_a_phone_that_rejects(phones: Phones, carrier: Carrier, behaviour: str, cause: int) -> None:
    await phones["1002"].will(behaviour)
    call = await carrier.call("551002")
    assert await call.ended() == cause


async def test_a_phone_that_forwards(phones: Phones, carrier: Carrier) -> None:
    """By 302: whoever dials it without saying otherwise follows."""
    await phones["1002"].will("forward", to="1003")
    await phones["1003"].will("ring")
    call = await carrier.call("551002")
    await phones["1003"].rings()
    await call.hangup()
    await phones["1003"].idle()


async def test_a_phone_that_nobody_answers(phones: Phones, carrier: Carrier) -> None:
    await phones["1002"].will("ring")
    call = await carrier.call("551002")
    leg = await phones["1002"].rings()
    await call.hangup()
    await leg.ended()
    assert leg.answered_at is None
    with pytest.raises(LabError, match="ended with cause"):
        await leg.answered()


async def test_unregistered_and_back(pbx: Pbx, phones: Phones, carrier: Carrier) -> None:
    await phones["1003"].unregister()
    assert "1003/sip:" not in pbx.rx("pjsip show contacts")
    call = await carrier.call("551003")
    assert await call.ended() != 16
    assert phones["1003"].legs == []
    await phones["1003"].register()
    call = await carrier.call("551003")
    await phones["1003"].talks()
    await call.hangup()


async def test_registered_but_dead_neither_rings_nor_refuses(
    pbx: Pbx, phones: Phones, carrier: Carrier
) -> None:
    await phones["1003"].die()
    call = await carrier.call("551003")
    await asyncio.sleep(1.0)
    assert call.leg.live
    assert call.leg.ringing_at is None
    assert "1003/sip:" in pbx.rx("pjsip show contacts")
    await call.hangup()


async def test_a_phone_dials(phones: Phones) -> None:
    """A phone dials another, which hangs up by itself."""
    await phones["1002"].will("answer", after=0, hangup_after=0.5)
    leg = await phones["1001"].dial("1002")
    await leg.answered()
    assert await leg.ended() == 16


async def test_a_script_is_followed(outside: Outside, phones: Phones, carrier: Carrier) -> None:
    await phones["1001"].will("answer", after=0)
    call = await carrier.call("551001", script=[0.2, "5", 0.2, "hangup"])
    await call.ended()
    assert call.script is not None
    await call.script
    with outside.pressed.open(newline="") as file:
        assert [row[3] for row in csv.reader(file) if row[1] == call.id] == ["5"]


async def test_the_outcome_is_pressed_by_a_phone_left_on_the_line(
    pbx: Pbx, phones: Phones, carrier: Carrier
) -> None:
    await phones["1001"].will("answer", after=0, outcome="2", outcome_after=0.2)
    call = await carrier.call("561001")
    leg = await phones["1001"].talks()
    await call.hangup()
    await leg.ended()
    assert "LAB_DIGIT=2" in pbx.rx("dialplan show globals")


async def test_the_outcome_is_not_pressed_by_a_phone_that_is_let_go(
    outside: Outside, phones: Phones, carrier: Carrier
) -> None:
    await phones["1001"].will("answer", after=0, outcome="2", outcome_after=0.1)
    call = await carrier.call("551001")
    leg = await phones["1001"].talks()
    await call.hangup()
    await leg.ended()
    await asyncio.sleep(0.2)
    pressed = outside.pressed.read_text(errors="replace") if outside.pressed.exists() else ""
    assert leg.uniqueid not in pressed


async def test_the_log_tells_what_phones_and_carrier_saw(
    outside: Outside, phones: Phones, carrier: Carrier
) -> None:
    call = await carrier.call("551001", "+306900000007", name="Ζωή, \\ 7")
    leg = await phones["1001"].talks()
    await call.hangup()
    await leg.ended()
    await outside.quiet()

    def told_of_both() -> list[list[str]]:
        rows = [row for row in read(outside.log) if row[3] in (call.id, leg.uniqueid)]
        return rows if [row[1] for row in rows].count("CHAN_END") == 2 else []

    rows = await until(told_of_both)
    assert all(len(row) == 10 for row in rows)
    told = {(row[3], row[1]): row for row in rows}
    for event in ("CHAN_START", "INVITED", "RINGING", "ANSWERED", "HANGUP", "CHAN_END"):
        assert (leg.uniqueid, event) in told
    invited = told[leg.uniqueid, "INVITED"]
    assert invited[5] == "+306900000007"
    assert invited[6].startswith("Ζωή")
    assert json.loads(invited[9])["extra"] == "1001|X-Lab=55;"
    assert json.loads(told[leg.uniqueid, "HANGUP"][9])["hangupcause"] == 16
    assert leg.ended_at is not None
    assert math.isclose(float(told[leg.uniqueid, "HANGUP"][0]), leg.ended_at, abs_tol=1.0)


async def test_the_pbx_writes_cdr_and_cel(
    pbx: Pbx, outside: Outside, phones: Phones, carrier: Carrier
) -> None:
    call = await carrier.call("551004", "+306987654321")
    await phones["1004"].talks()
    await call.hangup()
    await outside.quiet()
    rows = await until(lambda: [row for row in read(pbx.cdr_csv) if row[6] == "+306987654321"])
    assert len(rows) == 1
    assert rows[0][19] == "ANSWERED"
    assert rows[0][11].startswith("PJSIP/1004-")
    assert rows[0][1] == rows[0][3] != ""
    assert rows[0][2].isdigit()
    linked = rows[0][3]
    await until(lambda: [row for row in read(pbx.cel_csv) if row[2] == "LINKEDID_END" and row[5] == linked])


async def test_without_a_daemon_the_fallback_phone_answers(phones: Phones, carrier: Carrier) -> None:
    """The shipped dialplan, queue and music with nobody at the FastAGI port: no caller is lost."""
    call = await carrier.call("302101234567")
    leg = await phones["1009"].talks(limit_s=40)
    await asyncio.sleep(0.5)
    await call.hangup()
    await leg.ended()
    assert tone_spans(call.heard, 300) != []
    assert tone_spans(call.heard, 1000) != []
    assert dominant(leg.heard) == 440
