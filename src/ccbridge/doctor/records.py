"""Call records: CDRs come over AMI, and CDR and CEL files are written."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from ccbridge.doctor.finding import Finding, Findings, fail, ok, skip, warn
from ccbridge.doctor.visit import Visit

BEHIND = 300.0  # seconds that the file may be older than the newest CDR in the database
NEWEST_CDR = "SELECT extract(epoch FROM max(at)) FROM cdr"


async def check(visit: Visit) -> Findings:
    if visit.core is not None and visit.core.get("corecdrenabled") == "No":
        yield fail("Asterisk writes no CDRs", "#include cdr_ccbridge.conf in cdr.conf; `module reload cdr`")
    if visit.daemon is not None and visit.daemon["cdr_unmapped"]:
        yield fail(
            "CDRs come without their sequence and cannot be kept apart",
            "#include cdr_manager_ccbridge.conf in cdr_manager.conf; `module reload cdr_manager`",
        )
    if visit.settings is None:
        yield skip("CDR and CEL files", "needs Asterisk's console")
        return
    status = await visit.rx("cdr show status")
    if not re.search(r"^\s+cdr_manager\s*$", status, re.MULTILINE):
        yield fail(
            "CDRs do not come over AMI: cdr_manager is not among the backends",
            "#include cdr_manager_ccbridge.conf in cdr_manager.conf; `module reload cdr_manager`",
        )
    if not re.search(r"Log unanswered calls:\s+Yes", status):
        yield warn(
            "unanswered calls make no CDR", "#include cdr_ccbridge.conf in cdr.conf; `module reload cdr`"
        )
    files = {"cdr": visit.site.catch_up.cdr_file, "cel": visit.site.catch_up.cel_file}
    for kind, said in (("cdr", status), ("cel", await visit.rx("cel show status"))):
        path = Path(files[kind])
        if not re.search(r"(Logging:|CEL Logging:)\s+Enabled", said):
            yield warn(f"{kind.upper()} is not enabled", f"#include {kind}_ccbridge.conf in {kind}.conf")
        elif "custom" not in said.lower():
            yield warn(
                f"{kind.upper()}s are written to no file: nothing is left of a time without the daemon",
                f"#include {kind}_custom_ccbridge.conf in {kind}_custom.conf; `module reload {kind}_custom`",
            )
        else:
            yield await asyncio.to_thread(_file, visit, kind, path)
    async for finding in _written(visit, Path(files["cdr"])):
        yield finding


def _file(visit: Visit, kind: str, path: Path) -> Finding:
    """What Asterisk writes is what ``ccbridge jobs`` reads."""
    key = f"catch_up.{kind}_file"
    log = Path((visit.settings or {}).get("Log directory", "")) / f"{kind}-custom"
    if not log.is_dir():
        return fail(
            f"the folder {log} is not there: every {kind.upper()} is lost without a word",
            f"mkdir {log}, owned by Asterisk's user",
        )
    if path.parent.resolve() != log.resolve():
        return fail(
            f"{key} is {path}, and Asterisk writes to {log}",
            f"{key}: {log / path.name}",
        )
    if path.exists() and not os.access(path, os.R_OK):
        return fail(f"{path} cannot be read by this user", f"setfacl -m u:ccbridge:r {path} (docs/deploy.md)")
    return ok(f"{kind.upper()}s are written to {log}")


async def _written(visit: Visit, path: Path) -> Findings:
    if visit.db is None:
        return
    found = await (await visit.db.execute("SELECT to_regclass('cdr')::text")).fetchone()
    if found is None or found[0] is None:
        return  # no tables: the database's own check says so
    newest = await (await visit.db.execute(NEWEST_CDR)).fetchone()
    written = await asyncio.to_thread(_last_change, path)
    if newest is not None and newest[0] is not None and float(newest[0]) - written > BEHIND:
        yield fail(
            f"{path} has not been written since {float(newest[0]) - written:.0f} s before the newest CDR",
            "the folder's owner must be Asterisk's user; Asterisk's log says why",
        )


def _last_change(path: Path) -> float:
    """Epoch seconds; of the rotated ones, too. 0: there is none."""
    return max((one.stat().st_mtime for one in path.parent.glob(path.name + "*")), default=0.0)
