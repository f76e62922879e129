"""A file is read to its last whole line, whatever rotation does to it."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import tracemalloc
from pathlib import Path

import pytest

from ccbridge.gaps import follow
from ccbridge.gaps.follow import Stand, behind, read_on

NOW = 2_000_000_000.0


class Reader:
    """Reads on as the jobs process does: the stand is all that is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stand: Stand | None = None
        self.lost = 0

    def read(self, now: float = NOW) -> list[bytes]:
        found = []
        while (piece := read_on(self.path, self.stand, now)) is not None:
            assert piece.stand != self.stand
            assert [number for number, _ in piece.lines] == list(
                range(piece.stand.line - len(piece.lines) + 1, piece.stand.line + 1)
            )
            self.stand = piece.stand
            self.lost += piece.lost
            found += [line for _, line in piece.lines]
        return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ccbridge.csv"


@pytest.fixture
def reader(path: Path) -> Reader:
    return Reader(path)


def add(path: Path, *lines: str, at: float | None = None) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)
    if at is not None:
        os.utime(path, (at, at))


def test_nothing_there_yet(reader: Reader, path: Path) -> None:
    assert reader.read() == []
    path.touch()
    assert reader.read() == []
    add(path, "a", "b")
    assert reader.read() == [b"a", b"b"]
    assert reader.read() == []
    add(path, "c")
    assert reader.read() == [b"c"]


def test_the_first_look_finds_rotated_files(reader: Reader, path: Path) -> None:
    add(path, "a", at=NOW - 400)
    path.rename(path.with_name("ccbridge.csv.2"))
    add(path, "b", at=NOW - 300)
    path.rename(path.with_name("ccbridge.csv.1"))
    add(path, "c")
    assert reader.read() == [b"a", b"b", b"c"]
    assert reader.lost == 0


def test_a_half_written_line_waits(reader: Reader, path: Path) -> None:
    path.write_bytes(b"whole\nha")
    assert reader.read() == [b"whole"]
    assert behind(path, reader.stand) == 2
    with path.open("ab") as file:
        file.write(b"lf\n")
    assert reader.read() == [b"half"]
    assert reader.stand is not None
    assert (reader.stand.line, behind(path, reader.stand)) == (2, 0)


def test_renamed_with_lines_still_to_be_read(reader: Reader, path: Path) -> None:
    add(path, "a")
    assert reader.read() == [b"a"]
    add(path, "b", at=NOW - 60)
    path.rename(path.with_name("ccbridge.csv.1"))
    assert reader.read() == [b"b"]  # the new one is not there yet
    add(path, "c")
    assert reader.read() == [b"c"]
    assert reader.stand is not None
    assert (reader.stand.line, reader.lost) == (1, 0)


def test_a_renamed_file_may_still_be_written_to(reader: Reader, path: Path) -> None:
    add(path, "a")
    reader.read()
    path.rename(path.with_name("ccbridge.csv.1"))
    os.utime(path.with_name("ccbridge.csv.1"), (NOW - 1, NOW - 1))
    add(path, "c")
    assert reader.read() == []
    add(path.with_name("ccbridge.csv.1"), "b", at=NOW - 1)
    assert reader.read() == [b"b"]
    assert reader.read(NOW + 10) == [b"c"]


def test_a_line_that_a_rotated_file_breaks_off(reader: Reader, path: Path) -> None:
    path.write_bytes(b"a\nbroken")
    os.utime(path, (NOW - 60, NOW - 60))
    assert reader.read() == [b"a"]
    path.rename(path.with_name("ccbridge.csv.1"))
    add(path, "c")
    assert reader.read() == [b"broken", b"c"]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_copied_and_truncated(reader: Reader, path: Path, packed: bool) -> None:
    """logrotate's copytruncate: the same inode, the old content elsewhere."""
    add(path, "first", "second")
    assert reader.read() == [b"first", b"second"]
    add(path, "third")
    copy = path.with_name("ccbridge.csv.1.gz" if packed else "ccbridge.csv.1")
    copy.write_bytes(gzip.compress(path.read_bytes()) if packed else path.read_bytes())
    os.utime(copy, (NOW - 60, NOW - 60))
    path.write_bytes(b"")
    assert reader.read() == [b"third"]
    add(path, "fourth, and the file is longer now than it was before it was cut")
    assert reader.read() == [b"fourth, and the file is longer now than it was before it was cut"]
    assert reader.lost == 0


def test_cut_and_grown_again_between_two_looks(reader: Reader, path: Path) -> None:
    add(path, "first")
    reader.read()
    copy = path.with_name("ccbridge.csv.1")
    shutil.copy(path, copy)
    os.utime(copy, (NOW - 60, NOW - 60))
    path.write_bytes(b"something else\nand more\n")
    assert reader.read() == [b"something else", b"and more"]


def test_several_rotations_while_nobody_read(reader: Reader, path: Path) -> None:
    add(path, "a", at=NOW - 500)
    reader.read(NOW - 490)
    add(path, "b", at=NOW - 400)
    path.rename(path.with_name("ccbridge.csv-3"))
    add(path, "c", at=NOW - 300)
    path.rename(path.with_name("ccbridge.csv-2"))
    add(path, "d", at=NOW - 200)
    path.rename(path.with_name("ccbridge.csv-1"))
    add(path, "e")
    add(path.with_name("ccbridge.csv-0"), "older than all", at=NOW - 1000)
    add(path.with_name("other.csv"), "not ours", at=NOW - 100)
    assert reader.read() == [b"b", b"c", b"d", b"e"]
    assert reader.lost == 0


def test_copied_and_truncated_before_it_was_begun(reader: Reader, path: Path) -> None:
    path.touch()
    reader.stand = Stand(path.stat().st_ino, NOW - 100)
    add(path, "first")
    copy = path.with_name("ccbridge.csv.1")
    shutil.copy(path, copy)
    os.utime(copy, (NOW - 60, NOW - 60))
    path.write_bytes(b"second\n")
    assert reader.read() == [b"first", b"second"]


def test_cut_short_and_no_copy(reader: Reader, path: Path) -> None:
    add(path, "a", "b")
    reader.read()
    path.write_bytes(b"c\n")
    assert reader.read() == [b"c"]
    assert reader.lost == 1


def test_a_line_longer_than_a_piece_is_not_waited_for(
    reader: Reader, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "CHUNK", 8)
    add(path, "12345678901234567890", "short")
    assert reader.read() == [b"12345678", b"90123456", b"7890", b"short"]


def test_the_same_lines_however_they_are_cut(
    reader: Reader, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(7)
    monkeypatch.setattr(follow, "CHUNK", 64)
    monkeypatch.setattr(follow, "HEAD", 16)
    written = b"".join(b"%06d,%s\n" % (n, b"x" * chance.randrange(40)) for n in range(400))
    found, at = [], 0
    while at < len(written):
        step = chance.randrange(1, 200)
        with path.open("ab") as file:
            file.write(written[at : at + step])
        at += step
        found += reader.read(NOW)
    assert b"\n".join(found) + b"\n" == written


def test_a_huge_file_is_read_in_pieces(reader: Reader, path: Path) -> None:
    """A gigabyte without an end of line (sparse), then lines: memory stays small."""
    with path.open("wb") as file:
        file.truncate(1 << 30)
    stand = Stand(path.stat().st_ino, NOW)
    tracemalloc.start()
    piece = read_on(path, stand, NOW)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert piece is not None
    assert piece.stand.byte == follow.CHUNK
    assert most < 4 * follow.CHUNK
