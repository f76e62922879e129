"""A disposable real PBX: two Asterisk instances in a folder, up and down as one."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ccbridge.lab.asterisk import AmiDoor, Instance
from ccbridge.lab.distribution import Distribution
from ccbridge.lab.errors import LabError
from ccbridge.lab.fetch import ensure_asterisk
from ccbridge.lab.ports import free_rtp_range, free_tcp, free_udp, require_tcp, require_udp
from ccbridge.lab.postgres import ENV as POSTGRES_ENV
from ccbridge.lab.postgres import LabPostgres, PostgresUnavailable
from ccbridge.lab.process import undisturbed
from ccbridge.lab.site_outside import door as outside_door
from ccbridge.lab.site_outside import write_outside
from ccbridge.lab.site_pbx import (
    CARRIER_ADDRESS,
    MUSIC_HZ,
    MUSIC_S,
    PBX_ADDRESS,
    PHONES_ADDRESS,
    Ports,
    Secrets,
    write_pbx,
)
from ccbridge.lab.site_pbx import door as pbx_door
from ccbridge.lab.tones import write_tone

PROJECT = Path(__file__).resolve().parents[3]
RTP_PORTS = 400


def default_cache() -> Path:
    """CCBRIDGE_LAB_DIR, or `.lab` of the project."""
    return Path(os.environ.get("CCBRIDGE_LAB_DIR") or PROJECT / ".lab").resolve()


class Pbx:
    """The PBX as a test sees it."""

    def __init__(
        self,
        instance: Instance,
        ports: Ports,
        keys: Secrets,
        recordings: Path,
        save: Callable[[], None],
    ) -> None:
        self.ami_host = PBX_ADDRESS
        self.ami_port = ports.pbx_ami
        self.ami_user, self.ami_secret = "ccbridge", keys.ami
        self.rec_user, self.rec_secret = "ccbridge-rec", keys.recorder
        #: the port on which the PBX's dialplan expects the daemon's FastAGI
        self.agi_port = ports.agi
        self.sip_host, self.sip_port = PBX_ADDRESS, ports.pbx_sip
        self.etc, self.log_dir, self.spool = instance.etc, instance.log, instance.spool
        self.cdr_csv = instance.log / "cdr-custom" / "ccbridge.csv"
        self.cel_csv = instance.log / "cel-custom" / "ccbridge.csv"
        #: where the dialplan's recordings go, as `recording.directory` of a daemon's configuration
        self.recordings = recordings
        self.version = instance.distribution.version
        #: the lab's own AMI user, which may do anything
        self.door: AmiDoor = pbx_door(ports, keys)
        self._instance = instance
        self._save = save

    def rx(self, command: str) -> str:
        """What the PBX's console answers to a command."""
        return self._instance.rx(command)

    @property
    def pid(self) -> int:
        """The process, e.g. to freeze it. Raises LabError if it does not run."""
        if self._instance.process is None:
            raise LabError("The PBX does not run.", "Start the lab with `ccbridge lab up`.")
        return self._instance.process.pid

    def kill(self) -> None:
        """End the PBX as a power cut would: SIGKILL, calls and all."""
        os.kill(self.pid, signal.SIGKILL)
        self._instance.stop()

    def reap(self) -> None:
        """Wait for the end of a PBX that was told to stop, so that it can be started again."""
        self._instance.stop()

    def start(self) -> None:
        """Start the PBX again after `kill()`, on the same ports. The phones come back in their own time."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """As `start`, not waiting for it."""
        with undisturbed():
            self._instance.start()
            self._save()

    def wait_ready(self) -> None:
        """Until it says that it has booted. Raises LabError if it does not."""
        self._instance.wait_ready(self.door)


class Lab:
    """A lab in `folder`; Asterisk itself is kept in `cache`, where several labs share it."""

    def __init__(self, folder: Path, cache: Path | None = None, project: Path = PROJECT) -> None:
        self.folder = folder.resolve()
        self.cache = (cache or default_cache()).resolve()
        self.project = project
        self.state_file = self.folder / "state.json"
        self.recordings = self.folder / "recordings"
        self.ports: Ports
        self.keys: Secrets
        self._instances: dict[str, Instance] = {}
        self._postgres = LabPostgres(self.folder / "postgres")

    # life -----------------------------------------------------------------------------------------

    def up(
        self,
        *,
        mirror: str | None = None,
        suite: str | None = None,
        ami_port: int | None = None,
        sip_port: int | None = None,
        agi_port: int | None = None,
        postgres: bool = False,
        tethered: bool = False,
        progress: bool = True,
    ) -> None:
        """Fetch what is missing and start both instances. Raises LabError, and then nothing is left running.

        Ports not named are chosen free. `postgres`: a database server too. `tethered`: the instances die with
        the calling thread.
        """
        if self._attach() and self._running():
            raise LabError(
                f"A lab already runs in {self.folder}.", "Use it, or end it with `ccbridge lab down`."
            )
        self.down()
        distribution = ensure_asterisk(self.cache, mirror=mirror, suite=suite, progress=progress)
        self.ports = _choose_ports(ami_port, sip_port, agi_port)
        self.keys = Secrets.new()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.recordings.mkdir(exist_ok=True)
        for name in ("pbx", "outside"):
            # The logs and CDRs of the lab before would be taken for this one's.
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self._instances = {
            name: Instance(name, self.folder / name, distribution, tethered=tethered)
            for name in ("pbx", "outside")
        }
        try:
            write_tone(self._instances["pbx"].lib / "music/tone.wav", MUSIC_HZ, MUSIC_S)
            write_pbx(self._instances["pbx"], self.project, self.ports, self.keys, self.recordings)
            write_outside(self._instances["outside"], self.ports, self.keys)
            for instance in self._instances.values():
                with undisturbed():
                    instance.start()
                    self._save()
            doors = {"pbx": pbx_door(self.ports, self.keys), "outside": outside_door(self.ports, self.keys)}
            if postgres:
                self._start_postgres()
            for name, one in self._instances.items():
                one.wait_ready(doors[name])
        except BaseException:
            # Ctrl-C as well: whoever asked for a lab and got none must not have to look for its processes.
            self.down()
            raise

    def down(self) -> None:
        """End both instances, also those of a lab that another program started. No error if none runs."""
        if not self._instances and not self._attach():
            return
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(Instance.stop, self._instances.values()))
        self._instances = {}
        self._postgres.stop()
        self.state_file.unlink(missing_ok=True)

    def status(self) -> dict[str, Any]:
        """What runs where: `running`, per instance its pid or None, ports. Without a lab only `running`."""
        if not self._instances and not self._attach():
            return {"folder": str(self.folder), "running": False}
        return {
            "folder": str(self.folder),
            "running": self._running(),
            "version": self._instances["pbx"].distribution.version,
            "instances": {
                name: {
                    "pid": one.process.pid if one.process and one.process.alive() else None,
                    "log": str(one.log),
                }
                for name, one in self._instances.items()
            },
            "ports": asdict(self.ports),
            "database_url": self.database_url,
        }

    # parts ----------------------------------------------------------------------------------------

    @property
    def pbx(self) -> Pbx:
        """The PBX's addresses, secrets and files. Raises LabError if no lab is up."""
        return Pbx(self._instance("pbx"), self.ports, self.keys, self.recordings, self._save)

    @property
    def outside(self) -> Instance:
        """The instance that plays carrier and phones. Raises LabError if no lab is up."""
        return self._instance("outside")

    @property
    def database_url(self) -> str | None:
        """The superuser's URL of the lab's PostgreSQL, None if it has none."""
        running = os.environ.get(POSTGRES_ENV) or self._postgres.pid() is not None
        return self._postgres.url if running else None

    def console(self) -> list[str]:
        """The command line of the PBX's console. Raises LabError if no lab is up."""
        return self._instance("pbx").console()

    def _instance(self, name: str) -> Instance:
        if not self._instances and not self._attach():
            raise LabError(f"No lab is up in {self.folder}.", "Start one with `ccbridge lab up`.")
        return self._instances[name]

    def _start_postgres(self) -> None:
        try:
            self._postgres.start()
        except PostgresUnavailable as error:
            raise LabError(
                f"The lab's PostgreSQL: {error}.", "Or leave it out with --no-postgres."
            ) from error

    def _running(self) -> bool:
        return all(one.process is not None and one.process.alive() for one in self._instances.values())

    # state file -----------------------------------------------------------------------------------

    def _save(self) -> None:
        instances = {name: one.to_state() for name, one in self._instances.items()}
        suite = self._instances["pbx"].distribution
        state = {
            "ports": asdict(self.ports),
            "secrets": asdict(self.keys),
            "distribution": {key: _plain(value) for key, value in asdict(suite).items()},
            "instances": instances,
        }
        partial = self.state_file.with_suffix(".partial")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(state, indent=1))
        partial.rename(self.state_file)

    def _attach(self) -> bool:
        """Take over what the state file of this folder tells. False if there is none."""
        try:
            state = json.loads(self.state_file.read_text())
        except FileNotFoundError:
            return False
        except ValueError as error:
            raise LabError(f"{self.state_file} cannot be read ({error}).", "Remove the folder.") from error
        ports = state["ports"]
        self.ports = Ports(**ports)
        self.keys = Secrets(**state["secrets"])
        found = state["distribution"]
        distribution = Distribution(
            tuple(found["argv"]),
            found["version"],
            Path(found["modules"]),
            Path(found["data"]),
            Path(found["sounds"]),
        )
        for name, told in state["instances"].items():
            instance = Instance(name, self.folder / name, distribution)
            instance.from_state(told)
            self._instances[name] = instance
        return True


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def _choose_ports(ami: int | None, sip: int | None, agi: int | None) -> Ports:
    for port in (ami, agi):
        if port is not None:
            require_tcp(PBX_ADDRESS, port)
    if sip is not None:
        require_udp(PBX_ADDRESS, sip)
    # the daemon listens long after they were chosen: each is kept free of the others
    pbx_ami = ami or free_tcp(but=[agi or 0])
    pbx_agi = agi or free_tcp(but=[pbx_ami])
    return Ports(
        pbx_ami=pbx_ami,
        pbx_sip=sip or free_udp(PBX_ADDRESS),
        pbx_rtp=free_rtp_range(RTP_PORTS, PBX_ADDRESS),
        agi=pbx_agi,
        outside_ami=free_tcp(but=[pbx_ami, pbx_agi]),
        carrier_sip=free_udp(CARRIER_ADDRESS),
        phones_sip=free_udp(PHONES_ADDRESS),
        outside_rtp=free_rtp_range(RTP_PORTS, CARRIER_ADDRESS, PHONES_ADDRESS),
    )
