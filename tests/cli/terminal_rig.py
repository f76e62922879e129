"""A terminal for one program: a real pseudo-terminal, and what a person would see on it."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from control_rig import WAIT
from rich.cells import cell_len

# The pseudo-terminal becomes the one that its session belongs to: so Ctrl-C, Ctrl-Z and its loss are signals.
SESSION = "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
CCBRIDGE = "from ccbridge.cli import main; main(sys.argv[1:], prog_name='ccbridge')"
BASH = "os.execvp('bash', ['bash', '--norc', '--noediting', '-i'])"
SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")


class Terminal:
    """``program`` with ``words`` on a terminal of ``columns`` x ``lines``."""

    def __init__(
        self, *words: str, program: str = CCBRIDGE, columns: int = 100, lines: int = 30, **environment: str
    ) -> None:
        self.master, self.slave = os.openpty()
        self.columns, self.lines = columns, lines
        self._resize(columns, lines)
        self.before = termios.tcgetattr(self.slave)
        self.raw = b""
        self._heard = 0
        self.rows: list[list[str]] = [[]]
        self.alternate, self.cursor, self.at = False, True, (0, 0)
        self.whole = False  # painted down to the last line's end, and nothing since
        self._rest = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", SESSION + program, *words],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={**os.environ, "TERM": "xterm-256color", **environment},
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait(WAIT)
        for end in (self.master, self.slave):
            if end >= 0:
                os.close(end)

    # -- what a person does

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """As a window's corner is dragged: the kernel sends SIGWINCH."""
        self.columns, self.lines = columns, lines
        self.spoil()
        self._resize(columns, lines)

    def spoil(self) -> None:
        """Whatever stood there: the next picture has to cover all of it."""
        self.rows = [["#"] * self.columns for _ in range(self.lines)]
        self.whole = False

    def take_away(self) -> None:
        """The window is closed."""
        os.close(self.master)
        os.close(self.slave)
        self.master = self.slave = -1

    # -- what he sees

    @property
    def screen(self) -> list[str]:
        return ["".join(row).rstrip() for row in self.rows]

    @property
    def settings(self) -> list[Any]:
        return termios.tcgetattr(self.slave)

    def see(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """Wait until a whole picture is as ``condition`` says, and give it."""
        deadline = time.monotonic() + WAIT
        while not (self.whole and condition(self.screen)):
            assert time.monotonic() < deadline, "\n".join(self.screen)
            self._read(0.05)
        return self.screen

    def read_text(self, text: str) -> list[str]:
        return self.see(lambda screen: text in "\n".join(screen))

    def hear(self, text: bytes) -> None:
        """Wait for ``text`` among what has come since the last time."""
        deadline = time.monotonic() + WAIT
        while (found := self.raw.find(text, self._heard)) < 0:
            assert time.monotonic() < deadline, self.raw[self._heard :]
            self._read(0.05)
        self._heard = found + len(text)

    def ended(self) -> int:
        """The exit code."""
        deadline = time.monotonic() + WAIT
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            if self.master >= 0:
                self._read(0.05)
            else:
                time.sleep(0.01)
        if self.master >= 0:
            self._read(0)
        return self.process.returncode

    def stopped(self) -> bool:
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    # -- a small terminal

    def _resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _read(self, seconds: float) -> None:
        while select.select([self.master], [], [], seconds)[0]:
            data = os.read(self.master, 65536)
            self.raw += data
            self._rest += data
            self._show()
            seconds = 0

    def _show(self) -> None:
        """Only what rich and the tty send is known here: anything else fails the test."""
        text = self._rest.decode("utf-8", "ignore")
        # a sequence or a character that was cut waits for its other half
        whole = text[: text.rindex("\x1b")] if re.search(r"\x1b(\[[?0-9;]*)?$", text) else text
        if text.encode() != self._rest:
            return
        self._rest = text[len(whole) :].encode()
        place = 0
        for found in SEQUENCE.finditer(whole):
            self._print(whole[place : found.start()])
            self._steer(*found.groups())
            place = found.end()
        self._print(whole[place:])

    def _steer(self, private: str, numbers: str, what: str) -> None:
        match private, numbers, what:
            case "?", "1049", "h" | "l":
                self.alternate = what == "h"
                self.rows = [[" "] * self.columns for _ in range(self.lines)]
            case "?", "25", "h" | "l":
                self.cursor = what == "h"
            case "", _, "H":
                row, _, column = numbers.partition(";")
                self.at = (int(row or 1) - 1, int(column or 1) - 1)
                self.whole = False
            case "", _, "m":
                pass
            case _:
                raise AssertionError(f"what is this: {private}{numbers}{what}")

    def _print(self, text: str) -> None:
        if not self.alternate:
            return  # words before and after: not the picture
        row, column = self.at
        for character in text:
            assert character.isprintable(), repr(text)
            cells = cell_len(character)
            assert row < self.lines, text
            assert column + cells <= self.columns, f"over the edge of {self.columns}: {text!r}"
            if cells:
                self.rows[row][column : column + cells] = [character, *[""] * (cells - 1)]
            else:
                self.rows[row][column - 1] += character
            column += cells
        self.at = (row, column)
        self.whole = self.at == (self.lines - 1, self.columns)
