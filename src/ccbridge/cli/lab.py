"""`ccbridge lab`: a disposable real PBX with phones, a carrier and a database, in one folder."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from ccbridge.lab.database import Database
from ccbridge.lab.demo import demo
from ccbridge.lab.errors import LabError
from ccbridge.lab.fetch import ensure_asterisk
from ccbridge.lab.lab import Lab, default_cache
from ccbridge.lab.service import site_file
from ccbridge.lab.site_pbx import AGENT_PHONES, CUSTOMER_PHONE, FALLBACK_PHONE

SPOKEN = {"languages": ["en", "el", "hr", "ar", "fa"], "speech": {}}


@click.group("lab")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="The lab's folder; CCBRIDGE_LAB_DIR, or .lab of the project, if not given.",
)
@click.pass_context
def lab(context: click.Context, folder: Path | None) -> None:
    """A real PBX to try things on: Asterisk, phones, a carrier and PostgreSQL, on loopback only."""
    cache = (folder or default_cache()).resolve()
    context.obj = Lab(cache / "run", cache)


MIRROR = click.option("--mirror", metavar="URL", help="Debian mirror; CCBRIDGE_LAB_MIRROR if not given.")
SUITE = click.option(
    "--suite", metavar="NAME", help="Debian suite, sid or bullseye; CCBRIDGE_LAB_SUITE if not given."
)


@lab.command()
@MIRROR
@SUITE
@click.pass_obj
def fetch(one: Lab, mirror: str | None, suite: str | None) -> None:
    """Get Asterisk (about 115 MB) into the folder, if it is not there, and start nothing."""
    with _plain_errors(), _stoppable():
        found = ensure_asterisk(one.cache, mirror=mirror, suite=suite, progress=sys.stderr.isatty())
    click.echo(f"Asterisk {found.version} is there.")


@lab.command()
@MIRROR
@SUITE
@click.option("--ami-port", type=click.IntRange(1, 65535), help="AMI port of the PBX (a free one).")
@click.option("--sip-port", type=click.IntRange(1, 65535), help="SIP port of the PBX (a free one).")
@click.option(
    "--agi-port", type=click.IntRange(1, 65535), help="Where the PBX looks for the daemon (a free one)."
)
@click.option("--no-postgres", is_flag=True, help="Leave out the database.")
@click.option(
    "--speech", is_flag=True, help="Have prompts spoken; fetches espeak-ng and sox (15 MB) if need be."
)
@click.pass_obj
def up(
    one: Lab,
    mirror: str | None,
    suite: str | None,
    ami_port: int | None,
    sip_port: int | None,
    agi_port: int | None,
    no_postgres: bool,
    speech: bool,
) -> None:
    """Start the lab; the first time it fetches Asterisk (about 115 MB) into the folder."""
    with _plain_errors(), _stoppable():
        one.up(
            mirror=mirror,
            suite=suite,
            ami_port=ami_port,
            sip_port=sip_port,
            agi_port=agi_port,
            postgres=not no_postgres,
            progress=sys.stderr.isatty(),
        )
        if one.database_url:
            _site(one, one.database_url, SPOKEN if speech else {})
        _show(one)


@lab.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def status(one: Lab, as_json: bool) -> None:
    """Say what runs, where it listens and with which secrets. Exit code 3 if nothing runs."""
    with _plain_errors():
        if as_json:
            click.echo(json.dumps(one.status(), indent=1))
        elif not one.status()["running"]:
            click.echo(f"No lab is up in {one.folder}.")
        else:
            _show(one)
        if not one.status()["running"]:
            sys.exit(3)


@lab.command()
@click.pass_obj
def down(one: Lab) -> None:
    """End the lab. What was fetched stays for the next time."""
    with _plain_errors():
        one.down()


@lab.command()
@click.pass_obj
def console(one: Lab) -> None:
    """Asterisk's own console on the lab's PBX (leave it with `exit`)."""
    with _plain_errors():
        command = one.console()
    # Asterisk writes its history into the user's home, whatever HOME says; the lab leaves nothing there
    history = Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".asterisk_history"
    own = history.exists()
    with subprocess.Popen(command) as child:
        while child.poll() is None:
            with suppress(KeyboardInterrupt):  # Ctrl-C is the console's
                child.wait()
    if not own:
        history.unlink(missing_ok=True)
    sys.exit(child.returncode)


lab.add_command(demo)


def _site(one: Lab, server_url: str, changes: Mapping[str, Any]) -> None:
    """The shipped example as this lab's site, with an empty database and journal."""
    database = Database(server_url, "lab")
    database.drop()
    shutil.rmtree(one.folder / "journal", ignore_errors=True)
    database.create()
    site_file(one.folder, one.pbx, database, changes)


def _show(one: Lab) -> None:
    pbx, ports = one.pbx, one.ports
    lines = [
        ("Asterisk", pbx.version),
        ("Folder", str(one.folder)),
        ("AMI", f"{pbx.ami_host}:{pbx.ami_port}, user {pbx.ami_user}, secret {pbx.ami_secret}"),
        ("AMI, recorder", f"user {pbx.rec_user}, secret {pbx.rec_secret}"),
        ("Daemon's FastAGI", f"127.0.0.1:{pbx.agi_port}"),
        ("SIP", f"{pbx.sip_host}:{ports.pbx_sip} UDP"),
        ("Agents' phones", f"{AGENT_PHONES[0]} to {AGENT_PHONES[-1]}, fallback {FALLBACK_PHONE}"),
        ("A softphone of yours", f"user {CUSTOMER_PHONE}, password {one.keys.phones[CUSTOMER_PHONE]}"),
    ]
    if one.database_url:
        lines.append(("PostgreSQL", one.database_url))
        lines.append(("Start ccbridge with", f"ccbridge run -c {shown(one.folder / 'ccbridge.yml')}"))
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        click.echo(f"{name:<{width}}  {value}")


def shown(path: Path) -> Path:
    """Relative to where we are, if it is below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@contextmanager
def _plain_errors() -> Iterator[None]:
    """A LabError is for the reader, not for a traceback."""
    try:
        yield
    except LabError as error:
        click.echo(f"ccbridge lab: {error}", err=True)
        sys.exit(1)


@contextmanager
def _stoppable() -> Iterator[None]:
    """TERM ends a start as Ctrl-C does: through the code that takes down what is up already."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
