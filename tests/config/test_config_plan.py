"""From YAML to the core's plan, secrets, and the command."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from config_bench import EXAMPLE, Bench

from ccbridge.cli import main
from ccbridge.config import ConfigErrors, load
from ccbridge.core.flows import HangUp, Menu, Play, ToQueue, Transfer
from ccbridge.core.plan import AgentPlan, Announce, Plan, QueuePlan, Rule


def test_the_whole_plan(bench: Bench) -> None:
    plan = bench.site().plan
    assert plan.queues["sales"] == QueuePlan(
        name="sales", ring=15, wrap_up=10, max_wait=300, overflow="100", service_level=20, priority=0
    )
    assert plan.agents["dimitris"] == AgentPlan(
        id="dimitris", name="Δημήτρης Λάμπρου", device="PJSIP/1004", queues=("sales", "support"), number=3
    )
    flow = plan.flow_for("+302101234567")
    assert flow is plan.flow_for("a number nobody knows")
    assert flow.name == "main"
    assert flow.start == "greeting"
    assert dict(flow.steps) == {
        "greeting": Play(prompts=("hello-world",), next="choose"),
        "choose": Menu(
            prompts=("vm-press", "digits/1", "vm-press", "digits/2"),
            choices={"1": "to-sales", "2": "to-support", "0": "operator"},
            otherwise="goodbye",
            invalid=("pm-invalid-option",),
            silent=("please-try-again",),
            timeout=5,
            tries=3,
        ),
        "to-sales": ToQueue(queue="sales", priority=0),
        "to-support": ToQueue(queue="support", priority=5),
        "operator": Transfer(extension="100"),
        "goodbye": HangUp(prompts=("sorry-youre-having-problems", "vm-goodbye")),
    }
    assert plan.pause_reasons == ("break", "lunch", "training", "paperwork")


SMALL = """
asterisk: {secret: s}
database: {url: "postgresql:///ccbridge"}
callers: {country: GR}
queues: {}
flows: {bye: {start: end, steps: {end: {hangup: true}}}}
default_flow: bye
"""


def test_defaults_are_the_plans_own(bench: Bench) -> None:
    bench.write(SMALL)
    plan = load(bench.file, environ={}).plan
    assert plan == Plan(queues={}, agents={}, flows=plan.flows, numbers={}, default_flow="bye")
    bench.write(SMALL.replace("queues: {}", 'queues: {q: {overflow: "1"}}'))
    assert load(bench.file, environ={}).plan.queues["q"] == QueuePlan("q", overflow="1")
    menu = "menu: {prompts: [beep], choices: {1: end}, otherwise: end}"
    bench.write(
        SMALL.replace("steps: {", "steps: {ask: {" + menu + "}, ").replace("start: end", "start: ask")
    )
    site = load(bench.file, environ={})
    assert site.plan.flows["bye"].steps["ask"] == Menu(("beep",), {"1": "end"}, "end")


def test_paths_start_at_the_files_folder(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    site = bench.site(("/var/lib/ccbridge/journal", "var/journal"))
    assert site.journal.directory == bench.folder / "var" / "journal"
    assert site.control.socket == Path("/run/ccbridge/control.sock")
    monkeypatch.chdir(bench.folder)
    assert load("ccbridge.yml", environ={}).journal.directory == bench.folder / "var" / "journal"


def test_secret_precedence(bench: Bench) -> None:
    site = bench.site()
    assert site.asterisk.secret.get_secret_value() == "change-me"

    secret = bench.folder / "ami.secret"
    secret.write_text("from-file\n")
    secret.chmod(0o600)
    in_file = ("  secret: change-me\n", "  secret_file: ami.secret\n")
    site = bench.site(in_file)
    assert site.asterisk.secret.get_secret_value() == "from-file"
    assert site.warnings == ()

    bench.environ = {
        "CCBRIDGE_AMI_SECRET": "from-environment",
        "CCBRIDGE_DATABASE_URL": "postgresql+psycopg://e@h/d",
        "CCBRIDGE_DATABASE_ADMIN_URL": "postgres://o@h/d",
    }
    secret.unlink()  # not even looked at
    site = bench.site(in_file)
    assert site.asterisk.secret.get_secret_value() == "from-environment"
    assert site.database.url.get_secret_value() == "postgresql+psycopg://e@h/d"
    assert site.database.admin_url.get_secret_value() == "postgres://o@h/d"


def test_everything_secret_may_come_from_the_environment(bench: Bench) -> None:
    bench.write("\n".join(SMALL.splitlines()[3:]))
    environ = {"CCBRIDGE_AMI_SECRET": "x", "CCBRIDGE_DATABASE_URL": "postgresql:///d"}
    assert load(bench.file, environ=environ).asterisk.secret.get_secret_value() == "x"
    bench.environ = environ | {"CCBRIDGE_DATABASE_URL": "mysql://u:hush@h/d"}
    assert bench.mistakes() == ["1: database.url: must begin with postgresql:// (from CCBRIDGE_DATABASE_URL)"]


def test_secret_files_that_are_none(bench: Bench) -> None:
    in_file = ("  secret: change-me\n", "  secret_file: it\n")
    key, it = "asterisk.secret_file", bench.folder / "it"
    assert bench.lines(in_file)[0].endswith(f"{key}: cannot read {it}: No such file or directory")
    os.mkfifo(it)  # opening it to read would wait for a writer for ever
    assert bench.lines(in_file)[0].endswith(f"{key}: {it} is no ordinary file")
    it.unlink()
    it.write_bytes(b"\xff\xfe")
    assert bench.lines(in_file)[0].endswith(f"{key}: {it} is not UTF-8 text")
    it.write_bytes(b"x" * 5000)
    assert "is longer than 4096 bytes" in bench.lines(in_file)[0]
    it.write_bytes(b"one\ntwo\n")
    assert "asterisk.secret: must be one line of printable" in bench.lines(in_file)[0]


def test_secrets_that_everyone_may_read_are_warned_of(bench: Bench) -> None:
    secret = bench.folder / "it"
    secret.write_text("x")
    secret.chmod(0o644)
    site = bench.site(("  secret: change-me\n", "  secret_file: it\n"))
    assert [warning.key for warning in site.warnings] == ["asterisk.secret_file"]
    bench.change()
    bench.file.chmod(0o644)
    assert [warning.key for warning in load(bench.file, environ={}).warnings] == ["asterisk.secret"]


def test_commands_without_secrets_need_none(bench: Bench) -> None:
    bench.change(("  secret: change-me\n", "  secret_file: /nowhere/at/all\n"))
    site = load(bench.file, environ={}, secrets=False)
    assert site.asterisk.secret.get_secret_value() in ("", "change-me")
    with pytest.raises(ConfigErrors):
        load(bench.file, environ={})


HUSH = "hunter2"


@pytest.mark.parametrize(
    "line",
    [
        f"secret: [{HUSH}]",
        f"secret: {{{HUSH}: 1}}",
        f"secret: *{HUSH}",
        f"secret: !{HUSH} x",
        f"secret: !h!{HUSH} x",
        f"secret: &{HUSH}",
        f"secret: '{HUSH}\\n\n\n  {HUSH}'",
        f'secret: "{HUSH}\\n"',
        f'secret: "{HUSH}',
        f"secret: @{HUSH}",
        f"secret: %{HUSH}",
        f"secret: {HUSH}: x",
        f"sceret: {HUSH}",
        f"secret_file: ''\n  secret: {HUSH}",
    ],
)
def test_no_message_tells_a_secret(bench: Bench, line: str) -> None:
    text = "\n".join(bench.lines(("  secret: change-me\n", f"  {line}\n")))
    assert HUSH not in text


def test_database_urls_stay_out_of_messages_and_representations(bench: Bench) -> None:
    for url in (
        f"mysql://u:{HUSH}@h/d",
        f"postgresql://u:{HUSH}@h:port/d",
        f"postgresql://u:{HUSH}@[h/d",
        f"postgresql://u:{HUSH}@h",
        f"postgresql://u:{HUSH} x@h/d",
        f"postgresql://u:{HUSH}@h:0/d",
    ):
        text = bench.change()
        bench.write(text.replace("postgresql://ccbridge:change-me@127.0.0.1:5432/ccbridge", f'"{url}"'))
        (line,) = bench.mistakes()
        assert "database.url: " in line
        assert HUSH not in line
    site = bench.site(("ccbridge:change-me@", f"ccbridge:{HUSH}@"), ("change-me\n", f"{HUSH}\n"))
    assert site.asterisk.secret.get_secret_value() == HUSH
    assert HUSH not in repr(site)
    assert HUSH not in str(site)


def test_check_command(bench: Bench) -> None:
    run = CliRunner()
    bench.change()
    environ = {name: None for name in os.environ if name.startswith("CCBRIDGE_")}
    good = run.invoke(main, ["config", "check", "-c", str(bench.file)], env=environ)
    assert good.exit_code == 0
    assert good.stdout == f"{bench.file}: OK: 2 queues, 4 agents, 1 flow, 6 steps, 2 numbers\n"

    bench.change(("  port: 5038", "  port: 0"), ("queues: [support]", "queues: [x]"))
    bad = run.invoke(main, ["config", "check", str(bench.file)], env=environ)
    assert bad.exit_code == 2
    assert len(bad.stdout.splitlines()) == 2
    assert bad.stdout.startswith(f"{bench.file}:13: asterisk.port: must be 1 to 65535, not 0\n")

    as_json = run.invoke(main, ["config", "check", str(bench.file), "--json"], env=environ)
    assert as_json.exit_code == 2
    answer = json.loads(as_json.stdout)
    assert answer["ok"] is False
    assert [mistake["key"] for mistake in answer["mistakes"]] == ["asterisk.port", "agents.chloe.queues[0]"]

    assert run.invoke(main, ["config", "check", "a.yml", "-c", "b.yml"]).exit_code == 2


def test_queues_command(bench: Bench) -> None:
    bench.change()
    run, to = CliRunner(), bench.folder / "queues_agents.conf"
    printed = run.invoke(main, ["config", "queues", "-c", str(bench.file)])
    assert printed.exit_code == 0
    sections = printed.stdout.split("\n\n")[1:]
    assert sections[0].splitlines() == [
        "[ccbridge-fallback](+)",
        *(f"member => PJSIP/{n},0,{a}" for n, a in enumerate(("anna", "ben", "chloe", "dimitris"), 1001)),
    ]
    assert [one.splitlines()[0] for one in sections[1:]] == [
        "[ccbridge-fallback-sales](ccbridge-queue)",
        "[ccbridge-fallback-support](ccbridge-queue)",
    ]
    assert sections[2].splitlines()[1:] == [
        "member => PJSIP/1002,0,ben",
        "member => PJSIP/1003,0,chloe",
        "member => PJSIP/1004,0,dimitris",
    ]

    written = run.invoke(main, ["config", "queues", "-c", str(bench.file), "--to", str(to)])
    assert written.exit_code == 0
    assert to.read_text() == printed.stdout
    assert to.stat().st_mode & 0o777 == 0o644

    # what is there stays, when there are no members to put in its place
    bench.change(("queues: [support]", "queues: [x]"))
    assert run.invoke(main, ["config", "queues", "-c", str(bench.file), "--to", str(to)]).exit_code == 2
    assert to.read_text() == printed.stdout
    bench.change()
    nowhere = bench.folder / "nowhere" / "q.conf"
    refused = run.invoke(main, ["config", "queues", "-c", str(bench.file), "--to", str(nowhere)])
    assert refused.exit_code == 1
    assert f"{nowhere} cannot be written" in refused.stderr


def test_warnings_go_to_standard_error(bench: Bench) -> None:
    bench.change()
    bench.file.chmod(0o644)
    result = CliRunner().invoke(main, ["config", "check", str(bench.file)])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1
    assert "asterisk.secret: warning:" in result.stderr


def test_the_shipped_example_passes_where_it_lies() -> None:
    assert load(EXAMPLE, environ={}).plan.default_flow == "main"


def test_skills_and_strategies(bench: Bench) -> None:
    rules = "[{require: {greek: 4}, prefer: {vip: 1}}, {after: 60}]"
    plan = bench.site(
        ("  ring: 20", f"  ring: 20\n    strategy: linear\n    skills: {rules}"),
        ("routing:", "routing:\n  ageing: 30"),
        ("    device: PJSIP/1004", "    device: PJSIP/1004\n    skills: {greek: 5}"),
    ).plan
    assert plan.queues["support"].strategy == "linear"
    assert plan.queues["support"].rules == (Rule(0, {"greek": 4}, {"vip": 1}), Rule(60))
    assert plan.queues["sales"].rules == (Rule(),)
    assert plan.agents["dimitris"].skills == {"greek": 5}
    assert plan.ageing == 30


def test_announcements(bench: Bench) -> None:
    plan = bench.site(
        ("  ring: 20", "  ring: 20\n    expected_talk: 90\n    announce: {every: 45, wait: false}"),
    ).plan
    assert plan.queues["support"].announce == Announce(True, False, 10.0, 45.0, 10)
    assert plan.queues["support"].expected_talk == 90
    assert plan.queues["sales"].announce is None
