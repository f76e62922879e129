"""Recordings in the hands of agents at real phones and of supervisors: what the file holds is told by tones.

The caller sends 440 Hz (left in the file), anna 1,000 and ben 1,500 (right); music is 300. A pause is the one
stretch of the file without a single bit of sound; where it is, and how long, is held against its marks.
"""

from __future__ import annotations

import asyncio
import wave
from array import array
from collections.abc import Awaitable, Callable
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import pytest
from e2e_rig import SALES, SUPPORT, Site
from ears import PEOPLE, ccbridge
from spoken import played_to, spoken

from ccbridge.lab.carrier import Call, Carrier
from ccbridge.lab.lab import Lab
from ccbridge.lab.machine import Since
from ccbridge.lab.phones import Phone
from ccbridge.lab.tones import FRAME, RATE, samples, share

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
Says = Callable[..., Awaitable[list[str]]]
CALLER, ANNA, BEN, MUSIC = 440, 1000, 1500, 300
PAUSE_S = 6
NEAR_S = 0.5  # marks are told by our clock, a file by Asterisk's threads, which may lose frames
SOUNDS = (
    "agent-loggedoff", "please-try-call-later", "im-sorry", "feature-not-avail-line",
    "dictate/paused", "dictate/record_mode",
)  # fmt: skip
PAUSED, RECORDED = ["dictate/paused"], ["dictate/record_mode"]
NOBODY = ["im-sorry", "agent-loggedoff"]
NOT_NOW = ["im-sorry", "feature-not-avail-line"]
SITE: dict[str, Any] = {
    **PEOPLE,
    "routing": {"recording_pause": PAUSE_S},
    "queues": {"support": {"recording": "on_demand"}},
}


def record(site: Site, call: str, to: str, who: str = "sue", code: int = 0) -> str:
    return ccbridge(site, "call", "record", call, f"--{to}", "--as", who, code=code)


@pytest.fixture
def says(lab: Lab) -> Says:
    """Dial a code; the sounds that were heard until the PBX hung up."""

    async def dial(phone: Phone, code: str) -> list[str]:
        leg = await (await phone.dial(code, tone=0)).answered()
        return await played_to(leg, lab, SOUNDS)

    return dial


@pytest.fixture
async def centre(make_site: Callable[..., Site], phones: Phones) -> Site:
    site = make_site(jobs=True, **SITE)
    await phones["1001"].will("answer", after=0.1, tone=ANNA)
    await phones["1002"].will("answer", after=0.1, tone=BEN)
    site.login("anna")
    return site


async def talk(site: Site, carrier: Carrier, did: str = SALES, agent: str = "anna") -> tuple[Call, str]:
    await site.until_agent(agent, "available")
    call, name = await site.dial(carrier, did)
    await site.until_event(name, "answered", agent=agent)
    return call, name


class File:
    """A finished recording; moments are seconds of the file."""

    def __init__(self, path: Path) -> None:
        with wave.open(str(path)) as sound:
            both = array("h", sound.readframes(sound.getnframes()))
        self.sides = {"left": both[0::2], "right": both[1::2]}
        self.length = len(both) / 2 / RATE

    def silence(self) -> tuple[float, float]:
        """The one time of half a second or more in which neither side has any sound: begin and end."""
        frames = [not any(map(any, pair)) for pair in zip(*map(self._frames, self.sides), strict=True)]
        runs = [(silent, len(list(run))) for silent, run in groupby(frames)]
        ends = list(accumulate(length for _, length in runs))
        ((begin, end),) = [
            (end - length, end)
            for (silent, length), end in zip(runs, ends, strict=True)
            if silent and length * FRAME >= RATE / 2
        ]
        return begin * FRAME / RATE, end * FRAME / RATE

    def part(self, side: str, tone: int, since: float, till: float) -> float:
        """Of this time, how much the tone is there."""
        assert 0 <= since < till <= self.length, (since, till, self.length)
        frames = self._frames(side)[round(since * RATE / FRAME) : round(till * RATE / FRAME)]
        return sum(share(one, tone) > 1 / 3 for one in frames) / len(frames)

    def _frames(self, side: str) -> list[array[int]]:
        data = self.sides[side]
        return [data[at : at + FRAME] for at in range(0, len(data) - FRAME + 1, FRAME)]


