"""Commands about this moment, against a real control server."""

from __future__ import annotations

import getpass
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli_rig import Shell
from click.testing import CliRunner
from control_rig import Board, Daemon

from ccbridge import __version__
from ccbridge.cli import NOUNS, main
from ccbridge.cli.show import minutes
from ccbridge.core.effects import DropCall, MoveOut
from ccbridge.core.records import QueueEvent

LIVE = [
    ["status"],
    ["reload"],
    ["reload", "--dry-run"],
    ["queue", "list"],
    ["queue", "show", "sales"],
    ["queue", "pause", "sales"],
    ["queue", "drain", "sales"],
    ["queue", "resume", "sales"],
    ["queue", "set", "sales", "ring", "20"],
    ["call", "pull", "1.1", "anna"],
    ["call", "move", "1.1", "sales"],
    ["call", "priority", "1.1", "5"],
    ["call", "redirect", "1.1", "100"],
    ["call", "hangup", "1.1"],
    ["agent", "list"],
    ["agent", "show", "anna"],
    ["agent", "explain", "anna"],
    ["agent", "login", "anna"],
    ["agent", "logout", "anna"],
    ["agent", "pause", "anna"],
    ["agent", "unpause", "anna"],
    ["agent", "unlock", "anna"],
    ["call", "list"],
]


def test_version_and_help() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout == f"ccbridge, version {__version__}\n"
    page = CliRunner().invoke(main, ["--help"]).stdout
    assert [noun for noun in NOUNS if f"\n  {noun} " not in page] == []


def test_a_noun_without_its_module_is_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccbridge.cli.NOUNS", ("status", "nonesuch"))
    assert main.list_commands(None) == ["status"]  # type: ignore[arg-type]
    result = CliRunner().invoke(main, ["nonesuch"])
    assert (result.exit_code, "No such command 'nonesuch'" in result.stderr) == (2, True)


