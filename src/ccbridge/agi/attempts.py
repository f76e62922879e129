"""Wrong PINs: so many at one phone or for one agent, and either is locked for a time."""

from __future__ import annotations

from dataclasses import dataclass, field

# More names than a site has phones and agents; the oldest gives way.
KEPT = 10_000


@dataclass(slots=True)
class Attempts:
    """``limit`` wrong ones, each within ``lock`` seconds of the one before, lock a name for ``lock`` seconds.

    ``now`` is monotonic seconds. Kept in memory alone: a restart forgets it.
    """

    wrong: dict[str, tuple[int, float]] = field(default_factory=dict)  # name -> how many, the last one

    def locked(self, name: str, now: float, limit: int, lock: float) -> bool:
        count, last = self.wrong.get(name, (0, now))
        return count >= limit and now - last < lock

    def failed(self, name: str, now: float, lock: float) -> None:
        count, last = self.wrong.pop(name, (0, now))
        self.wrong[name] = (count + 1 if now - last < lock else 1, now)
        while len(self.wrong) > KEPT:
            del self.wrong[next(iter(self.wrong))]

    def take_back(self, name: str) -> None:
        """One that was counted was not wrong."""
        if name in self.wrong:
            count, last = self.wrong[name]
            self.wrong[name] = (count - 1, last)

    def forget(self, name: str) -> bool:
        """Lift it. Whether there was anything to lift."""
        return self.wrong.pop(name, None) is not None
