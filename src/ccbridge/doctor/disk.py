"""Folders: there, writable for those who write, and with room."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ccbridge.doctor.finding import Finding, Findings, fail, ok, warn
from ccbridge.doctor.visit import Visit

LITTLE = 1 << 30  # bytes: some days of events, or 18 hours of recordings
NOTHING = 100 << 20
PROBE = b"\0" * 65_536
ACL = "system.posix_acl_access"


async def check(visit: Visit) -> Findings:
    site = visit.site
    folders = {"journal.directory": site.journal.directory}
    inputs = site.journal.directory / "inputs"
    if site.journal.input_days and inputs.exists():  # else it will be made in the journal's
        folders["journal.directory/inputs"] = inputs
    if site.recording.enabled:
        folders["recording.directory"] = site.recording.directory
    user = _daemons_user(visit)
    for key, folder in folders.items():
        for finding in await asyncio.to_thread(lambda k, f: list(_folder(k, f, user)), key, folder):
            yield finding
    runs_as = visit.core.get("corerunuser", "") if visit.core is not None else ""
    if site.recording.enabled and runs_as:
        yield _asterisk(site.recording.directory, runs_as)


def _daemons_user(visit: Visit) -> int:
    """Who writes: the daemon that runs, else whoever asks."""
    if visit.daemon is not None:
        return os.stat(f"/proc/{visit.daemon['pid']}").st_uid
    return os.geteuid()


def _folder(key: str, folder: Path, user: int) -> Iterator[Finding]:
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not there.is_dir():
        yield fail(f"{key}: {there} is no folder", f"{key}, or move the file away")
        return
    why = _refusal(there, user)
    name = pwd.getpwuid(user).pw_name
    if why:
        yield fail(
            f"{key}: {there} cannot be written by {name} ({why})",
            f"chown {name} {there}; a mount that is read-only, a quota, ReadWritePaths= of the unit",
        )
        return
    strangers = {one.stat().st_uid for one in folder.glob("*.jsonl")} - {user} if there == folder else set()
    if strangers and user:
        yield fail(
            f"{key}: files in {folder} belong to another user than {name}, who runs the daemon",
            f"chown -R {name} {folder}: perhaps it was started once as root",
        )
    free = shutil.disk_usage(there).free
    room = f"{key}: {free >> 20} MB free in {there}"
    if free < NOTHING:
        yield fail(room, "make room, or another disk")
    elif free < LITTLE:
        yield warn(room, "make room, or another disk")
    else:
        yield ok(room + ("" if there == folder else f"; {folder} will be made"))


def _refusal(folder: Path, user: int) -> str:
    """Why ``user`` cannot write there; '' if he can. Tried out if that is who asks."""
    if user != os.geteuid():
        return "" if _may(folder, user) else "its mode"
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(PROBE)
            probe.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _may(folder: Path, user: int) -> bool:
    """By the folder's mode; where an access list says more, yes is assumed."""
    found = folder.stat()
    person = pwd.getpwuid(user)
    groups = os.getgrouplist(person.pw_name, person.pw_gid)
    bit = stat.S_IWUSR if found.st_uid == user else stat.S_IWGRP if found.st_gid in groups else stat.S_IWOTH
    return user == 0 or bool(found.st_mode & bit) or ACL in os.listxattr(folder)


def _asterisk(folder: Path, name: str) -> Finding:
    try:
        user = pwd.getpwnam(name).pw_uid
    except KeyError:
        return warn(f"Asterisk runs as {name}, who is no user of this machine", "run the doctor on the PBX")
    if not folder.is_dir() or not _may(folder, user):
        return fail(
            f"Asterisk ({name}) cannot write to {folder}: nothing is recorded",
            f"setfacl -m u:{name}:rwx,d:u:{name}:rwx {folder} (docs/deploy.md)",
        )
    return ok(f"Asterisk ({name}) may write to {folder}")
