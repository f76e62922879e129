"""Names and numbers: shown to the agent as they are, and never more than text."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from e2e_rig import MENU, SALES, Site, new_number

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Pbx
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]


def add_customer(site: Site, name: str, e164: str) -> int:
    with psycopg.connect(site.database.admin_url, autocommit=True) as db:
        row = db.execute(
            "INSERT INTO customer (name, created_at) VALUES (%s, now()) RETURNING id", (name,)
        ).fetchone()
        assert row is not None
        db.execute("INSERT INTO phone_number (e164, customer_id) VALUES (%s, %s)", (e164, row[0]))
    return int(row[0])


@pytest.mark.parametrize("name", ["Ελένη Παπαδοπούλου", "مريم 😀 O'Neil", "${SHELL(touch @)} $[1+1]"])
async def test_the_agents_phone_shows_who_calls(
    house: Site, phones: Phones, carrier: Carrier, tmp_path: Path, name: str
) -> None:
    """The customer's name, the queue and the wait; and a customer who called before is known again."""
    touched = tmp_path / "x"
    name = name.replace("@", str(touched))[:40]
    number = new_number()
    customer = add_customer(house, name, number)
    house.login("anna")
    call, call_id = await house.dial(carrier, MENU, number, name="Trunk Name", script=[0.3, "1"])
    await phones["1001"].rings()
    shown = phones["1001"].shown
    # SIP writes an apostrophe as a quoted pair, which the lab's phones show as it is on the wire
    shown = replace(shown, name=shown.name.replace("\\'", "'"))
    assert shown.name.startswith(f"{name} - sales 0:0"), shown
    assert shown.number == number
    await house.until_event(call_id, "answered")
    await call.hangup()
    row = (await house.until_rows(1, "SELECT * FROM call WHERE call_id = %s", call_id))[0]
    assert (row["customer_id"], row["caller_name"]) == (customer, "Trunk Name")
    assert not touched.exists()


async def test_an_unknown_caller_becomes_a_customer(house: Site, phones: Phones, carrier: Carrier) -> None:
    house.login("anna")
    number = new_number()
    ids = []
    for _ in range(2):
        call, name = await house.dial(carrier, SALES, number)
        await house.until_event(name, "answered")
        await call.hangup()
        row = (await house.until_rows(1, "SELECT * FROM call WHERE call_id = %s", name))[0]
        ids.append(row["customer_id"])
        await phones["1001"].hangup()
    assert ids[0] is not None
    assert ids[0] == ids[1]


async def test_an_anonymous_caller(house: Site, phones: Phones, carrier: Carrier) -> None:
    house.login("anna")
    call, name = await house.dial(carrier, SALES, anonymous=True)
    await house.until_event(name, "answered")
    assert phones["1001"].shown.name.startswith("sales 0:0")
    await call.hangup()
    row = (await house.until_rows(1, "SELECT * FROM call WHERE call_id = %s", name))[0]
    assert (row["caller_kind"], row["customer_id"]) == ("anonymous", None)


GARBAGE = {
    "long": "9" * 200,
    "quotes": "1'; DROP TABLE call; --",
    "shell": "${SHELL(touch @)}",
    "expression": "$[1+1]${EXTEN}",
    "dialplan": "1)&System(touch @)",
    "slashes": "../../@/x",
    "emoji": "😀😀😀",
    "pipes": "a|b,c;d=e",
    "percent": "%s%n%00%0d%0aAction: Hangup",
}


@pytest.mark.parametrize("what", GARBAGE)
async def test_garbage_is_nothing_but_text(
    house: Site, pbx: Pbx, phones: Phones, carrier: Carrier, tmp_path: Path, what: str
) -> None:
    """As number and as name: the call goes on, and nothing is evaluated."""
    touched = tmp_path / "x"
    text = GARBAGE[what].replace("@", str(touched))
    house.login("anna")
    known = len(house.records("call_opened"))
    await carrier.call(SALES, text, name=text)
    opened = (await house.until(lambda: house.records("call_opened")[known:]))[0]
    await house.until_event(opened["call"], "answered")
    assert opened["e164"] is None
    assert len(opened["raw"]) <= 80
    assert len(opened["name"]) <= 80
    await carrier.calls[-1].hangup()
    row = (await house.until_rows(1, "SELECT * FROM call WHERE call_id = %s", opened["call"]))[0]
    assert (row["caller_kind"], row["disposition"]) == ("unparsable", "answered")
    assert not touched.exists()
    for side in "rt":
        path = house.records("recording_started")[-1]["path"]
        assert (house.lab.recordings / f"{path}-{side}.wav").exists()


async def test_latin_1_in_the_callers_name(house: Site, pbx: Pbx, phones: Phones, carrier: Carrier) -> None:
    """What an old exchange sends. The call goes on, and the name is readable."""
    house.login("anna")
    number = new_number()
    # the lab's carrier speaks UTF-8: bytes that are none are put together in its dialplan
    lab = house.lab.outside
    lab.rx("dialplan add extension l1,1,Set(CALLERID(name)=${BASE64_DECODE(Sm9z6Q==)}) into latin replace")
    lab.rx(f"dialplan add extension l1,2,Set(CALLERID(num)={number}) into latin replace")
    lab.rx(f"dialplan add extension l1,3,Dial(PJSIP/{SALES}@pbx,30) into latin replace")
    lab.rx("channel originate Local/l1@latin application Wait 5")
    opened = await house.until(lambda: [r for r in house.records("call_opened") if r["raw"] == number])
    await house.until_event(opened[0]["call"], "answered")
    assert opened[0]["name"] in ("José", "Jos\ufffd", "Jos?", "Jos")
    await phones["1001"].hangup()
    await house.until_closed(opened[0]["call"])