def test_live_commands_load_no_database_driver(shell: Shell) -> None:
    code = (
        "import sys; from ccbridge.cli import main\n"
        "try: main(['-c', sys.argv[1], 'agent', 'list'])\n"
        "except SystemExit as end:\n"
        " print(end.code, [m for m in ('sqlalchemy', 'psycopg', 'asyncio') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(shell.site)], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "3 []\n"


@pytest.mark.parametrize("words", LIVE, ids=" ".join)
@pytest.mark.parametrize("json_", [[], ["--json"]], ids=["text", "json"])
def test_without_a_daemon_one_sentence_and_exit_3(shell: Shell, words: list[str], json_: list[str]) -> None:
    result = shell.run(*words, *json_, code=3)
    socket = shell.site.parent / "control.sock"
    assert result.stderr == (
        f"no ccbridge daemon answers on {socket}: start it with `ccbridge run -c FILE`\n"
    )
    assert result.stdout == ""


@pytest.mark.parametrize(
    "words", [["agent", "pause"], ["agent", "fire"], ["call", "list", "--limit", "0"], ["x"]]
)
def test_wrong_usage_is_exit_2(shell: Shell, words: list[str]) -> None:
    assert "Error: " in shell.run(*words, code=2).stderr


def test_mistakes_in_the_configuration_are_exit_2(shell: Shell) -> None:
    shell.site.write_text("queues: 7\n")
    lines = shell.run("status", code=2).stderr.splitlines()
    assert len(lines) > 1
    assert all(line.startswith(f"{shell.site}:") for line in lines)


def test_no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ccbridge.cli.here.DEFAULT_PATH", tmp_path / "none.yml")
    result = CliRunner().invoke(main, ["status"])
    assert result.exit_code == 2
    assert result.stderr.startswith("no configuration: neither config/ccbridge.yml nor ")


def test_where_the_configuration_is_found(
    shell: Shell, daemon: Daemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runner, site = CliRunner(), str(shell.site)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "config").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    for words, env in [
        (["-c", site, "status"], {}),
        (["status", "-c", site], {}),
        (["-c", "wrong.yml", "status", "--config", site], {}),
        (["status"], {"CCBRIDGE_CONFIG": site}),
    ]:
        assert runner.invoke(main, words, env=env).exit_code == 0
    near = shell.site.read_text().replace("control.sock", str(shell.site.parent / "control.sock"))
    Path("config/ccbridge.yml").write_text(near)
    assert runner.invoke(main, ["status"]).exit_code == 0


def test_agents_are_steered(shell: Shell, daemon: Daemon) -> None:
    for words, text in [
        (["login", "anna"], "anna is logged in"),
        (["pause", "anna"], "anna is paused: break"),
        (["pause", "anna", "--reason", "lunch"], "anna is paused: lunch"),
        (["unpause", "anna"], "anna is not paused any more"),
        (["logout", "anna"], "anna is logged out"),
    ]:
        assert shell.run("agent", *words).stdout == text + "\n"
    assert shell.json("agent", "login", "anna")["agent"]["state"] == "available"
    for words, text in [
        (
            ["pause", "anna", "--reason", "golf"],
            "anna cannot pause for 'golf'; the reasons are: break, lunch",
        ),
        (["pause", "ben"], "ben is not logged in"),
        (["login", "zoe"], "no agent 'zoe' in the configuration"),
        (["show", "zoe"], 'there is no agent "zoe"'),
        (["login", "z\x1boe"], 'agent.login: field "agent" must be one line of plain text'),
    ]:
        result = shell.run("agent", *words, code=1)
        assert (result.stdout, result.stderr) == ("", text + "\n")


def test_status(shell: Shell, daemon: Daemon, board: Board) -> None:
    board.login("anna", "ben")
    board.answer(board.caller("sales"))
    board.answer(board.caller("sales"))
    board.caller("support")
    board.go(75)
    assert shell.run("status").stdout.splitlines() == [
        f"ccbridge    {__version__}, up 1:15",
        "asterisk    22.5.2",
        "link        up since 2023-11-14 22:13:20",
        "calls       3: 1 holding, 2 talking",
        "waiting     1, the longest 1:15",
        "agents      2 of 3 in: 1 logged_out, 2 talking",
        "queues      2",
        f"plan        {board.board.world.version}",
        "ship lag s  0.1",
    ]
    data = shell.json("status")
    assert (data["calls"]["waiting"], data["ship_lag_s"]) == (1, 0.1)


def test_queues(shell: Shell, daemon: Daemon, board: Board) -> None:
    board.login("chloe")
    board.caller("sales", name="Μαρία \x1b[31mΝικολάου")
    board.go(500)
    board.caller("sales", None)
    board.go(65)
    assert shell.run("queue", "list").stdout.splitlines() == [
        "queue    state  waiting  longest  talking  free  agents in  fallback",
        "sales    open         2     9:25        0     0        0/2         0",
        "support  open         0        -        0     1        1/2         0",
    ]
    shown = shell.run("queue", "show", "sales").stdout
    headings = ["call", "caller", "waited", "to", "wait", "priority", "state", "agent"]
    assert headings in [line.split() for line in shown.splitlines()]
    assert re.search(r"^1  1700000000\.1  Μαρία \?\[31mΝικολάου +9:25 ", shown, re.M)
    assert re.search(r"^2  1700000000\.2  anonymous +1:05 ", shown, re.M)
    assert [row["call"] for row in shell.json("queue", "show", "sales")["line"]] == [
        "1700000000.1",
        "1700000000.2",
    ]
    assert [row["queue"] for row in shell.json("queue", "list")] == ["sales", "support"]
    assert shell.run("queue", "show", "none", code=1).stderr == 'there is no queue "none"\n'


def test_agents(shell: Shell, daemon: Daemon, board: Board) -> None:
    board.login("anna", "ben", "chloe")
    call = board.caller("sales")
    board.answer(call)
    board.go(61)
    board.hang_up(call)
    board.go(3)
    lines = shell.run("agent", "list").stdout.splitlines()
    assert lines[0].split() == ["agent", "name", "state", "reason", "for", "left", "call", "device", "queues"]
    assert lines[1] == f"anna   Άννα Παππά    wrap_up    -       0:03  0:07  {call}  PJSIP/1001  sales"
    assert "state        wrap_up for 0:03, 0:07 left\n" in shell.run("agent", "show", "anna").stdout
    assert shell.json("agent", "show", "anna")["last_call"] == call
    assert [row["agent"] for row in shell.json("agent", "list")] == ["anna", "ben", "chloe"]


def test_calls(shell: Shell, daemon: Daemon, board: Board) -> None:
    board.login("anna")
    calls = [board.caller("sales"), board.caller("support", None)]
    board.answer(calls[0])
    board.go(7)
    lines = shell.run("call", "list").stdout.splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["call", "state", "caller", "queue"],
        [calls[0], "talking", "+302101234567", "sales"],
        [calls[1], "holding", "anonymous", "support"],
    ]
    assert shell.json("call", "list", "--queue", "support")["total"] == 1
    assert shell.run("call", "list", "--limit", "1").stderr == "1 of 2 live calls shown\n"
    assert shell.run("call", "list", "--queue", "none", code=1).stderr == 'there is no queue "none"\n'


