"""The demo's folder: what runs in it, who may use it, and the signals that end it."""

import contextlib
import fcntl
import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg

from ccbridge.lab.database import Database
from ccbridge.lab.errors import LabError
from ccbridge.lab.lab import Lab, default_cache
from ccbridge.lab.process import Owned
from ccbridge.lab.service import STOP_GRACE_S, Service

LOCK = "demo.lock"


class Running:
    """What runs in a demo's folder, written down so that another program can end it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "running.json"

    def note(self, **facts: Any) -> None:
        """Add to what is known."""
        self._file.touch(mode=0o600)
        write(self._file, self._read() | facts)

    def note_process(self, service: Service) -> None:
        """Add a process."""
        self.note(**{service.command: asdict(Owned.of(service.pid))})

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)

    def end(self) -> bool:
        """End what a demo before has left or kept; whether there was anything."""
        lab = Lab(self._folder / "lab", default_cache())
        known = self._read()
        if not known and not lab.state_file.exists():
            return False
        for name in ("run", "jobs"):
            if name in known:
                Owned(**known[name]).end(STOP_GRACE_S)
        if "database" in known:
            # With the lab's own server the database goes with it; a server of the user's stays.
            with contextlib.suppress(psycopg.OperationalError):
                _drop(known["server"], known["database"], known["role"])
        lab.down()
        self.forget()
        return True

    def _read(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._file.read_text() or "{}")
        except FileNotFoundError:
            return {}
        return found


def _drop(server: str, database: str, role: str) -> None:
    one = Database(server)
    one.name, one.role = database, role
    one.drop()


def write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make the folder, and keep a second demo out of it. Raises LabError if there is one already."""
    if folder.exists() and any(folder.iterdir()) and not (folder / LOCK).exists():
        raise LabError(f"{folder} holds other things.", "The demo empties its folder: name another one.")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"A demo runs in {folder} already.", "Wait for its end.") from None
        yield


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name == LOCK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def stoppable() -> Iterator[None]:
    """TERM and a closed terminal end the demo as Ctrl-C does, also where a shell has it ignore Ctrl-C."""

    def stop(number: int, frame: object) -> None:
        signal.raise_signal(signal.SIGINT)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.signal(number, stop)) for number in numbers]
    before.append((signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler)))
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """The clearing away is short and is not to be broken off."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
