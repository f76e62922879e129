"""The jobs process: slow work beside the routing daemon, over the same database.

It may be killed at any moment: each piece of work can be done again, and the database learns of it only
when it is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import structlog
from sqlalchemy import text

from ccbridge.config import Site
from ccbridge.desk.recordings import (
    RecordingBroken,
    discard,
    finish,
    inside,
    newest_change,
    stereo,
    sweep_empty,
)
from ccbridge.gaps import accounts, lines
from ccbridge.gaps.copying import Followed, connect, copy_piece
from ccbridge.store import urls
from ccbridge.store.queries import StoreAway, finish_recording, reading, recordings_to_finish
from ccbridge.store.rows import store_cdrs

log = structlog.get_logger(__name__)

POLL = 1.0  # seconds between two looks for recordings
SETTLE = 1.0  # seconds a file must be unchanged: the PBX closes it a moment after the end
MISSING_AFTER = 60.0  # seconds after the end when a recording without files has failed
RETRY_FOR = 3600.0  # seconds after the end in which a fault of the disk is tried again
AWAY = 10.0  # seconds to wait while the database is away
PARTITIONS_EVERY = 6 * 3600.0  # seconds
SWEEP_EVERY = 600.0  # seconds between two looks for files of offers that nobody answered
SWEEP_AGE = 300.0  # seconds: no phone rings that long
TICKETS_EVERY = 60.0  # seconds between two looks for calls that the daemon never saw
PRUNE_EVERY = 6 * 3600.0  # seconds
PIECES = 50  # of a file, before other work has its turn
ADD_PARTITIONS = "SELECT ccbridge_add_partitions((now() - interval '1 month')::date, 25)"


async def run_jobs(site: Site) -> None:
    """Work until cancelled. A database that is away is waited for."""
    url = site.database.url.get_secret_value()
    async with asyncio.TaskGroup() as both:
        both.create_task(work(url, Path(site.recording.directory)))
        both.create_task(catch_up(url, followed(site), keep_days=site.catch_up.keep_days))


def followed(site: Site) -> list[Followed[Any]]:
    """Asterisk's own files, and what becomes of their lines."""
    system, country = site.asterisk.system, site.callers.country
    agents = {agent.device: agent.id for agent in site.plan.agents.values()}
    queues = frozenset(site.plan.queues)
    return [
        Followed(site.catch_up.cdr_file, system, lines.cdr, lambda db, rows: store_cdrs(db, rows, "file")),
        Followed(
            site.catch_up.cel_file, system, lines.cel,
            lambda db, rows: accounts.store_cel(db, rows, agents, queues, country),
        ),
    ]  # fmt: skip


async def catch_up(url: str, files: Sequence[Followed[Any]], poll: float = POLL, keep_days: int = 14) -> None:
    """Copy Asterisk's own files, until cancelled. ``poll``: seconds between two looks."""
    trouble, tickets_due, prune_due = "", 0.0, 0.0
    while True:
        wait = poll
        try:
            if await asyncio.to_thread(_copy, url, files):
                wait = 0.0
            if time.monotonic() >= tickets_due:
                await asyncio.to_thread(_open_tickets, url)
                tickets_due = time.monotonic() + TICKETS_EVERY
            if time.monotonic() >= prune_due:
                await asyncio.to_thread(_prune, url, keep_days)
                prune_due = time.monotonic() + PRUNE_EVERY
            trouble = ""
        except (psycopg.Error, OSError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            if reason != trouble:  # each reason once, not each attempt
                log.warning("catch_up_waits", reason=reason, database=urls.address(url))
            trouble, wait = reason, max(poll, AWAY)
        await asyncio.sleep(wait)


def _copy(url: str, files: Sequence[Followed[Any]]) -> bool:
    """Some pieces of each file; True when there is more."""
    more = False
    with contextlib.closing(connect(url)) as db:
        for file in files:
            left = PIECES
            while left and copy_piece(db, file, time.time()):
                left -= 1
            more = more or not left
    return more


def _open_tickets(url: str) -> None:
    with contextlib.closing(connect(url)) as db:
        count = accounts.open_tickets(db)
    if count:
        log.info("unseen_calls", tickets=count)


def _prune(url: str, days: int) -> None:
    with contextlib.closing(connect(url)) as db:
        accounts.prune(db, days)


async def work(url: str, directory: Path, poll: float = POLL) -> None:
    """``run_jobs`` on a database and a folder. ``poll``: seconds."""
    partitions_due = sweep_due = 0.0
    away = False
    while True:
        wait = poll
        try:
            for row in await asyncio.to_thread(_waiting, url):
                await asyncio.to_thread(_finish, url, directory, row)  # one by one: a stop waits for one only
            if time.monotonic() >= partitions_due:
                await asyncio.to_thread(_add_partitions, url)
                partitions_due = time.monotonic() + PARTITIONS_EVERY
            if time.monotonic() >= sweep_due:
                await asyncio.to_thread(_sweep, directory)
                sweep_due = time.monotonic() + SWEEP_EVERY
            away = False
        except StoreAway as error:
            if not away:
                log.warning("jobs_wait", reason=str(error))
            away, wait = True, max(poll, AWAY)
        await asyncio.sleep(wait)


def _waiting(url: str) -> list[dict[str, Any]]:
    with reading(url) as db:
        return recordings_to_finish(db)


def _finish(url: str, directory: Path, row: dict[str, Any]) -> None:
    """Finish one recording, or leave it for the next look while its files are still being written."""
    age = time.time() - row["ended_at"].timestamp()
    try:
        base = inside(directory, row["path"])
        changed = newest_change(base)
        if changed is not None and time.time() - changed < SETTLE:
            return
        if changed is None and not stereo(base).exists() and age < MISSING_AFTER:
            return
        made = None
        if row["answered"] is False:
            discard(base)
        else:
            made = finish(base)
    except OSError as error:
        if age < RETRY_FOR:  # a full disk, a missing right: somebody may mend it
            log.warning("recording_waits", call=row["call_id"], offer=row["offer"], error=str(error))
            return
        _failed(url, row, error)
        return
    except Exception as error:  # noqa: BLE001 whatever one file does to us, the other recordings go on
        _failed(url, row, error)
        return
    with reading(url) as db:
        if made is None:
            finish_recording(db, row["id"], "empty")
        else:
            finish_recording(
                db, row["id"], "ready", duration_s=made.duration_s, bytes_=made.bytes, sha256=made.sha256
            )


def _failed(url: str, row: dict[str, Any], error: Exception) -> None:
    expected = isinstance(error, RecordingBroken | OSError)
    reason = str(error) if expected else f"{type(error).__name__}: {error}"
    log.error(
        "recording_failed",
        call=row["call_id"],
        offer=row["offer"],
        error=reason,
        exc_info=None if expected else error,
    )
    # a file's name may hold what no text of the database can
    reason = reason.replace("\0", "\\0").encode(errors="backslashreplace").decode()
    with reading(url) as db:
        finish_recording(db, row["id"], "failed", error=reason)


def _sweep(directory: Path) -> None:
    now = time.time()
    days = {datetime.fromtimestamp(at, UTC).date() for at in (now, now - 86_400.0)}
    try:
        count = sweep_empty(directory, days, now - SWEEP_AGE)
    except OSError as error:
        log.warning("sweep_failed", error=str(error))
        return
    if count:
        log.info("empty_files_removed", count=count)


def _add_partitions(url: str) -> None:
    with reading(url, 60.0) as db, contextlib.closing(db.execute(text(ADD_PARTITIONS))) as made:
        count = made.scalar_one()
    if count:
        log.info("partitions_added", count=count)
