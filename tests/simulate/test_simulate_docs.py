"""docs/simulate.md: its load is one, and its command prints what stands below it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from ccbridge.cli import main
from ccbridge.config import load as load_site
from ccbridge.lab.lab import PROJECT
from ccbridge.simulate.spec import EVERYWHERE, LAWS, WHOLE, QueueLoad, read

PAGE = (PROJECT / "docs" / "simulate.md").read_text()
SITE = PROJECT / "config" / "ccbridge.yml"


def block(language: str, word: str) -> str:
    found = re.search(rf"^```{language} {word}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_command_prints_what_stands_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    done = CliRunner().invoke(main, shlex.split(block("sh", "cli"))[1:])
    assert done.exit_code == 0, done.output
    assert block("text", "simulated") == done.stdout


def test_the_file_is_a_load(tmp_path: Path) -> None:
    file = tmp_path / "load.yml"
    file.write_text(block("yaml", "load"))
    spec = read(str(file), {str(SITE): load_site(SITE, secrets=False).plan})
    assert (spec.hours, spec.answer) == (8, 4)
    assert spec.queues["sales"] == QueueLoad(60, 180, patience=120)
    assert spec.queues["support"] == QueueLoad(30, 300, "lognormal", 0.8)


def test_the_table_has_every_key_and_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", PAGE, re.MULTILINE))
    assert set(rows) == {*EVERYWHERE, *WHOLE} - {"queues"}
    plain = QueueLoad()
    for key in ("talk", "law", "spread", "priority"):
        assert rows[key] == f"{getattr(plain, key):g}" if key != "law" else plain.law
    assert rows["patience"] == str(plain.patience).lower()
    assert all(f"`{law}`" in PAGE for law in LAWS)
