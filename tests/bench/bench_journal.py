"""What an append to the journal costs, beside a bare write(2) of the same bytes.

    python tests/bench/bench_journal.py

One record, and the five of a busy decision. Rounds alternate; the figures are medians.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ccbridge.core.records import CallEvent
from ccbridge.store.journal import Journal

APPENDS = 5_000
ROUNDS = 7
EVENT = CallEvent(
    "pbx-1795323949.0",
    1795323949.88,
    "offered",
    {"agent": "anna", "offer": "o42e18b1c4x1", "candidates": 3},
    "0a410ad6cf",
)


def microseconds(act: Callable[[], object]) -> float:
    begun = time.process_time()
    for _ in range(APPENDS):
        act()
    return (time.process_time() - begun) / APPENDS * 1e6


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal.open(Path(folder) / "journal", 1 << 40)
        bare = os.open(Path(folder) / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for count in (1, 5):
            before = journal.committed[1]
            journal.append([EVENT] * count)
            line = b"x" * (journal.committed[1] - before)
            seen: dict[str, list[float]] = {"journal": [], "write(2)": []}
            for _ in range(ROUNDS):
                seen["journal"].append(microseconds(lambda n=count: journal.append([EVENT] * n)))  # type: ignore[misc]
                seen["write(2)"].append(microseconds(lambda data=line: os.write(bare, data)))  # type: ignore[misc]
            told = ", ".join(f"{name} {statistics.median(times):.1f} us" for name, times in seen.items())
            print(f"{count} records, {len(line)} bytes: {told} of CPU")
        journal.close()
        os.close(bare)


if __name__ == "__main__":
    main()
