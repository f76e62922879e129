"""Finding tones in files whose content is known."""

import math
import wave
from array import array
from pathlib import Path

import pytest

from ccbridge.lab.tones import dominant, longest_gap_ms, samples, tone_spans, write_tone


def write(path: Path, values: list[float]) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(array("h", (round(value) for value in values)).tobytes())


def sine(frequency: float, seconds: float, amplitude: float = 6000) -> list[float]:
    return [amplitude * math.sin(2 * math.pi * frequency * i / 8000) for i in range(round(seconds * 8000))]


def test_spans_and_gaps(tmp_path: Path) -> None:
    path = tmp_path / "one.wav"
    write(path, [*sine(440, 1.0), *[0.0] * 800, *sine(440, 0.5), *sine(1000, 0.5), *sine(440, 0.2)])
    assert tone_spans(path, 440) == [(0.0, 1.0), (1.1, 1.6), (2.1, 2.3)]
    assert tone_spans(path, 1000) == [(1.6, 2.1)]
    assert longest_gap_ms(path, 440) == 500
    assert longest_gap_ms(path, 440, 0.0, 1.5) == 100
    assert longest_gap_ms(path, 440, 0.2, 0.9) == 0
    assert dominant(path) == 440


def test_two_tones_at_once_are_both_found(tmp_path: Path) -> None:
    path = tmp_path / "two.wav"
    write(path, [a + b for a, b in zip(sine(440, 1), sine(1000, 1), strict=True)])
    assert tone_spans(path, 440) == [(0.0, 1.0)]
    assert tone_spans(path, 1000) == [(0.0, 1.0)]
    assert tone_spans(path, 700) == []


def test_silence_and_noise_hold_no_tone(tmp_path: Path) -> None:
    path = tmp_path / "none.wav"
    write(path, [0.0] * 4000 + [3000.0 if (i * i) % 7 > 3 else -3000.0 for i in range(4000)])
    assert dominant(path, (440, 700, 1500)) is None
    assert longest_gap_ms(path, 440) == 1000


def test_a_file_still_being_written_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "growing.wav"
    write_tone(path, 300, 1)
    data = bytearray(path.read_bytes())
    data[40:44] = bytes(4)
    path.write_bytes(data[:-3])
    assert len(samples(path)) == 7998
    assert dominant(path) == 300


def test_what_is_no_wav_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no.wav"
    path.write_bytes(b"hello, this is not audio at all")
    with pytest.raises(ValueError, match="not a WAV"):
        samples(path)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(640))
    with pytest.raises(ValueError, match="2 channels"):
        samples(path)
