"""Who comes and goes, by whichever door, wrong PINs and locks: each is told in the audit.

| what | result | whom |
|---|---|---|
| log_in, log_out | done, or refused with the reason | the agent |
| pin | failed: it was wrong | the agent, if the number is anybody's; ``by`` is the phone |
| lock | done: so many wrong ones | the agent, or the phone |
| unlock | done, or refused with the reason | the agent, or the phone |
| personal | refused by role or department; the rest is told by the core | the agent |
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
        who, why = self._judge(asked, name, as_, roles.unlock_refusal)
        self.note(asked, "unlock", "refused" if why else "done", name, who=who, reason=why)
        if why:
            return False, why
        return True, f"{name} may try again" if self._forget(name) else f"{name} was not locked"

    def personal(self, asked: Asked, agent: str, as_: str = "") -> tuple[str, str]:
        """Who has the agent's calls ring elsewhere, by the same rule, and why he may not ("": he may). A
        refusal is told."""
        who, why = self._judge(asked, agent, as_, _personal_refusal)
        if why:
            self.note(asked, "personal", "refused", agent, who=who, reason=why)
        return who, why

    def _judge(
        self, asked: Asked, name: str, as_: str, refusal: Callable[[Supervisor, frozenset[str]], str]
    ) -> tuple[str, str]:
        """Who acts ("": none of the supervisors), and why he may not ("": he may)."""
        people = self._people()
        who = people.get(as_ or self.known(asked.by))
        if who is None:
            return "", "there is no supervisor of this name" if as_ else ""
        return who.id, roles.acts_as(asked.by, who, people) or refusal(who, self._departments(name))

    def _departments(self, name: str) -> frozenset[str]:
        world = self._world()
        agents = [one for one in world.agents.values() if name in (one.id, one.phone, one.plan.device)]
        queues = {queue for one in agents for queue in one.plan.queues}
        return roles.works_for(queues, world.plan.departments)


def _personal_refusal(who: Supervisor, departments: frozenset[str]) -> str:
    rights = roles.ROLES[who.role]
    if not rights.unlocks:
        return f"a {who.role} may not say where an agent's calls ring"
    if not rights.everywhere and departments.isdisjoint(who.departments):
        return f"{who.id} supervises none of the agent's departments"
    return ""
