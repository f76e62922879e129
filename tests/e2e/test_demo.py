"""The demo, run once and kept running, and what its verifier notices."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from e2e_rig import processes_of

PROJECT = Path(__file__).resolve().parents[2]
VERIFIER = PROJECT / "tests" / "verify_demo.py"
sys.path.insert(0, str(VERIFIER.parent))

import demo_evidence  # noqa: E402
import verify_demo  # noqa: E402

pytestmark = [pytest.mark.lab, pytest.mark.pg]

RUN_LIMIT_S = 240
SUMMARY_KEYS = [
    "asterisk_version",
    "calls_placed",
    "calls_answered",
    "calls_abandoned",
    "cdrs",
    "customers_created",
    "tickets",
    "recordings",
    "recordings_verified",
    "oddities",
    "route_ms",
    "agree",
]


@dataclass
class Kept:
    """A demo that has run and is still there."""

    folder: Path
    code: int
    said: str

    @property
    def inputs(self) -> Path:
        return self.folder / "inputs.json"

    def told(self) -> dict[str, Any]:
        """What the verifier is told."""
        found: dict[str, Any] = json.loads(self.inputs.read_text())
        return found

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "summary.json").read_text())
        return found

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection]:
        """As the superuser, with no trigger in the way."""
        with psycopg.connect(self.told()["database_url"]) as db:
            db.execute("SET session_replication_role = replica")
            yield db


def demo(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ccbridge.lab.demo", *arguments]


def verify(inputs: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(VERIFIER), str(inputs)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def run_kept(folder: Path) -> Kept:
    done = subprocess.run(
        demo("--keep", "--folder", str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_LIMIT_S,
        check=False,
    )
    return Kept(folder, done.returncode, done.stdout)


def end(folder: Path) -> None:
    subprocess.run(demo("--stop", "--folder", str(folder)), check=True, capture_output=True)
    assert processes_of(folder) == []
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """Run anew if not all is as it should be: a machine that stood still for a moment lost sound, a fault of
    the product is there each time.
    """
    folder = tmp_path_factory.mktemp("demo") / "kept"
    try:
        made = run_kept(folder)
        for _ in range(2):
            if made.code:
                print(made.said)
                end(folder)
                made = run_kept(folder)
        yield made
    finally:
        end(folder)


def test_all_agrees(kept: Kept) -> None:
    assert kept.code == 0, kept.said
    summary = kept.summary()
    assert list(summary) == SUMMARY_KEYS
    assert summary["agree"] is True
    assert summary["oddities"] == 0
    assert (summary["calls_placed"], summary["calls_answered"], summary["calls_abandoned"]) == (12, 11, 1)
    assert summary["recordings_verified"] == summary["recordings"] == 11
    assert summary["tickets"] == 12
    assert summary["customers_created"] == 8
    assert 0 < summary["route_ms"]["p50"] <= summary["route_ms"]["p99"]


def test_it_tells_the_calls_the_timeline_the_day_and_the_softphone(kept: Kept) -> None:
    for text in (
        "Ελένη Παπαδοπούλου",
        "ccbridge call show",
        "offer_ended",
        "ccbridge report day",
        "Recordings, left the caller, right the agent",
        "user 9001, password",
        "--stop",
    ):
        assert text in kept.said


def test_what_was_kept_is_there(kept: Kept) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ccbridge",
            "-c",
            str(kept.folder / "site" / "ccbridge.yml"),
            "status",
            "--json",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    status = json.loads(done.stdout)
    assert status["link"]["up"] is True
    assert status["agents"]["logged_in"] == 5


def test_every_single_row_counts(kept: Kept) -> None:
    """Whatever row of whatever table is missing, the verifier says so; and whatever line of the CDR file."""
    whole = demo_evidence.read(kept.inputs)
    assert verify_demo.check_written(whole) == []
    unnoticed, tried = [], 0
    for table, rows in whole.tables.items():
        for index, row in enumerate(rows):
            torn = copy(whole)
            torn.tables = whole.tables | {table: rows[:index] + rows[index + 1 :]}
            tried += 1
            if not verify_demo.check_written(torn):
                unnoticed.append(f"{table} {row.get('kind', row.get('state'))} {index} of {len(rows)}")
    for index in range(len(whole.cdr_file)):
        torn = copy(whole)
        torn.cdr_file = whole.cdr_file[:index] + whole.cdr_file[index + 1 :]
        assert verify_demo.check_written(torn)
    assert tried > 250
    assert unnoticed == []


def test_a_doubled_cdr_line_is_noticed(kept: Kept) -> None:
    whole = demo_evidence.read(kept.inputs)
    whole.cdr_file.append(whole.cdr_file[3])
    assert verify_demo.check_written(whole)


@pytest.mark.parametrize(
    ("table", "which"),
    [
        ("call_event", "seq = (SELECT max(seq) FROM call_event WHERE kind = 'offered')"),
        ("cdr", "(uniqueid, sequence) IN (SELECT uniqueid, sequence FROM cdr ORDER BY at LIMIT 1)"),
    ],
)
def test_a_row_deleted(kept: Kept, table: str, which: str) -> None:
    with kept.database() as db:
        db.execute(f"CREATE TABLE taken_away AS SELECT * FROM {table} WHERE {which}")  # type: ignore[arg-type]
        assert db.execute(f"DELETE FROM {table} WHERE {which}").rowcount == 1  # type: ignore[arg-type]
    try:
        code, said = verify(kept.inputs)
    finally:
        with kept.database() as db:
            db.execute(f"INSERT INTO {table} SELECT * FROM taken_away")  # type: ignore[arg-type]
            db.execute("DROP TABLE taken_away")
    assert code == 1
    assert "difference" in said
    code, said = verify(kept.inputs)
    assert code == 0, said


def test_channels_swapped(kept: Kept) -> None:
    path = sorted(Path(kept.told()["recordings"]).rglob("*.wav"), key=lambda one: one.stat().st_size)[-1]
    whole = path.read_bytes()
    samples = memoryview(bytearray(whole))[44:].cast("I")
    for index, both in enumerate(samples):
        samples[index] = both >> 16 | (both & 0xFFFF) << 16
    try:
        path.write_bytes(whole[:44] + bytes(samples.cast("B")))
        code, said = verify(kept.inputs)
    finally:
        path.write_bytes(whole)
    assert code == 1
    assert f"recording {path.name}, left" in said
    assert f"recording {path.name}, right" in said


def test_a_side_that_heard_nothing(kept: Kept) -> None:
    evidence = demo_evidence.read(kept.inputs)
    phones = [leg for caller in evidence.callers for leg in demo_evidence.legs_of(evidence, caller)]
    deaf = next(leg for leg in phones if leg.answered)
    path = Path(kept.told()["heard"]) / f"{deaf.id}.wav"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:44] + bytes(len(whole) - 44))
        code, said = verify(kept.inputs)
    finally:
        path.write_bytes(whole)
    assert code == 1
    assert f"{deaf.line} heard" in said


def test_a_cdr_line_dropped(kept: Kept, tmp_path: Path) -> None:
    """In a copy: the jobs, which still run, go on with the file itself where they left it."""
    lines = Path(kept.told()["cdr_csv"]).read_text().splitlines(keepends=True)
    file, inputs = tmp_path / "ccbridge.csv", tmp_path / "inputs.json"
    file.write_text("".join(lines[:5] + lines[6:]))
    inputs.write_text(json.dumps(kept.told() | {"cdr_csv": str(file)}))
    code, said = verify(inputs)
    assert code == 1
    assert "1 in cdr, 1 in cdr_party, 0 in Asterisk's file" in said


def test_the_verifier_knows_nothing_of_ccbridge() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.path.insert(0, sys.argv[1]); import verify_demo;"
            "print([name for name in sys.modules if name.startswith('ccbridge')])",
            str(VERIFIER.parent),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    done = subprocess.run(
        demo("--folder", str(tmp_path)), capture_output=True, text=True, timeout=RUN_LIMIT_S, check=False
    )
    assert done.returncode == 1
    assert "holds other things" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.full)], ids=["INT", "TERM"]
)
def test_interrupted_it_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    """In the midst of calls."""
    folder = tmp_path / "demo"
    log = tmp_path / "said.txt"
    with log.open("w") as out:
        process = subprocess.Popen(
            demo("--folder", str(folder)),
            stdout=out,
            stderr=out,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        try:
            deadline = time.monotonic() + RUN_LIMIT_S
            while "talks with anna" not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            ports = json.loads((folder / "lab" / "state.json").read_text())["ports"]
            postgres = folder / "lab" / "postgres" / "postgres.json"
            outside = json.loads(postgres.read_text())["temporary"] if postgres.exists() else ""
            process.send_signal(number)
            assert process.wait(RUN_LIMIT_S) == 130, log.read_text()
        finally:
            process.kill()
            process.wait()
    assert "nothing is left running" in log.read_text()
    assert processes_of(folder) == []
    assert not outside or not Path(outside).exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", ports["pbx_ami"])) != 0
