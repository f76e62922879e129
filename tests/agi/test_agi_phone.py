"""Codes of agents' phones against a scripted Asterisk: what is asked, said and posted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_asterisk import FakeAsterisk

from ccbridge import pins
from ccbridge.agi import own_figures
from ccbridge.agi.attempts import Attempts
from ccbridge.agi.closing import ClosingCodes
from ccbridge.agi.matters import MatterPlan, Matters
from ccbridge.agi.phone import PhoneCodes, PhonePlan
from ccbridge.agi.server import AgiServer
from ccbridge.codes import DEFAULTS
from ccbridge.core import inputs as i
from ccbridge.core.effects import Reply
from ccbridge.reports.own import Own

OK = "200 result=1"
SAID = "200 result=0"
PIN = "48213"
ANNA = {"agent": "anna", "logged_in": True, "pause": None, "left_s": None}


class Site:
    """The composition root's part: a desk, who works where, and a core that refuses what it is told to."""

    def __init__(self, port: int, file: Path) -> None:
        self.port = port
        self.at: dict[str, dict[str, Any]] = {"PJSIP/1001": dict(ANNA)}
        self.posted: list[i.Input] = []
        self.ok = True
        self.monitored: list[tuple[str, ...]] = []
        self.status = ""
        self.now = 0.0
        self.own = {"anna": Own(7, 1, 1710.0)}
        self.told: list[tuple[str, ...]] = []
        self.table = PhonePlan(
            DEFAULTS, {"501": "anna"}, ("break", "lunch"), 60.0, file, 3, 300.0, {"anna": ("mobile", "home")}
        )
        self.codes = PhoneCodes(
            lambda: self.table, self.ask, self.at.get, self.monitor, self.note, {}, lambda: self.now
        )
        said = MatterPlan({"7": "invoice"}, 86_400.0, 120.0, 600.0, file.parent)
        Matters(self.ask, lambda: said, lambda file: 0.0).open(self.codes)
        own_figures.add(self.codes, self.today)

    def monitor(self, *asked: str) -> bool:
        self.monitored.append(asked)
        return self.ok

    async def today(self, agent: str) -> Own | None:
        return self.own.get(agent)

    def note(self, *words: str, who: str = "", reason: str = "") -> None:
        self.told.append((*words, who, reason))

    async def ask(self, make: Callable[[int], i.Input]) -> Reply:
        self.posted.append(make(7))
        return Reply(7, self.ok, "")

    async def dial(self, dialled: str, *answers: str, device: str = "PJSIP/1001") -> list[str]:
        """The commands after the first limit, without verbs; ``answers`` are for prompts and sounds."""
        seen = []
        async with FakeAsterisk(self.port) as peer:
            peer.greet("code", arg_1=dialled, arg_2=device)
            left = list(answers)
            while not (seen and "CCB_STATUS" in seen[-1]):
                seen.append(await peer.command())
                spoken = seen[-1].startswith(("STREAM", "GET DATA", "EXEC"))
                peer.send((left.pop(0) if left else SAID) if spoken else OK)
            await peer.ended()
        assert not left
        self.status = seen[-1].split('"')[3]
        return [one.split('"')[1] for one in seen if one.startswith(("STREAM", "GET DATA", "EXEC"))]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    pins.keep(tmp_path / "pins", "anna", PIN)
    server = AgiServer()
    await server.start("127.0.0.1", 0)
    one = Site(server.port, tmp_path / "pins")
    one.codes.open(server)
    yield one
    await server.stop(0)


@pytest.mark.parametrize(
    ("dialled", "kind", "said"),
    [
        ("*02", i.LogOut, ["agent-loggedoff"]),
        ("*032", i.Pause, ["do-not-disturb", "activated"]),
        ("*05", i.WrapUpEnd, ["auth-thankyou"]),
        ("*06", i.WrapUpExtend, ["auth-thankyou"]),
        ("*71", i.OutcomeKeyed, ["auth-thankyou"]),
        ("*0717", i.TicketTagged, ["auth-thankyou"]),
        ("*0732", i.FollowUpSet, ["auth-thankyou"]),
        ("*0972", i.UsePersonal, ["call-fwd-unconditional", "activated"]),
        ("*0970", i.UsePersonal, ["call-fwd-unconditional", "de-activated"]),
    ],
)
async def test_a_code_is_done_or_refused_aloud(site: Site, dialled: str, kind: type, said: list[str]) -> None:
    assert await site.dial(dialled) == said
    site.ok = False
    assert await site.dial(dialled) == ["im-sorry", "feature-not-avail-line"]
    assert [type(one) for one in site.posted] == [kind, kind]
    site.at.clear()
    assert await site.dial(dialled) == ["im-sorry", "agent-loggedoff"]
    assert len(site.posted) == 2


