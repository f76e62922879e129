"""What the demo shows while it runs: a table that changes on a terminal, one line a step anywhere else."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text


class Shown(Protocol):
    """A call, as the screen needs it."""

    story: str
    state: str

    @property
    def shown(self) -> str: ...


class Screen:
    """Seconds on it count from its making."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            # nobody looks at the width of a pipe: nothing is wrapped
            self.console = Console(highlight=False, width=10_000, no_color=True)
        self._begun = time.monotonic()
        self._calls: Sequence[Shown] = ()
        self._done: set[int] = set()
        self._live: Live | None = None

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._begun

    def say(self, text: str = "") -> None:
        """A line that stays; nothing in it is markup."""
        self.console.print(Text(text))

    def step(self, text: str) -> None:
        """A line that stays, with the time."""
        self.say(f"{self.seconds:5.1f} s  {text}")

    @contextmanager
    def watching(self, calls: Sequence[Shown]) -> Iterator[None]:
        """While the calls run: show how each stands."""
        self._calls = calls
        if not self.console.is_terminal:
            yield
            return
        with Live(console=self.console, get_renderable=self._table, refresh_per_second=8) as self._live:
            yield
        self._live = None

    def now(self, call: Shown, state: str, *, done: bool = False) -> None:
        """A call has come to this."""
        if call.state == state:
            return
        call.state = state
        if done:
            self._done.add(id(call))
        if self._live is None:
            self.step(f"{call.shown}: {state}")

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), title=f"{self.seconds:.0f} s", title_justify="left")
        for column in ("caller", "story", "now"):
            table.add_column(column, no_wrap=True)
        for call in self._calls:
            style = "green" if id(call) in self._done else "bold" if call.state else "dim"
            table.add_row(Text(call.shown, style), Text(call.story, style), Text(call.state or "-", style))
        return table
