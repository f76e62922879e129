"""A program that speaks, as small as can be: a tone whose pitch is the text's; and it keeps count."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ccbridge.prompts.wording import Speech

PROGRAM = r"""
import math, os, struct, sys, time, wave
folder, how, out, *rest = sys.argv[1:]
text = (open(rest[-1], "rb") if how == "file" else sys.stdin.buffer).read().decode()
with open(os.path.join(folder, "runs"), "a") as runs:
    runs.write(text.replace("\n", " ") + "\n")
if how == "slow":
    time.sleep(0.3)
if how == "hangs":
    child = os.fork()
    if child == 0:
        time.sleep(30)
    with open(os.path.join(folder, "child"), "w") as file:
        file.write(str(child))
    time.sleep(30)
if how == "fails":
    sys.exit("no such voice")
if how == "nothing":
    sys.exit(0)
if how == "text":
    open(out, "w").write("this is no sound")
    sys.exit(0)
rate = 22050 if how == "fast" else 8000
loud = 0 if how == "silent" else 8000
pitch = 200 + sum(text.encode()) % 1000
seconds = 0.01 if how == "short" else 0.3
with wave.open(out, "wb") as sound:
    sound.setnchannels(2 if how == "stereo" else 1)
    sound.setsampwidth(2)
    sound.setframerate(rate)
    frames = range(int(seconds * rate) * (2 if how == "stereo" else 1))
    sound.writeframes(b"".join(struct.pack("<h", int(loud * math.sin(i * pitch / 1000))) for i in frames))
"""
COPY = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"


def speech(folder: Path, how: str = "", **changes: Any) -> Speech:
    """``how`` the program behaves; see it."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    settings: dict[str, Any] = {
        "command": (
            sys.executable,
            str(program),
            str(folder),
            how,
            "{out}",
            "{voice}",
            "{rate}",
            "{text_file}",
        ),
        "convert": (sys.executable, "-c", COPY, "{in}", "{out}"),
        "voices": {},
        "rate": 150,
        "directory": folder / "cache",
        "recorded": folder / "recorded",
        "seconds": 10.0,
    }
    return Speech(**settings | changes)


def runs(folder: Path) -> list[str]:
    """The texts that the program was given."""
    path = folder / "runs"
    return path.read_text().splitlines() if path.exists() else []
