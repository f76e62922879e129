"""What callers hear: every sound is there, and the music class has files."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from ccbridge.core.flows import Ask, HangUp, Menu, Play
from ccbridge.core.plan import Plan
from ccbridge.doctor.finding import Findings, fail, ok, skip
from ccbridge.doctor.visit import Visit
from ccbridge.prompts.library import Library

# Of the dialplan and of the doors.
OUR_OWN = ("queue-thankyou", "vm-goodbye", "beep", "auth-thankyou", "pm-invalid-option")


async def check(visit: Visit) -> Findings:
    settings = visit.settings
    if settings is None:
        yield skip("sounds and music", "needs Asterisk's console")
        return
    data = Path(settings.get("Data directory", ""))
    language = settings.get("Default language", "en")
    places = [data / "sounds" / language, data / "sounds" / "en", data / "sounds"]
    places += [data / "sounds" / "custom"]
    spoken = Library(lambda: visit.site.wording)
    wanted = [one for one in sounds(visit.site.plan) if not spoken.has(one, "")]
    missing = await asyncio.to_thread(lambda: [one for one in wanted if not _is_there(one, places)])
    for one in missing:
        yield fail(
            f"the sound {one} is not in {data / 'sounds'}: callers hear nothing there",
            f"put a file {one}.wav (8 kHz, mono) there, install the core sounds, or correct the flow",
        )
    if not missing:
        yield ok(f"all {len(wanted)} sounds are in {data / 'sounds'}")
    name = "default"
    if visit.ami is not None:
        name = await visit.variable("CCB_MOH")
        if not name:
            yield fail("CCB_MOH is not set: who waits hears nothing", "CCB_MOH=default in [globals]")
            return
    # a class in files mode that has none is not even listed
    modes = dict(
        re.findall(r"^Class: (\S+)\n\s+Mode: (\S+)", await visit.rx("moh show classes"), re.MULTILINE)
    )
    files = re.findall(r"^Class: (\S+)\n\s+File: ", await visit.rx("moh show files"), re.MULTILINE)
    if name not in files and modes.get(name, "files") == "files":
        yield fail(
            f"the music class {name} has no files, or is not there: who waits hears nothing",
            f"sound files in the directory of [{name}] in musiconhold.conf, or CCB_MOH; `moh reload`",
        )
    else:
        yield ok(f"the music class {name} has something to play")


def sounds(plan: Plan) -> list[str]:
    """Every prompt of every flow, and our own."""
    found = set(OUR_OWN)
    for flow in plan.flows.values():
        for step in flow.steps.values():
            match step:
                case Play() | HangUp():
                    found.update(step.prompts)
                case Menu():
                    found.update((*step.prompts, *step.invalid, *step.silent))
                case Ask():
                    found.update((*step.prompts, *step.confirm, *step.invalid, *step.silent))
    return sorted(found)


def _is_there(sound: str, places: list[Path]) -> bool:
    return any(any(place.glob(f"{sound}.*")) for place in places)
