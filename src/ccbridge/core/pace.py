"""How fast a queue is served: running means, from which the wait of the next caller is reckoned.

One set for each queue, in the live ``World`` and in the ``Memory`` of what was written alike: both are told
the same figures by the functions here, so they stay equal.
"""

from __future__ import annotations

from dataclasses import dataclass

from ccbridge.core.plan import QueuePlan

# A talk weighs 1/200 at the least: with exponential talks the mean then wavers by 5 % (the standard deviation
# of such a mean is sqrt(a / (2 - a)) of it), and follows a change within some hundred calls.
LEAST_WEIGHT = 0.005
# So many talks it takes until what the plan expects is forgotten.
TRUSTED = 10
# Until there are any: how long a phone rings before it is answered, seconds.
FIRST_RING = 5.0


@dataclass(slots=True)
class Pace:
    """The running means of one queue. Times in seconds."""

    talks: int = 0
    talk: float = 0.0  # from the answer to the end of the agent's leg, hold included
    answers: int = 0
    ring: float = 0.0  # from the offer to its answer
    hold: int = 0  # what ``app_queue`` would call its holdtime

    def answered(self, ring: float, wait: float) -> None:
        """An offer was answered after ``ring`` seconds, its caller's wait was ``wait``.

        ``hold`` is ``recalc_holdtime`` of Asterisk's ``apps/app_queue.c`` (the same in 16 and 22): whole
        seconds, (3 * old + new) / 4 over the answered callers; the first one sets it.
        """
        whole = int(max(0.0, wait))
        self.hold = (3 * self.hold + whole) // 4 if self.answers else whole
        self.answers += 1
        self.ring = _drawn_to(self.ring, max(0.0, ring), self.answers)

    def talked(self, seconds: float) -> None:
        """The leg of an answered offer has ended after ``seconds``."""
        self.talks += 1
        self.talk = _drawn_to(self.talk, max(0.0, seconds), self.talks)

    def ring_now(self) -> float:
        """How long until an offer is answered."""
        return _trusted(self.ring, self.answers, FIRST_RING)

    def talk_now(self, plan: QueuePlan) -> float:
        """How long a talk lasts; the plan's word stands for those of the first that are still to come."""
        return _trusted(self.talk, self.talks, plan.expected_talk)

    def app_queue(self, waited: float) -> float | None:
        """What ``app_queue`` would announce to one who has waited so long: position and agents do not matter.

        ``say_position`` of ``apps/app_queue.c`` says labs(holdtime + 30 - waited) / 60 minutes; this is the
        same without the rounding, so it grows once he has waited for longer than the mean. None before the
        first answer.
        """
        return abs(self.hold - waited) if self.answers else None


def _drawn_to(mean: float, value: float, count: int) -> float:
    """The mean of all up to 1 / LEAST_WEIGHT values, then an exponential one. Rounded as it is written."""
    return round(mean + (value - mean) * max(1 / count, LEAST_WEIGHT), 3)


def _trusted(mean: float, count: int, before: float) -> float:
    missing = max(0, TRUSTED - count)
    return (mean * (TRUSTED - missing) + before * missing) / TRUSTED
