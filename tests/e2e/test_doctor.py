"""``ccbridge doctor`` on the real lab: a clean one gives no finding, and each planted fault its own.

One sick PBX holds the faults of Asterisk's files together; the visits are few, the faults many.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from e2e_rig import Site

from ccbridge.config import load
from ccbridge.doctor.finding import Finding
from ccbridge.doctor.run import examine
from ccbridge.doctor.visit import Visit
from ccbridge.lab.asterisk import Instance
from ccbridge.lab.database import Database
from ccbridge.lab.lab import PROJECT, Lab, Pbx
from ccbridge.lab.ports import free_rtp_range, free_tcp, free_udp
from ccbridge.lab.postgres import LabPostgres
from ccbridge.lab.service import site_file
from ccbridge.lab.site_pbx import PBX_ADDRESS, Ports, Secrets, door, write_pbx
from ccbridge.lab.tones import write_tone

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Found = list[Finding]


async def doctor(config: Path, console: str = "", **more: Any) -> Found:
    limit = more.pop("limit", 30.0)
    return await examine(Visit(load(config), console, **more), limit)


def findings(found: Found) -> list[str]:
    return [f"{one.level} {one.group}: {one.what}" for one in found if one.counts]


def has(found: Found, level: str, group: str, what: str) -> None:
    """There is one such finding, and it says what to do."""
    hits = [one for one in found if (one.level, one.group) == (level, group) and what in one.what]
    assert len(hits) == 1, "\n".join(findings(found))
    assert len(hits[0].do) > 5


class Sick:
    """A PBX of its own with faults planted in its files."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.keys = Secrets.new()
        self.ports = Ports(
            pbx_ami=free_tcp(),
            pbx_sip=free_udp(PBX_ADDRESS),
            pbx_rtp=free_rtp_range(20, PBX_ADDRESS),
            agi=free_tcp(),
            outside_ami=0,
            carrier_sip=free_udp(PBX_ADDRESS),
            phones_sip=0,
            outside_rtp=(0, 0),
        )
        self.instance = Instance("sick", folder / "pbx", lab.outside.distribution, tethered=True)
        recordings = folder / "recordings"
        recordings.mkdir()
        write_pbx(self.instance, PROJECT, self.ports, self.keys, recordings)
        write_tone(self.instance.lib / "music/tone.wav", 300, 1)
        self.pbx = Pbx(self.instance, self.ports, self.keys, recordings, lambda: None)

    @property
    def console(self) -> str:
        return shlex.join(self.instance.console()[:-1])

    def change(self, name: str, *pairs: tuple[str, str], add: str = "") -> None:
        path = self.instance.etc / name
        text = path.read_text()
        for old, new in pairs:
            assert old in text, f"{name}: {old}"
            text = text.replace(old, new)
        path.write_text(text + add)

    def start(self) -> None:
        self.instance.start()
        self.instance.wait_ready(door(self.ports, self.keys))


def sixteen(one: Sick) -> bool:
    return 0 < one.instance.distribution.major < 18


def ami_user(name: str, read: str, write: str) -> str:
    return f"[{name}]\nsecret = s3cret\nread = {read}\nwrite = {write}\n"


