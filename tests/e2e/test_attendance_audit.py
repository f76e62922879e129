"""Log-ins, wrong PINs and locks: what is kept of them, and that a lock outlives the daemon."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from e2e_rig import Site
from spoken import played_to

from ccbridge.cli import main
from ccbridge.lab.lab import Lab
from ccbridge.lab.phones import Phone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

PIN, WRONG = "8305517264", ("7261940358", "6150839247", "5049728136")
SOUNDS = ("agent-loginok", "agent-loggedoff", "vm-incorrect", "please-try-call-later")
PHONE = "PJSIP/1005"
ME = getpass.getuser()


def ccbridge(site: Site, *words: str, keyed: str = "") -> str:
    result = CliRunner().invoke(main, ["-c", str(site.config), *words], input=keyed, prog_name="ccbridge")
    return f"{result.exit_code} {result.output.strip()}"


async def dialled(lab: Lab, phone: Phone, code: str, *pins: str) -> str:
    """What was heard last."""
    leg = await (await phone.dial(code, tone=0)).answered()
    for pin in pins:
        await asyncio.sleep(1.0)
        await leg.press(f"{pin}#")
    return (await played_to(leg, lab, SOUNDS))[-1]


async def kept(site: Site, count: int) -> list[tuple[str, ...]]:
    rows = await site.until_rows(count, "SELECT * FROM control_audit ORDER BY seq")
    return [
        tuple(row[name] for name in ("what", "result", "who", "by", "whom", "door", "reason")) for row in rows
    ]


async def test_a_lock_outlives_the_daemon_and_all_is_kept(
    make_site: Callable[..., Site], phones: dict[str, Phone], lab: Lab
) -> None:
    site = make_site(phones={"pin_tries": 3})
    assert ccbridge(site, "agent", "pin", "anna", "--stdin", keyed=f"{PIN}\n").startswith("0 ")
    phone = phones["1005"]
    assert await dialled(lab, phone, "*011001", *WRONG[:2]) == "vm-incorrect"
    site.daemon.kill()
    site.daemon.start()  # the two count on
    assert await dialled(lab, phone, "*011001", WRONG[2], PIN) == "please-try-call-later"
    site.daemon.kill()
    site.daemon.start()
    assert await dialled(lab, phone, "*011001") == "please-try-call-later"
    assert ccbridge(site, "agent", "unlock", PHONE) == f"0 {PHONE} may try again"
    assert await dialled(lab, phone, "*011001", PIN) == "please-try-call-later"  # anna is locked, too
    assert ccbridge(site, "agent", "unlock", "anna") == "0 anna may try again"
    site.daemon.kill()
    site.daemon.start()  # and so does what was lifted
    assert ccbridge(site, "agent", "unlock", "anna") == "0 anna was not locked"
    assert await dialled(lab, phone, "*011001", PIN) == "agent-loginok"
    assert await dialled(lab, phone, "*02") == "agent-loggedoff"
    assert ccbridge(site, "agent", "login", "anna") == "0 anna is logged in"
    answer = site.daemon.ask("agent.logout", agent="anna")
    assert answer.ok
    wrong = ("pin", "failed", "", PHONE, "anna", "phone", "")
    assert await kept(site, 12) == [
        wrong,
        wrong,
        wrong,
        ("lock", "done", "", PHONE, PHONE, "phone", ""),
        ("lock", "done", "", PHONE, "anna", "phone", ""),
        ("unlock", "done", "", ME, PHONE, "cli", ""),
        ("unlock", "done", "", ME, "anna", "cli", ""),
        ("unlock", "done", "", ME, "anna", "cli", ""),
        ("log_in", "done", "anna", PHONE, "anna", "phone", ""),
        ("log_out", "done", "anna", PHONE, "anna", "phone", ""),
        ("log_in", "done", "", ME, "anna", "cli", ""),
        ("log_out", "done", "", ME, "anna", "api", ""),
    ]
    # no PIN, right or wrong, is anywhere
    for file in [one for one in site.folder.rglob("*") if one.is_file()]:
        assert not any(pin.encode() in file.read_bytes() for pin in (PIN, *WRONG)), file
    dumped = str(site.rows("SELECT * FROM control_audit"))
    assert not any(pin in dumped for pin in (PIN, *WRONG))
    # a journal that is lost: the database knows of the wrong ones
    assert await dialled(lab, phone, "*011001", *WRONG) == "vm-incorrect"
    await kept(site, 17)
    site.daemon.kill()
    site.lose_journal()
    site.daemon.start()
    assert await dialled(lab, phone, "*011001") == "please-try-call-later"


async def test_a_supervisor_lifts_locks_in_his_departments_only(make_site: Callable[..., Site]) -> None:
    sue = {"name": "Sue", "device": "PJSIP/1007", "role": "supervisor", "departments": ["front"], "user": ME}
    site = make_site(
        departments={"front": ["sales"], "back": ["support"]},
        agents={"anna": {"queues": ["sales"]}, "ben": {"queues": ["support"]}},
        supervisors={"sue": sue},
    )
    assert ccbridge(site, "agent", "unlock", "anna") == "0 anna was not locked"
    assert ccbridge(site, "agent", "unlock", "ben") == "1 sue supervises none of its departments"
    assert ccbridge(site, "agent", "unlock", "PJSIP/1002") == "1 sue supervises none of its departments"
    assert ccbridge(site, "agent", "unlock", "anna", "--as", "zed") == "1 there is no supervisor of this name"
    assert ccbridge(site, "agent", "unlock", "zed").startswith("1 there is no agent or phone")
    refused = "sue supervises none of its departments"
    assert await kept(site, 4) == [
        ("unlock", "done", "sue", ME, "anna", "cli", ""),
        ("unlock", "refused", "sue", ME, "ben", "cli", refused),
        ("unlock", "refused", "sue", ME, "PJSIP/1002", "cli", refused),
        ("unlock", "refused", "sue", ME, "anna", "cli", "there is no supervisor of this name"),
    ]


async def test_a_supervisor_says_where_calls_ring_in_his_departments_only(
    make_site: Callable[..., Site],
) -> None:
    sue = {"name": "Sue", "device": "PJSIP/1007", "role": "supervisor", "departments": ["front"], "user": ME}
    site = make_site(
        personal={"dial": "PJSIP/{number}@carrier"},
        departments={"front": ["sales"], "back": ["support"]},
        agents={
            "anna": {"queues": ["sales"], "personal": {"mobile": "+306912300001"}},
            "ben": {"queues": ["support"], "personal": {"mobile": "+306912300002"}},
        },
        supervisors={"sue": sue},
    )
    site.login("anna", "ben")
    mine, other = ("agent", "personal", "anna", "mobile"), ("agent", "personal", "ben", "mobile")
    refused = "sue supervises none of the agent's departments"
    assert ccbridge(site, *mine) == "0 anna is called at mobile"
    assert ccbridge(site, *other) == f"1 {refused}"
    assert ccbridge(site, *mine, "--as", "zed") == "1 there is no supervisor of this name"
    assert site.agent("ben")["personal"] is None
    assert (await kept(site, 6))[2:] == [
        ("personal", "asked", "sue", ME, "anna", "cli", "mobile"),
        ("personal", "done", "sue", ME, "anna", "cli", ""),
        ("personal", "refused", "sue", ME, "ben", "cli", refused),
        ("personal", "refused", "sue", ME, "anna", "cli", "there is no supervisor of this name"),
    ]