async def finished(site: Site, call: Call, name: str) -> tuple[dict[str, Any], File]:
    """The row and the file of the call's one recording, after the caller has hung up."""
    await call.hangup()
    await site.until_closed(name)
    sql = "SELECT * FROM recording WHERE call_id = %s AND state = 'ready'"
    (row,) = await site.until_rows(1, sql, name)
    return row, File(site.lab.recordings / f"{row['path']}.wav")


def marks(site: Site, name: str) -> list[tuple[float, float, str]]:
    """The pauses of a call, by its events; the database and the audit say the same."""
    begun = [one["at"] for one in site.events(name, "recording_paused")]
    over = [one["data"] for one in site.events(name, "recording_resumed")]
    assert begun == [one["from"] for one in over]
    return [(one["from"], one["to"], one["reason"]) for one in over]


def audit(site: Site, name: str | None = None) -> list[tuple[str, str, str, str]]:
    return [
        (one["what"], one["result"], one["who"], one["door"])
        for one in site.controls()
        if name in (None, one["call"])
    ]


@pytest.fixture
def silent_there_only(machine: Since) -> Callable[..., None]:
    """Between its marks a file is silent, nowhere else; both sides are heard up to them."""

    def judge(
        row: dict[str, Any],
        file: File,
        pause: tuple[float, float, str],
        right: int | None = ANNA,
        beside: float = 0.1,
    ) -> None:
        since, till, _ = pause
        begin, end = file.silence()
        near = NEAR_S + machine.late_s
        assert till - since > 1.0
        assert abs((end - begin) - (till - since)) < near, (begin, end, since, till)
        assert abs(begin - (since - row["started_at"].timestamp())) < near, (begin, since, row)
        for side, tone in (("left", CALLER), *([("right", right)] if right else [])):
            assert file.part(side, tone, begin - 0.6 - beside, begin - beside) > 0.9, (side, "before")
            assert file.part(side, tone, end + beside, end + beside + 0.6) > 0.9, (side, "after")

    return judge


async def test_a_paused_recording_is_silent_between_its_marks(
    make_site: Callable[..., Site],
    phones: Phones,
    carrier: Carrier,
    says: Says,
    silent_there_only: Callable[..., None],
) -> None:
    """By code, with the caller on hold meanwhile; both talk on before it is resumed, by code, too."""
    centre = make_site(jobs=True, **{**SITE, "routing": {"recording_pause": 60}})
    await phones["1001"].will("answer", after=0.1, tone=ANNA)
    centre.login("anna")
    call, name = await talk(centre, carrier)
    phone = phones["1001"]
    await asyncio.sleep(1.5)
    await phone.hold()
    assert await says(phone, "*001") == PAUSED
    await phone.unhold()
    await asyncio.sleep(0.5)
    await phone.hold()
    assert await says(phone, "*001") == NOT_NOW  # it is paused already
    assert await says(phone, "*002") == RECORDED
    await phone.unhold()
    await asyncio.sleep(2.0)
    row, file = await finished(centre, call, name)
    (pause,) = marks(centre, name)
    since, till, reason = pause
    assert reason == "resumed"
    # on hold the agent's phone sends nothing: in the caller's ear is music
    silent_there_only(row, file, pause, right=None)
    assert file.part("right", ANNA, file.length - 1.0, file.length - 0.2) > 0.9
    assert [one["reason"] for one in row["pauses"]] == ["resumed"]
    by = ("anna", "phone")
    assert audit(centre, name) == [
        ("record_pause", "asked", *by), ("record_pause", "done", *by),
        ("record_pause", "asked", *by), ("record_pause", "refused", *by),
        ("record_resume", "asked", *by), ("record_pause", "ended", *by), ("record_resume", "done", *by),
    ]  # fmt: skip
    (ended,) = await centre.until_rows(
        1, "SELECT * FROM control_audit WHERE call_id = %s AND result = 'ended'", name
    )
    assert abs(ended["seconds"] - (till - since)) < 0.002
    assert (ended["by"], ended["whom"]) == ("PJSIP/1001", "anna")
    assert centre.oddities() == []


