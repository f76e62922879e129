"""The systemd units: hardened by systemd's own measure, with a real `systemd-analyze`."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ccbridge.lab.distribution import command_in
from ccbridge.lab.fetch import ensure_packages
from ccbridge.lab.lab import PROJECT, default_cache

UNITS = sorted((PROJECT / "systemd").glob("*.service"))
LIMIT = 3.0  # of 10, which is a service that may do everything


@pytest.fixture(scope="module")
def analyze() -> tuple[str, ...]:
    """The machine's own, else the one of Debian's package in the lab's folder."""
    own = shutil.which("systemd-analyze")
    if own is not None:
        return (own,)
    root = ensure_packages(default_cache(), "systemd", ("systemd",))
    return command_in(root, "usr/bin/systemd-analyze")


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_exposure(analyze: tuple[str, ...], unit: Path) -> None:
    done = subprocess.run(
        [*analyze, "--no-pager", "security", "--offline=true", str(unit)], capture_output=True, text=True
    )
    found = re.search(rf"exposure level for {re.escape(unit.name)}: ([0-9.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) < LIMIT, done.stdout
    # what it needs all the same: AMI and FastAGI over TCP, PostgreSQL and systemd over Unix sockets
    text = unit.read_text()
    assert "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n" in text
    assert not re.search(r"^(PrivateNetwork|PrivateUsers|IPAddressDeny|RootDirectory)=", text, re.MULTILINE)
    assert ("StateDirectory=ccbridge\n" in text) == (unit.name == "ccbridge.service")


def test_the_measure_bites(analyze: tuple[str, ...], tmp_path: Path) -> None:
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/usr/local/bin/ccbridge run\n")
    done = subprocess.run(
        [*analyze, "--no-pager", "security", "--offline=true", str(bare)], capture_output=True, text=True
    )
    found = re.search(r"exposure level for bare.service: ([0-9.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) > 9


@pytest.mark.full
def test_the_fetched_one_measures_alike(tmp_path: Path) -> None:
    root = ensure_packages(default_cache(), "systemd", ("systemd",))
    own = command_in(root, "usr/bin/systemd-analyze")
    for unit in UNITS:
        test_exposure(own, unit)
