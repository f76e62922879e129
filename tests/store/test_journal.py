"""The journal on a real file system: restarts, torn lines, full disks, readers that follow."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ccbridge.core.records import CallEvent, CallOpened
from ccbridge.store import journal as journal_module
from ccbridge.store.journal import BOOT_GAP, Journal, JournalBroken, JournalLocked


def event(number: int, **data: object) -> CallEvent:
    return CallEvent("1763774000.1", 1763774000.0 + number, "menu_step", {"number": number, **data})


def numbers(lines: list[journal_module.Line]) -> list[int]:
    return [line.data["data"]["number"] for line in lines]


def test_what_was_appended_is_recovered(tmp_path: Path) -> None:
    name = "Zoë \x00 \ud800 \u2028"  # whatever a trunk may send as a name
    opened = CallOpened("1.1", 5.5, "100", "e164", "+302101234567", "2101234567", name)
    with_journal = Journal.open(tmp_path)
    assert with_journal.recover() == (None, [])
    assert with_journal.append([opened, event(1)]) == 2
    assert with_journal.append([]) == 2
    node = with_journal.node
    with_journal.close()

    again = Journal.open(tmp_path)
    assert again.recover() == (None, [opened, event(1)])
    assert (again.node, again.last_seq, again.cut_bytes) == (node, 2, 0)
    assert again.append([event(2)]) == 3
    again.close()


def test_a_second_opener_is_refused(tmp_path: Path) -> None:
    first = Journal.open(tmp_path)
    with pytest.raises(JournalLocked, match="another process"):
        Journal.open(tmp_path)
    first.close()
    Journal.open(tmp_path).close()


@pytest.mark.parametrize("torn", [b'{"seq":3,"w":1.0,"t":"call_ev', b"\0" * 40, b'{"seq":3}\xff\n', b"\n"])
def test_a_torn_tail_is_cut_off_and_told(tmp_path: Path, torn: bytes) -> None:
    one = Journal.open(tmp_path)
    one.append([event(1), event(2)])
    one.close()
    segment = tmp_path / "00000001.jsonl"
    whole = segment.read_bytes()
    segment.write_bytes(whole + torn)

    two = Journal.open(tmp_path)
    assert two.cut_bytes == len(torn)
    assert two.recover() == (None, [event(1), event(2)])
    assert two.append([event(3)]) == 3
    two.close()
    assert segment.read_bytes().startswith(whole)
    assert len(segment.read_text().splitlines()) == 4


def test_every_cut_of_the_file_opens(tmp_path: Path) -> None:
    """A power cut may leave any prefix."""
    one = Journal.open(tmp_path / "one")
    one.append([event(1)])
    one.append([event(2)])
    one.close()
    whole = (tmp_path / "one" / "00000001.jsonl").read_bytes()
    ends = [at for at, byte in enumerate(whole) if byte == 10]
    lengths = {*range(0, len(whole), 11), *ends, *(end + 1 for end in ends[:-1])}
    for length in sorted(lengths):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / "00000001.jsonl").write_bytes(whole[:length])
        two = Journal.open(folder)
        _, records = two.recover()
        assert records == [event(1), event(2)][: len(records)]
        assert two.append([event(9)]) == two.last_seq
        two.close()
        three = Journal.open(folder)
        assert three.recover()[1] == [*records, event(9)]
        three.close()


def test_rotation_begins_with_a_checkpoint_of_that_moment(tmp_path: Path) -> None:
    count = 0

    def checkpoint() -> dict[str, int]:
        return {"count": count}

    one = Journal.open(tmp_path, 1000, checkpoint)
    for _ in range(40):
        count += 1
        one.append([event(count)])
    one.close()
    segments = sorted(tmp_path.glob("*.jsonl"))
    assert len(segments) > 3
    for path in segments[1:]:
        first = json.loads(path.read_text().splitlines()[0])
        assert (first["t"], first["seq"]) == ("checkpoint", first["state"]["count"])

    for path in segments[:-1]:
        path.unlink()  # the newest is all that a start needs
    two = Journal.open(tmp_path, 1000, checkpoint)
    state, records = two.recover()
    assert state is not None
    assert state["count"] + len(records) == 40
    assert two.last_seq == 40
    two.close()


def test_killed_in_the_middle_of_a_rotation(tmp_path: Path) -> None:
    one = Journal.open(tmp_path)
    one.append([event(1)])
    one.close()
    (tmp_path / "00000002.new").write_bytes(b'{"seq":1,"w":1,"t":"checkp')  # a kill
    (tmp_path / "00000003.jsonl").write_bytes(b"")  # a power cut
    two = Journal.open(tmp_path)
    assert two.recover() == (None, [event(1)])
    assert two.append([event(2)]) == 2
    two.close()
    assert [path.name for path in sorted(tmp_path.glob("0*"))] == ["00000001.jsonl", "00000003.cut"]


def test_another_boot_leaves_a_gap_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot = tmp_path / "boot_id"
    monkeypatch.setattr(journal_module, "BOOT_ID", boot)
    folder = tmp_path / "journal"

    def restart(appending: int) -> int:
        journal = Journal.open(folder)
        last = journal.append([event(n) for n in range(appending)])
        journal.close()
        return last

    boot.write_text("first")
    assert restart(2) == 2
    assert restart(1) == 3
    boot.write_text("second")
    assert restart(0) == 3 + BOOT_GAP
    assert restart(1) == 4 + BOOT_GAP  # nothing was written under the new numbers before
    assert restart(1) == 5 + BOOT_GAP


def test_a_boot_that_cannot_be_noted_is_no_failed_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = tmp_path / "boot_id"
    boot.write_text("first")
    monkeypatch.setattr(journal_module, "BOOT_ID", boot)
    monkeypatch.setattr(journal_module, "RETRY_EVERY", 0.0)
    folder = tmp_path / "journal"
    Journal.open(folder).close()
    boot.write_text("second")
    journal = Journal.open(folder)
    (folder / "boot.tmp").mkdir()  # in the way of the note
    assert journal.append([event(1)]) == BOOT_GAP + 1
    assert (folder / "boot").read_text() == "first"
    (folder / "boot.tmp").rmdir()
    assert journal.append([event(2)]) == BOOT_GAP + 2
    assert (folder / "boot").read_text() == "second"
    journal.close()


def test_numbers_of_a_boots_gap_are_no_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot = tmp_path / "boot_id"
    boot.write_text("first")
    monkeypatch.setattr(journal_module, "BOOT_ID", boot)
    folder = tmp_path / "journal"
    one = Journal.open(folder)
    one.append([event(1), event(2)])
    one.close()
    boot.write_text("second")
    two = Journal.open(folder)
    assert [two.records_after(seq) for seq in (0, 1, 2, 3)] == [2, 1, 0, 0]
    two.flush()
    assert (folder / "boot").read_text() == "first"  # nothing bears the new numbers yet
    two.append([event(3)])
    assert [two.records_after(seq) for seq in (0, 2, 500, BOOT_GAP + 2, BOOT_GAP + 3)] == [3, 1, 1, 1, 0]
    two.close()
    three = Journal.open(folder)  # in the same boot
    assert three.records_after(0) == 3
    three.close()


def test_killed_while_appending_loses_nothing_told(tmp_path: Path) -> None:
    """A child appends and tells each seq; after kill -9 all that was told is there."""
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from ccbridge.core.records import CallEvent
        from ccbridge.store.journal import Journal
        journal = Journal.open(Path(sys.argv[1]), 20_000, lambda: {"big": "x" * 5000})
        while True:
            seq = journal.append([CallEvent("c", 1.0, "menu_step", {"number": journal.last_seq + 1})] * 1)
            print(seq, flush=True)
        """
    )
    for _ in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(300):
            told = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        told = int(([str(told), *child.stdout.read().split("\n")[:-1]])[-1])
        child.wait()
        child.stdout.close()
        journal = Journal.open(tmp_path)
        assert journal.last_seq >= told
        reader = journal.reader(0)
        seen = []
        while batch := reader.read():
            seen += numbers(batch)
        assert seen == list(range(1, journal.last_seq + 1))
        reader.close()
        journal.close()


