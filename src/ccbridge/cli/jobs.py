"""``ccbridge jobs``: the slow work, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import click

from ccbridge.config import DEFAULT_PATH, ConfigErrors, Site, load
from ccbridge.jobs import run_jobs


@click.command()
@click.option(
    "-c", "--config", "file", type=click.Path(path_type=Path), envvar="CCBRIDGE_CONFIG", default=DEFAULT_PATH,
    show_default=True, help="The configuration file.",
)  # fmt: skip
def jobs(file: Path) -> None:
    """Finish recordings and make the events' partitions, until TERM or INT."""
    try:
        site = load(file)
    except ConfigErrors as errors:
        for mistake in errors.mistakes:
            click.echo(str(mistake), err=True)
        raise SystemExit(2) from None
    asyncio.run(_until_told(site))


async def _until_told(site: Site) -> None:
    task = asyncio.create_task(run_jobs(site))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
