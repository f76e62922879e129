"""``ccbridge agent pin`` and ``agent card``: no daemon is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_rig import NOWHERE, SITE
from click.testing import CliRunner, Result

from ccbridge import pins
from ccbridge.cli import main


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "ccbridge.yml"
    path.write_text(
        SITE.format(url=NOWHERE) + 'phones: {pins_file: pins}\ncodes: {state: "", pause: "*33"}\n',
        encoding="utf-8",
    )
    return path


def run(site: Path, *words: str, keyed: str = "") -> Result:
    return CliRunner().invoke(main, ["-c", str(site), *words], input=keyed, prog_name="ccbridge")


def test_a_pin_is_asked_for_twice_and_never_shown(site: Path) -> None:
    done = run(site, "agent", "pin", "anna", keyed="48213\n48213\n")
    assert done.exit_code == 0, done.output
    assert "anna has a new PIN" in done.stdout
    assert "agents.anna.number is missing" in done.stderr
    assert "48213" not in done.output
    assert pins.matches(site.parent / "pins", "anna", "48213")


def test_a_pin_from_a_program(site: Path) -> None:
    site.write_text(site.read_text().replace("{name: Άννα", '{number: "501", name: Άννα'))
    done = run(site, "agent", "pin", "anna", "--stdin", keyed="9999\n")
    assert (done.exit_code, done.output) == (0, "anna has a new PIN\n")
    assert pins.matches(site.parent / "pins", "anna", "9999")


def test_a_supervisors_pin_is_not_that_of_an_agent_of_his_name(site: Path) -> None:
    people = "supervisors: {anna: {name: A, device: PJSIP/2001, role: manager}}\n"
    site.write_text(site.read_text() + people)
    done = run(site, "agent", "pin", "anna", "--supervisor", "--stdin", keyed="9999\n")
    assert (done.exit_code, done.output) == (0, "anna has a new PIN\n")
    file = site.parent / "pins"
    assert pins.matches(file, pins.of("anna"), "9999")
    assert not pins.matches(file, "anna", "9999")
    done = run(site, "agent", "pin", "zed", "--supervisor", "--stdin", keyed="9999\n")
    assert (done.exit_code, done.stderr) == (1, "there is no supervisor zed\n")


@pytest.mark.parametrize(
    ("agent", "keyed", "said"),
    [
        ("anna", "12\n", "a PIN has 4 to 10 digits\n"),
        ("anna", "", "a PIN has 4 to 10 digits\n"),
        ("zed", "1234\n", "there is no agent zed\n"),
    ],
)
def test_what_is_no_pin_is_refused(site: Path, agent: str, keyed: str, said: str) -> None:
    done = run(site, "agent", "pin", agent, "--stdin", keyed=keyed)
    assert (done.exit_code, done.stderr) == (1, said)
    assert not (site.parent / "pins").exists()


def test_a_damaged_file_stays_as_it_is(site: Path) -> None:
    (site.parent / "pins").write_text("nonsense\n")
    done = run(site, "agent", "pin", "anna", "--stdin", keyed="1234\n")
    assert done.exit_code == 1
    assert "pins:1: must be agent:hash" in done.stderr
    assert (site.parent / "pins").read_text() == "nonsense\n"


def test_the_card_is_this_sites(site: Path) -> None:
    card = run(site, "agent", "card").stdout
    assert "| `*33` [reason] |" in card
    assert "| 2 | lunch |" in card
    assert "*08" not in card
