"""docs/ivr.md is a gallery of whole flows: each is loaded, and its dialogues are run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ccbridge.config import load
from ccbridge.core.plan import Plan
from ccbridge.ivr import dialogues, draw

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "ivr.md").read_text(encoding="utf-8")
PAIRS = re.findall(
    r"^### ([^\n]*)\n.*?^```yaml gallery\n(.*?)^```\n\n```yaml dialogues\n(.*?)^```$", PAGE, re.M | re.S
)


@pytest.fixture(params=PAIRS, ids=[name for name, _, _ in PAIRS])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Plan, list[dialogues.Dialogue]]:
    _, flows, script = request.param
    site = yaml.safe_load((PROJECT / "config" / "ccbridge.yml").read_text(encoding="utf-8"))
    site |= {"numbers": {}, **yaml.safe_load(flows)}
    (tmp_path / "ccbridge.yml").write_text(yaml.safe_dump(site))
    (tmp_path / "dialogues.yml").write_text(script)
    checked = load(tmp_path / "ccbridge.yml", secrets=False)
    assert checked.warnings == ()
    return checked.plan, dialogues.read(tmp_path / "dialogues.yml")


def test_the_gallery(pair: tuple[Plan, list[dialogues.Dialogue]]) -> None:
    plan, scripted = pair
    for one in scripted:
        assert dialogues.run(plan, one).wrong == "", one.name
    for flow in plan.flows.values():
        assert draw.as_text(flow)


def test_all_of_the_page_is_in_it() -> None:
    assert PAGE.count("```yaml gallery") == len(PAIRS) > 4
