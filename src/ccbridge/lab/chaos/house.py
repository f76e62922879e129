"""All that runs in a chaos or a soak, each part such that it can be hurt by itself."""

import asyncio
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from ccbridge.control.client import DaemonAway
from ccbridge.lab.chaos.plan import SALES, SUPPORT
from ccbridge.lab.database import Database
from ccbridge.lab.demo_account import UNSETTLED, Account
from ccbridge.lab.errors import LabError
from ccbridge.lab.lab import Lab, default_cache
from ccbridge.lab.postgres import LabPostgres, PostgresUnavailable
from ccbridge.lab.service import Service, site_file
from ccbridge.store.roles import RoleRefused
from ccbridge.store.schema import SchemaTrouble

POLL_S = 0.02
RESTART_S = 1.0
#: until rows, recordings and agents rest; a recording that a dead PBX never wrote is given up after 60 s
REST_LIMIT_S = 100.0
#: the shipped unit: an exit for which systemd does not start it again
CONFIGURATION_REFUSED = 2
OVERFLOW_PHONE, FALLBACK_PHONE = "1008", "1009"
AGENTS = {
    "anna": "1001", "ben": "1002", "chloe": "1003", "dimitris": "1004", "eva": "1005", "fotis": "1006",
}  # fmt: skip

# Brisk times, so that much happens in little time.
CHANGES: dict[str, Any] = {
    "queues": {
        name: {"ring": 4, "wrap_up": 1, "max_wait": 20, "overflow": OVERFLOW_PHONE}
        for name in ("sales", "support")
    },
    "routing": {
        "unreachable_backoff": [2, 4],
        "miss_cooldown": 2,
        "refuse_cooldown": 2,
        "reach_timeout": 2,
        "fallback_after": 15,
    },
    # small segments: their change is a moment like any other
    "journal": {"segment_bytes": 262_144},
    "agents": {
        "eva": {"name": "Εύα", "device": "PJSIP/1005", "queues": ["sales"]},
        "fotis": {"name": "Fotis", "device": "PJSIP/1006", "queues": ["support"]},
    },
    "flows": {
        "main": {
            "start": "choose",
            "steps": {
                "greeting": None,
                "choose": {
                    "menu": {"prompts": ["beep"], "invalid": ["beeperr"], "silent": None, "timeout": 2}
                },
                "operator": {"transfer": OVERFLOW_PHONE},
                "goodbye": {"hangup": {"prompts": ["beep"]}},
            },
        },
        "sales-at-once": {"start": "q", "steps": {"q": {"queue": "sales"}}},
        "support-at-once": {"start": "q", "steps": {"q": {"queue": "support", "priority": 5}}},
    },
    "numbers": {SALES: "sales-at-once", SUPPORT: "support-at-once"},
}


#: what can go wrong with a run itself
FAILURES = (
    LabError,
    PostgresUnavailable,
    SchemaTrouble,
    RoleRefused,
    psycopg.Error,
    OSError,
    subprocess.SubprocessError,
)


