"""``ccbridge doctor``: what is wrong with this site, and what to do about it."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import asdict

import click

from ccbridge.cli import show
from ccbridge.cli.here import Here, NotDone, common, pass_here
from ccbridge.doctor.finding import Finding
from ccbridge.doctor.run import LIMIT, STUCK, examine
from ccbridge.doctor.visit import Visit
from ccbridge.logs import logging_to_stderr


@click.command()
@click.option(
    "--asterisk", "console", metavar="COMMAND", default="", help="Asterisk's program here, if not `asterisk`."
)
@click.option(
    "--limit", type=click.FloatRange(1, 600), default=LIMIT, show_default=True, help="Seconds, for all."
)
@click.option("--all", "everything", is_flag=True, help="Show what is in order, too.")
@common
@pass_here
def doctor(here: Here, console: str, limit: float, everything: bool, as_json: bool) -> None:
    """Look at everything that calls need, and say what is wrong and what to do. Changes nothing.

    Run it on the PBX, best as root: then Asterisk's console tells what the AMI user may not see. The daemon
    may run or not. Exit codes: 0 nothing to do, 1 findings.
    """
    site = here.site(secrets=True)
    with logging_to_stderr("console", "critical"):
        raise SystemExit(asyncio.run(_examined(Visit(site, console), limit, everything, as_json)))


async def _examined(visit: Visit, limit: float, everything: bool, as_json: bool) -> int:
    found = await examine(visit, limit)
    _tell(found, everything, as_json)
    code = NotDone.exit_code if any(one.counts for one in found) else 0
    if any(one.what == STUCK for one in found):
        sys.stdout.flush()
        os._exit(code)  # the usual way out waits for threads, and a dead disk may hold one
    return code


def _tell(found: list[Finding], everything: bool, as_json: bool) -> None:
    findings = [one for one in found if one.counts]
    if as_json:
        show.as_json({"findings": len(findings), "checks": [asdict(one) for one in found]})
    else:
        for one in found:
            if everything or one.level != "OK":
                click.echo(show.plain(f"{one.level:<4}  {one.group:<8}  {one.what}"))
            if one.do and one.level != "OK":
                click.echo(show.plain(f"{'':<16}-> {one.do}"))
        counts = {level: sum(one.level == level for one in found) for level in ("OK", "SKIP", "WARN", "FAIL")}
        click.echo(", ".join(f"{count} {level}" for level, count in counts.items()))
