"""Agents' own telephones in the configuration: which numbers may be dialled, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ccbridge.config import ConfigErrors, differences, load
from ccbridge.config.loader import Site

EXAMPLE = Path(__file__).parents[2] / "config" / "ccbridge.yml"


def read(folder: Path, personal: dict[str, Any], **agents: dict[str, str]) -> Site:
    data = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    data["personal"] = personal
    for agent, devices in agents.items():
        data["agents"][agent]["personal"] = devices
    if not personal:
        del data["personal"]
    file = folder / "site.yml"
    file.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), "utf-8")
    return load(file, environ={})


DIAL = {"dial": "PJSIP/{number}@trunk"}


def test_what_is_dialled(tmp_path: Path) -> None:
    anna = {"mobile": "+306912345678", "home": "+302103456789"}
    plan = read(tmp_path, DIAL, anna=anna).plan
    assert plan.agents["anna"].personal == {
        "mobile": "PJSIP/+306912345678@trunk", "home": "PJSIP/+302103456789@trunk",
    }  # fmt: skip
    assert plan.agents["ben"].personal == {}
    other = read(tmp_path, {"dial": "PJSIP/00{digits}@out", "seconds": 9}, anna=anna).plan
    assert other.agents["anna"].personal["mobile"] == "PJSIP/00306912345678@out"
    assert (other.confirm.seconds, other.confirm.prompts) == (9, ("followme/options",))


@pytest.mark.parametrize(
    ("number", "personal", "wrong"),
    [
        ("+306912345678", {}, "needs personal.dial"),
        ("+4915112345678", {}, "personal.countries allows GR"),
        ("+302103456789", {"types": ["mobile"]}, "of a type that personal.types allows: mobile"),
        ("+309091234567", {}, "of a type that personal.types allows"),
        ("+30691234567", {}, "is no telephone number"),
        ("6912345678", {}, "must be + and an E.164 number"),
        ("+302101234567", {}, "one of this site's own numbers"),
        ("+306912345678,30,g", {}, "must be + and an E.164 number"),
        ("+306912345678&PJSIP/1", {}, "must be + and an E.164 number"),
    ],
)
def test_numbers_that_are_not_dialled(
    tmp_path: Path, number: str, personal: dict[str, Any], wrong: str
) -> None:
    given = personal if wrong.startswith("needs") else {**DIAL, **personal}
    with pytest.raises(ConfigErrors) as refused:
        read(tmp_path, given, anna={"mobile": number})
    (mistake,) = refused.value.mistakes
    assert wrong in mistake.text
    assert mistake.key.startswith("agents.anna.personal")
    assert mistake.line > 1


@pytest.mark.parametrize("dial", ["PJSIP/{number}", "Local/{number}@x", "PJSIP/{0}@x", "PJSIP/{number}@x&y"])
def test_a_trunk_is_a_trunk(tmp_path: Path, dial: str) -> None:
    with pytest.raises(ConfigErrors, match=r"personal\.dial"):
        read(tmp_path, {"dial": dial})


def test_one_number_one_agent_and_three_at_most(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="is agent anna's already"):
        read(tmp_path, DIAL, anna={"mobile": "+306912345678"}, ben={"mine": "+306912345678"})
    four = {f"n{n}": f"+30691234567{n}" for n in range(4)}
    with pytest.raises(ConfigErrors, match="0 to 3 entries"):
        read(tmp_path, DIAL, anna=four)
    read(tmp_path, {**DIAL, "countries": ["DE", "GR"]}, anna={"de": "+4915112345678"})


def test_a_number_is_in_no_list_of_differences(tmp_path: Path) -> None:
    old = read(tmp_path, DIAL, anna={"mobile": "+306912345678"})
    new = read(tmp_path, DIAL, anna={"mobile": "+306912345679"})
    assert differences.sites(old, new, (), {}) == ["agents.anna.personal.mobile: changed"]
    gone = read(tmp_path, DIAL)
    assert differences.sites(old, gone, (), {}) == ["agents.anna.personal: [mobile] -> []"]


def test_a_telephone_that_nobody_picks_up_is_not_called_for_ever(tmp_path: Path) -> None:
    site = read(tmp_path, DIAL, anna={"mobile": "+306912345678"})
    (told,) = [str(one) for one in site.warnings if "routing.misses is 0" in str(one)]
    line = 1 + site.file.read_text("utf-8").splitlines().index("    personal:")
    assert f"site.yml:{line}: agents.anna.personal: warning: routing.misses is 0" in told
    data = yaml.safe_load(site.file.read_text("utf-8"))
    data["routing"] = {**data.get("routing", {}), "misses": 3}
    site.file.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), "utf-8")
    assert "routing.misses" not in str(load(site.file, environ={}).warnings)
