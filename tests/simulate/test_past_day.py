"""A day that has been, through the same core once more: the callers of a real database, and of a journal."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from ccbridge.cli import main
from ccbridge.config import load as load_site
from ccbridge.core import records as r
from ccbridge.core.memory import Memory
from ccbridge.lab.database import Database
from ccbridge.lab.lab import PROJECT
from ccbridge.lab.postgres import LabPostgres
from ccbridge.simulate import driver
from ccbridge.simulate.arrivals import synthetic
from ccbridge.simulate.figures import Figures
from ccbridge.simulate.past import Duty
from ccbridge.simulate.spec import read
from ccbridge.store.journal import Journal
from ccbridge.store.rows import Numbered, store
from ccbridge.store.urls import for_libpq

pytestmark = pytest.mark.pg

SITE = PROJECT / "config" / "ccbridge.yml"
DAY = "2026-01-20"
MIDNIGHT = datetime(2026, 1, 20, tzinfo=UTC).timestamp()
OPEN, CLOSE = 8 * 3600.0, 18 * 3600.0
LOAD = "calls=52 talk=180 patience=150 hours=10 answer=4"
FIGURES = ("offered", "answered", "abandoned", "overflowed", "service_level", "asa_s", "mean_wait_s",
           "longest_wait_s")  # fmt: skip
WITHOUT_CHLOE = {r"  chloe:\n(    .*\n)+": ""}
LONG_WRAP_UP = {r"wrap_up: 10 ": "wrap_up: 60 "}
ZOE = {r"^agents:\n": "agents:\n  zoe: {name: Zoe, device: PJSIP/1009, queues: [sales, support]}\n"}


@dataclass
class House:
    url: str
    records: list[r.Record]  # of the day


def duties() -> Iterator[Duty]:
    """All come at eight; ben has his lunch; chloe goes at four."""
    for agent in ("anna", "ben", "chloe", "dimitris", "zoe"):  # zoe is in no shipped site
        yield Duty(OPEN, agent, there=True)
    yield Duty(OPEN + 4 * 3600, "ben", there=True, pause="lunch")
    yield Duty(OPEN + 5 * 3600, "ben", there=True)
    yield Duty(OPEN + 8 * 3600, "chloe", there=False)
    for agent in ("anna", "ben", "dimitris", "zoe"):
        yield Duty(CLOSE, agent, there=False)


def really(site: Path, see: Callable[[r.Record], None]) -> None:
    """The same callers with all that nobody can know of them, and the same agents, at this site."""
    plan = load_site(site, secrets=False).plan
    spec = read(LOAD, {str(site): plan})
    came = (replace(one, at=one.at + OPEN) for one in synthetic(spec, 5))
    driver.play(plan, came, see, answer=spec.answer, seed=5, duties=duties())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A day of the shipped site: what its daemon would have written, in a real PostgreSQL."""
    records: list[r.Record] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "OPENING", MIDNIGHT)
        really(SITE, records.append)
    records = [one for one in records if one.at >= MIDNIGHT]
    with (
        LabPostgres(tmp_path_factory.mktemp("postgres"), tethered=True) as server,
        Database(server.url) as database,
    ):
        with psycopg.connect(for_libpq(database.url)) as db:
            store(db, uuid.uuid4(), [Numbered(n, one) for n, one in enumerate(records, 1)])
        yield House(database.url, records)


@pytest.fixture
def site(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TZ", "UTC")
    return changed(tmp_path / "site.yml", {r"^  url: .*$": f"  url: {house.url}"})


def changed(path: Path, changes: dict[str, str]) -> Path:
    """The shipped site, changed."""
    text = SITE.read_text()
    for pattern, instead in changes.items():
        text, found = re.subn(pattern, instead, text, flags=re.M)
        assert found, pattern
    path.write_text(text)
    path.chmod(0o600)
    return path


def ccbridge(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, words)])


