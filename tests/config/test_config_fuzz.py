"""Whatever a file holds: a site, or ``ConfigErrors`` with at least one line. Nothing else, ever."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from config_bench import EXAMPLE
from hypothesis import given, settings
from hypothesis import strategies as st

from ccbridge.config import ConfigErrors, Site, load

TEXT = EXAMPLE.read_text(encoding="utf-8")
LINES = TEXT.splitlines(keepends=True)
DATA = yaml.safe_load(TEXT)
FAST = settings(max_examples=50, deadline=None)


def attempt(content: bytes) -> Site | None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ccbridge.yml"
        file.write_bytes(content)
        try:
            return load(file, environ={})
        except ConfigErrors as errors:
            found = errors.mistakes
    assert found
    for mistake in found:
        assert "\n" not in str(mistake)
        assert str(mistake).encode("utf-8")
        assert 0 <= mistake.line <= content.count(b"\n") + content.count(b"\r") + 2
    return None


PIECES = st.sampled_from(
    [
        ": ",
        "- ",
        "\n",
        "\n  ",
        "[",
        "]",
        "{",
        "}",
        ",",
        '"',
        "'",
        "&a ",
        "*a",
        "!x ",
        "!!int ",
        "? ",
        "| ",
        "> ",
        "#",
        "<<",
        "~",
        "null",
        "yes",
        "0755",
        "1:30",
        ".inf",
        "2024-01-01",
        "=",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "\t",
        "\\0",
        "\\ud800",
        "\\UFFFFFFFF",
        "flows",
        "queues",
        "steps",
        "menu",
        "choices",
        "play",
        "next",
        "secret",
        "Ω",
        "secret_file: /dev/zero\n",
        "asterisk:\n  ",
        "database:\n  ",
        "url",
        "hangup",
        "true",
        "1",
        "-5",
        "9" * 5000,
    ]
)


@FAST
@given(st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=40))
def test_text_like_yaml(pieces: list[str]) -> None:
    attempt("".join(pieces).encode("utf-8", "surrogatepass"))


@FAST
@given(st.binary(max_size=60))
def test_bytes(content: bytes) -> None:
    attempt(content)


@FAST
@given(st.data())
def test_broken_lines_of_the_example(data: st.DataObject) -> None:
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "twice", "move", "insert", "cut", "join"])):
            case "drop":
                lines.pop(at)
            case "twice":
                lines.insert(at, lines[at])
            case "move":
                lines.insert(data.draw(st.integers(0, len(lines) - 1)), lines.pop(at))
            case "insert":
                cut = data.draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:cut] + data.draw(PIECES) + lines[at][cut:]
            case "cut":
                lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))] + "\n"
            case "join":
                lines[at] = lines[at].rstrip("\n")
    attempt("".join(lines).encode("utf-8", "surrogatepass"))


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["main", "sales"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, item in inner for place in places(item, (*at, key)))]


PLACES = places(DATA)


@FAST
@given(st.lists(st.tuples(st.sampled_from(PLACES[1:]), VALUES), min_size=1, max_size=3))
def test_other_values_in_the_example(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    data = yaml.safe_load(TEXT)
    for place, value in changes:
        try:
            at = data
            for key in place[:-1]:
                at = at[key]
            at[place[-1]] = value
        except (LookupError, TypeError):  # an earlier change took this place away
            continue
    attempt(yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "surrogatepass"))


@FAST
@given(st.sampled_from(PLACES[1:]))
def test_taking_anything_out(place: tuple[Any, ...]) -> None:
    data = yaml.safe_load(TEXT)
    at = data
    for key in place[:-1]:
        at = at[key]
    del at[place[-1]]
    attempt(yaml.safe_dump(data, allow_unicode=True).encode())
