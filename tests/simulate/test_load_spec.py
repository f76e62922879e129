"""The made-up load as it is written: both forms, and every mistake with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccbridge.config import ConfigErrors
from ccbridge.core.plan import Plan, QueuePlan
from ccbridge.simulate.spec import QueueLoad, Spec, read


def plan(*queues: str, ring: float = 15.0) -> Plan:
    return Plan({name: QueuePlan(name, ring=ring, overflow="9") for name in queues}, {}, {}, {}, "")


SITE = {"site.yml": plan("sales", "support")}

IN_FILE = """\
hours: 4
answer: 3
talk: 200            # for every queue that says nothing else
patience: 120
calls: 90
mix: {sales: 2, support: 1}
queues:
  support:
    talk: 300
    law: lognormal
    spread: 0.8
    patience: none
    priority: 5
"""
AS_TEXT = (
    "hours=4 answer=3 talk=200 patience=120 calls=90 mix=sales:2,support support.talk=300 "
    "support.law=lognormal support.spread=0.8 support.patience=none support.priority=5"
)
BOTH = Spec(
    4.0,
    3.0,
    {
        "support": QueueLoad(30.0, 300.0, "lognormal", 0.8, None, 5),
        "sales": QueueLoad(60.0, 200.0, "exponential", 1.0, 120.0, 0),
    },
)


def mistakes(source: str, plans: dict[str, Plan] = SITE) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        read(source, plans)
    return [str(one) for one in caught.value.mistakes]


def test_a_file_and_text_say_the_same(tmp_path: Path) -> None:
    file = tmp_path / "load.yml"
    file.write_text(IN_FILE)
    assert read(str(file), SITE) == BOTH
    assert read(AS_TEXT, SITE) == BOTH


def test_short_forms() -> None:
    alone = read("calls=60", SITE)
    assert alone == Spec(8.0, 0.0, {"sales": QueueLoad(30.0), "support": QueueLoad(30.0)})
    assert read("sales.calls=5", SITE).queues == {"sales": QueueLoad(5.0)}
    assert read("queues.sales.calls=5", SITE) == read("sales.calls=5", SITE)
    mixed = read("calls=60 sales.calls=5 support.talk=9", SITE).queues
    assert {name: load.calls for name, load in mixed.items()} == {"sales": 5.0, "support": 60.0}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("nonsense", ['there is no file "nonsense", and it is no text such as calls=60 talk=180']),
        ("calls=60 talk", ['"talk" is not key=value']),
        ("calls=6 calls=7", ["calls: stands here a second time"]),
        ("calls=60 tlk=180", ['tlk: unknown key; did you mean "talk"?']),
        ("sales.calls=5 sales.hours=2", ["queues.sales.hours: unknown key; allowed here: calls, talk, law"]),
        ("calls=x", ['calls: must be a plain number, not "x"']),
        ("calls=nan", ["calls: must be 0.01 to 1,000,000 calls an hour, not nan"]),
        ("calls=6 patience=0", ["patience: must be 0.1 to 86,400 seconds or none, not 0"]),
        ("calls=6 law=normal", ['law: must be one of exponential, constant, lognormal, not "normal"']),
        ("calls=6 spread=2", ["spread: is for lognormal talks; these are exponential"]),
        ("calls=6 priority=1.5", ["priority: must be a whole number, not 1.5"]),
        ("calls=6 mix=slaes:2", ['mix.slaes: no queue "slaes" in site.yml; did you mean "sales"?']),
        ("calls=6 mix=sales:0", ["mix.sales: must be 0.001 to 1,000,000 parts, not 0"]),
        ("calls=6 mix=sales sales.calls=3", ["queues.sales.calls: has calls of its own and a share in mix"]),
        ("sales.calls=3 support.calls=3 calls=6", ["calls: every queue has calls of its own"]),
        ("calls=6 mix=sales support.talk=3", ["queues.support: calls is missing", "no share in mix"]),
        ("hours=2 sales.talk=5", ["queues.sales: calls is missing, how many come in an hour"]),
        (
            "calls=6 queues=sales sales.talk=3",
            ["queues: in text a queue's keys are written as sales.talk=300"],
        ),
        ("calls=" + "9" * 5000, ["calls: must be 0.01 to 1,000,000 calls an hour, not inf"]),
        ("calls=6 mix=", ['"mix=" is not key=value']),
        ("calls=6 mix=sales,", ['mix.: no queue "" in site.yml']),
        ("calls=\0", ["calls: must be a plain number"]),
        ("calls=6 answer=15", ["answer: in site.yml a phone rings no longer than that for sales, support"]),
    ],
)
def test_mistakes_in_text_name_their_key(source: str, expected: list[str]) -> None:
    (line,) = mistakes(source)
    assert line.startswith("--synthetic: ")
    for part in expected:
        assert part in line


def test_mistakes_in_a_file_name_their_line(tmp_path: Path) -> None:
    file = tmp_path / "load.yml"
    file.write_text(
        "hours: 4\ncalls: yes\nlaw: 0x1\nqueues:\n  sales: 5\n  suport:\n    patience:\n    talk: [1]\n"
    )
    assert mistakes(str(file)) == [
        f"{file}:2: calls: must be a plain number",
        f"{file}:3: law: must be one of exponential, constant, lognormal",
        f"{file}:5: queues.sales: must be a mapping, such as calls: 60",
        f'{file}:6: queues.suport: no queue "suport" in site.yml; did you mean "support"?',
        f"{file}:7: queues.suport.patience: must be a plain number or none",
        f"{file}:8: queues.suport.talk: must be a plain number",
    ]


@pytest.mark.parametrize(
    "raw", [b"calls: [", b"\xff\xfe", b"- calls", b" " * 1_000_001], ids=["yaml", "utf8", "list", "long"]
)
def test_what_is_no_load_at_all(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "load.yml"
    file.write_bytes(raw)
    (line,) = mistakes(str(file))
    assert line.startswith(f"{file}")


def test_a_queue_must_be_in_both_configurations() -> None:
    plans = {**SITE, "old.yml": plan("sales")}
    assert mistakes("support.calls=5", plans) == [
        '--synthetic: queues.support: no queue "support" in old.yml; the queues are: sales'
    ]
    assert list(read("calls=5", plans).queues) == ["sales"]
    assert mistakes("calls=5 answer=5", {**SITE, "old.yml": plan("sales", ring=5)}) == [
        "--synthetic: answer: in old.yml a phone rings no longer than that for sales"
    ]