async def test_which_telephone_of_his_own(site: Site) -> None:
    await site.dial("*097")
    await site.dial("*0972")
    await site.dial("*0970")
    told = [one for one in site.posted if isinstance(one, i.UsePersonal)]
    assert [one.device for one in told] == ["mobile", "home", ""]
    assert {(one.agent, one.by, one.door) for one in told} == {("anna", "PJSIP/1001", "phone")}
    assert await site.dial("*0973") == ["pm-invalid-option"]
    site.table = replace(site.table, personal={})
    assert await site.dial("*097") == ["im-sorry", "feature-not-avail-line"]
    assert len(site.posted) == 3
    assert site.told == [
        ("PJSIP/1001", "personal", "refused", "anna", "anna", why)
        for why in ("has no personal device 3", "has no personal device")
    ]


async def test_where_nobody_works_a_control_is_kept_and_a_question_is_not(site: Site) -> None:
    site.at.clear()
    for dialled in ("*02", "*71", "*0711", "*097", "*001", "*08", "*099"):
        await site.dial(dialled)
    assert site.told == [
        ("PJSIP/1001", what, "refused", "", "", "nobody is logged in at this phone")
        for what in ("log_out", "outcome", "tag", "personal", "record_pause")
    ]


async def test_what_the_digits_mean(site: Site) -> None:
    await site.dial("*03")
    await site.dial("*032")
    assert [one.reason for one in site.posted if isinstance(one, i.Pause)] == ["break", "lunch"]
    for wrong in ("*030", "*033", "*0312", "*0", "*09", "*7", "*711", "", "*01x", "*0212", "*071", "*0718"):
        assert await site.dial(wrong) == ["pm-invalid-option"], wrong
    assert await site.dial("*02", device="PJSIP/1001,x") == ["pm-invalid-option"]
    assert len(site.posted) == 2
    site.at["PJSIP/1001"]["pause"] = "lunch"
    assert await site.dial("*04") == ["do-not-disturb", "de-activated"]


async def test_a_supervisor_goes_to_the_agent_or_is_refused_aloud(site: Site) -> None:
    assert await site.dial("*091501", device="PJSIP/2001") == []
    assert site.status == "monitor"
    site.ok = False
    assert await site.dial("*093501") == ["im-sorry", "feature-not-avail-line"]
    assert site.status == "done"
    assert await site.dial("*092502") == ["pm-invalid-option"]
    assert [one[:3] for one in site.monitored] == [
        ("PJSIP/2001", "anna", "listen"),
        ("PJSIP/1001", "anna", "barge"),
        ("PJSIP/1001", "", "whisper"),
    ]
    assert site.monitored[0][3] != ""


async def test_a_state_is_spoken(site: Site) -> None:
    assert await site.dial("*08") == ["agent-loginok"]
    site.at["PJSIP/1001"] |= {"left_s": 41.7}
    assert await site.dial("*08") == ["agent-loginok", "SayNumber", "seconds"]
    site.at["PJSIP/1001"] |= {"pause": "lunch"}
    assert await site.dial("*08") == ["agent-loginok", "do-not-disturb", "activated", "SayNumber"]
    assert await site.dial("*08", device="PJSIP/1002") == ["agent-loggedoff"]
    assert site.posted == []


async def test_own_figures_are_spoken(site: Site) -> None:
    said = await site.dial("*099")
    assert said == [
        "vm-received", "SayNumber", "SayNumber", "minutes", "number-not-answering", "SayNumber",
    ]  # fmt: skip
    site.own.clear()
    assert await site.dial("*099") == ["please-try-call-later"]
    assert await site.dial("*099", device="PJSIP/1002") == ["im-sorry", "agent-loggedoff"]
    assert site.posted == []


async def test_a_log_in_names_the_phone(site: Site) -> None:
    said = await site.dial("*01", "200 result=501", f"200 result={PIN}", device="PJSIP/1002")
    assert said == ["agent-user", "agent-pass", "agent-loginok"]
    (posted,) = site.posted
    assert isinstance(posted, i.LogIn)
    assert (posted.agent, posted.device, posted.request) == ("anna", "PJSIP/1002", 7)
    site.ok = False
    assert (await site.dial("*01501", f"200 result={PIN}"))[-2:] == ["im-sorry", "feature-not-avail-line"]


async def test_nothing_keyed_is_no_wrong_pin(site: Site) -> None:
    assert await site.dial("*01501", "200 result= (timeout)") == ["agent-pass", "vm-incorrect"]
    assert site.told == []
    assert not site.codes.unlock("anna")


