"""The journal of inputs: bounded, private, and never in the way."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from ccbridge.captures import journal
from ccbridge.captures.journal import InputJournal

LINE = b"x" * 999 + b"\n"


def make(folder: Path, **more: Any) -> InputJournal:
    kept = InputJournal(
        folder / "inputs", lambda: b"start\n", **{"keep_days": 3, "keep_bytes": 40_000, "reserve": 0} | more
    )
    kept.open()
    return kept


def files(folder: Path) -> list[Path]:
    return sorted((folder / "inputs").iterdir())


def fill(kept: InputJournal, lines: int) -> None:
    for _ in range(lines):
        kept.note(LINE)
        kept.flush()
        kept.turn(time.monotonic())


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    kept = make(tmp_path)
    kept.close()
    (file,) = files(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_what_waits_is_written_when_asked_and_before_it_is_much(tmp_path: Path) -> None:
    kept = make(tmp_path)
    kept.note(LINE)
    (file,) = files(tmp_path)
    assert file.read_bytes() == b"start\n"
    kept.flush()
    assert file.read_bytes() == b"start\n" + LINE
    for _ in range(journal.WAITING_BYTES // len(LINE) + 1):
        kept.note(LINE)
    assert file.stat().st_size > journal.WAITING_BYTES
    kept.note(LINE)
    kept.close()
    assert kept.dropped == 0
    assert file.read_bytes().count(LINE) == journal.WAITING_BYTES // len(LINE) + 3


def test_each_file_is_whole_and_the_oldest_go(tmp_path: Path) -> None:
    kept = make(tmp_path)  # files of 10,000 bytes, 40,000 in all
    fill(kept, 100)
    assert len(files(tmp_path)) == 11
    assert all(file.read_bytes().startswith(b"start\n") for file in files(tmp_path))
    before = files(tmp_path)
    gone = kept.prune()
    assert files(tmp_path) == before[len(gone) :]
    assert 30_000 < sum(file.stat().st_size for file in files(tmp_path)) <= 40_000
    fill(kept, 1)
    assert kept.prune() == []
    kept.close()


def test_a_quiet_site_begins_a_file_each_day_and_forgets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = make(tmp_path, keep_bytes=10**9)
    fill(kept, 1)
    kept.turn(time.monotonic() + journal.FILE_AGE)
    first, second = files(tmp_path)
    assert kept.prune() == []
    os.utime(first, times=(0, time.time() - 4 * 86_400))
    os.utime(second, times=(0, time.time() - 4 * 86_400))  # the newest is never touched
    monkeypatch.setattr(journal, "PRUNE_EVERY", 0.0)
    assert kept.prune() == [first.name]
    kept.close()


def test_it_gives_way_to_others(tmp_path: Path) -> None:
    """With little room left the disk is the event journal's: what is there goes, and nothing new is begun."""
    kept = make(tmp_path)
    fill(kept, 30)
    kept._reserve = 2**62
    assert len(kept.prune()) == 3
    fill(kept, 20)
    assert kept.trouble == "the disk has little room left"
    assert kept.dropped > 5
    kept.close()


def test_a_full_disk_costs_lines_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after a hole is not appended: it begins a file of its own once there is room."""
    kept = make(tmp_path)
    fill(kept, 2)
    (file,) = files(tmp_path)
    real, full = os.write, True

    def write(descriptor: int, data: bytes) -> int:
        if full:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(journal.os, "write", write)
    fill(kept, 3)
    assert kept.dropped == 3
    assert "No space" in kept.trouble
    full = False
    fill(kept, 1)
    assert kept.dropped == 4  # not tried again at each line
    kept.turn(time.monotonic() + journal.RETRY_EVERY)
    fill(kept, 1)
    assert kept.trouble == ""
    assert file.read_bytes() == b"start\n" + 2 * LINE
    assert files(tmp_path)[-1].read_bytes() == b"start\n" + LINE
    kept.close()


def test_a_folder_that_cannot_be_made_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "inputs").write_text("in the way")
    kept = make(tmp_path)
    kept.note(LINE)
    kept.flush()
    kept.turn(time.monotonic())
    kept.close()
    assert kept.dropped == 1
    assert kept.trouble


def test_a_line_that_cannot_be_made_ends_the_file(tmp_path: Path) -> None:
    kept = make(tmp_path)
    kept.note(LINE)
    kept.lost("a surrogate")
    kept.note(LINE)
    assert kept.dropped == 2
    (file,) = files(tmp_path)
    assert file.read_bytes() == b"start\n" + LINE
    kept.close()
