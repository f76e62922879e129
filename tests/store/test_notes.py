"""A spoken note: what is heard of it, and that nothing is kept of one on which there was nothing."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from ccbridge.desk.notes import heard
from ccbridge.lab.tones import write_tone


def silence(path: Path, frames: bytes) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(frames)


def test_what_is_heard(tmp_path: Path) -> None:
    file = tmp_path / "note-t.wav"
    assert heard(file) == 0.0
    for nothing in (b"", b"RIFF", b"RIFF\0\0\0\0WAVE"):
        file.write_bytes(nothing)
        assert heard(file) == 0.0
    silence(file, b"")
    assert heard(file) == 0.0
    silence(file, b"\x20\x00\xe0\xff" * 8000)  # a line's noise
    assert heard(file) == 0.0
    write_tone(file, 440, 2.0)
    assert heard(file) == pytest.approx(2.0, abs=0.05)
