"""Supervisors' sessions beside the routing loop: told what it hears and decides, and their effects performed.

In the loop's thread, and after it: what the core has decided is under way before anybody listens to it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial

import structlog
from panoramisk.message import Message

from ccbridge.ami import spying, translate
from ccbridge.ami.client import AmiClient
from ccbridge.core import inputs as i
from ccbridge.core.inputs import Snapshot
from ccbridge.core.records import ControlEvent, ScoreCard
from ccbridge.routing import RoutingLoop
from ccbridge.supervision.desk import Decided, Desk
from ccbridge.supervision.internal_calls import InternalCalls
from ccbridge.supervision.keying import Keyed
from ccbridge.supervision.roles import Asked
from ccbridge.supervision.score_desk import ScoreDesk, Sheet
from ccbridge.supervision.sessions import Effect, HandOver, Ring

log = structlog.get_logger(__name__)


class Monitoring:
    def __init__(
        self, desk: Desk, scores: ScoreDesk, calls: InternalCalls, loop: RoutingLoop, client: AmiClient
    ) -> None:
        self.desk = desk
        self._calls = calls
        self._scores = scores
        self._sessions = desk.sessions
        self._loop = loop
        self._client = client
        loop.decided.append(self.look)
        loop.swept = self.swept

    def look(self) -> None:
        """The core has decided something."""
        if self._sessions.all or self.desk.escalations.all:
            self.perform(self.desk.look(time.time()))

    def heard(self, message: Message, read: float) -> None:
        """An event of the PBX, read at this moment: most are nothing of ours."""
        if message.event not in spying.EVENTS:
            return
        at = translate.stamp(message, read)
        match spying.heard(message):
            case spying.Arrived(session):
                self.perform(self._sessions.arrived(at, session))
            case spying.Keyed(session, key):
                self.perform(self._sessions.key(at, session, key))
            case spying.Spying(session, turn):
                self.perform(self._sessions.spying(at, session, turn))
            case spying.Joined(session):
                self.perform(self._sessions.joined(at, session))
                self._calls.joined(at, session)
            case spying.Parted(session):
                self.perform(self._sessions.parted(at, session))
            case spying.Gone(session, why):
                self.perform(self._sessions.gone(at, session, why))
                self._calls.gone(at, session)
        self._escalate_on(at)

    def linked(self, snapshot: Snapshot) -> None:
        """After a login: how the PBX stands."""
        self.perform(self._sessions.compare(time.time(), *_channels(snapshot)))
        self._compared(snapshot)

    def swept(self, snapshot: Snapshot) -> None:
        """How it stands while its events go on."""
        self.perform(self._sessions.swept(time.time(), *_channels(snapshot)))
        self._compared(snapshot)

    def _compared(self, snapshot: Snapshot) -> None:
        self._calls.compare(time.time(), _channels(snapshot)[0])
        self._escalate_on(time.time())

    def _escalate_on(self, at: float) -> None:
        """The supervisor who is asked for may have come, or not."""
        if self.desk.escalations.all:
            self.perform(self.desk.escalations.look(at))

    def done(self, decided: Decided) -> tuple[bool, str]:
        """Perform what was decided for somebody who asked."""
        self.perform(decided.effects)
        return decided.ok, decided.text

    def dialled(self, device: str, agent: str, mode: str, channel: str) -> bool:
        """A supervisor's code at this phone; whether the channel is to go to ``[ccbridge-monitor]``."""
        ok, text = self.done(self.desk.dialled(Asked(time.time(), device, "phone"), agent, mode, channel))
        log.info("monitor.dialled", device=device, agent=agent or None, mode=mode, ok=ok, why=text)
        return ok

    def escalate(self, device: str, agent: str) -> bool:
        """The agent at this phone asks for a supervisor."""
        ok, text = self.done(self.desk.escalate(Asked(time.time(), device, "phone"), agent))
        log.info("escalate.asked", device=device, agent=agent, ok=ok, why=text)
        return ok

    def leave(self, device: str, agent: str) -> bool:
        """He goes, and the supervisor whom he has asked for stays with the caller."""
        ok, text = self.done(self.desk.leave(Asked(time.time(), device, "phone"), agent))
        log.info("escalate.left", device=device, agent=agent, ok=ok, why=text)
        return ok

    def perform(self, effects: Sequence[Effect | ScoreCard]) -> None:
        """What is to be written is written first."""
        for effect in effects:
            if isinstance(effect, ControlEvent | ScoreCard):
                self._loop.keep(effect)
        for effect in effects:
            if isinstance(effect, ControlEvent | ScoreCard):
                continue
            if isinstance(effect, HandOver):
                self._loop.post(i.LegTaken(time.time(), effect.leg, effect.session, effect.by))
                continue
            try:
                futures = self._client.send_many(spying.to_actions(effect))
            except ValueError as error:
                log.error("ami.unsendable", effect=type(effect).__name__, why=str(error))
                continue
            for future in futures:
                future.add_done_callback(partial(self._answered, effect))

    def form(self, channel: str) -> Sheet | None:
        """This channel has gone to fill in a score card; None: it gets none."""
        sheet, events = self._scores.begin(time.time(), channel)
        self.perform(events)
        return sheet

    def filled_in(self, sheet: Sheet, keyed: Keyed) -> None:
        """What came of it."""
        self.perform(self._scores.end(time.time(), sheet, keyed))

    def _answered(self, effect: Effect, done: asyncio.Future[Message]) -> None:
        """Refused: he has hung up meanwhile, as a rule, and that is told."""
        error = done.exception() if not done.cancelled() else None
        if error is None:
            return
        log.info("monitor.action_failed", effect=type(effect).__name__, why=str(error))
        if isinstance(effect, Ring):
            self.perform(self._sessions.gone(time.time(), effect.session, "Asterisk refused"))
            self._escalate_on(time.time())


def _channels(snapshot: Snapshot) -> tuple[set[str], list[str]]:
    """All, and those of supervisors."""
    ours = [place.channel for place in snapshot.places if place.context == spying.CONTEXT]
    return {place.channel for place in snapshot.places}, ours
