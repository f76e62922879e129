"""What an AMI client tells about itself, for metrics and `ccbridge status`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["down", "connecting", "settling", "live"]


@dataclass(frozen=True)
class Figures:
    """What the client counted since it was made. Seconds and numbers."""

    state: State
    logins: int
    reconnects: int  # logins after the first
    events: int
    orphans: int  # answers that came after their time-out
    timeouts: int
    callback_errors: int
    pending: int
    dropped: dict[str, int]  # by event name, while settling
    round_trip: float | None  # of the last answered ping
    silence: float | None  # since anything was heard on this link
    clock_offset: float | None  # Asterisk's clock minus ours
