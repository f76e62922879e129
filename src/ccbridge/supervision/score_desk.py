"""Score cards of supervisors on the line: which form for which call, who may, and what is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ccbridge.core.plan import Plan
from ccbridge.core.records import ControlEvent, ScoreCard
from ccbridge.supervision.desk import Desk
from ccbridge.supervision.forms import Form, form_for, score, told
from ccbridge.supervision.keying import Keyed
from ccbridge.supervision.roles import SCORE
from ccbridge.supervision.sessions import Session, State


@dataclass(frozen=True, slots=True)
class Sheet:
    """A form that somebody is filling in now. ``listened``: seconds of the call that he has heard."""

    form: Form
    session: str
    who: str
    device: str
    agent: str
    call: str
    queue: str
    listened: float
    since: float


class ScoreDesk:
    """``forms`` and ``plan`` are asked each time: a reload changes both."""

    def __init__(self, desk: Desk, forms: Callable[[], Mapping[str, Form]], plan: Callable[[], Plan]) -> None:
        self._desk = desk
        self._forms = forms
        self._plan = plan

    def begin(self, at: float, channel: str) -> tuple[Sheet | None, list[ControlEvent]]:
        """This channel asks for a form; None: he gets none."""
        session = self._desk.sessions.all.get(channel)
        if session is None or session.state is not State.SCORING:
            return None, []
        heard = session.listened
        queue = "" if heard is None else heard.queue
        form = form_for(self._forms(), queue, self._plan().departments)
        why = self._desk.refusal(session.supervisor, session.agent, SCORE, session.device)
        if not why and heard is None:
            why = "he has heard no call"
        if not why and form is None:
            why = f"there is no form for {queue or 'calls without a queue'}"
        call = None if heard is None else heard.call
        if heard is None or form is None or why:
            events = [_event(session, at, "asked", call), _event(session, at, "refused", call, why)]
            return None, events
        who = session.supervisor.id
        sheet = Sheet(
            form, session.id, who, session.device, session.agent, heard.call, queue, heard.seconds, at
        )
        return sheet, [_event(session, at, "asked", call, form.name)]

    def end(self, at: float, sheet: Sheet, keyed: Keyed) -> list[ControlEvent | ScoreCard]:
        """He has filled it in, or not."""
        took = round(max(0.0, at - sheet.since), 3)
        found = None if keyed.points is None else score(sheet.form, keyed.points)
        done = ControlEvent(
            sheet.session,
            at,
            SCORE,
            "failed" if found is None else "done",
            sheet.who,
            sheet.device,
            sheet.agent,
            "phone",
            call=sheet.call,
            seconds=took,
            reason=keyed.why,
        )
        if found is None or keyed.points is None:
            return [done]
        card = ScoreCard(
            call=sheet.call,
            at=at,
            agent=sheet.agent,
            who=sheet.who,
            queue=sheet.queue,
            form=sheet.form.name,
            version=sheet.form.version,
            total=found.total,
            failed=len(found.failed),
            items=told(sheet.form, keyed.points),
            listened=round(sheet.listened, 3),
            took=took,
        )
        return [card, done]


def _event(session: Session, at: float, result: str, call: str | None, reason: str = "") -> ControlEvent:
    who, device = session.supervisor.id, session.device
    return ControlEvent(
        session.id, at, SCORE, result, who, device, session.agent, "phone", call=call, reason=reason
    )
