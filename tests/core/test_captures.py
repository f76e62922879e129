"""The golden captures, made of real calls by tests/captures/make.py: each comes to the account beside it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1] / "captures"
sys.path.append(str(HERE))

from tables import CLOCKS, Told, talked  # noqa: E402

CAPTURES = sorted(HERE.glob("*/*.jsonl"))


def name(file: Path) -> str:
    return f"{file.parent.name}-{file.stem}"


def test_both_versions_of_asterisk_have_the_same() -> None:
    """At least twenty, on Asterisk 16 and on 22."""
    found = {
        version: {file.stem for file in CAPTURES if file.parent.name == version} for version in ("16", "22")
    }
    assert found["16"] == found["22"]
    assert len(found["22"]) >= 20


@pytest.mark.parametrize("file", CAPTURES, ids=name)
def test_a_capture_comes_to_its_account(file: Path) -> None:
    told = Told(file)
    page = file.with_suffix(".md").read_text()
    account = page[page.index("## Calls") : page.index(CLOCKS)]
    assert told.tables() == account.rstrip("\n") + "\n", "made here:\n" + told.tables()
    # not its doubts: what a version remembers may have more to it than what the one that made it did
    assert told.oddities == []


@pytest.mark.parametrize("file", CAPTURES, ids=name)
def test_talk_is_what_the_phones_clocks_say(file: Path) -> None:
    talks = {
        str(n): one.closed.talk
        for n, one in enumerate(Told(file).accounts.calls.values(), 1)
        if one.closed is not None
    }
    for call, seconds in talked(file.with_suffix(".md").read_text()).items():
        assert talks[call] == pytest.approx(seconds, abs=0.1)
