"""One Asterisk instance that lives in a folder: its files, its start, its stop."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ccbridge.lab.distribution import Distribution
from ccbridge.lab.errors import LabError
from ccbridge.lab.process import Owned, die_with_parent

START_LIMIT_S = 60.0
STOP_LIMIT_S = 5.0
# sun_path holds 108 bytes with the closing NUL.
LONGEST_SOCKET = 107
# A lab may outlive the object, and even the program, that started it; Popen objects complain when they are
# dropped before their process ended, so they are kept.
_started: set[subprocess.Popen[bytes]] = set()


@dataclass(frozen=True)
class AmiDoor:
    """Where an instance's AMI listens, and one user of it."""

    host: str
    port: int
    user: str
    secret: str


class Instance:
    """An Asterisk of its own in `folder`: etc, log, spool and all; nothing outside but a socket if need be.

    Asterisk's control socket stands in the run folder; if that path is too long for a socket, the run
    folder is a private temporary one, removed on `stop()`. `tethered`: the process dies with the thread
    that started it, whatever happens to that.
    """

    def __init__(
        self, name: str, folder: Path, distribution: Distribution, *, tethered: bool = False
    ) -> None:
        self.tethered = tethered
        self.name = name
        self.folder = folder.resolve()
        self.distribution = distribution
        self.etc = self.folder / "etc"
        self.log = self.folder / "log"
        self.spool = self.folder / "spool"
        self.lib = self.folder / "lib"
        self.run = self.folder / "run"
        self.output = self.log / "output.txt"
        self.process: Owned | None = None
        self._child: subprocess.Popen[bytes] | None = None

    # files ----------------------------------------------------------------------------------------

    def lay_out(self, options: dict[str, str]) -> None:
        """Make the folders and asterisk.conf; `options` are lines of its [options]."""
        for path in (self.etc, self.log / "cdr-custom", self.log / "cel-custom", self.spool, self.lib):
            path.mkdir(parents=True, exist_ok=True)
        if len(str(self.folder / "run" / "asterisk.ctl").encode()) > LONGEST_SOCKET:
            self.run = Path(tempfile.mkdtemp(prefix=f"ccbridge-{self.name}-"))
        else:
            self.run.mkdir(exist_ok=True)
        data = self.lib / "data"
        if not data.exists():
            (data / "sounds").mkdir(parents=True)
            (data / "sounds/en").symlink_to(self.distribution.sounds)
            for part in ("documentation", "rest-api", "firmware", "static-http", "phoneprov", "moh"):
                if (self.distribution.data / part).exists():
                    (data / part).symlink_to(self.distribution.data / part)
        for part in ("keys/keys", "db"):
            (self.lib / part).mkdir(parents=True, exist_ok=True)
        folders = {
            "astetcdir": self.etc,
            "astmoddir": self.distribution.modules,
            "astvarlibdir": self.lib,
            "astdbdir": self.lib / "db",
            "astkeydir": self.lib / "keys",
            "astdatadir": data,
            "astagidir": self.lib,
            "astspooldir": self.spool,
            "astrundir": self.run,
            "astlogdir": self.log,
            "astsbindir": self.run,
        }
        lines = ["[directories]", *(f"{key} => {path}" for key, path in folders.items())]
        lines += ["", "[options]", *(f"{key} = {value}" for key, value in options.items()), ""]
        self.write("asterisk.conf", "\n".join(lines))

    def write(self, name: str, text: str) -> None:
        """One file of the etc folder, readable by its owner only: some hold secrets."""
        path = self.etc / name
        path.touch(mode=0o600)
        path.write_text(text)

    # process --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process, not waiting for it."""
        self.run.mkdir(mode=0o700, exist_ok=True)
        with self.output.open("ab") as output:
            self._child = subprocess.Popen(
                self._command("-f"),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent if self.tethered else None,
                env={**os.environ, "HOME": str(self.folder), "TERM": "dumb"},
            )
        _started.add(self._child)
        self.process = Owned.of(self._child.pid)

    def wait_ready(self, door: AmiDoor, limit_s: float = START_LIMIT_S) -> None:
        """Until AMI says FullyBooted to `door`. Raises LabError with the log's last words if it does not."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if self._child is not None and self._child.poll() is not None:
                raise LabError(
                    f"Asterisk ({self.name}) ended while starting: {self._last_words()}", self._advice()
                )
            if _fully_booted(door, deadline):
                return
            time.sleep(0.03)
        raise LabError(
            f"Asterisk ({self.name}) was not ready within {limit_s:.0f} s: {self._last_words()}",
            self._advice(),
        )

    def stop(self) -> None:
        """End the process if it runs; no error if it does not."""
        if self.process is not None:
            self.process.end(STOP_LIMIT_S, reap=self._child.poll if self._child else lambda: None)
        if self._child is not None:
            self._child.wait()
            _started.discard(self._child)
        self.process = self._child = None
        if self.run.parent != self.folder:
            shutil.rmtree(self.run, ignore_errors=True)

    def rx(self, command: str, limit_s: float = 20.0) -> str:
        """What the console answers to a command. Raises LabError if the instance does not run."""
        done = subprocess.run(
            self._command("-rx", command), capture_output=True, text=True, errors="replace", timeout=limit_s
        )
        if done.returncode:
            raise LabError(
                f"Asterisk ({self.name}) does not answer: {(done.stderr or done.stdout).strip()[-200:]}",
                "Start the lab with `ccbridge lab up`.",
            )
        return done.stdout

    def console(self) -> list[str]:
        """The command line of an interactive console."""
        return self._command("-rvvv")

    # state that outlives the program that started it ----------------------------------------------

    def to_state(self) -> dict[str, object]:
        """What another program needs in order to find this instance."""
        return {"run": str(self.run), "process": asdict(self.process) if self.process else None}

    def from_state(self, state: dict[str, object]) -> None:
        """Take over what `to_state` told; a process that is gone or not ours is forgotten."""
        self.run = Path(str(state["run"]))
        process = state["process"]
        if isinstance(process, dict):
            found = Owned(int(process["pid"]), int(process["started"]))
            self.process = found if found.alive() else None

    def _command(self, *arguments: str) -> list[str]:
        return [*self.distribution.argv, "-C", str(self.etc / "asterisk.conf"), *arguments]

    def _last_words(self) -> str:
        lines = self.output.read_text(errors="replace").splitlines() if self.output.exists() else []
        wrong = [line for line in lines if "ERROR" in line or "Unable" in line or "Cannot" in line]
        return " | ".join((wrong or lines)[-4:])[-600:] or "it said nothing"

    def _advice(self) -> str:
        return f"The whole of it is in {self.log}."


def _fully_booted(door: AmiDoor, deadline: float) -> bool:
    try:
        with socket.create_connection((door.host, door.port), timeout=1) as peer:
            login = ("Action: Login", f"Username: {door.user}", f"Secret: {door.secret}", "Events: system")
            peer.sendall("\r\n".join((*login, "", "")).encode())
            heard = b""
            while time.monotonic() < deadline:
                piece = peer.recv(4096)
                if not piece or b"Response: Error" in heard:
                    return False
                heard += piece
                if b"Event: FullyBooted" in heard:
                    return True
    except OSError:
        return False
    return False
