"""What the checks look through: AMI as the routing user, Asterisk's console, the daemon, the database.

Each may be away; what needs it is then skipped, and the rest goes on. AMI is used with the routing user's own
rights and only to read: ``ListCommands``, ``Getvar``, ``ShowDialPlan``, ``CoreSettings``, ``QueueStatus``,
``Ping``. What that user may not see (what he may hear, music, folders) is asked of the console, which needs
no AMI right: it is Asterisk's own socket, so root or the user ``asterisk`` on the PBX can.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
import shutil
import time
from collections.abc import Callable
from typing import Any

import psycopg
from panoramisk.message import Message

from ccbridge.ami.client import AmiClient
from ccbridge.ami.errors import AmiError, LoginRefused
from ccbridge.config import Site
from ccbridge.control.client import ControlClient, DaemonAway
from ccbridge.doctor.finding import Finding, Findings, fail, ok, skip
from ccbridge.store import urls

STEP = 5.0  # seconds for one connection or one answer
Db = psycopg.AsyncConnection[tuple[Any, ...]]


class Visit:
    """One look at a site. ``console``: how to run Asterisk's program here, such as ``asterisk``.

    ``ami``, ``db``, ``daemon`` (the data of ``status``) and ``settings`` (``core show settings``) are None
    while there is none.
    """

    def __init__(self, site: Site, console: str = "", clock: Callable[[], float] = time.time) -> None:
        self.site = site
        self.clock = clock
        self.ami: AmiClient | None = None
        self.db: Db | None = None
        self.daemon: dict[str, Any] | None = None
        self.settings: dict[str, str] | None = None
        self.core: Message | None = None  # CoreSettings
        self._console = shlex.split(console) if console else [shutil.which("asterisk") or ""]
        self._task: asyncio.Task[None] | None = None

    # -- asking

    async def variable(self, name: str) -> str:
        """A global variable or a function's value; '' if there is none. Raises AmiError."""
        assert self.ami is not None
        answer = await self.ami.action({"Action": "Getvar", "Variable": name})
        return str(answer.get("value", "") or "")

    async def rx(self, command: str) -> str:
        """What the console says. Raises OSError or TimeoutError if there is none."""
        child = await asyncio.create_subprocess_exec(
            *self._console,
            "-rx",
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(STEP):
                said, _ = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        text = said.decode(errors="replace")
        if child.returncode:
            raise OSError((text.strip().splitlines() or ["it said nothing"])[0])
        return text

    @property
    def major(self) -> int:
        """16 for 16.28.0; 0 while unknown."""
        found = re.match(r"(\d+)\.", self.core.get("asteriskversion", "") if self.core is not None else "")
        return int(found[1]) if found else 0

    # -- coming and going

    async def look(self) -> Findings:
        """Connect with all four, each for itself."""
        for finding in await asyncio.gather(self._to_ami(), self._to_daemon(), self._to_database()):
            yield finding
        yield await self._to_console()

    async def leave(self) -> None:
        if self.ami is not None:
            self.ami.close()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=STEP)
        if self.db is not None:
            await self.db.close()

    async def _to_ami(self) -> Finding:
        asterisk = self.site.asterisk
        where = f"{asterisk.host}:{asterisk.port}"
        enable = "enabled = yes and port in manager.conf, is Asterisk running?"
        try:
            async with asyncio.timeout(STEP):
                reader, writer = await asyncio.open_connection(asterisk.host, asterisk.port)
                try:
                    greeting = await reader.readline()
                finally:
                    writer.close()
        except TimeoutError:
            return fail(f"AMI on {where} does not answer within {STEP:.0f} s", "does Asterisk hang?")
        except OSError as error:
            return fail(f"nobody listens for AMI on {where} ({error.strerror or error})", enable)
        if b"Asterisk Call Manager" not in greeting:
            return fail(f"what listens on {where} is not Asterisk's manager", "asterisk.port; " + enable)
        up = asyncio.Event()

        async def on_up(client: AmiClient) -> None:
            up.set()

        client = AmiClient(
            host=asterisk.host,
            port=asterisk.port,
            username=asterisk.user,
            secret=asterisk.secret.get_secret_value(),
            on_up=on_up,
        )
        self._task = client.connect()
        waiting = asyncio.create_task(up.wait())
        await asyncio.wait([self._task, waiting], timeout=STEP, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done() and isinstance(self._task.exception(), LoginRefused):
            return fail(
                f"Asterisk refused the AMI login of {asterisk.user}",
                f"asterisk.user and asterisk.secret must be those of [{asterisk.user}] in manager.conf, "
                "and its permit= must allow this address; then `manager reload`",
            )
        if not up.is_set():
            client.close()
            return fail(f"AMI on {where}: no login within {STEP:.0f} s", "does Asterisk hang?")
        self.ami = client
        try:
            self.core = await client.action({"Action": "CoreSettings"})
        except AmiError as error:
            return fail(f"{asterisk.user} may not ask CoreSettings ({error})", WRITE_RIGHTS)
        return ok(f"AMI on {where}: logged in as {asterisk.user}")

    async def _to_daemon(self) -> Finding:
        def ask() -> dict[str, Any]:
            with ControlClient(self.site.control.socket, timeout=STEP) as client:
                found: dict[str, Any] = client.ask("status").data
                return found

        try:
            self.daemon = await asyncio.to_thread(ask)
        except DaemonAway as away:
            if "no ccbridge daemon" in str(away):
                return ok("the daemon is not running: what it needs is looked at as if it were to start")
            return fail(
                str(away), "run the doctor as the daemon's user or root; else look at the daemon's log"
            )
        return ok(f"the daemon runs: {self.daemon['version']}, up {self.daemon['uptime_s']:.0f} s")

    async def _to_database(self) -> Finding:
        url = self.site.database.url.get_secret_value()
        where = urls.address(url)
        try:
            async with asyncio.timeout(STEP + 1):
                self.db = await psycopg.AsyncConnection.connect(
                    urls.for_libpq(url), autocommit=True, **urls.keepalive(STEP)
                )
        except TimeoutError:
            return fail(f"the database {where} does not answer within {STEP:.0f} s", "does PostgreSQL hang?")
        except psycopg.OperationalError as error:
            why = (str(error).strip().splitlines() or ["no reason given"])[-1]
            return fail(
                f"the database {where} cannot be used: {why}",
                "is PostgreSQL running; database.url; `ccbridge db init`. Calls go on without it",
            )
        return ok(f"the database {where} answers")

    async def _to_console(self) -> Finding:
        """Only the console of the very Asterisk that AMI led to counts."""
        elsewhere = "run the doctor on the PBX as root, or name the program with --asterisk"
        if not self._console[0]:
            return skip("Asterisk's console: no program asterisk here", elsewhere)
        try:
            text = await self.rx("core show settings")
        except (OSError, TimeoutError) as error:
            return skip(f"Asterisk's console does not answer ({error})", elsewhere)
        settings = dict(re.findall(r"^\s+([\w /()]+?):\s+(\S.*?)\s*$", text, re.MULTILINE))
        if self.ami is not None:
            with contextlib.suppress(AmiError):  # without the right to ask, the version has to do
                status = await self.ami.action({"Action": "CoreStatus"})
                if status.get("corestartuptime") != settings.get("Startup time"):
                    return skip("the console here is another Asterisk's than AMI's", elsewhere)
        self.settings = settings
        return ok("Asterisk's console answers")


WRITE_RIGHTS = (
    "in manager.conf: #include manager_ccbridge.conf, and write = as it stands there; `manager reload`"
)
READ_RIGHTS = (
    "in manager.conf: #include manager_ccbridge.conf, and read = as it stands there; `manager reload`"
)
