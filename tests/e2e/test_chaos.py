"""A short chaos and a short soak: every promise is kept, and nothing is left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from e2e_rig import processes_of

pytestmark = [pytest.mark.lab, pytest.mark.pg, pytest.mark.full]

RUN_LIMIT_S = 600.0


def command(what: str, folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", f"ccbridge.lab.{what}", "--folder", str(folder), *options]


def test_each_kind_of_fault_once_and_some_twice(tmp_path: Path) -> None:
    folder = tmp_path / "chaos"
    done = subprocess.run(
        command("chaos", folder, "-n", "12", "--seed", "6"),
        capture_output=True, text=True, timeout=RUN_LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((folder / "report.json").read_text())
    assert told["good"]
    assert told["calls"] == told["accounted"] > 30
    assert len(told["faults"]) == 12
    assert processes_of(folder) == []


def test_a_soak_of_two_minutes(tmp_path: Path) -> None:
    folder = tmp_path / "soak"
    done = subprocess.run(
        command("soak", folder, "--minutes", "2", "--seed", "1"),
        capture_output=True, text=True, timeout=RUN_LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing grows" in (folder / "report.txt").read_text()
    assert len((folder / "samples.csv").read_text().splitlines()) >= 10
    assert (folder / "soak.svg").exists()
    assert processes_of(folder) == []


def test_interrupted_in_the_midst_of_faults_it_leaves_nothing_running(tmp_path: Path) -> None:
    folder, log = tmp_path / "chaos", tmp_path / "said.txt"
    with log.open("w") as out:
        process = subprocess.Popen(
            command("chaos", folder, "-n", "50", "--seed", "6"),
            stdout=out, stderr=out, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        try:
            deadline = time.monotonic() + RUN_LIMIT_S
            while "  4/50  " not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            assert process.wait(RUN_LIMIT_S) == 130, log.read_text()
        finally:
            process.kill()
            process.wait()
    assert "nothing is left running" in log.read_text()
    assert processes_of(folder) == []
