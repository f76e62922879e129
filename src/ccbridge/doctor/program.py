"""The program itself: versions, packages, configuration, limits, the unit."""

from __future__ import annotations

import asyncio
import importlib.metadata
import platform
import shutil
import sys

from packaging.requirements import Requirement

from ccbridge import __version__
from ccbridge.doctor.finding import Finding, Findings, fail, ok, skip, warn
from ccbridge.doctor.visit import STEP, Visit

OLDEST_PYTHON = (3, 11)
ASTERISK = range(16, 23)
DESCRIPTORS = 200  # beside one for each session: sockets, files, the control socket's connections
INSTALL = "install ccbridge again, into a venv of its own (docs/deploy.md)"


async def check(visit: Visit) -> Findings:
    if sys.version_info < OLDEST_PYTHON:
        yield fail(f"Python {platform.python_version()} is too old", "Python 3.11 or newer")
    wrong = list(_packages())
    for sentence in wrong:
        yield fail(sentence, INSTALL)
    if not wrong:
        yield ok(f"ccbridge {__version__}, Python {platform.python_version()}, all packages")
    if visit.daemon is not None and visit.daemon["version"] != __version__:
        yield warn(
            f"the daemon that runs is {visit.daemon['version']}, installed is {__version__}",
            "`systemctl restart ccbridge`",
        )
    if visit.core is not None:
        version = visit.core.get("asteriskversion", "")
        if visit.major in ASTERISK:
            yield ok(f"Asterisk {version}")
        else:
            yield warn(f"Asterisk {version} is not one that ccbridge is tested on", "16 to 22, best 22")
    for mistake in visit.site.warnings:
        yield warn(str(mistake), "see docs/configuration.md")
    if not visit.site.warnings:
        yield ok(f"{visit.site.file}: no warnings")
    yield _limits(visit)
    yield await _unit()


def _packages() -> list[str]:
    wrong = []
    for line in importlib.metadata.requires("ccbridge") or []:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"the package {wanted.name} is not installed")
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"the package {wanted.name} is {found}, wanted is {wanted.specifier}")
    return wrong


def _limits(visit: Visit) -> Finding:
    if visit.daemon is None:
        return skip("the daemon's limit of open files", "when it runs")
    has, needs = visit.daemon["open_files"], visit.site.agi.sessions + DESCRIPTORS
    if has != -1 and has < needs:
        return fail(
            f"the daemon may open {has} files, and agi.sessions = {visit.site.agi.sessions} wants {needs}",
            "LimitNOFILE= in the unit, or fewer agi.sessions",
        )
    return ok(f"the daemon may open {has} files")


async def _unit() -> Finding:
    program = shutil.which("systemctl")
    if program is None:
        return skip("the systemd unit: no systemd here")
    child = await asyncio.create_subprocess_exec(
        program,
        *("show", "ccbridge.service", "--property=LoadState,Type,WatchdogUSec"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(STEP):
        said, _ = await child.communicate()
    facts = dict(line.partition("=")[::2] for line in said.decode(errors="replace").splitlines())
    if facts.get("LoadState") != "loaded":
        return skip("the systemd unit: ccbridge.service is not installed")
    if facts.get("Type") != "notify" or facts.get("WatchdogUSec", "0") in ("0", "infinity"):
        return warn(
            "ccbridge.service has no watchdog: a daemon that hangs is not restarted",
            "Type=notify and WatchdogSec=10, as in the unit that comes with ccbridge",
        )
    return ok(f"ccbridge.service has a watchdog ({facts['WatchdogUSec']})")