async def test_keys_in_the_talk(
    centre: Site, phones: Phones, carrier: Carrier, silent_there_only: Callable[..., None]
) -> None:
    """Without a second line. The caller hears neither key nor beep, and has no such keys himself."""
    call, name = await talk(centre, carrier)
    leg = phones["1001"].leg
    assert leg is not None
    await asyncio.sleep(1.5)
    await call.press("*31")
    await asyncio.sleep(1.5)
    assert centre.controls() == []
    await leg.press("*31")
    await centre.until_event(name, "recording_paused")
    await asyncio.sleep(2.0)
    await leg.press("*31")  # it is paused already
    await centre.until(lambda: ("record_pause", "refused", "anna", "phone") in audit(centre, name))
    await asyncio.sleep(1.0)
    await leg.press("*32")
    await centre.until_event(name, "recording_resumed", reason="resumed")
    await asyncio.sleep(2.5)
    await leg.hangup()  # else he is asked for the outcome, with a beep
    row, file = await finished(centre, call, name)
    (pause,) = marks(centre, name)
    silent_there_only(row, file, pause, beside=1.2)  # around the marks are keys and beeps
    data = samples(call.heard)
    frames = [data[at : at + FRAME] for at in range(0, len(data) - FRAME + 1, FRAME)]
    strange = [
        n for n, one in enumerate(frames)
        if max(map(abs, one)) > 300 and max(share(one, tone) for tone in (ANNA, MUSIC)) < 1 / 3
    ]  # fmt: skip
    assert len(strange) < 10, strange
    folder = centre.lab.folder / "pbx/lib/data/sounds/en"
    sounds = await asyncio.to_thread(spoken, leg.heard, folder, ("beep", "beeperr"))
    assert sorted(sounds) == ["beep", "beeperr"]
    assert centre.oddities() == []


async def test_keys_while_the_daemon_is_away(centre: Site, phones: Phones, carrier: Carrier) -> None:
    """Told to be refused, after a second; the talk goes on."""
    call, name = await talk(centre, carrier)
    leg = phones["1001"].leg
    assert leg is not None
    centre.daemon.kill()
    await leg.press("*31")
    await asyncio.sleep(3.0)
    centre.daemon.start()
    await centre.until(lambda: centre.agent("anna")["state"] == "talking")
    await leg.hangup()  # else he is asked for the outcome, with a beep
    _, file = await finished(centre, call, name)
    assert file.part("left", CALLER, file.length - 1.0, file.length - 0.2) > 0.9
    assert file.part("right", ANNA, file.length - 1.0, file.length - 0.2) > 0.9
    folder = centre.lab.folder / "pbx/lib/data/sounds/en"
    assert await asyncio.to_thread(spoken, leg.heard, folder, ("beep", "beeperr")) == ["beeperr"]
    assert audit(centre, name) == []


async def test_a_pause_ends_by_itself(
    centre: Site, carrier: Carrier, machine: Since, silent_there_only: Callable[..., None]
) -> None:
    """A supervisor's, by command line: both sides have their tones up to the marks."""
    call, name = await talk(centre, carrier)
    await asyncio.sleep(1.5)
    assert "is not recorded for 6 s" in record(centre, name, "pause")
    assert "paused already" in record(centre, name, "pause", code=1)
    await centre.until_event(name, "recording_resumed")
    await asyncio.sleep(1.5)
    row, file = await finished(centre, call, name)
    (pause,) = marks(centre, name)
    since, till, reason = pause
    assert reason == "time"
    assert PAUSE_S <= till - since < PAUSE_S + NEAR_S + machine.late_s
    silent_there_only(row, file, pause)
    assert "is not paused" in record(centre, (await talk(centre, carrier))[1], "resume", code=1)


@pytest.mark.parametrize("away", [0.0, PAUSE_S + 1.0], ids=["back in time", "back too late"])
async def test_a_pause_outlives_a_killed_daemon(
    centre: Site, carrier: Carrier, away: float, silent_there_only: Callable[..., None]
) -> None:
    """Not lifted early, nor for ever: without a daemon it lasts until there is one, and its mark says so."""
    call, name = await talk(centre, carrier)
    await asyncio.sleep(1.5)
    record(centre, name, "pause")
    centre.daemon.kill()
    await asyncio.sleep(away)
    centre.daemon.start()
    await centre.until_event(name, "recording_resumed", reason="time")
    await asyncio.sleep(1.5)
    row, file = await finished(centre, call, name)
    (pause,) = marks(centre, name)
    assert pause[1] - pause[0] >= max(PAUSE_S, away)
    silent_there_only(row, file, pause)
    assert [one[:2] for one in audit(centre, name)] == [
        ("record_pause", "asked"), ("record_pause", "done"), ("record_pause", "ended"),
    ]  # fmt: skip
    assert centre.oddities() == []


