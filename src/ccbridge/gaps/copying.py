"""Asterisk's own files -> PostgreSQL, exactly once.

The rows of a piece and the new position are one transaction, so the database itself says where to go on;
each row also has a key of its own, so a file that is read again adds nothing. What is no row goes to
``file_reject`` with its place and the reason, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

import psycopg
import structlog

from ccbridge.gaps.follow import Piece, Stand, read_on
from ccbridge.gaps.lines import BadLine
from ccbridge.store import urls
from ccbridge.store.rows import Db
from ccbridge.store.shipper import poison

log = structlog.get_logger(__name__)

LONGEST = 2000  # characters of a refused line that are kept

# The lock keeps a second jobs process from reading the same piece.
POSITION = """
SELECT inode, extract(epoch FROM updated_at)::float, head, head_size, byte, line FROM file_position
WHERE system = %s AND path = %s"""
LOCK = "SELECT pg_advisory_xact_lock(hashtext(%s))"
MOVE = """
INSERT INTO file_position (system, path, inode, updated_at, head, head_size, byte, line)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (system, path) DO UPDATE SET inode = EXCLUDED.inode, updated_at = EXCLUDED.updated_at,
    head = EXCLUDED.head, head_size = EXCLUDED.head_size, byte = EXCLUDED.byte, line = EXCLUDED.line"""
REJECT = """
INSERT INTO file_reject (system, file, line, found_at, text, error) VALUES (%s, %s, %s, now(), %s, %s)"""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Followed(Generic[T]):
    """One file: how a line becomes a row, and how rows are stored."""

    path: Path
    system: str
    row_of: Callable[[bytes, str], T]
    store: Callable[[Db, Sequence[T]], None]


def position(db: Db, system: str, path: Path) -> Stand | None:
    """How far the file was read; None when it never was."""
    row = db.execute(POSITION, (system, str(path))).fetchone()
    return None if row is None else Stand(*row)


def copy_piece(db: Db, file: Followed[T], now: float) -> bool:
    """Read one piece of the file; True when there may be more at once.

    ``now``: epoch seconds. Raises psycopg.Error; OSError when the file cannot be read.
    """
    with db.transaction():
        db.execute(LOCK, (f"ccbridge {file.system} {file.path}",))
        piece = read_on(file.path, position(db, file.system, file.path), now)
        if piece is None:
            return False
        if piece.lost:
            log.warning("file_lost", file=str(file.path), goes_on_with=piece.file)
        _store(db, file, piece)
        stand = piece.stand
        at = datetime.fromtimestamp(stand.at, UTC)
        values = (stand.inode, at, stand.head, stand.head_size, stand.byte, stand.line)
        db.execute(MOVE, (file.system, str(file.path), *values))
    return True


def _store(db: Db, file: Followed[T], piece: Piece) -> None:
    good: list[tuple[int, bytes, T]] = []
    for number, line in piece.lines:
        if not line.strip():
            continue
        try:
            good.append((number, line, file.row_of(line, file.system)))
        except BadLine as error:
            _reject(db, file, piece, number, line, error)
    if not good:
        return
    try:
        with db.transaction():
            file.store(db, [row for _, _, row in good])
    except Exception as error:
        if not poison(error):
            raise
        # one by one, so that the bad ones are found
        for number, line, row in good:
            try:
                with db.transaction():
                    file.store(db, [row])
            except Exception as own:
                if not poison(own):
                    raise
                _reject(db, file, piece, number, line, own)


def _reject(db: Db, file: Followed[T], piece: Piece, number: int, line: bytes, error: Exception) -> None:
    # the place and the kind of error only: the line itself may hold a person's data
    log.error("line_rejected", file=piece.file, line=number, error=type(error).__name__)
    reason = str(error) if isinstance(error, BadLine) else f"{type(error).__name__}: {error}"
    text, reason = (
        one.replace("\0", "\\0").encode(errors="backslashreplace").decode()[:LONGEST]
        for one in (line.decode(errors="backslashreplace"), reason)
    )
    db.execute(REJECT, (file.system, str(file.path.with_name(piece.file)), number, text, reason))


def connect(url: str) -> Db:
    """A connection for the copying. Raises psycopg.OperationalError."""
    return psycopg.connect(urls.for_libpq(url), **urls.keepalive(60.0), autocommit=True)