def test_a_live_call_is_shown_without_the_database(shell: Shell, daemon: Daemon, board: Board) -> None:
    call = board.caller("sales")
    board.go(7)
    result = shell.run("call", "show", call)
    assert "state     holding (live)\n" in result.stdout
    assert "position  1\n" in result.stdout
    assert result.stderr.startswith("without its events: The database 127.0.0.1:1/none does not answer: ")
    assert "secret" not in result.stderr
    found = shell.json("call", "show", call)
    assert (found["live"]["state"], found["stored"], found["events"]) == ("holding", None, [])
    assert shell.run("call", "show", "1.1", code=3).stderr.startswith(
        "The database 127.0.0.1:1/none does not"
    )


def test_queues_by_hand(shell: Shell, daemon: Daemon) -> None:
    board = daemon.board
    assert shell.run("queue", "pause", "sales").stdout == (
        "sales is paused: its calls are offered to nobody\n"
    )
    assert shell.json("queue", "drain", "sales")["queue"]["draining"] is True
    shell.run("queue", "set", "sales", "ring", "20")
    shell.run("queue", "set", "sales", "priority", "--", "-7")
    row = shell.json("queue", "show", "sales")
    assert row["set"] == {"ring": {"value": 20, "file": 15}, "priority": {"value": -7, "file": 0}}
    shown = shell.run("queue", "show", "sales").stdout
    assert re.search(r"^state +paused, draining$", shown, re.M)
    assert re.search(r"^set: ring +20, in the file 15$", shown, re.M)
    assert "sales (paused, draining)" in shell.run("top", "--once").stdout
    refused = shell.run("queue", "set", "sales", "ring", "2", code=1)
    assert refused.stderr == "queues.sales.ring: must be 3 to 120 seconds, not 2\n"
    refused = shell.run("queue", "set", "sales", "colour", "2", code=1)
    assert refused.stderr.startswith("queues.sales.colour: cannot be set while it runs; ")
    refused = shell.run("queue", "set", "nowhere", "ring", code=1)
    assert refused.stderr.startswith('queues.nowhere.ring: no queue "nowhere"; ')
    assert shell.run("queue", "set", "sales", "ring").stdout == "sales.ring is 15, as the file says\n"
    events = [one.record for one in board.effects if isinstance(getattr(one, "record", None), QueueEvent)]
    assert {event.by for event in events} == {getpass.getuser()}
    assert [event.kind for event in events] == ["paused", "draining", "set", "set", "unset"]
    shell.run("queue", "resume", "sales")
    assert shell.json("queue", "list")[0]["paused"] is False


