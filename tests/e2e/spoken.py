"""Which of Asterisk's own sounds were heard, and in which order.

By the signs of the samples, which the codec leaves alone: a stretch of 100 of them in the same order is found
in no other sound. On a machine that stands still for a moment a phone loses frames; what it heard around
them is still the same.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

from ccbridge.lab.lab import Lab
from ccbridge.lab.legs import Leg
from ccbridge.lab.tones import samples

STRETCH = 100  # samples
LOUD = 200  # mean amplitude of a stretch: below it signs are noise
# Of a sound's loud stretches, as many must be heard. Of one heard whole 0.87 are found or more (the codec
# makes a few zeros), of another sound of the sets less than 0.1.
MOST = 0.6


def stretches(data: array[int]) -> Iterator[tuple[int, int]]:
    """Each loud stretch: where it begins, and its signs."""
    signs, loudness, all_alike = 0, 0, (1 << STRETCH) - 1
    for at, one in enumerate(data):
        signs = (signs << 1 | (one > 0)) & all_alike
        loudness += abs(one) - (abs(data[at - STRETCH]) if at >= STRETCH else 0)
        if at >= STRETCH - 1 and loudness >= LOUD * STRETCH and signs not in (0, all_alike):
            yield at - STRETCH + 1, signs


@cache
def stretches_of(sound: Path) -> list[int]:
    return [signs for _, signs in stretches(samples(sound))]


def spoken(heard: Path, folder: Path, names: tuple[str, ...]) -> list[str]:
    """Those of the sounds that were heard, each once, in their order."""
    places = {signs: at for at, signs in stretches(samples(heard))}
    found: list[tuple[float, str]] = []
    for name in names:
        wanted = stretches_of(folder / f"{name}.wav")
        at = [places[one] for one in wanted if one in places]
        if len(at) > MOST * len(wanted):
            found.append((median(at), name))
    return [name for _, name in sorted(found)]


async def played_to(leg: Leg, lab: Lab, names: tuple[str, ...]) -> list[str]:
    """The same of a leg, until the PBX hangs up."""
    await leg.ended()
    await asyncio.sleep(0.3)  # what he heard is written
    return await asyncio.to_thread(spoken, leg.heard, lab.folder / "pbx/lib/data/sounds/en", names)
