"""Seeded mutation: what Asterisk, a file or a client really sent, changed a little or beyond recognition."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from random import Random

CORPUS = Path(__file__).parents[1] / "corpus"

# What parsers stumble over: ends, numbers that are none, escapes, halves of characters.
NASTY: tuple[bytes, ...] = (
    b"", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b": ", b":", b" ", b"\t", b"\\", b'"', b"'", b"(", b")",
    b"-1", b"0", b"1", b"255", b"4294967296", b"1e999", b"nan", b"inf", b"-inf", b"0x10", b"1_000",
    "٣".encode(), b"9" * 40, b"9" * 5000, b"\xff", b"\xce", "Ω".encode(), b"\xed\xa0\x80", b"\xf0\x9f\x98",
    "\u202e".encode(), b"%00", b"%", b"${X}", b"<unknown>", b"(null)", b"null", b"true", b"[" * 600,
    b"{", b"}", b"x" * 70_000,
)  # fmt: skip

_VALUE = re.compile(rb"(?<=: )[^\r\n]*")  # of a header, of a key in YAML or JSON


def ami() -> list[bytes]:
    """Messages that an Asterisk 22 sent to the daemon from login on, some dozen calls, without their end."""
    stream = gzip.decompress((CORPUS / "ami-22.bin.gz").read_bytes())
    return stream.partition(b"\r\n")[2].removesuffix(b"\r\n\r\n").split(b"\r\n\r\n")


def agi() -> list[bytes]:
    """What an Asterisk 22 sent in FastAGI sessions: a header, then answers."""
    sessions: list[str] = json.loads((CORPUS / "agi-22.json").read_text())
    return [one.encode("latin-1") for one in sessions]


def mutated(rng: Random, data: bytes, words: tuple[bytes, ...] = NASTY) -> bytes:
    """``data`` with one to three changes; what is put in comes from NASTY or from ``words``."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = _changed(rng, data, words)
    return data


def _changed(rng: Random, data: bytes, words: tuple[bytes, ...]) -> bytes:
    at = rng.randrange(len(data) + 1)
    end = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 64)))
    word = rng.choice(rng.choice((NASTY, words)))
    match rng.randrange(9):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + data[end:]
        case 2:
            return data[:end] + data[at:]
        case 3:
            return data[:at] + rng.randbytes(rng.choice((1, 2, 8))) + data[end:]
        case 4:
            return data[:at] + word + data[at:]
        case 5:
            return data[:at] + word + data[end:]
        case 6 | 7:
            found = list(_VALUE.finditer(data))
            if not found:
                return data
            here = rng.choice(found)
            value = word if rng.randrange(3) else rng.choice(found)[0]
            return data[: here.start()] + value + data[here.end() :]
        case _:
            lines = data.split(b"\n")
            here, there = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines.insert(there, lines[here] if rng.randrange(2) else lines.pop(here))
            return b"\n".join(lines)


def cut(rng: Random, data: bytes) -> list[bytes]:
    """The same bytes in one to three segments, as TCP may deliver them."""
    if rng.randrange(3) or len(data) < 3:
        return [data]
    a, b = sorted((rng.randrange(len(data)), rng.randrange(len(data))))
    return [part for part in (data[:a], data[a:b], data[b:]) if part]
