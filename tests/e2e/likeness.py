"""How much of a prompt is in what a caller has heard, by cross-correlation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccbridge.lab.tones import RATE, samples

# In pieces, each found where it is likest: a frame that was lost shifts what comes after it.
PIECE = RATE


def likeness(heard: Path, prompt: Path) -> float:
    """1 for a prompt that was heard whole, about 0 for one that was not: the mean correlation of its pieces,
    by their energy. Both are mono WAV files of 8 kHz. The codec costs less than 0.01; another prompt of this
    voice has 0.1 to 0.4.
    """
    # the silence at a prompt's end may be cut off by the hang-up
    whole, wanted = np.concatenate((_floats(heard), np.zeros(PIECE))), _floats(prompt)
    pieces = [wanted[at : at + PIECE] for at in range(0, len(wanted), PIECE)]
    energies = [float(np.sum(piece * piece)) for piece in pieces]
    found = [_best(whole, piece) for piece in pieces]
    return float(np.dot(found, energies) / max(sum(energies), 1.0))


def _best(whole: np.ndarray, piece: np.ndarray) -> float:
    """The highest correlation of the piece with any stretch of the whole that is as long."""
    if len(whole) < len(piece):
        return 0.0
    size = 1 << (len(whole) + len(piece)).bit_length()
    products = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(piece, size)), size)
    products = products[: len(whole) - len(piece) + 1]
    sums = np.concatenate(([0.0], np.cumsum(whole * whole)))
    energies = sums[len(piece) :] - sums[: -len(piece)]
    floor = 0.01 * np.sum(piece * piece)  # in a silence anything would look alike
    return float(np.max(products / np.sqrt(np.maximum(energies, floor) * np.sum(piece * piece) + 1.0)))


def _floats(path: Path) -> np.ndarray:
    return np.array(samples(path), dtype=np.float64)
