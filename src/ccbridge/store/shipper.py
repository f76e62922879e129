"""The shipper: journal -> PostgreSQL, in order, exactly once, for ever.

A batch and the new position are one transaction, so the database itself says where to go on. A database
that is absent, slow or frozen is only lag: the work is done in a thread of its own, and the loop that
started it cuts a connection that takes too long. A record that the database refuses is put into
``ship_reject`` with the reason, and the rest goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import structlog

from ccbridge.core.records import from_dict
from ccbridge.store import urls, version
from ccbridge.store.cut import cut
from ccbridge.store.journal import Journal, JournalBroken, Line
from ccbridge.store.rows import Db, Numbered, moment, store

log = structlog.get_logger(__name__)

BATCH = 500  # records in one transaction: some 20 ms of work
POLL = 0.1  # seconds between two looks at an idle journal
STATEMENT_LIMIT = 10.0  # seconds, kept by the server
BATCH_LIMIT = 15.0  # seconds, kept by us, for a server that keeps nothing
STOP_LIMIT = 3.0  # seconds for what is still to be copied at a stop
HINT_EVERY = 5.0  # seconds

INSERT_POSITION = """
INSERT INTO ship_position (node, seq, updated_at) VALUES (%s, %s, now()) ON CONFLICT (node) DO NOTHING"""
POSITION = "SELECT seq FROM ship_position WHERE node = %s"
MOVE = "UPDATE ship_position SET seq = %s, updated_at = now() WHERE node = %s AND seq = %s"
REJECT = """
INSERT INTO ship_reject (node, seq, written_at, record, error) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (node, seq) DO NOTHING"""


class ShipmentRefused(Exception):
    """The database is there but cannot take our rows yet; the message says what to do."""


def backoff() -> Iterator[float]:
    """Seconds to wait before the next attempt: 0.2 doubling to 10, then 10 for ever."""
    delay = 0.2
    while True:
        yield delay
        delay = min(10.0, delay * 2)


def poison(error: BaseException) -> bool:
    """Whether a record, and not the database's state, is the reason: another attempt would fail likewise."""
    if isinstance(error, psycopg.DataError | psycopg.IntegrityError):
        return True
    if isinstance(error, psycopg.ProgrammingError):
        # no code: a value that psycopg cannot send; 42804: one of the wrong type
        return error.sqlstate in (None, "42804")
    return isinstance(error, ValueError | TypeError | KeyError | OverflowError)


