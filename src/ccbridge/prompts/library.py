"""Prompts by name and language, as files that Asterisk plays."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from ccbridge.prompts import words
from ccbridge.prompts.speech import Speaker
from ccbridge.prompts.texts import Sentence
from ccbridge.prompts.wording import Wording
from ccbridge.prompts.words import COUNT, Kind, Value

log = structlog.get_logger(__name__)


class Library:
    """``wording`` is asked anew for each prompt, so that a reload counts.

    Everything that gives a file gives its absolute path without the suffix, as STREAM FILE wants it, and
    None where there is none: the caller goes on with Asterisk's own sounds. A program that fails is a line in
    the log. Nothing raises. Names are those of the code and the configuration, never a caller's text.
    """

    def __init__(self, wording: Callable[[], Wording], speaker: Speaker | None = None) -> None:
        self._wording = wording
        self._speaker = speaker or Speaker()
        self._told: set[tuple[str, str]] = set()

    def has(self, name: str, language: str) -> bool:
        """Whether there is a file or a text by this name that can be said, in the language or the default."""
        wording = self._wording()
        return any(self._can(wording, name, one) for one in self._order(wording, language))

    async def prompt(self, name: str, language: str, **values: Value) -> str | None:
        """A recorded file, else the site's text, else the built-in sentence; or so in the default language.

        ``n`` is a count, ``digits`` are said one by one, a moment is said as day and time. Recorded files win
        whatever the values; of a count there may be one for each (``position-3.wav``).
        """
        wording = self._wording()
        wanted, *others = self._order(wording, language)
        path = await self._in(wording, name, wanted, values)
        if path is not None:
            return path
        for other in others:
            if (path := await self._in(wording, name, other, values)) is not None:
                self._tell_once(name, wanted, other)
                return path
        return None

    async def text(self, text: str, language: str) -> str | None:
        """What a program says of this text; kept for an hour or so."""
        wording = self._wording()
        return await self._said(wording, text, wording.language(language), passing=True)

    async def say(self, kind: Kind, value: Value, language: str) -> str | None:
        """A number, single digits (a text), or the date or time of an aware datetime, alone."""
        wording = self._wording()
        ours = wording.language(language)
        try:
            said = words.word(kind, value, ours)
        except ValueError as error:
            log.error("prompt.wrong_value", kind=kind, why=str(error))
            return None
        return await self._said(wording, said, ours, passing=kind != "number")

    def _order(self, wording: Wording, language: str) -> list[str]:
        return list(dict.fromkeys((wording.language(language), wording.default)))

    def _can(self, wording: Wording, name: str, language: str) -> bool:
        if wording.recorded(name, language) is not None:
            return True
        speaks = wording.speech is not None and bool(wording.speech.command)
        return speaks and wording.sentence(name, language) is not None

    async def _in(
        self, wording: Wording, name: str, language: str, values: Mapping[str, Value]
    ) -> str | None:
        recorded = wording.recorded(name, language, values.get(COUNT))
        if recorded is not None:
            return str(recorded.with_suffix(""))
        sentence = wording.sentence(name, language)
        if sentence is None:
            return None
        try:
            text = words.of_sentence(sentence, values, language)
        except KeyError as missing:
            log.error("prompt.value_missing", prompt=name, language=language, value=str(missing.args[0]))
            return None
        except ValueError as error:
            log.error("prompt.wrong_value", prompt=name, language=language, why=str(error))
            return None
        return await self._said(wording, text, language, passing=_passing(sentence, values))

    async def _said(self, wording: Wording, text: str, language: str, *, passing: bool) -> str | None:
        if wording.speech is None or not text.strip():
            return None
        path = await self._speaker.speak(wording.speech, text, language, passing=passing)
        return None if path is None else str(path.with_suffix(""))

    def _tell_once(self, name: str, wanted: str, other: str) -> None:
        if (name, wanted) not in self._told:
            self._told.add((name, wanted))
            log.warning("prompt.other_language", prompt=name, language=wanted, instead=other)


def _passing(sentence: Sentence, values: Mapping[str, Value]) -> bool:
    """Whether it says more than counts: somebody's number, a day."""
    return any(not isinstance(values[name], int) for name in sentence.placeholders)
