"""The journal's segments on the disk, and the reader that follows them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class JournalBroken(Exception):
    """A segment of the journal cannot be read; the message names it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One record as it stands in the journal. ``data`` is the record's dict without ``seq`` and ``w``."""

    seq: int
    written: float
    data: dict[str, Any]


class Reader:
    """Follows the journal from one ``seq`` on. May live in another thread than the writer's."""

    def __init__(self, folder: Path, committed: Callable[[], tuple[int, int]], after: int) -> None:
        self._folder = folder
        self._committed = committed  # the newest segment, and how many of its bytes count
        self.seq = after  # the last record that was handed out
        self._segment = 0
        self._descriptor = -1
        self._offset = 0
        self._seen = 0  # the last number read, handed out or not
        self._ready: list[Line] = []

    def read(self, limit: int = 500) -> list[Line]:
        """The next records, at most ``limit``; an empty list when there are none now.

        Raises JournalBroken, or OSError when a segment was taken away by hand.
        """
        while len(self._ready) < limit and self._fill():
            pass
        batch, self._ready = self._ready[:limit], self._ready[limit:]
        if batch:
            self.seq = batch[-1].seq
        return batch

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _fill(self) -> bool:
        """Read one piece of the journal; False when all that is committed was read."""
        segment, size = self._committed()  # before anything else: what follows it is not yet ours
        if self._descriptor < 0:
            self._enter(self._start())
        if self._segment < segment:
            size = os.fstat(self._descriptor).st_size  # finished: it only ever grows while it is the newest
        if self._offset >= size:
            if self._segment >= segment:
                return False
            self._enter(self._after(self._segment))
            return True
        piece = os.pread(self._descriptor, min(size - self._offset, 256 * 1024), self._offset)
        end = piece.rfind(b"\n") + 1
        if end == 0:  # a line longer than a piece, such as the checkpoint of a busy day
            piece = os.pread(self._descriptor, size - self._offset, self._offset)
            end = piece.find(b"\n") + 1
            if end == 0:
                raise JournalBroken(f"{segment_path(self._folder, self._segment)}: the last line has no end")
        for raw in piece[:end].splitlines():
            line = self._line(raw)
            self._seen = line.seq
            if line.seq > self.seq and line.data.get("t") != "checkpoint":
                self._ready.append(line)
        self._offset += end
        return True

    def _line(self, raw: bytes) -> Line:
        """A damaged line becomes a record of type ``damaged``: neither is it lost nor does it block."""
        try:
            data = json.loads(raw)
            return Line(data.pop("seq"), data.pop("w"), data)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            log.error("journal_line_damaged", segment=self._segment, after=self._seen, error=repr(error))
            text = raw.decode("latin-1")
            return Line(self._seen + 1, time.time(), {"t": "damaged", "raw": text})

    def _start(self) -> int:
        """The newest segment whose checkpoint is not after our position."""
        found = segment_numbers(self._folder)
        if not found:
            raise JournalBroken(f"{self._folder}: the segments are gone")
        for segment in reversed(found):
            if first_line(segment_path(self._folder, segment))["seq"] <= self.seq:
                return segment
        first = found[0]
        log.error("journal_gap", wanted=self.seq + 1, segment=first)  # pruned or removed by hand
        return first

    def _after(self, segment: int) -> int:
        later = [one for one in segment_numbers(self._folder) if one > segment]
        if not later:
            raise JournalBroken(f"{segment_path(self._folder, segment)}: the segment after it is gone")
        return min(later)

    def _enter(self, segment: int) -> None:
        self.close()
        self._descriptor = os.open(segment_path(self._folder, segment), os.O_RDONLY)
        self._segment, self._offset = segment, 0


def segment_path(folder: Path, segment: int) -> Path:
    """A segment's file."""
    return folder / f"{segment:08d}.jsonl"


def segment_numbers(folder: Path) -> list[int]:
    """The numbers of those that are there, ascending."""
    return sorted(int(path.stem) for path in folder.glob("[0-9]*.jsonl"))


def first_line(path: Path) -> dict[str, Any]:
    """A segment's checkpoint. Raises JournalBroken, OSError."""
    with open(path, "rb") as file:
        raw = file.readline()
    try:
        line = json.loads(raw)
    except ValueError as error:
        raise JournalBroken(f"{path}: the first line is damaged") from error
    if not isinstance(line, dict) or not isinstance(line.get("seq"), int):
        raise JournalBroken(f"{path}: the first line is not a checkpoint")
    return line


def parse(path: Path) -> tuple[list[dict[str, Any]], int]:
    """All whole lines up to the first damaged one, and the bytes they take. Nothing without a checkpoint."""
    lines: list[dict[str, Any]] = []
    good = 0
    with open(path, "rb") as file:
        for raw in file:
            try:
                line = json.loads(raw) if raw.endswith(b"\n") else None
            except ValueError:
                break
            if not isinstance(line, dict) or not isinstance(line.get("seq"), int):
                break
            if not lines and line.get("t") != "checkpoint":
                break
            lines.append(line)
            good += len(raw)
    return lines, good
