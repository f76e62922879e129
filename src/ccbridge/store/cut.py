"""A hard limit for a query on a server that may be frozen.

``statement_timeout`` is the server's to keep, and psycopg answers a cancellation by asking the server to
end the query and waiting for that: a stopped server does neither. Shutting the socket down needs nobody's
help; the query then fails at once with ``psycopg.OperationalError``, and the connection is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import psycopg


@contextlib.contextmanager
def cut_after(db: psycopg.AsyncConnection[Any], seconds: float) -> Iterator[None]:
    """Cut ``db`` when the block takes longer than ``seconds``. Needs the running loop."""
    timer = asyncio.get_running_loop().call_later(seconds, cut, db)
    try:
        yield
    finally:
        timer.cancel()


def cut(db: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> None:
    """Shut the connection's socket down: whoever waits on it gets ``psycopg.OperationalError``."""
    if db.closed:
        return
    with contextlib.suppress(OSError, psycopg.Error):  # not connected any more: what we want
        copy = socket.socket(fileno=os.dup(db.fileno()))
        try:
            copy.shutdown(socket.SHUT_RDWR)
        finally:
            copy.close()
