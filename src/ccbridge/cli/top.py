"""``ccbridge top``: queues, who waits, and agents, while it happens."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from ccbridge.cli import show
from ccbridge.cli.here import Away, Here, NotDone, WrongUse, common, pass_here
from ccbridge.cli.picture import Gone, Seen, picture, whole
from ccbridge.cli.screen import Screen, TerminalGone
from ccbridge.control.client import ControlClient, DaemonAway

# Seconds for one answer. A key that is pressed while the daemon hangs is heard after that.
PATIENCE = 2.0
END = frozenset("qQ")


class Refused(Exception):
    """The daemon has answered, and not with what was asked; the message is its own."""


@click.command()
@click.option(
    "--every",
    type=click.FloatRange(0.2, 60),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="The time between two looks at the daemon, 0.2 to 60 seconds.",
)
@click.option("--once", is_flag=True, help="Print one picture as plain text and end.")
@common
@pass_here
def top(here: Here, every: float, once: bool, as_json: bool) -> None:
    """Queues, who waits, and agents, once a second; q or Ctrl-C ends it.

    With --json one picture as data.
    """
    if math.isnan(every):
        raise click.BadParameter("it is no number of seconds", param_hint="'--every'")
    live = not (once or as_json)
    if live and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WrongUse("ccbridge top: input or output is no terminal; --once prints one picture anywhere")
    if live and os.environ.get("TERM") in ("dumb", "unknown"):
        raise WrongUse("ccbridge top: this terminal cannot be painted on (TERM); --once prints one picture")
    path = here.site().control.socket
    if live:
        _live(path, every)
        return
    try:
        seen = look(path)
    except DaemonAway as away:
        raise Away(str(away)) from away
    except Refused as refused:
        raise NotDone(show.plain(str(refused))) from refused
    if as_json:
        show.as_json(
            {"status": seen.status, "queues": seen.queues, "waiting": seen.line, "agents": seen.agents}
        )
        return
    for line in whole(seen):
        click.echo(line)


def look(path: Path) -> Seen:
    """The daemon at this moment. Raises DaemonAway, or Refused by a daemon of another version.

    Four questions, so that the daemon's loop routes calls between two of the answers.
    """
    with ControlClient(path, PATIENCE) as client:
        answers = []
        for do in ("status", "queue.list", "call.waiting", "agent.list"):
            answer = client.ask(do)
            if not answer.ok:
                raise Refused(answer.text)
            answers.append(answer.data)
    return Seen(datetime.now(UTC), *answers)


def _live(path: Path, every: float) -> None:
    """Until a key or a signal ends it; exit code 0 for q and Ctrl-C, 128 + its number for another signal."""
    footer = f"q or Ctrl-C ends. Every {every:g} s."
    seen: Seen | Gone | None = None
    try:
        with Screen() as screen:
            while True:
                seen = _looked(path, seen)
                due = time.monotonic() + every
                while (left := due - time.monotonic()) > 0:
                    width, height = screen.size()
                    screen.paint(picture(seen, width, height, footer), width)
                    heard = screen.wait(left)
                    if signal.SIGINT in heard.signals or heard.keys & END:
                        return
                    for ending in {signal.SIGTERM, signal.SIGHUP} & heard.signals:
                        sys.exit(128 + ending)
                    if signal.SIGTSTP in heard.signals:
                        screen.stop()
                    elif signal.SIGCONT in heard.signals:
                        screen.take()
    except TerminalGone:
        sys.exit(128 + signal.SIGHUP)


def _looked(path: Path, before: Seen | Gone | None) -> Seen | Gone:
    try:
        return look(path)
    except (DaemonAway, Refused) as error:
        now = datetime.now(UTC)
        return Gone(now, before.since if isinstance(before, Gone) else now, str(error))
