"""AMI: what the routing user may do and hear, and whose clock is right; the modules behind it."""

from __future__ import annotations

import re
import time

from ccbridge.doctor.finding import Finding, Findings, fail, ok, skip, warn
from ccbridge.doctor.visit import READ_RIGHTS, WRITE_RIGHTS, Visit

# A right is had if the user is shown an action that wants it. ``command`` and ``config`` are as good as
# ``system``: a console command or a changed file runs what its writer likes.
NEEDED = {"call": "Redirect", "reporting": "ShowDialPlan", "originate": "Originate"}
FORBIDDEN = {"system": "ModuleLoad", "command": "Command", "config": "UpdateConfig"}
HEARD = ("system", "call", "user", "cdr")

MODULES = {
    "pbx_config": "the dialplan",
    "chan_pjsip": "phones and trunks",
    "res_rtp_asterisk": "audio",
    "res_agi": "menus",
    "app_dial": "offers",
    "app_userevent": "the dialplan tells the daemon",
    "app_mixmonitor": "recordings",
    "app_record": "spoken notes",
    "app_chanspy": "supervisors who listen",
    "app_bridgeaddchan": "supervisors who take over",
    "app_playback": "announcements",
    "app_exec": "the hold loop",
    "app_queue": "the fallback queue",
    "res_musiconhold": "music for who waits",
    "res_manager_devicestate": "phones' states",
    "func_channel": "the dialplan",
    "func_devstate": "the dialplan",
    "func_dialplan": "the way out",
    "func_groupcount": "the limit of the fallback script",
    "func_math": "the dialplan",
    "func_strings": "the dialplan",
    "func_timeout": "freeing callers from a frozen daemon",
    "format_wav": "recordings",
    "cdr_manager": "call records",
}
OFF_BY = 0.5  # seconds between two clocks
WRONG_BY = 5.0


async def check(visit: Visit) -> Findings:
    if visit.ami is None:
        yield skip("rights, modules and clock: AMI is away")
        return
    async for finding in _rights(visit):
        yield finding
    async for finding in _modules(visit):
        yield finding
    yield await _clock(visit)
    ours, theirs = time.strftime("%z"), await visit.variable("STRFTIME(,,%z)")
    if theirs and theirs != ours:
        yield warn(
            f"Asterisk's time zone is {theirs}, ours is {ours}: its CDR files bear other times than reports",
            "one time zone for both: timedatectl, and restart Asterisk",
        )


async def _rights(visit: Visit) -> Findings:
    assert visit.ami is not None
    user = visit.site.asterisk.user
    answer = await visit.ami.action({"Action": "ListCommands"})
    actions = {str(name).lower() for name in answer}
    missing = [right for right, action in NEEDED.items() if action.lower() not in actions]
    excess = [right for right, action in FORBIDDEN.items() if action.lower() in actions]
    for right in missing:
        yield fail(f"the AMI user {user} lacks write = {right}", WRITE_RIGHTS)
    for right in excess:
        yield fail(
            f"the AMI user {user} has write = {right}: whoever gets its secret can run programs on the PBX",
            WRITE_RIGHTS,
        )
    if not missing and not excess:
        yield ok(f"the AMI user {user} may do what is needed, and no more")
    if visit.settings is None:
        yield skip(f"what the AMI user {user} hears (read =)", "needs Asterisk's console")
    else:
        text = await visit.rx(f"manager show user {user}")
        heard = re.search(r"read perm: (\S+)", text)
        rights = set(heard[1].split(",")) if heard else set()
        deaf = [right for right in HEARD if not rights & {right, "all"}]
        for right in deaf:
            yield fail(f"the AMI user {user} lacks read = {right}", READ_RIGHTS)
        if not deaf:
            yield ok(f"the AMI user {user} hears what is needed")
        if not re.search(r"Timestamp events:\s+Yes", await visit.rx("manager show settings")):
            yield fail(
                "AMI events bear no time of their own",
                "timestampevents = yes in [general] of manager.conf; `manager reload`",
            )


async def _modules(visit: Visit) -> Findings:
    if await visit.variable("IFMODULE(pbx_config.so)") != "1":
        yield skip("modules: Asterisk has no func_module", "load func_module.so")
        return
    missing = [name for name in MODULES if await visit.variable(f"IFMODULE({name}.so)") != "1"]
    for name in missing:
        yield fail(
            f"Asterisk's module {name} is not loaded ({MODULES[name]})",
            f"`module load {name}.so`, no noload of it in modules.conf, and its own .conf file if it has one",
        )
    if not missing:
        yield ok(f"Asterisk has the {len(MODULES)} modules that are needed")
    if visit.major >= 20 and await visit.variable("IFMODULE(bridge_native_rtp.so)") == "1":
        yield warn(
            "bridge_native_rtp is loaded: on Debian's builds of 20.6 and later callers lose audio",
            "#include modules_ccbridge.conf in modules.conf, and restart Asterisk",
        )


async def _clock(visit: Visit) -> Finding:
    assert visit.ami is not None
    asked = visit.clock()
    answer = await visit.ami.action({"Action": "Ping"})
    return judge_clock("Asterisk", float(answer.get("timestamp", "0") or 0), asked, visit.clock())


def judge_clock(whose: str, said: float, asked: float, heard: float) -> Finding:
    """What the other clock said, between our asking and our hearing it: epoch seconds."""
    offset = said - (asked + heard) / 2
    if abs(offset) <= OFF_BY + (heard - asked) / 2:  # on a busy machine the answer itself takes its time
        return ok(f"{whose}'s clock is ours, within {abs(offset) * 1000:.0f} ms")
    sentence = f"{whose}'s clock is {abs(offset):.1f} s {'ahead of' if offset > 0 else 'behind'} ours"
    return (fail if abs(offset) > WRONG_BY else warn)(
        sentence, "chrony or systemd-timesyncd on both machines"
    )
