"""Two mono halves become one stereo file, whatever state they are left in, and the database learns of it."""

from __future__ import annotations

import array
import asyncio
import hashlib
import os
import time
import wave
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ccbridge import jobs
from ccbridge.desk import recordings
from ccbridge.desk.recordings import Finished, RecordingBroken, finish, halves, inside, stereo, sweep_empty
from ccbridge.lab.database import Database


def write(path: Path, samples: list[int], rate: int = 8000, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(array.array("h", samples).tobytes())


def read(path: Path) -> tuple[list[int], list[int]]:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        both = array.array("h", file.readframes(file.getnframes()))
    return list(both[0::2]), list(both[1::2])


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "1763774000.1" / "o1x1"


LEFT, RIGHT = [1, 2, 3, -4], [100, -200]


@pytest.fixture
def both(base: Path) -> Path:
    caller, agent = halves(base)
    write(caller, LEFT)
    write(agent, RIGHT)
    return base


def test_left_is_the_caller_right_the_agent_padded_to_the_same_length(both: Path) -> None:
    done = finish(both)
    assert done is not None
    assert read(stereo(both)) == (LEFT, [*RIGHT, 0, 0])
    assert os.listdir(both.parent) == ["o1x1.wav"]
    content = stereo(both).read_bytes()
    assert (done.bytes, done.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert done.duration_s == round(4 / 8000, 3)
    assert finish(both) == done  # again: the same


def test_longer_than_one_piece(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "PIECE", 7)
    left, right = list(range(1, 51)), list(range(-20, 0))
    write(halves(base)[0], left)
    write(halves(base)[1], right)
    finish(base)
    assert read(stereo(base)) == (left, right + [0] * 30)


def test_one_side_only(base: Path) -> None:
    write(halves(base)[1], RIGHT)
    assert finish(base) is not None
    assert read(stereo(base)) == ([0, 0], RIGHT)


def test_a_header_that_was_never_finished(both: Path) -> None:
    caller = halves(both)[0]
    content = bytearray(caller.read_bytes())
    content[4:8] = content[40:44] = b"\0\0\0\0"
    caller.write_bytes(bytes(content) + b"\x07")  # and half a sample
    finish(both)
    assert read(stereo(both)) == (LEFT, [*RIGHT, 0, 0])


def test_no_sound_at_all(base: Path) -> None:
    write(halves(base)[0], [])
    halves(base)[1].write_bytes(b"")
    assert finish(base) is None
    assert os.listdir(base.parent) == []


def test_what_cannot_be_one_recording(both: Path) -> None:
    write(halves(both)[0], LEFT, rate=16000)
    with pytest.raises(RecordingBroken, match="16000 Hz"):
        finish(both)
    halves(both)[0].write_bytes(b"ID3 something else, long enough to be a header of 44 bytes")
    with pytest.raises(RecordingBroken, match="not a wav"):
        finish(both)
    assert halves(both)[1].exists()
    with pytest.raises(RecordingBroken, match="neither"):
        finish(both.with_name("nothing"))


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a\0b"])
def test_a_path_never_leads_out(tmp_path: Path, path: str) -> None:
    with pytest.raises(RecordingBroken):
        inside(tmp_path, path)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", range(8))
def test_killed_at_any_step_it_is_finished_later(
    both: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Every call that changes the disk is the last one in turn."""
    steps = 0

    def counted(real: Any) -> Any:
        def call(*args: Any, **more: Any) -> Any:
            nonlocal steps
            if steps == step:
                raise Killed
            steps += 1
            return real(*args, **more)

        return call

    with monkeypatch.context() as patch:
        for owner, name in (
            (Path, "replace"),
            (Path, "unlink"),
            (os, "fsync"),
            (wave.Wave_write, "writeframesraw"),
        ):
            patch.setattr(owner, name, counted(getattr(owner, name)))
        if step < 5:
            with pytest.raises(Killed):
                finish(both)
        else:
            finish(both)
    assert stereo(both).exists() or all(half.exists() for half in halves(both))
    assert finish(both) is not None
    assert read(stereo(both)) == (LEFT, [*RIGHT, 0, 0])
    assert not any(half.exists() for half in halves(both))


@pytest.mark.pg
async def test_the_jobs_process_finishes_what_has_ended(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    long_ago = now - timedelta(minutes=5)
    rows = [
        ("ready", "c1/o1", long_ago, True),
        ("failed", "c2/o1", long_ago, True),  # no files
        ("ended", "c3/o1", now, True),  # no files yet
        ("empty", "c4/o1", long_ago, True),
        ("failed", "../c5", long_ago, True),
        ("ended", "c6/o1", long_ago, True),  # still being written
        ("failed", "c7/o1", long_ago, True),  # a finished file that is none
        ("failed", "c8/o1", long_ago, True),  # something that nobody thought of
        ("ready", "c9/o1", now - timedelta(minutes=1), True),  # after all of these
    ]
    with psycopg.connect(db.url, autocommit=True) as connection:
        for _, path, ended, answered in rows:
            connection.execute(
                "INSERT INTO recording (call_id, offer, agent, started_at, ended_at, answered, path, state) "
                "VALUES (%s, 'o1', 'anna', %s, %s, %s, %s, 'ended')",
                (path, ended, ended, answered, path),
            )
        for path in ("c1/o1", "c4/o1", "c6/o1", "c7/o1", "c8/o1", "c9/o1"):
            (tmp_path / path).parent.mkdir(exist_ok=True)
            write(halves(tmp_path / path)[0], [] if path == "c4/o1" else LEFT)
            write(halves(tmp_path / path)[1], [] if path == "c4/o1" else RIGHT)
            for half in halves(tmp_path / path):
                os.utime(half, (time.time() - 300, time.time() - (-3600 if path == "c6/o1" else 300)))

        stereo(tmp_path / "c7/o1").write_bytes(b"RIFF")
        real = jobs.finish

        def odd(base: Path) -> Finished | None:
            if base == tmp_path / "c8/o1":
                raise ValueError("odd\0")
            return real(base)

        monkeypatch.setattr(jobs, "finish", odd)
        task = asyncio.create_task(jobs.work(db.url, tmp_path, poll=0.05))
        wanted = {path: state for state, path, _, _ in rows}
        deadline = time.monotonic() + 20
        while True:
            found = dict(connection.execute("SELECT path, state FROM recording").fetchall())
            if found == wanted or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert found == wanted
        ready = connection.execute("SELECT bytes, sha256 FROM recording WHERE path = 'c1/o1'").fetchone()
        errors = dict(connection.execute("SELECT path, error FROM recording WHERE error <> ''").fetchall())
    assert "not a whole wav file" in errors["c7/o1"]
    assert errors["c8/o1"] == "ValueError: odd\\0"
    assert len(os.listdir(tmp_path / "c7")) == 3  # the halves are all there is
    content = stereo(tmp_path / "c1/o1").read_bytes()
    assert ready == (len(content), hashlib.sha256(content).hexdigest())
    assert os.listdir(tmp_path / "c4") == []
    assert len(os.listdir(tmp_path / "c6")) == 2


def test_halves_without_a_sample_are_swept(tmp_path: Path) -> None:
    day = tmp_path / "2026" / "11" / "22"
    day.mkdir(parents=True)
    for name, size, age in (
        ("a-o1-r.wav", 44, 400),  # of an offer that nobody answered
        ("a-o1-t.wav", 44, 400),
        ("b-o2-r.wav", 44, 10),  # his phone may be ringing
        ("c-o3-r.wav", 364, 400),
        ("c-o3.wav", 44, 400),  # not a half
    ):
        (day / name).write_bytes(b"x" * size)
        os.utime(day / name, (time.time() - age,) * 2)
    days = [date(2026, 11, 22), date(2026, 11, 21)]
    assert sweep_empty(tmp_path, days, time.time() - 300) == 2
    assert sorted(one.name for one in day.iterdir()) == ["b-o2-r.wav", "c-o3-r.wav", "c-o3.wav"]
    assert sweep_empty(tmp_path, days, time.time() - 300) == 0
