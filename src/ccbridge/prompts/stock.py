"""What can be said beforehand, and what of it is not there yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ccbridge.prompts import words
from ccbridge.prompts.speech import place
from ccbridge.prompts.texts import names
from ccbridge.prompts.wording import Wording, there
from ccbridge.prompts.words import COUNT

COUNTED = {"position": 50, "wait": 60}
"""Sentences with a count, and up to which."""
CHOOSE_LANGUAGE = "choose-language"


@dataclass(frozen=True, slots=True)
class Item:
    """One file. ``recorded``: a person has spoken it; else a program does, or has (``there``)."""

    name: str
    count: int | None
    text: str
    path: Path | None  # None: nothing speaks
    recorded: bool
    there: bool


def all_names(wording: Wording) -> list[str]:
    """The built-in sentences, then the site's own prompts."""
    return list(dict.fromkeys((*names(), *wording.texts)))


def stock(wording: Wording, language: str) -> Iterator[Item]:
    """Every text of this language that needs no value, or only a count of those in ``COUNTED``."""
    for name in all_names(wording):
        sentence = wording.sentence(name, language)
        if sentence is None:
            continue
        if not sentence.placeholders:
            yield _item(wording, language, name, {})
        elif sentence.placeholders == {COUNT}:
            last = len(wording.languages) if name == CHOOSE_LANGUAGE else COUNTED.get(name, 0)
            for count in range(1, last + 1):
                yield _item(wording, language, name, {COUNT: count})


def without_text(wording: Wording, language: str) -> Iterator[str]:
    """The names that nobody has said in this language: neither a text nor a recording."""
    for name in all_names(wording):
        if wording.sentence(name, language) is None and wording.recorded(name, language) is None:
            yield name


def _item(wording: Wording, language: str, name: str, values: Mapping[str, int]) -> Item:
    sentence, count = wording.sentence(name, language), values.get(COUNT)
    assert sentence is not None
    text = words.of_sentence(sentence, values, language)
    recorded = wording.recorded(name, language, count)
    if recorded is not None:
        return Item(name, count, text, recorded, recorded=True, there=True)
    speech = wording.speech
    if speech is None or not speech.command:
        return Item(name, count, text, None, recorded=False, there=False)
    path = place(speech, text, language)
    return Item(name, count, text, path, recorded=False, there=there(path))
