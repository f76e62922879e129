"""The routing daemon: builds the parts, connects the doors with the routing loop, stops in order."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
import structlog
from panoramisk.message import Message

from ccbridge import __version__
from ccbridge.agi import own_figures
from ccbridge.agi.brief import Briefings
from ccbridge.agi.closing import CLOSE, ClosingCodes
from ccbridge.agi.doors import HELD, Doors
from ccbridge.agi.follow_ups import CALL_BACK, HOUR, CallBack, Due, FollowUps
from ccbridge.agi.internal_calls import Calling
from ccbridge.agi.matters import MatterPlan, Matters
from ccbridge.agi.phone import PhoneCodes, PhonePlan
from ccbridge.agi.score import ScoreCards
from ccbridge.agi.server import AgiServer
from ccbridge.ami import snapshot, translate
from ccbridge.ami.client import AmiClient
from ccbridge.ami.errors import AmiError
from ccbridge.ami.recorder import Recorder
from ccbridge.ami.renewals import Renewals
from ccbridge.ami.teach import teach
from ccbridge.captures import lines
from ccbridge.captures.journal import InputJournal
from ccbridge.config import ConfigErrors, Site, differences, load
from ccbridge.control.commands import Commands
from ccbridge.control.hours import Closings
from ccbridge.control.monitoring import Monitors
from ccbridge.control.server import ControlServer
from ccbridge.control.taping import Taping
from ccbridge.control.wire import Answer
from ccbridge.core import inputs as i
from ccbridge.core import view
from ccbridge.core.memory import Memory
from ccbridge.core.state import freeze
from ccbridge.core.switchboard import Switchboard
from ccbridge.core.view import WAITING
from ccbridge.desk.notes import heard
from ccbridge.lamps import Lamps
from ccbridge.lookups import Lookups
from ccbridge.menus import FlowSources
from ccbridge.metrics.publisher import Publisher
from ccbridge.metrics.server import MetricsServer
from ccbridge.monitoring import Monitoring
from ccbridge.notify import Notify
from ccbridge.numbers import parse_caller
from ccbridge.reports.own import OwnFigures
from ccbridge.routing import RoutingLoop
from ccbridge.store.due import DueFollowUps
from ccbridge.store.journal import Journal, JournalBroken
from ccbridge.store.lookup import CustomerLookup
from ccbridge.store.menus import ArrivalTables
from ccbridge.store.shipper import Shipper
from ccbridge.store.takeover import recall
from ccbridge.store.version import schema_ok
from ccbridge.supervision.attendance import Attendance
from ccbridge.supervision.desk import Desk
from ccbridge.supervision.internal_calls import InternalCalls
from ccbridge.supervision.roles import Asked
from ccbridge.supervision.score_desk import ScoreDesk
from ccbridge.talk_keys import TalkKeys

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")
log = structlog.get_logger(__name__)

SYNC_EVERY = 1.0  # seconds
PRUNE_EVERY = 600.0  # seconds
AGI_GRACE = 2.0  # seconds that running sessions get at a stop; then the dialplan asks the next daemon
SCHEMA_LIMIT = 3.0  # seconds
READ_LIMIT = 2.0  # seconds for what is read out at a phone
READ_OUT = 20  # follow-ups
BOOT_LIMIT = 10.0  # seconds, within the client's limit for all that follows a login
# What a reload cannot change: sockets, folders and accounts are in use.
FIXED = ("asterisk", "agi", "database", "journal", "recording", "control", "metrics", "log")


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
        self.inputs: InputJournal | None = None
        self.draining = False
        self._stopping = asyncio.Event()
        self._started = time.monotonic()
        self.notify = Notify()

    # -- life

    async def run(self) -> None:
        """Run until ``stop()``. Raises DaemonRefused, JournalLocked, LoginRefused, OSError, and any fault."""
        site = self.site
        self.journal = Journal.open(
            site.journal.directory, site.journal.segment_bytes, checkpoint=lambda: self.memory.dump()
        )
        try:
            url = site.database.url.get_secret_value()
            there = await self._require_schema(url)
            await self._remember(url if there else "")
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
            self.recorder = self._make_recorder()
            self.agi = AgiServer(session_cap=site.agi.sessions)
            renewals = Renewals(self.client, HELD)
            self.inputs = self._open_inputs()
            self.loop = RoutingLoop(
                self.switchboard,
                self.memory,
                self.journal,
                self.inputs,
                self.client,
                renewals,
                self.lookup,
                self.recorder,
                self.notify,
                self._snapshot,
            )
            desk = Desk(
                lambda: self.switchboard.world,
                lambda: self.site.supervisors,
                self.switchboard.world.run,
                lambda: self.site.supervision.notice,
                lambda: self.site.supervision.ring,
            )
            scores = ScoreDesk(desk, lambda: self.site.score_cards, lambda: self.switchboard.world.plan)
            calls = InternalCalls(
                lambda: self.switchboard.world,
                lambda: self.site.agent_numbers,
                desk.on_duty,
                lambda: self.site.supervision.ring,
                self.loop.keep,
            )
            self.monitoring = Monitoring(desk, scores, calls, self.loop, self.client)
            ScoreCards(self.monitoring.form, self.monitoring.filled_in).open(self.agi)
            Briefings(desk.briefing, self._ticket).open(self.agi)
            self.keys = TalkKeys(
                self.switchboard,
                self.loop,
                self.client,
                {"escalate": self.monitoring.escalate, "leave": self.monitoring.leave},
            )
            self.lamps = Lamps(
                lambda: self.switchboard.world,
                lambda: self.site.phones.lamps,
                lambda: self.due.agents,
                self.client,
            )
            self.due = DueFollowUps(url, lambda: self.site.phones.lamps, self.lamps.look)
            self.loop.decided.append(self.lamps.look)
            self.arrivals = ArrivalTables(url)
            self.lookups = Lookups(lambda: self.site.lookups, url)
            self.sources = FlowSources(
                lambda: self.switchboard.world,
                self.arrivals,
                self.lookups,
                lambda: self.memory.closings,
                lambda: self.site,
            )
            self._set_voice()
            Doors(
                lambda: self.switchboard.world.plan,
                self.loop.post,
                self.loop.ask,
                self._parse,
                renewals,
                lambda: not self.draining,
                self.sources,
            ).open(self.agi)
            phone_codes = PhoneCodes(
                self._phone_plan,
                self.loop.ask,
                self._works_at,
                self.monitoring.dialled,
                self._note,
                self.memory.wrong,
            )
            phone_codes.open(self.agi)
            Matters(self.loop.ask, self._matter_plan, heard).open(phone_codes)
            FollowUps(self.loop.ask, self._due, self._call_back, self._is_number, self._note).open(
                phone_codes
            )
            Calling(calls, self.monitoring.escalate).open(phone_codes, self.agi)
            self.closings = Closings(
                lambda: self.memory,
                lambda: self.switchboard.world.run,
                lambda: {name: one.departments for name, one in self.site.hours.items()},
                lambda: self.site.supervisors,
                self.loop.keep,
                time.time,
            )
            ClosingCodes(
                lambda: {one.digits: name for name, one in self.site.hours.items() if one.digits},
                self._close_hours,
            ).open(phone_codes)
            own_figures.add(phone_codes, OwnFigures(url).today)
            self.attendance = Attendance(
                lambda: self.switchboard.world,
                lambda: self.site.supervisors,
                self.loop.keep,
                phone_codes.unlock,
            )
            self.publisher = Publisher(self.switchboard, self.loop.tally, self.facts)
            commands = Commands(
                self.switchboard,
                self.loop.ask,
                self.reload,
                self.drain,
                self.facts,
                self.loop.tally.since_start,
                Monitors(desk, self.monitoring.done, time.time),
                Taping(
                    self.switchboard, lambda: self.site.supervisors, self.loop.ask, self.loop.keep, time.time
                ),
                attendance=self.attendance,
                closings=self.closings,
            )
            self.control = ControlServer(site.control.socket, commands.handlers())
            await self._serve()
        finally:
            if self.inputs is not None:
                self.inputs.close()
            self.journal.close()
            self.notify.close()

    async def _serve(self) -> None:
        metrics = self.site.metrics
        pages = MetricsServer(metrics.host, metrics.port, self.publisher.pages) if metrics.port else None
        try:
            await self.lookup.open()
            async with asyncio.TaskGroup() as group:
                await self.control.start()
                await self.agi.start(self.site.agi.host, self.site.agi.port)
                loop_task = group.create_task(self.loop.run())
                shipping = group.create_task(self.shipper.run())
                ami = group.create_task(self.client.run())
                group.create_task(self.recorder.run())
                keeping = group.create_task(self._keep_journal())
                publishing = group.create_task(self.publisher.run())
                lamps = group.create_task(self.lamps.run())
                due = group.create_task(self.due.run())
                arrivals = group.create_task(self.arrivals.run())
                log.info("daemon.started", version=__version__, agi_port=self.agi.port)
                self.notify.say("READY=1")
                await self._stopping.wait()
                self.notify.say("STOPPING=1")
                log.info("daemon.stopping")
                # Order: no new work in, callers back to the dialplan, the link, what is written, the rest.
                await self.control.stop()
                await self.agi.stop(AGI_GRACE)
                self.client.close()
                self.recorder.close()
                await ami
                await self.loop.drained()
                keeping.cancel()
                publishing.cancel()
                lamps.cancel()
                due.cancel()
                arrivals.cancel()
                loop_task.cancel()
                self.journal.flush()
                shipping.cancel()  # copies what is left, within its own limit
        finally:
            self.loop.close()
            await self.control.stop()
            await self.agi.stop(0)
            self.client.close()
            self.recorder.close()
            await self.lookup.close()
            await self.lookups.close()
            if pages is not None:
                await asyncio.to_thread(pages.stop)
        log.info("daemon.stopped", unshipped=self.shipper.lag_records)

    def stop(self) -> None:
        """Ask it to end; safe to call again."""
        self._stopping.set()

    async def _remember(self, url: str) -> None:
        """What a former run wrote is what this one knows. ``url``: "" when the database is away."""
        self.memory, source, number = await recall(self.journal, url)
        if number:
            self.journal.resume(number)  # its first checkpoint is this memory
        at, now = time.time(), time.monotonic()
        # the run's name makes offer ids unique, and only letters and digits may stand in an extension
        self.switchboard = Switchboard(self.site.plan, f"{int(at * 10):x}")
        self.switchboard.restore(self.memory, at, now)
        self._restored: tuple[float, float] | None = (now, at)
        log.info(
            "daemon.remembered",
            source=source,
            calls=len(self.memory.calls),
            agents=len(self.memory.agents),
            seq=self.journal.last_seq,
        )

    def _open_inputs(self) -> InputJournal | None:
        keep = self.site.journal
        if not keep.input_days:
            return None
        inputs = InputJournal(
            keep.directory / "inputs",
            self._start_line,
            keep_days=keep.input_days,
            keep_bytes=keep.input_bytes,
        )
        inputs.open()
        return inputs

    def _start_line(self) -> bytes:
        """The first line of a file of inputs: at a start what was remembered, later the switchboard."""
        world, restored, self._restored = self.switchboard.world, self._restored, None
        now, at = restored or (world.now, world.at)
        return lines.start(
            lines.Start(
                now,
                at,
                world.run,
                world.base,
                self.journal.last_seq,
                memory=self.memory.dump() if restored else None,
                state=None if restored else freeze(world),
                system=self.site.asterisk.system,
                country=self.site.callers.country,
                ccbridge=__version__,
                asterisk=self.pbx_version,
            )
        )

    async def _require_schema(self, url: str) -> bool:
        """Whether the database answers. An old schema is refused; a database that is away is not: the journal
        holds until it is back."""
        try:
            async with asyncio.timeout(SCHEMA_LIMIT):
                ok, sentence = await schema_ok(url)
        except (TimeoutError, psycopg.OperationalError) as error:
            log.warning("database.away", why=str(error).strip() or f"no answer in {SCHEMA_LIMIT:.0f} s")
            return False
        if not ok:
            raise DaemonRefused(sentence)
        return True

    def _set_voice(self) -> None:
        speaks = self.site.wording.speech is not None
        self.loop.voice = self.sources.voice.waiting if speaks else None

    # -- AMI

    def _make_recorder(self) -> Recorder:
        pbx, client = self.site.asterisk, None
        if secret := pbx.recorder_secret.get_secret_value():
            client = AmiClient(
                host=pbx.host, port=pbx.port, username=pbx.recorder_user, secret=secret, events="off"
            )
        return Recorder(client, self.site.recording.directory)

    def _on_event(self, message: Message) -> None:
        if message.event == "Cdr" and not message.get("sequence"):
            self.counts["cdr_unmapped"] += 1
            if self.counts["cdr_unmapped"] == 1:
                log.error("cdr.no_sequence", remedy="include cdr_manager_ccbridge.conf in cdr_manager.conf")
        heard = time.time()
        event = translate.to_inbox(message, heard, self.site.asterisk.system, self._parse)
        self.loop.post_heard(event, message.text, heard)
        self.monitoring.heard(message, heard)
        self.keys.heard(message, heard)

    async def _on_up(self, client: AmiClient) -> None:
        """The link is logged in and its events are held back: see how the PBX stands."""
        began = await client.booted(BOOT_LIMIT)
        if began is None:
            log.warning(
                "pbx.not_fully_booted",
                waited_s=BOOT_LIMIT,
                remedy="if it is up: the AMI user needs 'system' in its read classes",
            )
        settings = await client.action({"Action": "CoreSettings"})
        self.pbx_version = settings.get("asteriskversion", "")
        await self._teach()
        seen = dataclasses.replace(await self._snapshot(), started=began)
        self.loop.post(i.LinkUp(time.time(), seen))
        self.monitoring.linked(seen)
        log.info("pbx.up", version=self.pbx_version, channels=len(seen.places), devices=len(seen.devices))

    async def _snapshot(self) -> i.Snapshot:
        seen = await snapshot.take(self.client)
        known = self.switchboard.world.calls
        places = (
            place
            if place.channel in known or "CCB_CALL" not in place.variables
            else translate.named(place, self._parse)
            for place in seen.places
        )
        return dataclasses.replace(seen, places=tuple(places), devices=self.lamps.found(seen.devices))

    async def _teach(self) -> None:
        site = self.site
        values = {
            "CCB_FALLBACK_AFTER": f"{site.routing.fallback_after:.0f}",
            "CCB_EXIT_CONTEXT": site.asterisk.exit_context,
            "CCB_REC_DIR": str(site.recording.directory),
        }
        exits = [(site.asterisk.exit_context, one) for one in sorted(site.plan.ways_out())]
        await teach(self.client, values, exits)

    def _on_down(self, reason: str) -> None:
        self.lamps.lost()
        self.loop.post(i.LinkDown(time.time(), reason))

    # -- everything else

    def _phone_plan(self) -> PhonePlan:
        site = self.site
        phones = site.phones
        return PhonePlan(
            site.codes.model_dump(),
            site.agent_numbers,
            site.plan.pause_reasons,
            phones.extend_by,
            phones.pins_file,
            phones.pin_tries,
            phones.pin_lock,
            {name: tuple(agent.personal) for name, agent in site.plan.agents.items()},
            {one.device: one.id for one in site.supervisors.values()},
        )

    def _close_hours(self, what: str, hours: str, device: str, who: str) -> tuple[bool, str]:
        seconds = self.site.hours[hours].close_for if what == CLOSE else 0.0
        return self.closings.keyed(what, hours, device, who, seconds or None)

    def _note(
        self, device: str, what: str, result: str, whom: str, *, who: str = "", reason: str = ""
    ) -> None:
        asked = Asked(time.time(), device, "phone")
        self.attendance.note(asked, what, result, whom, who=who, reason=reason)

    def _matter_plan(self) -> MatterPlan:
        said = self.site.tickets
        return MatterPlan(
            said.tags, said.follow_up_after, said.note_max, said.note_within, self.site.recording.directory
        )

    def _due(self, agent: str) -> Due | None:
        from ccbridge.store import queries  # SQLAlchemy: not before it is needed, here and below

        def ask(db: Connection) -> Due:
            now = datetime.now(UTC)
            called = queries.times_done(db, CALL_BACK, agent, now - timedelta(seconds=HOUR))
            return Due(queries.follow_ups(db, agent=agent, due_by=now, limit=READ_OUT), called)

        return self._read("follow_ups.not_read", ask)

    async def _ticket(self, call: str) -> int | None:
        """The number of its ticket, if the database tells it now."""
        return await asyncio.to_thread(self._ticket_of, call)

    def _ticket_of(self, call: str) -> int | None:
        from ccbridge.store import queries

        return self._read("ticket.not_read", lambda db: queries.ticket_of(db, call))

    def _read(self, failing: str, ask: Callable[[Connection], T]) -> T | None:
        """The database's answer within ``READ_LIMIT``. None when it is away; ``failing`` is in the log."""
        from ccbridge.store import queries

        try:
            with queries.reading(self.site.database.url.get_secret_value(), READ_LIMIT) as db:
                return ask(db)
        except queries.StoreAway as error:
            log.warning(failing, why=str(error))
            return None

    def _call_back(self) -> CallBack | None:
        how = self.site.tickets.call_back
        return None if how is None else CallBack(**how.model_dump())

    def _is_number(self, number: str) -> bool:
        return self._parse(number) == ("e164", number)

    def _works_at(self, device: str) -> dict[str, Any] | None:
        return view.works_at(self.switchboard, device, time.time(), time.monotonic())

    def _parse(self, raw: str) -> tuple[str, str | None]:
        return parse_caller(raw, self.site.callers.country)

    async def reload(self, dry_run: bool = False) -> Answer:
        """Load the configuration anew, or (``dry_run``) only say what that would change. A bad file changes
        nothing; addresses and folders need a restart. Data: ``differences``, or the mistakes."""
        try:
            site = await asyncio.to_thread(load, self.config_path)
        except ConfigErrors as errors:
            mistakes = [str(mistake) for mistake in errors.mistakes]
            if not dry_run:
                for mistake in mistakes:
                    log.error("config.mistake", mistake=mistake)
            return Answer(
                False, f"{len(mistakes)} mistakes in {self.config_path}: nothing is changed", mistakes
            )
        lines = Counter(call.queue for call in self.switchboard.world.calls.values() if call.state in WAITING)
        found = differences.sites(self.site, site, FIXED, lines)
        answer = {"differences": found}
        if dry_run:
            count = f"{len(found)} differences" if found else "no difference"
            return Answer(True, f"{self.config_path}: {count}; nothing is changed", answer)
        fixed = [name for name in FIXED if getattr(site, name) != getattr(self.site, name)]
        self.site = dataclasses.replace(site, **{name: getattr(self.site, name) for name in FIXED})
        self._set_voice()
        self.loop.post(i.PlanLoaded(time.time(), site.plan))
        log.info(
            "config.reloaded", queues=len(site.plan.queues), agents=len(site.plan.agents), differences=found
        )
        if self.client.up:
            try:
                await self._teach()
            except AmiError as error:
                log.warning("pbx.not_taught", why=str(error))  # the next login does it
        if not fixed:
            return Answer(True, f"{self.config_path} is loaded", answer)
        log.warning("config.needs_restart", sections=fixed)
        needs = f"{self.config_path} is loaded; a restart is needed for: {', '.join(fixed)}"
        return Answer(True, needs, answer)

    def drain(self, on: bool) -> None:
        """Send new callers to the fallback queue, or take them again. A restart takes them."""
        if on != self.draining:
            self.draining = on
            log.warning("daemon.draining" if on else "daemon.taking_calls")

    def facts(self) -> dict[str, Any]:
        """What ``status`` says beside the switchboard's own figures."""
        figures = self.client.figures() if hasattr(self.client, "loop") else None
        return {
            "version": __version__,
            "pid": os.getpid(),
            "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            "uptime_s": round(time.monotonic() - self._started, 1),
            "draining": self.draining,
            "asterisk_version": self.pbx_version,
            "ami": figures.state if figures else "down",
            "ami_reconnects": figures.reconnects if figures else 0,
            "ami_events": figures.events if figures else 0,
            "ami_timeouts": figures.timeouts if figures else 0,
            "ami_orphans": figures.orphans if figures else 0,
            "ami_round_trip_s": figures.round_trip if figures else None,
            "ami_clock_offset_s": figures.clock_offset if figures else None,
            "agi_sessions": self.agi.sessions,
            "agi_counts": dict(self.agi.counts),
            "inbox": self.loop.waiting,
            "loop_lag_s": round(self.publisher.lag, 4),
            "loop_silent_s": round(self.loop.silent, 1),
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
            "inputs_dropped": self.inputs.dropped if self.inputs else 0,
            "inputs_trouble": self.inputs.trouble if self.inputs else "",
            "oddities": self.loop.counts["oddities"],
            "drift": dict(self.loop.drift),
            "drift_age_s": self.publisher.drift_age,
            "sweep": self.loop.sweep,
        }

    async def _keep_journal(self) -> None:
        """fsync each second and prune now and then, in a thread: the loop never waits for a disk."""
        pruned = time.monotonic()
        while True:
            await asyncio.sleep(SYNC_EVERY)
            try:
                await asyncio.to_thread(self.journal.sync)
                if self.inputs is not None:
                    await asyncio.to_thread(self.inputs.prune)
                if time.monotonic() - pruned > PRUNE_EVERY:
                    pruned = time.monotonic()
                    keep = self.site.journal.keep_days * 86_400.0
                    await asyncio.to_thread(self.journal.prune, self.shipper.shipped, keep)
            except (OSError, JournalBroken) as error:
                # a disk that cannot do this now is no reason to leave the callers alone
                self.counts["journal_faults"] += 1
                if self.counts["journal_faults"] % 60 == 1:
                    log.error("journal.fault", why=str(error), times=self.counts["journal_faults"])
