"""What keeps `ccbridge run` from starting: an exit code for systemd, a sentence for people, no traceback."""

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import yaml

import ccbridge
from ccbridge.lab.database import Database
from ccbridge.lab.lab import Lab
from ccbridge.lab.ports import free_tcp
from ccbridge.lab.postgres import LabPostgres
from ccbridge.lab.process import die_with_parent
from ccbridge.lab.service import Service, site_file
from ccbridge.store import version

pytestmark = [pytest.mark.lab, pytest.mark.pg]

LIMIT_S = 60.0
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
NEXT_MIGRATION = """
revision, down_revision, branch_labels, depends_on = "next", "{head}", None, None

def upgrade() -> None:
    pass
"""


class Ended(NamedTuple):
    code: int
    said: str


class Place:
    """A site that would start, if nothing were in its way: `config` may be changed, `run` starts it."""

    def __init__(self, folder: Path, lab: Lab, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.agi_port = free_tcp()
        self.config = site_file(folder, lab.pbx, database, {"agi": {"port": self.agi_port}})

    def change(self, section: str, **values: Any) -> None:
        data = yaml.safe_load(self.config.read_text())
        data[section] |= values
        self.config.write_text(yaml.safe_dump(data, allow_unicode=True))

    def run(self, *, source: Path | None = None) -> Ended:
        """Until it ends by itself; `source` is a folder with another `ccbridge` than the one under test."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CCBRIDGE_")}
        if source is not None:
            environment["PYTHONPATH"] = str(source)
        done = subprocess.run(
            [sys.executable, "-m", "ccbridge", "run", "-c", str(self.config)],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
            preexec_fn=_as_others_are,
        )
        return Ended(done.returncode, done.stdout)


def _as_others_are() -> None:
    """Without root's right to write everywhere; whoever is not root has it not anyway."""
    die_with_parent()
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.fixture(scope="module")
def database(lab_postgres: LabPostgres) -> Iterator[Database]:
    with Database(lab_postgres.url) as one:
        yield one


@pytest.fixture
def place(lab: Lab, database: Database, tmp_path: Path) -> Place:
    return Place(tmp_path, lab, database)


@contextmanager
def wrong_secret(place: Place) -> Iterator[None]:
    place.change("asterisk", secret="not-the-secret")
    yield


@contextmanager
def port_taken(place: Place) -> Iterator[None]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", place.agi_port))
        taken.listen()
        yield


@contextmanager
def another_daemon(place: Place) -> Iterator[None]:
    other = Service(place.config, tethered=True)
    other.start()
    try:
        yield
        assert other.must("status")["link"]["up"]  # it was not disturbed
    finally:
        assert other.stop() == 0


@contextmanager
def another_daemon_on_the_socket(place: Place) -> Iterator[None]:
    with another_daemon(place):
        place.change("journal", directory=str(place.folder / "another-journal"))
        place.change("agi", port=free_tcp())
        yield


@contextmanager
def newer_schema(place: Place) -> Iterator[None]:
    with psycopg.connect(place.database.admin_url, autocommit=True) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
        try:
            yield
        finally:
            db.execute("UPDATE alembic_version SET version_num = %s", (version.head(),))


@contextmanager
def no_tables(place: Place) -> Iterator[None]:
    place.change("database", url=place.database.admin_url.replace(place.database.name, "postgres"))
    yield


@contextmanager
def mistakes(place: Place) -> Iterator[None]:
    place.change("routing", fallback_afetr=30, miss_cooldown="soon")
    yield


@contextmanager
def journal_of_unknown_records(place: Place) -> Iterator[None]:
    folder = place.folder / "journal"
    folder.mkdir()
    lines = [
        {"seq": 0, "w": 1.0, "t": "checkpoint", "state": None},
        {"seq": 1, "w": 1.0, "t": "from_the_future", "call": "1.1"},
    ]
    (folder / "00000001.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    yield


@contextmanager
def journal_not_writable(place: Place) -> Iterator[None]:
    place.change("journal", directory=str(place.folder / "closed" / "journal"))
    (place.folder / "closed").mkdir(mode=0o500)
    yield


@pytest.mark.parametrize(
    ("way", "code", "words"),
    [
        (wrong_secret, 2, ["Asterisk refused the AMI login", "asterisk.user"]),
        (mistakes, 2, ["ccbridge.yml:", "routing.fallback_afetr", "routing.miss_cooldown"]),
        (port_taken, 3, ["address already in use", "{agi_port}"]),
        (another_daemon, 3, ["another ccbridge daemon runs", "{folder}/journal"]),
        (
            another_daemon_on_the_socket,
            3,
            ["control socket cannot be had", "{folder}/control.sock", "another"],
        ),
        (newer_schema, 3, ["at 9999", "install the newer ccbridge"]),
        (no_tables, 3, ["no ccbridge tables yet", "`ccbridge db init`"]),
        (journal_of_unknown_records, 3, ["00000001.jsonl", "from_the_future"]),
        (journal_not_writable, 3, ["Permission denied", "{folder}/closed/journal"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_refused(place: Place, way: Callable[..., Any], code: int, words: list[str]) -> None:
    with way(place):
        ended = place.run()
    refused(ended, code, [word.format(**vars(place)) for word in words])


def test_a_newer_version_on_an_old_schema_names_the_command(place: Place) -> None:
    """The old schema is today's, the newer version a copy of today's with one migration more."""
    source = place.folder / "newer"
    package = source / "ccbridge"
    own = Path(ccbridge.__file__).parent
    shutil.copytree(own, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "store/migrations/versions/next.py").write_text(NEXT_MIGRATION.format(head=version.head()))
    refused(place.run(source=source), 3, [f"is at {version.head()}", "needs next", "`ccbridge db upgrade`"])


def refused(ended: Ended, code: int, words: list[str]) -> None:
    """One error for people, with these words in it."""
    assert ended.code == code, ended.said
    assert "Traceback" not in ended.said
    lines = [json.loads(line) for line in ended.said.splitlines() if line.startswith("{")]
    if lines:  # the log is open: a mistake in the file comes before that, and plainly
        errors = [line for line in lines if line["level"] in ("error", "critical")]
        # the AMI client says by itself what Asterisk answered
        (error,) = [line for line in errors if line["event"] != "ami.login_refused"]
        assert error["event"] == "daemon.refused", ended.said
        assert "exception" not in error
        said = f"{error['what']}: {error['why']}"
        print(f"exit {code}: {said}")
        assert "\n" not in said
    else:
        said = ended.said
        print(f"exit {code}: {said.strip()}")
        assert len(said.splitlines()) == 2, "one line for each mistake"
    for word in words:
        assert word in said
