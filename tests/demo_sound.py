"""What is to be heard in the demo's recordings, and at both ends of its calls."""

from __future__ import annotations

import hashlib
import math
import sys
import wave
from array import array
from functools import cache
from operator import mul
from pathlib import Path

from demo_evidence import Differences, Inputs, Row, legs_of, number_of, talk_s

RATE, FRAME = 8000, 160
SILENCE = 100  # mean amplitude of a frame
SHARE = 1 / 3  # of a frame's energy
MOSTLY = 0.8  # of a file's frames
# Asterisk skips frames on a machine that is busy with other things: so much of a talk must be there.
HEARD = 0.3
LENGTH_TOLERANCE_S = 0.25


def check_heard(inputs: Inputs, found: Differences) -> None:
    """Both heard each other: what each one received was written down on his side."""
    heard, told = Path(inputs.told["heard"]), inputs.told
    for caller in inputs.callers:
        for phone in (one for one in legs_of(inputs, caller) if one.answered):
            talked_s = talk_s(phone, caller)
            for listener, hz in (
                (phone, told["caller_tones"][caller.line]),
                (caller, told["phone_tones"][phone.line]),
            ):
                (data,) = _channels_of(heard / f"{listener.id}.wav")
                seconds = sum(_frames(data, hz)) * FRAME / RATE
                if seconds < HEARD * talked_s:
                    found.append(
                        f"{listener.line} heard {hz} Hz for {seconds:.2f} s of a talk of {talked_s:.2f} s"
                    )


def check_recordings(inputs: Inputs, found: Differences) -> int:
    """Each side's tone is on its own channel; returns how many files are as they should be."""
    told, good = inputs.told, 0
    calls = {row["call_id"]: row for row in inputs.tables["call"]}
    phones = {agent: phone for phone, agent in told["agents"].items()}
    for row in inputs.tables["recording"]:
        call = calls.get(row["call_id"])
        if call is None or row["state"] != "ready":
            continue
        before = len(found)
        _check_recording(
            Path(told["recordings"]) / f"{row['path']}.wav",
            row,
            told["caller_tones"][number_of(call)],
            told["phone_tones"][phones[row["agent"]]],
            call["talk_s"],
            found,
        )
        good += len(found) == before
    return good


def _check_recording(
    path: Path, row: Row, caller: int, agent: int, talk_s: float, found: Differences
) -> None:
    if not path.is_file():
        found.append(f"recording {path} is not there")
        return
    sides = _channels_of(path)
    if len(sides) != 2:
        found.append(f"recording {path.name} has {len(sides)} channels")
        return
    for side, data, mine, other in (("left", sides[0], caller, agent), ("right", sides[1], agent, caller)):
        frames = len(data) // FRAME
        part = sum(_frames(data, mine)) / max(1, frames)
        strange = sum(_frames(data, other))
        if part < MOSTLY or strange:
            found.append(
                f"recording {path.name}, {side}: {part:.0%} holds {mine} Hz, {strange} frames hold {other} Hz"
            )
    found.near(f"recording {path.name}, length", row["duration_s"], len(sides[0]) / RATE, 0.001)
    length = len(sides[0]) / RATE
    if not HEARD * talk_s < length < talk_s + LENGTH_TOLERANCE_S:
        found.append(f"recording {path.name} is {length:.2f} s long, the talk was {talk_s:.2f} s")
    found.same(f"recording {path.name}, bytes", row["bytes"], path.stat().st_size)
    found.same(f"recording {path.name}, hash", row["sha256"], hashlib.sha256(path.read_bytes()).hexdigest())


def _channels_of(path: Path) -> list[array[int]]:
    """The samples of each channel of a 16-bit WAV file of 8 kHz."""
    with wave.open(str(path), "rb") as sound:
        if (sound.getframerate(), sound.getsampwidth()) != (RATE, 2):
            raise ValueError(f"{path} is not 16 bit at {RATE} Hz")
        data = array("h", sound.readframes(sound.getnframes()))
        if sys.byteorder == "big":
            data.byteswap()
        count = sound.getnchannels()
    return [data[index::count] for index in range(count)]


def _frames(data: array[int], hz: float) -> list[bool]:
    """Per 20 ms, whether the tone has at least a third of the energy: one bin of a Fourier transform."""
    cosines, sines = _wave(hz)
    found = []
    for start in range(0, len(data) - FRAME + 1, FRAME):
        frame = data[start : start + FRAME]
        energy = sum(map(mul, frame, frame))
        if energy < SILENCE * SILENCE * FRAME:
            found.append(False)
            continue
        real, imaginary = sum(map(mul, frame, cosines)), sum(map(mul, frame, sines))
        found.append(2 * (real * real + imaginary * imaginary) / (FRAME * energy) > SHARE)
    return found


@cache
def _wave(hz: float) -> tuple[list[float], list[float]]:
    angles = [2 * math.pi * hz * n / RATE for n in range(FRAME)]
    return [math.cos(angle) for angle in angles], [math.sin(angle) for angle in angles]
