"""All groups of checks, each for itself, within one limit."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable

from ccbridge.doctor import database, dialplan, disk, link, media, phones, ports, program, records, speech
from ccbridge.doctor.finding import Finding, Findings, fail
from ccbridge.doctor.visit import Visit

LIMIT = 30.0  # seconds for all of it
STUCK = "not looked at to the end within the limit"

GROUPS: dict[str, Callable[[Visit], Findings]] = {
    "program": program.check,
    "ami": link.check,
    "dialplan": dialplan.check,
    "phones": phones.check,
    "media": media.check,
    "speech": speech.check,
    "records": records.check,
    "disk": disk.check,
    "database": database.check,
    "ports": ports.check,
}


async def examine(visit: Visit, limit: float = LIMIT) -> list[Finding]:
    """Every finding, in the order of the groups. Never takes much longer than ``limit`` seconds."""
    deadline = asyncio.get_running_loop().time() + limit
    try:
        found = await _group("reach", lambda _: visit.look(), visit, deadline)
        for part in await asyncio.gather(
            *(_group(name, check, visit, deadline) for name, check in GROUPS.items())
        ):
            found += part
        return found
    finally:
        await visit.leave()


async def _group(
    name: str, check: Callable[[Visit], Findings], visit: Visit, deadline: float
) -> list[Finding]:
    """What a group found until its end, the limit, or a fault of its own."""
    found: list[Finding] = []
    try:
        async with asyncio.timeout_at(deadline):
            async for finding in check(visit):
                found.append(finding)
    except TimeoutError:
        found.append(fail(STUCK, "what was asked last hangs, or --limit is too short"))
    except Exception as error:  # noqa: BLE001 - it is told, and must not keep the other groups from theirs
        found.append(
            fail(f"cannot be looked at: {type(error).__name__}: {error}", "try again; else report it")
        )
    return [dataclasses.replace(one, group=name) for one in found]
