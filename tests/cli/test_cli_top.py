"""``ccbridge top`` in a real pseudo-terminal, in front of a real control server; and where there is none."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_rig import Shell
from control_rig import Board, Daemon, until_now
from terminal_rig import BASH, Terminal

from ccbridge.cli.top import PATIENCE


@pytest.fixture
def top(shell: Shell) -> Callable[..., Terminal]:
    def start(*words: str, **how: Any) -> Terminal:
        return Terminal("-c", str(shell.site), "top", "--every", "0.2", *words, **how)

    return start


def test_a_call_comes_and_is_answered(top: Callable[..., Terminal], daemon: Daemon, board: Board) -> None:
    board.login("anna")
    with top() as terminal:
        screen = terminal.read_text("Nobody waits.")
        assert screen[0].startswith("ccbridge  ")
        assert "0 waiting, longest -  0 talking  1 of 1 free" in screen[0]
        assert screen[-1] == "q or Ctrl-C ends. Every 0.2 s."
        assert (terminal.alternate, terminal.cursor) == (True, False)

        def call() -> str:
            name = board.caller("sales", name="Μαρία 日本 \x1b[2J\x9b31m\r\n\x07Νικολάου")
            board.go(65)
            return name

        coming = daemon.do(call)
        screen = terminal.read_text("Νικολάου")
        (row,) = [line for line in screen if "Νικολάου" in line]
        name = "Μαρία 日本 ?[2J?31m???Νικολάου"
        assert row == f"    1  sales    1:05        -         0  offered  anna   {name}"
        daemon.do(lambda: board.answer(coming))
        screen = terminal.read_text("Nobody waits.")
        assert [line.split()[:6] for line in screen if line.startswith("anna")] == [
            ["anna", "Άννα", "Παππά", "talking", "-", "0:00"]
        ]


def test_it_follows_the_size_of_the_terminal(
    top: Callable[..., Terminal], daemon: Daemon, board: Board
) -> None:
    board.login("anna", "ben", "chloe")
    for _ in range(50):
        board.caller("sales")
    with top("--every", "60", columns=120, lines=40) as terminal:
        full = terminal.read_text("... and ")
        assert len(full) == 40
        for columns, lines in ((60, 15), (20, 3), (1, 1), (200, 90)):
            terminal.resize(columns, lines)
            # long before the next look at the daemon; the terminal itself objects to what does not fit
            screen = terminal.see(lambda screen: not any("#" in line for line in screen))
            assert len(screen) == lines
        assert sum(line.startswith("   ") and "sales" in line for line in screen) == 50
        assert "... and" not in "\n".join(screen)
        assert screen[-1] == "q or Ctrl-C ends. Every 60 s."


def test_the_daemon_goes_and_comes_back(top: Callable[..., Terminal], shell: Shell) -> None:
    socket = shell.site.parent / "control.sock"
    with top(columns=70) as terminal:
        screen = terminal.read_text("no ccbridge daemon answers on")
        assert "the picture is back with the daemon." in " ".join(screen)
        for waiting in (1, 2):
            board = Board()
            for _ in range(waiting):
                board.caller("support")
            with Daemon(socket, board):
                screen = terminal.read_text(f"{waiting} waiting")
                assert "daemon answers" not in "\n".join(screen)
            terminal.read_text("no ccbridge daemon answers on")
        terminal.type("q")
        assert (terminal.ended(), terminal.settings) == (0, terminal.before)


def test_a_daemon_that_hangs_and_one_of_another_version(top: Callable[..., Terminal], shell: Shell) -> None:
    socket, board = shell.site.parent / "control.sock", Board()
    with Daemon(socket, board) as daemon, top() as terminal:
        terminal.read_text("0 waiting")
        whole = dict(daemon.server.handlers)

        async def never(fields: dict[str, object]) -> Any:
            await asyncio.sleep(PATIENCE * 3)

        daemon.server.handlers = {**whole, "call.waiting": never}
        # the sentence names the socket: where its line breaks hangs on the length of that path
        terminal.see(lambda screen: "has not answered" in " ".join(screen))
        daemon.server.handlers = {name: one for name, one in whole.items() if name != "call.waiting"}
        terminal.read_text('there is no command "call.waiting"')
        daemon.server.handlers = whole
        terminal.read_text("0 waiting")


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("q", 0),
        ("\x03", 0),  # Ctrl-C, made a signal by the terminal
        (signal.SIGINT, 0),
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (signal.SIGHUP, 128 + signal.SIGHUP),
    ],
)
def test_the_terminal_is_given_back(
    top: Callable[..., Terminal], daemon: Daemon, end: str | signal.Signals, code: int
) -> None:
    with top() as terminal:
        terminal.read_text("Nobody waits.")
        assert terminal.settings != terminal.before
        terminal.type("x\x1b[A\x13")  # keys that mean nothing, Ctrl-S among them
        if isinstance(end, str):
            terminal.type(end)
        else:
            terminal.signal(end)
        assert terminal.ended() == code
        assert terminal.settings == terminal.before
        assert (terminal.alternate, terminal.cursor) == (False, True)
        assert b"Traceback" not in terminal.raw
        assert terminal.raw.endswith(b"\x1b[?1049l")  # and nothing on the screen that was there before


def test_a_shell_takes_it_from_the_terminal_and_gives_it_back(shell: Shell, daemon: Daemon) -> None:
    with Terminal(program=BASH, PS1="ready> ", CCBRIDGE_CONFIG=str(shell.site)) as terminal:
        terminal.hear(b"ready> ")
        before = terminal.settings
        terminal.type(f"{sys.executable} -m ccbridge top --every 0.2\n")
        terminal.read_text("Nobody waits.")
        for background in (False, True):
            terminal.type("\x1a")
            terminal.hear(b"Stopped")
            terminal.hear(b"ready> ")
            assert (terminal.alternate, terminal.cursor, terminal.settings) == (False, True, before)
            if background:  # where it may not touch the terminal: the kernel stops it again
                terminal.type("bg\n")
                terminal.hear(b"ready> ")
                since = len(terminal.raw)

                def stopped(since: int = since) -> bool:
                    terminal.type("jobs\n")
                    terminal.hear(b"ready> ")
                    return b"Stopped" in terminal.raw[since:]

                until_now(stopped)
            terminal.type("fg\n")
            terminal.hear(b"\x1b[?1049h")
            terminal.read_text("Nobody waits.")
        terminal.type("q")
        terminal.hear(b"ready> ")
        assert (terminal.alternate, terminal.cursor, terminal.settings) == (False, True, before)
        terminal.type("exit $?\n")
        assert terminal.ended() == 0


def test_stopped_from_outside_or_by_a_key_where_there_is_no_shell(
    top: Callable[..., Terminal], daemon: Daemon
) -> None:
    with top() as terminal:
        terminal.read_text("Nobody waits.")
        terminal.hear(b"\x1b[?1049h")
        terminal.type("\x1a")  # nobody could let it go on: as the kernel has it, it goes on at once
        terminal.hear(b"\x1b[?1049h")
        terminal.read_text("Nobody waits.")
        terminal.signal(signal.SIGSTOP)
        until_now(terminal.stopped)
        terminal.spoil()
        terminal.signal(signal.SIGCONT)
        terminal.see(lambda screen: not any("#" in line for line in screen))
        terminal.type("q")
        assert (terminal.ended(), terminal.settings) == (0, terminal.before)


def test_a_terminal_that_is_taken_away_ends_it(top: Callable[..., Terminal], daemon: Daemon) -> None:
    with top() as terminal:
        terminal.read_text("Nobody waits.")
        terminal.take_away()
        assert terminal.ended() == 128 + signal.SIGHUP


def test_a_terminal_that_says_no_size(top: Callable[..., Terminal], daemon: Daemon) -> None:
    with top(columns=0, lines=0) as terminal:
        terminal.columns, terminal.lines = 80, 24
        assert terminal.read_text("Nobody waits.")[-1].startswith("q or Ctrl-C")


def test_a_name_that_the_charset_lacks(top: Callable[..., Terminal], daemon: Daemon, board: Board) -> None:
    board.caller("sales", name="日本 Νίκος")
    with top(PYTHONIOENCODING="ascii") as terminal:
        assert "?? ?????" in "\n".join(terminal.read_text("1 waiting"))
        terminal.type("q")
        assert terminal.ended() == 0


# -- without a terminal


def test_once(shell: Shell, daemon: Daemon, board: Board) -> None:
    board.login("anna", "ben")
    call = board.caller("sales")
    board.go(5)
    board.answer(call)
    board.go(60)
    board.hang_up(call)
    board.caller("support", None, name="")
    board.caller("support", None, name="")
    board.go(4)
    lines = shell.run("top", "--once").stdout.splitlines()
    assert lines[0].startswith("ccbridge  ")
    assert lines[0].endswith("  2 waiting, longest 0:04  0 talking  0 of 2 free  up 1:09")
    assert lines[1:] == [
        "",
        "queue    waiting  longest  free  talking  wrap-up  paused   in  level",
        "support        2     0:04     0        0        0       0  1/2      -",
        "sales          0        -     0        0        1       0  2/2  100 %",
        "",
        "place  queue    waited  to wait  priority  state    agent  caller",
        "    1  support    0:04        -         2  offered  ben    anonymous",
        "    2  support    0:04     3:36         2  holding  -      anonymous",
        "",
        "agent  name          state       reason   for  left  queues",
        "anna   Άννα Παππά    wrap_up     -       0:04  0:06  sales",
        "ben    Ben Ioannou   offered     -       0:04     -  sales, support",
        "chloe  Chloe Martin  logged_out  -          -     -  support",
    ]
    data = shell.json("top")
    assert set(data) == {"status", "queues", "waiting", "agents"}
    assert data["waiting"]["calls"][0]["queue"] == "support"


def test_once_without_a_daemon(shell: Shell) -> None:
    result = shell.run("top", "--once", code=3)
    assert (result.stdout, "no ccbridge daemon answers on" in result.stderr) == ("", True)


def test_once_before_a_daemon_of_another_version(shell: Shell, daemon: Daemon) -> None:
    daemon.server.handlers = {n: one for n, one in daemon.server.handlers.items() if n != "call.waiting"}
    assert shell.run("top", "--once", code=1).stderr.startswith('there is no command "call.waiting"')


def test_no_terminal_is_exit_2(shell: Shell, daemon: Daemon) -> None:
    said = "ccbridge top: input or output is no terminal; --once prints one picture anywhere\n"
    assert shell.run("top", code=2).stderr == said
    for word in ("0.1", "61", "nan", "soon"):
        assert "'--every'" in shell.run("top", "--once", "--every", word, code=2).stderr


@pytest.mark.parametrize("which", ["stdin", "stdout"])
def test_one_end_that_is_no_terminal(shell: Shell, daemon: Daemon, which: str) -> None:
    master, slave = os.openpty()
    try:
        ends: dict[str, Any] = {"stdin": slave, "stdout": slave, which: subprocess.DEVNULL}
        done = subprocess.run(
            [sys.executable, "-m", "ccbridge", "-c", str(shell.site), "top"],
            **ends,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(master)
        os.close(slave)
    assert (done.returncode, "is no terminal" in done.stderr) == (2, True)


def test_a_dumb_terminal_is_exit_2(top: Callable[..., Terminal], daemon: Daemon) -> None:
    with top(TERM="dumb") as terminal:
        assert terminal.ended() == 2
        assert b"cannot be painted on" in terminal.raw
        assert b"\x1b" not in terminal.raw


def test_a_wrong_configuration_is_told_before_the_terminal_is_taken(
    top: Callable[..., Terminal], shell: Shell
) -> None:
    Path(shell.site).write_text("queues: 7\n")
    with top() as terminal:
        assert terminal.ended() == 2
        assert b"\x1b" not in terminal.raw
