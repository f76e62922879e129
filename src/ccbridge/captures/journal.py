"""The journal of inputs: what was decided from, beside what was decided. For looking back only.

A folder of captures (``lines``), named by the moment they begin. Each begins with the whole switchboard, so
each can be replayed on its own; the oldest go when there are too many bytes or days of them, or when the
disk has little room left. They hold callers' numbers and keyed digits: nobody but the daemon's user may read
them.

Whatever goes wrong here costs inputs of this journal and is counted; it never costs a call. A line waits in
memory until the loop has nothing to do, or until a record is about to be written that follows from it: so
no record of the event journal is without its input. Writing is one ``write(2)`` without fsync.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

FILE_BYTES = 16 * 2**20  # a new file is begun at this size, and at this age, seconds:
FILE_AGE = 86_400.0
WAITING_BYTES = 2**20  # lines that wait for the loop to be idle
PRUNE_EVERY = 60.0  # seconds
RETRY_EVERY = 5.0  # seconds until a new file is tried after a fault
RESERVE = 256 * 2**20  # bytes of the disk that are left to others, the event journal above all
MODE = 0o600


class InputJournal:
    """``note``, ``flush``, ``turn`` and ``close`` belong to the loop; ``prune`` may be called from a thread.

    ``begin`` gives the first line of a file: where the switchboard stands, with all that was noted so far.
    """

    def __init__(
        self,
        folder: Path,
        begin: Callable[[], bytes],
        *,
        keep_days: float,
        keep_bytes: int,
        reserve: int = RESERVE,
    ) -> None:
        self.folder = folder
        self.dropped = 0  # lines lost to a fault
        self.trouble = ""  # why nothing is being written; "" while all is well
        self._begin = begin
        self._keep_seconds = keep_days * 86_400.0
        self._keep_bytes = keep_bytes
        self._file_bytes = min(FILE_BYTES, keep_bytes // 4)
        self._reserve = reserve
        self._lines: list[bytes] = []
        self._waiting = 0  # their bytes
        self._descriptor = -1
        self._path: Path | None = None
        self._size = 0
        self._turn_at = 0.0  # monotonic: when a new file is due by age, or is tried again
        self._pruned: tuple[Path | None, float] = (None, 0.0)  # with which newest file, and when

    def open(self) -> None:
        """Begin the first file."""
        self._turn(time.monotonic())

    def note(self, line: bytes) -> None:
        """Take one line. The loop's own way: no fault comes back from here."""
        if self._descriptor < 0:
            self.dropped += 1
            return
        self._lines.append(line)
        self._waiting += len(line)
        if self._waiting > WAITING_BYTES:
            self.flush()

    def lost(self, why: str) -> None:
        """A line could not be made: what follows it in this file would be replayed wrongly."""
        self.flush()
        self.dropped += 1
        self._stop(why)

    def flush(self) -> None:
        """Write what waits."""
        if not self._lines:
            return
        data = self._lines[0] if len(self._lines) == 1 else b"".join(self._lines)
        try:
            _write(self._descriptor, data)
        except OSError as error:
            self.dropped += len(self._lines)
            self._stop(str(error))
        else:
            self._size += len(data)
        self._lines.clear()
        self._waiting = 0

    def turn(self, now: float) -> None:
        """Between two inputs: begin a new file if it is time. ``now`` is the monotonic clock."""
        if self._size >= self._file_bytes or now >= self._turn_at:
            self.flush()
            self._turn(now)

    def anew(self) -> None:
        """A new file at the next ``turn``."""
        self._turn_at = 0.0

    def prune(self) -> list[str]:
        """Delete the oldest finished files that are too many or too old; returns their names.

        Looks after each new file, and once a minute. Reads the disk: for a thread. Raises OSError."""
        newest, now = self._path, time.monotonic()
        if newest == self._pruned[0] and now < self._pruned[1] + PRUNE_EVERY:
            return []
        self._pruned = (newest, now)
        files = [path for path in sorted(self.folder.glob("*.jsonl"))[:-1] if path != newest]
        sizes = {path: path.stat() for path in files}
        total = sum(stat.st_size for stat in sizes.values()) + self._size
        gone = []
        for path, stat in sizes.items():
            old = time.time() - stat.st_mtime > self._keep_seconds
            if not old and total <= self._keep_bytes and shutil.disk_usage(self.folder).free > self._reserve:
                continue
            path.unlink(missing_ok=True)
            total -= stat.st_size
            gone.append(path.name)
        return gone

    def close(self) -> None:
        self.flush()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _turn(self, now: float) -> None:
        self.close()
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        path = self.folder / f"{moment}.jsonl"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free < self._reserve:
                raise OSError("the disk has little room left")
            first = self._begin()
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, MODE)
            _write(self._descriptor, first)
        except (OSError, ValueError) as error:
            self._stop(str(error))
            return
        if self.trouble:
            log.warning("inputs_written_again", lost=self.dropped)
            self.trouble = ""
        self._path, self._size = path, len(first)
        self._turn_at = now + FILE_AGE

    def _stop(self, why: str) -> None:
        """What comes now is lost, until a new file can be begun: one with a hole could not be replayed."""
        if why != self.trouble:
            log.error("inputs_not_written", reason=why)
        self.trouble = why
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._turn_at = time.monotonic() + RETRY_EVERY


def _write(descriptor: int, data: bytes) -> None:
    """All of it. A torn line, should the disk end in the middle, is one that ``lines.read`` leaves out."""
    done = 0
    while done < len(data):
        done += os.write(descriptor, data[done:] if done else data)
