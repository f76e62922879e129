"""The routing loop: one task reads one inbox, asks the switchboard, and performs what it decided.

The order of the inbox is the order of the world. What a decision wrote goes to the journal before anything
else of it is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from panoramisk.message import Message

from ccbridge.ami import snapshot, translate
from ccbridge.ami.client import AmiClient
from ccbridge.ami.errors import AmiError
from ccbridge.ami.recorder import Recorder
from ccbridge.ami.renewals import Renewals
from ccbridge.captures import lines
from ccbridge.captures.journal import InputJournal
from ccbridge.core import inputs as i
from ccbridge.core import view
from ccbridge.core.effects import (
    Announce,
    Append,
    Drift,
    DropCall,
    DropLeg,
    Effect,
    LookAt,
    LookUpCustomer,
    MoveOut,
    MuteRecording,
    Oddity,
    PlaceOffer,
    PlayOut,
    Reply,
    StartRecording,
    SweepAgain,
    TellQueue,
)
from ccbridge.core.memory import Memory
from ccbridge.core.records import CdrRow, ControlEvent, Record, ScoreCard
from ccbridge.core.switchboard import Switchboard
from ccbridge.metrics.tally import Tally
from ccbridge.notify import Notify
from ccbridge.store.journal import Journal
from ccbridge.store.lookup import CustomerLookup

log = structlog.get_logger(__name__)

ALIVE_EVERY = 2.0  # seconds between two signs of life for the hold loop
SWEEP_EVERY = 30.0  # seconds between two comparisons of core and Asterisk
SWEEP_AGAIN = 2.0  # seconds until the one that says whether a difference stays
TURNS = 100  # inputs handled before others get their turn: some 5 ms
ASK_LIMIT = 5.0  # seconds


# A caller's place and minutes (0: not told) and his language -> what says them, absolute paths; () for none.
Waiting = Callable[[int, int, str], Awaitable[tuple[str, ...]]]


class RoutingLoop:
    """The switchboard with its inbox, its journal and its hands. ``run()`` until cancelled.

    ``memory`` is the fold of everything that was ever written; each record is added as it is appended.
    """

    def __init__(
        self,
        switchboard: Switchboard,
        memory: Memory,
        journal: Journal,
        inputs: InputJournal | None,
        client: AmiClient,
        renewals: Renewals,
        lookup: CustomerLookup,
        recorder: Recorder,
        notify: Notify,
        snapshot: Callable[[], Awaitable[i.Snapshot]],
    ) -> None:
        self.switchboard = switchboard
        self.counts: Counter[str] = Counter()
        self.tally = Tally()
        self.drift: Counter[str] = Counter()  # by kind, see ``core.sweep``
        # the last sweep: when, how long Asterisk took to answer, how much it mended
        self.sweep: dict[str, Any] = {"at": None, "seconds": None, "differences": 0}
        self._memory = memory
        self._journal = journal
        self._inputs = inputs
        self._client = client
        self._renewals = renewals
        self._lookup = lookup
        self._recorder = recorder
        self._notify = notify
        self._snapshot = snapshot
        # beside what happened, the words of the PBX that said so, and when they came
        self._inbox: asyncio.Queue[tuple[i.Input | CdrRow | None, str, float]] = asyncio.Queue()
        self._requests = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Reply]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._alive = 0
        self._alive_due = 0.0
        self._shown_at = time.monotonic()
        self._sweep_due = time.monotonic() + SWEEP_EVERY
        self._started = int(time.time())
        # called after each decision of the core, and with each snapshot of a sweep
        self.decided: list[Callable[[], None]] = []
        self.voice: Waiting | None = None
        self.swept: Callable[[i.Snapshot], None] = lambda snapshot: None

    @property
    def waiting(self) -> int:
        """Inputs in the inbox."""
        return self._inbox.qsize()

    @property
    def silent(self) -> float:
        """Seconds since the last sign of life, which comes every ``ALIVE_EVERY``."""
        return time.monotonic() - self._shown_at

    async def drained(self) -> None:
        """Return when everything posted so far is handled."""
        await self._inbox.join()

    def close(self) -> None:
        """Let go of lookups and looks that are under way."""
        for task in list(self._tasks):
            task.cancel()

    def post(self, event: i.Input | CdrRow) -> None:
        """Put something that happened into the inbox."""
        self._inbox.put_nowait((event, "", 0.0))

    def keep(self, record: ControlEvent | ScoreCard) -> None:
        """Write at once what the core did not decide: before that is done which it tells of."""
        self._note(record, "", 0.0, time.monotonic())
        self._write([record])

    def post_heard(self, event: i.Input | CdrRow | None, text: str, heard: float) -> None:
        """The same for an event of the PBX, which may mean nothing (None): it is kept all the same."""
        if event is not None or self._inputs is not None:
            self._inbox.put_nowait((event, text, heard))

    async def ask(self, make: Callable[[int], i.Input]) -> Reply:
        """Post a command and wait for the core's ``Reply``."""
        request = next(self._requests)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._asked[request] = future
        self.post(make(request))
        try:
            async with asyncio.timeout(ASK_LIMIT):
                return await future
        finally:
            del self._asked[request]

    async def run(self) -> None:
        turns = 0
        while True:
            posted = await self._next()
            thing, text, heard = posted or (i.Tick(time.time()), "", 0.0)
            now = time.monotonic()
            self._note(thing, text, heard, now)
            if isinstance(thing, CdrRow):
                self._write([thing])
            elif thing is not None:
                self._decide(thing, now)
            if self._inputs is not None:
                self._inputs.turn(now)
            if posted is not None:
                self._inbox.task_done()
                turns += 1
                if turns % TURNS == 0:
                    await asyncio.sleep(0)  # a flood of events must not keep the doors from being served
            if time.monotonic() >= self._alive_due:
                self._show_life()

    async def _next(self) -> tuple[i.Input | CdrRow | None, str, float] | None:
        """The next of the inbox, or None when a deadline has come."""
        if not self._inbox.empty():
            return self._inbox.get_nowait()
        if self._inputs is not None:
            self._inputs.flush()
        due = self.switchboard.next_deadline()
        due = self._alive_due if due is None else min(due, self._alive_due)
        try:
            async with asyncio.timeout(max(0.0, due - time.monotonic())):
                return await self._inbox.get()
        except TimeoutError:
            return None

    def _note(
        self,
        thing: i.Input | CdrRow | ControlEvent | ScoreCard | None,
        text: str,
        heard: float,
        now: float,
    ) -> None:
        """Into the journal of inputs, before it is acted upon: also what makes us fail is found there."""
        if self._inputs is None:
            return
        if thing is None or text:
            self._inputs.note(lines.heard(now, heard, text))
            return
        if isinstance(thing, i.Tick) and (self.switchboard.next_deadline() or math.inf) > now:
            return  # a sign of life is due, and nothing else
        try:
            line = (
                lines.noted(now, thing)
                if isinstance(thing, CdrRow | ControlEvent | ScoreCard)
                else lines.told(now, thing)
            )
        except ValueError as error:
            self._inputs.lost(f"{type(thing).__name__} cannot be written: {error}")
        else:
            self._inputs.note(line)
            if isinstance(thing, i.PlanLoaded):
                self._inputs.anew()  # whose first line has the new plan, and how numbers are read now

    def _decide(self, event: i.Input, now: float) -> None:
        effects = self.switchboard.handle(event, now)
        records = [effect.record for effect in effects if isinstance(effect, Append)]
        if records:
            self._write(records)
        for effect in effects:
            if not isinstance(effect, Append):
                self._perform(effect)
        for told in self.decided:
            told()
        self.tally.decisions.add(time.monotonic() - now)
        if not isinstance(event, i.Tick):
            self.tally.lag.add(max(0.0, time.time() - event.at))

    def _write(self, records: list[Record]) -> None:
        """To the journal, before anything is done. A full disk stops no call: records wait in memory."""
        for record in records:
            self._memory.apply(record)  # first: the journal may ask for a checkpoint that holds them
            self.tally.add(record, self.switchboard.world.plan.queues)
        if self._inputs is not None:
            self._inputs.flush()  # no record without what it follows from
        self._journal.append(records)

    def _show_life(self) -> None:
        """From inside the loop, so that a loop that hangs shows none."""
        self._shown_at = time.monotonic()
        self._alive_due = self._shown_at + ALIVE_EVERY
        self._alive += 1
        self._notify.say("WATCHDOG=1")
        if self._journal.unwritten:
            self._journal.flush()
        if self._client.up:
            value = f"{self._started}.{self._alive}"
            self._send({"Action": "Setvar", "Variable": "CCB_ALIVE", "Value": value})
            self._renewals.renew()
            if time.monotonic() >= self._sweep_due:
                self._sweep_due = time.monotonic() + SWEEP_EVERY
                self._spawn(self._sweep())

    # -- effects

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Announce() if self.voice is not None:
                self._spawn(self._announce(effect, self.voice))
            case PlaceOffer() | MoveOut() | PlayOut() | TellQueue() | Announce() | DropCall() | DropLeg():
                self._act_on_channel(effect)
            case MuteRecording():
                self._spawn(self._mute(effect))
            case StartRecording():
                self._spawn(self._record(effect))
            case LookAt():
                self._spawn(self._look(effect.call))
            case LookUpCustomer():
                self._spawn(self._look_up(effect))
            case Reply():
                asked = self._asked.get(effect.request)
                if asked is not None and not asked.done():
                    asked.set_result(effect)
            case Oddity():
                self.counts["oddities"] += 1
                log.warning("oddity", kind=effect.kind, **effect.ids)
            case Drift():
                self.drift[effect.kind] += 1
                self.sweep["differences"] += 1
                log.warning("drift", kind=effect.kind, **effect.ids)
            case SweepAgain():
                self._sweep_due = min(self._sweep_due, time.monotonic() + SWEEP_AGAIN)

    def _act_on_channel(
        self, effect: PlaceOffer | MoveOut | PlayOut | TellQueue | Announce | DropCall | DropLeg
    ) -> None:
        try:
            futures = self._client.send_many(translate.to_actions(effect))
        except (ValueError, TypeError) as error:
            # cannot be put on the wire: our own fault, and no reason to leave the caller hanging
            log.error("ami.unsendable", effect=type(effect).__name__, why=str(error))
            futures = []
            if isinstance(effect, PlaceOffer | MoveOut | PlayOut):
                self._move_failed(effect, str(error))
        for future in futures:
            future.add_done_callback(_consume)
        if futures and isinstance(effect, PlaceOffer | MoveOut | PlayOut):
            futures[-1].add_done_callback(lambda done: self._moved(effect, done))

    def _moved(self, effect: PlaceOffer | MoveOut | PlayOut, done: asyncio.Future[Message]) -> None:
        """Success only means queued: the dialplan itself reports arrival. A failure is worth a look."""
        error = done.exception() if not done.cancelled() else asyncio.CancelledError()
        if error is not None:
            self._move_failed(effect, str(error))

    def _move_failed(self, effect: PlaceOffer | MoveOut | PlayOut, why: str) -> None:
        offer = effect.offer if isinstance(effect, PlaceOffer) else ""
        log.info("ami.redirect_failed", call=effect.call, offer=offer, why=why)
        self.post(i.MoveFailed(time.time(), effect.call, offer, why))

    async def _sweep(self) -> None:
        """Beside the running: events go on meanwhile, and the core makes allowance for it."""
        begun = time.monotonic()
        try:
            seen = await self._snapshot()
        except AmiError as error:
            log.warning("sweep.failed", why=str(error))  # the next one is not far
            return
        at = time.time()
        taken = round(time.monotonic() - begun, 3)
        self.sweep = {"at": view.moment(at), "seconds": taken, "differences": 0}
        self.post(i.Swept(at, seen))
        self.swept(seen)

    async def _look(self, call: str) -> None:
        try:
            place = await snapshot.look(self._client, call)
        except AmiError as error:
            log.warning("ami.look_failed", call=call, why=str(error))  # its limit asks again
            return
        self.post(i.CallLooked(time.time(), call, place))

    async def _announce(self, effect: Announce, voice: Waiting) -> None:
        """In the language of his channel; in Asterisk's own sounds if there are no others."""
        try:
            language = await self._client.action(translate.language_of(effect.call))
            sounds = await voice(effect.position, effect.minutes, language.get("Value", ""))
        except AmiError as error:
            log.warning("announce.language_unknown", call=effect.call, why=str(error))
            return  # it is told again
        self._act_on_channel(dataclasses.replace(effect, sounds=sounds))

    async def _mute(self, effect: MuteRecording) -> None:
        try:
            (future,) = self._client.send_many(translate.to_actions(effect))
            await future
        except (AmiError, ValueError) as error:
            log.warning(
                "recording.not_muted" if effect.on else "recording.not_unmuted",
                call=effect.call,
                why=str(error),
            )
            self._recorder_answered(effect, str(error))
        else:
            self._recorder_answered(effect, "")

    async def _record(self, effect: StartRecording) -> None:
        try:
            await self._recorder.start(effect.call, effect.path)
        except (AmiError, ValueError) as error:
            log.warning("recording.not_started", call=effect.call, why=str(error))
            self._recorder_answered(effect, str(error))
        else:
            self._recorder_answered(effect, "")

    def _recorder_answered(self, effect: MuteRecording | StartRecording, why: str) -> None:
        if effect.asked is not None:
            told = i.RecorderAnswered(time.time(), effect.call, effect.asked, effect.recording, not why, why)
            self.post(told)

    async def _look_up(self, wanted: LookUpCustomer) -> None:
        found = await self._lookup.find_customer(wanted.e164, wanted.days)
        self.post(i.CustomerFound(time.time(), wanted.call, *(found or (None, ""))))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_report)

    def _send(self, fields: dict[str, str]) -> None:
        for future in self._client.send_many([fields]):
            future.add_done_callback(_consume)


def _consume(done: asyncio.Future[Any]) -> None:
    """An action whose failure is told elsewhere: take the exception, so that asyncio does not warn."""
    with contextlib.suppress(asyncio.CancelledError):
        error = done.exception()
        if error is not None:
            log.debug("ami.action_failed", why=str(error))


def _report(done: asyncio.Task[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        log.error("daemon.task_failed", task=done.get_name(), exc_info=error)
