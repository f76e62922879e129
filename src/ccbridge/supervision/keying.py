"""How a form is filled in with a phone's keys: a conversation, as the menus' of ``core.ivr``.

Each item's number is said; 0 to 100 and ``#`` are its points, ``#`` alone leaves it out. ``*`` takes back
the digits keyed, else the item before; at the first one it gives up. At the end the total is said, and ``#``
keeps the card. Nothing is kept of a card that is not ended so.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from ccbridge.supervision.forms import MOST, Form, Item, Points, score

INVALID = "pm-invalid-option"
KEY_WAIT = 20.0  # seconds after what is said: time to think
NEXT_KEY_WAIT = 5.0  # seconds between two keys of a number
TRIES = 3  # wrong and silent ones in a row, before he is taken for gone
DIGITS = "0123456789"
LONGEST = 20  # digits: more are a stuck key


@dataclass(frozen=True, slots=True)
class Ask:
    """Say this (sounds and numbers), until a key breaks it off; the reply is a key within so many seconds
    after it, or ""."""

    words: tuple[str | int, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Keyed:
    """``points`` of the form's items; None: there is no card, and ``why``."""

    points: Points | None
    why: str = ""


Conversation = Generator[Ask, str, Keyed]


def fill_in(form: Form) -> Conversation:
    items, points = [item for _, item in form.items], list[int | None]()
    wrong, key = 0, "*"
    while wrong < TRIES:
        first = (INVALID,) if wrong and key else ()
        place = len(points)
        asks = _asks(items[place], place + 1) if place < len(items) else _read_back(form, points)
        key = yield Ask((*first, *asks), KEY_WAIT)
        if key == "*":
            if not points:
                return Keyed(None, "given up")
            points.pop()
            wrong = 0
        elif place == len(items):
            if key == "#":
                return Keyed(tuple(points))
            wrong += 1
        else:
            digits, key = yield from _number(key)
            if key == "*":
                continue
            judged = digits or any(one is not None for one in points) or place + 1 < len(items)
            if key != "#" or int(digits or 0) > MOST or not judged:
                wrong += 1
                continue
            points.append(int(digits) if digits else None)
            wrong = 0
    return Keyed(None, "no answer")


def _number(key: str) -> Generator[Ask, str, tuple[str, str]]:
    """The digits from this key on, and the key that ended them."""
    digits = ""
    while key and key in DIGITS and len(digits) < LONGEST:
        digits += key
        key = yield Ask((), NEXT_KEY_WAIT)
    return digits, key


def _asks(item: Item, number: int) -> tuple[str | int, ...]:
    return (item.sound,) if item.sound else ("number", number)


def _read_back(form: Form, points: Points) -> tuple[str | int, ...]:
    """The total, to the nearest whole; the items that fail it; how to keep it."""
    found = score(form, points)
    if found is None:
        raise ValueError("a card without an item judged got past the keys")
    failed = [word for number in found.failed for word in ("with", "number", number)]
    return ("you-entered", int(found.total + 0.5), *failed, "if-correct-press", "digits/pound")
