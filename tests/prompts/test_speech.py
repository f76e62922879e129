"""Text to files: once for each text, whole or not at all, within a time, and without a shell."""

from __future__ import annotations

import asyncio
import os
import stat
import time
import wave
from pathlib import Path

import pytest
from speech_rig import runs, speech
from structlog.testing import capture_logs

from ccbridge.lab.process import Owned
from ccbridge.prompts.speech import AT_ONCE, PASSING_S, REST_S, Speaker, place


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def files(folder: Path) -> list[Path]:
    return list((folder / "cache").rglob("*.wav"))


def left_over(folder: Path) -> list[Path]:
    return list(folder.rglob(".making-*"))


async def test_spoken_once_and_kept(tmp_path: Path) -> None:
    speaker, said = Speaker(), speech(tmp_path)
    path = await speaker.speak(said, "Good day.", "en")
    assert path == place(said, "Good day.", "en")
    assert path is not None
    assert path.is_relative_to(tmp_path / "cache" / "kept" / "en")
    with wave.open(str(path)) as sound:
        assert sound.getparams()[:3] == (1, 2, 8000)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert {stat.S_IMODE(one.stat().st_mode) for one in path.parents[:3]} == {0o755}
    assert await speaker.speak(said, "Good day.", "en") == path
    assert await Speaker().speak(said, "Good day.", "en") == path
    assert runs(tmp_path) == ["Good day."]
    assert left_over(tmp_path) == []


def test_another_voice_rate_program_or_text_is_another_file(tmp_path: Path) -> None:
    said = speech(tmp_path)
    others = [
        said,
        speech(tmp_path, voices={"en": "en-us"}),
        speech(tmp_path, rate=160),
        speech(tmp_path, "fast"),
        speech(tmp_path, convert=()),
    ]
    files = {place(one, "Good day.", "en") for one in others} | {place(said, "Good day!", "en")}
    assert len(files) == 6
    assert place(said, "Good day.", "en_GB").parent.name == "en_GB"
    assert speech(tmp_path, voices={"el": "mbrola"}).voice("el_GR") == "mbrola"
    assert said.voice("el_GR") == "el"


async def test_who_asks_while_it_is_made_waits_for_the_same(tmp_path: Path) -> None:
    speaker, said = Speaker(), speech(tmp_path, "slow")
    both = await asyncio.gather(*(speaker.speak(said, "One.", "en") for _ in range(20)))
    assert set(both) == {place(said, "One.", "en")}
    assert runs(tmp_path) == ["One."]


async def test_who_goes_away_does_not_take_it_from_the_others(tmp_path: Path) -> None:
    speaker, said = Speaker(), speech(tmp_path, "slow")
    gone = asyncio.create_task(speaker.speak(said, "One.", "en"))
    stays = asyncio.create_task(speaker.speak(said, "One.", "en"))
    await asyncio.sleep(0.05)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await stays == place(said, "One.", "en")
    assert runs(tmp_path) == ["One."]


async def test_so_many_at_once_and_no_more(tmp_path: Path) -> None:
    speaker, said = Speaker(), speech(tmp_path, "slow")
    asked = [asyncio.create_task(speaker.speak(said, f"Number {n}.", "en")) for n in range(3 * AT_ONCE)]
    most = 0
    while not all(one.done() for one in asked):
        most = max(most, len(left_over(tmp_path)))
        await asyncio.sleep(0.01)
    assert most == AT_ONCE
    assert len({one.result() for one in asked}) == 3 * AT_ONCE


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("fails", "ended with 1: no such voice"),
        ("nothing", "No such file or directory|ended with 1"),
        ("text", "what came out is no WAV file"),
        ("silent", "what came out is silence"),
        ("short", "what came out is silence"),
        ("fast", "22050 Hz, 1 channels, 16 bit"),
        ("stereo", "8000 Hz, 2 channels, 16 bit"),
    ],
)
async def test_what_is_no_speech_is_not_kept(tmp_path: Path, how: str, why: str) -> None:
    clock = Clock()
    speaker, said = Speaker(clock=clock), speech(tmp_path, how)
    with capture_logs() as lines:
        assert await speaker.speak(said, "Good day.", "en") is None
        assert await speaker.speak(said, "Good day.", "en") is None  # at rest
    (line,) = lines
    assert (line["event"], line["log_level"], line["language"]) == ("speech.failed", "error", "en")
    assert any(part in line["why"] for part in why.split("|")), line
    assert "Good day" not in str(line)
    assert files(tmp_path) == left_over(tmp_path) == []
    clock.now += REST_S + 1
    with capture_logs() as lines:
        assert await speaker.speak(said, "Good day.", "en") is None
    assert len(lines) == 1
    assert len(runs(tmp_path)) == 2


