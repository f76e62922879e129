"""Notes that agents have spoken: whether there is anything on them."""

from __future__ import annotations

import array
import sys
import wave
from pathlib import Path

PIECE = 160  # samples: 20 ms
LOUD = 600  # of 65535 from crest to trough: above a line's noise, below quiet speech


def heard(path: Path) -> float:
    """Seconds of a mono file of 8 kHz and 16 bit in which something is to be heard; 0.0 where there is none.

    Blocks for some 10 ms a minute. Raises OSError of a file that is there and cannot be read.
    """
    try:
        with wave.open(str(path), "rb") as sound:
            rate, samples = sound.getframerate(), array.array("h", sound.readframes(sound.getnframes()))
    except (FileNotFoundError, wave.Error, EOFError, ValueError):
        return 0.0
    if sys.byteorder == "big":
        samples.byteswap()
    pieces = (samples[at : at + PIECE] for at in range(0, len(samples), PIECE))
    return sum(max(one) - min(one) > LOUD for one in pieces) * PIECE / rate
