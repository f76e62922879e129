"""The phones: each agent's endpoint is as offers, recordings and states need it, a supervisor's exists.

And agents' PINs can be read.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator

from ccbridge import pins
from ccbridge.config import Site
from ccbridge.doctor.finding import Finding, Findings, fail, ok, skip, warn
from ccbridge.doctor.visit import Visit

WANTED = {
    "direct_media": ("false", "the audio goes past Asterisk and is not recorded"),
    "device_state_busy_at": ("1", "a phone that talks is taken for a free one"),
    "send_pai": ("true", "the phone does not show who calls"),
}


async def check(visit: Visit) -> Findings:
    for finding in _pins(visit.site):
        yield finding
    if visit.ami is None:
        yield skip("endpoints: AMI is away")
        return
    wrong = 0
    for agent in visit.site.plan.agents.values():
        endpoint = agent.device.partition("/")[2]
        if not await visit.variable(f"PJSIP_ENDPOINT({endpoint},context)"):
            wrong += 1
            yield fail(
                f"agent {agent.id}: Asterisk has no endpoint {endpoint}",
                f"[{endpoint}](ccbridge-phone) in pjsip.conf, or correct agents.{agent.id}.device",
            )
            continue
        for option, (value, harm) in WANTED.items():
            found = await visit.variable(f"PJSIP_ENDPOINT({endpoint},{option})")
            if found != value:
                wrong += 1
                yield warn(
                    f"agent {agent.id}: endpoint {endpoint} has {option} = {found or 'nothing'}: {harm}",
                    "the template ccbridge-phone of pjsip_ccbridge.conf; `module reload res_pjsip.so`",
                )
    for one in visit.site.supervisors.values():
        endpoint = one.device.partition("/")[2]
        if not await visit.variable(f"PJSIP_ENDPOINT({endpoint},context)"):
            wrong += 1
            yield fail(
                f"supervisor {one.id}: Asterisk has no endpoint {endpoint}",
                f"[{endpoint}](ccbridge-phone) in pjsip.conf, or correct supervisors.{one.id}.device",
            )
    for trunk in _trunks(visit.site):
        if not await visit.variable(f"PJSIP_ENDPOINT({trunk},context)"):
            wrong += 1
            yield fail(
                f"agents' own telephones: Asterisk has no endpoint {trunk}",
                f"the trunk [{trunk}] in pjsip.conf, or correct personal.dial",
            )
    if not wrong:
        yield ok(f"{len(visit.site.plan.agents)} agents, each with an endpoint as it should be")


def _trunks(site: Site) -> list[str]:
    """The trunks by which agents' own telephones are reached."""
    dialled = [one for agent in site.plan.agents.values() for one in agent.personal.values()]
    return sorted({one.partition("@")[2] for one in dialled})


def _pins(site: Site) -> Iterator[Finding]:
    """Agents with a number log in at phones, each with a PIN."""
    file, numbered = site.phones.pins_file, set(site.agent_numbers.values())
    if not numbered:
        return
    try:
        known = pins.read(file)
    except pins.PinsUnreadable as error:
        yield fail(
            f"PINs cannot be read: {error}", f"chmod 640 {file}, and the daemon's group; `ccbridge agent pin`"
        )
        return
    if known and file.stat().st_mode & stat.S_IROTH:
        yield warn(f"everyone on this machine may read {file}", f"chmod 640 {file}")
    yield ok(f"{len(numbered & known.keys())} of {len(numbered)} agents with a number have a PIN")
