"""``ccbridge ivr``, ``vip`` and ``block``: on a real configuration and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_rig import NOWHERE, Past, Shell
from click.testing import CliRunner

from ccbridge.cli import main
from ccbridge.lab.lab import PROJECT

FLOWS = """
flows:
  main:
    start: hello
    steps:
      hello: {play: [welcome], next: m}
      m: {menu: {prompts: [choose], choices: {1: sales}, table: today, otherwise: bye, tries: 1}}
      sales: {queue: sales}
      bye: {hangup: true}
"""


@pytest.fixture
def menus(write_site: Callable[[str], Path]) -> Shell:
    site = write_site(NOWHERE)
    text = site.read_text()
    site.write_text(text[: text.index("flows:")] + FLOWS + "default_flow: main\n")
    return Shell(site)


def test_check(menus: Shell) -> None:
    assert menus.run("ivr", "check").stdout == "no mistake in the flows, 0 warnings\n"
    text = menus.site.read_text()
    menus.site.write_text(
        text.replace("{queue: sales}", "{queue: sale}").replace("country: GR", "country: xx")
    )
    result = menus.run("ivr", "check", code=2)
    assert "flows.main.steps.sales.queue: no queue" in result.stdout
    assert "country" not in result.stdout
    assert result.stderr == "1 mistake elsewhere: ccbridge config check\n"
    menus.site.write_text(
        text.replace("{1: sales}", "{1: sales, 3: bye}").replace("otherwise: bye", "otherwise: hello")
    )
    found = menus.json("ivr", "check")
    assert found["mistakes"] == []
    assert ["goes round for ever" in one for one in found["warnings"]].count(True) == 1


def test_draw(menus: Shell, tmp_path: Path) -> None:
    assert "  m: menu choose\n    1 -> sales\n" in menus.run("ivr", "draw", "main").stdout
    picture = tmp_path / "main.svg"
    assert menus.run("ivr", "draw", "--svg", str(picture)).stdout == f"{picture}: 4 steps\n"
    assert picture.read_text().startswith("<svg")
    assert "there is no flow nix" in menus.run("ivr", "draw", "nix", code=1).stderr
    assert "cannot be written" in menus.run("ivr", "draw", "--svg", str(tmp_path / "x" / "y"), code=2).stderr


@pytest.mark.parametrize(
    ("typed", "ending"),
    [("1\n", "= queue sales"), ("5\n", "= hangup"), ("\n", "= hangup"), ("h\n", "= the caller hangs up"),
     ("", "= the caller hangs up")],
)  # fmt: skip
def test_walk(menus: Shell, typed: str, ending: str) -> None:
    words = ["-c", str(menus.site), "ivr", "walk", "--fact", "time.hour=9", "--closed", "office"]
    result = CliRunner().invoke(main, words, input=typed)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[:3] == ["  [flow main: hello]", "♪ welcome", "  [hello: m]"]
    assert result.output.splitlines()[-1] == ending


def test_dialogues(menus: Shell, tmp_path: Path) -> None:
    file = tmp_path / "d.yml"
    good = "{name: good, caller: [{hears: choose}, {presses: '1'}], ends: queue sales}"
    bad = "{name: bad, caller: [{presses: '2'}], ends: queue sales}"
    file.write_text(f"dialogues: [{good}]")
    assert menus.run("ivr", "test", str(file)).stdout == "ok     good\n"
    file.write_text(f"dialogues: [{good}, {bad}]")
    result = menus.run("ivr", "test", str(file), code=1)
    assert "FAILED bad\n       it ended with hangup, not with queue sales; he heard: welcome, choose\n" in (
        result.stdout
    )
    assert result.stderr == "1 of 2 dialogues failed\n"
    file.write_text("dialogues: []")
    assert "dialogues: " in menus.run("ivr", "test", str(file), code=2).stderr


def test_the_shipped_example_is_right() -> None:
    result = CliRunner().invoke(main, ["-c", str(PROJECT / "config" / "ccbridge.yml"), "ivr", "check"])
    assert (result.exit_code, result.output) == (0, "no mistake in the flows, 0 warnings\n")


@pytest.mark.pg
def test_lists(past: Past, write_site: Callable[[str], Path]) -> None:
    shell = Shell(write_site(past.database.url))
    said = shell.run("vip", "add", "210", "123 4567", "--note", "a good\ncustomer").stdout
    assert said == "+302101234567 is on the vip list\n"
    (row,) = shell.json("vip", "list")
    assert (row["e164"], row["note"]) == ("+302101234567", "a good\ncustomer")
    assert "a good" in shell.run("vip", "list").stdout
    assert shell.run("block", "add", "+302101234567").stdout == (
        "+302101234567 is on the block list, and no longer on the vip list\n"
    )
    assert shell.json("vip", "list") == []
    assert "is not on the vip list" in shell.run("vip", "remove", "2101234567", code=1).stderr
    assert shell.json("block", "remove", "2101234567") == {"number": "+302101234567"}
    assert "is no telephone number" in shell.run("block", "add", "nobody", code=2).stderr


@pytest.mark.pg
def test_answers(past: Past, menus: Shell) -> None:
    menus.site.write_text(menus.site.read_text().replace(NOWHERE, past.database.url))
    assert (
        menus.run("ivr", "answers", "set", "today", "2", "support").stdout == "2 of today leads to support\n"
    )
    assert [row["queue"] for row in menus.json("ivr", "answers", "list", "today")] == ["support"]
    assert "support" in menus.run("ivr", "answers", "list").stdout
    assert "there is no queue nix" in menus.run("ivr", "answers", "set", "today", "2", "nix", code=1).stderr
    assert "no menu of the flows" in menus.run("ivr", "answers", "set", "nix", "2", "sales", code=1).stderr
    assert menus.run("ivr", "answers", "remove", "today", "2").stdout == "2 of today leads nowhere\n"
    assert "leads nowhere" in menus.run("ivr", "answers", "remove", "today", "2", code=1).stderr