async def test_wrong_pins_lock_the_phone_and_the_agent(site: Site) -> None:
    wrong = ["200 result=1111"] * 3
    assert (await site.dial("*01501", *wrong))[-1] == "vm-incorrect"
    assert await site.dial("*01501") == ["please-try-call-later"]
    # nobody's number is asked the same, and locks the phone alone
    said = await site.dial("*01777", *wrong, device="PJSIP/1002")
    assert said == ["agent-pass", "auth-incorrect", "auth-incorrect", "vm-incorrect"]
    right = f"200 result={PIN}"
    assert (await site.dial("*01501", right, device="PJSIP/1003"))[-1] == "please-try-call-later"
    assert site.posted == []
    assert site.codes.unlock("anna")
    assert not site.codes.unlock("anna")
    assert (await site.dial("*01501", right, device="PJSIP/1003"))[-1] == "agent-loginok"
    site.now = 300.0
    assert (await site.dial("*01501", right))[-1] == "agent-loginok"
    one, two, three = "PJSIP/1001", "PJSIP/1002", "PJSIP/1003"
    assert site.told == [
        *[(one, "pin", "failed", "anna", "", "")] * 3,
        (one, "lock", "done", one, "", ""),
        (one, "lock", "done", "anna", "", ""),
        *[(two, "pin", "failed", "", "", "")] * 3,
        (two, "lock", "done", two, "", ""),
        (three, "log_in", "done", "anna", "anna", ""),
        (one, "log_in", "done", "anna", "anna", ""),
    ]


@pytest.mark.parametrize("damaged", ["anna\n", "anna:nonsense\n", "anna:Ä\n"])
async def test_a_damaged_file_of_pins_lets_nobody_in_and_locks_nobody(site: Site, damaged: str) -> None:
    site.table.pins.write_text(damaged)
    for _ in range(4):
        assert (await site.dial("*01501", f"200 result={PIN}"))[-1] == "please-try-call-later"
    assert not site.codes.unlock("anna")
    assert (site.posted, site.told) == ([], [])


def test_attempts_that_lie_far_apart_lock_nothing() -> None:
    attempts = Attempts({})
    for now in (0.0, 300.0, 600.0):
        attempts.failed("x", now, 300.0)
    assert not attempts.locked("x", 600.0, 2, 300.0)
    attempts.failed("x", 601.0, 300.0)
    assert attempts.locked("x", 601.0, 2, 300.0)
    assert not attempts.locked("x", 901.0, 2, 300.0)


def test_attempts_of_a_former_run_count_on() -> None:
    attempts = Attempts({"x": [0.0, 500.0, 600.0], "y": []})
    assert (attempts.count("x", 300.0), attempts.count("x", 60.0), attempts.count("y", 60.0)) == (2, 1, 0)
    assert not attempts.locked("x", 610.0, 3, 300.0)
    assert not attempts.locked("y", 610.0, 1, 300.0)
    attempts.failed("x", 610.0, 300.0)
    assert attempts.locked("x", 610.0, 3, 300.0)
    attempts.take_back("x")
    attempts.take_back("y")
    assert not attempts.locked("x", 610.0, 3, 300.0)
    assert attempts.forget("x")
    assert not attempts.forget("y")


def keyed(pin: str) -> str:
    return f"200 result={pin}" if pin else "200 result= (timeout)"


async def test_a_guarded_code_is_done_for_the_supervisor_whose_pin_is_right(site: Site) -> None:
    done, may = [], [True]

    def do(what: str, hours: str, device: str, who: str) -> tuple[bool, str]:
        done.append((what, hours, device, who))
        return may[0], "a trainee may not close or open"

    ClosingCodes(lambda: {"7": "office"}, do).open(site.codes)
    assert await site.dial("*0787", device="PJSIP/2001") == ["im-sorry", "feature-not-avail-line"]
    assert site.told == [("PJSIP/2001", "close_hours", "refused", "", "", "no supervisor has this phone")]
    site.table = replace(site.table, supervisors={"PJSIP/2001": "anna"})
    # the PIN of an agent who is called as the supervisor is
    assert await site.dial("*0787", keyed(PIN), keyed(""), device="PJSIP/2001") == [
        "agent-pass", "auth-incorrect", "vm-incorrect",
    ]  # fmt: skip
    assert (site.told[-1][1:4], done) == (("pin", "failed", "supervisor/anna"), [])
    pins.keep(site.table.pins, pins.of("anna"), "5566")
    heard = await site.dial("*0787", keyed("5566"), device="PJSIP/2001")
    assert heard == ["agent-pass", "number", "SayNumber", "do-not-disturb", "activated"]
    heard = await site.dial("*0797", keyed("5566"), device="PJSIP/2001")
    assert heard[-2:] == ["do-not-disturb", "de-activated"]
    assert done == [(what, "office", "PJSIP/2001", "anna") for what in ("close_hours", "open_hours")]
    assert await site.dial("*0788", keyed("5566"), device="PJSIP/2001") == ["agent-pass", "pm-invalid-option"]
    may[0] = False
    heard = await site.dial("*0797", keyed("5566"), device="PJSIP/2001")
    assert heard == ["agent-pass", "im-sorry", "feature-not-avail-line"]
    for _ in range(2):  # with the first one three, at this phone
        await site.dial("*0787", keyed("1"), keyed(""), device="PJSIP/2001")
    assert await site.dial("*0787", device="PJSIP/2001") == ["please-try-call-later"]
