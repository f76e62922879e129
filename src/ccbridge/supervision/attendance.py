"""Who comes and goes, by whichever door, wrong PINs and locks: each is told in the audit.

| what | result | whom |
|---|---|---|
| log_in, log_out | done, or refused with the reason | the agent |
| pin | failed: it was wrong | the agent, if the number is anybody's; ``by`` is the phone |
| lock | done: so many wrong ones | the agent, or the phone |
| unlock | done, or refused with the reason | the agent, or the phone |
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from ccbridge.core.records import ControlEvent
from ccbridge.core.world import World
from ccbridge.supervision import roles
from ccbridge.supervision.roles import Asked, Supervisor


class Attendance:
    """``world`` and ``people`` are asked each time: a reload changes both. ``keep`` writes a record."""

    def __init__(
        self,
        world: Callable[[], World],
        people: Callable[[], Mapping[str, Supervisor]],
        keep: Callable[[ControlEvent], None],
        forget: Callable[[str], bool],
    ) -> None:
        self._world = world
        self._people = people
        self._keep = keep
        self._forget = forget
        self._numbers = itertools.count(1)

    def note(
        self, asked: Asked, what: str, result: str, whom: str, *, who: str = "", reason: str = ""
    ) -> None:
        """Tell what was done; ``who``: the agent himself, where he has shown that he is it."""
        own = who or self.known(asked.by)
        control = f"a{self._world().run}x{next(self._numbers)}"
        self._keep(
            ControlEvent(control, asked.at, what, result, own, asked.by, whom, asked.door, reason=reason)
        )

    def known(self, user: str) -> str:
        """The supervisor who is this user of the machine; "" for none."""
        own = roles.own(user, self._people())
        return "" if own is None else own.id

    def unlock(self, asked: Asked, name: str, as_: str = "") -> tuple[bool, str]:
        """Forget the wrong PINs of an agent, or of a phone such as PJSIP/1001, in ``as_``'s name.

        A supervisor acts as himself, within his departments: a phone is of those of whoever works at it, or
        has it as his own. Anybody else who may open the control socket may do it anywhere.
        """
        people = self._people()
        who = people.get(as_) if as_ else roles.own(asked.by, people)
        why = ""
        if as_ and who is None:
            why = "there is no supervisor of this name"
        elif who is not None:
            why = roles.acts_as(asked.by, who, people) or roles.unlock_refusal(who, self._departments(name))
        self.note(asked, "unlock", "refused" if why else "done", name, who=who.id if who else "", reason=why)
        if why:
            return False, why
        return True, f"{name} may try again" if self._forget(name) else f"{name} was not locked"

    def _departments(self, name: str) -> frozenset[str]:
        world = self._world()
        agents = [one for one in world.agents.values() if name in (one.id, one.phone, one.plan.device)]
        queues = {queue for one in agents for queue in one.plan.queues}
        return roles.works_for(queues, world.plan.departments)
