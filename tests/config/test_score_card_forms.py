"""Score cards in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_differences import OLD, read

from ccbridge.config import ConfigErrors, differences
from ccbridge.supervision.forms import Form, Group, Item

SITE = (
    OLD.replace("agents:\n", "departments:\n  front: [sales]\n  all: [sales, help]\nagents:\n", 1)
    + """score_cards:
  sold:
    queues: [sales]
    groups:
      opening: {weight: 20, items: {greeting: {}, identity: {weight: 2, critical: 50}}}
      matter: {weight: 80, items: {solved: {sound: site/solved}}}
  helped:
    departments: [all]
    groups: {matter: {items: {solved: {}}}}
  rest:
    groups: {matter: {items: {solved: {}}}}
"""
)


def test_forms_are_read_and_their_changes_told(tmp_path: Path) -> None:
    site = read(tmp_path / "a.yml", SITE)
    opening = Group("opening", (Item("greeting"), Item("identity", 2, 50)), 20)
    matter = Group("matter", (Item("solved", sound="site/solved"),), 80)
    assert site.score_cards["sold"] == Form("sold", (opening, matter), ("sales",))
    assert site.score_cards["helped"] == Form("helped", (Group("matter", (Item("solved"),)),), (), ("all",))
    assert list(site.score_cards) == ["sold", "helped", "rest"]
    other = read(tmp_path / "b.yml", SITE.replace("critical: 50", "critical: 60"))
    assert differences.sites(site, other, (), {}) == [
        "score_cards.sold.groups.opening.items.identity.critical: 50 -> 60"
    ]


@pytest.mark.parametrize(
    ("change", "to", "mistake"),
    [
        (
            "queues: [sales]\n    groups:", "queues: [sale]\n    groups:",
            'score_cards.sold.queues[0]: no queue "sale"; did you mean "sales"?',
        ),
        (
            "departments: [all]", "departments: [al]",
            'score_cards.helped.departments[0]: no department "al"; did you mean "all"?',
        ),
        (
            "departments: [all]", "queues: [sales]",
            'score_cards.helped.queues: "sales" has the form sold already',
        ),
        (
            "  rest:\n", "  rest:\n    departments: [all]\n",
            'score_cards.rest.departments: its queue "help" has the form helped already: one is to name it',
        ),
        (
            "departments: [all]", "departments: []",
            "score_cards.rest: names no queue and no department, and helped neither: one form for the rest",
        ),
        (
            "weight: 20", "weight: 0",
            "score_cards.sold.groups.opening.weight: must be 1 to 1000, not 0",
        ),
        (
            "critical: 50", "critical: 101",
            "score_cards.sold.groups.opening.items.identity.critical: must be 0 to 100 points, not 101",
        ),
        (
            "critical: 50", "crticial: 50",
            "score_cards.sold.groups.opening.items.identity.crticial: unknown key; "
            'did you mean "critical"?',
        ),
        (
            "site/solved", "../solved", None,
        ),
        (
            "items: {solved: {sound: site/solved}}", "items: {}",
            "score_cards.sold.groups.matter.items: must have 1 to 20 entries, not 0",
        ),
        (
            "  rest:\n    groups: {matter: {items: {solved: {}}}}", "  rest: {}",
            "score_cards.rest.groups: is missing",
        ),
    ],
)  # fmt: skip
def test_mistakes_bear_their_lines(tmp_path: Path, change: str, to: str, mistake: str | None) -> None:
    assert change in SITE
    text = SITE.replace(change, to)
    with pytest.raises(ConfigErrors) as caught:
        read(tmp_path / "a.yml", text)
    (found,) = caught.value.mistakes
    assert found.line > text[: text.index("score_cards:")].count("\n")
    assert mistake is None or f"{found.key}: {found.text}" == mistake