@pytest.fixture(scope="module")
def sick(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sick]:
    one = Sick(lab, tmp_path_factory.mktemp("sick"))
    etc = one.instance.etc
    one.change("modules.conf", add="noload => app_mixmonitor.so\n")
    one.change("musiconhold.conf", (str(one.instance.lib / "music"), str(one.instance.lib / "silence")))
    (one.instance.lib / "silence").mkdir()
    (one.instance.log / "cdr-custom").rmdir()
    one.change("cel.conf", add="[general](+)\nenable = no\n")
    one.change(
        "manager.conf",
        ("timestampevents = yes", "timestampevents = no"),
        add=ami_user("few", "system,call,user", "call")
        + ami_user("many", "all", "call,reporting,command,system")
        + ami_user("ccbridge2", "system,call,user,cdr", "call,originate,reporting"),
    )
    ours = (PROJECT / "dialplan" / "ccbridge.conf").read_text()
    (etc / "ours.conf").write_text(ours.replace("[ccbridge-offer]", "[ccbridge-ofer]"))
    one.change(
        "extensions.conf",
        (str(PROJECT / "dialplan" / "ccbridge.conf"), "ours.conf"),
        ("Goto(ccbridge-in,", "Goto(nowhere,"),
        ("include => ccbridge-agent\n", ""),
        (f"CCB_AGI=agi://127.0.0.1:{one.ports.agi}", "CCB_AGI=agi://127.0.0.1:1"),
        ("CCB_REC_OPTIONS=bS" if sixteen(one) else "CCB_REC_OPTIONS=b", "CCB_REC_OPTIONS=b"),
        ("CCB_FALLBACK_QUEUE=ccbridge-fallback", "CCB_FALLBACK_QUEUE=empty"),
        ("CCB_FALLBACK_AGI=", "CCB_FALLBACK_AGI=/nowhere"),
    )
    one.change("queues.conf", add="[empty]\nstrategy = ringall\n")
    one.change("pjsip.conf", add="[1002](+)\ndirect_media = yes\n")
    try:
        one.start()
        one.instance.rx("module unload func_timeout.so")
        yield one
    finally:
        one.instance.stop()


@pytest.fixture(scope="module")
def database(lab_postgres: LabPostgres) -> Iterator[Database]:
    with Database(lab_postgres.url) as one:
        yield one


@pytest.fixture(scope="module")
def make_config(
    sick: Sick, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Mapping[str, Any]], Path]:
    def make(changes: Mapping[str, Any]) -> Path:
        folder = tmp_path_factory.mktemp("site")
        base: dict[str, Any] = {"asterisk": {"user": "ccbridge2", "secret": "s3cret"}}
        for section, values in changes.items():
            base[section] = {**base.get(section, {}), **values}
        return site_file(folder, sick.pbx, database, base)

    return make


# -- a clean lab


async def test_a_clean_lab_gives_no_finding(make_site: Callable[..., Site], lab: Lab) -> None:
    """With the daemon stopped and running; without the console nothing is wrong either, only less is seen."""
    site = make_site(start=False, metrics={"port": free_tcp()})
    console = shlex.join(lab.console()[:-1])
    stopped = await doctor(site.config, console)
    assert findings(stopped) == []
    site.daemon.start()
    running = await doctor(site.config, console)
    assert findings(running) == []
    assert len([one for one in running if one.level == "OK"]) > 25
    blind = await doctor(site.config, "/nonexistent/asterisk")
    assert findings(blind) == []
    assert {one.what for one in blind if one.level == "SKIP"} >= {"sounds and music", "CDR and CEL files"}
    site.daemon.stop()
    assert site.oddities() == []  # the doctor's own doings are no events of a call


async def test_the_command(make_site: Callable[..., Site], lab: Lab) -> None:
    site = make_site(start=False)
    words = [sys.executable, "-m", "ccbridge", "-c", str(site.config), "doctor"]
    words += ["--asterisk", shlex.join(lab.console()[:-1])]

    async def run(*more: str, before: str = "") -> tuple[int, str]:
        line = f"{before} exec {shlex.join([*words, *more])}"
        done = await asyncio.to_thread(
            subprocess.run, ["sh", "-c", line], capture_output=True, text=True, timeout=60
        )
        assert done.stderr == ""
        return done.returncode, done.stdout

    code, said = await run()
    assert (code, said.splitlines()[-1].split(", ")[2:]) == (0, ["0 WARN", "0 FAIL"])
    # a disk that takes nothing more: a quota
    code, said = await run("--json", before="ulimit -f 0;")
    assert code == 1
    told = json.loads(said)
    assert [(one["level"], one["group"]) for one in told["checks"] if one["level"] in ("WARN", "FAIL")] == [
        ("FAIL", "disk"),
        ("FAIL", "disk"),
    ]
    assert "(File too large)" in said
    site.config.chmod(0o644)
    code, said = await run()
    assert code == 1
    assert "WARN  program " in said
    assert "everyone on this machine may read" in said
    assert "\n                -> see docs/configuration.md\n" in said


