"""Mistakes in flows: each is found, where it stands, in words that say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from config_bench import EXAMPLE, Bench
from pydantic import TypeAdapter

from ccbridge.config import Site, load
from ccbridge.config.differences import plans
from ccbridge.core.plan import Plan

FLOWS = """
languages: [en, el]
prompts: {ours: {en: Hello, el: Γεια σας}}
lookups:
  account: {sql: "SELECT 1 AS sum WHERE %(n)s <> ''", values: {n: caller.number}}
flows:
  main:
    start: hello
    operator: {key: "0", step: desk}
    steps:
      hello: {play: [hello-world], next: choose}
      choose:
        menu:
          prompts: [vm-press]
          choices: {1: number, 2: greeting}
          repeat: "9"
          back: "*"
          table: today
          otherwise: bye
      number:
        ask: {prompts: [vm-press], store: order, least: 4, most: 6, otherwise: bye}
        next: ask-account
      ask-account: {lookup: account, next: rich, none: bye, failed: bye}
      rich:
        branch: [{when: account.sum > 10 and order != 4711, to: desk}]
        otherwise: speak
      speak: {language: el, next: count}
      count: {set: {tries: tries + 1, seen: true}, next: tell}
      tell: {say: {text: "You have {tries} {{tries}}"}, next: sales}
      greeting: {call: other, next: sales}
      sales: {queue: sales, priority: 5}
      desk: {transfer: "100"}
      bye: {message: [vm-goodbye]}
  other:
    start: one
    steps:
      one: {say: {number: "42"}, next: back}
      back: {done: true}
default_flow: main
numbers: {}
"""


KEYS = '          repeat: "9"\n          back: "*"\n          table: today\n          '


class Flows:
    """The example's site with these flows, and with some of their text replaced."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def write(self, *changes: tuple[str, str]) -> Path:
        text = FLOWS
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        return write(self.bench, text)

    def site(self, *changes: tuple[str, str]) -> Site:
        return load(self.write(*changes), environ={})

    def mistake(self, *changes: tuple[str, str]) -> str:
        """The only one."""
        self.write(*changes)
        (line,) = self.bench.mistakes()
        return line.partition(": ")[2]

    def warning(self, *changes: tuple[str, str]) -> str:
        (one,) = self.site(*changes).warnings
        return f"{one.key}: {one.text}"


def write(bench: Bench, text: str) -> Path:
    """The example with the flows of this text instead of its own. Lines of the text stay lines."""
    data = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    kept = {key: value for key, value in data.items() if key not in ("flows", "numbers", "default_flow")}
    return bench.write(yaml.safe_dump(kept) + text)


@pytest.fixture
def flows(bench: Bench) -> Flows:
    return Flows(bench)


def test_all_of_it_is_right(flows: Flows) -> None:
    assert flows.site().warnings == ()


PLANTED = [
    (
        "an unreachable step",
        ("otherwise: bye\n      number", "otherwise: bye\n      lost: {queue: sales}\n      number"),
        'flows.main.steps.lost: is never reached: no step leads here from "hello"',
    ),
    ("a loop of prompts", ("next: choose}", "next: hello}"), "plays for ever without a menu: hello -> hello"),
    (
        "a loop through other steps",
        ("next: count}", "next: speak}"),
        "plays for ever without a menu: speak -> speak",
    ),
    (
        "no way out",
        (
            'one: {say: {number: "42"}, next: back}\n      back: {done: true}',
            "one: {menu: {prompts: [a], choices: {1: two}, otherwise: two}}\n"
            "      two: {branch: [{when: true, to: one}], otherwise: one}",
        ),
        "flows.other.steps.one: has no way out: it never ends from one and two on",
    ),
    ("an unknown queue", ("queue: sales,", "queue: sale,"), 'no queue "sale"; did you mean "sales"?'),
    (
        "an unknown step",
        ("next: count}", "next: cuont}"),
        'in this flow: no step "cuont"; did you mean "count"?',
    ),
    ("an unknown flow", ("call: other", "call: others"), 'no flow "others"; did you mean "other"?'),
    (
        "an unknown look-up",
        ("lookup: account", "lookup: acount"),
        'no lookups "acount"; did you mean "account"?',
    ),
    (
        "a menu without a way for silence",
        ("table: today\n          otherwise: bye", "table: today"),
        "flows.main.steps.choose.menu.otherwise: is missing: the step for a caller who used up his tries",
    ),
    (
        "a branch without another way",
        ("\n        otherwise: speak", ""),
        "flows.main.steps.rich.otherwise: is missing: the step if nothing of it is true",
    ),
    ("a key with two meanings", ('back: "*"', 'back: "1"'), '"1" is the key for the step number already'),
    (
        "repeat and back on one key",
        ('back: "*"', 'back: "9"'),
        '"9" is the key for repeat of this menu already',
    ),
    ("digits that nobody can key", ("least: 4", "least: 7"), "is more than most, 6: nobody can key that"),
    ("a number that has too many", ("least: 4", "low: 1000000"), "has more digits than most, 6, allows"),
    (
        "a range without numbers",
        ("least: 4", "low: 10\n, high: 9"),
        "is less than low, 10: nobody can key that",
    ),
    ("an expression", ("tries + 1", "tries +"), "is no expression: invalid syntax"),
    ("an expression that would do something", ("tries + 1", "open('x')"), "is not known here"),
    ("a text's brace", ("{tries} ", "{tries "), "has a { without a } behind it"),
    (
        "two values to say",
        ('{number: "42"}', '{number: "42", digits: "1"}'),
        "must have exactly one of number, digits",
    ),
    (
        "two verbs",
        ("{language: el, next", "{language: el, hangup: true, next"),
        "has language and hangup: a step has",
    ),
    (
        "a key of another verb",
        ("{queue: sales, priority: 5}", "{queue: sales, failed: bye}"),
        "flows.main.steps.sales.failed: belongs to lookup steps, not to queue",
    ),
    (
        "a missing next",
        ("{language: el, next: count}", "{language: el}"),
        "speak.next: is missing: the step that follows",
    ),
    (
        "no key at all",
        (f"choices: {{1: number, 2: greeting}}\n{KEYS}", ""),
        "choices: is missing: the keys and their steps, or table, or both",
    ),
    (
        "a variable that is something else",
        ("store: order", "store: language"),
        '"language" has another meaning',
    ),
    ("a variable that is no name", ("store: order", "store: in"), '"in" has another meaning'),
    ("a language", ("language: el", "language: greek"), "must be a language such as"),
    ("a language that is not the site's", ("language: el", "language: hr"), "is none of languages"),
    ("done: false", ("done: true", "done: false"), "must be true, or be left out"),
    (
        "a value that is not asked for",
        ("n: caller.number", "n: caller.number, m: did"),
        "is not asked for: sql has no %(m)s",
    ),
    (
        "one that is asked for and not there",
        ("values: {n: caller.number}", "values: {}"),
        "asks for %(n)s, which values has not",
    ),
    ("a percent sign", ("<> ''", "LIKE 'a%'"), "has a % that is no %(name)s"),
    (
        "neither sql nor http",
        ("sql: \"SELECT 1 AS sum WHERE %(n)s <> ''\", ", ""),
        "must have exactly one of sql and http",
    ),
    (
        "an address",
        ("sql: \"SELECT 1 AS sum WHERE %(n)s <> ''\"", "http: ftp://x"),
        "an http:// or https:// address",
    ),
    ("a token for a database", ("account: {", "account: {token_file: x, "), "belongs to look-ups with http"),
]


