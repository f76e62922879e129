"""Texts with placeholders, and the built-in sentences of five languages.

A placeholder is a name in braces, ``{n}``, and nothing else of ``str.format``: a site's text can reach no
attribute of a value. A sentence with a count has a text for each plural category of its language (CLDR).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import yaml

LANGUAGES = ("en", "el", "hr", "ar", "fa")
"""Those whose built-in sentences are complete."""

PLAIN = "other"  # the category of a text that does not depend on a count
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]{0,39})\}")


@dataclass(frozen=True, slots=True)
class Sentence:
    """``forms``: plural category -> text; ``exact``: a single number that has a text of its own."""

    forms: Mapping[str, str]
    exact: Mapping[int, str] = field(default_factory=dict)

    @property
    def placeholders(self) -> frozenset[str]:
        return placeholders(self.forms[PLAIN])

    @property
    def counts(self) -> bool:
        """Whether the text depends on ``{n}``, beyond the number itself."""
        return len(self.forms) > 1


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """Of one language. ``formats``: Babel's patterns for ``words``."""

    sentences: Mapping[str, Sentence]
    formats: Mapping[str, str]


def placeholders(text: str) -> frozenset[str]:
    """The names in braces. Raises ValueError, in words for whoever wrote it, where a brace is none's."""
    rest = _PLACEHOLDER.sub("", text)
    if stray := next((one for one in rest if one in "{}"), None):
        raise ValueError(
            f"has a {stray} that belongs to no placeholder; one is a name in small letters, such as {{n}}"
        )
    return frozenset(_PLACEHOLDER.findall(text))


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its values. Raises KeyError with the name of one that is missing."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def base(language: str) -> str:
    """``el`` for ``el_GR``."""
    return language.partition("_")[0]


@cache
def built_in(language: str) -> BuiltIn | None:
    """The built-in sentences of a language, or of the one that it is a kind of; None if there are none."""
    if base(language) not in LANGUAGES:
        return None
    path = files("ccbridge.prompts") / "sentences" / f"{base(language)}.yml"
    data = yaml.safe_load(path.read_text("utf-8"))
    return BuiltIn({name: _sentence(raw) for name, raw in data["sentences"].items()}, data["formats"])


def names() -> dict[str, frozenset[str]]:
    """The built-in sentences: name -> placeholders, which are the same in each language."""
    english = built_in("en")
    assert english is not None
    return {name: one.placeholders for name, one in english.sentences.items()}


def _sentence(raw: str | Mapping[str | int, str]) -> Sentence:
    if isinstance(raw, str):
        return Sentence({PLAIN: raw})
    return Sentence(
        {key: text for key, text in raw.items() if isinstance(key, str)},
        {key: text for key, text in raw.items() if isinstance(key, int)},
    )