# -- planted faults


@pytest.fixture(scope="module")
def seen(sick: Sick, make_config: Callable[..., Path]) -> Found:
    """One visit to the sick PBX, with a site that has faults of its own."""
    config = make_config(
        {
            "queues": {"sales": {"overflow": "7777"}},
            "agents": {"chloe": {"device": "PJSIP/1999"}},
            "supervisors": {"sue": {"name": "Sue", "device": "PJSIP/1998", "role": "manager"}},
            "flows": {"main": {"steps": {"greeting": {"play": ["our-shop/welcome"]}}}},
            "asterisk": {"exit_context": "internal"},
        }
    )
    ahead = 90.0
    return asyncio.run(doctor(config, sick.console, clock=lambda: time.time() - ahead))


@pytest.mark.parametrize(
    ("level", "group", "what"),
    [
        ("FAIL", "ami", "module app_mixmonitor is not loaded (recordings)"),
        ("FAIL", "ami", "module func_timeout is not loaded"),
        ("FAIL", "ami", "events bear no time of their own"),
        ("FAIL", "ami", "Asterisk's clock is "),
        ("FAIL", "database", "PostgreSQL's clock is "),
        ("FAIL", "dialplan", "no _o. in [ccbridge-offer]"),
        ("FAIL", "dialplan", "no context leads to [ccbridge-in]"),
        ("WARN", "dialplan", "[from-phones] does not include ccbridge-agent"),
        ("FAIL", "dialplan", "extension 7777 is not in [internal]"),
        ("FAIL", "dialplan", "CCB_AGI is agi://127.0.0.1:1, and agi.port is"),
        ("WARN", "dialplan", "the fallback queue empty has no member"),
        ("WARN", "dialplan", "ccbridge-fallback, which cannot be run"),
        ("FAIL", "phones", "agent chloe: Asterisk has no endpoint 1999"),
        ("FAIL", "phones", "supervisor sue: Asterisk has no endpoint 1998"),
        ("WARN", "phones", "agent ben: endpoint 1002 has direct_media = true"),
        ("FAIL", "media", "the music class default has no files"),
        ("FAIL", "media", "the sound our-shop/welcome is not in"),
        ("FAIL", "records", "/cdr-custom is not there"),
        ("WARN", "records", "CEL is not enabled"),
    ],
)
def test_a_planted_fault(seen: Found, level: str, group: str, what: str) -> None:
    has(seen, level, group, what)


def test_the_planted_faults_are_all_that_is_found(seen: Found, sick: Sick) -> None:
    assert len(findings(seen)) == 19 + sixteen(sick), "\n".join(findings(seen))
    if sixteen(sick):
        has(seen, "FAIL", "dialplan", "CCB_REC_OPTIONS lacks S, and Asterisk is 16")


def test_the_clock_is_off_by_what_was_planted(seen: Found) -> None:
    for one in seen:
        if "clock is" in one.what:
            off = re.search(r"clock is ([0-9.]+) s ahead of ours", one.what)
            assert off is not None
            assert abs(float(off[1]) - 90) < 3


async def test_rights_too_few_and_too_many(sick: Sick, make_config: Callable[..., Path]) -> None:
    few = await doctor(make_config({"asterisk": {"user": "few"}}), sick.console)
    has(few, "FAIL", "ami", "the AMI user few lacks write = reporting")
    has(few, "FAIL", "ami", "the AMI user few lacks write = originate")
    has(few, "FAIL", "ami", "the AMI user few lacks read = cdr")
    many = await doctor(make_config({"asterisk": {"user": "many"}}), sick.console)
    has(many, "FAIL", "ami", "the AMI user many has write = system")
    has(many, "FAIL", "ami", "the AMI user many has write = command")


