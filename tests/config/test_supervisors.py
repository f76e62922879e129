"""Supervisors in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_differences import OLD, read

from ccbridge.config import ConfigErrors, differences
from ccbridge.supervision.roles import Supervisor

SITE = (
    OLD.replace("agents:\n", "departments:\n  front: [sales]\nagents:\n", 1)
    + """supervisors:
  sue: {name: Sue, device: PJSIP/2001, role: supervisor, departments: [front], user: sue}
  chief: {name: Chief, device: PJSIP/2002, role: manager}
"""
)


def test_supervisors_are_read_and_their_changes_told(tmp_path: Path) -> None:
    site = read(tmp_path / "a.yml", SITE)
    assert site.supervisors == {
        "sue": Supervisor("sue", "Sue", "PJSIP/2001", "supervisor", ("front",), "sue"),
        "chief": Supervisor("chief", "Chief", "PJSIP/2002", "manager"),
    }
    other = read(tmp_path / "b.yml", SITE.replace("role: manager", "role: administrator"))
    assert differences.sites(site, other, (), {}) == ["supervisors.chief.role: manager -> administrator"]


@pytest.mark.parametrize(
    ("change", "to", "mistake"),
    [
        (
            ", departments: [front]", "",
            "supervisors.sue.departments: is missing: a supervisor supervises these and no others",
        ),
        (
            "role: manager", "role: manager, departments: [front]",
            "supervisors.chief.departments: say nothing: a manager supervises everywhere",
        ),
        (
            "[front], user", "[frnt], user",
            'supervisors.sue.departments[0]: no department "frnt"; did you mean "front"?',
        ),
        (
            "PJSIP/2002", "PJSIP/sue",
            "supervisors.chief.device: is another supervisor's name: --to could mean either",
        ),
        ("role: manager", "role: boss", None),
        ("PJSIP/2002", "PJSIP/2001", None),
        ("PJSIP/2002", "Local/1@internal", None),
        ("role: manager", "role: manager, user: sue", None),
        ("role: manager", "role: manager, user: 'a b'", None),
    ],
)  # fmt: skip
def test_mistakes_bear_their_lines(tmp_path: Path, change: str, to: str, mistake: str | None) -> None:
    assert change in SITE
    text = SITE.replace(change, to)
    with pytest.raises(ConfigErrors) as caught:
        read(tmp_path / "a.yml", text)
    (found,) = caught.value.mistakes
    who = found.key.split(".")[1]
    assert text.splitlines()[found.line - 1].strip().startswith(f"{who}:")
    assert mistake is None or f"{found.key}: {found.text}" == mistake
