"""``ccbridge run``: the routing daemon in the foreground."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click
import structlog

from ccbridge.ami.errors import LoginRefused
from ccbridge.cli.here import Here, pass_here, with_config
from ccbridge.config import Site
from ccbridge.control.server import SocketTaken
from ccbridge.control.wire import Answer
from ccbridge.daemon import Daemon, DaemonRefused
from ccbridge.logs import logging_to_stderr
from ccbridge.store.journal import JournalBroken, JournalFull, JournalLocked

log = structlog.get_logger(__name__)

# Stopping has an order, and a limit: after this the process ends as it stands. The journal is safe anyhow.
STOP_LIMIT = 15.0


@click.command()
@with_config
@pass_here
def run(here: Here) -> None:
    """Run the routing daemon until TERM or INT; HUP reloads the configuration.

    Exit codes: 0 stopped, 1 a fault, 2 mistakes in the configuration or a login that Asterisk refused,
    3 another daemon runs already or something it needs is not there.
    """
    site = here.site(secrets=True)
    with logging_to_stderr(site.log.format, site.log.level):
        code = _run(site, here.config_path())
    sys.exit(code)


# What can keep the daemon from running without being a fault of the program: what to say, exit code.
_REFUSALS: tuple[tuple[tuple[type[BaseException], ...], str, int], ...] = (
    ((LoginRefused,), "Asterisk refused the AMI login: check asterisk.user and its secret", 2),
    ((JournalLocked,), "another ccbridge daemon runs with this configuration", 3),
    ((SocketTaken,), "the control socket cannot be had", 3),
    ((DaemonRefused, JournalBroken, JournalFull), "cannot start", 3),
    ((OSError,), "the system refused something that the daemon needs", 3),
)


def _run(site: Site, path: Path) -> int:
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_until_stopped(site, path))
    except Exception as error:
        leaves = _leaves(error)
        for kinds, what, code in _REFUSALS:
            if all(isinstance(leaf, kinds) for leaf in leaves):
                log.error("daemon.refused", what=what, why="; ".join(map(str, leaves)))
                return code
        log.critical("daemon.failed", exc_info=error)
        return 1
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed (the extra ``uvloop``): twice the FastAGI sessions per second."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


async def _until_stopped(site: Site, path: Path) -> None:
    daemon = Daemon(site, path)
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[Answer]] = set()

    def reload() -> None:
        task = loop.create_task(daemon.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)
        task.add_done_callback(_reloaded)

    def stop() -> None:
        daemon.stop()
        loop.call_later(STOP_LIMIT, _give_up)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    await daemon.run()


def _reloaded(done: asyncio.Task[Answer]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        log.error("config.reload_failed", exc_info=error)


def _give_up() -> None:
    """Something hangs, perhaps a disk, and nothing that waits for threads would end: so leave without."""
    print(
        f"ccbridge: not stopped within {STOP_LIMIT:.0f} s, leaving as things stand",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)
