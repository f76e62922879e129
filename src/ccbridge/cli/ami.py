"""``ccbridge ami``: what the PBX says, kept in a file to be looked at or sent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from ccbridge.ami.errors import LoginRefused
from ccbridge.captures import lines
from ccbridge.captures.anonymise import Anonymiser
from ccbridge.captures.lines import CaptureBroken, Line
from ccbridge.captures.record import Recorder
from ccbridge.cli import show
from ccbridge.cli.here import Away, Here, WrongUse, pass_here, with_config
from ccbridge.cli.replay import reason

CONNECT_LIMIT = 10.0  # seconds

NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def ami() -> None:
    """What Asterisk's manager interface says."""


@ami.command()
@click.argument("file", type=NEW_FILE)
@click.option("--seconds", type=click.FloatRange(min=0.1), help="Stop after so long; else at Ctrl-C.")
@click.option(
    "--anonymise", is_flag=True, help="Numbers and names replaced, each by the same one throughout."
)
@with_config
@pass_here
def record(here: Here, file: Path, seconds: float | None, anonymise: bool) -> None:
    """Write all that the PBX says from now on into FILE, for `ccbridge replay` or for a bug report.

    Over an AMI session of its own: the daemon may run or not, and is not disturbed.
    """
    site = here.site(secrets=True)
    hide = Anonymiser() if anonymise else None
    with _new(file) as out:

        def write(line: Line) -> None:
            out.write(lines.dump([line if hide is None else hide.line(line)]))
            out.flush()

        recorder = Recorder(site, write)
        try:
            asyncio.run(_record(recorder, seconds))
        except LoginRefused as refused:
            raise WrongUse(f"Asterisk refused the AMI login: {show.plain(str(refused))}") from refused
        except TimeoutError as late:
            where = f"{site.asterisk.host}:{site.asterisk.port}"
            raise Away(f"no Asterisk answers on {where} (AMI)") from late
    click.echo(f"{recorder.events} events of Asterisk {show.plain(recorder.asterisk)} in {file}")


@ami.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("file", type=NEW_FILE)
def anonymise(source: Path, file: Path) -> None:
    """Copy the capture SOURCE to FILE with numbers and names replaced, each by the same one throughout."""
    hide = Anonymiser()
    with _new(file) as out:
        try:
            for line in lines.read(source):
                out.write(lines.dump([hide.line(line)]))
        except (CaptureBroken, OSError) as error:
            raise WrongUse(reason(error)) from error
    click.echo(f"{file}: look at it before you send it")


@contextlib.contextmanager
def _new(file: Path) -> Iterator[BinaryIO]:
    """A new file that only its owner may read: it may hold numbers. Raises WrongUse."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise WrongUse(f"{file} is there already; name another") from error
    except OSError as error:
        raise WrongUse(f"{file} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield out
    except BaseException:
        file.unlink(missing_ok=True)
        raise


async def _record(recorder: Recorder, seconds: float | None) -> None:
    """Until the time is over, or INT or TERM comes. Raises LoginRefused, TimeoutError without an Asterisk."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    running = loop.create_task(recorder.run())
    try:
        await _first(running, recorder.begun, CONNECT_LIMIT)
        if recorder.begun.is_set():
            await _first(running, stop, seconds)
        elif not running.done():
            raise TimeoutError
    finally:
        recorder.close()
        await running


async def _first(running: asyncio.Task[None], event: asyncio.Event, seconds: float | None) -> None:
    """Until the event, the end of the task or the time."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({running, waiting}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