class House:
    """A lab, PostgreSQL, the daemon under a supervisor, the jobs, and a wire between daemon and PBX."""

    def __init__(self, folder: Path, changes: Mapping[str, Any] | None = None) -> None:
        """`changes` go over the configuration of a chaos."""
        self.folder = folder
        self.changes = dict(changes or {})
        self.lab = Lab(folder / "lab", default_cache())
        # not the machine's own, if there is one: it is to be stopped
        self.postgres = LabPostgres(folder / "postgres", external=False)
        self.wire = Wire()
        self.database: Database
        self.daemon: Service
        self.jobs: Service
        #: (exit code) of each end of the daemon that was not a fault's doing
        self.unasked_ends: list[int] = []
        self.expected_ends = 0
        self._supervisor: asyncio.Task[None] | None = None

    def up(self) -> None:
        """The lab and PostgreSQL. Raises LabError, PostgresUnavailable, and what `Database.create` raises."""
        server = self.postgres.start()
        self.lab.up(tethered=True)
        self.database = Database(server)
        self.database.create()

    async def open(self) -> None:
        """The wire, the daemon, the jobs. Raises LabError when the daemon does not come up."""
        pbx = self.lab.pbx
        port = await self.wire.open(pbx.ami_host, pbx.ami_port)
        changes = {**CHANGES, **self.changes, "asterisk": {"port": port}}
        config = site_file(self.folder / "site", pbx, self.database, changes)
        self.daemon, self.jobs = Service(config, tethered=True), Service(config, "jobs", tethered=True)
        self.jobs.start()
        self._supervisor = asyncio.create_task(self._supervise())
        await asyncio.to_thread(self.daemon.wait_ready)

    async def close(self) -> None:
        """Daemon and jobs stop in order; then the wire."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            for service in (self.daemon, self.jobs):
                await asyncio.to_thread(service.stop)
        await self.wire.close()

    def down(self) -> None:
        """End whatever runs, also what a former program left in this folder."""
        self.lab.down()
        self.postgres.stop()

    async def at_rest(self) -> str:
        """Until no call, row or recording is under way and all agents are free; what still is, or ""."""
        account = Account(self.database.admin_url)
        deadline = time.monotonic() + REST_LIMIT_S
        while True:
            try:
                missing = await asyncio.to_thread(self._unrest, account)
            except DaemonAway as away:
                missing = [str(away)]
            if not missing or time.monotonic() > deadline:
                return "; ".join(missing)
            await asyncio.sleep(0.5)

    def journal_is_written(self) -> bool:
        """Whether no record waits in the daemon's memory for a disk. Blocking."""
        try:
            return bool(self.daemon.must("status")["journal_unwritten"] == 0)
        except DaemonAway:
            return False

    def _unrest(self, account: Account) -> list[str]:
        status, rows = self.daemon.must("status"), account.rows(UNSETTLED)[0]
        counts = {
            "calls live": status["calls"]["total"],
            "records to ship": status["ship_lag_records"],
            "calls open in the database": rows["open"],
            "recordings unfinished": rows["unfinished"],
            "bytes of Asterisk's files to read": self._unread(account),
        }
        busy = [row for row in self.daemon.must("agent.list") if row["state"] != "available"]
        return [f"{what}: {count}" for what, count in counts.items() if count] + [
            f"{row['agent']} is {row['state']} {row['reason']}".rstrip() for row in busy
        ]

    def _unread(self, account: Account) -> int:
        files = (self.lab.pbx.cdr_csv, self.lab.pbx.cel_csv)
        read = {row["path"]: row["byte"] for row in account.rows("SELECT path, byte FROM file_position")}
        return sum(path.stat().st_size - read.get(str(path), 0) for path in files)

    @property
    def journal(self) -> Path:
        return self.folder / "site" / "journal"

    async def _supervise(self) -> None:
        """What systemd does with the shipped unit: a second after its end the daemon is started anew."""
        while True:
            self._launch()
            process = self.daemon.process
            assert process is not None
            while process.poll() is None:  # noqa: ASYNC110 no event tells of a process's end
                await asyncio.sleep(POLL_S)
            if self.expected_ends:
                self.expected_ends -= 1
            else:
                self.unasked_ends.append(process.returncode)
            if process.returncode == CONFIGURATION_REFUSED:
                raise LabError("The daemon refuses its configuration.", f"See {self.daemon.log}.")
            await asyncio.sleep(RESTART_S)

    def _launch(self) -> None:
        """Its log goes through a pipe: a limit on the size of its files must not lose a line of it."""
        mine, its = os.pipe()
        threading.Thread(target=self._keep_log, args=(mine,), daemon=True).start()
        try:
            self.daemon.launch(its)
        finally:
            os.close(its)

    def _keep_log(self, source: int) -> None:
        with os.fdopen(source, "rb") as lines, self.daemon.log.open("ab") as log:
            for line in lines:
                log.write(line)
                log.flush()


class Wire:
    """TCP from the daemon to the PBX's AMI, which can be cut and can stand still."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._is_cut = False
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, host: str, port: int) -> int:
        """Listen on a free port of the loopback, for connections on to `host`; the port."""
        self._target = host, port
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        own: int = self._server.sockets[0].getsockname()[1]
        return own

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self.cut()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """All connections end at once, unheard; new ones too, until `mend`."""
        self._is_cut = True
        for end in self._ends:
            end.transport.abort()

    def mend(self) -> None:
        self._is_cut = False

    def freeze(self) -> None:
        """Connections stay, nothing passes."""
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        ends = [writer]
        try:
            if self._is_cut:
                return
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            ends.append(far_writer)
            self._ends.update(ends)
            await asyncio.wait(
                [
                    asyncio.create_task(self._pass_on(reader, far_writer)),
                    asyncio.create_task(self._pass_on(far_reader, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        except OSError:
            pass  # the PBX is away: whoever connected sees his connection end
        finally:
            for end in ends:
                end.transport.abort()
            self._ends.difference_update(ends)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            return  # aborted, from whichever side
