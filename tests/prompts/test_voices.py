"""The real programs: espeak-ng and sox, the machine's own or the lab's, in each of the five languages."""

from __future__ import annotations

import sys
import wave
from pathlib import Path

import pytest
import yaml
from structlog.testing import capture_logs

from ccbridge.config.prompts import SpeechSection, converted
from ccbridge.lab.lab import default_cache
from ccbridge.lab.speech import speech_section
from ccbridge.lab.tones import RATE, samples
from ccbridge.prompts.library import Library
from ccbridge.prompts.texts import LANGUAGES
from ccbridge.prompts.wording import Wording

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
from likeness import likeness


@pytest.fixture(scope="module")
def wording(tmp_path_factory: pytest.TempPathFactory) -> Wording:
    section = speech_section(default_cache(), tmp_path_factory.mktemp("voices"))
    return converted(LANGUAGES, {}, SpeechSection.model_validate(yaml.safe_load(yaml.safe_dump(section))))


async def test_five_languages_are_spoken_and_are_five(wording: Wording) -> None:
    library = Library(lambda: wording)
    files: dict[str, Path] = {}
    for language in LANGUAGES:
        path = await library.prompt("voicemail-greeting", language)
        assert path is not None, language
        files[language] = Path(f"{path}.wav")
        with wave.open(str(files[language])) as sound:
            assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        data = samples(files[language])
        loud = sum(abs(one) > 1000 for one in data)
        assert 2 * RATE < len(data) < 15 * RATE
        assert loud > 0.2 * len(data), language
    for language, path in files.items():
        for other, another in files.items():
            alike = likeness(path, another)
            assert alike > 0.99 if language == other else alike < 0.5, (language, other, alike)


async def test_each_value_is_heard(wording: Wording) -> None:
    """Another number, other digits, another count: another sound."""
    library = Library(lambda: wording)
    for language in LANGUAGES:
        spoken = [
            await library.prompt("position", language, n=3),
            await library.prompt("position", language, n=4),
            await library.prompt("confirm-digits", language, digits="47"),
            await library.prompt("confirm-digits", language, digits="74"),
            await library.say("digits", "0123456789", language),
        ]
        assert None not in spoken
        assert len({samples(Path(f"{one}.wav")).tobytes() for one in spoken}) == len(spoken)


async def test_a_voice_that_is_not_there(wording: Wording) -> None:
    library = Library(lambda: Wording(("xx",), {"hello": {"xx": "Hello."}}, wording.speech))
    with capture_logs() as lines:
        assert await library.prompt("hello", "xx") is None
    assert "voice does not exist" in lines[0]["why"]