async def test_without_a_second_command_the_first_ones_file_is_looked_at(tmp_path: Path) -> None:
    assert await Speaker().speak(speech(tmp_path, convert=()), "One.", "en") is not None
    with capture_logs() as lines:
        assert await Speaker().speak(speech(tmp_path, "nothing", convert=()), "One.", "en") is None
    assert lines[0]["why"] == "no file came out"


@pytest.mark.parametrize("key", ["command", "convert"])
async def test_a_program_that_is_not_there(tmp_path: Path, key: str) -> None:
    nowhere = ("/no/such/program", "{voice}{in}{out}"[7 if key == "convert" else 0 :].replace("{in}", ""))
    with capture_logs() as lines:
        assert await Speaker().speak(speech(tmp_path, **{key: nowhere}), "One.", "en") is None
    assert lines[0]["why"] == "No such file or directory: /no/such/program"


async def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    said = speech(tmp_path, "hangs", seconds=1.0)
    begun = time.monotonic()
    with capture_logs() as lines:
        assert await Speaker().speak(said, "One.", "en") is None
    assert time.monotonic() - begun < 5
    assert lines[0]["why"] == "not ready within 1 s"
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not Owned.running(child):
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("its child lives on")
    assert left_over(tmp_path) == []


async def test_who_waits_for_a_turn_waits_no_longer_than_the_limit(tmp_path: Path) -> None:
    speaker, said = Speaker(at_once=1), speech(tmp_path, "slow", seconds=0.5)
    with capture_logs() as lines:
        found = await asyncio.gather(*(speaker.speak(said, f"{n}.", "en") for n in range(6)))
    assert found[0] is not None
    assert found[-1] is None
    assert {line["event"] for line in lines} == {"speech.failed"}


async def test_the_text_is_no_argument_and_no_shell_sees_it(tmp_path: Path) -> None:
    text = '$(touch "x") `id` ; rm -rf {out} --help\nΕλληνικά فارسی'
    for how in ("", "file"):
        assert await Speaker().speak(speech(tmp_path, how), text, "en") is not None
    assert runs(tmp_path) == [text.replace("\n", " ")] * 2


async def test_a_text_too_long_and_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with capture_logs() as lines:
        assert await Speaker().speak(speech(tmp_path), "a" * 2001, "en") is None
        assert await Speaker().speak(speech(tmp_path, directory=tmp_path / "file"), "a", "en") is None
    assert "2001 characters" in lines[0]["why"]
    assert lines[1]["why"] == f"File exists: {tmp_path / 'file'}"
    assert runs(tmp_path) == []


async def test_nothing_speaks_without_a_command(tmp_path: Path) -> None:
    assert await Speaker().speak(speech(tmp_path, command=()), "One.", "en") is None


async def test_what_passes_goes_after_an_hour_and_the_rest_stays(tmp_path: Path) -> None:
    speaker, said = Speaker(), speech(tmp_path)
    kept = await speaker.speak(said, "kept", "en")
    old = await speaker.speak(said, "old", "en", passing=True)
    used = await speaker.speak(said, "used", "en", passing=True)
    assert kept is not None
    assert old is not None
    assert used is not None
    assert old.parent == tmp_path / "cache" / "passing" / "en"
    killed = old.parents[1] / "el" / ".making-x"
    killed.mkdir(parents=True)
    (killed / "text").touch()
    for path in (kept, old, used, killed):
        os.utime(path, (time.time() - PASSING_S - 60,) * 2)
    assert await speaker.speak(said, "used", "en", passing=True) == used
    new = await speaker.speak(said, "new", "en", passing=True)
    assert new is not None
    assert [path.exists() for path in (kept, old, used, new, killed)] == [True, False, True, True, False]
