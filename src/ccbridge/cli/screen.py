"""The whole terminal for a while, and all of it given back: its settings, what stood on it, the cursor.

rich paints, which draws the other commands' tables: whole lines, measured and coloured by one library.
curses would measure each character once more, by the locale, and wants its database to know the terminal.
What rich has not is here, from the standard library: keys, sizes, signals.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

# Each is told by `wait`, instead of ending the process in the middle of a line.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)
UNKNOWN = (80, 24)  # columns and lines of a terminal that does not say, such as a serial line


class TerminalGone(Exception):
    """The terminal was taken away: its window is closed, its connection lost."""


class Heard(NamedTuple):
    """What came while the screen waited: keys as characters, numbers of signals."""

    keys: frozenset[str]
    signals: frozenset[int]


class Screen:
    """Standard input and output, both of one terminal, from ``with`` to its end.

    Everything raises TerminalGone once that is so; the end of ``with`` does not.
    """

    def __init__(self) -> None:
        self._keys = sys.stdin.fileno()
        self._out = sys.stdout.fileno()
        # A file of its own: a name that the terminal's charset lacks must not end the picture.
        file = open(self._out, "w", encoding=sys.stdout.encoding, errors="replace", closefd=False)  # noqa: SIM115
        self._console = Console(file=file, force_terminal=True, highlight=False)

    def __enter__(self) -> Screen:
        self._before = termios.tcgetattr(self._keys)
        self._told, self._tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._handlers = {one: signal.signal(one, _noted) for one in SIGNALS}
        self._wakeup = signal.set_wakeup_fd(self._tell, warn_on_full_buffer=False)
        try:
            self.take()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def size(self) -> tuple[int, int]:
        """Columns and lines at this moment: the terminal's own word, not that of COLUMNS and LINES."""
        with _there():
            columns, lines = os.get_terminal_size(self._out)
        return columns or UNKNOWN[0], lines or UNKNOWN[1]

    def paint(self, lines: Sequence[Text], width: int) -> None:
        """The lines from the top, each over the whole ``width``: nothing of what was there before is left."""
        options = self._console.options.update(width=width, no_wrap=True, overflow="crop")
        painted = [self._console.render_lines(line, options)[0] for line in lines]
        with _there():
            self._console.update_screen_lines(painted)

    def wait(self, seconds: float) -> Heard:
        """What is heard first; nothing after ``seconds``."""
        ready, _, _ = select.select([self._keys, self._told], [], [], seconds)
        signals = os.read(self._told, 256) if self._told in ready else b""
        keys = b""
        if self._keys in ready:
            with _there():
                keys = os.read(self._keys, 256)
            if not keys:
                raise TerminalGone
        return Heard(frozenset(keys.decode("latin-1")), frozenset(signals))

    def stop(self) -> None:
        """What Ctrl-Z asks for: the terminal is the shell's until the shell goes on with us."""
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # returns when we go on, or at once where there is no shell
        signal.signal(signal.SIGTSTP, _noted)
        self.take()

    def take(self) -> None:
        """Take the terminal; once more, after somebody else may have had it."""
        settings = [*self._before[:6], list(self._before[6])]
        settings[0] &= ~termios.IXON  # Ctrl-S would stop the output, and whoever writes could not be ended
        settings[3] &= ~(termios.ECHO | termios.ICANON)
        settings[6][termios.VMIN], settings[6][termios.VTIME] = 1, 0
        with _there():
            self._set(settings)
            self._console.set_alt_screen(True)
            self._console.show_cursor(False)

    def _give_back(self) -> None:
        with _there():
            self._console.show_cursor(True)
            self._console.set_alt_screen(False)
            self._set(self._before)

    def _set(self, settings: list[Any]) -> None:
        """Also when a signal comes in the middle, as SIGCONT does to who waited in the background for it."""
        while True:
            try:
                return termios.tcsetattr(self._keys, termios.TCSAFLUSH, settings)
            except termios.error as error:
                if error.args[0] != errno.EINTR:
                    raise

    def _leave(self) -> None:
        try:
            self._give_back()
        except TerminalGone:
            pass  # then there is nobody to give it back to
        finally:
            signal.set_wakeup_fd(self._wakeup)
            for one, handler in self._handlers.items():
                signal.signal(one, handler)
            os.close(self._told)
            os.close(self._tell)


@contextmanager
def _there() -> Iterator[None]:
    """EIO is the kernel's word for a terminal that was taken away. Raises TerminalGone."""
    try:
        yield
    except (OSError, termios.error) as error:
        if error.args[0] != errno.EIO:
            raise
        raise TerminalGone from error


def _noted(number: int, frame: FrameType | None) -> None:
    """Nothing to do: its number is in the pipe by now."""
