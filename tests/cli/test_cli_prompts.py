"""``ccbridge prompts``, and the doctor's look at what speaks: no daemon is needed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cli_rig import NOWHERE, SITE
from click.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parents[1] / "prompts"))
from speech_rig import speech
from terminal_rig import Terminal

from ccbridge.cli import main, show
from ccbridge.config import load
from ccbridge.doctor import speech as doctor

OWN = """\
languages: [en, fa]
prompts:
  welcome: {fa: خوش آمدید.}
  offer: {en: "We have {what}.", fa: "{what}."}
  closed: {en: Closed.}
"""

TERM = {"TERM": "xterm-256color", "COLUMNS": "100"}


def site(folder: Path, how: str = "", **more: Any) -> Path:
    said = speech(folder, how)
    section: dict[str, Any] = {
        "command": " ".join(one or "''" for one in said.command),
        "convert": f"{sys.executable} {folder / 'copy.py'} {{in}} {{out}}",
        "directory": str(said.directory),
        "recorded": str(said.recorded),
        **more,
    }
    (folder / "copy.py").write_text(said.convert[2])
    path = folder / "ccbridge.yml"
    path.write_text(SITE.format(url=NOWHERE) + OWN + f"speech: {json.dumps(section)}\n", encoding="utf-8")
    path.chmod(0o600)
    return path


def run(path: Path, *words: str) -> Result:
    done = CliRunner().invoke(main, ["-c", str(path), "prompts", *words], prog_name="ccbridge")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not 60 minutes and 50 places, where two will do."""
    monkeypatch.setattr("ccbridge.prompts.stock.COUNTED", {"position": 2, "wait": 1})


def test_what_is_missing_is_rendered_once(tmp_path: Path, few: None) -> None:
    path = site(tmp_path)
    recorded = tmp_path / "recorded" / "en"
    recorded.mkdir(parents=True)
    (recorded / "goodbye.wav").touch()
    (recorded / "position-2.wav").touch()
    done = run(path, "missing", "--json")
    assert done.exit_code == 1
    rows = {(row["language"], row["prompt"]): row for row in json.loads(done.stdout)}
    assert rows["en", "welcome"]["lacks"] == "text"
    assert rows["fa", "closed"]["lacks"] == "file"
    assert rows["fa", "position"] | {"text": ""} == {
        **{"language": "fa", "prompt": "position", "lacks": "file", "files": 2, "of": 2, "text": ""}
    }
    assert (rows["en", "position"]["files"], rows["en", "position"]["of"]) == (1, 2)
    assert ("en", "goodbye") not in rows
    assert ("en", "offer") not in rows  # it has a value

    done = run(path, "render", "--json")
    assert done.exit_code == 0, done.output
    first = json.loads(done.stdout)
    assert first["failed"] == []
    assert first["languages"]["en"] | {"rendered": 0} == {
        "rendered": 0,
        "there": 0,
        "recorded": 2,
        "failed": 0,
    }
    again = json.loads(run(path, "render", "--json").stdout)["languages"]
    for language in ("en", "fa"):
        assert again[language]["there"] == first["languages"][language]["rendered"] > 40
        assert again[language]["rendered"] == 0

    done = run(path, "missing")
    assert (done.exit_code, done.stdout.split()) == (
        1,
        ["language", "prompt", "lacks", "text", "en", "welcome", "text", "-"],
    )
    assert run(path, "missing", "--language", "fa").stdout == "nothing is missing\n"
    assert run(path, "missing", "--language", "fa").exit_code == 0


def test_the_usual_counts(tmp_path: Path) -> None:
    path = site(tmp_path)
    rows = {
        row["prompt"]: row for row in json.loads(run(path, "missing", "--language", "en", "--json").stdout)
    }
    assert [rows[name]["of"] for name in ("position", "wait", "choose-language")] == [50, 60, 2]


def test_plain_lines_and_a_summary(tmp_path: Path, few: None) -> None:
    done = run(site(tmp_path), "render", "--language", "fa")
    assert done.exit_code == 0
    assert done.stdout.startswith("fa: ")
    assert done.stdout.endswith(" rendered, 0 there, 0 recorded, 0 failed\n")
    assert done.stderr == ""


def test_what_fails_is_told_and_is_exit_code_1(tmp_path: Path, few: None) -> None:
    done = run(site(tmp_path, "fails"), "render", "--language", "en")
    assert done.exit_code == 1
    assert "en: 0 rendered, 0 there, 0 recorded," in done.stdout
    assert "ended with 1: no such voice" in done.stdout
    assert json.loads(run(site(tmp_path, "fails"), "render", "--json").stdout)["failed"][0]["why"]


def test_refusals(tmp_path: Path) -> None:
    path = site(tmp_path)
    assert run(path, "render", "--language", "hr").stderr == "no language hr; the site has en, fa\n"
    assert run(path, "missing", "--language", "hr").exit_code == 2
    silent = run(site(tmp_path, command=""), "render")
    assert (silent.exit_code, "nothing speaks" in silent.stderr) == (1, True)


def test_on_a_terminal_persian_stands_by_itself(tmp_path: Path) -> None:
    with Terminal("-c", str(site(tmp_path)), "prompts", "missing", "--language", "fa", columns=200) as one:
        one.hear("\u2068خوش آمدید.\u2069".encode())
        assert one.ended() == 1
    assert show.isolated("می‌کنیم") == "\u2068می‌کنیم\u2069"
    assert show.isolated("Anna\u202e") == show.plain("Anna\u202e") == "Anna?"


def test_on_a_terminal_it_shows_how_far_it_is(tmp_path: Path) -> None:
    master, slave = os.openpty()
    words = ["-c", str(site(tmp_path, convert="")), "prompts", "render", "--language", "fa"]
    with subprocess.Popen(
        [sys.executable, "-m", "ccbridge", *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=os.environ | TERM,
    ) as done:
        os.close(slave)
        seen = b""
        with contextlib.suppress(OSError):  # the last one has closed it
            while piece := os.read(master, 65536):
                seen += piece
    os.close(master)
    assert "━".encode() in seen
    assert b" rendered, 0 there, 0 recorded, 0 failed" in seen
    assert done.returncode == 0


async def test_the_doctor(tmp_path: Path) -> None:
    async def found(path: Path) -> list[tuple[str, str]]:
        visit: Any = SimpleNamespace(site=load(path, secrets=False))
        return [(one.level, one.what) async for one in doctor.check(visit)]

    good = await found(site(tmp_path))
    assert [level for level, _ in good] == ["OK", "OK"]
    bad = await found(site(tmp_path, command="/no/espeak-ng {voice} {out}", convert="no-sox {in} {out}"))
    assert [(level, what.partition(" is")[0]) for level, what in bad] == [
        ("FAIL", "speech.command: there"),
        ("FAIL", "speech.convert: there"),
    ]
    assert "/no/espeak-ng" in bad[0][1]
    nowhere = await found(site(tmp_path, directory="ccbridge.yml/speech"))
    assert nowhere[-1][0] == "FAIL"
    assert nowhere[-1][1].endswith("ccbridge.yml/speech cannot be written from here")
    assert (await found(site(tmp_path, command="")))[0][0] == "SKIP"
