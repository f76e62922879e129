"""Structured logs: an event name and ids, as console lines or as JSON; written by a thread of their own.

The loop must never wait for whoever reads its log, so lines pass through a queue.
"""

from __future__ import annotations

import logging
import logging.handlers
import queue
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

# Beyond this many unread lines new ones are dropped: a stuck reader must not eat the memory.
KEPT = 20_000


@contextmanager
def logging_to_stderr(style: str, level: str) -> Iterator[None]:
    """Set up structlog and the standard library's logging; ``style`` is console or json."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[Any] = [
        _caught,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    before = structlog.get_config()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    lines: queue.Queue[Any] = queue.Queue(KEPT)
    root = logging.getLogger()
    door = _Door(lines)
    root.addHandler(door)
    root.setLevel(level.upper())
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    listener = logging.handlers.QueueListener(lines, out)
    listener.start()
    try:
        yield
    finally:
        root.removeHandler(door)
        listener.stop()
        structlog.configure(**before)


def _caught(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """``exception()`` means the one that is being handled here; in the writing thread there is none."""
    if event.get("exc_info") is True:
        event["exc_info"] = sys.exc_info()
    return event


class _Door(logging.handlers.QueueHandler):
    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # structlog's event dict must reach the formatter as it is

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            return  # said in the docstring: dropped rather than waited for
