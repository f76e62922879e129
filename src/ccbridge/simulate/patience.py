"""How patient callers are, from those who were answered before it was over.

Who hung up in line had just that much patience; who was answered, or sent elsewhere, had more than he needed,
and nobody knows how much (the observation is censored). The share of callers with more patience than t is
estimated by the product, over all moments up to t at which somebody hung up, of
1 - (who hung up then) / (who still waited): E. L. Kaplan, P. Meier, "Nonparametric estimation from incomplete
observations", JASA 53 (1958), 457-481.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable


class Patience:
    """Of some callers. ``waits``: how long each waited, in seconds, and whether he then hung up."""

    def __init__(self, waits: Iterable[tuple[float, bool]]) -> None:
        seen = list(waits)
        gave_up = Counter(wait for wait, hung_up in seen if hung_up)
        gone = Counter(wait for wait, _ in seen)
        self.gave_up = gave_up.total()
        self.moments: list[float] = []  # at which somebody hung up
        self.left: list[float] = []  # the share that had more patience than that; falls
        waiting, share = len(seen), 1.0
        for wait in sorted(gone):
            if wait in gave_up:
                share *= 1 - gave_up[wait] / waiting
                self.moments.append(wait)
                self.left.append(share)
            waiting -= gone[wait]

    def more_than(self, seconds: float) -> float:
        """The share of callers with more patience than that, 0 to 1."""
        place = bisect_right(self.moments, seconds)
        return self.left[place - 1] if place else 1.0

    def beyond(self, waited: float, chance: float) -> float | None:
        """The patience of one who has waited so long; ``chance`` is uniform from 0 to 1.

        None: longer than anybody was seen to wait before hanging up.
        """
        share = chance * self.more_than(waited)
        first = bisect_right(self.moments, waited)
        for place in range(first, len(self.moments)):
            if self.left[place] <= share:
                return self.moments[place]
        return None
