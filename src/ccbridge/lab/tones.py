"""Tones in 8 kHz mono WAV files: made, and found frame by frame (20 ms), with the standard library alone.

A frame holds a tone if a third of its energy is at that frequency (Goertzel, 1958: one bin of a Fourier
transform); two tones of equal strength have half of it each.
"""

import math
import wave
from array import array
from pathlib import Path

RATE = 8000
FRAME = 160
FRAME_MS = 20
# Below this mean amplitude (of 32768) a frame is silence, whatever its spectrum.
SILENCE = 100
SHARE = 1 / 3


def write_tone(path: Path, frequency: float, seconds: float, amplitude: int = 8000) -> None:
    """A sine as WAV (8 kHz, 16 bit, mono); whole periods, so that it loops without a click."""
    path.parent.mkdir(parents=True, exist_ok=True)
    one_second = array(
        "h", (round(amplitude * math.sin(2 * math.pi * frequency * i / RATE)) for i in range(RATE))
    )
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        for _ in range(math.ceil(seconds)):
            out.writeframes(one_second.tobytes())


def samples(path: Path) -> "array[int]":
    """The samples of a mono 16-bit 8 kHz WAV file, also of one that is still being written."""
    data = path.read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{path} is not a WAV file")
    at = 12
    while data[at : at + 4] != b"data":
        if at >= len(data):
            raise ValueError(f"{path} holds no audio")
        if data[at : at + 4] == b"fmt ":
            channels, rate = (
                int.from_bytes(data[at + 10 : at + 12], "little"),
                int.from_bytes(data[at + 12 : at + 16], "little"),
            )
            if (channels, rate) != (1, RATE):
                raise ValueError(f"{path} has {channels} channels at {rate} Hz, not one at {RATE}")
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
    # The length in the header is written last: take all that is there.
    body = data[at + 8 :]
    return array("h", body[: len(body) // 2 * 2])


def share(frame: "array[int]", frequency: float) -> float:
    """How much of the frame's energy is at the frequency: 0 to about 1; 0 for silence."""
    energy = sum(value * value for value in frame)
    if energy < SILENCE * SILENCE * len(frame):
        return 0.0
    factor = 2 * math.cos(2 * math.pi * frequency / RATE)
    before = last = 0.0
    for value in frame:
        before, last = last, value + factor * last - before
    power = last * last + before * before - factor * last * before
    return 2 * power / (len(frame) * energy)


def tone_frames(path: Path, frequency: float) -> list[bool]:
    """Per 20 ms frame of the file, whether the tone is in it."""
    data = samples(path)
    return [
        share(data[start : start + FRAME], frequency) > SHARE
        for start in range(0, len(data) - FRAME + 1, FRAME)
    ]


def tone_spans(path: Path, frequency: float) -> list[tuple[float, float]]:
    """Where the tone is: (start, end) in seconds from the start of the file."""
    spans: list[tuple[float, float]] = []
    start: int | None = None
    frames = [*tone_frames(path, frequency), False]
    for index, present in enumerate(frames):
        if present and start is None:
            start = index
        elif not present and start is not None:
            spans.append((start * FRAME_MS / 1000, index * FRAME_MS / 1000))
            start = None
    return spans


def longest_gap_ms(path: Path, frequency: float, start: float = 0.0, end: float | None = None) -> int:
    """The longest time without the tone (ms), from `start` to `end` (s) or its first to its last frame."""
    frames = tone_frames(path, frequency)
    if start == 0.0 and end is None:
        present = [index for index, one in enumerate(frames) if one]
        frames = frames[present[0] : present[-1] + 1] if present else frames
    else:
        last = None if end is None else round(end * 1000 / FRAME_MS)
        frames = frames[round(start * 1000 / FRAME_MS) : last]
    longest = run = 0
    for one in frames:
        run = 0 if one else run + 1
        longest = max(longest, run)
    return longest * FRAME_MS


def dominant(path: Path, candidates: tuple[float, ...] = (300, 440, 700, 1000, 1500)) -> float | None:
    """The candidate that is in most frames of the file; None if none of them is in any."""
    counts = {one: sum(tone_frames(path, one)) for one in candidates}
    best = max(candidates, key=lambda one: counts[one])
    return best if counts[best] else None