class Shipper:
    """Copies ``journal`` to the database at ``url``. ``run`` is its one task."""

    def __init__(
        self,
        journal: Journal,
        url: str,
        *,
        delays: Callable[[], Iterator[float]] = backoff,
        batch_limit: float = BATCH_LIMIT,
    ) -> None:
        self._journal = journal
        self._node = UUID(journal.node)
        self._url = url
        self._delays = delays
        self._batch_limit = batch_limit
        self._hint = journal.folder / "shipped"
        self.shipped = max(_number_in(self._hint), journal.base)  # last seq in the database
        self.rejected = 0
        self.reconnects = 0
        self.trouble = ""  # why nothing is being copied, one sentence, "" while all is well
        self._oldest: float | None = None  # when the oldest record that waits was written
        self._stop = threading.Event()
        self._guard = threading.Lock()  # a connection is not closed while it is being cut
        self._db: Db | None = None
        self._deadline = float("inf")
        self._hinted = 0.0

    @property
    def lag_records(self) -> int:
        """Records of the journal that wait to be copied."""
        return self._journal.records_after(self.shipped)

    @property
    def lag_seconds(self) -> float:
        """Age of the oldest record that waits; 0 when none does."""
        oldest = self._oldest
        return 0.0 if oldest is None or not self.lag_records else max(0.0, time.time() - oldest)

    async def run(self) -> None:
        """Copy until cancelled; then copy what is left, for at most ``STOP_LIMIT`` seconds.

        Raises nothing of its own: whatever fails is told in ``trouble`` and tried again.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        thread = threading.Thread(target=self._thread, args=(loop, done), name="shipper", daemon=True)
        self._stop.clear()
        thread.start()
        try:
            while not done.done():
                await asyncio.wait({done}, timeout=min(0.25, self._batch_limit / 4))
                self._cut_overdue()
        finally:
            self._stop.set()
            limit = time.monotonic() + STOP_LIMIT
            # a login in progress cannot be cut, but has its own limit
            while not done.done() and time.monotonic() < limit + urls.CONNECT_LIMIT:
                self._deadline = min(self._deadline, limit)
                self._cut_overdue()
                await asyncio.wait({done}, timeout=0.05)
            if done.done() and (error := done.exception()):
                raise error

    # -- the thread -------------------------------------------------------------------------------

    def _thread(self, loop: asyncio.AbstractEventLoop, done: asyncio.Future[None]) -> None:
        error: BaseException | None = None
        try:
            self._work()
        except BaseException as caught:  # noqa: BLE001 handed to the task that awaits
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
            loop.call_soon_threadsafe(self._tell, done, error)

    @staticmethod
    def _tell(done: asyncio.Future[None], error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def _work(self) -> None:
        delays = self._delays()
        while True:
            try:
                with self._connected() as db:
                    self._check(db)
                    reader = self._journal.reader(self._position(db))
                    with contextlib.closing(reader):
                        while True:
                            stopping = self._stop.is_set()  # before the read: what was there then is copied
                            lines = reader.read(BATCH)
                            if lines:
                                self._copy_batch(db, lines)
                            # it works, and not before now: the next failure is told, after a short wait
                            self.trouble, delays = "", self._delays()
                            if not lines and stopping:
                                return
                            if not lines:
                                self._idle()
            except (psycopg.Error, ShipmentRefused, JournalBroken, OSError) as error:
                self._failed(error)
            except Exception as error:
                # our own fault; but callers are still routed, and the journal keeps what is not copied
                if str(error) != self.trouble:
                    log.exception("shipper_fault")
                self._failed(error)
            if self._stop.wait(next(delays)):
                return

    def _failed(self, error: Exception) -> None:
        self.reconnects += 1
        if self._oldest is None:  # nothing waited when it failed; from now on something may
            self._oldest = self._oldest_waiting()
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if reason != self.trouble:  # each reason once, not each attempt
            # a database may be away; a journal that cannot be read is another matter
            tell = log.error if isinstance(error, JournalBroken | OSError) else log.warning
            tell("shipper_waits", reason=reason, database=urls.address(self._url))
        self.trouble = reason

    def _oldest_waiting(self) -> float | None:
        """When the first record that waits was written; None when there is none, or none can be read."""
        try:
            with contextlib.closing(self._journal.reader(self.shipped)) as reader:
                first = reader.read(1)
        except Exception as error:  # noqa: BLE001 perhaps the very failure that is being told
            log.debug("journal_unreadable", reason=str(error))
            return None
        return first[0].written if first else None

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Db]:
        db = psycopg.connect(urls.for_libpq(self._url), **urls.keepalive(STATEMENT_LIMIT))
        with self._guard:
            self._db = db
            self._deadline = time.monotonic() + self._batch_limit
        try:
            yield db
        finally:
            with self._guard:
                self._db = None
                self._deadline = float("inf")
                db.close()

    def _cut_overdue(self) -> None:
        """Called from the loop's thread."""
        with self._guard:
            if self._db is not None and time.monotonic() > self._deadline:
                cut(self._db)

    def _check(self, db: Db) -> None:
        state = version.SchemaState(version.found(db), version.head())
        if not state.ok:
            raise ShipmentRefused(state.sentence)

    def _position(self, db: Db) -> int:
        db.execute(INSERT_POSITION, (self._node, self._journal.base))
        row = db.execute(POSITION, (self._node,)).fetchone()
        db.commit()
        if row is None:
            raise ShipmentRefused("ship_position lost our row between two statements")
        if row[0] > self._journal.last_seq:
            raise ShipmentRefused(
                f"the database has records up to {row[0]} of this journal, the journal itself ends at "
                f"{self._journal.last_seq}: its folder was set back; move it away so that a new one is made"
            )
        self.shipped = row[0]
        return self.shipped

    def _idle(self) -> None:
        """All is copied: wait a moment."""
        self._oldest = None
        self._deadline = float("inf")
        self._note_hint(now=False)
        self._stop.wait(POLL)

    def _copy_batch(self, db: Db, lines: list[Line]) -> None:
        self._oldest = lines[0].written
        self._deadline = time.monotonic() + self._batch_limit
        try:
            with db.transaction():
                store(db, self._node, [_decoded(line) for line in lines])
                self._move(db, lines[-1].seq)
        except Exception as error:
            if not poison(error):
                raise
            self._copy_singly(db, lines)
        self.shipped = lines[-1].seq
        self._note_hint(now=self._stop.is_set())

    def _copy_singly(self, db: Db, lines: list[Line]) -> None:
        """The same batch, each record in a savepoint, so that the bad ones are found."""
        rejected = 0
        with db.transaction():
            for line in lines:
                self._deadline = time.monotonic() + self._batch_limit
                try:
                    with db.transaction():
                        store(db, self._node, [_decoded(line)])
                except Exception as error:
                    if not poison(error):
                        raise
                    rejected += 1
                    # ids and the kind of error only: the record itself may hold a person's data
                    log.error(
                        "record_rejected", seq=line.seq, type=line.data.get("t"), error=type(error).__name__
                    )
                    self._reject(db, line, error)
            self._move(db, lines[-1].seq)
        self.rejected += rejected

    def _reject(self, db: Db, line: Line, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}".replace("\0", "\\0")
        reason = reason.encode(errors="backslashreplace").decode()
        db.execute(REJECT, (self._node, line.seq, moment(line.written), json.dumps(line.data), reason[:2000]))

    def _move(self, db: Db, seq: int) -> None:
        if db.execute(MOVE, (seq, self._node, self.shipped)).rowcount != 1:
            raise ShipmentRefused("another process copies the same journal: its position has moved")

    def _note_hint(self, *, now: bool) -> None:
        """Remember the position here too: for the lag's figure when the next start finds no database."""
        if now or time.monotonic() - self._hinted > HINT_EVERY:
            self._hinted = time.monotonic()
            with contextlib.suppress(OSError):  # a hint only; a full disk is the journal's to report
                self._hint.write_text(str(self.shipped))


def _number_in(path: Path) -> int:
    """The hint of the last run; 0 when there is none or it was torn."""
    try:
        return int(path.read_bytes())
    except (OSError, ValueError):
        return 0


def _decoded(line: Line) -> Numbered:
    return Numbered(line.seq, from_dict(line.data))
