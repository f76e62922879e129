"""Every mistake gives exactly one line, with the line it stands on, and all of them come in one run."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from config_bench import EXAMPLE, Bench

from ccbridge.config import ConfigErrors, load
from ccbridge.config.mistakes import Notes
from ccbridge.config.nodes import parse
from ccbridge.config.translate import keys_at

One = Callable[..., str]


def test_the_example_is_right(bench: Bench) -> None:
    site = bench.site()
    assert sorted(site.plan.queues) == ["sales", "support"]
    assert len(site.plan.agents) == 4
    verbs = {type(step).__name__ for step in site.plan.flows["main"].steps.values()}
    assert verbs == {"Play", "Menu", "ToQueue", "Transfer", "HangUp"}
    assert site.warnings == ()


# Each tuple: what to replace, by what, and the line's text from its key on. Line numbers are checked below.
SINGLE = [
    # values
    ("  port: 5038", "  port: 70000", "asterisk.port: must be 1 to 65535, not 70000"),
    ("  port: 5038", "  port: '5038'", "asterisk.port: must be a plain whole number"),
    ("  port: 5038", "  port: 05038", "asterisk.port: must be a plain whole number"),
    ("  port: 5038", "  port: 0755", "asterisk.port: must be a plain whole number, not 0755"),
    ("  ring: 20", "  ring: 1:30", "queues.support.ring: must be a plain number, not 1:30"),
    ("  ring: 20", "  ring: 500", "queues.support.ring: must be 3 to 120 seconds, not 500"),
    ("  ring: 20", "  ring: .inf", "queues.support.ring: must be a plain number, not .inf"),
    ("  ring: 20", "  ring: true", "queues.support.ring: must be a plain number, not true"),
    ("  ring: 20", "  ring:", "queues.support.ring: is empty: give a value, or leave the key out"),
    ("enabled: true", "enabled: 1", "recording.enabled: must be true or false, not 1"),
    ("level: info", "level: loud", "log.level: must be one of debug, info, warning or error"),
    ("[5, 15, 60]", "[5, 0, 60]", "routing.unreachable_backoff[1]: must be 1 to 3600 seconds, not 0"),
    ("[5, 15, 60]", "[]", "routing.unreachable_backoff: must have 1 to 10 entries, not 0"),
    ("lunch, training", "lunch, lunch", 'pause_reasons: "lunch" stands in it twice'),
    ("4: open", "4: opened", "outcomes.4: must be one of resolved, closed, follow_up or open"),
    ("4: open", '"*": open', 'outcomes.*: must be one digit, 0-9, not "*"'),
    # rules of skills
    ("  ring: 20", "  strategy: fifo", "queues.support.strategy: must be one of longest_idle, round_robin"),
    ("  ring: 20", "  skills: [{after: 5}]", "queues.support.skills[0].after: must be 0 in the first rule"),
    (
        "  ring: 20",
        "  skills: [{}, {after: 9}, {after: 9}]",
        "queues.support.skills[2]: must hold later than the rule before it, which does so after 9 s",
    ),
    ("  ring: 20", "  skills: [{require: {x: 0}}]", "queues.support.skills[0].require.x: must be 1 to 100"),
    # text that YAML takes for something else
    (
        'transfer: "100"',
        "transfer: 100",
        "flows.main.steps.operator.transfer: must be text, and YAML takes this for something else; quote it",
    ),
    (
        '"+302101234567": ',
        "+302101234567: ",
        'numbers.+302101234567: looks like no text to YAML; quote it: "+302101234567"',
    ),
    (
        '"2101234567": ',
        "02101234567: ",
        'numbers.02101234567: looks like no text to YAML; quote it: "02101234567"',
    ),
    ("  anna:", "  yes:", 'agents.yes: looks like no text to YAML; quote it: "yes"'),
    # shapes
    (
        "PJSIP/1001",
        "SIP/1001",
        "agents.anna.device: must be a PJSIP endpoint such as PJSIP/1001 (letters, digits, - and _), "
        'not "SIP/1001"',
    ),
    (
        "PJSIP/1001",
        "PJSIP/1001&PJSIP/9",
        "agents.anna.device: must be a PJSIP endpoint such as PJSIP/1001 (letters, digits, - and _), "
        'not "PJSIP/1001&PJSIP/9"',
    ),
    (
        'transfer: "100"',
        'transfer: "10 0"',
        "flows.main.steps.operator.transfer: must be an extension: 1-40 letters, digits, * and #, "
        'no single letter, not "10 0"',
    ),
    (
        "[hello-world]",
        "[/etc/passwd]",
        "flows.main.steps.greeting.play[0]: must be a sound name below the sound folder, no / at its start, "
        'no .wav (letters, digits, - _ /), not "/etc/passwd"',
    ),
    ("[hello-world]", "hello-world", "flows.main.steps.greeting.play: must be a list, such as [one, two]"),
    (
        "0: operator",
        "x: operator",
        'flows.main.steps.choose.menu.choices.x: must be one key of a phone: 0-9, * or #, not "x"',
    ),
    (
        "country: GR",
        "country: gr",
        'callers.country: must be a country\'s two capital letters, such as GR, DE or US, not "gr"; '
        'did you mean "GR"?',
    ),
    (
        '"2101234567": ',
        '"+0210": ',
        "numbers.+0210: must be up to 20 digits as the trunk dials them, or + and an E.164 number",
    ),
    ("agi:\n  host: 127.0.0.1", "agi:\n  host: a b", 'agi.host: must be a host name or address, not "a b"'),
    # keys
    ("wrap_up: 30", "wrapup: 30", 'queues.support.wrapup: unknown key; did you mean "wrap_up"?'),
    ("  level: info", "  rotate: 5", "log.rotate: unknown key; allowed here: format, level"),
    ("callers:\n", "caller:\n", 'caller: unknown key; did you mean "callers"?'),
    ("queues:\n", "quues:\n", 'quues: unknown key; did you mean "queues"?'),
    ("flows:\n", "flow:\n", 'flow: unknown key; did you mean "flows"?'),
    (
        "    device: PJSIP/1001",
        "    devcie: PJSIP/1001",
        'agents.anna.devcie: unknown key; did you mean "device"?',
    ),
    ("    device: PJSIP/1001\n", "", "agents.anna.device: is missing"),
    ("default_flow: main", "", "default_flow: is missing"),
    ("default_flow: main", "default_flow:", "default_flow: is empty: give a value, or leave the key out"),
    ("ring: 20", "wrap_up: 20", "queues.support.wrap_up: stands here a second time"),
    # references
    ("queues: [sales]", "queues: [salse]", 'agents.anna.queues[0]: no queue "salse"; did you mean "sales"?'),
    (
        "queues: [sales]",
        "queues: [vip]",
        'agents.anna.queues[0]: no queue "vip"; the queues are: sales, support',
    ),
    (
        "queue: sales",
        "queue: sale",
        'flows.main.steps.to-sales.queue: no queue "sale"; did you mean "sales"?',
    ),
    (
        "1: to-sales",
        "1: to-sale",
        'flows.main.steps.choose.menu.choices.1: in this flow: no step "to-sale"; did you mean "to-sales"?',
    ),
    (
        "otherwise: goodbye",
        "otherwise: bye",
        'flows.main.steps.choose.menu.otherwise: in this flow: no step "bye"',
    ),
    (
        "next: choose",
        "next: chose",
        'flows.main.steps.greeting.next: in this flow: no step "chose"; did you mean "choose"?',
    ),
    (
        "start: greeting",
        "start: gretting",
        'flows.main.start: in this flow: no step "gretting"; did you mean "greeting"?',
    ),
    ('"2101234567": main', '"2101234567": mian', 'numbers.2101234567: no flow "mian"; did you mean "main"?'),
    ("default_flow: main", "default_flow: night", 'default_flow: no flow "night"; the flows are: main'),
    # several keys together
    (
        "phones:\n",
        'codes: {log_out: "*4", pause: "*41"}\nphones:\n',
        'codes.pause: "*41" and "*4" of log_out (line {}): one begins with the other',
    ),
    (
        "phones:\n",
        'codes: {log_out: "*0"}\nphones:\n',
        'codes.log_out: "*0" and "*01" of log_in (its default): one begins',
    ),
    (
        "phones:\n",
        'codes: {log_out: "02"}\nphones:\n',
        'codes.log_out: must be a code: * and 1 to 5 digits, or "" for none, not "02"',
    ),
    ('number: "1002"', 'number: "1001"', 'agents.ben.number: "1001" is agent anna\'s already (line {})'),
    (
        'number: "1002"',
        "number: 1002",
        "agents.ben.number: must be text, and YAML takes this for something else",
    ),
    (
        "PJSIP/1002",
        "PJSIP/1001",
        'agents.ben.device: "PJSIP/1001" is agent anna\'s already (line {}); one device',
    ),
    (
        "            0: operator\n",
        "",
        'flows.main.steps.operator: is never reached: no step leads here from "greeting"',
    ),
    (
        "          otherwise: goodbye\n",
        "",
        "flows.main.steps.choose.menu.otherwise: is missing: the step for",
    ),
    ("        next: choose\n", "", "flows.main.steps.greeting.next: is missing: the step that follows"),
    (
        '    overflow: "100"               # ... he',
        "    #",
        "queues.sales.overflow: is missing: after max_wait callers",
    ),
    (
        "        queue: sales\n",
        "        queue: sales\n        transfer: '100'\n",
        "flows.main.steps.to-sales: has queue and transfer: a step has exactly one verb",
    ),
    (
        "        queue: sales\n",
        "        priority: 3\n",
        "flows.main.steps.to-sales: has no verb: give one of play, say, menu",
    ),
    (
        "        queue: sales\n",
        "        queue: sales\n        next: goodbye\n",
        "flows.main.steps.to-sales.next: belongs to play, say, ask",
    ),
    (
        "        play: [hello",
        "        plya: [hello",
        'flows.main.steps.greeting.plya: unknown key; did you mean "play"?',
    ),
    # secrets and paths
    (
        "  secret: change-me\n",
        "",
        "asterisk.secret: is missing: give secret, secret_file or the environment variable",
    ),
    ("  secret: change-me\n", "  secret: 0755\n", "asterisk.secret: must be text; quote it"),
    ("  secret: change-me\n", "  secret: ''\n", "asterisk.secret: is empty"),
    (
        "  secret: change-me\n",
        "  secret: a\n  secret_file: b\n",
        "asterisk.secret_file: secret stands here too: keep one",
    ),
    ("  url: postgresql://", "  url: mysql://", "database.url: must begin with postgresql://"),
    ("socket: /run/", "socket: /" + "x" * 100 + "/", "control.socket: is too long a path for a Unix socket"),
    (
        "cel_file: /var/log/asterisk/cel-custom/",
        "cel_file: /var/log/asterisk/cdr-custom/",
        "catch_up.cel_file: is",
    ),
    ("directory: /var/spool/", "directory: /var/my spool/", "recording.directory: may hold no blank"),
]


@pytest.mark.parametrize(("old", "new", "want"), SINGLE)
def test_one_mistake_is_one_line(one: One, old: str, new: str, want: str) -> None:
    line = one((old, new))
    number, _, text = line.partition(": ")
    head, _, tail = want.partition("{}")
    assert text.startswith(head), text
    assert tail in text
    if "is never reached" in text:
        return  # not where the step that led there was
    # On the line that was changed, or, where something was taken out, on that of what it is missing from.
    changed = EXAMPLE.read_text(encoding="utf-8").partition(old)[0].count("\n") + 1
    assert 0 < int(number) <= changed + new.count("\n") + old.count("\n") + 1


def test_line_numbers_are_those_of_the_key(bench: Bench) -> None:
    text = bench.change(("  ring: 20", "  ring: 500"), ("PJSIP/1003", "1003x"), ("[hello-world]", "[a, b!]"))
    wanted = [text[: text.index(mark)].count("\n") + 1 for mark in ("ring: 500", "1003x", "[a, b!]")]
    assert [int(line.split(":")[0]) for line in bench.mistakes()] == sorted(wanted)


def test_a_list_item_has_its_own_line(bench: Bench) -> None:
    text = bench.change(
        ("[vm-press, digits/1, vm-press, digits/2]", "\n          - vm-press\n          - a.wav")
    )
    line = text[: text.index("- a.wav")].count("\n") + 1
    assert bench.mistakes()[0].startswith(f"{line}: flows.main.steps.choose.menu.prompts[1]: must be a sound")


def test_norway_is_a_country(one: One, bench: Bench) -> None:
    assert 'quote it: "NO"' in one(("country: GR", "country: NO"))
    assert bench.site(("country: GR", 'country: "NO"')).callers.country == "NO"


def test_prompts_in_a_circle(bench: Bench) -> None:
    lines = bench.lines(
        ("next: choose", "next: again"),
        ("      choose:\n", "      again:\n        play: [beep]\n        next: greeting\n      choose:\n"),
    )
    assert (
        "flows.main.steps.greeting.next: plays for ever without a menu: greeting -> again -> greeting"
        in lines[0]
    )
    # The rest of the flow is cut off, which is a mistake at each of its steps and said so.
    assert all("is never reached" in line for line in lines[1:])


def test_a_circle_through_a_menu_is_a_warning(bench: Bench) -> None:
    site = bench.site(
        ("otherwise: goodbye", "otherwise: greeting"),
        ('transfer: "100"\n      goodbye:', "queue: sales\n      goodbye:"),
        ("0: operator", "0: operator\n            9: goodbye"),
    )
    assert [warning.key for warning in site.warnings] == ["flows.main.steps.choose.menu.otherwise"]


def test_unused_things_are_warnings(bench: Bench) -> None:
    night = "flows:\n  night:\n    start: bye\n    steps:\n      bye: {hangup: true}\n"
    site = bench.site(
        ("flows:\n", night),
        ("queues: [support]", "queues: [sales]"),
        ("queues: [sales, support]", "queues: [sales]"),
        ("queues: [sales, support]", "queues: [sales]"),
    )
    assert [warning.key for warning in site.warnings] == ["queues.support", "flows.night"]


def test_waiting_for_one_agent_as_long_as_for_all_is_a_warning(bench: Bench) -> None:
    site = bench.site(("    max_wait: 600", "    max_wait: 60\n    owner: 60\n    last_agent: 59"))
    assert [(one.key, one.text) for one in site.warnings] == [
        ("queues.support.owner", "warning: is not less than max_wait, 60 s: nobody else ever gets them")
    ]


def test_misspelling_any_key_is_one_mistake(bench: Bench) -> None:
    """One slip, one line: nothing that only follows from it is reported beside it."""
    text = EXAMPLE.read_text(encoding="utf-8")
    notes = Notes(EXAMPLE)
    parse(text, notes)
    tried = 0
    for loc, number in notes.lines.items():
        if not loc or loc[-1] not in keys_at(loc[:-1]):
            continue
        lines = text.splitlines()
        lines[number - 1] = re.sub(
            rf"(?<![\w-]){loc[-1]}:", f"{str(loc[-1])[:-1]}:", lines[number - 1], count=1
        )
        bench.write("\n".join(lines))
        (line,) = bench.mistakes()
        assert line.startswith(f"{number}: "), line
        assert "unknown key; did you mean" in line
        assert f'"{loc[-1]}"' in line
        tried += 1
    assert tried > 60


FIVES = [
    [
        ("  port: 5038", "  port: high"),
        ("wrap_up: 30", "wrapup: 30"),
        ("PJSIP/1002", "PJSIP/1001"),
        ("2: to-support", "2: to-suport"),
        ("default_flow: main", "default_flow: mian"),
    ],
    [
        ("country: GR", "country: Greece"),
        ("PJSIP/1003", "1003"),
        ("[sorry-youre-having-problems, vm-goodbye]", "[sorry.wav]"),
        ("timeout: 5 ", "timeout: 90 "),
        ('"+302101234567": ', "+302101234567: "),
    ],
    [
        ("  secret: change-me\n", ""),
        ("url: postgresql://", "url: mysql://"),
        ("flows:\n", "flwos:\n"),
        ("queues: [support]", "queues: []"),
        ("  level: info", "  level: info\n  level: debug"),
    ],
    [
        ("queues:\n", "queue:\n"),
        ("keep_days: 7", "keep_days: 0"),
        ("        hangup:\n", "        hang_up:\n"),
        ("4: open", "4: maybe"),
        ("    name: Ben Ioannou\n", ""),
    ],
    [
        ("tries: 3", "tries: 0"),  # a wrong value in a flow does not hide what the flow itself has wrong
        ("            0: operator\n", ""),
        ("        queue: sales\n", "        queue: sales\n        next: goodbye\n"),
        ('    overflow: "100"               # ... he', "    #"),
        ("enabled: true", "enabled: maybe"),
    ],
]


@pytest.mark.parametrize("changes", FIVES)
def test_five_mistakes_give_five_lines(bench: Bench, changes: list[tuple[str, str]]) -> None:
    lines = bench.lines(*changes)
    assert len(lines) == 5, "\n".join(lines)
    assert all("\n" not in line for line in lines)
    numbers = [int(line.split(":")[0]) for line in lines]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a: [1, 2", "1: this is not YAML: while parsing a flow sequence expected ',' or ']'"),
        ("a: b\n\tc: d\n", "2: this is not YAML: while scanning for the next token found character"),
        ("a: *nowhere-to-be-seen\n", "1: this is not YAML: found undefined alias"),
        ('a: "\\UFFFFFFFF"\n', "1: this is not YAML: a \\U escape names no character"),
        ("a: 1\n--- \nb: 2\n", "2: this is not YAML: expected a single document"),
        ("a: \x07\n", "1: this is not YAML: a control character"),
        ("- a\n- b\n", "1: must be a mapping of sections"),
        ("a: &a [*a]\n", "1: too many values, nested too deeply, or an alias inside itself"),
        ("[" * 1500, "1: nested too deeply"),
        ("log: {<<: {level: info}}\n", "1: log.<<: YAML merge keys are not supported"),
        ("log: {level: !x info}\n", "1: log.level: YAML tags (!...) are not used here"),
        ("log: {? [a] : b}\n", "1: log: a key must be plain text"),
        ('log: {level: "\\0"}\n', "1: log.level: holds a character that is no text"),
    ],
)
def test_what_is_no_yaml(bench: Bench, text: str, want: str) -> None:
    bench.write(text)
    assert any(line.startswith(want) for line in bench.mistakes()), bench.mistakes()


def test_small_files_that_grow_without_end(bench: Bench) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    bench.write("\n".join(lines))
    assert any("too many values" in line for line in bench.mistakes())


def test_an_empty_file_misses_what_is_required(bench: Bench) -> None:
    bench.write("# nothing yet\n")
    keys = [line.split(": ")[1] for line in bench.mistakes()]
    assert sorted(keys) == ["asterisk.secret", "callers", "database.url", "default_flow", "flows", "queues"]


def test_sections_of_comments_only_are_fine(bench: Bench) -> None:
    text = bench.change(("  socket: /run", "  # socket: /run"))
    assert "control:\n  #" in text
    assert str(load(bench.file, environ={}).control.socket) == "/run/ccbridge/control.sock"


def test_a_file_that_cannot_be_read(bench: Bench) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(bench.folder / "none.yml", environ={})
    assert str(caught.value) == f"{bench.folder}/none.yml: cannot be read: No such file or directory"
    with pytest.raises(ConfigErrors, match="is no ordinary file"):
        load(bench.folder, environ={})
    bench.file.write_bytes(b"a: b\nc: \xff\n")
    assert bench.mistakes() == ["2: this is not UTF-8 text"]
    bench.file.write_bytes(b"# x\n" * 300_000)
    with pytest.raises(ConfigErrors, match="is longer than 1000000 bytes"):
        load(bench.file, environ={})


def test_a_key_with_a_newline_stays_one_line(bench: Bench) -> None:
    bench.write('"a\\nb\\e[31m": 1\n')
    assert any("a\\nb\\x1b[31m: unknown key" in line for line in bench.mistakes())
    assert all("\n" not in line for line in bench.mistakes())