async def test_the_database(make_config: Callable[..., Path], database: Database) -> None:
    """A role too powerful and too weak, a trigger off, a record refused; then an old schema; then away."""
    config = make_config({"asterisk": {"port": free_tcp()}})
    with psycopg.connect(database.admin_url, autocommit=True) as db:
        db.execute(f"GRANT UPDATE ON call_event TO {database.role}")
        db.execute(f"REVOKE INSERT ON ticket FROM {database.role}")
        db.execute("ALTER TABLE cdr DISABLE TRIGGER append_only")
        found = await doctor(config)
        has(found, "FAIL", "database", "may UPDATE on call_event: it should only SELECT, INSERT")
        has(found, "FAIL", "database", "may not INSERT on ticket")
        has(found, "FAIL", "database", "cdr has no trigger, or a disabled one")
        db.execute(f"REVOKE UPDATE ON call_event FROM {database.role}")
        db.execute(f"GRANT INSERT ON ticket TO {database.role}")
        db.execute("ALTER TABLE cdr ENABLE TRIGGER append_only")
        (before,) = db.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
        db.execute("UPDATE alembic_version SET version_num = '9999'")
        found = await doctor(config)
        has(found, "FAIL", "database", "The database schema is at 9999")
        db.execute("UPDATE alembic_version SET version_num = %s", (before,))
    assert [line for line in findings(await doctor(config)) if " database: " in line] == []
    owner = make_config({"asterisk": {"port": free_tcp()}, "database": {"url": database.admin_url}})
    has(await doctor(owner), "FAIL", "database", "is a superuser, or may make roles")
    away = make_config(
        {
            "asterisk": {"port": free_tcp()},
            "database": {"url": f"postgresql://x:hidden@127.0.0.1:{free_tcp()}/x"},
        }
    )
    found = await doctor(away)
    has(found, "FAIL", "reach", "the database 127.0.0.1:")
    has(found, "FAIL", "reach", "nobody listens for AMI")
    assert not [one for one in found if "hidden" in one.what + one.do]
    assert {one.group for one in found} == {
        *("reach", "program", "ami", "dialplan", "phones", "media", "speech", "records", "disk"),
        *("database", "ports"),
    }


async def test_what_keeps_the_daemon_from_starting(
    sick: Sick, make_config: Callable[..., Path], tmp_path: Path
) -> None:
    """A wrong AMI secret, a port that is taken, a folder that is none."""
    (tmp_path / "file").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = make_config(
            {
                "asterisk": {"secret": "wrong"},
                "agi": {"port": taken.getsockname()[1]},
                "journal": {"directory": str(tmp_path / "file" / "journal")},
            }
        )
        found = await doctor(config, sick.console)
    has(found, "FAIL", "reach", "Asterisk refused the AMI login of ccbridge2")
    has(found, "FAIL", "ports", "cannot be had (Address already in use)")
    has(found, "FAIL", "disk", f"journal.directory: {tmp_path / 'file'} is no folder")
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "inputs").touch()
    for days, said in ((3, [f"journal.directory/inputs: {tmp_path}/journal/inputs is no folder"]), (0, [])):
        config = make_config({"journal": {"directory": str(tmp_path / "journal"), "input_days": days}})
        found = [one for one in await doctor(config, sick.console) if one.counts]
        assert [one.what for one in found if "inputs" in one.what] == said


@pytest.mark.full
async def test_an_asterisk_that_hangs_takes_the_limit_and_no_more(
    sick: Sick, make_config: Callable[..., Path]
) -> None:
    config = make_config({})
    process = sick.instance.process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    begun = time.monotonic()
    try:
        found = await doctor(config, sick.console, limit=20.0)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert time.monotonic() - begun < 20.0
    has(found, "FAIL", "reach", "AMI on 127.0.0.1")
    assert [one for one in found if one.group == "database" and one.level == "OK"]
