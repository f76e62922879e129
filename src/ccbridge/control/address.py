"""Where the socket is, and how to reach it when its path is long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# sun_path of Linux is 108 bytes with its closing NUL.
PATH_LIMIT = 107


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name of ``path`` that fits into a socket address: for a long one, through its open folder.

    Raises OSError if the folder of a long path cannot be opened.
    """
    if len(os.fsencode(path)) <= PATH_LIMIT:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
