"""``languages``, ``prompts`` and ``speech``: what they become, and what is wrong in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_differences import OLD, read

from ccbridge.config import ConfigErrors, differences

SITE = (
    OLD
    + """\
languages: [el, en, fa]
prompts:
  welcome:
    el: Καλώς ήρθατε.
    fa: خوش آمدید.
  hours: {en: "We work until {hour}.", el: "Έως τις {hour}."}
  position: {en: "Your place is {n}."}
speech:
  voices: {en: en-us}
  rate: 140
  directory: cache
  seconds: 5
"""
)


def test_what_they_become(tmp_path: Path) -> None:
    wording = read(tmp_path / "a.yml", SITE).wording
    assert (wording.default, wording.languages) == ("el", ("el", "en", "fa"))
    assert wording.texts["welcome"] == {"el": "Καλώς ήρθατε.", "fa": "خوش آمدید."}
    speech = wording.speech
    assert speech is not None
    assert speech.command == ("espeak-ng", "-v", "{voice}", "-s", "{rate}", "--stdin", "-w", "{out}")
    assert speech.convert == ("sox", "{in}", "-r", "8000", "-c", "1", "-b", "16", "{out}")
    assert (speech.voice("en"), speech.voice("fa"), speech.rate, speech.seconds) == ("en-us", "fa", 140, 5.0)
    assert (speech.directory, speech.recorded) == (tmp_path / "cache", Path("/var/spool/ccbridge/prompts"))


def test_without_any(tmp_path: Path) -> None:
    wording = read(tmp_path / "a.yml", OLD).wording
    assert (wording.languages, wording.texts, wording.speech) == (("en",), {}, None)
    assert read(tmp_path / "b.yml", OLD + "speech: {}\n").wording.speech is not None
    assert read(tmp_path / "c.yml", OLD + 'speech: {command: ""}\n').wording.speech.command == ()  # type: ignore[union-attr]


def test_a_command_is_split_into_words(tmp_path: Path) -> None:
    said = "speech: {command: \"'/opt/my voices/say' --to {out} --from {text_file} {voice}\", convert: ''}\n"
    speech = read(tmp_path / "a.yml", OLD + said).wording.speech
    assert speech is not None
    assert speech.command == ("/opt/my voices/say", "--to", "{out}", "--from", "{text_file}", "{voice}")
    assert speech.convert == ()


@pytest.mark.parametrize(
    ("change", "to", "line", "mistake"),
    [
        ("[el, en, fa]", "[el, xx]", 25, "languages[1]: must be a language such as en, el"),
        ("[el, en, fa]", "[]", 25, "languages: must have 1 to 20 entries, not 0"),
        ("[el, en, fa]", "[el, en, el, fa]", 25, 'languages: "el" stands in it twice'),
        ("    fa: خ", "    fr: خ", 29, "prompts.welcome.fr: is none of languages; allowed here: el, en, fa"),
        ("    fa: خ", "    f: خ", 29, "prompts.welcome.f: must be a language such as"),
        ("{hour}.\", el", "{hour.\", el", 30, "prompts.hours.en: has a { that belongs to no placeholder"),
        ("τις {hour}", "τις", 30, "prompts.hours.el: lacks {hour}, which the text of en has"),
        ("τις {hour}", "{hour} {day}", 30, "prompts.hours.el: has {day}, which the text of en has not"),
        ("{n}", "{place}", 31, "prompts.position.en: lacks {n}, which this sentence has"),
        ("{n}", "{n} {key}", 31, "prompts.position.en: has {key}, which this sentence has not; it has {n}"),
        ("Καλώς ήρθατε.", '""', 28, "prompts.welcome.el: must be 1 to 2000 characters"),
        ("welcome:", '"wel come":', 27, "prompts.wel come: must be a name of 1 to 40 letters"),
        ("{en: en-us}", "{hr: hr}", 33, "speech.voices.hr: is none of languages"),
        ("{en: en-us}", "{en: --help}", 33, "speech.voices.en: must be 1 to 80 letters"),
        ("rate: 140", "rate: 10", 34, "speech.rate: must be 50 to 500 words a minute, not 10"),
        ("directory: cache", "directory: my cache", 35, "speech.directory: may hold no blank"),
        ("rate: 140", "command: say -w {out}", 34, "speech.command: must have {voice} in it"),
        ("rate: 140", "command: say it", 34, "speech.command: must have {voice} and {out} in it"),
        ("rate: 140", "command: say {voice} {out} {txt}", 34, "speech.command: {txt} is not known here"),
        ("rate: 140", "command: say {voice} {out", 34, "speech.command: has a { that belongs to no"),
        ("rate: 140", "command: say '{voice} {out}", 34, "speech.command: cannot be taken apart into words"),
        ("rate: 140", "convert: sox {in} out.wav", 34, "speech.convert: must have {out} in it"),
        ("seconds: 5", "second: 5", 36, "speech.second: unknown key; did you mean"),
    ],
)  # fmt: skip
def test_mistakes_bear_their_lines(tmp_path: Path, change: str, to: str, line: int, mistake: str) -> None:
    assert SITE.count(change) == 1
    with pytest.raises(ConfigErrors) as caught:
        read(tmp_path / "a.yml", SITE.replace(change, to))
    found = [one for one in caught.value.mistakes if f"{one.key}: {one.text}".startswith(mistake)]
    assert [one.line for one in found] == [line], caught.value.mistakes


@pytest.mark.parametrize(
    ("change", "to", "line"),
    [
        ("[el, en, fa]", "[el, en, fa, hr]", "languages: [el, en, fa] -> [el, en, fa, hr]"),
        ("Your place is {n}.", "{n}!", "prompts.position.en: Your place is {n}. -> {n}!"),
        ("rate: 140", "rate: 150", "speech.rate: 140 -> 150"),
    ],
)
def test_differences_of_a_reload(tmp_path: Path, change: str, to: str, line: str) -> None:
    old = read(tmp_path / "a.yml", SITE)
    new = read(tmp_path / "b.yml", SITE.replace(change, to))
    assert differences.sites(old, new, (), {}) == [line]