def told(*words: str | Path) -> Any:
    result = ccbridge(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def figures(found: dict[str, Any]) -> dict[str, list[Any]]:
    return {
        queue: [pytest.approx(row[name], abs=0.01) for name in FIGURES]
        for queue, row in found["queues"].items()
    }


def test_a_day_again_is_that_day(site: Path) -> None:
    """Who hung up does so at the same moment, who was answered has more patience than he needed."""
    report = told("-c", site, "report", "day", DAY)
    again = told("-c", site, "simulate", "--day", DAY)
    assert (again["day"], again["hours"], again["callers"]) == (DAY, 24, report["total"]["offered"])
    assert again["gave_up"] == report["total"]["abandoned"] > 50
    assert figures(again) == figures(report)
    for agent, row in report["agents"].items():
        found = again["agents"][agent]
        assert found["occupancy"] == pytest.approx(row["occupancy"], abs=0.001)
        assert found["talk_s"] == pytest.approx(row["talk_s"], abs=0.1)
        assert found["available_s"] == pytest.approx(row["states"]["available"], abs=1)


@pytest.mark.parametrize(
    ("changes", "worse"),
    [(WITHOUT_CHLOE, True), (LONG_WRAP_UP, True), (ZOE, False)],
    ids=["an agent less", "a longer wrap-up", "an agent more"],
)
def test_what_if_comes_near_the_truth(
    site: Path, tmp_path: Path, changes: dict[str, str], worse: bool
) -> None:
    """Patience is drawn from what the day showed of it; the truth has each caller's own."""
    url = re.search(r"^  url: .*$", site.read_text(), re.M)
    assert url is not None
    other = changed(tmp_path / "other.yml", {r"^  url: .*$": url[0]} | changes)
    found = told("simulate", "--config", other, "--against", site, "--day", DAY)
    assert found["against"]["config"] == str(site)
    plan = load_site(other, secrets=False).plan
    truth = Figures(plan, 24 * 3600)
    really(other, truth.see)
    true = truth.result().total
    before, after = found["against"]["total"], found["total"]
    for name, sign in (("abandoned", 1), ("mean_wait_s", 1), ("service_level", -1)):
        assert (after[name] > before[name]) == (worse == (sign > 0)), name
    assert after["service_level"] == pytest.approx(true["service_level"], abs=0.05)
    assert after["abandoned"] == pytest.approx(true["abandoned"], abs=20)


def test_one_seed_one_text(site: Path) -> None:
    first = ccbridge("-c", site, "simulate", "--day", DAY).stdout
    assert first.startswith(f"{DAY}: 495 callers, 96 of them gave up; seed 1; service level: answered, ")
    assert ccbridge("-c", site, "simulate", "--day", DAY).stdout == first
    assert ccbridge("-c", site, "simulate", "--day", DAY, "--seed", "2").stdout != first


@pytest.fixture
def journal(house: House, tmp_path: Path) -> Path:
    """The same day as the daemon's journal of events, in several segments."""
    folder, memory = tmp_path / "journal", Memory()
    with closing(Journal.open(folder, segment_bytes=200_000, checkpoint=memory.dump)) as one:
        for record in house.records:
            memory.apply(record)
            one.append([record])
    assert len(list(folder.glob("*.jsonl"))) > 2
    return folder


def test_the_journal_tells_the_same_day(site: Path, journal: Path) -> None:
    day = told("-c", site, "simulate", "--day", DAY)
    whole = told("-c", site, "simulate", "--journal", journal)
    assert figures(whole) == figures(day)
    assert datetime.fromisoformat(whole["from"]).timestamp() == MIDNIGHT + OPEN
    assert 10 <= whole["hours"] < 11
    one_by_one = [word for file in sorted(journal.glob("*.jsonl")) for word in ("--journal", file)]
    assert told("-c", site, "simulate", *one_by_one) == whole


def test_a_segment_begins_with_who_is_at_work(site: Path, journal: Path) -> None:
    """Its callers alone; the agents have been there before it begins."""
    (_, second, *_) = sorted(journal.glob("*.jsonl"))
    part = told("-c", site, "simulate", "--journal", second)
    assert 20 < part["callers"] < 400
    assert part["total"]["answered"] > 0.5 * part["total"]["offered"]
    assert all(row["talks"] for row in part["agents"].values())
    title = ccbridge("-c", site, "simulate", "--journal", second).stdout.splitlines()[0]
    assert re.match(r"from 2026-01-20 \d\d:\d\d:\d\d to 2026-01-20 \d\d:\d\d:\d\d: \d+ callers, ", title)


def test_what_cannot_be_done_is_said(site: Path, tmp_path: Path) -> None:
    def refused(code: int, *words: str | Path) -> str:
        result = ccbridge("-c", site, "simulate", *words)
        assert (result.exit_code, result.stdout) == (code, "")
        return result.stderr

    one = "give one of --synthetic, --day and --journal: where the callers come from\n"
    assert refused(2) == one
    assert refused(2, "--day", DAY, "--synthetic", LOAD) == one
    assert refused(1, "--day", "2026-01-21") == "2026-01-21: nobody came into a queue\n"
    other = tmp_path / "other.yml"
    other.write_text(site.read_text().replace("support", "help"))
    other.chmod(0o600)
    text = refused(2, "--day", DAY, "--against", other)
    assert text == f"{other} has no queue support, into which 257 callers came\n"
    (tmp_path / "empty").mkdir()
    assert refused(2, "--journal", tmp_path / "empty").endswith("empty: here is no event journal\n")
    assert refused(2, "--journal", other).endswith("other.yml: this is no segment of an event journal\n")
    assert "none: No such file or directory" in refused(2, "--journal", tmp_path / "none")
    away = changed(tmp_path / "away.yml", {r"^  url: .*$": "  url: postgresql://nobody@127.0.0.1:1/none"})
    result = ccbridge("-c", away, "simulate", "--day", DAY)
    assert result.exit_code == 3
    assert result.stderr.startswith("The database 127.0.0.1:1/none does not answer: ")
