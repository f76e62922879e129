"""espeak-ng and sox for the lab: the machine's own, or Debian's packages in a folder, as Asterisk comes."""

import shlex
import shutil
from pathlib import Path

from ccbridge.lab.distribution import command_in
from ccbridge.lab.fetch import ensure_packages

PACKAGES = ("espeak-ng", "sox")
SUITE = "bookworm"  # one that does not move: the same voices whenever it was fetched
SPEAK = ("-v", "{voice}", "-s", "{rate}", "--stdin", "-w", "{out}")
CONVERT = ("{in}", "-r", "8000", "-c", "1", "-b", "16", "{out}")


def speech_section(cache: Path, folder: Path) -> dict[str, str]:
    """``speech`` of a site in `folder`; what is missing is fetched into `cache`. Raises LabError."""
    speaker: tuple[str, ...] = ("espeak-ng",)
    converter: tuple[str, ...] = ("sox",)
    if not all(map(shutil.which, PACKAGES)):
        root = ensure_packages(cache, "speech", PACKAGES, suite=SUITE)
        voices = next(root.glob("usr/lib/*/espeak-ng-data")).parent
        speaker = (*command_in(root, "usr/bin/espeak-ng"), f"--path={voices}")
        converter = command_in(root, "usr/bin/sox")
    return {
        "command": _line(*speaker, *SPEAK),
        "convert": _line(*converter, *CONVERT),
        "directory": str(folder / "speech"),
        "recorded": str(folder / "recorded"),
    }


def _line(*words: str) -> str:
    return " ".join(one if one.startswith("{") else shlex.quote(one) for one in words)
