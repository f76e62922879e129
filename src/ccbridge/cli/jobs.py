"""``ccbridge jobs``: the slow work, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import click

from ccbridge.cli.here import Here, pass_here, with_config
from ccbridge.config import Site
from ccbridge.jobs import run_jobs
from ccbridge.logs import logging_to_stderr


@click.command()
@with_config
@pass_here
def jobs(here: Here) -> None:
    """Finish recordings, read Asterisk's own files, make the events' partitions, until TERM or INT."""
    site = here.site(secrets=True)
    with logging_to_stderr(site.log.format, site.log.level):
        asyncio.run(_until_told(site))


async def _until_told(site: Site) -> None:
    task = asyncio.create_task(run_jobs(site))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
