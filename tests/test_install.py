"""`make install` into a scratch folder: what lies where, and that what lies there runs."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ccbridge.lab.database import Database
from ccbridge.lab.lab import PROJECT, Lab
from ccbridge.lab.postgres import LabPostgres
from ccbridge.lab.service import Service, site_file

pytestmark = [pytest.mark.full, pytest.mark.lab, pytest.mark.pg]


def make(target: str, root: Path) -> str:
    words = [
        "make",
        "--no-print-directory",
        target,
        f"DESTDIR={root}",
        "PREFIX=/opt/cc",
        "SYSCONFDIR=/opt/etc",
    ]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(root: Path) -> set[str]:
    """All but the venv's inside."""
    found = (path.relative_to(root) for path in root.rglob("*") if not path.is_dir())
    return {str(one) for one in found if one.parts[:4] != ("opt", "cc", "lib", "ccbridge")}


def test_install(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    make("install", root)
    program = root / "opt/cc/bin/ccbridge"
    (tmp_path / "yaml.py").write_text("raise SystemExit('imported from the working folder')\n")
    monkeypatch.chdir(tmp_path)

    def ccbridge(*words: str) -> tuple[int, str]:
        done = subprocess.run([str(program), *words], capture_output=True, text=True, timeout=60)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    # where things are
    there = files(root)
    assert {
        "opt/cc/bin/ccbridge",
        "opt/cc/bin/ccbridge-fallback",
        "opt/cc/lib/systemd/system/ccbridge.service",
        "opt/cc/lib/systemd/system/ccbridge-jobs.service",
        "opt/cc/lib/sysusers.d/ccbridge.conf",
        "opt/cc/lib/tmpfiles.d/ccbridge.conf",
        "opt/cc/share/ccbridge/dialplan/ccbridge.conf",
        "opt/cc/share/doc/ccbridge/deploy.md",
        "opt/etc/ccbridge/ccbridge.yml",
        "opt/etc/logrotate.d/ccbridge",
    } <= there
    for shipped in (PROJECT / "asterisk").glob("*.conf"):
        assert f"opt/cc/share/ccbridge/asterisk/{shipped.name}" in there
    config = root / "opt/etc/ccbridge/ccbridge.yml"
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    unit = (root / "opt/cc/lib/systemd/system/ccbridge.service").read_text()
    assert "\nExecStart=/opt/cc/bin/ccbridge run -c /opt/etc/ccbridge/ccbridge.yml\n" in unit
    assert "/opt/etc/ccbridge/ccbridge.yml" in (root / "opt/cc/lib/tmpfiles.d/ccbridge.conf").read_text()
    # the folder it was made in is nowhere in what is run
    for script in (root / "opt/cc/lib/ccbridge/bin").iterdir():
        if script.is_file() and not script.is_symlink():
            assert str(root).encode() not in script.read_bytes(), script.name
            assert b"ccbridge.new" not in script.read_bytes(), script.name
    # it runs from where it lies
    assert ccbridge("config", "check", "-c", str(config))[0] == 0
    assert ccbridge("doctor", "--help")[0] == 0
    server = LabPostgres(lab.folder / "install-postgres", external=False, tethered=True)
    with server, Database(server.url) as database:
        site = site_file(tmp_path / "site", lab.pbx, database)
        assert ccbridge("-c", str(site), "db", "status")[0] == 0
        daemon = Service(site, tethered=True, program=(str(program),))
        daemon.start()
        try:
            assert os.readlink(f"/proc/{daemon.pid}/cwd") == str(tmp_path)
            assert ccbridge("-c", str(site), "health") == (0, "healthy\n")
        finally:
            assert daemon.stop() == 0

    def again(pip: str) -> int:
        place = {"DESTDIR": str(root), "PREFIX": "/opt/cc", "SYSCONFDIR": "/opt/etc"}
        place["PIP"] = f"{sys.executable} -c {pip}"
        words = [PROJECT / "packaging/install", "install"]
        return subprocess.run(words, env={**os.environ, **place}, check=False).returncode

    # an update that fails, as without a network: what was there is there, and runs
    assert again("1/0") != 0
    assert files(root) == there
    assert ccbridge("doctor", "--help")[0] == 0
    # once more, without the packages: what a site wrote stays
    config.write_text("ours: true\n")
    assert again("pass") == 0
    assert files(root) == there
    assert ccbridge("doctor", "--help")[0] != 0
    assert config.read_text() == "ours: true\n"
    assert "stay" in make("uninstall", root)
    assert files(root) == {"opt/etc/ccbridge/ccbridge.yml", "opt/etc/logrotate.d/ccbridge"}
    assert not (root / "opt/cc/lib/ccbridge").exists()