@pytest.mark.parametrize(("change", "says"), [one[1:] for one in PLANTED], ids=[one[0] for one in PLANTED])
def test_a_planted_mistake(flows: Flows, change: tuple[str, str], says: str) -> None:
    assert says in " | ".join(_lines(flows, change))


def _lines(flows: Flows, change: tuple[str, str]) -> list[str]:
    flows.write(change)
    return flows.bench.mistakes()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("otherwise: bye\n      number", "otherwise: hello\n      number"), "goes round for ever: "),
        (("order != 4711", "ordre != 4711"), '"ordre" is never set; did you mean "order"?'),
        (("order != 4711", "caller.nmuber != 4711"), 'is never set; did you mean "caller.number"?'),
        (("choices: {1: number", "choices: {0: bye, 1: number"), '"0" is the step bye, not the operator'),
        (("back: {done: true}", "back: {hangup: true}"), "is called and has no step with done"),
        (
            ("greeting: {call: other, next: sales}", "greeting: {goto: other}"),
            "no step calls this flow: done hangs up",
        ),
    ],
)
def test_a_warning(flows: Flows, change: tuple[str, str], says: str) -> None:
    assert says in flows.warning(change)


def test_flows_that_lead_to_each_other_alone(flows: Flows) -> None:
    there = "  back: {start: a, steps: {a: {goto: again}}}\n  again: {start: a, steps: {a: {goto: back}}}\n"
    said = flows.mistake(
        ("greeting: {call: other, next: sales}", "greeting: {goto: back}"),
        ("default_flow", there + "default_flow"),
    )
    assert said == "flows.back: has no way out: it only goes on with again, which does not end"


@pytest.mark.parametrize("odd", ["[1]", "{a: b}", "1.5", "true"])
@pytest.mark.parametrize(
    "place", ['repeat: "9"', 'key: "0"', "store: order", "language: el", "play: [hello-world]"]
)
def test_values_of_any_other_kind_are_mistakes_and_nothing_worse(flows: Flows, place: str, odd: str) -> None:
    key = place.partition(":")[0]
    flows.write((place, f"{key}: {odd}"))
    assert flows.bench.mistakes()


def test_a_prompt_that_lacks_a_language_is_a_warning_once(flows: Flows) -> None:
    said = flows.warning((", el: Γεια σας", ""), ("[hello-world]", "[ours, ours]"))
    assert said == "flows.main.steps.hello.play[0]: warning: the prompt ours has no text in el"
    recorded = flows.bench.folder / "rec"
    (recorded / "el").mkdir(parents=True)
    (recorded / "el" / "ours.wav").write_bytes(b"RIFF")
    speech = ("prompts: {", "speech: {recorded: rec}\nprompts: {")
    assert flows.site((", el: Γεια σας", ""), ("[hello-world]", "[ours, ours]"), speech).warnings == ()


def test_the_plan_survives_a_capture_and_shows_its_differences(flows: Flows) -> None:
    plan = flows.site().plan
    plans_ = TypeAdapter(Plan)
    assert plans_.validate_json(plans_.dump_json(plan)) == plan
    other = flows.site(("tries + 1", "tries + 2"), ("priority: 5", "priority: 6")).plan
    assert plans(plan, other) == [
        "flows.main.steps.count.setto.values.tries: tries + 1 -> tries + 2",
        "flows.main.steps.sales.toqueue.priority: 5 -> 6",
    ]


def test_secrets_of_look_ups_come_from_files(flows: Flows) -> None:
    folder = flows.bench.folder
    (folder / "token").write_text("t0ken\n")
    (folder / "token").chmod(0o600)
    http = ("sql: \"SELECT 1 AS sum WHERE %(n)s <> ''\"", "http: https://crm.example/find, token_file: token")
    site = flows.site(http)
    assert site.lookups["account"].secret.get_secret_value() == "t0ken"
    assert "t0ken" not in repr(site)
    (folder / "token").unlink()
    assert "cannot read" in flows.mistake(http)
