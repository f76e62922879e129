"""README's way to a first phone, line by line as it stands there, in a lab of its own."""

import asyncio
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_rig import MENU, new_number
from test_demo import processes_of

from ccbridge.lab.lab import PROJECT, Lab, default_cache
from ccbridge.lab.outside import Outside

pytestmark = [pytest.mark.lab, pytest.mark.pg]

LIMIT_S = 60.0
GREETED_S = 4.0  # the shipped greeting is over, and the menu says its first words


def lines_of(chapter: str, word: str) -> list[str]:
    """The lines of the last block of this kind in a chapter of README."""
    text = (PROJECT / "README.md").read_text()
    (body,) = re.findall(rf"^## {chapter}\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    block: str = re.findall(rf"^```sh {word}\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)[-1]
    return block.splitlines()


class Reader:
    """Somebody who types what stands there. His project is this one; its `.lab` is his own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("Makefile", "pyproject.toml", ".ci", "config", "src"):
            (folder / name).symlink_to(PROJECT / name)
        venv = folder / ".venv"  # what these tests run in; the stamp says that it is made
        venv.mkdir()
        for part in ("bin", "lib", "pyvenv.cfg"):
            (venv / part).symlink_to(Path(sys.prefix) / part)
        (venv / "stamp").touch()
        self.cache = folder / ".lab"
        self.cache.mkdir()
        for fetched in default_cache().glob("asterisk-*"):
            (self.cache / fetched.name).symlink_to(fetched)
        # neither this run's settings nor its make are his
        mine = ("CCBRIDGE_", "MAKE", "MFLAGS", "PYTEST_")
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith(mine)}
        if "CCBRIDGE_LAB_SUITE" in os.environ:
            self._environment["CCBRIDGE_LAB_SUITE"] = os.environ["CCBRIDGE_LAB_SUITE"]
        self._environment["CCBRIDGE_LAB_DIR"] = str(self.cache)
        self._environment["PATH"] = f"{venv / 'bin'}:{os.environ['PATH']}"

    def types(self, line: str, keyed: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            shlex.split(line),
            cwd=self.folder,
            env=self._environment,
            input=keyed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def does(self, line: str) -> str:
        """What it said; it succeeded."""
        done = self.types(line)
        assert done.returncode == 0, f"{line}: {done.stdout}"
        return done.stdout

    def types_until_it_works(self, line: str, terminal: "subprocess.Popen[bytes]") -> None:
        """The daemon takes a moment until it listens; "no daemon" is what one reads before."""
        deadline = time.monotonic() + LIMIT_S
        while (done := self.types(line)).returncode != 0:
            assert terminal.poll() is None, (self.folder / "run.log").read_text()
            assert done.returncode == 3, done.stdout
            assert time.monotonic() < deadline, done.stdout
            time.sleep(0.1)

    def types_until_it_says(self, line: str, word: str) -> str:
        deadline = time.monotonic() + LIMIT_S
        while word not in (said := self.does(line)):
            assert time.monotonic() < deadline, said
        return said

    def leaves_running(self, line: str) -> "subprocess.Popen[bytes]":
        """In a terminal of its own."""
        with (self.folder / "run.log").open("wb") as log:
            return subprocess.Popen(
                shlex.split(line),
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


@pytest.fixture
def reader(lab: Lab) -> Iterator[Reader]:
    """`lab` has fetched Asterisk, which is not fetched again. Its own path may be as long as a socket's."""
    with tempfile.TemporaryDirectory() as folder:
        one = Reader(Path(folder) / "project")
        yield one
        left = processes_of(one.folder)
        one.types("make lab-down")
        assert left == []


async def test_the_path_to_a_first_phone(reader: Reader) -> None:
    up, run, down = lines_of("A first phone, on this machine", "make")
    login, status, console = lines_of("A first phone, on this machine", "cli")
    said = await asyncio.to_thread(reader.does, up)
    assert "ccbridge run -c .lab/run/ccbridge.yml" in said
    terminal = reader.leaves_running(run)
    try:
        await asyncio.to_thread(reader.types_until_it_works, login, terminal)
        assert "SIP" in await asyncio.to_thread(reader.does, status)
        typed = await asyncio.to_thread(reader.types, console, "core show version\nexit\n")
        assert re.search(r"Asterisk (16|22)\.", typed.stdout)
        async with Outside(Lab(reader.cache / "run", reader.cache)) as outside:
            await outside.reset()
            call = await outside.carrier.call(MENU, new_number(), script=[GREETED_S, "1"])
            leg = await outside.phones["1001"].talks(30.0)
            listing = f"{login.partition(' agent ')[0]} call list"
            await asyncio.to_thread(reader.types_until_it_says, listing, "talking")
            await call.hangup()
            await leg.hangup()
            await outside.quiet()
        today = await asyncio.to_thread(reader.types_until_it_says, f"{listing} --day today", "answered")
        assert "anna" in today
        os.killpg(terminal.pid, signal.SIGINT)  # Ctrl-C
        await asyncio.to_thread(terminal.wait, LIMIT_S)
        log = (reader.folder / "run.log").read_text()
        assert "daemon.stopped" in log
        assert "Traceback" not in log
        assert processes_of(reader.folder) != []  # the lab is still there
    finally:
        if terminal.poll() is None:
            os.killpg(terminal.pid, signal.SIGKILL)
            terminal.wait()
        await asyncio.to_thread(reader.does, down)
    assert processes_of(reader.folder) == []
    assert reader.types(status).returncode == 3