async def test_a_caller_who_hangs_up_ends_the_pause(
    centre: Site, carrier: Carrier, phones: Phones, says: Says, machine: Since
) -> None:
    call, name = await talk(centre, carrier)
    await asyncio.sleep(1.2)
    record(centre, name, "pause")
    await asyncio.sleep(1.2)
    row, file = await finished(centre, call, name)
    ((since, till, reason),) = marks(centre, name)
    assert (reason, row["pauses"][0]["reason"]) == ("ended", "ended")
    begin, end = file.silence()
    assert end > file.length - 0.05
    assert abs(begin - (since - row["started_at"].timestamp())) < NEAR_S + machine.late_s
    assert abs((end - begin) - (till - since)) < NEAR_S + machine.late_s
    # the next one's recording has sound, and who wraps up has no talk
    assert await says(phones["1001"], "*002") == NOT_NOW
    call, name = await talk(centre, carrier)
    await asyncio.sleep(2.0)
    _, file = await finished(centre, call, name)
    assert file.part("left", CALLER, file.length - 1.2, file.length - 0.2) > 0.9


async def test_who_hangs_up_in_the_middle_of_a_code(centre: Site, carrier: Carrier, phones: Phones) -> None:
    """Done all the same, and told so; nothing else happens to the call."""
    call, name = await talk(centre, carrier)
    phone = phones["1001"]
    await phone.hold()
    leg = await (await phone.dial("*001", tone=0)).answered()
    await centre.until_event(name, "recording_paused")
    await leg.hangup()
    await phone.unhold()
    await centre.until(lambda: ("record_pause", "done", "anna", "phone") in audit(centre, name))
    assert "is recorded" in record(centre, name, "resume")
    assert centre.agent("anna")["state"] == "talking"
    await call.hangup()
    await centre.until_closed(name)
    assert centre.oddities() == []


async def test_refusals(make_site: Callable[..., Site], phones: Phones, carrier: Carrier, says: Says) -> None:
    site = make_site(**{**SITE, "queues": {"sales": {"recording": "never"}}})
    await phones["1001"].will("answer", after=0.1, tone=ANNA)
    for code in ("*001", "*002", "*003"):
        assert await says(phones["1001"], code) == NOBODY
    assert [one[1] for one in audit(site)] == ["refused"] * 3
    site.login("anna")
    for code in ("*001", "*002", "*003"):
        assert await says(phones["1001"], code) == NOT_NOW  # nobody talks
    call, name = await talk(site, carrier)
    # he talks in no call of his own, and reaches no other's
    site.login("ben")
    for code in ("*001", "*003"):
        assert await says(phones["1002"], code) == NOT_NOW
    # these calls are not recorded, nor may they be
    await phones["1001"].hold()
    for code in ("*001", "*002", "*003"):
        assert await says(phones["1001"], code) == NOT_NOW
    await phones["1001"].unhold()
    assert "are not recorded" in record(site, name, "start", code=1)
    assert "no live call" in record(site, "1700.1", "pause", code=1)
    results = [one[1] for one in audit(site)]
    assert results == ["refused"] * 3 + ["asked", "refused"] * 10
    why = [one["reason"] for one in site.controls() if one["result"] == "refused"][3:]
    assert why[:3] == ["anna does not talk"] * 3
    assert why[3:5] == ["ben does not talk"] * 2
    assert [one.partition(" ")[2] for one in why[5:7]] == ["is not recorded", "is not paused"]
    assert site.events(name, "recording_paused", "recording_asked") == []
    await call.hangup()
    await site.until_closed(name)
    assert site.rows("SELECT * FROM recording") == []


