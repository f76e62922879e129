"""What another configuration would change, line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccbridge.config import differences, load
from ccbridge.config.loader import Site

OLD = """\
asterisk: {secret: one}
database: {url: "postgresql://u:p@127.0.0.1/d"}
callers: {country: GR}
recording: {directory: /tmp/recordings}
queues:
  sales:
    overflow: "100"
    skills:
      - {require: {greek: 4}}
      - {after: 10, require: {greek: 2}}
  help: {overflow: "100"}
agents:
  anna: {name: Anna, device: PJSIP/1001, queues: [sales, help], skills: {greek: 5}}
  ben: {name: Ben, device: PJSIP/1002, queues: [sales]}
  chloe: {name: Chloe, device: PJSIP/1003, queues: [help]}
flows:
  main:
    start: ask
    steps:
      ask: {menu: {prompts: [hi], choices: {"1": sell, "2": bye}, otherwise: bye}}
      sell: {queue: sales}
      bye: {hangup: true}
numbers: {"2101": main}
default_flow: main
"""


def read(path: Path, text: str) -> Site:
    path.write_text(text)
    path.chmod(0o600)
    return load(path, environ={})


@pytest.mark.parametrize(
    ("change", "to", "line"),
    [
        ('help: {overflow: "100"}', 'help: {overflow: "100", ring: 20}', "queues.help.ring: 15 -> 20"),
        ("{after: 10, require: {greek: 2}}", "{after: 15.5}", "queues.sales.skills[1].after: 10 -> 15.5"),
        ("{after: 10, require: {greek: 2}}", "{after: 10}", "queues.sales.skills[1].require.greek: gone"),
        ("      - {after: 10, require: {greek: 2}}\n", "", "queues.sales.skills[1]: gone"),
        ('help: {overflow: "100"}', 'help: {overflow: "200"}', "queues.help.overflow: 100 -> 200"),
        ("numbers:", "  more: {start: a, steps: {a: {hangup: true}}}\nnumbers:", "flows.more: new"),
        ("{country: GR}", "{country: 'GR'}", None),
        ("queues:\n", 'codes: {pause: "*99"}\nqueues:\n', "codes.pause: *03 -> *99"),
        ("queues:\n", "phones: {pin_tries: 3}\nqueues:\n", "phones.pin_tries: 5 -> 3"),
        ("name: Ben,", 'name: Ben, number: "7",', "agents.ben.number: nothing -> 7"),
        ("queues: [sales, help]", "queues: [sales]", "agents.anna.queues: [sales, help] -> [sales]"),
        ("{greek: 5}", "{greek: 5, english: 2}", "agents.anna.skills.english: new, 2"),
        ("chloe: {", "dora: {", "agents.dora: new"),
        ("chloe: {", "dora: {", "agents.chloe: gone"),
        ('"2101": main', '"2102": main', "numbers.2102: new, main"),
        ('"2101": main', '"2102": main', "numbers.2101: gone"),
        ("bye: {hangup: true}", "bye: {transfer: '9'}", "flows.main.steps.bye.transfer: new"),
        ("default_flow", "routing: {miss_cooldown: 4}\ndefault_flow", "routing.miss_cooldown: 10 -> 4"),
        ("default_flow", "routing: {fallback_after: 60}\ndefault_flow", "routing.fallback_after: 30 -> 60"),
        ("default_flow", "pause_reasons: [a]\ndefault_flow", "pause_reasons: [break] -> [a]"),
        ("{country: GR}", "{country: DE}", "callers.country: GR -> DE"),
        ("secret: one", "secret: two", "asterisk.secret: changed (at the next restart)"),
        ("secret: one", "secret: one, port: 5039", "asterisk.port: 5038 -> 5039 (at the next restart)"),
        ("/tmp/recordings", "/tmp/x", "recording.directory: /tmp/recordings -> /tmp/x (at the next restart)"),
    ],
)
def test_each_difference_is_a_line(tmp_path: Path, change: str, to: str, line: str | None) -> None:
    assert change in OLD
    old, new = read(tmp_path / "a.yml", OLD), read(tmp_path / "b.yml", OLD.replace(change, to))
    found = differences.sites(old, new, ("asterisk", "database", "recording"), {})
    assert (line in found) if line else found == []
    assert not any("two" in one for one in found)
    assert differences.sites(old, old, ("asterisk", "database", "recording"), {}) == []


def test_the_order_of_agents_is_one_line(tmp_path: Path) -> None:
    """A new one in the middle moves nobody."""
    old = read(tmp_path / "a.yml", OLD)
    lines = OLD.splitlines(keepends=True)
    ben = next(index for index, line in enumerate(lines) if "ben" in line)
    moved = [*lines[:ben], lines[ben + 1], lines[ben], *lines[ben + 2 :]]
    new = read(tmp_path / "b.yml", "".join(moved))
    assert differences.plans(old.plan, new.plan) == ["agents: order: anna, ben, chloe -> anna, chloe, ben"]
    more = [*lines[:ben], lines[ben].replace("ben", "zoe").replace("1002", "1009"), *lines[ben:]]
    assert differences.plans(old.plan, read(tmp_path / "c.yml", "".join(more)).plan) == ["agents.zoe: new"]


def test_a_queue_that_goes_says_who_waits_in_it(tmp_path: Path) -> None:
    old = read(tmp_path / "a.yml", OLD)
    gone = OLD.replace('  help: {overflow: "100"}\n', "").replace("[sales, help]", "[sales]")
    new = read(tmp_path / "b.yml", gone.replace("[help]", "[sales]"))
    assert differences.sites(old, new, (), {"help": 3, "sales": 1}) == [
        "queues.help: gone; nobody takes the 3 callers who wait in it",
        "agents.anna.queues: [sales, help] -> [sales]",
        "agents.chloe.queues: [help] -> [sales]",
    ]
