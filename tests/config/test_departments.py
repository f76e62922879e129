"""Departments: groups of queues that agents may work for."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_differences import OLD, read

from ccbridge.config import ConfigErrors, differences

SITE = OLD.replace(
    "agents:\n",
    "departments:\n  both: [sales, help]\n  one: [sales]\nagents:\n"
    "  zoe: {name: Zoe, device: PJSIP/1009, departments: [both]}\n"
    "  yan: {name: Yan, device: PJSIP/1008, queues: [help], departments: [one, both]}\n",
)


def test_who_works_for_a_department_serves_its_queues_beside_his_own(tmp_path: Path) -> None:
    site = read(tmp_path / "a.yml", SITE)
    assert site.warnings == ()
    assert site.plan.agents["zoe"].queues == ("sales", "help")
    assert site.plan.agents["yan"].queues == ("help", "sales")
    assert site.plan.departments == {"both": ("sales", "help"), "one": ("sales",)}
    other = read(tmp_path / "b.yml", SITE.replace("  both: [sales, help]", "  both: [help]"))
    assert differences.plans(site.plan, other.plan) == [
        "agents.zoe.queues: [sales, help] -> [help]",
        "departments.both: [sales, help] -> [help]",
    ]


@pytest.mark.parametrize(
    ("change", "to", "line", "mistake"),
    [
        (
            "departments: [both]", "departments: [bot]", 16,
            'agents.zoe.departments[0]: no department "bot"; did you mean "both"?',
        ),
        (
            "one: [sales]", "one: [sale]", 14,
            'departments.one[0]: no queue "sale"; did you mean "sales"?',
        ),
        ("one: [sales]", "one: []", 14, "departments.one: must have 1 to 100 entries, not 0"),
        (
            ", departments: [both]}", "}", 16,
            "agents.zoe.queues: is missing: give the queues he serves, or departments",
        ),
        ("departments: [one, both]", "departments: [one, one]", 17, None),
    ],
)  # fmt: skip
def test_mistakes_bear_their_lines(
    tmp_path: Path, change: str, to: str, line: int, mistake: str | None
) -> None:
    assert change in SITE
    with pytest.raises(ConfigErrors) as caught:
        read(tmp_path / "a.yml", SITE.replace(change, to))
    (found,) = caught.value.mistakes
    assert found.line == line
    assert mistake is None or f"{found.key}: {found.text}" == mistake


def test_a_department_without_anybody_is_a_warning(tmp_path: Path) -> None:
    site = read(tmp_path / "a.yml", SITE.replace("departments: [one, both]", "departments: [both]"))
    assert [(one.key, one.text) for one in site.warnings] == [
        ("departments.one", "warning: nobody works for it")
    ]