async def test_record_on_demand(
    centre: Site, phones: Phones, carrier: Carrier, says: Says, silent_there_only: Callable[..., None]
) -> None:
    centre.login("ben")
    call, name = await talk(centre, carrier, SUPPORT, "ben")
    phone = phones["1002"]
    await asyncio.sleep(1.0)
    assert centre.records("recording_started") == []
    await phone.hold()
    assert await says(phone, "*001") == NOT_NOW  # nothing to pause yet
    assert await says(phone, "*003") == RECORDED
    assert await says(phone, "*003") == NOT_NOW
    await phone.unhold()
    await asyncio.sleep(1.5)
    record(centre, name, "pause", "chief")
    await asyncio.sleep(1.5)
    record(centre, name, "resume", "chief")
    await asyncio.sleep(1.5)
    row, file = await finished(centre, call, name)
    assert row["started_at"].timestamp() > centre.events(name, "answered")[0]["at"] + 1.0
    assert name in row["path"]
    (pause,) = marks(centre, name)
    silent_there_only(row, file, pause, BEN)
    assert [one for one in audit(centre, name) if one[0] == "record"] == [
        ("record", "asked", "ben", "phone"), ("record", "done", "ben", "phone"),
        ("record", "asked", "ben", "phone"), ("record", "refused", "ben", "phone"),
    ]  # fmt: skip
    # the next call is not recorded because the last one was
    call, name = await talk(centre, carrier, SUPPORT, "ben")
    await call.hangup()
    await centre.until_closed(name)
    assert [one["call"] for one in centre.records("recording_started")] != [name]
    await centre.audit()


async def test_supervisors_record_what_they_may(centre: Site, carrier: Carrier, phones: Phones) -> None:
    centre.login("ben")
    await centre.until_agent("ben", "available")
    await centre.until_agent("anna", "available")
    call, name = await talk(centre, carrier, SUPPORT, "ben")
    assert record(centre, name, "start", "trainee", code=1) == "a trainee may not record"
    assert "no supervisor of this name" in record(centre, name, "start", "nobody", code=1)
    assert "say as whom" in ccbridge(centre, "call", "record", name, "--start", code=1)
    ccbridge(centre, "call", "record", name, code=2)
    # killed in the middle of a recording on demand: it goes on, and ends with the call
    assert record(centre, name, "start", "chief").endswith("is recorded")
    centre.daemon.kill()
    centre.daemon.start()
    await centre.until(lambda: centre.ask("status")["ami"] == "live")
    assert "recorded already" in record(centre, name, "start", "chief", code=1)
    answer = centre.daemon.ask("call.record", call=name, to="pause", **{"as": "chief"})
    assert answer.ok
    await asyncio.sleep(1.5)
    row, _ = await finished(centre, call, name)
    assert [one["reason"] for one in row["pauses"]] == ["ended"]
    refused = [one["who"] for one in centre.controls() if one["result"] == "refused"]
    assert refused == ["trainee", "", "", "chief"]
    doors = {one["door"] for one in centre.controls()}
    assert doors == {"cli", "api"}
    await centre.audit()


async def test_another_department_is_refused(
    make_site: Callable[..., Site], carrier: Carrier, phones: Phones
) -> None:
    other = {**SITE["supervisors"]["sue"], "departments": ["back"]}
    agents = {"anna": {"queues": ["sales"]}}
    site = make_site(**{**SITE, "supervisors": {**SITE["supervisors"], "sue": other}, "agents": agents})
    site.login("anna")
    call, name = await talk(site, carrier)
    assert record(site, name, "pause", code=1) == "sue supervises none of the agent's departments"
    assert audit(site) == [("record_pause", "asked", "sue", "cli"), ("record_pause", "refused", "sue", "cli")]
    assert site.events(name, "recording_paused") == []
    await call.hangup()


async def test_a_recorder_that_cannot_log_in(
    make_site: Callable[..., Site], carrier: Carrier, phones: Phones, says: Says
) -> None:
    """What needs it is refused; callers, agents and pauses do not need it."""
    site = make_site(**{**SITE, "asterisk": {"recorder_secret": "wrong"}})
    await site.until(lambda: any(one.get("event") == "recorder.login_refused" for one in site.daemon.lines()))
    site.login("ben")
    call, name = await talk(site, carrier, SUPPORT, "ben")
    await phones["1002"].hold()
    assert await says(phones["1002"], "*003") == NOT_NOW
    await phones["1002"].unhold()
    assert audit(site)[-1] == ("record", "failed", "ben", "phone")
    assert site.records("recording_started") == []
    await call.hangup()
    await site.until_closed(name)
    assert site.oddities() == []
