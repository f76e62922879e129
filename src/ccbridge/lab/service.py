"""ccbridge itself in the lab: the shipped example configuration on the lab's addresses, as real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ccbridge.control.client import ControlClient, DaemonAway
from ccbridge.control.wire import Answer
from ccbridge.lab.database import Database
from ccbridge.lab.errors import LabError
from ccbridge.lab.lab import PROJECT, Pbx, default_cache
from ccbridge.lab.process import Owned, die_with_parent
from ccbridge.lab.speech import speech_section

START_LIMIT_S = 60.0  # one to two where the machine has nothing else to do
STOP_GRACE_S = 16.0
EXAMPLE = PROJECT / "config" / "ccbridge.yml"


def site_file(folder: Path, pbx: Pbx, database: Database, changes: Mapping[str, Any] | None = None) -> Path:
    """Write ``folder/ccbridge.yml``: the shipped example on the lab's addresses; returns its path.

    ``changes`` go over it, mapping by mapping; None takes a key away. With ``speech`` in them
    prompts are spoken by the lab's programs, which are fetched if need be.
    """
    data = yaml.safe_load(EXAMPLE.read_text())
    lab = {
        "asterisk": {
            "host": pbx.ami_host,
            "port": pbx.ami_port,
            "user": pbx.ami_user,
            "secret": pbx.ami_secret,
            "recorder_secret": pbx.rec_secret,
            "exit_context": "internal",
        },
        "agi": {"port": pbx.agi_port},
        "database": {"url": database.url, "admin_url": database.admin_url},
        "journal": {"directory": str(folder / "journal")},
        "recording": {"directory": str(pbx.recordings)},
        "catch_up": {"cdr_file": str(pbx.cdr_csv), "cel_file": str(pbx.cel_csv)},
        "control": {"socket": str(folder / "control.sock")},
        "phones": {"pins_file": str(folder / "pins")},
        "log": {"format": "json", "level": "info"},
    }
    changes = changes or {}
    if changes.get("speech") is not None:
        lab["speech"] = speech_section(default_cache(), folder)
    for patch in (lab, changes):
        _lay_over(data, patch)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ccbridge.yml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False))
    return path


def _lay_over(data: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if value is None:
            data.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(data.get(key), dict):
            _lay_over(data[key], value)
        else:
            data[key] = value


class Service:
    """One ``ccbridge`` process of a site: ``run`` (the routing daemon) or ``jobs``."""

    def __init__(
        self,
        config: Path,
        command: str = "run",
        *,
        tethered: bool = False,
        program: tuple[str, ...] = (sys.executable, "-m", "ccbridge"),
    ) -> None:
        self.config = config
        self.command = command
        self.log = config.parent / f"{command}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._tethered = tethered
        self._program = program
        self._socket = Path(yaml.safe_load(config.read_text())["control"]["socket"])

    def start(self, *, wait_link: bool = True) -> None:
        """Start it; the daemon is waited for until it answers, and (``wait_link``) has its PBX.

        Raises LabError with its last words when it ends instead.
        """
        with self.log.open("ab") as log:
            self.launch(log.fileno())
        if self.command == "run":
            self.wait_ready(wait_link)

    def launch(self, output: int) -> None:
        """Start it, not waiting for anything; what it says goes to the descriptor ``output``."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CCBRIDGE_")}
        self.process = subprocess.Popen(
            [*self._program, "-c", str(self.config), self.command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
            preexec_fn=die_with_parent if self._tethered else None,
        )

    def wait_ready(self, wait_link: bool = True) -> None:
        """Until the daemon answers, and (``wait_link``) has its PBX. Raises LabError when it ends instead."""
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                break
            try:
                answer = self.ask("status")
            except DaemonAway:
                time.sleep(0.05)
                continue
            if answer.ok and (not wait_link or answer.data["link"]["up"]):
                return
            time.sleep(0.02)
        self.stop()
        raise LabError(f"ccbridge {self.command} did not come up: {self._last_words()}", f"See {self.log}.")

    def ask(self, do: str, **fields: Any) -> Answer:
        """One request to the control socket. Raises DaemonAway."""
        with ControlClient(self._socket, timeout=5.0) as client:
            return client.ask(do, **fields)

    def must(self, do: str, **fields: Any) -> Any:
        """As ``ask``, for what has to work: returns the data. Raises LabError on a refusal."""
        answer = self.ask(do, **fields)
        if not answer.ok:
            raise LabError(f"{do} was refused: {answer.text}", "See the daemon's log.")
        return answer.data

    @property
    def pid(self) -> int:
        """Raises LabError when it is not running."""
        if self.process is None or self.process.poll() is not None:
            raise LabError(f"ccbridge {self.command} is not running", f"See {self.log}.")
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL, as the kernel does it when memory runs out."""
        os.kill(self.pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def hangup(self) -> None:
        """SIGHUP: load the configuration anew."""
        os.kill(self.pid, signal.SIGHUP)

    def stop(self) -> int | None:
        """TERM, then KILL; returns the exit code, None when it was not running."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            Owned.of(self.process.pid).end(STOP_GRACE_S, self.process.poll)
        return self.process.wait()

    def lines(self) -> list[dict[str, Any]]:
        """The log's JSON lines."""
        found = []
        for line in self.log.read_text().splitlines():
            if line.startswith("{"):
                found.append(json.loads(line))
        return found

    def _last_words(self) -> str:
        lines = self.log.read_text().splitlines()
        return " / ".join(lines[-3:]) if lines else "it said nothing"
