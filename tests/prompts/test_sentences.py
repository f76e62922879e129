"""The built-in sentences are complete and alike in each language, and written in its own letters."""

from __future__ import annotations

import unicodedata

import pytest
from babel import Locale

from ccbridge.prompts.texts import LANGUAGES, BuiltIn, Sentence, built_in, fill, names, placeholders

SCRIPTS = {"en": "LATIN", "hr": "LATIN", "el": "GREEK", "ar": "ARABIC", "fa": "ARABIC"}
NEEDED = {
    *("position", "next", "wait", "wait-less", "thank-you-wait", "thank-you", "goodbye", "sorry"),
    *("callback-offer", "callback-number", "callback-ask-number", "callback-confirmed", "callback-cancelled"),
    *("callback-keep", "callback-refused", "voicemail-greeting", "voicemail-review", "voicemail-saved"),
    *("voicemail-empty", "closed", "opens-at", "closed-for-now", "choose-language", "invalid-choice"),
    *("no-answer", "please-repeat", "confirm-digits", "agent-logged-in", "agent-logged-out", "agent-paused"),
    *("agent-wrap-up-over", "agent-not-now", "agent-login-refused", "agent-nobody"),
}
STRAY = ["a {", "a } b", "{N}", "{n.x}", "{n!r}", "{0}", "{{n}}", "{n:>9}", "{}", "{n"]


def of(language: str) -> BuiltIn:
    found = built_in(language)
    assert found is not None
    return found


def categories(language: str) -> set[str]:
    return {*Locale.parse(language).plural_form.tags, "other"}


def whole(sentence: Sentence) -> list[str]:
    return [*sentence.forms.values(), *sentence.exact.values()]


def test_english_has_what_others_count_on() -> None:
    assert names().keys() >= NEEDED
    assert names()["callback-offer"] == {"key"}
    assert names()["wait"] == names()["position"] == names()["choose-language"] == {"n"}
    assert names()["opens-at"] == {"when"}
    assert names()["callback-number"] == names()["confirm-digits"] == {"digits"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_and_the_same_placeholders(language: str) -> None:
    assert {name: one.placeholders for name, one in of(language).sentences.items()} == names()
    assert list(of(language).sentences) == list(of("en").sentences)
    assert of(language).formats.keys() == {"date", "time", "hour", "moment"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_plural_category(language: str) -> None:
    counted = {name for name, one in of("en").sentences.items() if one.counts}
    assert {name for name, one in of(language).sentences.items() if one.counts} == counted
    for name in counted:
        assert of(language).sentences[name].forms.keys() == categories(language), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_without_its_number_is_for_one_number_alone(language: str) -> None:
    plural_form = Locale.parse(language).plural_form
    for name, one in of(language).sentences.items():
        for category, text in one.forms.items() if one.counts else ():
            numbers = [n for n in range(200) if plural_form(n) == category]
            assert placeholders(text) == {"n"} or len(numbers) == 1, (name, category)
        assert all(placeholders(text) <= {"n"} for text in one.exact.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_written_in_its_own_letters(language: str) -> None:
    for name, sentence in of(language).sentences.items():
        for text in whole(sentence):
            bare = fill(text, dict.fromkeys(placeholders(text), "1")).replace("PIN", "")
            others = {unicodedata.name(one) for one in bare if one.isalpha()}
            assert all(one.startswith(SCRIPTS[language]) for one in others), (name, others)
            assert unicodedata.normalize("NFC", text) == text
            assert "  " not in text
            assert text == text.strip()
            assert text[-1] in ".", name


def test_persian_is_not_written_with_arabic_letters() -> None:
    text = "".join(text for one in of("fa").sentences.values() for text in whole(one))
    assert not {"ي", "ك", "ى", "ة", "٤", "٥", "٦"} & set(text)
    assert {"ی", "ک", "گ", "پ"} <= set(text)
    arabic = "".join(text for one in of("ar").sentences.values() for text in whole(one))
    assert not {"ی", "ک", "گ", "پ", "\u200c"} & set(arabic)
    assert {"ي", "ك", "ة"} <= set(arabic)


def test_a_kind_of_a_language_has_its_sentences() -> None:
    assert built_in("el_GR") == built_in("el")
    assert built_in("de") is None


@pytest.mark.parametrize("text", STRAY)
def test_other_braces_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="belongs to no placeholder"):
        placeholders(text)


def test_filling() -> None:
    assert fill("{a} and {b_2}, {a}", {"a": "1", "b_2": "{a}"}) == "1 and {a}, 1"
    with pytest.raises(KeyError, match="b"):
        fill("{b}", {})
