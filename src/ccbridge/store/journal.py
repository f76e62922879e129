"""The append-only journal: what happened, on this machine's disk, before anything is done about it.

Segments ``NNNNNNNN.jsonl`` in one folder, one JSON object a line::

    {"seq": 41, "w": 1763774000.1, "t": "checkpoint", "state": {...}}    first line of every segment
    {"seq": 42, "w": 1763774000.2, "t": "call_event", "call": ..., "at": ..., ...}

``seq`` counts records, without a gap over restarts; a checkpoint bears the number of the last record
before it. ``w`` is the wall clock at the writing. A segment is a whole: its checkpoint and the records
after it are all that a start needs.

``append`` is one ``write(2)`` without fsync, so a killed daemon loses nothing and a power cut loses what
``sync`` (called each second, from a thread) had not reached. Rows of that tail may already be in the
database under numbers that the journal would give away again, therefore a boot of the machine moves
``seq`` on by ``BOOT_GAP``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import structlog

from ccbridge.core.records import Record, from_dict, to_dict

log = structlog.get_logger(__name__)

SEGMENT_BYTES = 8 * 2**20  # some 25,000 records: read in about a fifth of a second at a start
BOOT_GAP = 1_000_000  # far more than is written between two syncs
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Checkpoint = Callable[[], dict[str, Any] | None]


class JournalLocked(Exception):
    """Another process has this journal open."""


class JournalFull(Exception):
    """No room on the disk: nothing of this append is in the journal, and it can be tried again."""




class Journal:
    """Made by ``Journal.open``. ``append`` and ``close`` belong to one thread (the daemon's loop);
    ``sync`` and ``prune`` may be called from another, readers from a third."""

    def __init__(self, folder: Path, segment_bytes: int, checkpoint: Checkpoint) -> None:
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.checkpoint = checkpoint
        self.node = ""
        self.last_seq = 0
        self.cut_bytes = 0  # torn off at open
        self.rotations_failed = 0
        # (segment, bytes that count): replaced as a whole, so a reader in another thread sees no mixture,
        # and never the lines of a write that was undone
        self.committed: tuple[int, int] = (0, 0)
        self._lock_descriptor = -1
        self._descriptor = -1
        self._retired: list[int] = []  # descriptors of finished segments, still to be synced
        self._descriptors = threading.Lock()  # sync must not meet a descriptor that close has given back
        self._recovered: list[dict[str, Any]] = []  # the newest segment's lines
        self._boot_noted = True

    @classmethod
    def open(
        cls,
        folder: Path,
        segment_bytes: int = SEGMENT_BYTES,
        checkpoint: Checkpoint = lambda: None,
    ) -> Self:
        """Open or create the journal in ``folder``.

        ``checkpoint`` is called at the end of the append that fills a segment and returns the state that
        holds exactly all records appended so far, JSON values only; so append all records of one decision
        in one call.
        Raises JournalLocked, JournalFull, JournalBroken, OSError.
        """
        folder.mkdir(parents=True, exist_ok=True)
        journal = cls(folder, segment_bytes, checkpoint)
        journal._lock()
        try:
            journal._identify()
            journal._open_newest()
        except BaseException:
            journal.close()
            raise
        return journal

    def append(self, records: Sequence[Record]) -> int:
        """Write the records, all or none, and return the last one's ``seq``. Raises JournalFull."""
        if not records:
            return self.last_seq
        now = time.time()
        seq = self.last_seq
        lines = []
        for record in records:
            seq += 1
            lines.append(_encode({"seq": seq, "w": now, **to_dict(record)}))
        segment, size = self.committed
        size += _write_whole(self._descriptor, b"".join(lines), size)
        self.last_seq = seq
        self.committed = (segment, size)
        if not self._boot_noted:
            self._note_boot()
        if size >= self.segment_bytes:
            self._rotate_if_room()
        return seq

    def recover(self) -> tuple[dict[str, Any] | None, list[Record]]:
        """The newest checkpoint (None: there is none yet) and the records after it, as found at open.

        Raises JournalBroken."""
        lines, self._recovered = self._recovered, []  # handed out once: it may be megabytes
        if not lines:
            return None, []
        try:
            return lines[0]["state"], [_record(line) for line in lines[1:]]
        except (KeyError, TypeError) as error:
            where = segments.path(self.folder, self.committed[0])
            raise JournalBroken(
                f"{where}: holds a record that this version does not know: {error}"
            ) from error

    def rotate(self) -> None:
        """Begin a new segment with a checkpoint of this moment. Raises JournalFull, OSError."""
        self._begin(self.committed[0] + 1, self.checkpoint())

    def sync(self) -> None:
        """fsync what was appended. Blocks for as long as the disk takes: call it from a thread."""
        with self._descriptors:
            if self._descriptor < 0:
                return
            current = os.dup(self._descriptor)
            retired, self._retired = self._retired, []
        for descriptor in (*retired, current):
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

    def prune(self, shipped: int, keep_seconds: float) -> list[str]:
        """Delete finished segments whose records are all shipped and that are older than ``keep_seconds``;
        returns their names. Reads the disk: call it from a thread."""
        gone = []
        segments = segments.segments(self.folder)
        for segment, following in itertools.pairwise(segments):
            path = segments.path(self.folder, segment)
            # the next segment's checkpoint bears the last number of this one
            if segments.first_line(segments.path(self.folder, following))["seq"] > shipped:
                break
            if time.time() - path.stat().st_mtime < keep_seconds:
                break
            path.unlink()
            gone.append(path.name)
        return gone

    def reader(self, after: int) -> Reader:
        """A reader whose first record is the one after ``seq`` ``after``."""
        return Reader(self, after)

    def close(self) -> None:
        """Sync, close, and let others open it."""
        self.sync()
        with self._descriptors:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
        if self._lock_descriptor >= 0:
            os.close(self._lock_descriptor)
            self._lock_descriptor = -1

    # -- opening ----------------------------------------------------------------------------------

    def _lock(self) -> None:
        self._lock_descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o640)
        try:
            fcntl.flock(self._lock_descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock_descriptor)
            self._lock_descriptor = -1
            raise JournalLocked(f"{self.folder}: another process has this journal open") from None

    def _identify(self) -> None:
        path = self.folder / "node"
        if not path.exists():
            _replace(path, f"{uuid.uuid4()}\n".encode())
        self.node = str(uuid.UUID(path.read_text().strip()))

    def _open_newest(self) -> None:
        for unfinished in self.folder.glob("*.new"):  # killed in the middle of a rotation
            unfinished.unlink()
        segments = segments.segments(self.folder)
        while segments:
            path = segments.path(self.folder, segments[-1])
            lines, good = segments.parse(path)
            if lines:
                break
            # a power cut left a segment without even its checkpoint
            self.cut_bytes += path.stat().st_size
            log.warning("journal_segment_dropped", segment=path.name, bytes=path.stat().st_size)
            path.rename(path.with_suffix(".cut"))
            segments.pop()
        if not segments:
            self._begin(1, None)
            self._note_boot()
            return
        self._cut(path, good)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        self.committed = (segments[-1], good)
        self.last_seq = lines[-1]["seq"]
        self._recovered = lines
        if _boot() != self._noted_boot():
            self.last_seq += BOOT_GAP
            # noted only once a record bears the new numbers, else a second start would go back behind them
            self._boot_noted = False

    def _cut(self, path: Path, good: int) -> None:
        size = path.stat().st_size
        if size == good:
            return
        self.cut_bytes += size - good
        log.warning("journal_tail_cut", segment=path.name, bytes=size - good)
        with open(path, "r+b") as file:
            file.seek(good)
            tail = file.read()
            if b"\n" in tail:  # more than one torn line: a damaged disk; keep it for whoever looks
                path.with_suffix(".cut").write_bytes(tail)
            file.truncate(good)

    def _noted_boot(self) -> bytes:
        path = self.folder / "boot"
        return path.read_bytes() if path.exists() else b""

    def _note_boot(self) -> None:
        (self.folder / "boot").write_bytes(_boot())
        self._boot_noted = True

    # -- segments ---------------------------------------------------------------------------------

    def _rotate_if_room(self) -> None:
        """The records are safe already, so a lack of room for the checkpoint only puts the rotation off."""
        try:
            self.rotate()
        except (JournalFull, OSError) as error:
            self.rotations_failed += 1
            if self.rotations_failed == 1:
                log.error("journal_rotation_failed", error=str(error))
        else:
            self.rotations_failed = 0

    def _begin(self, segment: int, state: dict[str, Any] | None) -> None:
        line = _encode({"seq": self.last_seq, "w": time.time(), "t": "checkpoint", "state": state})
        path = segments.path(self.folder, segment)
        new = path.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o640)
        try:
            size = _write_whole(descriptor, line, 0)
            new.rename(path)  # so a segment without its checkpoint never bears a segment's name
        except BaseException:
            os.close(descriptor)
            new.unlink(missing_ok=True)
            raise
        with self._descriptors:
            if self._descriptor >= 0:
                self._retired.append(self._descriptor)
            self._descriptor = descriptor
        self.committed = (segment, size)


def _encode(data: dict[str, Any]) -> bytes:
    # ASCII escapes: whatever a trunk put into a name can be written, and cut, at any byte
    return json.dumps(data, separators=(",", ":")).encode("ascii") + b"\n"


def _record(line: dict[str, Any]) -> Record:
    return from_dict({key: value for key, value in line.items() if key not in ("seq", "w")})


def _write_whole(descriptor: int, data: bytes, start: int) -> int:
    """Write all of ``data`` at the end of a file of ``start`` bytes, or leave the file as it was."""
    done = 0
    try:
        while done < len(data):
            done += os.write(descriptor, data[done:] if done else data)
    except OSError as error:
        with contextlib.suppress(OSError):  # should this fail too, the next open cuts the torn line
            os.ftruncate(descriptor, start)
        if error.errno in NO_ROOM:
            raise JournalFull(f"the journal's disk is full: {error.strerror}") from error
        raise
    return len(data)


def _boot() -> bytes:
    """Which run of the machine this is."""
    return BOOT_ID.read_bytes() if BOOT_ID.exists() else b""


def _replace(path: Path, content: bytes) -> None:
    """Write a small file so that a power cut leaves the old one or the new one."""
    new = path.with_name(path.name + ".tmp")
    with open(new, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
