"""``ccbridge replay``: accounts, one call step by step, and the comparison with the event journal."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ccbridge.captures import lines
from ccbridge.captures.compare import Comparison
from ccbridge.captures.replay import Replay
from ccbridge.cli import main
from ccbridge.core.records import Record
from ccbridge.store.journal import Journal

CAPTURE = Path(__file__).parents[1] / "captures" / "22" / "refused.jsonl"


def replay(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, words)])


@pytest.fixture
def records() -> list[Record]:
    return [record for step in Replay().run(lines.read(CAPTURE)) for _, record in step.records]


@pytest.fixture
def journal(tmp_path: Path, records: list[Record]) -> Path:
    """An event journal that holds what the capture gives."""
    kept = Journal.open(tmp_path / "journal")
    kept.append(records)
    kept.close()
    return tmp_path / "journal"


def test_accounts_of_calls_and_agents() -> None:
    said = replay(CAPTURE)
    assert said.exit_code == 0, said.output
    assert "anna refused, ben talked" in said.stdout
    assert "answered" in said.stdout
    assert "\nanna  " in said.stdout
    assert "0 oddities" in said.stdout


def test_json(records: list[Record]) -> None:
    data = json.loads(replay(CAPTURE, "--json").stdout)
    (call,) = data["calls"]
    assert call["closed"]["disposition"] == "answered"
    assert call["offers"] == ["anna refused", "ben talked"]
    assert {one["agent"]: one["offers"] for one in data["agents"]} == {
        "anna": {"refused": 1},
        "ben": {"talked": 1},
    }
    ben = next(one for one in data["agents"] if one["agent"] == "ben")
    assert ben["seconds"]["talking"] == pytest.approx(call["closed"]["talk"], abs=0.1)
    assert (data["records"], data["oddities"], data["differences"]) == (len(records), 0, [])


def test_one_call_step_by_step() -> None:
    call = json.loads(replay(CAPTURE, "--json").stdout)["calls"][0]["call"]
    said = replay(CAPTURE, "--call", call)
    assert said.exit_code == 0
    order = [
        "CallArrived",
        "call_opened",
        "CallHolding",
        "PlaceOffer",
        "OfferEnded",
        "LegRinging",
        "call_closed",
    ]
    places = [said.stdout.index(word) for word in order]
    assert places == sorted(places)
    assert "LogIn" not in said.stdout
    steps = json.loads(replay(CAPTURE, "--call", call, "--json").stdout)["steps"]
    assert steps[0]["input"]["t"] == "CallArrived"
    assert [one["t"] for one in steps[0]["came"]][:2] == ["call_opened", "call_event"]


def test_a_call_that_is_not_there() -> None:
    said = replay(CAPTURE, "--call", "pbx-1.1")
    assert (said.exit_code, said.stderr) == (1, "there is no call pbx-1.1 in it\n")


def test_the_event_journal_has_the_same(journal: Path, records: list[Record]) -> None:
    said = replay(CAPTURE, "--journal", journal)
    assert said.exit_code == 0, said.output
    assert f"{len(records)} records, 0 oddities, the event journal has the same" in said.stdout


@pytest.mark.parametrize("change", ["changed", "missing", "more"])
def test_the_event_journal_has_something_else(journal: Path, change: str) -> None:
    (segment,) = journal.glob("*.jsonl")
    kept = segment.read_text().splitlines()
    where = next(n for n, line in enumerate(kept) if '"refused"' in line)
    if change == "changed":
        kept[where] = kept[where].replace("refused", "missed")
    elif change == "missing":
        del kept[where]
    segment.write_text("\n".join(kept) + "\n")
    files = [CAPTURE]
    if change == "more":  # the input that led to it was lost
        heard = [raw for raw in CAPTURE.read_bytes().splitlines(True) if b"Event: BridgeEnter" not in raw]
        cut = journal / "cut"
        cut.write_bytes(b"".join(heard))
        files = [cut]
    said = replay(*files, "--journal", journal)
    assert said.exit_code == 1
    assert "from what was written" in said.stderr
    number = json.loads(kept[where])["seq"] if change == "changed" else ""
    assert f"{number}: " in said.stderr


def test_a_record_that_was_not_made_again_is_told(records: list[Record]) -> None:
    comparison = Comparison()
    told = Replay()
    for step in told.run(lines.read(CAPTURE)):
        comparison.see(step)
    del comparison.made[3]
    written = [{"seq": 3, "w": 1.0, "t": "call_opened"}, {"seq": 99_999, "w": 1.0, "t": "cdr"}]
    found = list(comparison.differences(written))
    assert [one for one in found if one.startswith("3: in the journal, not made here")]
    assert not [one for one in found if one.startswith("99999")]  # after the last line of the capture


def test_a_packed_file(tmp_path: Path) -> None:
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(CAPTURE.read_bytes()))
    assert replay(packed).stdout == replay(CAPTURE).stdout
    packed.write_bytes(gzip.compress(CAPTURE.read_bytes())[:-200])
    said = replay(packed)
    assert said.exit_code == 2
    assert "is cut off" in said.stderr


def test_what_is_no_capture(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("hello\n")
    said = replay(file)
    assert said.exit_code == 2
    assert said.stderr.startswith(f"{file}:1: this is no line of a capture")
    nothing = tmp_path / "nothing"
    said = replay(nothing)
    assert (said.exit_code, said.stderr) == (2, f"{nothing}: No such file or directory\n")
    said = replay(CAPTURE, "--journal", nothing)
    assert (said.exit_code, said.stderr) == (2, f"{nothing}: here is no event journal\n")
