"""A growing file, read piece by piece, across its rotations.

Where one stands is a value (``Stand``) that the caller keeps; nothing is held open in between. The file is
known by its inode and by a digest of its first bytes, so that it is found again after a rename
(``ccbridge.csv.1``) and also in the copy that logrotate's ``copytruncate`` makes; compressed copies are read,
too. A line counts when its end is written.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

CHUNK = 256 * 1024  # bytes read at once; a longer line is cut, and its parts are no rows
HEAD = 512  # bytes by which a file is known again
SETTLED = 2.0  # seconds without a change after which a rotated file is taken to be finished


@dataclass(frozen=True, slots=True)
class Stand:
    """How far one file was read, and when (epoch seconds)."""

    inode: int
    at: float
    head: str = ""  # digest of the first ``head_size`` bytes
    head_size: int = 0
    byte: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """What was read: the file's name, whole lines with their numbers from 1, and where that leaves us.

    ``lost``: the file that we stood in is gone or was cut short, and no copy of it is here.
    """

    file: str
    lines: list[tuple[int, bytes]]
    stand: Stand
    lost: bool = False


def read_on(path: Path, stand: Stand | None, now: float) -> Piece | None:
    """The next piece after ``stand`` (None: of all that there is); None when there is nothing new.

    ``now``: epoch seconds. Raises OSError.
    """
    if stand is None:
        first = _written_since(path, 0.0) or path
        return _begin(first, now) if first.exists() else None
    if path.exists() and _is(path, stand):
        # not begun, and meanwhile it was perhaps copied away and cut: what is in the copy comes first
        older = _written_since(path, stand.at) if stand.byte == 0 else None
        return _begin(older, now) if older else _piece(path, stand, now)
    copies = [one for one in _rotated(path) if _is(one, stand)]
    if not copies:
        return _newer(path, stand.at, None, now)
    last_write = copies[0].stat().st_mtime
    settled = now - last_write > SETTLED
    piece = _piece(copies[0], stand, now, last=settled)
    if piece is None and settled:
        return _newer(path, last_write, copies[0], now)
    return piece


def behind(path: Path, stand: Stand | None) -> int:
    """Bytes of the file itself that are still to be read."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    return size - stand.byte if stand is not None and _is(path, stand) else size


def _newer(path: Path, since: float, done: Path | None, now: float) -> Piece | None:
    """The file after the one that is ``done`` (None: lost): the oldest that was written to since then."""
    file = _written_since(path, since, done) or path
    return _begin(file, now, lost=done is None) if file.exists() else None  # None: not made anew yet


def _begin(file: Path, now: float, *, lost: bool = False) -> Piece:
    return Piece(file.name, [], Stand(file.stat().st_ino, now), lost)


def _written_since(path: Path, since: float, done: Path | None = None) -> Path | None:
    """The oldest rotated file that was written to after that moment (epoch seconds)."""
    times = {one: one.stat().st_mtime for one in _rotated(path) if one != done}
    return min((one for one, at in times.items() if at > since), key=times.__getitem__, default=None)


def _rotated(path: Path) -> list[Path]:
    return [one for one in path.parent.glob(f"{path.name}?*") if one.is_file()]


def _is(path: Path, stand: Stand) -> bool:
    """Whether this is the file that we stand in, or a copy of it."""
    if stand.head_size == 0:
        return path.stat().st_ino == stand.inode
    if path.suffix != ".gz" and path.stat().st_size < stand.byte:
        return False
    with _opened(path) as file:
        return _digest(file.read(stand.head_size)) == stand.head


def _piece(path: Path, stand: Stand, now: float, *, last: bool = False) -> Piece | None:
    """``last``: nothing will be added, so what has no end of line is a line, too."""
    with _opened(path) as file:
        file.seek(stand.byte)
        data = file.read(CHUNK)
        end = data.rfind(b"\n") + 1
        if end == 0 and (len(data) == CHUNK or last):
            end = len(data)
        if end == 0:
            return None
        lines = data[:end].removesuffix(b"\n").split(b"\n")
        there = replace(stand, at=now, byte=stand.byte + end, line=stand.line + len(lines))
        if there.head_size < HEAD:
            file.seek(0)
            size = min(HEAD, there.byte)
            there = replace(there, head=_digest(file.read(size)), head_size=size)
    return Piece(path.name, list(enumerate(lines, stand.line + 1)), there)


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
