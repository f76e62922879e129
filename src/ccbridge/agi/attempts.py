"""Wrong PINs: so many at one phone or for one agent, and either is locked for a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

# More names than a site has phones and agents; the oldest gives way.
KEPT = 10_000


class Attempts:
    """``limit`` wrong ones, each within ``lock`` seconds of the one before, lock a name for ``lock`` seconds.

    ``now`` is epoch seconds: what a former run of the daemon has counted, ``wrong``, goes on to count.
    """

    def __init__(self, wrong: Mapping[str, Iterable[float]]) -> None:
        self._wrong = {name: list(moments) for name, moments in wrong.items()}

    def locked(self, name: str, now: float, limit: int, lock: float) -> bool:
        moments = self._wrong.get(name, [])
        return self.count(name, lock) >= limit and now - moments[-1] < lock

    def count(self, name: str, lock: float) -> int:
        """How many count together, the last one included."""
        moments = self._wrong.get(name, [])
        apart = (place for place, (one, next_) in enumerate(pairwise(moments), 1) if next_ - one >= lock)
        return len(moments) - max(apart, default=0)

    def failed(self, name: str, now: float, lock: float) -> None:
        moments = self._wrong.pop(name, [])
        self._wrong[name] = [*(moments if moments and now - moments[-1] < lock else ()), now]
        while len(self._wrong) > KEPT:
            del self._wrong[next(iter(self._wrong))]

    def take_back(self, name: str) -> None:
        """The last one that was counted was not wrong."""
        if moments := self._wrong.get(name):
            moments.pop()

    def forget(self, name: str) -> bool:
        """Lift it. Whether there was anything to lift."""
        return bool(self._wrong.pop(name, None))