FILL_UP = """
import os, resource, sys
from pathlib import Path
from ccbridge.core.records import CallEvent
from ccbridge.store.journal import Journal
event = lambda number: CallEvent("c", 1.0, "menu_step", {"number": number})
journal = Journal.open(Path(sys.argv[1]))
journal.append([event(1)])
segment = Path(sys.argv[1]) / "00000001.jsonl"
size = segment.stat().st_size
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 150, hard))  # the kernel writes a part, then refuses
print(journal.append([event(2), event(3), event(4)]), journal.unwritten, journal.written_seq)
print(segment.stat().st_size - size)
print(journal.append([event(5)]), journal.unwritten)
told = journal.trouble
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(told)
print(journal.flush(), journal.unwritten, journal.trouble == "")
"""


def test_a_full_disk_leaves_no_part_of_an_append_and_loses_none(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", FILL_UP, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    told = [line for line in told if "journal_" not in line]  # the log
    assert told[:3] == ["4 3 1", "0", "5 4"]
    assert "disk is full" in told[3]
    assert told[4:] == ["0 0 True"]
    journal = Journal.open(tmp_path)
    assert [record.data["number"] for record in journal.recover()[1]] == [1, 2, 3, 4, 5]  # type: ignore[union-attr]
    journal.close()


class Disk:
    """Stands before ``os.write``: takes nothing while ``error`` is set, and only half of what is torn."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.error = 0
        self.attempts = 0
        self._write = os.write
        patch.setattr(os, "write", self.write)

    def write(self, descriptor: int, data: bytes) -> int:
        if not self.error:
            return self._write(descriptor, data)
        self.attempts += 1
        self._write(descriptor, data[: len(data) // 2])
        raise OSError(self.error, os.strerror(self.error))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def everything(journal: Journal) -> list[int]:
    reader = journal.reader(0)
    seen: list[int] = []
    while batch := reader.read():
        seen += numbers(batch)
    reader.close()
    return seen


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_what_the_disk_refuses_waits_in_order(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    state: list[int] = []
    journal = Journal.open(tmp_path, 2000, lambda: {"n": list(state)})

    def append(number: int) -> int:
        state.append(number)
        return journal.append([event(number)])

    append(1)
    disk.error = error
    truncate = os.ftruncate
    monkeypatch.setattr(os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(error, "no")))
    assert [append(n) for n in range(2, 100)] == list(range(2, 100))
    assert (journal.unwritten, journal.written_seq, journal.last_seq) == (98, 1, 99)
    assert journal.trouble
    assert disk.attempts < 20  # the first, and then one each half second
    assert everything(journal) == [1]
    with pytest.raises(journal_module.JournalFull, match="wait to be written"):
        journal.rotate()
    assert journal.flush() == 98
    disk.error = 0
    assert journal.flush() == 98  # a torn line is still there and cannot be taken off
    monkeypatch.setattr(os, "ftruncate", truncate)
    assert journal.flush() == 0
    assert (journal.unwritten, journal.written_seq, journal.trouble) == (0, 99, "")
    assert journal.committed[0] == 2  # not before everything was written
    assert append(100) == 100
    assert everything(journal) == list(range(1, 101))
    journal.close()
    again = Journal.open(tmp_path)
    assert again.cut_bytes == 0
    assert again.recover() == ({"n": list(range(1, 100))}, [event(100)])
    again.close()


def test_an_append_costs_the_same_however_much_waits(tmp_path: Path, disk: Disk) -> None:
    """Counted, not timed: what is encoded and what is tried."""
    journal = Journal.open(tmp_path)
    disk.error = errno.ENOSPC
    began = time.monotonic()
    for number in range(1, 5001):
        journal.append([event(number)])
    assert disk.attempts <= 2 + (time.monotonic() - began) / journal_module.RETRY_EVERY
    assert (tmp_path / "00000001.jsonl").stat().st_size < 2 * journal_module.PIECE_BYTES
    disk.error = 0
    assert journal.flush() == 0
    assert everything(journal) == list(range(1, 5001))
    journal.close()


def test_a_flush_is_bounded(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "PIECE_BYTES", 300)
    monkeypatch.setattr(journal_module, "FLUSH_BYTES", 1000)
    journal = Journal.open(tmp_path)
    disk.error = errno.ENOSPC
    for number in range(1, 51):
        journal.append([event(number)])
    disk.error = 0
    left = [50]
    while left[-1]:
        left.append(journal.flush())
        assert left[-1] < left[-2]
    assert len(left) > 4
    assert everything(journal) == list(range(1, 51))
    journal.close()


def test_more_than_memory_may_hold_drops_the_oldest(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "UNWRITTEN_KEPT", 10)
    state: list[int] = []
    journal = Journal.open(tmp_path, checkpoint=lambda: {"n": list(state)})
    disk.error = errno.ENOSPC
    for number in range(1, 31):
        state.append(number)
        journal.append([event(number)])
    assert (journal.unwritten, journal.dropped) == (10, 20)
    disk.error = 0
    assert journal.flush() == 0
    assert everything(journal) == list(range(21, 31))
    assert journal.records_after(0) == 10
    assert journal.records_after(25) == 5
    journal.close()
    again = Journal.open(tmp_path)
    assert again.recover() == ({"n": list(range(1, 31))}, [])  # the state is whole again
    assert again.append([event(31)]) == 31
    again.close()


def test_closing_writes_what_waits_or_tells_what_is_lost(
    tmp_path: Path, disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    for error, kept in ((0, [1]), (errno.ENOSPC, [1])):
        journal = Journal.open(tmp_path)
        disk.error = errno.ENOSPC
        journal.append([event(1 if not error else 2)])
        disk.error = error
        journal.close()
        disk.error = 0
        again = Journal.open(tmp_path)
        assert everything(again) == kept
        again.close()
    assert re.search(r"journal_records_lost.*records=.*1", capsys.readouterr().out)
    with pytest.raises(ValueError, match="closed"):
        again.append([event(3)])


def test_what_json_cannot_hold_appends_nothing(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    with pytest.raises(TypeError):
        journal.append([event(1), event(2, odd=object())])
    assert (journal.last_seq, journal.unwritten) == (0, 0)
    assert journal.append([event(1)]) == 1
    journal.close()


def test_a_full_disk_puts_a_rotation_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(tmp_path, 300, lambda: {"n": 1})
    real_write = os.write

    def no_room(descriptor: int, data: bytes) -> int:
        if b"checkpoint" in data:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", no_room)
        assert [journal.append([event(n)]) for n in range(1, 5)] == [1, 2, 3, 4]
    assert journal.rotations_failed == 1  # not at each append: a checkpoint may be large
    later = time.monotonic() + journal_module.RETRY_EVERY
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert journal.append([event(5)]) == 5
    assert (journal.rotations_failed, journal.committed[0]) == (0, 2)
    assert not list(tmp_path.glob("*.new"))
    journal.close()


def test_a_reader_follows_through_segments_and_may_begin_anywhere(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, 700, lambda: {"s": "x" * 300})
    reader = journal.reader(0)
    seen: list[int] = []
    for number in range(1, 61):
        journal.append([event(number)])
        if number % 7 == 0:
            seen += numbers(reader.read(4))
    while batch := reader.read(4):
        assert len(batch) <= 4
        seen += numbers(batch)
    assert seen == list(range(1, 61))
    assert reader.read() == []
    journal.append([event(61)])
    assert numbers(reader.read()) == [61]
    assert reader.seq == 61
    reader.close()
    for after in (0, 1, 17, 59, 61):
        late = journal.reader(after)
        got: list[int] = []
        while batch := late.read(10):
            got += numbers(batch)
        assert got == list(range(after + 1, 62))
        late.close()
    journal.close()


def test_a_damaged_line_is_handed_out_and_the_rest_goes_on(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, 400)
    for number in range(1, 11):
        journal.append([event(number)])
    segment = tmp_path / "00000001.jsonl"
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[2] = b"\0" * (len(lines[2]) - 1) + b"\n"
    segment.write_bytes(b"".join(lines))
    reader = journal.reader(0)
    got = []
    while batch := reader.read():
        got += batch
    assert [line.seq for line in got] == list(range(1, 11))
    assert [line.seq for line in got if line.data["t"] == "damaged"] == [2]
    reader.close()
    journal.close()


def test_prune_takes_only_what_is_shipped_and_old(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, 400)
    for number in range(1, 31):
        journal.append([event(number)])
    journal.sync()
    segments = sorted(path.name for path in tmp_path.glob("*.jsonl"))
    assert journal.prune(30, keep_seconds=3600) == []
    assert journal.prune(0, keep_seconds=0) == []
    third = json.loads((tmp_path / segments[2]).read_text().splitlines()[0])["seq"]
    assert journal.prune(third, keep_seconds=0) == segments[:2]
    assert journal.prune(30, keep_seconds=0) == segments[2:-1]
    journal.append([event(31)])
    reader = journal.reader(0)  # the gap is said in the log, and what is there comes
    assert 31 in numbers(reader.read())
    reader.close()
    journal.close()


def test_damaged_or_missing_segments_are_told_by_name(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, 400)
    for number in range(1, 31):
        journal.append([event(number)])
    names = sorted(path.name for path in tmp_path.glob("*.jsonl"))
    for damage in (b"\xff\xfe damaged\n", b"[1]\n", b"{}\n"):
        (tmp_path / names[-1]).write_bytes(damage)
        with pytest.raises(JournalBroken, match=names[-1]):
            journal.reader(30).read()
    kept = [name for name in names[:-2]]
    assert journal.prune(30, keep_seconds=0) == kept  # up to the one whose end is not known
    for path in tmp_path.glob("*.jsonl"):
        path.unlink()
    with pytest.raises(JournalBroken, match="gone"):
        journal.reader(30).read()
    journal.close()


def test_a_record_of_a_later_version_is_told_by_name(tmp_path: Path) -> None:
    one = Journal.open(tmp_path)
    one.close()
    with open(tmp_path / "00000001.jsonl", "a") as file:
        file.write('{"seq":1,"w":1.0,"t":"hologram"}\n')
    two = Journal.open(tmp_path)
    with pytest.raises(JournalBroken, match="hologram"):
        two.recover()
    two.close()
