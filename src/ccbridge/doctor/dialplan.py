"""The dialplan: our contexts are there, callers get in and out, and the globals fit the configuration."""

from __future__ import annotations

import os
from collections import defaultdict

from ccbridge.ami.teach import TARGETS
from ccbridge.codes import TABLE
from ccbridge.doctor.finding import Findings, fail, ok, skip, warn
from ccbridge.doctor.visit import Visit

INCLUDE = "#include the dialplan file ccbridge.conf in extensions.conf; `dialplan reload`"


async def check(visit: Visit) -> Findings:
    if visit.ami is None:
        yield skip("contexts and globals: AMI is away")
        return
    site = visit.site
    rows = await visit.ami.action_list({"Action": "ShowDialPlan"}, complete="ShowDialPlanComplete")
    known: dict[str, set[str]] = defaultdict(set)
    ways_in, includes = set(), defaultdict(set)
    for row in rows:
        context = row.get("context", "")
        if row.get("extension"):
            known[context].add(row.get("extension", ""))
        if row.get("includecontext"):
            includes[context].add(row.get("includecontext", ""))
        leads = "ccbridge-in" in (row.get("appdata", "") or "") or row.get("includecontext") == "ccbridge-in"
        if leads and not context.startswith("ccbridge-"):
            ways_in.add(context)
    lost = [(context, name) for context, name in TARGETS if name not in known.get(context, ())]
    for context, name in lost:
        yield fail(f"the dialplan has no {name} in [{context}]: callers sent there are dropped", INCLUDE)
    if not lost:
        yield ok("the dialplan has our contexts")
    if ways_in:
        yield ok(f"callers come in from {', '.join(f'[{one}]' for one in sorted(ways_in))}")
    else:
        yield fail(
            "no context leads to [ccbridge-in]: no caller reaches a menu",
            "exten => _X.,1,Goto(ccbridge-in,${EXTEN},1) in the trunk's context; `dialplan reload`",
        )
    async for finding in _codes(visit, includes):
        yield finding
    exits = site.plan.ways_out()
    context = site.asterisk.exit_context
    dead = [
        one for one in sorted(exits) if await visit.variable(f"DIALPLAN_EXISTS({context},{one},1)") != "1"
    ]
    for one in dead:
        yield fail(
            f"extension {one} is not in [{context}]: overflow or transfer to it ends in the fallback queue",
            f"add it to [{context}] (asterisk.exit_context), or correct overflow and transfer",
        )
    if not dead:
        yield ok(f"every way out of queues and menus is in [{context}]")
    async for finding in _globals(visit):
        yield finding
    async for finding in _fallback(visit):
        yield finding


async def _codes(visit: Visit, includes: dict[str, set[str]]) -> Findings:
    deaf: dict[str, list[str]] = defaultdict(list)
    reaching: set[str] = set()
    people = [(one.id, one.device) for one in visit.site.plan.agents.values()]
    people += [(one.id, one.device) for one in visit.site.supervisors.values()]
    for name, device in people:
        endpoint = device.partition("/")[2]
        context = await visit.variable(f"PJSIP_ENDPOINT({endpoint},context)")
        if context and "ccbridge-agent" not in _reached(context, includes):
            deaf[context].append(name)
        elif context:
            reaching.add(context)
    for context in sorted(reaching):
        for row in TABLE:
            code = getattr(visit.site.codes, row.name)
            dialled = code + "1" * row.least
            if code and await visit.variable(f"DIALPLAN_EXISTS({context},{dialled},1)") != "1":
                yield warn(
                    f"[{context}] does not take {code}, codes.{row.name}: nobody can dial it",
                    f"add the line for other digits that stands above [ccbridge-agent] to [{context}]",
                )
    for context, agents in deaf.items():
        yield warn(
            f"[{context}] does not include ccbridge-agent: {', '.join(agents)} cannot dial their codes",
            f"include => ccbridge-agent in [{context}]; `dialplan reload`",
        )


def _reached(context: str, includes: dict[str, set[str]]) -> set[str]:
    seen, todo = {context}, [context]
    while todo:
        for one in includes.get(todo.pop(), set()) - seen:
            seen.add(one)
            todo.append(one)
    return seen


async def _globals(visit: Visit) -> Findings:
    site = visit.site
    agi = await visit.variable("CCB_AGI")
    if agi.rpartition(":")[2].rstrip("/") != str(site.agi.port) and site.agi.port:
        yield fail(
            f"CCB_AGI is {agi or 'not set'}, and agi.port is {site.agi.port}: menus are not found",
            f"CCB_AGI=agi://{site.agi.host}:{site.agi.port} in [globals]; `dialplan reload`",
        )
    else:
        yield ok(f"CCB_AGI is {agi}")
    if visit.major and visit.major < 18 and "S" not in await visit.variable("CCB_REC_OPTIONS"):
        yield fail(
            f"CCB_REC_OPTIONS lacks S, and Asterisk is {visit.major}: recordings are not in step",
            "CCB_REC_OPTIONS=bS in [globals] of extensions.conf; `dialplan reload`",
        )
    told = {
        "CCB_REC_DIR": str(site.recording.directory),
        "CCB_EXIT_CONTEXT": site.asterisk.exit_context,
        "CCB_FALLBACK_AFTER": f"{site.routing.fallback_after:.0f}",
    }
    for name, wanted in told.items():
        found = await visit.variable(name)
        if found != wanted:
            yield warn(
                f"{name} is {found or 'not set'}, the configuration says {wanted}; each login sets it",
                f"{name}={wanted} in [globals] of extensions.conf, for the time when the daemon is away",
            )


async def _fallback(visit: Visit) -> Findings:
    assert visit.ami is not None
    name = await visit.variable("CCB_FALLBACK_QUEUE")
    add = "#include queues_ccbridge.conf and the file of `ccbridge config queues`; `queue reload all`"
    script = await visit.variable("CCB_FALLBACK_AGI")
    if script and not os.access(script, os.X_OK):
        yield warn(
            f"CCB_FALLBACK_AGI is {script}, which cannot be run: all go to the general fallback queue",
            "CCB_FALLBACK_AGI=/usr/local/bin/ccbridge-fallback in [globals]; `dialplan reload`",
        )
    if not name:
        yield fail("CCB_FALLBACK_QUEUE is not set", "CCB_FALLBACK_QUEUE=ccbridge-fallback in [globals]")
    elif await visit.variable(f"QUEUE_EXISTS({name})") != "1":
        yield fail(f"there is no queue {name}: nobody answers while the daemon is dead", add)
    else:
        rows = await visit.ami.action_list(
            {"Action": "QueueStatus", "Queue": name}, complete="QueueStatusComplete"
        )
        members = sum(row.event == "QueueMember" for row in rows)
        if members:
            yield ok(f"the fallback queue {name} has {members} members")
        else:
            yield warn(f"the fallback queue {name} has no member: callers would wait for nobody", add)
