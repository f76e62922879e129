"""Which of Asterisk's own sounds were heard, and in which order: by the shape of their loudness."""

from __future__ import annotations

import math
from pathlib import Path

from ccbridge.lab.tones import samples

STEP = 80  # samples: 10 ms
ALIKE = 0.9  # of 1: the least correlation; of two different sounds of the set it is below 0.7


def loudness(path: Path) -> list[float]:
    data = samples(path)
    return [
        math.sqrt(sum(one * one for one in data[at : at + STEP]) / STEP)
        for at in range(0, len(data) - STEP + 1, STEP)
    ]


def best(heard: list[float], sound: list[float]) -> tuple[float, int]:
    """The best correlation of the sound with a part of what was heard, and where that begins."""
    size, found = len(sound), (0.0, 0)
    mean = sum(sound) / size
    shape = [one - mean for one in sound]
    norm = math.sqrt(sum(one * one for one in shape))
    for at in range(len(heard) - size + 1):
        part = heard[at : at + size]
        middle = sum(part) / size
        power = math.sqrt(sum((one - middle) ** 2 for one in part))
        if power and norm:
            fit = sum(a * (b - middle) for a, b in zip(shape, part, strict=True)) / (norm * power)
            found = max(found, (fit, at))
    return found


def spoken(heard: Path, folder: Path, names: tuple[str, ...]) -> list[str]:
    """Those of the sounds that were heard whole, each once, in their order.

    A short one may be alike to a part of a long one: what was heard is one sound, the longest.
    """
    data, found = loudness(heard), []
    for name in names:
        sound = loudness(folder / f"{name}.wav")
        while sound and sound[-1] < 50:  # the silence at its end is cut off by the hang-up
            sound.pop()
        fit, at = best(data, sound)
        if fit > ALIKE:
            found.append((at, at + len(sound), name))
    return [
        name
        for begin, end, name in sorted(found)
        if not any(
            b <= (begin + end) / 2 <= e and e - b > end - begin for b, e, other in found if other != name
        )
    ]
