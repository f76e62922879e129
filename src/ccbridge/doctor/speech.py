"""What says the prompts: the programs are there, and the folder of what they have said."""

from __future__ import annotations

import os
import shutil

from ccbridge.doctor.finding import Findings, fail, ok, skip
from ccbridge.doctor.visit import Visit


async def check(visit: Visit) -> Findings:
    speech = visit.site.wording.speech
    if speech is None or not speech.command:
        yield skip(
            "no program says prompts: `speech` is not set up", "docs/prompts.md, if callers are to hear any"
        )
        return
    for key, command in (("command", speech.command), ("convert", speech.convert)):
        if command and shutil.which(command[0]) is None:
            yield fail(
                f"speech.{key}: there is no program {command[0]}: its prompts are not said",
                "install it (Debian: espeak-ng, sox), or correct the command",
            )
        elif command:
            yield ok(f"speech.{key}: {command[0]} is there")
    there = next(one for one in (speech.directory, *speech.directory.parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield fail(
            f"speech.directory: {speech.directory} cannot be written from here",
            f"the daemon's user writes it, Asterisk's reads it: install -d -o ccbridge {speech.directory}",
        )
