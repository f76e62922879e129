"""Callers in line hear their place and their wait, and are given to an agent in the middle of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from e2e_rig import Site
from likeness import likeness

from ccbridge.config import load
from ccbridge.lab.ami import AmiLink
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Lab, Pbx
from ccbridge.lab.phones import Phone
from ccbridge.lab.site_pbx import MUSIC_HZ
from ccbridge.lab.tones import FRAME, FRAME_MS, SILENCE, samples, tone_frames
from ccbridge.prompts.library import Library

pytestmark = [pytest.mark.lab, pytest.mark.pg]

SPOKEN = ("BackGround", "SayNumber")
TELLING: dict[str, Any] = {
    "queues": {"sales": {"max_wait": 600, "expected_talk": 120, "announce": {"first": 0, "every": 20}}},
}


class Steps:
    """What the PBX's dialplan did, channel by channel, as AMI tells it."""

    def __init__(self, link: AmiLink) -> None:
        self.link = link
        self.seen: list[tuple[str, str, str]] = []
        link.listen(self._hear)

    def _hear(self, event: Any) -> None:
        if event.get("Event") == "Newexten":
            self.seen.append((event["Uniqueid"], event["Application"], event.get("AppData", "")))

    def spoken(self, channel: str) -> list[str]:
        return [data for one, what, data in self.seen if one == channel and what in SPOKEN]

    def times(self, channel: str, application: str) -> int:
        return sum(one == channel and what == application for one, what, _ in self.seen)


@pytest_asyncio.fixture
async def steps(pbx: Pbx) -> AsyncIterator[Steps]:
    link = await AmiLink.open(pbx.door, "dialplan")
    yield Steps(link)
    await link.close()


def speech_s(heard: Path) -> float:
    """Seconds of sound that is not the music."""
    data = samples(heard)
    music = tone_frames(heard, MUSIC_HZ)
    loud = [max(map(abs, data[n * FRAME : (n + 1) * FRAME]), default=0) > SILENCE for n in range(len(music))]
    spoken = sum(one and not tone for one, tone in zip(loud, music, strict=True))
    return spoken * FRAME_MS / 1000


async def test_place_and_wait_are_told(
    make_site: Callable[..., Site], phones: dict[str, Phone], carrier: Carrier, steps: Steps
) -> None:
    site = make_site(**TELLING)
    site.login("anna")
    talking, one = await site.dial(carrier)
    await site.until_event(one, "answered", agent="anna")
    second, two = await site.hold(carrier)
    third, three = await site.hold(carrier)
    # one agent, two minutes a talk
    told = [(await site.until_event(name, "estimated"))["data"] for name in (two, three)]
    assert [(one["position"], one["said"]) for one in told] == [(1, [1, 2]), (2, [2, 4])]
    assert told[0]["wait_s"] == pytest.approx(120 + 2, abs=10)
    row = site.ask("call.show", call=three)
    assert (row["position"], row["expected_wait_s"]) == (2, pytest.approx(told[1]["wait_s"], abs=1))
    assert [one["expected_wait_s"] for one in site.ask("queue.show", queue="sales")["line"]] == [
        pytest.approx(one["wait_s"], abs=1) for one in told
    ]

    # in the middle of the first sentence an agent is free: the caller is his at once
    await site.until(lambda: steps.spoken(two))
    site.login("ben")
    answered = await site.until_event(two, "answered", agent="ben")
    offered = await site.until_event(two, "offered", agent="ben")
    assert answered["at"] - offered["at"] < 2.0
    assert steps.spoken(two) == ["queue-youarenext"]

    # the third hears the whole of it, and then music again
    whole = ["queue-thereare", "2", "queue-callswaiting", "queue-holdtime", "4", "queue-minutes"]
    await site.until(lambda: steps.spoken(three) == whole)
    music = steps.times(three, "WaitExten")
    await site.until(lambda: steps.times(three, "WaitExten") > music)
    # then he is first; a key in the middle of it ends the sentence, and he waits on
    await site.until(lambda: steps.spoken(three)[6:] == ["queue-youarenext"])
    said = site.events(three, "estimated")
    assert [one["data"]["said"] for one in said[1:]] == [[1, 1]]  # two agents now
    assert said[1]["at"] - said[0]["at"] == pytest.approx(20, abs=2)
    await third.press("5")
    music = steps.times(three, "WaitExten")
    await site.until(lambda: steps.times(three, "WaitExten") > music)
    await talking.hangup()
    await phones["1001"].hangup()  # she is being asked for the outcome
    await site.until_event(three, "answered", agent="anna")
    for call in (second, third):
        await call.hangup()
        await call.ended()
    await site.audit()
    assert site.oddities() == []
    assert speech_s(third.heard) > 6.0
    assert steps.spoken(one) == []


async def test_sounds_that_are_missing_cost_nobody_his_call(
    make_site: Callable[..., Site], phones: dict[str, Phone], carrier: Carrier, lab: Lab, steps: Steps
) -> None:
    sounds = lab.folder / "pbx/lib/data/sounds/en"
    site = make_site(**TELLING)
    site.login("anna")
    talking, one = await site.dial(carrier)
    await site.until_event(one, "answered", agent="anna")
    away = sounds.rename(sounds.with_name("away"))
    try:
        waiting, two = await site.hold(carrier)
        await site.until(lambda: steps.spoken(two))
        await asyncio.sleep(6.0)  # two stretches of music
        assert steps.spoken(two) == ["queue-youarenext", "queue-holdtime", "2", "queue-minutes"]
        assert 2 <= steps.times(two, "WaitExten") <= 4
    finally:
        away.rename(sounds)
    site.login("ben")
    await site.until_event(two, "answered", agent="ben")
    await waiting.hangup()
    await talking.hangup()
    await site.audit()
    assert site.oddities() == []


async def test_told_in_the_callers_language(
    make_site: Callable[..., Site], phones: dict[str, Phone], carrier: Carrier
) -> None:
    """Two in line, Greek and Arabic: each hears his place and his wait as whole sentences of his language."""
    numbers = {"2100000091": "el", "2100000092": "ar"}
    site = make_site(
        **TELLING,
        languages=["en", "el", "ar"],
        speech={},
        numbers=dict.fromkeys(numbers, "sales-at-once"),
        number_language=numbers,
    )
    site.login("anna")
    talking, one = await site.dial(carrier)
    await site.until_event(one, "answered", agent="anna")
    wording = load(site.config).wording
    library = Library(lambda: wording)
    callers = []
    for did in numbers:
        caller, name = await site.hold(carrier, did)
        callers.append((caller, (await site.until_event(name, "estimated"))["data"]["said"]))
    assert [said for _, said in callers] == [[1, 2], [2, 4]]
    await asyncio.sleep(16.0)  # music, and then both sentences
    for (caller, (place, minutes)), language in zip(callers, numbers.values(), strict=True):
        await caller.hangup()
        await asyncio.sleep(0.3)
        first = (
            library.prompt("next", language) if place == 1 else library.prompt("position", language, n=place)
        )
        for sound in (await first, await library.prompt("wait", language, n=minutes)):
            assert sound is not None
            alike = await asyncio.to_thread(likeness, caller.heard, Path(f"{sound}.wav"))
            assert alike > 0.8, (language, sound, alike)
    await talking.hangup()
    await site.audit()
    assert site.oddities() == []
