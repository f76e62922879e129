"""Recordings: two mono files, as the PBX leaves them, become one stereo file.

Asterisk writes ``<path>-r.wav`` (what the caller said) and ``<path>-t.wav`` (what he heard: the agent), both
8 kHz, 16 bit. The result is ``<path>.wav``: left the caller, right the agent. It appears under its name only
when it is whole, and the halves go only after that, so it may be interrupted anywhere and run again.
"""

from __future__ import annotations

import array
import contextlib
import hashlib
import os
import sys
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO

RATE = 8000  # samples a second
HEADER = 44  # bytes of a wav file without a sample
PIECE = 64 * 1024  # samples of one side handled at once: memory stays the same for any length


class RecordingBroken(Exception):
    """The files of a recording cannot be made into one; the message says why."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished stereo file. ``duration_s`` is seconds, ``sha256`` the file's in hex."""

    path: Path
    duration_s: float
    bytes: int
    sha256: str


def inside(directory: Path, path: str) -> Path:
    """The recording's path, without suffix, below ``directory``. Raises RecordingBroken if it leads out."""
    if not path or path.startswith("/") or ".." in Path(path).parts or "\0" in path:
        raise RecordingBroken(f"the path {path!r} is not inside the recordings' directory")
    return directory / path


def halves(base: Path) -> tuple[Path, Path]:
    """The caller's file and the agent's."""
    return base.with_name(base.name + "-r.wav"), base.with_name(base.name + "-t.wav")


def stereo(base: Path) -> Path:
    """The finished file."""
    return base.with_name(base.name + ".wav")


def finish(base: Path) -> Finished | None:
    """Make ``<base>.wav`` of the two halves, delete them, and measure the result.

    A half may be missing or shorter: that side is silent there. None when there is no sound at all; the
    files are then deleted. Blocks for some 50 ms per minute of speech. Raises RecordingBroken, OSError.
    """
    caller, agent = halves(base)
    made = stereo(base)
    if not made.exists():
        if not caller.exists() and not agent.exists():
            raise RecordingBroken("neither side's file is there")
        with _Side(caller) as left, _Side(agent) as right:
            if left.left + right.left == 0:
                discard(base)
                return None
            _interleave(left, right, made)
    # from here on the stereo file is the recording, also in a second run after an interruption
    measured = _measured(made)  # first: when it cannot be read, the halves are all there is
    caller.unlink(missing_ok=True)
    agent.unlink(missing_ok=True)
    return measured


def sweep_empty(directory: Path, days: Iterable[date], older_than: float) -> int:
    """Delete halves that hold a header and no sample; returns how many.

    The PBX opens the files before it dials, so an offer that nobody answered leaves two of them. ``days``:
    whose folders to look into; ``older_than``: epoch seconds, younger files may be in use. Raises OSError.
    """
    gone = 0
    for day in days:
        folder = directory / day.strftime("%Y/%m/%d")
        if not folder.is_dir():
            continue
        for entry in os.scandir(folder):
            if entry.name.endswith(("-r.wav", "-t.wav")):
                seen = entry.stat()
                if seen.st_size <= HEADER and seen.st_mtime < older_than:
                    os.unlink(entry.path)
                    gone += 1
    return gone


def discard(base: Path) -> None:
    """Delete whatever there is of a recording on which nobody talked."""
    for path in (*halves(base), stereo(base)):
        path.unlink(missing_ok=True)


def newest_change(base: Path) -> float | None:
    """When the PBX last wrote to a half (epoch seconds); None when there is none."""
    times = []
    for path in halves(base):
        with contextlib.suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return max(times, default=None)


class _Side:
    """The samples of one half. The header's length is not believed: a killed Asterisk never wrote it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self.left = 0  # samples still to read

    def __enter__(self) -> _Side:
        with contextlib.suppress(FileNotFoundError):
            self._file = open(self._path, "rb")
        if self._file is not None:
            try:
                self.left = self._to_data(self._file) // 2
            except BaseException:
                self._file.close()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def read(self, count: int) -> array.array[int]:
        count = min(count, self.left)
        found = array.array("h")
        if count and self._file is not None:
            found.frombytes(self._file.read(count * 2))
        self.left -= len(found)
        return found

    def _to_data(self, file: BinaryIO) -> int:
        """Go to the first sample; returns how many bytes follow."""
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            return 0
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
            raise RecordingBroken(f"{self._path.name} is not a wav file")
        while len(chunk := file.read(8)) == 8:
            length = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                return size - file.tell()
            body = file.read(length + length % 2)
            if chunk[:4] == b"fmt ":
                kind, channels, rate = (
                    int.from_bytes(body[a:b], "little") for a, b in ((0, 2), (2, 4), (4, 8))
                )
                bits = int.from_bytes(body[14:16], "little")
                if (kind, channels, rate, bits) != (1, 1, RATE, 16):
                    raise RecordingBroken(
                        f"{self._path.name} is not mono PCM of {RATE} Hz and 16 bit "
                        f"(format {kind}, {channels} channels, {rate} Hz, {bits} bit)"
                    )
        return 0


def _interleave(left: _Side, right: _Side, made: Path) -> None:
    new = made.with_name(made.name + ".part")
    with open(new, "wb") as file:
        with wave.open(file, "wb") as out:
            out.setnchannels(2)
            out.setsampwidth(2)
            out.setframerate(RATE)
            while left.left or right.left:
                one, two = left.read(PIECE), right.read(PIECE)
                both = array.array("h", bytes(4 * max(len(one), len(two))))
                both[0 : 2 * len(one) : 2] = one
                both[1 : 2 * len(two) : 2] = two
                if sys.byteorder == "big":
                    both.byteswap()
                out.writeframesraw(both.tobytes())
        file.flush()
        os.fsync(file.fileno())
    new.replace(made)


def _measured(path: Path) -> Finished:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        with wave.open(str(path), "rb") as sound:
            seconds = sound.getnframes() / sound.getframerate()
    except (wave.Error, EOFError, ZeroDivisionError) as error:
        raise RecordingBroken(f"{path.name} is not a whole wav file: {error}") from error
    return Finished(path, round(seconds, 3), path.stat().st_size, digest)
