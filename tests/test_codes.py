"""The table of feature codes: what holds it together with the configuration, the card and the tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from click.testing import CliRunner

from ccbridge import pins
from ccbridge.cli import main
from ccbridge.codes import DEFAULTS, TABLE, Code, Dialled, clashes, understood
from ccbridge.config.models import CodesSection

PROJECT = Path(__file__).parents[1]


def test_the_configuration_has_a_key_for_each_code() -> None:
    assert CodesSection().model_dump() == DEFAULTS
    assert list(clashes(DEFAULTS)) == []


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_named_proof_exists(row: Code) -> None:
    file, _, name = row.proof.partition("::")
    tree = ast.parse((PROJECT / file).read_text())
    assert name in {one.name for one in tree.body if isinstance(one, ast.AsyncFunctionDef)}


def test_the_dialplan_hands_over_every_default() -> None:
    dialplan = (PROJECT / "dialplan" / "ccbridge.conf").read_text()
    for row in TABLE:
        assert row.dial.startswith("*0") or row.dial == "*7", row
    assert "exten => _*0X!,1,Goto(ccbridge-code," in dialplan
    assert "exten => _*7X,1,Goto(ccbridge-code," in dialplan


def test_the_card_is_current() -> None:
    """Made by: ccbridge -c config/ccbridge.yml agent card > docs/agent-phone-card.md"""
    done = CliRunner().invoke(main, ["-c", str(PROJECT / "config" / "ccbridge.yml"), "agent", "card"])
    assert done.exit_code == 0, done.output
    assert done.stdout == (PROJECT / "docs" / "agent-phone-card.md").read_text()


def test_the_supervisors_card_is_current() -> None:
    """Made by: ccbridge -c config/ccbridge.yml agent card --supervisors > docs/supervisor-phone-card.md"""
    words = ["-c", str(PROJECT / "config" / "ccbridge.yml"), "agent", "card", "--supervisors"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert done.stdout == (PROJECT / "docs" / "supervisor-phone-card.md").read_text()


def test_a_code_that_is_off_is_not_understood() -> None:
    assert understood("*02", DEFAULTS) == Dialled("log_out", "")
    assert understood("*02", {**DEFAULTS, "log_out": ""}) is None
    assert understood("*0145", {**DEFAULTS, "log_in": "*99"}) is None
    assert understood("*9945", {**DEFAULTS, "log_in": "*99"}) == Dialled("log_in", "45")
    assert understood("*02٣", DEFAULTS) is None


def test_codes_that_begin_alike_clash() -> None:
    assert list(clashes({"a": "*1", "b": "*12", "c": "", "d": "*2"})) == [("b", "a")]


def test_pins_are_kept_as_hashes_that_others_may_not_read(tmp_path: Path) -> None:
    file = tmp_path / "pins"
    assert not pins.matches(file, "anna", "1234")
    pins.keep(file, "anna", "1234")
    pins.keep(file, "ben", "987654")
    pins.keep(file, "anna", "4321")
    assert pins.matches(file, "anna", "4321")
    assert pins.matches(file, "ben", "987654")
    assert not any(pins.matches(file, *one) for one in (("anna", "1234"), ("ben", "4321"), ("", "4321")))
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["pins"]
    for wrong in ("123", "12a4", "", "1" * 11, "١٢٣٤"):
        with pytest.raises(ValueError, match="4 to 10 digits"):
            pins.keep(file, "anna", wrong)
