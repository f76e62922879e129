"""The routing daemon: builds the parts, runs the loop, performs effects, stops in order.

One task reads one inbox and calls the switchboard; the order of the inbox is the order of the world.
What a decision wrote goes to the journal before anything else of it is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import structlog
from panoramisk.message import Message

from ccbridge import __version__
from ccbridge.agi.doors import HELD, Doors
from ccbridge.agi.server import AgiServer
from ccbridge.ami import snapshot, translate
from ccbridge.ami.client import AmiClient
from ccbridge.ami.errors import ActionRefused, AmiError
from ccbridge.ami.renewals import Renewals
from ccbridge.config import ConfigErrors, Site, load
from ccbridge.control.commands import Commands
from ccbridge.control.server import ControlServer
from ccbridge.control.wire import Answer
from ccbridge.core import inputs as i
from ccbridge.core.effects import (
    Append,
    DropLeg,
    Effect,
    LookAt,
    LookUpCustomer,
    MoveOut,
    Oddity,
    PlaceOffer,
    Reply,
)
from ccbridge.core.memory import Memory
from ccbridge.core.plan import Transfer
from ccbridge.core.records import CdrRow, Record
from ccbridge.core.switchboard import Switchboard
from ccbridge.notify import Notify
from ccbridge.numbers import parse_caller
from ccbridge.store.journal import Journal, JournalBroken
from ccbridge.store.lookup import CustomerLookup
from ccbridge.store.schema import schema_ok
from ccbridge.store.shipper import Shipper

log = structlog.get_logger(__name__)

Seen = TypeVar("Seen", i.CallHolding, i.Place)

ALIVE_EVERY = 2.0  # seconds between two signs of life for the hold loop
SYNC_EVERY = 1.0
TURNS = 100  # inputs handled before others get their turn: some 5 ms
PRUNE_EVERY = 600.0
AGI_GRACE = 2.0  # seconds that running sessions get at a stop; then the dialplan asks the next daemon
SCHEMA_LIMIT = 3.0
ASK_LIMIT = 5.0


# What a reload cannot change: sockets, folders and accounts are in use.
FIXED = ("asterisk", "agi", "database", "journal", "recording", "control", "log")


# A Redirect to a place that does not exist drops the call, and is answered with Success.
TARGETS = (
    ("ccbridge-in", "menu"),
    ("ccbridge-hold", "s"),
    ("ccbridge-offer", "_o."),
    ("ccbridge-outcome", "_o."),
    ("ccbridge-exit", "_[0-9A-Za-z*#_]!"),
    ("ccbridge-fallback", "s"),
)


class DaemonRefused(Exception):
    """The daemon cannot start as things are; the message says what to do."""


class Daemon:
    """One running daemon. ``run()`` returns after ``stop()``, or raises what made it stop."""

    def __init__(self, site: Site, config_path: Path) -> None:
        self.site = site
        self.config_path = config_path
        self.counts: Counter[str] = Counter()
        self.memory = Memory()
        self.pbx_version = ""
        self._inbox: asyncio.Queue[i.Input | Record] = asyncio.Queue()
        self._requests = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Reply]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._alive = 0
        self._alive_due = 0.0
        self._started = time.monotonic()
        self.notify = Notify()

    # -- life

    async def run(self) -> None:
        """Run until ``stop()``. Raises DaemonRefused, JournalLocked, LoginRefused, OSError, and any fault."""
        site = self.site
        self.journal = Journal.open(
            site.journal.directory, site.journal.segment_bytes, checkpoint=self.memory_dump
        )
        try:
            self._remember()
            url = site.database.url.get_secret_value()
            await self._require_schema(url)
            self.lookup = CustomerLookup(url, limit=site.database.lookup_timeout)
            self.shipper = Shipper(self.journal, url)
            self.client = AmiClient(
                host=site.asterisk.host,
                port=site.asterisk.port,
                username=site.asterisk.user,
                secret=site.asterisk.secret.get_secret_value(),
                on_event=self._on_event,
                on_up=self._on_up,
                on_down=self._on_down,
            )
            self.agi = AgiServer(session_cap=site.agi.sessions)
            self.renewals = Renewals(self.client, HELD)
            Doors(lambda: self.switchboard.world.plan, self.post, self.ask, self._parse, self.renewals).open(
                self.agi
            )
            self.control = ControlServer(
                site.control.socket,
                Commands(self.switchboard, self.ask, self.reload, self.facts).handlers(),
            )
            await self._serve()
        finally:
            self.journal.close()
            self.notify.close()

    async def _serve(self) -> None:
        try:
            await self.lookup.open()
            async with asyncio.TaskGroup() as group:
                await self.control.start()
                await self.agi.start(self.site.agi.host, self.site.agi.port)
                loop_task = group.create_task(self._loop())
                shipping = group.create_task(self.shipper.run())
                ami = group.create_task(self.client.run())
                keeping = group.create_task(self._keep_journal())
                log.info("daemon.started", version=__version__, agi_port=self.agi.port)
                self.notify.say("READY=1")
                await self._stopping.wait()
                self.notify.say("STOPPING=1")
                log.info("daemon.stopping")
                # Order: no new work in, callers back to the dialplan, the link, what is written, the rest.
                await self.control.stop()
                await self.agi.stop(AGI_GRACE)
                self.client.close()
                await ami
                await self._inbox.join()
                keeping.cancel()
                loop_task.cancel()
                self.journal.flush()
                shipping.cancel()  # copies what is left, within its own limit
        finally:
            for task in list(self._tasks):
                task.cancel()
            await self.control.stop()
            await self.agi.stop(0)
            self.client.close()
            await self.lookup.close()
        log.info("daemon.stopped", unshipped=self.shipper.lag_records)

    def stop(self) -> None:
        """Ask it to end; safe to call again."""
        self._stopping.set()

    def _remember(self) -> None:
        """What a former run wrote is what this one knows."""
        state, records = self.journal.recover()
        self.memory = Memory(state)
        for record in records:
            self.memory.apply(record)
        # the run's name makes offer ids unique, and only letters and digits may stand in an extension
        self.switchboard = Switchboard(self.site.plan, f"{int(time.time() * 10):x}")
        self.switchboard.restore(self.memory, time.time(), time.monotonic())
        log.info(
            "daemon.remembered",
            calls=len(self.memory.calls),
            agents=len(self.memory.agents),
            seq=self.journal.last_seq,
        )

    async def _require_schema(self, url: str) -> None:
        """An old schema is refused; a database that is away is not: the journal holds until it is back."""
        try:
            async with asyncio.timeout(SCHEMA_LIMIT):
                ok, sentence = await schema_ok(url)
        except (TimeoutError, psycopg.OperationalError) as error:
            log.warning("database.away", why=str(error).strip() or f"no answer in {SCHEMA_LIMIT:.0f} s")
            return
        if not ok:
            raise DaemonRefused(sentence)

    # -- the loop

    def post(self, event: i.Input) -> None:
        self._inbox.put_nowait(event)

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

    async def _loop(self) -> None:
        turns = 0
        while True:
            thing = await self._next()
            if thing is not None and not isinstance(thing, CdrRow):
                self._decide(thing)
            elif thing is not None:
                self._write([thing])
            else:
                self._decide(i.Tick(time.time()))
            if thing is not None:
                self._inbox.task_done()
                turns += 1
                if turns % TURNS == 0:
                    await asyncio.sleep(0)  # a flood of events must not keep the doors from being served
            if time.monotonic() >= self._alive_due:
                self._show_life()

    async def _next(self) -> Any:
        """The next input, or None when a deadline has come."""
        if not self._inbox.empty():
            return self._inbox.get_nowait()
        due = self.switchboard.next_deadline()
        due = self._alive_due if due is None else min(due, self._alive_due)
        try:
            async with asyncio.timeout(max(0.0, due - time.monotonic())):
                return await self._inbox.get()
        except TimeoutError:
            return None

    def _decide(self, event: Any) -> None:
        effects = self.switchboard.handle(event, time.monotonic())
        records = [effect.record for effect in effects if isinstance(effect, Append)]
        if records:
            self._write(records)
        for effect in effects:
            if not isinstance(effect, Append):
                self._perform(effect)

    def memory_dump(self) -> dict[str, Any]:
        return self.memory.dump()

    def _write(self, records: list[Record]) -> None:
        """To the journal, before anything is done. A full disk stops no call: records wait in memory."""
        for record in records:
            self.memory.apply(record)  # first: the journal may ask for a checkpoint that holds them
        self.journal.append(records)

    def _show_life(self) -> None:
        """From inside the loop, so that a loop that hangs shows none."""
        self._alive_due = time.monotonic() + ALIVE_EVERY
        self._alive += 1
        self.notify.say("WATCHDOG=1")
        if self.journal.unwritten:
            self.journal.flush()
        if self.client.up:
            value = f"{int(self._started)}.{self._alive}"
            self._send({"Action": "Setvar", "Variable": "CCB_ALIVE", "Value": value})
            self.renewals.renew()

    # -- effects

    def _perform(self, effect: Effect) -> None:
        match effect:
            case PlaceOffer() | MoveOut() | DropLeg():
                self._act_on_channel(effect)
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

    def _act_on_channel(self, effect: PlaceOffer | MoveOut | DropLeg) -> None:
        try:
            futures = self.client.send_many(translate.to_actions(effect))
        except (ValueError, TypeError) as error:
            # cannot be put on the wire: our own fault, and no reason to leave the caller hanging
            log.error("ami.unsendable", effect=type(effect).__name__, why=str(error))
            futures = []
            if not isinstance(effect, DropLeg):
                self._move_failed(effect, str(error))
        for future in futures:
            future.add_done_callback(_consume)
        if futures and not isinstance(effect, DropLeg):
            futures[-1].add_done_callback(lambda done: self._moved(effect, done))

    def _moved(self, effect: PlaceOffer | MoveOut, done: asyncio.Future[Message]) -> None:
        """Success only means queued: the dialplan itself reports arrival. A failure is worth a look."""
        error = done.exception() if not done.cancelled() else asyncio.CancelledError()
        if error is not None:
            self._move_failed(effect, str(error))

    def _move_failed(self, effect: PlaceOffer | MoveOut, why: str) -> None:
        offer = effect.offer if isinstance(effect, PlaceOffer) else ""
        log.info("ami.redirect_failed", call=effect.call, offer=offer, why=why)
        self.post(i.MoveFailed(time.time(), effect.call, offer, why))

    async def _look(self, call: str) -> None:
        try:
            place = await snapshot.look(self.client, call)
        except AmiError as error:
            log.warning("ami.look_failed", call=call, why=str(error))  # its limit asks again
            return
        self.post(i.CallLooked(time.time(), call, place))

    async def _look_up(self, wanted: LookUpCustomer) -> None:
        found = await self.lookup.find_customer(wanted.e164)
        customer, name = found if found is not None else (None, "")
        self.post(i.CustomerFound(time.time(), wanted.call, customer, name))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_report)

    def _send(self, fields: dict[str, str]) -> None:
        for future in self.client.send_many([fields]):
            future.add_done_callback(_consume)

    # -- AMI

    def _on_event(self, message: Message) -> None:
        if message.event == "Cdr":
            if not message.get("sequence"):
                self.counts["cdr_unmapped"] += 1
                if self.counts["cdr_unmapped"] == 1:
                    log.error(
                        "cdr.no_sequence", remedy="include cdr_manager_ccbridge.conf in cdr_manager.conf"
                    )
            self._inbox.put_nowait(translate.cdr(message, self.site.asterisk.system))
            return
        event = translate.to_input(message)
        if isinstance(event, i.CallHolding):
            event = self._named(event)
        if event is not None:
            self.post(event)

    async def _on_up(self, client: AmiClient) -> None:
        """The link is logged in and its events are held back: see how the PBX stands."""
        settings = await client.action({"Action": "CoreSettings"})
        self.pbx_version = settings.get("asteriskversion", "")
        await self._teach(client)
        seen = await snapshot.take(client)
        seen = dataclasses.replace(seen, places=tuple(map(self._named, seen.places)))
        self.post(i.LinkUp(time.time(), seen))
        log.info("pbx.up", version=self.pbx_version, channels=len(seen.places), devices=len(seen.devices))

    async def _teach(self, client: AmiClient) -> None:
        """Tell the dialplan what the configuration says, and look whether it has what we send callers to."""
        values = {
            "CCB_FALLBACK_AFTER": f"{self.site.routing.fallback_after:.0f}",
            "CCB_EXIT_CONTEXT": self.site.asterisk.exit_context,
            "CCB_REC_DIR": str(self.site.recording.directory),
        }
        for name, value in values.items():
            await client.action({"Action": "Setvar", "Variable": name, "Value": value})
        plan = self.site.plan
        ways_out = {queue.overflow for queue in plan.queues.values()} | {
            step.extension
            for flow in plan.flows.values()
            for step in flow.steps.values()
            if isinstance(step, Transfer)
        }
        exits = [(self.site.asterisk.exit_context, extension) for extension in sorted(ways_out)]
        for context, extension in (*TARGETS, *exits):
            try:
                await client.action_list(
                    {"Action": "ShowDialPlan", "Context": context, "Extension": extension},
                    complete="ShowDialPlanComplete",
                )
            except ActionRefused as refused:
                log.error("pbx.missing_extension", context=context, extension=extension, why=str(refused))

    def _on_down(self, reason: str) -> None:
        self.post(i.LinkDown(time.time(), reason))

    # -- everything else

    def _named(self, seen: Seen) -> Seen:
        """With the caller's number parsed: the core adopts a caller it does not know by it."""
        kind, e164 = self._parse(seen.caller)
        return dataclasses.replace(seen, caller_kind=kind, e164=e164)

    def _parse(self, raw: str) -> tuple[str, str | None]:
        return parse_caller(raw, self.site.callers.country)

    async def reload(self) -> Answer:
        """Load the configuration anew; a bad file changes nothing. Addresses and folders need a restart."""
        try:
            site = await asyncio.to_thread(load, self.config_path)
        except ConfigErrors as errors:
            mistakes = [str(mistake) for mistake in errors.mistakes]
            for mistake in mistakes:
                log.error("config.mistake", mistake=mistake)
            return Answer(
                False, f"{len(mistakes)} mistakes in {self.config_path}: nothing is changed", mistakes
            )
        fixed = [name for name in FIXED if getattr(site, name) != getattr(self.site, name)]
        self.site = dataclasses.replace(site, **{name: getattr(self.site, name) for name in FIXED})
        self.post(i.PlanLoaded(time.time(), site.plan))
        log.info("config.reloaded", queues=len(site.plan.queues), agents=len(site.plan.agents))
        if self.client.up:
            try:
                await self._teach(self.client)
            except AmiError as error:
                log.warning("pbx.not_taught", why=str(error))  # the next login does it
        if not fixed:
            return Answer(True, f"{self.config_path} is loaded")
        log.warning("config.needs_restart", sections=fixed)
        return Answer(True, f"{self.config_path} is loaded; a restart is needed for: {', '.join(fixed)}")

    def facts(self) -> dict[str, Any]:
        """What ``status`` says beside the switchboard's own figures."""
        figures = self.client.figures() if hasattr(self.client, "loop") else None
        return {
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._started, 1),
            "asterisk_version": self.pbx_version,
            "ami": figures.state if figures else "down",
            "ami_reconnects": figures.reconnects if figures else 0,
            "agi_sessions": self.agi.sessions,
            "agi_counts": dict(self.agi.counts),
            "inbox": self._inbox.qsize(),
            "journal_faults": self.counts["journal_faults"],
            "cdr_unmapped": self.counts["cdr_unmapped"],
            "journal_seq": self.journal.last_seq,
            "journal_unwritten": self.journal.unwritten,
            "journal_dropped": self.journal.dropped,
            "journal_trouble": self.journal.trouble,
            "ship_lag_records": self.shipper.lag_records,
            "ship_lag_s": round(self.shipper.lag_seconds, 3),
            "ship_trouble": self.shipper.trouble,
            "ship_rejected": self.shipper.rejected,
            "oddities": self.counts["oddities"],
        }

    async def _keep_journal(self) -> None:
        """fsync each second and prune now and then, in a thread: the loop never waits for a disk."""
        pruned = time.monotonic()
        while True:
            await asyncio.sleep(SYNC_EVERY)
            try:
                await asyncio.to_thread(self.journal.sync)
                if time.monotonic() - pruned > PRUNE_EVERY:
                    pruned = time.monotonic()
                    keep = self.site.journal.keep_days * 86_400.0
                    await asyncio.to_thread(self.journal.prune, self.shipper.shipped, keep)
            except (OSError, JournalBroken) as error:
                # a disk that cannot do this now is no reason to leave the callers alone
                self.counts["journal_faults"] += 1
                if self.counts["journal_faults"] % 60 == 1:
                    log.error("journal.fault", why=str(error), times=self.counts["journal_faults"])


def _consume(done: asyncio.Future[Any]) -> None:
    """An action whose failure is told elsewhere: take the exception, so that asyncio does not warn."""
    with contextlib.suppress(asyncio.CancelledError):
        error = done.exception()
        if error is not None:
            log.debug("ami.action_failed", why=str(error))


def _report(done: asyncio.Task[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        log.error("daemon.task_failed", task=done.get_name(), exc_info=error)