def test_callers_in_line_by_hand(shell: Shell, daemon: Daemon) -> None:
    one, two = (daemon.do(lambda: daemon.board.caller("sales")) for _ in range(2))
    assert shell.run("call", "priority", two, "30").stdout == f"{two} has its new priority\n"
    assert [row["call"] for row in shell.json("queue", "show", "sales")["line"]] == [two, one]
    assert shell.json("call", "move", one, "support")["call"]["queue"] == "support"
    for words, why in (
        (("priority", one, "soon"), "priority: must be a plain whole number\n"),
        (("priority", one, "101"), "priority: must be -100 to 100, not 101\n"),
        (("redirect", one, "a b"), "extension: must be an extension"),
        (("pull", one, "anna"), f"{one} stays: anna is logged_out\n"),
        (("hangup", "9.9"), "there is no live call '9.9'\n"),
    ):
        assert shell.run("call", *words, code=1).stderr.startswith(why)
    assert shell.run("call", "redirect", one, "100").stdout == f"{one} is sent there\n"
    assert shell.run("call", "hangup", two).stdout == f"{two} is being hung up\n"
    assert [type(x).__name__ for x in daemon.board.effects if isinstance(x, MoveOut | DropCall)] == [
        "MoveOut", "DropCall",
    ]  # fmt: skip


def test_departments_and_several_agents(shell: Shell, daemon: Daemon) -> None:
    def names(*words: str) -> list[str]:
        return [row["agent"] for row in shell.json("agent", "list", *words)]

    assert [row["queue"] for row in shell.json("queue", "list", "--department", "house")] == ["support"]
    assert shell.json("queue", "show", "support")["departments"] == ["house"]
    assert names("--department", "house") == names("--queue", "support") == ["ben", "chloe"]
    assert names("--department", "house", "--queue", "sales") == ["ben"]
    for words in (("queue", "list"), ("agent", "list"), ("agent", "pause")):
        refused = shell.run(*words, "--department", "none", code=1)
        assert refused.stderr == 'there is no department "none"\n'
    assert shell.run("agent", "list", "--queue", "none", code=1).stderr == 'there is no queue "none"\n'
    assert shell.run("agent", "login", "anna", "ben").stdout == "anna is logged in\nben is logged in\n"
    paused = shell.run("agent", "pause", "--department", "house", "--reason", "lunch")
    assert paused.stdout == "ben is paused: lunch\n"  # chloe is not logged in
    mixed = shell.run("agent", "pause", "anna", "zed", "chloe", code=1)
    assert mixed.stdout == "anna is paused: break\n"
    assert mixed.stderr == "no agent 'zed' in the configuration\nchloe is not logged in\n"
    told = shell.json("agent", "unpause", "anna", "ben")
    assert [(one["ok"], one["agent"]["agent"]) for one in told] == [(True, "anna"), (True, "ben")]
    for words in (("login",), ("login", "anna", "--queue", "sales")):
        assert "Usage:" in shell.run("agent", *words, code=2).stderr
    assert shell.run("agent", "logout", "--queue", "sales").stdout.splitlines() == [
        "anna is logged out", "ben is logged out",
    ]  # fmt: skip


def test_reload(shell: Shell, daemon: Daemon) -> None:
    line = "queues.sales.ring: 15 -> 20"
    assert shell.run("reload").stdout == f"{line}\nthe plan is loaded\n"
    assert shell.run("reload", "--dry-run").stdout == f"{line}\nnothing is changed\n"
    data = {"differences": [line]}
    assert shell.json("reload") == {"ok": True, "text": "the plan is loaded", "data": data}
    board = daemon.board
    board.reloads = False
    result = shell.run("reload", code=1)
    assert result.stderr.splitlines() == ["2 mistakes: nothing is changed", "a.yml:1: one", "a.yml:2: two"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0:00"),
        (9.99, "0:09"),
        (60, "1:00"),
        (3599.9, "59:59"),
        (3600, "1:00:00"),
        (90061, "25:01:01"),
    ],
)
def test_minutes(seconds: float | None, text: str) -> None:
    assert minutes(seconds) == text
