"""Prompts: languages, the site's own texts, and the programs that say them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from ccbridge.config.mistakes import KEY, Notes, mapping, show, suggest
from ccbridge.config.section import Section
from ccbridge.config.shapes import Between, Name, Number, Shaped, SitePath, Text, Whole
from ccbridge.prompts import texts as sentences
from ccbridge.prompts.wording import Speech, Wording
from ccbridge.prompts.words import known

# What each command may name, and what it must.
COMMAND = ({"voice", "rate", "text_file", "out"}, ("voice", "out"))
CONVERT = ({"in", "out"}, ("in", "out"))


def _language(value: str) -> str:
    if re.fullmatch(r"[a-z]{2,3}(_[A-Z]{2})?", value) and known(value):
        return value
    raise ValueError(f"must be a language such as {', '.join(sentences.LANGUAGES)}, not {show(value)}")


def _words(value: str, may: set[str], must: tuple[str, ...]) -> str:
    """A command as it is written: the placeholders that it may have and those that it must."""
    try:
        shlex.split(value)
    except ValueError as error:
        raise ValueError(f"cannot be taken apart into words: {str(error).lower()}") from error
    found = sentences.placeholders(value)
    for name in sorted(found - may):
        raise ValueError(f"{{{name}}} is not known here; {suggest(name, sorted(may))}")
    missing = " and ".join(f"{{{name}}}" for name in must if name not in found)
    if value and missing:
        raise ValueError(f"must have {missing} in it")
    return value


Language = Annotated[Text, AfterValidator(_language)]
Command = Annotated[Text, AfterValidator(lambda value: _words(value, *COMMAND))]
Convert = Annotated[Text, AfterValidator(lambda value: _words(value, *CONVERT))]
Voice = Annotated[
    Text,
    Shaped(r"(?!-)[A-Za-z0-9_.+-]{1,80}", "1 to 80 letters, digits, - _ + and ., not beginning with -"),
]
PromptText = Annotated[Text, Shaped(r"(?s)(?=.*\S).{1,2000}", "1 to 2000 characters")]


class SpeechSection(Section):
    """What makes sound of text. ``""`` as the command: only recordings."""

    command: Command = "espeak-ng -v {voice} -s {rate} --stdin -w {out}"
    convert: Convert = "sox {in} -r 8000 -c 1 -b 16 {out}"
    voices: dict[Language, Voice] = {}
    rate: Annotated[Whole, Between(50, 500, "words a minute")] = 150
    directory: SitePath = Path("/var/cache/ccbridge/speech")
    recorded: SitePath = Path("/var/spool/ccbridge/prompts")
    seconds: Annotated[Number, Between(1, 120, "seconds")] = 10.0


Texts = dict[Name, dict[Language, PromptText]]


def check(data: Mapping[str, Any], folder: Path, notes: Notes) -> None:
    """What the keys say together: languages that are the site's, and placeholders that fit."""
    languages = data.get("languages", ["en"])
    built_in = sentences.names() if "prompts" in data else {}
    for name, raw in mapping(data, "prompts").items():
        wanted, first = built_in.get(name), ""
        for language, text in raw.items() if isinstance(raw, dict) else ():
            loc = ("prompts", name, language)
            if isinstance(languages, list) and language not in languages:
                what = "is none of languages"
                notes.add((*loc, KEY), f"{what}; {suggest(str(language), map(str, languages))}")
            if not isinstance(text, str):
                continue
            try:
                found = sentences.placeholders(text)
            except ValueError as error:
                notes.add(loc, str(error))
                continue
            if wanted is None:
                wanted, first = found, language
            elif found != wanted:
                notes.add(loc, _differs(found, wanted, f"the text of {first}" if first else "this sentence"))
    speech = mapping(data, "speech")
    for key in ("directory", "recorded"):
        path = speech.get(key)
        if isinstance(path, str) and set(str(folder / path)) & set(" ,;&|$\"'`(){}[]\\"):
            # What is played may become an argument in the dialplan.
            notes.add(("speech", key), "may hold no blank and none of , ; & | $ quotes and brackets")
    for language in mapping(speech, "voices"):
        if isinstance(languages, list) and language not in languages:
            notes.add(
                ("speech", "voices", language, KEY),
                f"is none of languages; {suggest(str(language), map(str, languages))}",
            )


def _differs(found: frozenset[str], wanted: frozenset[str], where: str) -> str:
    if missing := sorted(wanted - found):
        return f"lacks {{{missing[0]}}}, which {where} has"
    allowed = f"; it has {', '.join(f'{{{one}}}' for one in sorted(wanted))}" if wanted else ""
    return f"has {{{min(found - wanted)}}}, which {where} has not{allowed}"


def converted(languages: tuple[str, ...], texts: Texts, speech: SpeechSection | None) -> Wording:
    return Wording(
        languages,
        {name: dict(one) for name, one in texts.items()},
        None
        if speech is None
        else Speech(
            tuple(shlex.split(speech.command)),
            tuple(shlex.split(speech.convert)),
            dict(speech.voices),
            speech.rate,
            speech.directory,
            speech.recorded,
            speech.seconds,
        ),
    )


def as_file(wording: Wording) -> dict[str, Any]:
    """As the file has it, to be compared."""
    speech = wording.speech
    return {
        "languages": list(wording.languages),
        "prompts": wording.texts,
        "speech": {}
        if speech is None
        else {
            "command": shlex.join(speech.command),
            "convert": shlex.join(speech.convert),
            "voices": speech.voices,
            "rate": speech.rate,
            "directory": speech.directory,
            "recorded": speech.recorded,
            "seconds": speech.seconds,
        },
    }
