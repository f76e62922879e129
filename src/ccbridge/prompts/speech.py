"""Text to sound, by a program of the site's choice, kept as files that Asterisk plays.

The command is an argument list with ``{voice}``, ``{rate}`` and ``{out}`` in it; the text is its standard
input, or the file ``{text_file}``: never an argument, and no shell sees it. A second command makes 8 kHz mono
of 16 bit out of ``{in}``. The result is looked at, and renamed into place: a half file is never played.

Two folders below the cache: ``kept``, and ``passing`` for what holds somebody's number or the like, which
goes when the next such text is spoken after an hour.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path

import structlog

from ccbridge.prompts.texts import fill
from ccbridge.prompts.wording import Speech, there

log = structlog.get_logger(__name__)

AT_ONCE = 2  # programs: each takes a processor for some 20 ms, or piper for a second
RATE_HZ = 8000
LONGEST = 2000  # characters: two minutes
QUIET = 200  # of 32768: what is never louder is silence
SHORTEST_S = 0.05
PASSING_S = 3600.0
REST_S = 10.0  # a text that failed is not tried again at once for the next caller
MAKING = ".making-"


class Speaker:
    """``clock``: seconds, for rests; ``wall``: epoch seconds, for the age of files."""

    def __init__(
        self,
        at_once: int = AT_ONCE,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._clock = clock
        self._wall = wall
        self._making: dict[Path, asyncio.Task[bool]] = {}
        self._failed: dict[Path, float] = {}

    async def speak(self, speech: Speech, text: str, language: str, *, passing: bool = False) -> Path | None:
        """The WAV file that says it, made if it is not there; None, and a line in the log, if it cannot be.

        Takes ``speech.seconds`` at most. Who asks for what is being made waits for that; when he goes away
        the others have it all the same.
        """
        if not speech.command:
            return None
        path = place(speech, text, language, passing=passing)
        if there(path):
            if passing:
                with contextlib.suppress(OSError):  # somebody else's file: it goes an hour after it was made
                    os.utime(path)
            return path
        if self._clock() < self._failed.get(path, 0.0):
            return None
        task = self._making.get(path)
        if task is None:
            task = self._making[path] = asyncio.create_task(self._make(speech, text, language, path, passing))
            task.add_done_callback(lambda _: self._making.pop(path, None))
        return path if await asyncio.shield(task) else None

    async def _make(self, speech: Speech, text: str, language: str, path: Path, passing: bool) -> bool:
        try:
            async with asyncio.timeout(speech.seconds), self._free:
                await render(speech, text, language, path)
        except (Unspoken, TimeoutError) as error:
            why = str(error) or f"not ready within {speech.seconds:g} s"
            log.error("speech.failed", language=language, file=path.name, why=why)
            now = self._clock()
            self._failed = {one: until for one, until in self._failed.items() if until > now}
            self._failed[path] = now + REST_S
            return False
        if passing:
            try:
                await asyncio.to_thread(_sweep, path.parents[1], self._wall() - PASSING_S)
            except OSError as error:  # what was asked for is there all the same
                log.warning("speech.not_swept", why=f"{error.strerror}: {error.filename}")
        return True


class Unspoken(Exception):
    """The program did not bring what it should; the message says what came instead."""


def place(speech: Speech, text: str, language: str, *, passing: bool = False) -> Path:
    """Where this text is kept; another voice, rate or program is another file."""
    spoken = (text, speech.voice(language), str(speech.rate), *speech.command, "", *speech.convert)
    name = hashlib.sha256("\0".join(spoken).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return speech.directory / ("passing" if passing else "kept") / language / f"{name}.wav"


async def render(speech: Speech, text: str, language: str, path: Path) -> None:
    """Make the file at ``path``. Raises Unspoken."""
    if len(text) > LONGEST:
        raise Unspoken(f"the text has {len(text)} characters, and {LONGEST} are the most")
    try:
        async with asyncio.timeout(speech.seconds):
            await _render(speech, text, language, path)
    except TimeoutError as error:
        raise Unspoken(f"not ready within {speech.seconds:g} s") from error
    except OSError as error:
        raise Unspoken(f"{error.strerror or error}: {error.filename or path}") from error


async def _render(speech: Speech, text: str, language: str, path: Path) -> None:
    """Raises Unspoken, OSError."""
    _folder(path.parent)
    with tempfile.TemporaryDirectory(prefix=MAKING, dir=path.parent) as scratch:
        work = Path(scratch)
        source, spoken, ready = work / "text", work / "spoken.wav", work / "ready.wav"
        source.write_text(text, "utf-8", errors="replace")
        values = {"voice": speech.voice(language), "rate": str(speech.rate), "text_file": str(source)}
        await _run(speech.command, values | {"out": str(spoken)}, source, work)
        if speech.convert:
            await _run(speech.convert, {"in": str(spoken), "out": str(ready)}, Path(os.devnull), work)
        else:
            ready = spoken
        await asyncio.to_thread(check, ready)
        ready.chmod(0o644)  # Asterisk is another user
        ready.replace(path)


async def _run(template: tuple[str, ...], values: dict[str, str], standard_input: Path, work: Path) -> None:
    """Raises Unspoken with its last words if it fails; broken off, it goes with all its children."""
    said = work / "said"
    with standard_input.open("rb") as source, said.open("wb") as words:
        child = await asyncio.create_subprocess_exec(
            *(fill(one, values) for one in template),
            stdin=source,
            stdout=words,
            stderr=words,
            start_new_session=True,
        )
    try:
        code = await child.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
        raise
    if code:
        with said.open("rb") as words:
            words.seek(-min(300, said.stat().st_size), os.SEEK_END)
            last = " ".join(words.read().decode(errors="replace").split())
        raise Unspoken(f"{template[0]} ended with {code}: {last or 'it said nothing'}")


def check(path: Path) -> None:
    """Raises Unspoken unless it is a WAV file of 8 kHz, mono, 16 bit, with sound in it."""
    try:
        with wave.open(str(path), "rb") as sound:
            kind = (sound.getframerate(), sound.getnchannels(), sound.getsampwidth() * 8)
            samples = array.array("h")
            if kind == (RATE_HZ, 1, 16):
                frames = sound.readframes(sound.getnframes())
                samples.frombytes(frames[: len(frames) // 2 * 2])
    except FileNotFoundError as error:
        raise Unspoken("no file came out") from error
    except (wave.Error, EOFError) as error:
        raise Unspoken(f"what came out is no WAV file ({error})") from error
    if kind != (RATE_HZ, 1, 16):
        raise Unspoken("what came out has {} Hz, {} channels, {} bit, not 8000, 1 and 16".format(*kind))
    if sys.byteorder == "big":
        samples.byteswap()
    if len(samples) < SHORTEST_S * RATE_HZ or max(max(samples), -min(samples)) <= QUIET:
        raise Unspoken("what came out is silence")


def _folder(path: Path) -> None:
    """With its parents, and for Asterisk to read, whatever the umask."""
    if path.is_dir():
        return
    _folder(path.parent)
    path.mkdir(exist_ok=True)
    path.chmod(0o755)


def _sweep(folder: Path, before: float) -> None:
    """What is older goes, and what a process that was killed has left. Raises OSError."""
    for path in (*folder.glob("*/*.wav"), *folder.glob(f"*/{MAKING}*")):
        with contextlib.suppress(FileNotFoundError):  # another process was first
            if path.stat().st_mtime < before:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
