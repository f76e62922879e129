"""``ccbridge simulate``: what it prints, alone and beside another configuration."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ccbridge.cli import main
from ccbridge.lab.lab import PROJECT

SITE = PROJECT / "config" / "ccbridge.yml"
LOAD = "calls=60 talk=180 patience=120 hours=1 answer=4"


def simulate(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["simulate", *map(str, words)])


def said(*words: str | Path) -> str:
    result = simulate("--config", SITE, "--synthetic", LOAD, *words)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The same site, with an agent less and more wrap-up."""
    text = SITE.read_text().replace("wrap_up: 10 ", "wrap_up: 90 ")
    path = tmp_path / "base.yml"
    path.write_text(re.sub(r"  dimitris:\n(    .*\n)+", "", text))
    path.chmod(0o600)
    return path


def test_same_seed_same_text() -> None:
    assert said() == said("--seed", "1")
    assert said("--seed", "1") != said("--seed", "2")


def test_queues_and_agents() -> None:
    head, _, columns, *lines = said().splitlines()
    assert head == "seed 1, 1 h; service level: answered, a<=T / a; waits in seconds"
    assert columns.split() == [
        "queue", "offered", "answered", "abandoned", "overflowed", "level", "T", "mean", "wait", "p95",
        "wait", "longest", "occupancy",
    ]  # fmt: skip
    rows = {line.split()[0]: line.split() for line in lines if line}
    assert rows["sales"][6] == "20"
    assert rows["support"][6] == "30"
    for column in (1, 2, 3, 4):
        assert int(rows["total"][column]) == int(rows["sales"][column]) + int(rows["support"][column])
    assert 40 < int(rows["total"][1]) < 80
    for agent in ("anna", "ben", "chloe", "dimitris"):
        assert re.fullmatch(r"\d+\.\d%", rows[agent][-1])
    answered = sum(int(rows[agent][1]) for agent in ("anna", "ben", "chloe", "dimitris"))
    assert answered == int(rows["total"][2])


def test_side_by_side(base: Path) -> None:
    data = json.loads(said("--against", base, "--json"))
    beside = data["against"]
    assert (data["config"], beside["config"]) == (str(SITE), str(base))
    assert data["total"]["offered"] == beside["total"]["offered"]  # the same callers
    assert data["total"]["answered"] > beside["total"]["answered"]
    lines = [line.split() for line in said("--against", base).splitlines()]
    assert ["queue", "figure", str(base), str(SITE), "change"] in lines
    before, after = beside["total"]["answered"], data["total"]["answered"]
    assert ["total", "answered", str(before), str(after), f"+{after - before}"] in lines
    assert ["sales", "T", "20", "20", "+0"] in lines
    (gone,) = [line for line in lines if line[:1] == ["dimitris"]]
    assert (gone[2], gone[4]) == ("-", "-")


def test_alone_is_as_beside(base: Path) -> None:
    """What a configuration makes of a load does not depend on what it is compared with."""
    alone, beside = json.loads(said("--json")), json.loads(said("--against", base, "--json"))
    assert {**beside, "against": None} == alone


def test_the_variant_of_the_service_level() -> None:
    def levels(variant: str) -> dict[str, Any]:
        data = json.loads(said("--service-level", variant, "--json"))
        assert data["variant"] == variant
        return {name: queue["service_level"] for name, queue in data["queues"].items()}

    answered, offered = levels("answered"), levels("offered")
    assert all(offered[name] < answered[name] for name in answered)


def test_mistakes_end_with_code_two(tmp_path: Path) -> None:
    result = simulate("-c", SITE, "--synthetic", "calls=60 tlk=180")
    assert (result.exit_code, result.stderr) == (2, '--synthetic: tlk: unknown key; did you mean "talk"?\n')
    result = simulate("-c", SITE, "--synthetic", LOAD, "--against", tmp_path / "none.yml")
    assert result.exit_code == 2
    assert "none.yml: cannot be read" in result.stderr
