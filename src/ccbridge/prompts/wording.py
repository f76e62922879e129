"""What a site says of its prompts: the languages, its own texts, and how text becomes sound."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ccbridge.prompts.texts import Sentence, base, built_in


@dataclass(frozen=True, slots=True)
class Speech:
    """``command``, ``convert``: argument lists with placeholders, as ``speech`` takes them; () is none."""

    command: tuple[str, ...]
    convert: tuple[str, ...]
    voices: Mapping[str, str]
    rate: int  # words a minute
    directory: Path  # of what was spoken
    recorded: Path
    seconds: float  # for one text

    def voice(self, language: str) -> str:
        """Without one of its own, the name of the language is the voice's, as espeak-ng has it."""
        return self.voices.get(language) or self.voices.get(base(language)) or base(language)


@dataclass(frozen=True, slots=True)
class Wording:
    """``texts``: name -> language -> text. The first language is the default."""

    languages: tuple[str, ...] = ("en",)
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    speech: Speech | None = None

    @property
    def default(self) -> str:
        return self.languages[0]

    def language(self, asked: str) -> str:
        """The site's language for the one asked for (``el_GR``, or ``el``), else the default."""
        for one in (asked, base(asked)):
            if one in self.languages:
                return one
        return next((one for one in self.languages if base(one) == base(asked)), self.default)

    def sentence(self, name: str, language: str) -> Sentence | None:
        """The site's own text, else the built-in sentence, in this very language."""
        own = self.texts.get(name, {}).get(language)
        if own is not None:
            return Sentence({"other": own})
        built = built_in(language)
        return built.sentences.get(name) if built else None

    def recorded(self, name: str, language: str, count: object = None) -> Path | None:
        """The recorded file, if there is one: of this count (``position-3.wav``), else of the name."""
        if self.speech is None:
            return None
        counted = [f"{name}-{count}"] if isinstance(count, int) else []
        places = (self.speech.recorded / one for one in dict.fromkeys((language, base(language))))
        files = (folder / f"{one}.wav" for folder in places for one in (*counted, name))
        return next(filter(there, files), None)


def there(path: Path) -> bool:
    """Whether it is a file; no error where it cannot even be looked at."""
    return os.path.isfile(path)
