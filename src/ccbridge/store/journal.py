"""The append-only journal: what happened, on this machine's disk, before anything is done about it.

Segments ``NNNNNNNN.jsonl`` in one folder, one JSON object a line::

    {"seq": 41, "w": 1763774000.1, "t": "checkpoint", "state": {...}}    first line of every segment
    {"seq": 42, "w": 1763774000.2, "t": "call_event", "call": ..., "at": ..., ...}

``seq`` counts records, over restarts too; a checkpoint bears the number of the last record
before it. ``w`` is the wall clock at the appending. A segment is a whole: its checkpoint and the records
after it are all that a start needs.

``append`` is one ``write(2)`` without fsync, so a killed daemon loses nothing and a power cut loses what
``sync`` (called each second, from a thread) had not reached. Rows of that tail may already be in the
database under numbers that the journal would give away again, therefore a boot of the machine moves
``seq`` on by ``BOOT_GAP``.

A disk that takes nothing (full, read-only, broken) stops no call: what was appended waits in memory, in
order, and is written once it can be. Only a kill in that time, or more than ``UNWRITTEN_KEPT`` records,
loses any; the numbers of lost ones stay unused.
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
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import structlog

from ccbridge.core.records import Record, from_dict, to_dict
from ccbridge.store.segments import JournalBroken as JournalBroken
from ccbridge.store.segments import Line as Line
from ccbridge.store.segments import Reader as Reader
from ccbridge.store.segments import first_line, parse, segment_numbers, segment_path

log = structlog.get_logger(__name__)

SEGMENT_BYTES = 8 * 2**20  # some 25,000 records: read in about a fifth of a second at a start
BOOT_GAP = 1_000_000  # far more than is written between two syncs
UNWRITTEN_KEPT = 200_000  # records that may wait for a disk: some 60 MB, hours of calls
RETRY_EVERY = 0.5  # seconds between two attempts on a disk that takes nothing
PIECE_BYTES = 64 * 1024  # written at once of what waits: the first one shows whether there is room
FLUSH_BYTES = 4 * 2**20  # of one flush, so that the loop is held for milliseconds only
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Checkpoint = Callable[[], dict[str, Any] | None]


class JournalLocked(Exception):
    """Another process has this journal open."""


class JournalFull(Exception):
    """No room on the disk for a new segment."""


class Journal:
    """Made by ``Journal.open``. ``append``, ``flush`` and ``close`` belong to one thread (the daemon's loop);
    ``sync`` and ``prune`` may be called from another, readers from a third."""

    def __init__(self, folder: Path, segment_bytes: int, checkpoint: Checkpoint) -> None:
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.checkpoint = checkpoint
        self.node = ""
        self.last_seq = 0  # the last number that was given away
        self.written_seq = 0  # the last record that is in the files
        self.base = 0  # the number before its first record
        self.unwritten = 0  # records that wait for the disk to take them
        self.dropped = 0  # records lost because too many waited
        self.trouble = ""  # why nothing is being written, one sentence; "" while all is well
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
        # what waits: one entry an append, so that no decision is written in part
        self._waiting: deque[tuple[int, bytes]] = deque()  # (records, their lines)
        self._flush_at = 0.0  # monotonic; what follows too
        self._rotate_at = 0.0
        self._note_at = 0.0
        self._hole = False  # records were dropped that no checkpoint holds yet
        self._gaps: list[tuple[int, int]] = []  # (after this number, so many were never used)

    @classmethod
    def open(
        cls,
        folder: Path,
        segment_bytes: int = SEGMENT_BYTES,
        checkpoint: Checkpoint = lambda: None,
    ) -> Self:
        """Open or create the journal in ``folder``.

        ``checkpoint`` is called at the end of an ``append`` or ``flush`` and returns the state that holds
        exactly all records appended so far, JSON values only; so append all records of one decision in one
        call, and do not flush between changing the state and appending.
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
        """Write the records and return the last one's ``seq``.

        When the disk does not take them they wait in memory (``unwritten``, ``trouble``) and are tried again
        by later calls and by ``flush``; the cost of a call does not grow with what waits. Raises TypeError or
        ValueError for what JSON cannot hold, and then nothing was appended.
        """
        if not records:
            return self.last_seq
        now = time.time()
        numbered = enumerate(records, self.last_seq + 1)
        lines = [_encode({"seq": seq, "w": now, **to_dict(record)}) for seq, record in numbered]
        if self._descriptor < 0:
            raise ValueError("the journal is closed")
        self.last_seq += len(lines)
        self.unwritten += len(lines)
        self._waiting.append((len(lines), b"".join(lines)))
        if len(self._waiting) == 1 or time.monotonic() >= self._flush_at:
            self.flush()
        if self.unwritten > UNWRITTEN_KEPT:
            self._drop_oldest()
        return self.last_seq

    def flush(self) -> int:
        """Try to write what waits, ``FLUSH_BYTES`` of it at most; returns how many records still wait.

        Cheap when nothing waits or the disk still takes nothing. Raises nothing for a fault of the disk.
        """
        if not self._waiting:
            return 0
        limit = self.committed[1] + FLUSH_BYTES
        while self._waiting and self.committed[1] < limit:
            try:
                self._write_piece()
            except (JournalFull, OSError) as error:
                self._write_failed(str(error))
                break
        else:
            if not self._waiting:
                self._all_written()
        self._flush_at = time.monotonic() + RETRY_EVERY
        return self.unwritten

    def records_after(self, seq: int) -> int:
        """How many records after number ``seq`` are in the files; numbers never used do not count."""
        last = self.written_seq
        unused = sum(max(0, min(after + count, last) - max(after, seq)) for after, count in self._gaps)
        return max(0, last - seq - unused)

    def recover(self) -> tuple[dict[str, Any] | None, list[Record]]:
        """The newest checkpoint (None: there is none yet) and the records after it, as found at open.

        Raises JournalBroken."""
        lines, self._recovered = self._recovered, []  # handed out once: it may be megabytes
        if not lines:
            return None, []
        try:
            return lines[0]["state"], [_record(line) for line in lines[1:]]
        except (KeyError, TypeError) as error:
            where = segment_path(self.folder, self.committed[0])
            raise JournalBroken(
                f"{where}: holds a record that this version does not know: {error}"
            ) from error

    def resume(self, seq: int) -> None:
        """An empty journal goes on after number ``seq``, in the place of one that is gone, and takes up the
        checkpoint of this moment. Raises JournalFull, OSError."""
        if self.last_seq > self.base:
            raise ValueError("this journal has records of its own")
        self.base = self.last_seq = self.written_seq = seq
        self._begin(1, self.checkpoint())

    def rotate(self) -> None:
        """Begin a new segment with a checkpoint of this moment. Raises JournalFull, OSError.

        JournalFull also while records wait: a checkpoint holds what is before it, and nothing else."""
        if self.flush():
            raise JournalFull(f"{self.unwritten} records wait to be written: {self.trouble}")
        self._begin(self.committed[0] + 1, self.checkpoint())

    def sync(self) -> None:
        """fsync what was appended. Blocks for as long as the disk takes: call it from a thread.

        Raises OSError."""
        with self._descriptors:
            if self._descriptor < 0:
                return
            current = os.dup(self._descriptor)
            retired, self._retired = self._retired, []
        with contextlib.ExitStack() as closing:
            for descriptor in (*retired, current):
                closing.callback(os.close, descriptor)
            for descriptor in (*retired, current):
                os.fdatasync(descriptor)

    def prune(self, shipped: int, keep_seconds: float) -> list[str]:
        """Delete finished segments whose records are all shipped and that are older than ``keep_seconds``;
        returns their names. Reads the disk: call it from a thread."""
        gone = []
        segments = segment_numbers(self.folder)
        for segment, following in itertools.pairwise(segments):
            path = segment_path(self.folder, segment)
            try:
                # the next segment's checkpoint bears the last number of this one
                last = first_line(segment_path(self.folder, following))["seq"]
            except JournalBroken as error:
                log.error("journal_not_pruned", error=str(error))
                break
            if last > shipped:
                break
            if time.time() - path.stat().st_mtime < keep_seconds:
                break
            path.unlink()
            gone.append(path.name)
        return gone

    def reader(self, after: int) -> Reader:
        """A reader whose first record is the one after ``seq`` ``after``."""
        return Reader(self.folder, lambda: self.committed, after)

    def close(self) -> None:
        """Write what waits, sync, close, and let others open it. What cannot be written now is lost, and told
        in the log. Raises OSError when the sync fails; it is closed then too."""
        before = -1
        while before != (before := self.unwritten) and before:
            self.flush()
        if self.unwritten:
            log.error("journal_records_lost", records=self.unwritten, reason=self.trouble)
            self._waiting.clear()
            self.unwritten = 0
        try:
            self.sync()
        finally:
            with self._descriptors:
                if self._descriptor >= 0:
                    os.close(self._descriptor)
                    self._descriptor = -1
            if self._lock_descriptor >= 0:
                os.close(self._lock_descriptor)
                self._lock_descriptor = -1

    # -- writing ----------------------------------------------------------------------------------

    def _write_piece(self) -> None:
        """Write the oldest ``PIECE_BYTES`` of what waits, in whole appends. Raises JournalFull, OSError."""
        segment, start = self.committed
        if self.trouble:  # the attempt that failed may have left a torn line
            os.ftruncate(self._descriptor, start)
        count = size = entries = 0
        for records, lines in self._waiting:
            if size >= PIECE_BYTES:
                break
            count, size, entries = count + records, size + len(lines), entries + 1
        piece = b"".join(self._waiting[n][1] for n in range(entries))
        written = _write_whole(self._descriptor, piece, start)
        for _ in range(entries):
            self._waiting.popleft()
        first = self.last_seq - self.unwritten + 1  # what waits has its numbers without a gap
        if first > self.written_seq + 1:
            self._gaps.append((self.written_seq, first - 1 - self.written_seq))
        self.unwritten -= count
        self.written_seq = self.last_seq - self.unwritten
        self.committed = (segment, start + written)

    def _write_failed(self, reason: str) -> None:
        if reason != self.trouble:  # each reason once, not each attempt
            log.error("journal_not_written", reason=reason, waiting=self.unwritten)
        self.trouble = reason

    def _all_written(self) -> None:
        if self.trouble:
            log.warning("journal_written_again", lost=self.dropped)
            self.trouble = ""
        now = time.monotonic()
        if not self._boot_noted and now >= self._note_at:
            self._note_boot()
        if (self._hole or self.committed[1] >= self.segment_bytes) and now >= self._rotate_at:
            self._rotate_if_room()

    def _drop_oldest(self) -> None:
        """So long without a disk that memory is the next to end. The next checkpoint mends the state."""
        if not self._hole:
            log.error("journal_drops_records", kept=UNWRITTEN_KEPT, reason=self.trouble)
        self._hole = True
        while self.unwritten > UNWRITTEN_KEPT and len(self._waiting) > 1:
            count, _ = self._waiting.popleft()
            self.unwritten -= count
            self.dropped += count

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
        segments = segment_numbers(self.folder)
        while segments:
            path = segment_path(self.folder, segments[-1])
            lines, good = parse(path)
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
        if segments[0] == 1:
            with contextlib.suppress(JournalBroken):  # whoever comes to read it says so
                self.base = first_line(segment_path(self.folder, 1))["seq"]
        self._cut(path, good)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        self.committed = (segments[-1], good)
        self.last_seq = self.written_seq = lines[-1]["seq"]
        for one, following in itertools.pairwise(line["seq"] for line in lines):
            if following > one + 1:
                self._gaps.append((one, following - one - 1))
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
        """Best effort: without the note a later start only leaves a gap that was not needed."""
        try:
            _replace(self.folder / "boot", _boot())
        except OSError as error:
            if self._note_at == 0.0:
                log.error("journal_boot_not_noted", error=str(error))
            self._note_at = time.monotonic() + RETRY_EVERY
            self._boot_noted = False
        else:
            self._boot_noted = True

    # -- segments ---------------------------------------------------------------------------------

    def _rotate_if_room(self) -> None:
        """The records are safe already, so a lack of room for the checkpoint only puts the rotation off."""
        try:
            self._begin(self.committed[0] + 1, self.checkpoint())
        except (JournalFull, OSError) as error:
            self._rotate_at = time.monotonic() + RETRY_EVERY
            self.rotations_failed += 1
            if self.rotations_failed == 1:
                log.error("journal_rotation_failed", error=str(error))
        else:
            self.rotations_failed = 0

    def _begin(self, segment: int, state: dict[str, Any] | None) -> None:
        line = _encode({"seq": self.written_seq, "w": time.time(), "t": "checkpoint", "state": state})
        path = segment_path(self.folder, segment)
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
        self._hole = False


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
