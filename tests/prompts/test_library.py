"""Which file a prompt is: the recorded one, the site's text, the built-in sentence, or another language's."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from speech_rig import runs, speech
from structlog.testing import capture_logs

from ccbridge.prompts.library import Library
from ccbridge.prompts.wording import Wording, there

TEXTS = {
    "welcome": {"en": "Welcome.", "el": "Καλώς ήρθατε."},
    "hours": {"en": "We work until {hour}."},
    "goodbye": {"en": "Bye."},
}


class Shelf:
    """A library in a folder, with what its program was given."""

    def __init__(self, folder: Path, how: str = "", **changes: Any) -> None:
        self.folder = folder
        self.wording = Wording(("en", "el", "hr"), TEXTS, speech(folder, how, **changes))
        self.library = Library(lambda: self.wording)

    def record(self, name: str) -> str:
        path = self.folder / "recorded" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"somebody's voice")
        return str(path.with_suffix(""))

    async def said(self, name: str, language: str, **values: Any) -> str:
        """The text that this prompt gives the program."""
        shutil.rmtree(self.folder / "cache", ignore_errors=True)
        path = await self.library.prompt(name, language, **values)
        assert path is not None
        assert there(Path(f"{path}.wav"))
        return runs(self.folder)[-1]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


async def test_recorded_then_the_sites_text_then_built_in(shelf: Shelf) -> None:
    assert await shelf.said("goodbye", "en") == "Bye."
    assert await shelf.said("goodbye", "el") == "Σας ευχαριστούμε που καλέσατε. Γεια σας."
    recorded = shelf.record("el/goodbye")
    before = runs(shelf.folder)
    assert await shelf.library.prompt("goodbye", "el") == recorded
    assert await shelf.library.prompt("goodbye", "el_GR") == recorded
    assert await shelf.library.prompt("nothing", "el") is None
    assert runs(shelf.folder) == before


async def test_a_recording_of_each_count(shelf: Shelf) -> None:
    third = shelf.record("hr/position-3")
    assert await shelf.library.prompt("position", "hr", n=3) == third
    assert await shelf.said("position", "hr", n=4) == "Vi ste broj 4 u redu čekanja."
    whatever = shelf.record("hr/position")
    assert await shelf.library.prompt("position", "hr", n=4) == whatever
    assert await shelf.library.prompt("position", "hr", n=3) == third


async def test_the_default_language_instead_is_said_once(shelf: Shelf) -> None:
    with capture_logs() as lines:
        assert await shelf.said("hours", "el", hour="6") == "We work until 6."
        assert await shelf.said("hours", "el", hour="7") == "We work until 7."
        assert await shelf.said("welcome", "hr") == "Welcome."
        assert await shelf.said("welcome", "ru") == "Welcome."  # no language of this site
    assert [(line["event"], line["prompt"], line["language"], line["instead"]) for line in lines] == [
        ("prompt.other_language", "hours", "el", "en"),
        ("prompt.other_language", "welcome", "hr", "en"),
    ]


async def test_values(shelf: Shelf) -> None:
    monday = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
    assert await shelf.said("callback-offer", "en", key="2") == (
        "To be called back without losing your place in line, press 2."
    )
    assert "4 5 6. If" in await shelf.said("confirm-digits", "en", digits="456")
    assert "Monday, 23 November, at 8:30 in the morning" in await shelf.said("opens-at", "en", when=monday)
    with capture_logs() as lines:
        assert await shelf.library.prompt("hours", "en") is None
        assert await shelf.library.prompt("confirm-digits", "en", digits="none") is None
        assert await shelf.library.prompt("opens-at", "en", when=monday.replace(tzinfo=None)) is None
    assert [line["event"] for line in lines] == ["prompt.value_missing"] + ["prompt.wrong_value"] * 2
    assert lines[0]["value"] == "hour"


async def test_somebodys_number_is_not_kept(shelf: Shelf) -> None:
    for path, folder in (
        (await shelf.library.prompt("callback-number", "en", digits="+302101234567"), "passing"),
        (await shelf.library.prompt("opens-at", "en", when=datetime(2026, 11, 23, tzinfo=UTC)), "passing"),
        (await shelf.library.text("Any text.", "el"), "passing"),
        (await shelf.library.say("digits", "123", "en"), "passing"),
        (await shelf.library.say("number", 12, "en"), "kept"),
        (await shelf.library.prompt("wait", "hr", n=2), "kept"),
        (await shelf.library.prompt("next", "hr"), "kept"),
    ):
        assert path is not None
        assert Path(path).parents[1].name == folder


async def test_say_and_text(shelf: Shelf) -> None:
    moment = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    for kind, value in (("number", 3), ("digits", "90"), ("date", moment), ("time", moment)):
        assert await shelf.library.say(kind, value, "hr_HR") is not None  # type: ignore[arg-type]
    assert await shelf.library.text("Dobar dan.", "hr") is not None
    assert runs(shelf.folder) == ["3", "9 0", "utorak, 24. studenoga 2026.", "9 ujutro", "Dobar dan."]
    with capture_logs() as lines:
        assert await shelf.library.say("date", "today", "hr") is None
    assert "today" not in str(lines)
    assert await shelf.library.text("  ", "hr") is None


def test_has(shelf: Shelf, tmp_path: Path) -> None:
    has = shelf.library.has
    assert [has(name, "el") for name in ("welcome", "hours", "position", "other")] == [
        True,
        True,
        True,
        False,
    ]
    silent = Shelf(tmp_path, command=())
    assert not silent.library.has("position", "el")
    silent.record("en/welcome")
    assert silent.library.has("welcome", "el")
    assert not Library(Wording).has("position", "en")


async def test_without_speech_there_is_nothing_and_no_complaint() -> None:
    library = Library(Wording)
    with capture_logs() as lines:
        assert await library.prompt("position", "en", n=1) is None
        assert await library.text("Good day.", "en") is None
        assert await library.say("number", 1, "en") is None
    assert lines == []


async def test_a_program_that_fails_costs_a_line_and_no_call(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "fails")
    with capture_logs() as lines:
        assert await shelf.library.prompt("goodbye", "el") is None
    assert {line["event"] for line in lines} == {"speech.failed"}


async def test_a_reload_counts(shelf: Shelf) -> None:
    assert await shelf.said("welcome", "en") == "Welcome."
    shelf.wording = Wording(("el",), TEXTS, shelf.wording.speech)
    assert await shelf.said("welcome", "en") == "Καλώς ήρθατε."
