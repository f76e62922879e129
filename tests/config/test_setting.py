"""A value for a queue while it runs: what the file would say to it."""

from __future__ import annotations

import pytest
from test_differences import OLD, read

from ccbridge.config.setting import NoSetting, setting
from ccbridge.core.controls import SETTABLE
from ccbridge.core.plan import Plan


@pytest.fixture
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return read(tmp_path_factory.mktemp("site") / "a.yml", OLD).plan


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("ring", "20", 20.0),
        ("ring", "7.5", 7.5),
        ("priority", "-5", -5),
        ("strategy", "linear", "linear"),
        ("overflow", "0901", "0901"),
        ("max_wait", "86400", 86400.0),
    ],
)
def test_good_ones(plan: Plan, key: str, text: str, value: object) -> None:
    found = setting(plan, "sales", key, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("queue", "key", "text", "why"),
    [
        ("sales", "ring", "500", "queues.sales.ring: must be 3 to 120 seconds, not 500"),
        ("sales", "ring", "long", "queues.sales.ring: must be a plain number"),
        ("sales", "ring", "010", "queues.sales.ring: must be a plain number, not 010"),
        ("sales", "ring", "{a: 1}", "queues.sales.ring: must be a plain number"),
        ("sales", "ring", "[", "queues.sales.ring: this is not YAML"),
        ("sales", "priority", "1.5", "queues.sales.priority: must be a plain whole number, not 1.5"),
        ("sales", "priority", "101", "queues.sales.priority: must be -100 to 100, not 101"),
        ("sales", "strategy", "fastest", "queues.sales.strategy: must be one of longest_idle, round_robin"),
        ("sales", "overflow", "a b", "queues.sales.overflow: must be an extension"),
        ("sales", "rings", "5", 'queues.sales.rings: cannot be set while it runs; did you mean "ring"?'),
        ("sales", "skills", "5", "queues.sales.skills: cannot be set while it runs; these can: "),
        ("sale", "ring", "5", 'queues.sale.ring: no queue "sale"; did you mean "sales"?'),
    ],
)
def test_bad_ones_in_the_words_of_the_check(plan: Plan, queue: str, key: str, text: str, why: str) -> None:
    with pytest.raises(NoSetting) as caught:
        setting(plan, queue, key, text)
    assert str(caught.value).startswith(why)


def test_every_settable_key_is_one_of_the_file(plan: Plan) -> None:
    for key in SETTABLE:
        value = getattr(plan.queues["sales"], key)
        text = f"{value:g}" if isinstance(value, float) else str(value)
        if value:
            assert setting(plan, "sales", key, text) == value
