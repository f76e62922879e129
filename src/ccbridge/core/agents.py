"""Agents: what each one is doing, and when a call may be offered to him.

An agent's *state* is derived, never set: one function of his log-in, pause, offer, wrap-up, phone and
cool-down, in a fixed order of precedence. A change of the derived state is one ``AgentEvent``, so the
intervals of an agent are contiguous by construction.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ccbridge.core.plan import AgentPlan

# Asterisk's device states that mean "there is no phone".
NO_PHONE = frozenset({"UNAVAILABLE", "INVALID"})
# ... and "in a call": with device_state_busy_at=1 a phone in use shows BUSY, without it INUSE.
IN_CALL = frozenset({"INUSE", "BUSY", "RINGING", "RINGINUSE", "ONHOLD"})


@dataclass(slots=True)
class Agent:
    """One agent. Deadlines (``*_due``) are on our monotonic clock, everything else is epoch seconds."""

    plan: AgentPlan
    logged_in: bool = False
    seat: str = ""  # the device at which he has logged in, as long as it is not his own
    personal: str = ""  # the personal device that his calls ring instead; "" while they ring his phone
    pause: str = ""  # reason; "" when not paused
    offer: str = ""  # the one live offer: reserved, ringing or talking
    talking: bool = False
    leg: str = ""  # his channel stays on the line after the talk (asked for the outcome)
    wrap_due: float | None = None
    cool_due: float | None = None
    cool_why: str = ""  # missed | refused | dnd | dead
    missed: list[float] = field(default_factory=list)  # his latest misses in a row, as far as they count
    lift_due: float | None = None  # his pause for misses ends by itself
    dead_offers: int = 0  # unreachable ones in a row: the step of the back-off
    device: str = "UNKNOWN"
    device_since: float = 0.0  # monotonic
    fade_due: float | None = None  # until then his phone's state may still tell of our own leg, which is gone
    idle_since: float = 0.0
    # since his log-in: queue -> when he was last offered one of its calls; talks, and their seconds
    turns: dict[str, float] = field(default_factory=dict)
    talks: int = 0
    talk_s: float = 0.0
    last_call: str = ""
    last_offer: str = ""
    last_end: float = 0.0  # of that call's talk
    here: bool = False  # as it was told last: see is_here
    shown: tuple[str, str] = ("logged_out", "")
    shown_at: float = 0.0

    @property
    def id(self) -> str:
        return self.plan.id

    @property
    def phone(self) -> str:
        """The phone that is his now: its codes are his, and it rings for him unless ``personal`` does."""
        return self.seat or self.plan.device

    @property
    def rings(self) -> str:
        """What is dialled for him now."""
        return self.plan.personal[self.personal] if self.personal else self.phone

    def has_phone(self) -> bool:
        """A personal device has no state in Asterisk: it counts as there."""
        return bool(self.personal) or self.device not in NO_PHONE

    def at_work(self) -> bool:
        """Logged in, or with the call that he finishes before he is logged out."""
        return self.logged_in or bool(self.offer or self.leg)

    def state(self) -> tuple[str, str]:
        """``(state, reason)`` as ``records.AGENT_STATES`` names them."""
        if self.offer:
            return ("talking" if self.talking else "offered", self._next())
        if not self.logged_in:
            return ("logged_out", "")
        if self.wrap_due is not None or self.leg:
            return ("wrap_up", self._next())
        if self.pause:
            return ("paused", self.pause)
        if not self.has_phone():
            return ("unreachable", "not_registered")
        if self.cool_due is not None:
            return ("unreachable", "dead") if self.cool_why == "dead" else ("cooldown", self.cool_why)
        if self.device in IN_CALL:
            return ("busy_elsewhere", "") if self.fade_due is None else self.shown
        return ("available", "")

    def is_here(self) -> bool:
        """He takes calls now or after what he is doing: at work, not paused, and with a phone."""
        dead = self.cool_due is not None and self.cool_why == "dead"
        return self.logged_in and not self.pause and self.has_phone() and not dead

    def _next(self) -> str:
        """What is to follow this call: as a part of the state it is written, and outlives a restart."""
        return self.pause if self.logged_in else "logging_out"

    def due(self) -> float | None:
        """The next moment at which his state changes by itself."""
        dues = (self.wrap_due, self.cool_due, self.fade_due, self.lift_due)
        return min((due for due in dues if due is not None), default=None)

    def log_out(self) -> None:
        """He takes no more calls; the present one goes on."""
        self.logged_in, self.wrap_due, self.cool_due = False, None, None
        self.unpause()

    def unpause(self) -> None:
        """No pause any more, and what he has missed is forgiven."""
        self.pause, self.lift_due, self.missed = "", None, []
